//! It checks UTF-8 and offers compression only if it is told to.

use crate::{Ended, Mode};
use futures_util::SinkExt;
use tokio::net::TcpStream;
use yawc::{OpCode, Options, WebSocket};

pub(crate) async fn visit(host: &str, target: &str, mode: Mode) -> Ended {
    let stream = TcpStream::connect(host).await?;
    let url = format!("ws://{host}{target}").parse()?;
    let options = Options::default().with_utf8().with_balanced_compression();
    let mut ws = WebSocket::handshake(url, stream, options).await?;
    loop {
        let frame = ws.next_frame().await?;
        match (frame.opcode(), mode) {
            (OpCode::Text, Mode::Ask) => return Ok(Some(String::from_utf8(frame.payload().to_vec())?)),
            (OpCode::Text | OpCode::Binary, Mode::Echo) => ws.send(frame).await?,
            (OpCode::Close, _) => {
                ws.close().await?; // the program answers
                return Ok(None);
            }
            _ => {}
        }
    }
}
