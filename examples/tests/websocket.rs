//! The adapter of the tokio programs, on streams in memory. The tests poll by hand, so nothing depends on time.

use bytes::BytesMut;
use framewire::{Client, CloseCode};
use framewire_examples::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt, future::join};
use std::{
    io,
    pin::pin,
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncWriteExt, BufStream, duplex};

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

/// The result of work that waits for nothing outside it; `None` if it waits for ever.
fn finish<F: Future>(work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut cx = Context::from_waker(Waker::noop());
    (0..1000).find_map(|_| match work.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
