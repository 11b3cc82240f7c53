use crate::{Ended, Mode};
use fastwebsockets::{FragmentCollector, OpCode, handshake};
use http_body_util::Empty;
use hyper::{Request, body::Bytes};
use std::{future::Future, pin::Pin};
use tokio::net::TcpStream;

pub(crate) async fn visit(host: &str, target: &str, mode: Mode) -> Ended {
    let request = Request::get(format!("http://{host}{target}"))
        .header("Host", host)
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .body(Empty::<Bytes>::new())?;
    let (ws, _) = handshake::client(&Spawn, request, TcpStream::connect(host).await?).await?;
    let mut ws = FragmentCollector::new(ws);
    loop {
        let frame = ws.read_frame().await?;
        match (frame.opcode, mode) {
            (OpCode::Text, Mode::Ask) => return Ok(Some(String::from_utf8(frame.payload.to_vec())?)),
            (OpCode::Text | OpCode::Binary, Mode::Echo) => ws.write_frame(frame).await?,
            (OpCode::Close, _) => return Ok(None),
            _ => {}
        }
    }
}

/// Runs hyper's half of the handshake.
struct Spawn;

impl hyper::rt::Executor<Pin<Box<dyn Future<Output = ()> + Send>>> for Spawn {
    fn execute(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(future);
    }
}
