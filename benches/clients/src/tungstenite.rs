use crate::{Ended, Mode, PATIENCE};
use std::net::TcpStream;
use tungstenite::{Message, client};

pub(crate) fn visit(host: &str, target: &str, mode: Mode) -> Ended {
    let stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut socket, _) =
        client(format!("ws://{host}{target}"), stream).map_err(|error| error.to_string())?;
    loop {
        match (socket.read()?, mode) {
            (Message::Text(text), Mode::Ask) => return Ok(Some(text.to_string())),
            (message @ (Message::Text(_) | Message::Binary(_)), Mode::Echo) => socket.send(message)?,
            _ => {}
        }
    }
}
