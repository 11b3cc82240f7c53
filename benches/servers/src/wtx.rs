use crate::{Handler, MAX, Outcome};
use tokio::net::TcpStream;
use wtx::{
    collection::Vector,
    web_socket::{Frame, OpCode, WebSocketAcceptor, WebSocketPayloadOrigin},
};

/// It writes each frame by itself and has no way to gather them.
pub(crate) async fn serve(stream: TcpStream, handler: Handler) -> Outcome {
    let mut ws = WebSocketAcceptor::default()
        .no_masking(false)
        .accept(stream)
        .await
        .map_err(|error: wtx::Error| error)?;
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
