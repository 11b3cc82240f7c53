//! Messages larger than memory: one message as an `AsyncRead`, or as an `AsyncWrite`.

use crate::{
    error::{Error, SendError},
    keys, memory,
    message::{Event, Message},
    receive::Received,
    websocket::WebSocket,
    writers::Side,
};
use bytes::{Buf, Bytes};
use framewire::{CloseCode, Kind, Role, Rsv, utf8::Validator};
use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One message that is received, as a reader of its bytes. It is made by [`WebSocket::next_reader`].
///
/// If it is dropped before the end of the message, the next method that receives discards the rest.
#[must_use = "if it is dropped, the message is discarded"]
pub struct MessageReader<'a, S: AsyncRead + AsyncWrite + Unpin, R: Role> {
    socket: &'a mut WebSocket<S, R>,
    kind: Kind,
    /// Bytes that have arrived and are not read.
    bytes: Bytes,
    /// Nothing comes after them.
    last: bool,
}

/// One message that is sent, as a writer of its bytes. It is made by [`WebSocket::writer`]. Shutting it down ends the message.
///
/// If it is dropped before that, the peer would take what was written for the whole message, so the connection is closed with
/// [`CloseCode::INTERNAL`].
#[must_use = "the message ends when this is shut down"]
pub struct MessageWriter<'a, S: AsyncWrite + Unpin, R: Role> {
    socket: &'a mut WebSocket<S, R>,
    kind: Kind,
    text: Validator,
    state: Fragments,
}

/// The most bytes of a fragment.
const FRAGMENT: usize = 64 << 10;

/// Some bytes of a message.
pub(crate) struct Piece {
    kind: Kind,
    bytes: Bytes,
    last: bool,
}

impl Received for Piece {
    const PARTS: bool = true;

    fn message(message: Message) -> Self {
        let (kind, bytes) = message.into_parts();
        Self { kind, bytes, last: true }
    }

    fn event(event: Event) -> Option<Self> {
        match event {
            Event::Message(message) => Some(Self::message(message)),
            _ => None,
        }
    }

    fn part(part: &framewire::Part<'_>) -> Option<Self> {
        Some(Self { kind: part.kind, bytes: Bytes::copy_from_slice(part.bytes()), last: part.last })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Receives the start of the next message, and returns a reader of its bytes as they arrive. Otherwise as
    /// [`recv`](Self::recv). A message of any length needs no more memory than one read, 256 KiB; its length is limited by
    /// [`Config::limits`](crate::Config::limits). A compressed message is put together first.
    ///
    /// ```
    /// use framewire_tokio::WebSocket;
    /// use tokio::io::{self, AsyncWrite};
    /// use tokio::net::TcpStream;
    ///
    /// async fn save(socket: &mut WebSocket<TcpStream>, mut file: impl AsyncWrite + Unpin) -> io::Result<u64> {
    ///     match socket.next_reader().await {
    ///         Some(Ok(mut upload)) => io::copy(&mut upload, &mut file).await,
    ///         Some(Err(error)) => Err(io::Error::other(error)),
    ///         None => Ok(0),
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    pub async fn next_reader(&mut self) -> Option<Result<MessageReader<'_, S, R>, Error>> {
        loop {
            let Piece { kind, bytes, last } = match poll_fn(|cx| self.poll_receive::<Piece>(cx)).await? {
                Ok(piece) => piece,
                Err(error) => return Some(Err(error)),
            };
            if !self.leaves {
                return Some(Ok(MessageReader { socket: self, kind, bytes, last }));
            }
            self.skips = !last; // after a tracker's close, no message begins
        }
    }
}

impl<S: AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Begins a message, and returns a writer of its bytes. Each write queues a fragment of at most 64 KiB, and waits while
    /// [`Config::high_water`](crate::Config::high_water) bytes wait. The message is not compressed.
    ///
    /// Nothing is received meanwhile, and so no ping is answered.
    ///
    /// ```
    /// use framewire_tokio::{Kind, WebSocket};
    /// use tokio::io::{self, AsyncRead, AsyncWriteExt};
    /// use tokio::net::TcpStream;
    ///
    /// async fn send(socket: &mut WebSocket<TcpStream>, mut file: impl AsyncRead + Unpin) -> io::Result<()> {
    ///     let mut download = socket.writer(Kind::Binary);
    ///     io::copy(&mut file, &mut download).await?;
    ///     download.shutdown().await
    /// }
    /// ```
    pub fn writer(&mut self, kind: Kind) -> MessageWriter<'_, S, R> {
        MessageWriter { socket: self, kind, text: Validator::new(), state: Fragments::None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> MessageReader<'_, S, R> {
    /// Whether the message is text. Its bytes are valid UTF-8; a read may end inside a character.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> AsyncRead for MessageReader<'_, S, R> {
    /// # Errors
    /// An [`Error`] of the connection, inside an [`io::Error`].
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.bytes.is_empty() && !this.last {
            match ready!(this.socket.poll_receive::<Piece>(cx)) {
                Some(Ok(piece)) => (this.bytes, this.last) = (piece.bytes, piece.last),
                Some(Err(error)) => {
                    this.last = true;
                    return Poll::Ready(Err(io::Error::other(error)));
                }
                None => {
                    // The peer closed inside the message.
                    this.last = true;
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
        let n = this.bytes.len().min(buffer.remaining());
        buffer.put_slice(&this.bytes[..n]);
        this.bytes.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Drop for MessageReader<'_, S, R> {
    fn drop(&mut self) {
        self.socket.skips = !self.last;
    }
}

/// How far a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fragments {
    None,
    Some,
    All,
}

impl<S: AsyncWrite + Unpin, R: Role> MessageWriter<'_, S, R> {
    fn queue(&mut self, bytes: &[u8], last: bool) -> io::Result<()> {
        if self.socket.cannot_send() {
            return Err(closed(SendError::Closed));
        }
        let WebSocket { connection, busy, .. } = &mut *self.socket;
        let (bytes, key) = (Bytes::copy_from_slice(bytes), keys::key::<R>());
        let queue = &mut memory::busy(busy).queue;
        queue
            .push_fragment(connection, self.kind, Rsv::NONE, bytes, last, key)
            .map_err(|error| closed(error.into()))?;
        self.state = if last { Fragments::All } else { Fragments::Some };
        Ok(())
    }
}

impl<S: AsyncWrite + Unpin, R: Role> AsyncWrite for MessageWriter<'_, S, R> {
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a text is not UTF-8; a [`SendError`], inside an [`io::Error`].
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.state == Fragments::All {
            return Poll::Ready(Err(closed(SendError::Closed)));
        }
        let bytes = &bytes[..bytes.len().min(FRAGMENT)];
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(this.socket.poll_send_ready(cx)).map_err(closed)?;
        if this.kind == Kind::Text {
            this.text.feed(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        }
        this.queue(bytes, false)?;
        let _ = this.socket.poll_write(cx, Side::Sends); // as much as the stream takes now
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket.poll_send_flush(cx).map_err(closed)
    }

    /// Ends the message.
    ///
    /// # Errors
    /// As [`poll_write`](Self::poll_write).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state != Fragments::All {
            this.text.finish().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            this.queue(&[], true)?;
        }
        this.socket.poll_send_flush(cx).map_err(closed)
    }
}

impl<S: AsyncWrite + Unpin, R: Role> Drop for MessageWriter<'_, S, R> {
    fn drop(&mut self) {
        if self.state == Fragments::Some {
            let _ = self.socket.queue_close(CloseCode::INTERNAL, ""); // it may be closed already
        }
    }
}

fn closed(error: SendError) -> io::Error {
    let kind = match error {
        SendError::Timeout => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::BrokenPipe,
    };
    io::Error::new(kind, error)
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> fmt::Debug for MessageReader<'_, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<S: AsyncWrite + Unpin, R: Role> fmt::Debug for MessageWriter<'_, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("kind", &self.kind).finish_non_exhaustive()
    }
}
