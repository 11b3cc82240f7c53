//! Servers on axum: with framewire-axum, and with axum's own `ws`, which is tokio-tungstenite.

use crate::{Handler, MAX, Outcome, bind, framewire_tokio};
use ::axum::{
    Extension, Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
    serve::ListenerExt,
};
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::io;
use tokio::task::unconstrained;

/// Serves these routes. axum spawns a task for each connection.
pub(crate) async fn listen(app: Router) -> io::Result<()> {
    ::axum::serve(bind().await?.tap_io(|stream| drop(stream.set_nodelay(true))), app).await
}

pub(crate) fn on_framewire(acceptor: framewire_axum::Acceptor, handler: Handler) -> Router {
    let open = move |upgrade: framewire_axum::WebSocketUpgrade| async move {
        upgrade.on_upgrade(move |socket| {
            unconstrained(async move {
                let _ = framewire_tokio::reply_owned(socket, handler).await;
            })
        })
    };
    Router::new().route("/", any(open)).layer(Extension(acceptor))
}

/// As tokio-tungstenite without axum: with its read buffer, and one flush for all messages that were received.
pub(crate) fn on_its_own(handler: Handler) -> Router {
    let open = move |upgrade: WebSocketUpgrade| async move {
        let upgrade = upgrade.read_buffer_size(16 << 10).max_message_size(MAX).max_frame_size(MAX);
        upgrade.on_upgrade(move |socket| {
            unconstrained(async move {
                let _ = reply(socket, handler).await;
            })
        })
    };
    Router::new().route("/", any(open))
}

async fn reply(mut ws: WebSocket, handler: Handler) -> Outcome {
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
