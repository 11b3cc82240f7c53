//! A client and a server in one thread, without sockets: two `Vec`s are the wires between them.
//! `cargo run --example loopback`
//!
//! The host owns the bytes. Here are all the calls that it makes. The opening handshake is left out, so the only
//! feature needed is `alloc`, for the `Vec`s; std is used only to print.

use framewire::{
    Client, CloseCode, Connection, Event, ProtocolError, SendError, Server, State, Unmasked, mask::Key,
};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    for line in talk(&["Hello", "w\u{F6}rld"])? {
        println!("{line}");
    }
    Ok(())
}

/// The client sends each text, gets an answer, and closes. Returns the events of both ends.
pub(crate) fn talk(texts: &[&str]) -> Result<Vec<String>, Box<dyn core::error::Error>> {
    let (mut client, mut server) = (Connection::<Client>::new(), Connection::<Server>::new());
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let mut keys = (1_u32..).map(|key| Key::new(key.to_be_bytes())); // a real client draws them at random
    let mut key = || keys.next().unwrap_or_default();
    let mut seen = Vec::new();

    for text in texts {
        client.append_text(&mut to_server, text, key())?; // this also masks it
    }
    to_server.extend_from_slice(&client.ping(b"there?", key())?);
    to_server.extend_from_slice(&client.close(CloseCode::NORMAL, "that is all", key())?);

    serve(&mut server, &mut to_server, &mut to_client, &mut seen)??;

    let mut input = &mut to_client[..];
    while let Some(event) = client.receive(&mut input)? {
        if let Some(frame) = client.reply(&event, &mut key) {
            to_server.extend_from_slice(&frame);
        }
        seen.push(format!("client: {}", describe(&event)));
    }
    assert_eq!((client.state(), server.state()), (State::Closed, State::Closed));
    Ok(seen)
}

/// The host's loop of the server, with all bytes that have arrived.
fn serve(
    connection: &mut Connection<Server>,
    rx: &mut [u8],
    tx: &mut Vec<u8>,
    seen: &mut Vec<String>,
) -> Result<Result<(), ProtocolError>, SendError> {
    let mut input = rx;
    loop {
        let event = match connection.receive(&mut input) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Ok(())),
            Err(error) => {
                tx.extend(connection.fail(error, Unmasked).iter().flat_map(|frame| frame.iter()));
                return Ok(Err(error));
            }
        };
        seen.push(format!("server: {}", describe(&event)));
        if let Some(frame) = connection.reply(&event, Unmasked) {
            tx.extend_from_slice(&frame);
        }
        if let Event::Text(text) = event {
            connection.append_text(tx, text, Unmasked)?;
        }
    }
}

fn describe(event: &Event<'_>) -> String {
    match event {
        Event::Text(text) => format!("text {text:?}"),
        Event::Binary(bytes) => format!("{} bytes", bytes.len()),
        Event::Part(part) => format!("a part of {} bytes", part.bytes().len()),
        Event::Ping(payload) => format!("ping {:?}", payload.escape_ascii().to_string()),
        Event::Pong(payload) => format!("pong {:?}", payload.escape_ascii().to_string()),
        Event::Close(payload) => format!("close {:?}", payload.as_close()),
    }
}
