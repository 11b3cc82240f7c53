use crate::{Handler, MAX, Outcome};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{Config, Limits, Message, ServerBuilder};

/// `next` writes what was fed, so all received messages are taken before the first reply. By default, `feed` also writes once 8 KiB
/// wait; then the replies would not leave together.
pub(crate) async fn serve(stream: TcpStream, handler: Handler) -> Outcome {
    let (_, mut ws) = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX).flush_threshold(1 << 20))
        .limits(Limits::default().max_payload_len(Some(MAX)))
        .accept(stream)
        .await?;
    let mut batch = Vec::new();
    while let Some(message) = ws.next().await {
        batch.push(message?);
        while let Some(Some(message)) = (batch.len() < 32).then(|| ws.next().now_or_never()).flatten() {
            batch.push(message?);
        }
        for message in batch.drain(..).filter(|message| message.is_text() || message.is_binary()) {
            ws.feed(match handler {
                Handler::Echo => message,
                Handler::Length => Message::text(Handler::length(message.as_payload())),
            })
            .await?;
        }
        ws.flush().await?;
    }
    Ok(())
}
