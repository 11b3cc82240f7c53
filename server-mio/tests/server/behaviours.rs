//! Behaviours on demand, to the byte.

use super::*;
use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

fn behaving(options: &[&str]) -> Program {
    start(&[&["--behaviours"], options].concat())
}

fn connect(server: &Program, query: &str) -> Client {
    Client::connect_to(server.address(), &format!("/echo?{query}"))
}

fn request(query: &str, more: &str) -> String {
    upgrade(more).replacen("GET / ", &format!("GET /echo?{query} "), 1)
}

/// The whole answer to a request, to the end of the stream.
fn answer(server: &Program, query: &str, more: &str) -> String {
    ask(server.address(), request(query, more).as_bytes())
}

/// A connection after the 101, without a client: for exact bytes.
fn raw(server: &Program, query: &str) -> TcpStream {
    let mut stream = server.tcp();
    stream.write_all(request(query, "").as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the end, not a reset");
    bytes
}

fn expect_reset(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

// -------------------------------------------------------------------------------------------------- on and off

#[test]
fn they_are_off_unless_switched_on() {
    let server = start(&[]);
    let mut client = connect(&server, "echo=no&nonsense=1");
    client.check();
    client.close();
    let get =
        |path: &str| ask(server.address(), format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    assert_eq!((status(&get("/behaviours")), status(&get("/echo?delay=1s"))), (404, 404));
}

#[test]
fn other_paths_and_an_empty_query_are_the_plain_echo() {
    let server = behaving(&[]);
    for target in ["/", "/?delay=1m&nonsense=1", "/echo", "/echo?", "/echoes?delay=1m"] {
        let mut client = Client::connect_to(server.address(), target);
        client.check();
        client.close();
    }
    assert_eq!(server.threads(), 1);
}

#[test]
fn other_machines_need_a_second_option() {
    let run = |options: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_framewire-echo"));
        program.args(options).stdout(Stdio::null()).output().expect("it runs")
    };
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = run(&["--behaviours", "--listen", "127.0.0.1:0", "--listen", address]);
        let why = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{why}");
        assert!(why.contains("--behaviours-for-anyone"), "{why}");
    }
    assert_eq!(run(&["--behaviours-for-anyone"]).status.code(), Some(2), "it needs --behaviours");
    let path = std::env::temp_dir().join(format!("framewire-behaviours-{}.sock", std::process::id()));
    let options = ["--behaviours", "--listen", path.to_str().unwrap()];
    let server = Program::start_with(env!("CARGO_BIN_EXE_framewire-echo"), "", &options);
    Client::connect_unix(&server.addresses[0]).check();
    drop(server);
    let options = ["--behaviours", "--behaviours-for-anyone", "--listen", "0.0.0.0:0"];
    drop(Program::start_with(env!("CARGO_BIN_EXE_framewire-echo"), "", &options));
}

#[test]
fn the_page_and_the_documentation_list_all() {
    let server = behaving(&[]);
    let page = ask(server.address(), b"GET /behaviours HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(status(&page), 200);
    let (_, page) = page.split_once("\r\n\r\n").unwrap();
    let list = page.split_once("\n\n").unwrap().1.trim_end();
    assert!(list.contains("\n  delay=TIME "), "{list}");
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/behaviours.md");
    let docs = fs::read_to_string(docs).unwrap();
    assert!(docs.contains(list), "docs/behaviours.md does not have the list of GET /behaviours:\n{list}");
}

#[test]
fn wrong_requests_are_told_what_is_allowed() {
    let server = behaving(&[]);
    for (query, part) in [
        ("delay=1h", "delay is a time from 0 to 1m"),
        ("dealy=1s", "there are: handshake-delay, "),
        ("abort&drop", "exclude each other"),
    ] {
        let answer = answer(&server, query, "");
        assert!(status(&answer) == 400 && answer.contains(part), "{answer}");
    }
    let get =
        |path: &str| ask(server.address(), format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    assert_eq!(status(&get("/echo?delay=1s")), 426);
    let unknown = get("/echo/delay/1s");
    assert!(status(&unknown) == 404 && unknown.contains("\n  delay=TIME "), "{unknown}");
}

// ------------------------------------------------------------------------------------------------------ violations

#[test]
fn violations_have_names() {
    let server = behaving(&[]);
    let get =
        |path: &str| ask(server.address(), format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    let list = get("/bad/");
    assert!(status(&list) == 200 && list.contains("  masked-text "), "{list}");
    assert_eq!((status(&get("/bad/masked-text")), status(&get("/bad/nonsense"))), (426, 404));
    let mut stream = server.tcp();
    stream.write_all(upgrade("").replacen("GET / ", "GET /bad/masked-text ", 1).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = to_the_end(&mut stream);
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert_eq!((answer[head + 4], answer[head + 5] & 0x80), (TEXT, 0x80), "a frame that is masked");
    until("the thread ends", || server.threads() == 1);
}

#[test]
fn a_text_goes_wrong_at_a_given_byte() {
    let server = behaving(&[]);
    let violate = |target: &str| upgrade("").replacen("GET / ", &format!("GET /bad/{target} "), 1);
    let mut stream = server.tcp();
    stream.write_all(violate("utf8-middle?at=126").as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = to_the_end(&mut stream);
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
    let begin = [&[TEXT, 126, 0, 126 + 13][..], &[b'x'; 126], b"\xFF is in UTF-8"].concat();
    assert!(answer[head + 4..].starts_with(&begin), "{answer:?}");
    for (target, part) in [
        ("utf8-middle?at=1048577", "from 0 to 1048576"),
        ("utf8-middle?at=1&at=2", "one parameter"),
        ("masked-text?at=1", "utf8-"),
    ] {
        let answer = ask(server.address(), violate(target).as_bytes());
        assert!(status(&answer) == 400 && answer.contains(part), "{answer}");
    }
}

#[test]
fn a_good_case_is_an_echo() {
    let server = behaving(&[]);
    let mut client = Client::connect_to(server.address(), "/bad/good-text");
    let Got::Text(text) = client.next() else { panic!("not a text") };
    client.text(&text);
    let Got::Ping(payload) = client.next() else { panic!("not a ping") };
    client.send(&frame(PONG, &payload));
    let Got::Text(text) = client.next() else { panic!("not a text") };
    client.text(&text);
    client.expect_close(1000);
}

// ------------------------------------------------------------------------------------------ the opening handshake

#[test]
fn a_status_replaces_the_upgrade() {
    let server = behaving(&[]);
    assert!(answer(&server, "status=503", "").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    let redirect = answer(&server, "status=302&location=/echo%3Fx", "");
    assert!(status(&redirect) == 302 && redirect.contains("\r\nLocation: /echo?x\r\n"), "{redirect}");
    let refused = answer(&server, "bearer=secret", "Authorization: Bearer other\r\n");
    assert!(status(&refused) == 401 && refused.contains("\r\nWWW-Authenticate: Bearer "), "{refused}");
    let mut stream = server.tcp();
    stream.write_all(request("bearer=secret", "authorization: bearer secret\r\n").as_bytes()).unwrap();
    let mut start = [0; 13];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 101 ");
}

#[test]
fn a_handshake_is_cut_anywhere() {
    let server = behaving(&[]);
    let whole = answer(&server, "handshake-cut=4K", "");
    assert!(whole.starts_with("HTTP/1.1 101 ") && whole.ends_with("\r\n\r\n"), "{whole}");
    for cut in [0, 1, 20, whole.len() - 1] {
        assert_eq!(answer(&server, &format!("handshake-cut={cut}"), ""), whole[..cut]);
        let mut stream = server.tcp();
        stream.write_all(request(&format!("handshake-cut={cut}&abort"), "").as_bytes()).unwrap();
        let mut got = vec![0; cut];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(got, whole.as_bytes()[..cut]);
        expect_reset(&mut stream);
    }
}

#[test]
fn a_handshake_is_late() {
    let server = behaving(&[]);
    let begun = Instant::now();
    let mut client = connect(&server, "handshake-delay=200ms");
    assert!(begun.elapsed() >= Duration::from_millis(200));
    client.check();
    // A client that does not wait gives its thread back.
    let stream = server.tcp();
    (&stream).write_all(request("handshake-delay=1m", "").as_bytes()).unwrap();
    until("the thread runs", || server.threads() == 3);
    drop(stream);
    until("the thread ends", || server.threads() == 2);
}

#[test]
fn a_handshake_is_wrong() {
    let server = behaving(&[]);
    let head = |query: &str| {
        let mut stream = server.tcp();
        stream.write_all(request(query, "Sec-WebSocket-Protocol: a, b\r\n").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        String::from_utf8(to_the_end(&mut stream)).unwrap()
    };
    let right = "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    assert!(head("echo=no").contains(right));
    let wrong = head("accept=wrong");
    assert!(wrong.contains("\r\nSec-WebSocket-Accept: ") && !wrong.contains(right), "{wrong}");
    assert!(!head("accept=missing").contains("Accept"));
    assert!(head("echo=no").contains("\r\nSec-WebSocket-Protocol: a\r\n"));
    assert!(head("subprotocol=c").contains("\r\nSec-WebSocket-Protocol: c\r\n"));
    assert!(head("extension=x-unasked").ends_with("\r\nSec-WebSocket-Extensions: x-unasked\r\n\r\n"));
}

// ------------------------------------------------------------------------------------------------------- replies

#[test]
fn replies_are_late_and_messages_are_received_meanwhile() {
    let server = behaving(&[]);
    let mut client = connect(&server, "delay=300ms&jitter=50ms&seed=1");
    let begun = Instant::now();
    for i in 0..20 {
        client.text(&format!("message {i}"));
    }
    for i in 0..20 {
        client.expect_text(&format!("message {i}"));
    }
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(begun.elapsed() < 20 * Duration::from_millis(300), "each waited for the one before");
    client.close();
}

#[test]
fn replies_that_wait_are_bounded() {
    let server = behaving(&["--high-water", "64K"]);
    let mut client = connect(&server, "delay=1m");
    let Socket::Tcp(socket) = &client.socket else { unreachable!() };
    socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let message = frame(BINARY, &noise(60 << 10, 1));
    let mut sent = 0;
    let error = loop {
        match client.socket.write(&message) {
            Ok(n) => sent += n,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(server.memory() < 8 << 20, "{} bytes were sent, {} are held", sent, server.memory());
}

#[test]
fn no_reply_no_pong_no_close() {
    let server = behaving(&[]);
    let mut client = connect(&server, "echo=no&pong=no&close-reply=no&stats");
    client.text("nothing");
    client.send(&frame(PING, b"nothing"));
    client.text("stats");
    let Got::Text(stats) = client.next() else { panic!("not a text") };
    let stats = json(&stats);
    assert_eq!((&stats["received"]["messages"], &stats["received"]["pings"]), (&2.into(), &1.into()));
    client.send(&close(1000, ""));
    client.socket.shutdown_write();
    client.expect_end();
}

#[test]
fn pongs_and_the_close_are_late() {
    let server = behaving(&[]);
    let mut client = connect(&server, "pong=100ms&close-reply=100ms");
    client.send(&[frame(PING, b"late"), frame(TEXT, b"first")].concat());
    client.expect_text("first");
    assert_eq!(client.next(), Got::Pong(b"late".to_vec()));
    let begun = Instant::now();
    client.close();
    assert!(begun.elapsed() >= Duration::from_millis(100));
}

#[test]
fn errors_of_the_client_are_answered_in_their_turn() {
    let server = behaving(&[]);
    let mut client = connect(&server, "delay=100ms");
    client.send(&[frame(TEXT, b"before"), frame(TEXT, b"\xFF")].concat());
    client.expect_text("before");
    client.expect_close(1007);
    client.expect_end();
    let mut client = connect(&server, "max-message=10");
    client.text("0123456789");
    client.expect_text("0123456789");
    client.text("0123456789+");
    client.expect_close(1009);
    client.expect_end();
}

// ------------------------------------------------------------------------------------------------ bytes and frames

#[test]
fn replies_come_in_fragments() {
    let server = behaving(&[]);
    let mut stream = raw(&server, "fragment=2");
    stream.write_all(&[frame(TEXT, b"hello"), frame(BINARY, b""), frame(BINARY, b"hi")].concat()).unwrap();
    let mut got = [0; 17];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"\x01\x02he\x00\x02ll\x80\x01o\x82\x00\x82\x02hi");
}

#[test]
fn bytes_come_at_a_rate_and_in_slices() {
    let server = behaving(&[]);
    for query in ["rate=10K", "slice=100&gap=10ms", "read-rate=10K"] {
        let mut client = connect(&server, query);
        let message = noise(2048, 1);
        let begun = Instant::now();
        client.binary(&message);
        client.expect_binary(&message);
        assert!(begun.elapsed() >= Duration::from_millis(150), "{query}: {:?}", begun.elapsed());
        client.close();
    }
}

// ------------------------------------------------------------------------------------------------- the server's own

#[test]
fn the_server_greets_and_tells_the_request() {
    let server = behaving(&[]);
    let mut client = connect(&server, "greeting=gr%C3%BC%C3%9Fe&headers");
    client.expect_text("grüße");
    let Got::Text(request) = client.next() else { panic!("not a text") };
    let request = json(&request);
    assert_eq!((&request["method"], &request["headers"]["host"]), (&"GET".into(), &"test.example".into()));
    assert_eq!(request["target"], "/echo?greeting=gr%C3%BC%C3%9Fe&headers");
    let Socket::Tcp(socket) = &client.socket else { unreachable!() };
    assert_eq!(request["peer"], socket.local_addr().unwrap().to_string());
    client.check();
    client.close();
}

#[test]
fn the_server_pushes_and_closes() {
    let server = behaving(&[]);
    let mut client = connect(&server, "push=3&push-size=4&push-every=10ms&stats&close=4000&reason=bye");
    ["1   ", "2   ", "3   "].into_iter().for_each(|text| client.expect_text(text));
    let Got::Text(stats) = client.next() else { panic!("not a text") };
    assert_eq!(json(&stats)["sent"]["messages"], 3);
    assert_eq!(client.next(), Got::Close(4000, "bye".into()));
    client.send(&close(4000, ""));
    client.expect_end();
    // As fast as they are taken, while the client sends.
    let mut client = connect(&server, "push=20000&push-size=1K&push-every=0&push-kind=binary");
    client.text("meanwhile");
    let mut pushed = 0;
    while pushed < 20_000 {
        match client.next() {
            Got::Binary(bytes) if bytes.len() == 1024 => pushed += 1,
            Got::Text(text) => assert_eq!(text, "meanwhile"),
            _ => panic!("not a push"),
        }
    }
}

#[test]
fn the_server_pings() {
    let server = behaving(&[]);
    let mut client = connect(&server, "ping=20ms");
    for number in 1..=3 {
        assert_eq!(client.next(), Got::Ping(number.to_string().into_bytes()));
    }
    client.text("still here?");
    let answer = std::iter::repeat_with(|| client.next()).find(|got| !matches!(got, Got::Ping(_)));
    assert_eq!(answer, Some(Got::Text("still here?".into())));
}

// --------------------------------------------------------------------------------------------------------- the end

#[test]
fn the_server_closes_at_once_after_messages_or_after_a_time() {
    let server = behaving(&[]);
    let mut client = connect(&server, "close=1001&reason=at+once");
    assert_eq!(client.next(), Got::Close(1001, "at once".into()));
    client.send(&close(1001, ""));
    client.expect_end();

    let mut client = connect(&server, "close=none&after=2&delay=50ms&fragment=3");
    client.send(&[frame(TEXT, b"one of"), frame(TEXT, b"two of"), frame(TEXT, b"three")].concat());
    client.expect_text("one of");
    client.expect_text("two of");
    client.expect_close(1005);
    client.send(&close(1000, ""));
    client.expect_end();

    let begun = Instant::now();
    let mut client = connect(&server, "close=1012&after=2s");
    client.check();
    client.expect_close(1012);
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[test]
fn the_server_resets_the_connection() {
    let server = behaving(&[]);
    expect_reset(&mut raw(&server, "abort"));
    let mut stream = raw(&server, "abort&after=1");
    stream.write_all(&frame(TEXT, b"hi")).unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"\x81\x02hi");
    expect_reset(&mut stream);
    expect_reset(&mut raw(&server, "abort&after=100ms"));
}

#[test]
fn the_stream_ends_at_any_byte() {
    let server = behaving(&[]);
    let frames = b"\x81\x05hello\x81\x02hi";
    for cut in 0..=frames.len() {
        let mut stream = raw(&server, &format!("drop&after={cut}B"));
        let _ = stream.write_all(&[frame(TEXT, b"hello"), frame(TEXT, b"hi")].concat());
        assert_eq!(to_the_end(&mut stream), frames[..cut]);
    }
    let mut stream = raw(&server, "abort&after=3B");
    stream.write_all(&frame(TEXT, b"hello")).unwrap();
    let mut got = [0; 3];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"\x81\x05h");
    expect_reset(&mut stream);
}

#[test]
fn half_closed_is_the_end_of_one_side() {
    let server = behaving(&[]);
    let mut stream = raw(&server, "half-close&greeting=hi");
    assert_eq!(to_the_end(&mut stream), b"\x81\x02hi");
    // More than the kernel holds: the server reads on.
    let message = frame(BINARY, &noise(MIB, 1));
    for _ in 0..20 {
        stream.write_all(&message).unwrap();
    }
    drop(stream);
    until("the thread ends", || server.threads() == 1);
}

#[test]
fn a_silent_server_takes_nothing() {
    let server = behaving(&[]);
    let mut stream = raw(&server, "silent&after=1");
    stream.write_all(&frame(TEXT, b"hi")).unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(&frame(TEXT, b"hi")).unwrap();
    assert_eq!(stream.read(&mut echo).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(stream);
    until("the thread ends", || server.threads() == 1);
    // It takes no more than the kernel does.
    let mut stream = raw(&server, "silent");
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let chunk = vec![0; MIB];
    until("the socket is full", || stream.write(&chunk).is_err());
}

// ------------------------------------------------------------------------------------------------ limits and the stop

#[test]
fn there_are_as_many_as_allowed_and_each_gives_its_place_back() {
    let server = behaving(&[]);
    let mut clients: Vec<Client> = (0..256).map(|_| connect(&server, "pong=no")).collect();
    assert_eq!(server.threads(), 257);
    assert_eq!(status(&answer(&server, "pong=no", "")), 503);
    server.check(); // other connections are served
    clients.pop().unwrap().close();
    until("a place is free", || server.threads() == 256);
    clients.push(connect(&server, "pong=no"));
    clients.iter_mut().for_each(Client::check);
    drop(clients);
    until("the threads end", || server.threads() == 1);
    assert_eq!(server.descriptors_below(1000), start(&["--behaviours"]).descriptors_below(1000));
}

#[test]
fn a_client_that_vanishes_is_given_up() {
    let server = behaving(&["--idle-timeout", "1", "--pong-timeout", "1", "--close-timeout", "1"]);
    // They keep their sockets open, and answer nothing.
    let _silent: Vec<TcpStream> =
        ["pong=no", "delay=1s", "close=1000", "push=1000000&push-every=0&push-size=64K"]
            .into_iter()
            .map(|query| raw(&server, query))
            .collect();
    until("the threads run", || server.threads() > 1);
    until("the threads end", || server.threads() == 1);
}

#[test]
fn a_stop_ends_them() {
    let mut server = behaving(&["--close-timeout", "2"]);
    let mut polite = connect(&server, "delay=1m");
    polite.text("never answered");
    let mut others: Vec<TcpStream> =
        ["silent", "half-close", "close=1000", "push=1000000&push-every=0&push-size=64K", "drop&after=1h"]
            .into_iter()
            .map(|query| raw(&server, query))
            .collect();
    let mut opening = server.tcp();
    opening.write_all(request("handshake-delay=1m", "").as_bytes()).unwrap();
    until("all run", || server.threads() >= 7);
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(polite.next(), Got::Close(1001, "the server is stopping".into()));
    polite.send(&close(1001, ""));
    polite.expect_end();
    assert!(server.wait().success());
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    for stream in others.iter_mut().chain([&mut opening]) {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes); // the end, or a reset
    }
}

#[test]
fn several_threads_share_them() {
    let mut server = behaving(&["--threads", "3"]);
    let clients: Vec<_> = (0..20)
        .map(|i| {
            let mut client = connect(&server, "delay=10ms&fragment=3");
            thread::spawn(move || {
                client.text(&format!("message {i}"));
                client.expect_text(&format!("message {i}"));
                client
            })
        })
        .collect();
    let clients: Vec<Client> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    server.signal("TERM");
    for mut client in clients {
        client.expect_close(1001);
        client.send(&close(1001, ""));
    }
    assert!(server.wait().success());
}

/// Plans and clients from a seed: none makes the program panic, and each thread ends.
#[test]
fn whatever_is_asked_for_ends() {
    const PARAMETERS: [&str; 30] = [
        "handshake-delay=20ms",
        "handshake-cut=30",
        "status=503",
        "accept=wrong",
        "subprotocol=x",
        "extension=x",
        "delay=20ms",
        "delay=300ms",
        "jitter=20ms",
        "seed=1",
        "echo=no",
        "max-message=100",
        "pong=no",
        "pong=20ms",
        "close-reply=no",
        "close-reply=300ms",
        "fragment=1",
        "fragment=7",
        "rate=20K",
        "read-rate=20K",
        "slice=1",
        "slice=100&gap=0",
        "greeting=hi",
        "headers",
        "stats",
        "push=100&push-every=1ms",
        "push=1000&push-every=0",
        "push=100&push-kind=binary&push-size=1K",
        "ping=10ms",
        "ping=300ms",
    ];
    const ENDS: [&str; 10] = [
        "",
        "close=1000",
        "close=none&after=1",
        "close=1000&after=20ms",
        "abort",
        "abort&after=1",
        "drop&after=10B",
        "drop&after=0B",
        "half-close&after=20ms",
        "half-close&after=3B",
    ];
    let options =
        ["--idle-timeout", "1", "--pong-timeout", "1", "--close-timeout", "1", "--high-water", "64K"];
    let server = behaving(&options);
    let mut random = Random(7);
    let mut threads = Vec::new();
    for _ in 0..200 {
        let mut query: Vec<&str> = Vec::new();
        for _ in 0..random.below(4) {
            let parameter = PARAMETERS[random.below(PARAMETERS.len())];
            let name = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
            if query.iter().all(|given| name(given) != name(parameter)) {
                query.push(parameter);
            }
        }
        query.push(ENDS[random.below(ENDS.len())]);
        let (query, mut random) = (query.join("&"), Random(random.next()));
        let stream = server.tcp();
        threads.push(thread::spawn(move || misbehave(stream, &query, &mut random)));
        if threads.len() > 30 {
            threads.remove(0).join().unwrap();
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    until("all threads end", || server.threads() == 1);
    server.check();
}

/// A client that does anything. Errors are expected.
fn misbehave(mut stream: TcpStream, query: &str, random: &mut Random) {
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let send = |stream: &mut TcpStream, bytes: &[u8]| drop(stream.write_all(bytes));
    send(&mut stream, request(query, "").as_bytes());
    for _ in 0..random.below(12) {
        match random.below(11) {
            0..=2 => send(&mut stream, &frame(TEXT, b"stats")),
            3 => send(&mut stream, &frame(BINARY, &noise(random.below(5000), 1))),
            4 => send(&mut stream, &frame(PING, b"x")),
            5 => send(&mut stream, &[frame(TEXT & MORE, b"gr\xC3"), frame(CONTINUATION, b"\xBC")].concat()),
            6 => send(&mut stream, &close(1000, "bye")),
            7 => send(&mut stream, b"\xFF\xFF"),
            8 => drop(stream.shutdown(std::net::Shutdown::Write)),
            _ => drop(stream.read(&mut vec![0; 1 + random.below(100_000)])),
        }
    }
}
