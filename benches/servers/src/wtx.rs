use crate::{Handler, MAX, Outcome};
use tokio::net::TcpStream;
use wtx::{
    collection::Vector,
    rng::Rng,
    web_socket::{
        Frame, OpCode, WebSocket, WebSocketAcceptor, WebSocketBuffer, WebSocketPayloadOrigin,
        compression::{CompressionLevel, DeflateConfig, Flate2, NegotiatedCompression, WindowBits},
    },
};

/// It writes each frame by itself: its interface does not gather them.
pub(crate) async fn serve(stream: TcpStream, handler: Handler, level: Option<u8>) -> Outcome {
    let acceptor = WebSocketAcceptor::default().no_masking(false);
    let Some(level) = level else {
        return echo(acceptor.accept(stream).await.map_err(|error: wtx::Error| error)?, handler).await;
    };
    let deflate = DeflateConfig {
        client_max_window_bits: WindowBits::Fifteen,
        compression_level: CompressionLevel::try_from(level)?,
        server_max_window_bits: WindowBits::Fifteen,
    };
    let acceptor = acceptor.compression(Flate2::from(deflate));
    echo(acceptor.accept(stream).await.map_err(|error: wtx::Error| error)?, handler).await
}

async fn echo<C, R>(mut ws: WebSocket<C, R, TcpStream, WebSocketBuffer, false>, handler: Handler) -> Outcome
where
    C: NegotiatedCompression,
    R: Rng,
{
    ws.set_max_payload_len(MAX);
    let mut buffer = Vector::new();
    let (mut common, mut reader, mut writer) = ws.split_mut();
    loop {
        buffer.clear();
        let mut frame = reader.read_frame(&mut buffer, &mut common, WebSocketPayloadOrigin::Adaptive).await?;
        match (frame.op_code(), handler) {
            (OpCode::Close, _) => return Ok(()),
            (OpCode::Text | OpCode::Binary, Handler::Echo) => {
                writer.write_frame(&mut common, &mut frame).await?
            }
            (OpCode::Text | OpCode::Binary, Handler::Length) => {
                let mut reply = Handler::length(frame.payload()).into_bytes();
                writer.write_frame(&mut common, &mut Frame::new_fin(OpCode::Text, &mut reply[..])).await?;
            }
            _ => {}
        }
    }
}
