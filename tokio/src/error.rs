//! Errors, by who is to blame: the peer, the transport, or the program.

use framewire::ProtocolError;
use std::{fmt, io};

/// Why a connection ended other than by a close of the peer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed.
    Io(io::Error),
    /// The peer broke the protocol, or ended the stream without a close ([`ProtocolError::UnexpectedEof`]). It was told why.
    Protocol(ProtocolError),
    /// The peer was silent, and did not answer a ping: [`Config::keepalive`](crate::Config::keepalive).
    IdleTimeout,
    /// The peer took none of the bytes that waited for it: [`Config::write_timeout`](crate::Config::write_timeout).
    WriteTimeout,
    /// The peer did not finish a message: [`Config::message_timeout`](crate::Config::message_timeout).
    MessageTimeout,
    /// The peer did not answer this end's close: [`Config::close_timeout`](crate::Config::close_timeout).
    CloseTimeout,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::Protocol(error) => write!(f, "the peer broke the protocol: {error}"),
            Self::IdleTimeout => f.write_str("the peer did not answer a ping in time"),
            Self::WriteTimeout => f.write_str("the peer did not read in time"),
            Self::MessageTimeout => f.write_str("the peer did not finish a message in time"),
            Self::CloseTimeout => f.write_str("the peer did not answer the close in time"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// This end has sent a close, or the connection has ended: [`recv`](crate::WebSocket::recv) says why.
    Closed,
    /// The peer did not read in time: [`Config::write_timeout`](crate::Config::write_timeout).
    Timeout,
    /// The code or the reason of a close may not be sent, or the payload of a ping is longer than 125 bytes.
    Invalid(framewire::SendError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closed"),
            Self::Timeout => f.write_str("the peer did not read in time"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

impl From<framewire::SendError> for SendError {
    fn from(error: framewire::SendError) -> Self {
        match error {
            framewire::SendError::Closed => Self::Closed,
            other => Self::Invalid(other),
        }
    }
}

/// Why a message was not accepted at once. It returns the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// [`Config::high_water`](crate::Config::high_water) bytes wait for the peer.
    Full(T),
    /// This end has sent a close, or the connection has ended.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message) | Self::Closed(message) => message,
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "too many bytes wait for the peer",
            Self::Closed(_) => "the connection is closed",
        })
    }
}

impl<T: fmt::Debug> std::error::Error for TrySendError<T> {}
