//! The reasons for which a run fails.

use framewire::{Kind, ProtocolError, handshake::HandshakeError};
use std::{fmt, io, time::Duration};

/// Why a run has failed. None of its measurements counts then.
#[derive(Debug)]
pub enum Failure {
    /// The address cannot be resolved.
    Resolve(String, io::Error),
    /// Nothing listens at the address.
    Connect(String, io::Error),
    /// The server's answer to the opening handshake is not a handshake.
    Handshake(HandshakeError),
    /// It answered with another status.
    Status(u16),
    /// A connection failed.
    Socket { connection: usize, error: io::Error },
    /// The server ended a connection, with a close or without one.
    Ended { connection: usize, how: String },
    /// The server broke the protocol.
    Protocol { connection: usize, error: ProtocolError },
    /// A reply is not what it must be.
    Reply { connection: usize, message: u64, wrong: Wrong },
    /// The server owes replies and sends no part of them.
    Silent { owed: usize, patience: Duration },
    /// An open loop is so far ahead of the server that its measurements would mean nothing.
    Overrun { owed: usize },
    /// The server's process cannot be read.
    Process(u32, io::Error),
    /// Several source addresses, but the server is not at 127.0.0.0/8.
    Sources,
    /// This machine's own limits stop the run.
    Own(io::Error),
}

/// Why a reply is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is of the wrong kind.
    Kind { is: Kind, expected: Kind },
    /// It differs from this byte on.
    Byte { at: usize, is: u8, expected: u8 },
    /// It is longer than this.
    Longer { expected: usize },
    /// It is too short.
    Shorter { is: usize, expected: usize },
    /// It answers a message that has not been sent.
    Unasked,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(address, error) => write!(f, "{address} cannot be resolved: {error}"),
            Self::Connect(address, error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                write!(f, "{address} refuses the connection: is a server running there?")
            }
            Self::Connect(address, error) => write!(f, "cannot connect to {address}: {error}"),
            Self::Handshake(error) => write!(f, "the opening handshake failed: {error}"),
            Self::Status(status) => {
                write!(f, "the server answered the opening handshake with status {status}")
            }
            Self::Socket { connection, error } => write!(f, "connection {connection}: {error}"),
            Self::Ended { connection, how } => write!(f, "connection {connection}: {how}"),
            Self::Protocol { connection, error } => {
                write!(f, "connection {connection}: the server broke the protocol: {error}")
            }
            Self::Reply { connection, message, wrong } => {
                write!(f, "connection {connection}, reply {message}: {wrong}")
            }
            Self::Silent { owed, patience } => write!(
                f,
                "the server has sent no part of a reply for {patience:?}, and owes {owed} (--patience)"
            ),
            Self::Overrun { owed } => {
                write!(f, "the server is {owed} replies behind: it cannot keep up with the rate")
            }
            Self::Process(pid, error) => write!(f, "process {pid} cannot be read: {error}"),
            Self::Sources => f.write_str("several source addresses (--sources) need a server at 127.0.0.0/8"),
            Self::Own(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kind { is, expected } => write!(f, "it is {is:?}, and must be {expected:?}"),
            Self::Byte { at, is, expected } => {
                write!(f, "its byte {at} is {is:#04x}, and must be {expected:#04x}")
            }
            Self::Longer { expected } => write!(f, "it is longer than {expected} bytes"),
            Self::Shorter { is, expected } => write!(f, "it has {is} bytes instead of {expected}"),
            Self::Unasked => write!(f, "its message has not been sent"),
        }
    }
}

impl std::error::Error for Failure {}
