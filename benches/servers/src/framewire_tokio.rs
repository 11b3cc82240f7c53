use crate::{Handler, MAX, MIN_COMPRESSED, Outcome};
use framewire_tokio::{Acceptor, Compression, Config, WebSocket};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Without timers, as the other libraries have none.
pub(crate) fn acceptor(level: Option<u8>) -> Acceptor {
    let mut config = Config::server().without_timers();
    (config.limits.frame, config.limits.message) = (MAX as u64, MAX as u64);
    config.compression = level.map(|level| {
        let mut compression = Compression::default();
        (compression.takeover, compression.level, compression.min_len) = (true, level, MIN_COMPRESSED);
        compression
    });
    Acceptor::new(config)
}

pub(crate) async fn owned(acceptor: Acceptor, stream: TcpStream, handler: Handler) -> Outcome {
    reply_owned(acceptor.accept(stream).await?, handler).await
}

/// `recv` writes what was fed before it reads more.
pub(crate) async fn reply_owned<S>(mut socket: WebSocket<S>, handler: Handler) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = socket.recv().await {
        let message = message?;
        match handler {
            Handler::Echo => socket.feed(message).await?,
            Handler::Length => socket.feed(Handler::length(message.as_bytes())).await?,
        }
    }
    Ok(())
}

/// Messages are lent, and the replies to one read leave in one write.
pub(crate) async fn lent(acceptor: Acceptor, stream: TcpStream, handler: Handler) -> Outcome {
    let mut socket = acceptor.accept(stream).await?;
    let served = socket.serve_fn(|message, reply| {
        // It fails only after a close.
        let _ = match handler {
            Handler::Echo => reply.send(message),
            Handler::Length => reply.text(&Handler::length(message.as_bytes())),
        };
    });
    Ok(served.await?)
}
