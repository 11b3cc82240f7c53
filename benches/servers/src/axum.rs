//! Servers on axum: with framewire-axum, and with axum's own `ws`, which is tokio-tungstenite.

use crate::{Handler, MAX, bind, framewire_tokio, tokio_tungstenite};
use ::axum::{
    Extension, Router,
    extract::ws::{Message, WebSocketUpgrade},
    routing::any,
    serve::ListenerExt,
};
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
                let _ = tokio_tungstenite::reply(socket, |message| answer(message, handler)).await;
            })
        })
    };
    Router::new().route("/", any(open))
}

fn answer(message: Message, handler: Handler) -> Option<Message> {
    match (message, handler) {
        (message @ (Message::Text(_) | Message::Binary(_)), Handler::Echo) => Some(message),
        (Message::Text(text), Handler::Length) => Some(Message::text(Handler::length(text.as_bytes()))),
        (Message::Binary(bytes), Handler::Length) => Some(Message::text(Handler::length(&bytes))),
        _ => None,
    }
}
