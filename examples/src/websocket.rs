//! A WebSocket over any `AsyncRead + AsyncWrite`: a [`Stream`] and a [`Sink`] of messages, on the codec's stage `owned`. It is
//! all the code between the codec and tokio, and the tokio programs here share it. Copy it into your own host, and change it as
//! you need. Its dependencies: `bytes`, `framewire` (features `bytes`, `handshake`), `futures-util` (`sink`, `std`),
//! `getrandom`, `tokio` (`io-util`).
//!
//! The host decides when to give up (no timer is in here: wrap calls that may take long in `tokio::time::timeout`), how much
//! may be queued for a peer that does not read ([`HIGH_WATER`]), the masking keys of a client, and the tasks: one for both
//! directions, or two after [`StreamExt::split`](futures_util::StreamExt::split).
//! [`WebSocket::next`](futures_util::StreamExt::next) answers pings, and writes queued messages before it waits, so that all
//! replies to one read leave in one write.

use bytes::{Buf, Bytes, BytesMut};
use framewire::{
    Client, CloseCode, Connection, Kind, ProtocolError, Role, Rsv, SendError, Server, State,
    handshake::{
        self, BuildError, ClientHandshake, ClientKey, HandshakeError, HeadBuffer, HeaderSlots, PlainResponse,
        Request, Response,
    },
    mask::Key,
    owned::{self, Reader, SendQueue, Utf8Bytes},
};
use futures_util::{Sink, Stream, task::AtomicWaker};
use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A message of the application. The [`WebSocket`] handles pings, pongs and closes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// An open WebSocket. Dropping it drops the stream.
pub struct WebSocket<S, R: Role> {
    stream: S,
    connection: Connection<R>,
    reader: Reader,
    /// Received bytes that are not a message yet. It grows with the bytes that arrive, up to the connection's limit.
    rx: BytesMut,
    /// The frames to be written.
    tx: SendQueue,
    /// Whether the stream may still buffer written bytes, so that it must be flushed.
    unflushed: bool,
    writers: Arc<Writers>,
    /// The first write that failed. It is reported after all that had arrived.
    unwritten: Option<io::Error>,
    received: u64,
    written: u64,
    failure: Option<ProtocolError>,
    /// Whether the stream of messages has ended.
    ended: bool,
    close: Option<(CloseCode, String)>,
}

/// Stop reading from a peer, and sending to it, once this many bytes are queued for it; resume when some are written.
pub const HIGH_WATER: usize = 256 << 10;

/// The bytes that a read asks for.
const READ: usize = 16 << 10;

/// A shorter message is copied. Otherwise it would hold the memory of a whole read for as long as the host keeps it.
const COPY_BELOW: usize = READ / 4;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S, Server> {
    /// Reads the opening handshake and answers it. `page` sees each request first; if it returns a response, that is written
    /// instead of the 101. `None`: the request got such a response, or was refused.
    ///
    /// A host checks the origin and the user in `page`, and limits the time that all of this may take.
    pub async fn accept(
        mut stream: S,
        page: impl FnOnce(&Request<'_, '_>) -> Result<Option<Vec<u8>>, BuildError>,
    ) -> io::Result<Option<Self>> {
        let (head, rest) = read_head(&mut stream).await?;
        let answer = head.map_err(PlainResponse::from).and_then(|head| {
            let mut slots = HeaderSlots::new();
            let request = Request::parse(&head, &mut slots)?;
            if let Some(page) = page(&request)? {
                return Ok((page, false));
            }
            let upgrade = request.upgrade()?.ok_or(HandshakeError::NotUpgrade)?;
            Ok((upgrade.accept().to_vec()?, true))
        });
        let (answer, open) = match answer {
            Ok(answer) => answer,
            Err(refusal) => (refusal.to_vec().map_err(io::Error::other)?, false),
        };
        stream.write_all(&answer).await?;
        if !open {
            stream.shutdown().await?;
            return Ok(None);
        }
        stream.flush().await?;
        Ok(Some(Self::new(stream, rest)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S, Client> {
    /// Opens a WebSocket on a connected stream; `host` and `target` are those of the URL.
    pub async fn connect(mut stream: S, host: &str, target: &str) -> io::Result<Self> {
        let handshake = ClientHandshake::new(host, target, ClientKey::new(random()));
        stream.write_all(&handshake.to_vec().map_err(io::Error::other)?).await?;
        stream.flush().await?;
        let (head, rest) = read_head(&mut stream).await?;
        let head = head.map_err(io::Error::other)?;
        let mut slots = HeaderSlots::new();
        let response = Response::parse(&head, &mut slots).map_err(io::Error::other)?;
        match handshake.check(&response).map_err(io::Error::other)? {
            Some(_) => Ok(Self::new(stream, rest)),
            None => Err(io::Error::other(format!("the server answered {}", response.status()))),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// On a stream whose handshake is done, here or elsewhere; `rx` is the bytes that were read after it.
    pub fn new(stream: S, rx: BytesMut) -> Self {
        Self {
            stream,
            connection: Connection::new(),
            reader: Reader::new(),
            rx,
            tx: SendQueue::new(),
            unflushed: false,
            writers: Arc::default(),
            unwritten: None,
            received: 0,
            written: 0,
            failure: None,
            ended: false,
            close: None,
        }
    }

    /// Queues a ping. Its pong counts in [`received`](Self::received).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.tx.push_control(self.connection.ping(payload, R::key(key))?);
        Ok(())
    }

    /// Queues a close. The stream of messages continues until the peer's close, and then ends. Answers to these messages are
    /// dropped.
    pub fn close_with(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.tx.push_control(self.connection.close(code, reason, R::key(key))?);
        Ok(())
    }

    /// The number of bytes that have arrived. If it does not change for a while, ping the peer, and later give it up.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The number of bytes that the stream has taken. If bytes are queued and it does not change for a while, give the peer up.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The code and reason of the peer's close, after the stream of messages has ended.
    pub fn closed_with(&self) -> Option<(CloseCode, &str)> {
        self.close.as_ref().map(|(code, reason)| (*code, &**reason))
    }

    /// The next message that needs no more reading. Answers as the protocol demands.
    fn next_in_hand(&mut self) -> Option<Message> {
        while self.failure.is_none() {
            match self.reader.next(&mut self.connection, &mut self.rx) {
                Ok(Some(message)) => {
                    let event = message.event();
                    if let Some(frame) = event.and_then(|event| self.connection.reply(&event, || R::key(key)))
                    {
                        self.tx.push_control(frame);
                    }
                    match message {
                        owned::Message::Text(text) if text.len() < COPY_BELOW => {
                            return Some(Message::Text(text.to_string().into()));
                        }
                        owned::Message::Binary(bytes) if bytes.len() < COPY_BELOW => {
                            return Some(Message::Binary(Bytes::copy_from_slice(&bytes)));
                        }
                        owned::Message::Text(text) => return Some(Message::Text(text)),
                        owned::Message::Binary(bytes) => return Some(Message::Binary(bytes)),
                        owned::Message::Close(payload) => {
                            let close = payload.as_close();
                            self.close = Some((close.code, close.reason.to_owned()));
                        }
                        _ => {}
                    }
                }
                Ok(None) => return None,
                Err(error) => self.fail(error),
            }
        }
        None
    }

    fn fail(&mut self, error: ProtocolError) {
        self.failure = Some(error);
        if let Some(frame) = self.connection.fail(error, || R::key(key)) {
            self.tx.push_control(frame);
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Message>>> {
        loop {
            if let Some(message) = self.next_in_hand() {
                return Poll::Ready(Some(Ok(message)));
            }
            // If the write fails, what had arrived is still received: perhaps the close that says why.
            let written = self.poll_write(Task::Receives, cx);
            if self.connection.state() == State::Closed {
                let written = ready!(written);
                if written.is_ok() {
                    let _ = ready!(pin!(self.stream.shutdown()).poll(cx)); // the peer may have closed first
                }
                let failure = self.failure.map(|error| Err(io::Error::other(error)));
                return Poll::Ready(failure.or(written.err().map(Err)));
            }
            if self.tx.remaining() >= HIGH_WATER {
                let _ = ready!(written); // back-pressure: a peer that does not read is not read
            }
            self.rx.reserve(READ);
            match (ready!(pin!(self.stream.read_buf(&mut self.rx)).poll(cx)), &self.unwritten) {
                (Ok(0) | Err(_), Some(error)) => return Poll::Ready(Some(Err(again(error)))),
                (Ok(0), None) => match self.connection.receive_eof() {
                    Ok(()) => return Poll::Ready(None),
                    Err(error) => self.fail(error),
                },
                (Ok(n), _) => self.received += n as u64,
                (Err(error), None) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// Writes all queued frames in one vectored write, as far as the stream takes them. Once a write has failed, drops them,
    /// and reports the same again.
    fn poll_write(&mut self, task: Task, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unwritten.is_none() && (self.tx.has_remaining() || self.unflushed) {
            let writers = self.writers.clone();
            writers.0[task as usize].register(cx.waker());
            let both = Waker::from(writers.clone());
            self.unwritten = ready!(self.poll_write_queue(&mut Context::from_waker(&both))).err();
            writers.0[task as usize].take(); // it does not wait
            writers.wake(); // the stream need not, as it was polled again
        }
        let Some(error) = &self.unwritten else { return Poll::Ready(Ok(())) };
        self.tx = SendQueue::new();
        Poll::Ready(Err(again(error)))
    }

    fn poll_write_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tx.has_remaining() {
            // The future has no state of its own, so a new one for each poll is enough.
            match ready!(pin!(self.stream.write_buf(&mut self.tx)).poll(cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.written += n as u64,
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(pin!(self.stream.flush()).poll(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// The task that receives and the task that sends, while they wait for a write. A stream keeps only one waker for writes,
/// that of its last poll; it is given one that wakes both.
#[derive(Default)]
struct Writers([AtomicWaker; 2]);

/// What a task does with the WebSocket. One task may do both.
#[derive(Clone, Copy)]
enum Task {
    Receives,
    Sends,
}

impl Wake for Writers {
    fn wake(self: Arc<Self>) {
        self.0.iter().for_each(AtomicWaker::wake);
    }
}

/// Ends after the peer's close, or after an error. Everything owed to the peer is written by then; if a write has failed, the
/// last item is its error, after the messages that had arrived.
impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Stream for WebSocket<S, R> {
    type Item = io::Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let next = ready!(this.poll_receive(cx));
        this.ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

/// Writes messages when it is flushed, or when the next message is awaited. Between our close and the peer's, it drops
/// messages, which may not follow a close (RFC 6455 §5.5.1): a loop that answers messages goes on until the stream ends.
impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Sink<Message> for WebSocket<S, R> {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.tx.remaining() < HIGH_WATER { Poll::Ready(Ok(())) } else { this.poll_write(Task::Sends, cx) }
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> io::Result<()> {
        let this = self.get_mut();
        let (kind, bytes) = message.into_parts();
        match this.tx.push_message(&mut this.connection, kind, Rsv::NONE, bytes, R::key(key)) {
            Err(SendError::Closed) if this.connection.state() == State::CloseSent => Ok(()),
            queued => queued.map_err(io::Error::other),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_write(Task::Sends, cx)
    }

    /// Sends a close, unless one was sent. To wait for the peer's, read the stream of messages to its end.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.connection.close_expected() {
            this.close_with(CloseCode::NORMAL, "").map_err(io::Error::other)?;
        }
        this.poll_write(Task::Sends, cx)
    }
}

impl Message {
    fn into_parts(self) -> (Kind, Bytes) {
        match self {
            Self::Text(text) => (Kind::Text, text.into()),
            Self::Binary(bytes) => (Kind::Binary, bytes),
        }
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// A head, or an error; and the bytes that were read after it, which are frames.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> io::Result<(Result<Vec<u8>, HandshakeError>, BytesMut)> {
    let mut buffer = HeadBuffer::new(handshake::HeadLimits::default());
    let mut rx = BytesMut::with_capacity(4 << 10);
    loop {
        rx.clear();
        if stream.read_buf(&mut rx).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match buffer.push(&rx) {
            Ok(None) => {}
            Ok(Some(head)) => {
                let (bytes, consumed) = (head.bytes.to_vec(), head.consumed);
                rx.advance(consumed);
                return Ok((Ok(bytes), rx));
            }
            Err(error) => return Ok((Err(error), rx)),
        }
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// A new masking key, which whoever provides the payload cannot predict (RFC 6455 §10.3).
fn key() -> Key {
    Key::new(random())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}
