use crate::{Handler, MAX, Outcome};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

pub(crate) async fn serve(stream: TcpStream, handler: Handler) -> Outcome {
    let config = WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .max_message_size(Some(MAX))
        .max_frame_size(Some(MAX));
    let mut ws = accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = ws.next().await {
        let mut message = message?;
        loop {
            match (message, handler) {
                (message @ (Message::Text(_) | Message::Binary(_)), Handler::Echo) => {
                    ws.feed(message).await?
                }
                (Message::Text(text), Handler::Length) => {
                    ws.feed(Message::text(Handler::length(text.as_bytes()))).await?;
                }
                (Message::Binary(bytes), Handler::Length) => {
                    ws.feed(Message::text(Handler::length(&bytes))).await?;
                }
                _ => {}
            }
            match ws.next().now_or_never() {
                Some(Some(next)) => message = next?,
                Some(None) => return Ok(()),
                None => break,
            }
        }
        ws.flush().await?;
    }
    Ok(())
}
