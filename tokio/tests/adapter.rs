//! What a WebSocket does with its stream, in turns that the tests choose: they poll by hand, so nothing depends on time.

use framewire_testing::allocations::{Counting, counted};
use framewire_tokio::{
    Acceptor, Client, CloseCode, Config, Connector, Error, Message, SendError, Server, Tracker, WebSocket,
};
use futures_util::{SinkExt, StreamExt, future::join};
use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, ReadBuf, duplex,
};

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_stream_that_buffers_what_is_written() {
    let (near, far) = duplex(64 << 10);
    let connector = Connector::new(Config::client().without_timers());
    let acceptor = Acceptor::new(Config::server().without_timers());
    let opened = finish(join(
        connector.connect_on(BufStream::new(near), "localhost", "/"),
        acceptor.accept(BufStream::new(far)),
    ));
    let (client, server) = opened.expect("each end waits for bytes that the other has not flushed");
    let (mut client, mut server) = (client.expect("no error"), server.expect("no error"));
    finish(client.send("Hello")).expect("there is space").expect("the client may send");
    let message = finish(server.recv()).expect("the message was flushed");
    assert_eq!(message.expect("no end").expect("no error"), Message::from("Hello"));
}

/// A server that refuses a message closes with 1009 and reads no more, so that the client cannot write the rest.
#[test]
fn what_had_arrived_when_a_write_fails() {
    let (mut client, mut far) = client();
    finish(far.write_all(b"\x81\x05Hello\x88\x02\x03\xF1")).expect("there is space").expect("it is written");
    drop(far);
    finish(client.feed("too much")).expect("there is space").expect("the client may send");
    let message = finish(client.recv()).expect("it has arrived").expect("no end yet");
    assert_eq!(message.expect("no error"), Message::from("Hello"));
    assert!(finish(client.recv()).expect("the stream has ended").is_none(), "the peer has closed");
    assert_eq!(client.peer_close().expect("it has arrived").code, CloseCode::TOO_BIG);
    assert_eq!(finish(client.send("once more")), Some(Err(SendError::Closed)));
}

/// The same, without a close of the peer.
#[test]
fn the_error_of_a_write_comes_after_what_had_arrived() {
    let (mut client, mut far) = client();
    finish(far.write_all(b"\x81\x05Hello")).expect("there is space").expect("it is written");
    drop(far);
    finish(client.feed("too much")).expect("there is space").expect("the client may send");
    let message = finish(client.recv()).expect("it has arrived").expect("no end yet");
    assert_eq!(message.expect("no error"), Message::from("Hello"));
    let end = finish(client.recv()).expect("the stream has ended").expect("an error");
    assert!(matches!(end, Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe));
    assert!(finish(client.recv()).expect("it is over").is_none());
}

/// What the peer sent before it saw this end's close arrives, and cannot be answered.
#[test]
fn messages_after_this_ends_close() {
    let (mut client, mut far) = client();
    let frames = b"\x81\x03one\x81\x03two\x88\x02\x03\xE8";
    finish(far.write_all(frames)).expect("there is space").expect("it is written");
    client.start_close(CloseCode::NORMAL, "").expect("it is open");
    let mut received = 0;
    while let Some(message) = finish(client.recv()).expect("the peer has closed") {
        let message = message.expect("no error");
        assert_eq!(finish(client.feed(message)), Some(Err(SendError::Closed)));
        received += 1;
    }
    assert_eq!(received, 2);
    drop(client);
    let mut written = Vec::new();
    finish(far.read_to_end(&mut written)).expect("the stream has ended").expect("it is open");
    assert_eq!((written[0], written.len()), (0x88, 8), "only the close");
}

/// A tracker's close comes between two messages of the peer. The loop of an echo ends in order.
#[tokio::test]
async fn messages_after_a_trackers_close() {
    let (near, mut far) = duplex(64 << 10);
    let mut socket = server(near);
    let tracker = Tracker::new();
    tracker.track(&mut socket);
    let mut echo = Box::pin(async {
        while let Some(message) = socket.recv().await {
            socket.feed(message?).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    });
    finish(far.write_all(b"\x81\x83\0\0\0\0one")).expect("there is space").expect("it is open");
    assert!(finish(echo.as_mut()).is_none(), "the peer has not closed");
    assert!(finish(tracker.shutdown(Duration::MAX)).is_none());
    let rest = b"\x81\x83\0\0\0\0two\x88\x82\0\0\0\0\x03\xE8";
    finish(far.write_all(rest)).expect("there is space").expect("it is open");
    finish(echo.as_mut()).expect("the peer has closed").expect("no error");
    drop(echo);
    drop(socket);
    let mut written = Vec::new();
    finish(far.read_to_end(&mut written)).expect("the stream has ended").expect("it is open");
    assert_eq!(written, b"\x81\x03one\x88\x18\x03\xE9the server is stopping");
    assert!(tracker.is_empty());
}

/// A message that began before a tracker's close is read to its end, and none begins after it.
#[tokio::test]
async fn readers_after_a_trackers_close() {
    let (near, mut far) = duplex(64 << 10);
    let mut socket = server(near);
    let tracker = Tracker::new();
    tracker.track(&mut socket);
    finish(far.write_all(b"\x01\x83\0\0\0\0one")).expect("there is space").expect("it is open");
    let mut reader =
        finish(socket.next_reader()).expect("it is there").expect("it is open").expect("a message");
    assert!(finish(tracker.shutdown(Duration::MAX)).is_none());
    let rest = b"\x80\x83\0\0\0\0two\x01\x83\0\0\0\0new\x80\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xE8";
    finish(far.write_all(rest)).expect("there is space").expect("it is open");
    let mut text = String::new();
    finish(reader.read_to_string(&mut text)).expect("it is there").expect("no error");
    assert_eq!(text, "onetwo");
    drop(reader);
    assert!(finish(socket.next_reader()).expect("the peer has closed").is_none());
    assert!(tracker.is_empty() || socket.peer_close().is_some());
}

/// A stream keeps one waker for writes, that of its last poll, and each half of `StreamExt::split` polls it.
#[test]
fn both_halves_are_woken_once_the_stream_takes_bytes() {
    for sends_first in [true, false] {
        let (near, mut far) = duplex(64);
        let mut socket = server(near);
        finish(socket.feed(vec![0; 1000])).expect("the queue is empty").expect("the connection is open");
        let (mut sink, mut stream) = socket.split();
        let (sends, receives) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut flush = || assert!(sends.poll(sink.flush()).is_pending());
        let mut next = || assert!(receives.poll(stream.next()).is_pending());
        if sends_first {
            flush();
            next();
        } else {
            next();
            flush();
        }
        finish(far.read_exact(&mut [0; 64])).expect("bytes were written").expect("the stream is open");
        assert_eq!((sends.take(), receives.take()), (true, true), "{sends_first}");
    }
}

/// A stream need not wake a task if another has polled it since.
#[test]
fn a_half_that_waits_for_bytes_that_the_other_writes() {
    let gate = Gate::default();
    let mut socket = server(gate.clone());
    finish(socket.feed("Hello")).expect("the queue is empty").expect("the connection is open");
    let (mut sink, mut stream) = socket.split();
    let (sends, receives) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    assert!(sends.poll(sink.flush()).is_pending());
    gate.open.store(true, Ordering::Relaxed);
    assert!(receives.poll(stream.next()).is_pending());
    assert_eq!((sends.take(), receives.take()), (true, false));
    assert!(sends.poll(sink.flush()).is_ready());
    assert_eq!((sends.take(), receives.take()), (false, false));
}

/// The same with halves of our own, whatever the order.
#[test]
fn senders_and_the_receiver_are_woken_once_the_stream_takes_bytes() {
    for sends_first in [true, false] {
        let (near, mut far) = duplex(64);
        let (sender, mut receiver) = server(near).into_split();
        sender.queue(vec![0; 1000]).expect("the queue is empty");
        let (sends, receives) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut flush = Box::pin(sender.flush());
        let mut flush = || assert!(sends.poll(flush.as_mut()).is_pending());
        let mut next = || assert!(receives.poll(receiver.recv()).is_pending());
        if sends_first {
            flush();
            next();
        } else {
            next();
            flush();
        }
        sends.take();
        receives.take();
        finish(far.read_exact(&mut [0; 64])).expect("bytes were written").expect("the stream is open");
        assert_eq!((sends.take(), receives.take()), (true, true), "{sends_first}");
    }
}

/// The loop of an echo, with a peer that sends without end and never reads.
#[test]
fn a_flood_from_a_peer_that_never_reads() {
    let flood = Flood::default();
    let mut socket = server(flood.clone());
    let high_water = socket.config().high_water;
    let mut echo = Box::pin(async move {
        while let Some(message) = socket.recv().await {
            socket.feed(message.expect("no error")).await.expect("it waits");
        }
    });
    let woken = Arc::new(Woken::default());
    for _ in 0..1000 {
        assert!(woken.poll(echo.as_mut()).is_pending());
    }
    let read = flood.read.load(Ordering::Relaxed);
    assert!(read < 3 * high_water, "{read} bytes were read");
    assert!(!woken.take(), "it waits for the peer to read");
}

/// Each message arrives in a read of its own.
#[test]
fn the_memory_of_short_messages_that_are_kept() {
    let (mut client, mut far) = client();
    let mut two = || {
        let frames = b"\x82\x10sixteen bytes, \n\x81\x10sixteen letters.";
        finish(far.write_all(frames)).expect("space").expect("open");
        [(); 2].map(|()| finish(client.recv()).expect("a message").expect("no end").expect("no error"))
    };
    two(); // the first ones take memory that the thread keeps
    two();
    let (kept, counts) = counted(|| (0..1000).map(|_| two()).collect::<Vec<_>>());
    let payload = 2 * 16;
    assert!(counts.held as usize <= kept.len() * (size_of::<[Message; 2]>() + payload), "{counts:?}");
}

#[test]
fn requests_that_ask_for_no_websocket() {
    let acceptor = Acceptor::new(Config::server().without_timers()).pages(|request| {
        (request.path() == "/health").then(|| framewire_tokio::Refusal::new(200).body("It runs.\n"))
    });
    for (path, status, end) in
        [("/health", "200 OK", "It runs.\n"), ("/", "426 Upgrade Required", "a WebSocket\n")]
    {
        let (near, mut far) = duplex(4 << 10);
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        finish(far.write_all(request.as_bytes())).expect("there is space").expect("it is open");
        assert!(finish(acceptor.accept(near)).expect("the request is whole").is_err());
        let mut answer = String::new();
        finish(far.read_to_string(&mut answer)).expect("the stream has ended").expect("it is text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.ends_with(end), "{answer}");
    }
}

// ------------------------------------------------------------------------------------- what the tests share

fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S, Server> {
    WebSocket::from_upgraded(stream, b"", Config::server().without_timers())
}

fn client() -> (WebSocket<DuplexStream, Client>, DuplexStream) {
    let (near, far) = duplex(64 << 10);
    (WebSocket::from_upgraded(near, b"", Config::client().without_timers()), far)
}

/// The result of work that waits for nothing outside it; `None` if it waits for ever.
fn finish<F: Future>(work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut cx = Context::from_waker(Waker::noop());
    (0..1000).find_map(|_| match work.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Whether a task was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Woken {
    /// Polls as this task does.
    fn poll<F: Future>(self: &Arc<Self>, work: F) -> Poll<F::Output> {
        pin!(work).poll(&mut Context::from_waker(&self.clone().into()))
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream that takes bytes once it is open, and has none to read. It wakes nobody.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<AtomicBool>,
}

impl AsyncRead for Gate {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Gate {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.open.load(Ordering::Relaxed) { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A stream that always has messages of 994 bytes to read, and takes none.
#[derive(Clone, Default)]
struct Flood {
    read: Arc<AtomicUsize>,
}

impl AsyncRead for Flood {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        const FRAME: [u8; 1002] = {
            let mut frame = [0; 1002];
            [frame[0], frame[1], frame[2], frame[3]] = [0x82, 0x80 | 126, 0x03, 0xE2]; // 994 bytes, and a key of zeros
            frame
        };
        while buffer.remaining() >= FRAME.len() {
            buffer.put_slice(&FRAME);
            self.read.fetch_add(FRAME.len(), Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}
