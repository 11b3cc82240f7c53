use crate::{Ended, Mode};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::ClientBuilder;

pub(crate) async fn visit(host: &str, target: &str, mode: Mode) -> Ended {
    let stream = TcpStream::connect(host).await?;
    let (mut ws, _) = ClientBuilder::new().uri(&format!("ws://{host}{target}"))?.connect_on(stream).await?;
    while let Some(message) = ws.next().await {
        let message = message?;
        match (message.as_text(), mode) {
            (Some(text), Mode::Ask) => return Ok(Some(text.to_owned())),
            _ if message.is_text() || message.is_binary() => ws.send(message).await?,
            _ => {}
        }
    }
    Ok(None)
}
