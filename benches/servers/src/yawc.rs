use crate::{Handler, MAX, MIN_COMPRESSED, Outcome, handshake};
use futures_util::{FutureExt, SinkExt};
use tokio::net::TcpStream;
use yawc::{CompressionLevel, Frame, OpCode, Options, Role, WebSocket};

/// Tuned as its authors measure it: a read buffer of 128 KiB, back-pressure from 64 KiB on, 32 replies in a write.
pub(crate) async fn serve(mut stream: TcpStream, handler: Handler, level: Option<u8>) -> Outcome {
    let answer = handshake::accept(&mut stream, level.is_some()).await?;
    let options = Options::default()
        .with_utf8()
        .with_limits(MAX, 2 * MAX)
        .with_read_buffer_capacity(128 << 10)
        .with_backpressure_boundary(64 << 10);
    let options = match level {
        Some(level) => options
            .with_compression_level(CompressionLevel::new(level.into()))
            .with_compression_threshold(MIN_COMPRESSED),
        None => options.without_compression(),
    };
    let extensions = answer.map(|answer| answer.to_string());
    let mut ws =
        WebSocket::from_stream_with_extensions(stream, Role::Server, extensions.as_deref(), options)?;
    loop {
        let mut frame = ws.next_frame().await?;
        for left in (0..32).rev() {
            match (frame.opcode(), handler) {
                (OpCode::Text | OpCode::Binary, Handler::Echo) => ws.feed(frame).await?,
                (OpCode::Text | OpCode::Binary, Handler::Length) => {
                    ws.feed(Frame::text(Handler::length(frame.payload()))).await?;
                }
                (OpCode::Close, _) => return Ok(ws.close().await?),
                _ => {}
            }
            match (left > 0).then(|| ws.next_frame().now_or_never()).flatten() {
                Some(next) => frame = next?,
                None => break,
            }
        }
        ws.flush().await?;
    }
}
