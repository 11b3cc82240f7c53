//! Several tasks for one connection: one receives, any number send.
//!
//! The connection is behind a lock, which is held for one poll and never across an await. The stream sees only one waker, of
//! [`Wakers`], which wakes the receiver and the sender that is next: so no task displaces another's.

mod wakers;

use crate::{
    close::Closed,
    error::{Error, SendError, TrySendError},
    finish::Phase,
    message::{Event, Message},
    prepared::{Encode, Prepared},
    websocket::WebSocket,
    writers::Side,
};
use framewire::{CloseCode, Role, Server};
use futures_core::Stream;
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};
use wakers::{Flush, Place, Wakers};

/// The half of a WebSocket that receives, made by [`WebSocket::into_split`].
///
/// It also answers pings and closes, observes the timeouts, and writes what the senders could not: so its task keeps calling
/// [`recv`](Self::recv) until the end. Dropping it drops the stream; the senders then get [`SendError::Closed`].
#[must_use = "dropping it drops the stream"]
pub struct Receiver<S, R: Role = Server> {
    shared: Arc<Shared<S, R>>,
}

/// The half of a WebSocket that sends, made by [`WebSocket::into_split`]. A clone sends on the same connection. It can be kept in
/// a map of all peers, whatever their streams are.
///
/// Dropping the last one does not close the connection.
pub struct Sender<R: Role = Server>(Arc<dyn Peer<R>>);

/// A [`Sender`] that does not keep its connection's memory. The receiver decides how long the connection lives, in any case.
pub struct WeakSender<R: Role = Server>(Weak<dyn Peer<R>>);

/// A connection and those who wait for it.
struct Shared<S, R: Role> {
    /// `None` after the receiver was dropped.
    core: Mutex<Option<WebSocket<S, R>>>,
    /// Apart from the connection, since the stream keeps a waker of it, and would keep itself alive.
    wakers: Arc<Wakers>,
    /// What the stream and the timer wake.
    proxy: Waker,
    /// The connection has ended.
    ended: Notify,
}

/// What a sender does, whatever the stream is.
trait Peer<R: Role>: Send + Sync {
    /// Queues a message unless too many bytes wait, and writes it at once, or leaves that to the receiver.
    fn try_send(&self, message: Message, write: bool) -> Result<(), TrySendError<Message>>;
    /// Queues frames that are encoded already, and leaves writing to the receiver.
    fn queue_encoded(&self, encode: Encode<'_, R>) -> Result<(), TrySendError<()>>;
    /// Queues a message when it is this sender's turn.
    fn poll_send(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), SendError>>;
    /// Writes what was queued at the first call, which notes in `span` what that is.
    fn poll_flush(
        &self,
        cx: &Context<'_>,
        flush: &Flush,
        span: &mut Option<(u64, u64)>,
    ) -> Poll<Result<(), SendError>>;
    fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), SendError>;
    fn ping(&self) -> Result<(), SendError>;
    fn is_closed(&self) -> bool;
    fn has_ended(&self) -> bool;
    fn waiting(&self) -> usize;
    fn last_rtt(&self) -> Option<Duration>;
    fn wakers(&self) -> &Arc<Wakers>;
    fn ended(&self) -> &Notify;
}

impl<S, R> WebSocket<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Role,
{
    /// Splits the connection, for a task that receives and any number of tasks that send.
    ///
    /// ```
    /// use framewire_tokio::{Message, WebSocket};
    /// use std::time::Duration;
    /// use tokio::net::TcpStream;
    ///
    /// /// Echoes messages, and sends the time besides.
    /// async fn serve(socket: WebSocket<TcpStream>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///     let (sender, mut receiver) = socket.into_split();
    ///     let clock = sender.clone();
    ///     tokio::spawn(async move {
    ///         // Until the connection is closed.
    ///         while clock.send("tick").await.is_ok() {
    ///             tokio::time::sleep(Duration::from_secs(1)).await;
    ///         }
    ///     });
    ///     while let Some(message) = receiver.recv().await {
    ///         // Only `recv` observes the timeouts. A peer that sends and does not read would keep this task here.
    ///         tokio::time::timeout(Duration::from_secs(30), sender.send(message?)).await??;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn into_split(self) -> (Sender<R>, Receiver<S, R>) {
        let wakers = Arc::new(Wakers::default());
        let proxy = Waker::from(wakers.clone());
        let shared = Arc::new(Shared { core: Mutex::new(Some(self)), wakers, proxy, ended: Notify::new() });
        (Sender(shared.clone()), Receiver { shared })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Receiver<S, R> {
    /// Receives the next message, as [`WebSocket::recv`].
    ///
    /// # Cancel safety
    /// Cancel safe: no message is lost.
    // Not an `async fn`, as that of `WebSocket`.
    pub fn recv(&mut self) -> impl Future<Output = Option<Result<Message, Error>>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Receives the next message, as [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        self.poll_with(cx, WebSocket::poll_recv)
    }

    /// Receives the next message or control frame, as [`WebSocket::next_event`].
    ///
    /// # Cancel safety
    /// Cancel safe: no event is lost.
    pub async fn next_event(&mut self) -> Option<Result<Event, Error>> {
        poll_fn(|cx| self.poll_with(cx, WebSocket::poll_event)).await
    }

    fn poll_with<T>(
        &self,
        cx: &Context<'_>,
        mut poll: impl FnMut(&mut WebSocket<S, R>, &mut Context<'_>) -> Poll<Option<T>>,
    ) -> Poll<Option<T>> {
        let shared = &*self.shared;
        let woken = shared.wakers.woken();
        let mut core = shared.lock();
        let Some(socket) = &mut *core else { return Poll::Ready(None) };
        let before = (socket.writes, socket.cannot_send());
        let polled = poll(socket, &mut Context::from_waker(&shared.proxy));
        let after = (socket.writes, socket.cannot_send());
        let ended = socket.phase == Phase::Ended;
        drop(core);
        if ended || after.1 != before.1 {
            shared.wakers.closed();
        } else if after != before {
            shared.wakers.moved();
        }
        if ended {
            shared.ended.notify_waiters();
        }
        if polled.is_pending() {
            shared.wakers.receiver_waits(cx, woken);
        }
        polled
    }
}

impl<S, R: Role> Receiver<S, R> {
    /// The close that the peer has sent.
    #[must_use]
    pub fn peer_close(&self) -> Option<Closed> {
        self.shared.lock().as_ref()?.peer_close().cloned()
    }

    /// The WebSocket as it was before it was split. Its senders get [`SendError::Closed`] from now on.
    pub fn unsplit(self) -> WebSocket<S, R> {
        // Only dropping a receiver takes the connection.
        let socket = self.shared.lock().take();
        socket.unwrap_or_else(|| unreachable!("the receiver lives"))
    }
}

impl<S, R: Role> Drop for Receiver<S, R> {
    fn drop(&mut self) {
        let socket = self.shared.lock().take();
        drop(socket);
        self.shared.wakers.forget_receiver();
        self.shared.wakers.closed();
        self.shared.ended.notify_waiters();
    }
}

/// Receives as [`recv`](Receiver::recv) does.
impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Stream for Receiver<S, R> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx)
    }
}

impl<R: Role> Sender<R> {
    /// Waits until fewer than [`Config::high_water`](crate::Config::high_water) bytes wait, queues the message, and writes as much
    /// as the stream takes now; the receiver's task writes the rest. Callers that wait are served in their order.
    ///
    /// # Errors
    /// [`SendError::Closed`] after this end's close, and after the end of the connection.
    ///
    /// # Cancel safety
    /// If it is dropped before it ends, the message was not sent.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let full = match self.try_send(message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(SendError::Closed),
            Err(TrySendError::Full(message)) => message,
        };
        let (mut message, mut place) = (Some(full), Place::new(self.0.wakers()));
        poll_fn(|cx| self.0.poll_send(cx, &mut place, &mut message)).await
    }

    /// Queues the message, and writes as much as the stream takes now; the receiver's task writes the rest.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if too many bytes wait, or other senders do; [`TrySendError::Closed`]. Both return the message.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError<Message>> {
        self.0.try_send(message.into(), true)
    }

    /// Queues the message. The receiver's task writes it, together with others that are queued.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn queue(&self, message: impl Into<Message>) -> Result<(), TrySendError<Message>> {
        self.0.try_send(message.into(), false)
    }

    /// Waits until all that is queued is written. What others queue meanwhile does not count.
    ///
    /// # Errors
    /// [`SendError::Closed`] if it cannot be written any more.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn flush(&self) -> Result<(), SendError> {
        let (flush, mut span) = (Flush::new(self.0.wakers()), None);
        poll_fn(|cx| self.0.poll_flush(cx, &flush, &mut span)).await
    }

    /// Queues a close (RFC 6455 §5.5.1), after which nothing is sent. The receiver's task writes it, and ends when the peer has
    /// answered.
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::Invalid`].
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.0.start_close(code, reason)
    }

    /// Queues a ping (RFC 6455 §5.5.2), which the receiver's task writes. When its pong has arrived,
    /// [`last_rtt`](Self::last_rtt) tells how long that took, unless the receiver had not waited yet when the ping was queued.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn ping(&self) -> Result<(), SendError> {
        self.0.ping()
    }

    /// How long the peer took to answer the last ping.
    #[must_use]
    pub fn last_rtt(&self) -> Option<Duration> {
        self.0.last_rtt()
    }

    /// Waits until the connection has ended: all is written, or given up.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closed(&self) {
        loop {
            let ended = self.0.ended().notified();
            if self.0.has_ended() {
                return;
            }
            ended.await;
        }
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// How many bytes wait for the peer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting()
    }

    /// A sender that does not keep the connection's memory.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<R> {
        WeakSender(Arc::downgrade(&self.0))
    }
}

impl Sender<Server> {
    /// Queues a message that was encoded, and perhaps compressed, once for many peers. The receiver's task writes it.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if too many bytes wait, or other senders do; [`TrySendError::Closed`].
    pub fn queue_prepared(&self, prepared: &Prepared) -> Result<(), TrySendError<()>> {
        self.0.queue_encoded(&|encoder| prepared.encode(encoder))
    }
}

impl<R: Role> WeakSender<R> {
    /// The sender, unless all of its kind and the receiver were dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<R>> {
        self.0.upgrade().map(Sender)
    }
}

impl<S, R: Role> Shared<S, R> {
    fn lock(&self) -> MutexGuard<'_, Option<WebSocket<S, R>>> {
        // If a stream panics in a poll, the receiver's task ends, and drops the connection.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, R> Peer<R> for Shared<S, R>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    R: Role,
{
    fn try_send(&self, message: Message, write: bool) -> Result<(), TrySendError<Message>> {
        let mut core = self.lock();
        let Some(socket) = &mut *core else { return Err(TrySendError::Closed(message)) };
        if socket.is_full() || self.wakers.has_waiting() {
            if socket.cannot_send() {
                return Err(TrySendError::Closed(message));
            }
            return Err(TrySendError::Full(message));
        }
        socket.queue(message)?;
        if write {
            // If it is pending, the stream wakes the receiver; if it fails, the receiver reports that.
            let _ = socket.poll_write(&mut Context::from_waker(&self.proxy), Side::Sends);
        }
        let wake = !write || socket.phase != Phase::Open || socket.must_watch_writes();
        drop(core);
        if wake {
            self.wakers.wake_receiver();
        }
        if write {
            self.wakers.wrote();
        }
        Ok(())
    }

    fn queue_encoded(&self, encode: Encode<'_, R>) -> Result<(), TrySendError<()>> {
        let mut core = self.lock();
        let Some(socket) = &mut *core else { return Err(TrySendError::Closed(())) };
        if socket.is_full() || self.wakers.has_waiting() {
            return Err(if socket.cannot_send() { TrySendError::Closed(()) } else { TrySendError::Full(()) });
        }
        socket.queue_encoded(encode)?;
        drop(core);
        self.wakers.wake_receiver();
        Ok(())
    }

    fn poll_send(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
        message: &mut Option<Message>,
    ) -> Poll<Result<(), SendError>> {
        let seen = self.wakers.seen();
        let mut core = self.lock();
        let Some(socket) = core.as_mut().filter(|socket| !socket.cannot_send()) else {
            return Poll::Ready(Err(SendError::Closed));
        };
        let proxy = &mut Context::from_waker(&self.proxy);
        if place.is_next() {
            let was_full = socket.is_full();
            let free =
                !socket.is_full() || socket.poll_write(proxy, Side::Sends).is_ready() || !socket.is_full();
            if free {
                let queued = message.take().map_or(Ok(()), |message| socket.queue(message));
                let _ = socket.poll_write(proxy, Side::Sends); // as in `try_send`
                let wake = socket.phase != Phase::Open || socket.must_watch_writes();
                drop(core);
                if wake {
                    self.wakers.wake_receiver();
                }
                if was_full {
                    // Another sender that polled before this one, and is not noted yet, finds out.
                    self.wakers.moved();
                } else {
                    self.wakers.wrote();
                }
                return Poll::Ready(queued.map_err(|_| SendError::Closed));
            }
        }
        drop(core);
        place.waits(cx, seen);
        Poll::Pending
    }

    fn poll_flush(
        &self,
        cx: &Context<'_>,
        flush: &Flush,
        span: &mut Option<(u64, u64)>,
    ) -> Poll<Result<(), SendError>> {
        let seen = self.wakers.seen();
        let mut core = self.lock();
        let Some(socket) = &mut *core else { return Poll::Ready(Err(SendError::Closed)) };
        let writes = socket.writes;
        let written = socket.poll_write_queued(&mut Context::from_waker(&self.proxy), Side::Sends, span);
        let (lost, moved) = (socket.has_lost(), socket.writes != writes);
        drop(core);
        if moved {
            self.wakers.moved();
        }
        if lost {
            self.wakers.wake_receiver();
            return Poll::Ready(Err(SendError::Closed));
        }
        if written.is_pending() {
            flush.waits(cx, seen);
        }
        written.map(Ok)
    }

    fn start_close(&self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.lock().as_mut().ok_or(SendError::Closed)?.start_close(code, reason)?;
        self.wakers.wake_receiver();
        self.wakers.closed();
        Ok(())
    }

    fn ping(&self) -> Result<(), SendError> {
        self.lock().as_mut().ok_or(SendError::Closed)?.queue_ping()?;
        self.wakers.wake_receiver();
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.lock().as_ref().is_none_or(WebSocket::cannot_send)
    }

    fn has_ended(&self) -> bool {
        self.lock().as_ref().is_none_or(|socket| socket.phase == Phase::Ended)
    }

    fn waiting(&self) -> usize {
        self.lock().as_ref().map_or(0, WebSocket::waiting)
    }

    fn last_rtt(&self) -> Option<Duration> {
        self.lock().as_ref()?.last_rtt()
    }

    fn wakers(&self) -> &Arc<Wakers> {
        &self.wakers
    }

    fn ended(&self) -> &Notify {
        &self.ended
    }
}

impl<R: Role> Clone for Sender<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Role> Clone for WeakSender<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, R: Role> fmt::Debug for Receiver<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<R: Role> fmt::Debug for Sender<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl<R: Role> fmt::Debug for WeakSender<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
