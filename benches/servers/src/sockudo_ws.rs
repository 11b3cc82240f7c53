use crate::{Handler, MAX, Outcome, handshake};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::{Config, Message, WebSocketStream};
use tokio::net::TcpStream;

/// As its README shows an echo loop: `next` writes what was fed before it reads more.
pub(crate) async fn serve(mut stream: TcpStream, handler: Handler) -> Outcome {
    handshake::accept(&mut stream).await?;
    let config = Config::builder()
        .max_payload_length(MAX)
        .max_message_size(MAX)
        .max_frame_size(MAX)
        .idle_timeout(0)
        .build();
    let mut ws = WebSocketStream::server(stream, config);
    while let Some(message) = ws.next().await {
        match (message?, handler) {
            (message @ (Message::Text(_) | Message::Binary(_)), Handler::Echo) => ws.feed(message).await?,
            (Message::Text(payload) | Message::Binary(payload), Handler::Length) => {
                ws.feed(Message::Text(Handler::length(&payload).into())).await?;
            }
            (Message::Close(_), _) => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}
