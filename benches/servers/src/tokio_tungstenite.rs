use crate::{Handler, MAX, Outcome};
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use std::error::Error;
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
    let ws = accept_async_with_config(stream, Some(config)).await?;
    reply(ws, |message| match (message, handler) {
        (message @ (Message::Text(_) | Message::Binary(_)), Handler::Echo) => Some(message),
        (Message::Text(text), Handler::Length) => Some(Message::text(Handler::length(text.as_bytes()))),
        (Message::Binary(bytes), Handler::Length) => Some(Message::text(Handler::length(&bytes))),
        _ => None,
    })
    .await
}

/// Flushes once for the answers to all messages that were received.
pub(crate) async fn reply<W, M, E>(mut ws: W, answer: impl Fn(M) -> Option<M>) -> Outcome
where
    W: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    E: Error + Send + Sync + 'static,
{
    while let Some(message) = ws.next().await {
        let mut message = message?;
        loop {
            if let Some(answer) = answer(message) {
                ws.feed(answer).await?;
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
