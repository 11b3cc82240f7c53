use crate::{Handler, MAX, Outcome, handshake};
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use tokio::net::TcpStream;

/// It writes each frame by itself: its interface does not gather them.
pub(crate) async fn serve(mut stream: TcpStream, handler: Handler) -> Outcome {
    handshake::accept(&mut stream, false).await?;
    let mut ws = WebSocket::after_handshake(stream, Role::Server);
    ws.set_max_message_size(MAX);
    let mut ws = FragmentCollector::new(ws);
    loop {
        let frame = ws.read_frame().await?;
        match (frame.opcode, handler) {
            (OpCode::Close, _) => return Ok(()),
            (OpCode::Text | OpCode::Binary, Handler::Echo) => ws.write_frame(frame).await?,
            (OpCode::Text | OpCode::Binary, Handler::Length) => {
                let reply = Handler::length(&frame.payload).into_bytes();
                ws.write_frame(Frame::text(Payload::Owned(reply))).await?;
            }
            _ => {}
        }
    }
}
