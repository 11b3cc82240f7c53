//! Sends messages and frames of every kind to an echo server, and checks the answers.
//!
//! ```text
//! cargo run --release -p framewire-testing --bin echo_check ws://127.0.0.1:9001
//! ```
//!
//! Prints a line of JSON for each scenario; `interop/run servers` makes a table of them. With `--asked`, it also runs
//! those in which the server must send a ping or a close on request, as the servers in `interop/peers` do.
//!
//! With `--deflate OFFERS AGREED`, it offers permessage-deflate and checks the result. Both arguments are written as in
//! the header Sec-WebSocket-Extensions. `interop/run compression` does this with all parameters.

use core::error::Error;
use framewire::{
    CloseCode, Kind,
    extension::{DeflateOffer, DeflateParams, DeflateResponse, parse},
};
use framewire_testing::{
    blocking::{Received, Socket},
    payload,
};
use std::{env, process::ExitCode, time::Instant};

type Outcome = Result<(), Box<dyn Error>>;
type Scenario = fn(&Server) -> Outcome;

struct Server {
    url: String,
    offers: Vec<DeflateOffer>,
    /// The parameters that must be agreed on.
    agreed: Option<DeflateParams>,
}

fn main() -> ExitCode {
    let (mut url, mut offers, mut agreed) = (None, Vec::new(), None);
    let mut asked = false;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--asked" => asked = true,
            "--deflate" => {
                let [list, answer] = [(); 2].map(|()| arguments.next().unwrap_or_default());
                offers =
                    parse(&list).flatten().filter_map(|offer| DeflateOffer::parse(&offer).ok()).collect();
                let mut answers =
                    parse(&answer).flatten().filter_map(|answer| DeflateResponse::parse(&answer).ok());
                agreed = answers.next().map(|answer| answer.params());
            }
            _ => url = Some(argument),
        }
    }
    let Some(url) = url else {
        eprintln!("usage: echo_check [--asked] [--deflate OFFERS AGREED] ws://HOST:PORT");
        return ExitCode::from(2);
    };
    let server = Server { url: url.trim_end_matches('/').to_owned(), offers, agreed };

    let mut scenarios: Vec<(&str, Scenario)> = vec![
        ("text", text),
        ("binary to 64 KiB", binary_small),
        ("binary 1 MiB", |server| binary(server, &[1 << 20])),
        ("binary 64 MiB", |server| binary(server, &[64 << 20])),
        ("fragments", fragments),
        ("ping from the client", ping),
        ("close by the client", close),
        ("10,000 in order", in_order),
        ("1,000 at once", at_once),
        ("subprotocol", subprotocol),
    ];
    if asked {
        scenarios.push(("ping from the server", pinged));
        scenarios.push(("close by the server", closed));
    }
    if !server.offers.is_empty() {
        scenarios = vec![("compressed", compressed)];
    }
    let mut failed = false;
    for (name, scenario) in scenarios {
        let began = Instant::now();
        let outcome = scenario(&server);
        let note = outcome.as_ref().err().map(|error| error.to_string()).unwrap_or_default();
        let note: String = note
            .chars()
            .map(|c| if "\"\\".contains(c) || !(' '..='~').contains(&c) { '?' } else { c })
            .collect();
        failed |= outcome.is_err();
        println!(
            "{{\"scenario\": {name:?}, \"ok\": {}, \"seconds\": {:.3}, \"note\": \"{note}\"}}",
            outcome.is_ok(),
            began.elapsed().as_secs_f64(),
        );
    }
    ExitCode::from(u8::from(failed))
}

impl Server {
    fn connect(&self, path: &str) -> Result<Socket, Box<dyn Error>> {
        Ok(Socket::connect(&format!("{}{path}", self.url), &[], &self.offers)?.0)
    }
}

fn text(server: &Server) -> Outcome {
    let mut socket = server.connect("/")?;
    for text in
        ["Hello", "", "\u{1F44B} w\u{F6}rld \u{1F9D1}\u{200D}\u{1F680}", "\0", &"\u{20AC}".repeat(50_000)]
    {
        echoed(&mut socket, Kind::Text, text.as_bytes())?;
    }
    end(socket)
}

fn binary_small(server: &Server) -> Outcome {
    binary(server, &[0, 1, 125, 126, 127, 65_535, 65_536])
}

fn binary(server: &Server, sizes: &[usize]) -> Outcome {
    let mut socket = server.connect("/")?;
    for &size in sizes {
        echoed(&mut socket, Kind::Binary, &noise(size))?;
    }
    end(socket)
}

fn fragments(server: &Server) -> Outcome {
    let mut socket = server.connect("/")?;
    // Cut inside a character, and with an empty fragment.
    let text = "\u{1F44B}".as_bytes();
    socket.send_fragments(Kind::Text, &[&text[..1], &text[1..3], b"", &text[3..]])?;
    expect(&mut socket, Kind::Text, text)?;
    let bytes = noise(300_000);
    socket.send_fragments(Kind::Binary, &bytes.chunks(1_000).collect::<Vec<_>>())?;
    expect(&mut socket, Kind::Binary, &bytes)?;
    end(socket)
}

fn ping(server: &Server) -> Outcome {
    let mut socket = server.connect("/")?;
    for payload in [&b""[..], b"are you there?", &noise(125)] {
        socket.ping(payload)?;
        match socket.receive()? {
            Received::Pong(back) if back == payload => {}
            other => return Err(format!("no pong, but {}", show(&other)).into()),
        }
    }
    end(socket)
}

fn pinged(server: &Server) -> Outcome {
    // The server pings each time, and echoes once it has the pong.
    let mut socket = server.connect("/ping")?;
    for _ in 0..3 {
        echoed(&mut socket, Kind::Text, b"ping me")?;
    }
    end(socket)
}

fn close(server: &Server) -> Outcome {
    for (code, reason) in [(1000, ""), (1000, "enough"), (3000, "\u{1F44B}"), (4999, &"x".repeat(123))] {
        let mut socket = server.connect("/")?;
        socket.close(CloseCode::new(code), reason)?;
        match socket.receive()? {
            Received::Close(back, _) if back.get() == code => {}
            other => return Err(format!("{code} was answered by {}", show(&other)).into()),
        }
    }
    let mut socket = server.connect("/")?;
    socket.close(CloseCode::NO_STATUS, "")?;
    match socket.receive()? {
        // Without a code, or with 1000, which some servers send instead.
        Received::Close(CloseCode::NO_STATUS | CloseCode::NORMAL, _) => Ok(()),
        other => Err(format!("an empty close was answered by {}", show(&other)).into()),
    }
}

fn closed(server: &Server) -> Outcome {
    let mut socket = server.connect("/close")?;
    socket.send(Kind::Text, b"close, please")?;
    match socket.receive()? {
        Received::Close(code, reason) if code.get() == 3001 && reason == "as you wish" => Ok(()),
        other => Err(format!("no close, but {}", show(&other)).into()),
    }
}

fn in_order(server: &Server) -> Outcome {
    let mut socket = server.connect("/")?;
    for batch in 0..100 {
        let numbers = batch * 100..(batch + 1) * 100;
        for i in numbers.clone() {
            socket.send(Kind::Text, format!("message {i}").as_bytes())?;
        }
        for i in numbers {
            expect(&mut socket, Kind::Text, format!("message {i}").as_bytes())?;
        }
    }
    end(socket)
}

fn at_once(server: &Server) -> Outcome {
    let mut sockets = (0..1_000).map(|_| server.connect("/")).collect::<Result<Vec<_>, _>>()?;
    for (i, socket) in sockets.iter_mut().enumerate() {
        socket.send(Kind::Text, format!("I am {i}").as_bytes())?;
    }
    for (i, socket) in sockets.iter_mut().enumerate() {
        expect(socket, Kind::Text, format!("I am {i}").as_bytes())?;
    }
    sockets.into_iter().try_for_each(end)
}

fn subprotocol(server: &Server) -> Outcome {
    match Socket::connect(&format!("{}/", server.url), &["chat.v1", "chat.v2"], &[])? {
        (socket, Some(chosen)) if chosen == "chat.v2" => end(socket),
        (_, chosen) => Err(format!("the server chose {chosen:?}").into()),
    }
}

fn compressed(server: &Server) -> Outcome {
    let mut socket = server.connect("/")?;
    if socket.agreed() != server.agreed {
        return Err(format!("agreed: {:?}", socket.agreed()).into());
    }
    for text in ["Hello", "", "\u{6F22}\u{5B57}", "\u{1F9D1}\u{200D}\u{1F680}"] {
        echoed(&mut socket, Kind::Text, text.as_bytes())?;
        echoed(&mut socket, Kind::Text, text.repeat(1_000).as_bytes())?;
    }
    for size in [0, 1, 125, 126, 65_536, 1 << 20] {
        echoed(&mut socket, Kind::Binary, &noise(size))?;
        let before = socket.traffic;
        echoed(&mut socket, Kind::Binary, &b"0123456789abcdef".repeat(size / 16))?;
        let bound = (size / 16) as u64;
        let spent = (socket.traffic.0 - before.0, socket.traffic.1 - before.1);
        if size >= 65_536 && server.agreed.is_some() && (spent.0 > bound || spent.1 > bound) {
            return Err(format!("{size} bytes came as {} and went as {}", spent.0, spent.1).into());
        }
    }
    let text = "\u{1F44B}".repeat(100);
    socket.send_fragments(Kind::Text, &[&text.as_bytes()[..201], b"", &text.as_bytes()[201..]])?;
    expect(&mut socket, Kind::Text, text.as_bytes())?;
    let bytes = [noise(30_000), vec![7; 30_000]].concat();
    socket.send_fragments(Kind::Binary, &bytes.chunks(1_000).collect::<Vec<_>>())?;
    expect(&mut socket, Kind::Binary, &bytes)?;
    let small =
        |i| format!("{{\"message\": {i}, \"what\": \"one of a thousand, none longer than the others\"}}");
    for i in 0..1_000 {
        socket.send(Kind::Text, small(i).as_bytes())?;
    }
    for i in 0..1_000 {
        expect(&mut socket, Kind::Text, small(i).as_bytes())?;
    }
    end(socket)
}

fn echoed(socket: &mut Socket, kind: Kind, payload: &[u8]) -> Outcome {
    socket.send(kind, payload)?;
    expect(socket, kind, payload)
}

fn expect(socket: &mut Socket, kind: Kind, payload: &[u8]) -> Outcome {
    match socket.receive()? {
        Received::Message(same, bytes) if same == kind && bytes == payload => Ok(()),
        other => Err(format!("{} bytes came back as {}", payload.len(), show(&other)).into()),
    }
}

fn end(mut socket: Socket) -> Outcome {
    socket.close(CloseCode::NORMAL, "")?;
    match socket.receive()? {
        Received::Close(CloseCode::NORMAL, _) => Ok(()),
        other => Err(format!("1000 was answered by {}", show(&other)).into()),
    }
}

fn show(received: &Received) -> String {
    match received {
        Received::Message(kind, bytes) => format!("{kind:?} of {} bytes", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// Bytes without a pattern, the same in each run.
fn noise(len: usize) -> Vec<u8> {
    payload::noise(len, len as u64)
}
