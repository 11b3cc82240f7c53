//! The adapter of the tokio programs, on streams in memory. The tests poll by hand, so nothing depends on time.

use framewire_examples::WebSocket;
use futures_util::future::join;
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};
use tokio::io::{BufStream, duplex};

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

/// The result of work that waits for nothing outside it; `None` if it waits for ever.
fn finish<F: Future>(work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut cx = Context::from_waker(Waker::noop());
    (0..1000).find_map(|_| match work.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
