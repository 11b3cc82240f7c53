//! A connection after its opening handshake.

use crate::{
    close::Closed,
    config::Config,
    error::{Error, SendError, TrySendError},
    finish::{End, Phase},
    memory::{self, Busy},
    message::{Event, Message},
    timers::Timers,
    tracker::Tracked,
};
use bytes::{Buf, Bytes};
use framewire::{CloseCode, Connection, Role, Server};
use futures_core::Stream;
use futures_sink::Sink;
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// A WebSocket on a stream: a server's, from an [`Acceptor`](crate::Acceptor), or a client's, from a
/// [`Connector`](crate::Connector).
///
/// One task receives and sends. For two tasks or more, see [`into_split`](Self::into_split).
///
/// Pings and closes are answered, timeouts observed, and queued bytes written while the program receives: so it keeps calling
/// [`recv`](Self::recv), or another method that receives, until the end. Dropping the WebSocket drops the stream, without a
/// close: see [`close`](Self::close).
///
/// ```
/// use framewire_tokio::{Config, Message, Server, WebSocket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Over any stream; here, a pipe in memory, and frames by hand.
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// let (stream, mut peer) = tokio::io::duplex(1024);
/// peer.write_all(b"\x81\x82\0\0\0\0Hi").await?; // masked with a key of zero bytes
///
/// let mut socket = WebSocket::<_, Server>::from_upgraded(stream, b"", Config::server());
/// let message = socket.recv().await.ok_or("no message")??;
/// assert_eq!(message, Message::from("Hi"));
/// socket.send(message).await?;
///
/// let mut echo = [0; 4];
/// peer.read_exact(&mut echo).await?;
/// assert_eq!(echo, *b"\x81\x02Hi");
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it drops the stream"]
pub struct WebSocket<S, R: Role = Server> {
    pub(crate) stream: S,
    pub(crate) connection: Connection<R>,
    pub(crate) config: Arc<Config>,
    /// What is unfinished.
    pub(crate) busy: Option<Box<Busy>>,
    pub(crate) timers: Option<Box<Timers>>,
    /// Why and how the connection ends.
    pub(crate) end: Option<Box<End>>,
    pub(crate) tracked: Option<Box<Tracked>>,
    pub(crate) subprotocol: Option<Box<str>>,
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<Box<crate::deflate::Deflate<R>>>,
    /// How often something was read and written, and how many messages were put together. Timers look whether these move.
    pub(crate) reads: u32,
    pub(crate) writes: u32,
    pub(crate) assembled: u32,
    pub(crate) phase: Phase,
    /// The stream may hold bytes that it has taken.
    pub(crate) unflushed: bool,
    /// The rest of the message that is arriving is discarded.
    pub(crate) skips: bool,
    /// A tracker has closed the connection.
    pub(crate) leaves: bool,
}

impl<S, R: Role> WebSocket<S, R> {
    /// A WebSocket on a stream whose opening handshake was done elsewhere. `rest` is the bytes that were read after the head.
    ///
    /// Compression needs what was negotiated: it is off.
    pub fn from_upgraded(stream: S, rest: &[u8], config: impl Into<Arc<Config>>) -> Self {
        let config = config.into();
        let mut socket = Self {
            stream,
            connection: Connection::new().with_limits(config.limits),
            config,
            busy: None,
            timers: None,
            end: None,
            tracked: None,
            subprotocol: None,
            #[cfg(feature = "deflate")]
            deflate: None,
            reads: 0,
            writes: 0,
            assembled: 0,
            phase: Phase::Open,
            unflushed: false,
            skips: false,
            leaves: false,
        };
        if !rest.is_empty() {
            socket.busy().rest.extend_from_slice(rest);
        }
        socket
    }

    /// The stream.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream. Reading from it or writing to it breaks the protocol.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream, and the bytes that were read from it but not decoded. Queued messages are lost.
    #[must_use]
    pub fn into_inner(mut self) -> (S, Bytes) {
        let rest = self.busy.take().map_or_else(Bytes::new, |mut busy| {
            busy.rest.drain(..busy.at);
            Bytes::from(busy.rest)
        });
        (self.stream, rest)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The subprotocol that was chosen in the handshake.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// How many bytes wait for the peer.
    #[must_use]
    #[inline]
    pub fn waiting(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.queue.remaining())
    }

    /// The close that the peer has sent.
    #[must_use]
    pub fn peer_close(&self) -> Option<&Closed> {
        self.end.as_ref()?.closed.as_ref()
    }

    /// How long the peer took to answer the last ping.
    #[must_use]
    pub fn last_rtt(&self) -> Option<Duration> {
        self.timers.as_ref()?.rtt()
    }

    /// Whether so much waits that nothing more is accepted.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.waiting() >= self.config.high_water.max(1)
    }

    #[inline]
    pub(crate) fn busy(&mut self) -> &mut Busy {
        memory::busy(&mut self.busy)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Receives the next message. Before it waits, it writes what is queued.
    ///
    /// `None` after the close of the peer. If the connection ended otherwise, one error, then `None`. Messages that had
    /// arrived come first. By then all is written, and the stream is shut down; or both were given up, after a timeout or a failure
    /// of the stream. Then drop the WebSocket.
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    // Not an `async fn`: keeping its state costs ten instructions for each message.
    pub fn recv(&mut self) -> impl Future<Output = Option<Result<Message, Error>>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Receives the next message, as [`recv`](Self::recv).
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        self.poll_receive(cx)
    }

    /// Receives the next message or control frame, otherwise as [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    pub async fn next_event(&mut self) -> Option<Result<Event, Error>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Receives the next message or control frame, as [`next_event`](Self::next_event).
    #[inline]
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Error>>> {
        self.poll_receive(cx)
    }

    /// Waits until fewer than [`Config::high_water`] bytes wait, and queues a message. The next [`recv`](Self::recv) writes it
    /// before it waits, together with others that are queued; so does [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`SendError::Timeout`]; [`SendError::Closed`] after this end's close, and after the end of the connection.
    ///
    /// # Cancel safety
    /// If it is dropped before it ends, the message is not sent.
    #[inline]
    // Not an `async fn`, as `recv`.
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), SendError>> {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            if self.is_full() {
                ready!(self.poll_send_ready(cx))?;
            }
            let queued = message.take().map(|message| self.queue(message));
            Poll::Ready(queued.map_or(Ok(()), |queued| queued.map_err(|_| SendError::Closed)))
        })
    }

    /// As [`feed`](Self::feed), without waiting.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if [`Config::high_water`] bytes wait; [`TrySendError::Closed`] after this end's close, and after the
    /// end of the connection. Both return the message.
    #[inline]
    pub fn try_feed(&mut self, message: impl Into<Message>) -> Result<(), TrySendError<Message>> {
        let message = message.into();
        if self.is_full() && !self.cannot_send() {
            return Err(TrySendError::Full(message));
        }
        self.queue(message)
    }

    /// Waits until fewer than [`Config::high_water`] bytes wait.
    ///
    /// # Errors
    /// [`SendError::Timeout`]; [`SendError::Closed`] if the connection cannot send any more.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ready(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_send_ready(cx)).await
    }

    /// Waits until the message can be queued, queues it, and writes all that is queued. The message is sent wholly or not at
    /// all.
    ///
    /// In a loop, each call writes: [`feed`](Self::feed) is faster if several messages are at hand.
    ///
    /// # Errors
    /// [`SendError::Timeout`]; [`SendError::Closed`] if the connection cannot send any more.
    ///
    /// # Cancel safety
    /// If it is dropped before it ends, the message was either queued or not, and the caller cannot tell. In `select!`, wait
    /// for [`ready`](Self::ready), then call [`try_feed`](Self::try_feed).
    #[inline]
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Writes all that is queued.
    ///
    /// # Errors
    /// [`SendError::Timeout`]; [`SendError::Closed`] if the connection cannot send any more.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_send_flush(cx)).await
    }

    /// Queues a ping (RFC 6455 §5.5.2). When its pong has arrived, [`last_rtt`](Self::last_rtt) tells how long that took.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn ping(&mut self) -> Result<(), SendError> {
        self.queue_first_ping()
    }

    /// Queues a ping (RFC 6455 §5.5.2) with this payload, at most 125 bytes.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::Invalid`].
    pub fn ping_with(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.queue_ping_with(payload)
    }

    /// Queues a close (RFC 6455 §5.5.1). No message can be sent after it. Messages of the peer arrive until its own close, for
    /// at most [`Config::close_timeout`].
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::Invalid`].
    pub fn start_close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.queue_close(code, reason)
    }

    /// Closes the connection: writes all that is queued and a close, discards messages that still arrive, waits for the peer's
    /// close for at most [`Config::close_timeout`], and shuts the stream down. Returns the peer's close.
    ///
    /// If this end or the peer has already closed, it does the rest of this. Of the reason, at most 123 bytes are sent. If the code
    /// may not be sent, the peer gets [`CloseCode::NORMAL`] without a reason.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv). [`Error::Protocol`] with [`UnexpectedEof`](framewire::ProtocolError::UnexpectedEof) if the
    /// stream ended without a close of the peer.
    ///
    /// # Cancel safety
    /// Not cancel safe: if it is dropped before it ends, the peer may not get the close.
    pub async fn close(mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        let mut closed = self.start_close(code, reason);
        if let Err(SendError::Invalid(_)) = closed {
            closed = self.start_close(code, beginning(reason));
        }
        if let Err(SendError::Invalid(_)) = closed {
            let _ = self.start_close(CloseCode::NORMAL, ""); // the peer is told nothing but the end
        }
        loop {
            match self.recv().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => break,
            }
        }
        let closed = self.end.take().and_then(|end| end.closed);
        closed.ok_or(Error::Protocol(framewire::ProtocolError::UnexpectedEof))
    }
}

/// As much of a reason as a close has room for (RFC 6455 §5.5).
fn beginning(reason: &str) -> &str {
    (0..=reason.len().min(123)).rev().find_map(|len| reason.get(..len)).unwrap_or_default()
}

/// Receives as [`recv`](WebSocket::recv) does.
impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Stream for WebSocket<S, R> {
    type Item = Result<Message, Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx)
    }
}

/// Sends as [`feed`](WebSocket::feed) and [`flush`](WebSocket::flush) do. Closing the sink writes a close, and does not wait for
/// the peer's: receive until the end for that.
///
/// After `StreamExt::split`, a write that fails wakes the task that receives, unless the connection has no timeouts
/// ([`Config::without_timers`]): then that task finds out when the stream has something to read, or ends.
/// [`into_split`](WebSocket::into_split) wakes it in any case.
impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Sink<Message> for WebSocket<S, R> {
    type Error = SendError;

    #[inline]
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_send_ready(cx)
    }

    #[inline]
    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        // Not `feed`: after `poll_ready`, a message is accepted.
        self.get_mut().queue(message).map_err(|_| SendError::Closed)
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_send_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        let closed = this.start_close(CloseCode::NORMAL, ""); // it may be closed already
        if let (Ok(()), Some(timers)) = (closed, &mut this.timers) {
            timers.wake_receiver(); // another task may receive: it sets the timer for the peer's close
        }
        this.poll_send_flush(cx)
    }
}

impl<S: fmt::Debug, R: Role> fmt::Debug for WebSocket<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("stream", &self.stream)
            .field("state", &self.connection.state())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}
