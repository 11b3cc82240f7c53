use crate::{Handler, MAX, MIN_COMPRESSED, Outcome, handshake};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, Error, Message, WebSocketStream};
use tokio::net::TcpStream;

/// An echo loop as in its README: `next` writes what was fed before it reads more.
pub(crate) async fn serve(mut stream: TcpStream, handler: Handler, level: Option<u8>) -> Outcome {
    let answer = handshake::accept(&mut stream, level.is_some()).await?;
    let config = Config::builder()
        .max_payload_length(MAX)
        .max_message_size(MAX)
        .max_frame_size(MAX)
        .idle_timeout(0)
        .build();
    let (Some(answer), Some(level)) = (answer, level) else {
        return echo(WebSocketStream::server(stream, config), handler).await;
    };
    // Its `Compression::Dedicated`: a compressor for each connection.
    let deflate = DeflateConfig {
        server_no_context_takeover: answer.server_no_context_takeover,
        client_no_context_takeover: answer.client_no_context_takeover,
        compression_level: level.into(),
        compression_threshold: MIN_COMPRESSED,
        ..DeflateConfig::default()
    };
    echo(CompressedWebSocketStream::server(stream, config, deflate), handler).await
}

async fn echo<S>(mut ws: S, handler: Handler) -> Outcome
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
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
