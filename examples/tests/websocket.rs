//! The adapter of the tokio programs, on streams in memory. The tests poll by hand, so nothing depends on time.

use bytes::BytesMut;
use framewire::{Client, CloseCode, Server};
use framewire_examples::{HIGH_WATER, Message, WebSocket};
use framewire_testing::allocations::{Counting, counted};
use futures_util::{SinkExt, StreamExt, future::join};
use std::{
    error::Error,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, ReadBuf, duplex};

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_stream_that_buffers_what_is_written() {
    let (near, far) = duplex(64 << 10);
    let opened = finish(join(
        WebSocket::connect(BufStream::new(near), "localhost", "/"),
        WebSocket::accept(BufStream::new(far), |_| Ok(None)),
    ));
    let (client, server) = opened.expect("each end waits for bytes that the other has not flushed");
    assert!(client.is_ok() && server.is_ok_and(|server| server.is_some()));
}

/// A server that refuses a message closes with 1009 and reads no more, so that the client cannot write the rest.
#[test]
fn what_had_arrived_when_a_write_fails() {
    let (near, mut far) = duplex(64 << 10);
    let mut client = WebSocket::<_, Client>::new(near, BytesMut::new());
    finish(far.write_all(b"\x81\x05Hello\x88\x02\x03\xF1")).expect("there is space").expect("it is written");
    drop(far);
    finish(client.feed("too much".into())).expect("there is space").expect("the client may send");
    let mut next = || finish(client.next()).expect("the stream has ended");
    assert_eq!(next().expect("a message").expect("no error yet"), Message::from("Hello"));
    let error = next().expect("an error").expect_err("the message was not written");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(next().is_none());
    assert_eq!(client.closed_with(), Some((CloseCode::TOO_BIG, "")));
    let again = finish(client.send("once more".into())).expect("it does not wait");
    assert!(again.is_err());
}

/// The loop of docs/integrate.md, in which the host has closed.
#[test]
fn an_echo_goes_on_until_the_peer_closes() {
    let (mut near, far) = duplex(64 << 10);
    let mut client = WebSocket::<_, Client>::new(far, BytesMut::new());
    let frames = b"\x81\x03one\x81\x03two\x88\x02\x03\xE8";
    finish(near.write_all(frames)).expect("there is space").expect("it is written");
    let echo = async {
        client.close_with(CloseCode::NORMAL, "")?;
        let mut echoed = 0;
        while let Some(message) = client.next().await {
            client.feed(message?).await?;
            echoed += 1;
        }
        assert_eq!(echoed, 2);
        Ok::<_, Box<dyn Error>>(())
    };
    finish(echo).expect("the peer has closed").expect("no error");
    assert!(finish(client.send("late".into())).expect("it does not wait").is_err());
    let mut written = Vec::new();
    finish(near.read_to_end(&mut written)).expect("the stream has ended").expect("it is open");
    assert_eq!((written[0], written.len()), (0x88, 8), "only the close");
}

/// A stream keeps one waker for writes, that of its last poll, and each half polls it.
#[test]
fn both_halves_are_woken_once_the_stream_takes_bytes() {
    for sends_first in [true, false] {
        let (near, mut far) = duplex(64);
        let mut socket = WebSocket::<_, Server>::new(near, BytesMut::new());
        let much = Message::Binary(vec![0; HIGH_WATER].into()); // so that no more is read until it is written
        finish(socket.feed(much)).expect("the queue is empty").expect("the connection is open");
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
    let mut socket = WebSocket::<_, Server>::new(gate.clone(), BytesMut::new());
    finish(socket.feed("Hello".into())).expect("the queue is empty").expect("the connection is open");
    let (mut sink, mut stream) = socket.split();
    let (sends, receives) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    assert!(sends.poll(sink.flush()).is_pending());
    gate.0.store(true, Ordering::Relaxed);
    assert!(receives.poll(stream.next()).is_pending());
    assert_eq!((sends.take(), receives.take()), (true, false));
    assert!(sends.poll(sink.flush()).is_ready());
    assert_eq!((sends.take(), receives.take()), (false, false));
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
struct Gate(Arc<AtomicBool>);

impl AsyncRead for Gate {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Gate {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.0.load(Ordering::Relaxed) { Poll::Ready(Ok(bytes.len())) } else { Poll::Pending }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Each message arrives in a read of its own, and a read asks for 16 KiB.
#[test]
fn the_memory_of_short_messages_that_are_kept() {
    let (mut near, far) = duplex(64 << 10);
    let mut client = WebSocket::<_, Client>::new(far, BytesMut::new());
    let (kept, counts) = counted(|| {
        let messages = (0..1000).map(|_| {
            finish(near.write_all(b"\x82\x10sixteen bytes, \n\x81\x10sixteen letters."))
                .expect("space")
                .expect("open");
            let mut next = || finish(client.next()).expect("a message").expect("no end").expect("no error");
            [next(), next()]
        });
        messages.collect::<Vec<_>>()
    });
    assert_eq!(kept.len(), 1000);
    assert!(counts.held < 512 << 10, "{counts:?}");
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
