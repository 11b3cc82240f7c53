//! The stream of a connection after hyper has passed it on.

use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The most bytes of one write over HTTP/2, a frame's worth. hyper copies what it is given, however much that is, and keeps it until
/// the peer takes it.
const COPIED: usize = 16 << 10;

/// The stream below a WebSocket that hyper has opened. It is the bare TCP stream if the connection is HTTP/1.1 over TCP, as under
/// `axum::serve`: then nothing of hyper is left. Otherwise (TLS, HTTP/2) it is what hyper gives.
///
/// Over HTTP/2, shutting it down ends the stream of HTTP/2 (END_STREAM), and the connection goes on. Dropping it before that
/// also resets the stream (RST_STREAM).
pub struct HyperStream(Kind);

enum Kind {
    Tcp(TcpStream),
    /// Boxed, as it is twice as large, and dyn inside anyway.
    Other(Box<TokioIo<Upgraded>>),
}

impl HyperStream {
    /// The stream, and the bytes that hyper has read from it.
    pub(super) fn new(upgraded: Upgraded) -> (Self, bytes::Bytes) {
        let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => return (Self(Kind::Tcp(parts.io.into_inner())), parts.read_buf),
            Err(upgraded) => upgraded,
        };
        match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => (Self(Kind::Tcp(parts.io.into_inner())), parts.read_buf),
            Err(upgraded) => (Self(Kind::Other(Box::new(TokioIo::new(upgraded)))), bytes::Bytes::new()),
        }
    }

    /// The TCP stream, if it is bare: for its options and addresses.
    #[must_use]
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Kind::Tcp(stream) => Some(stream),
            Kind::Other(_) => None,
        }
    }
}

impl AsyncRead for HyperStream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Kind::Other(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for HyperStream {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Kind::Other(stream) => Pin::new(stream).poll_write(cx, &bytes[..bytes.len().min(COPIED)]),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Kind::Other(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            Kind::Other(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Kind::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Kind::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl fmt::Debug for HyperStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(stream) => stream.fmt(f),
            Kind::Other(stream) => stream.inner().fmt(f),
        }
    }
}
