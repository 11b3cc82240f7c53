//! The answer of a server, or of a proxy to CONNECT.

use super::body::{self, Framing};
use crate::accept::{in_time, read_head};
use framewire::handshake::{HandshakeError, HeaderSlots, Response};
use std::{fmt, io, time::Duration};
use tokio::io::AsyncRead;

/// The answer of a server, or of a proxy, that refused.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The status, such as 401 or 302.
    pub status: u16,
    /// The status line and the headers, as they were sent.
    pub head: Vec<u8>,
    /// The body, without the sizes of its chunks: its first 64 KiB, and what of that arrived in time.
    pub body: Vec<u8>,
}

impl Answered {
    /// The value of the first header of this name, if it is UTF-8: for example `Location` of a redirect, which is not followed.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut slots = HeaderSlots::<64>::new();
        let response = Response::parse(&self.head, &mut slots).ok()?;
        response.headers().get(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered")
            .field("status", &self.status)
            .field("head", &String::from_utf8_lossy(&self.head))
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish()
    }
}

/// The head of an answer.
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    pub(super) status: u16,
    /// The bytes that came with its end.
    pub(super) rest: Vec<u8>,
}

impl Head {
    /// Reads a head. Interim answers may come before it (RFC 9110 §15.2).
    pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Self, HeadError> {
        let mut rest = Vec::new();
        loop {
            let (head, behind) = read_head(stream, &rest).await?.ok_or(HeadError::Missing)?;
            let bytes = head?;
            let status = Response::parse(&bytes, &mut HeaderSlots::<64>::new())?.status();
            if !matches!(status, 100 | 102..=199) {
                return Ok(Self { bytes, status, rest: behind });
            }
            rest = behind;
        }
    }

    /// A refusal with this head. Its body has this time to arrive.
    pub(super) async fn refusal<S>(self, stream: &mut S, timeout: Option<Duration>) -> Box<Answered>
    where
        S: AsyncRead + Unpin,
    {
        let framing = Framing::of(&self.bytes);
        let mut answered = Answered { status: self.status, head: self.bytes, body: Vec::new() };
        // What has arrived remains if the time is up. If the stream fails, the status says enough.
        in_time(timeout, body::read(stream, framing, self.rest, &mut answered.body)).await;
        Box::new(answered)
    }
}

/// Why there is no head.
pub(super) enum HeadError {
    Io(io::Error),
    /// The stream ended before it.
    Missing,
    Wrong(HandshakeError),
}

impl From<io::Error> for HeadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<HandshakeError> for HeadError {
    fn from(error: HandshakeError) -> Self {
        Self::Wrong(error)
    }
}
