//! What ends a run before its time.

use framewire::{Kind, ProtocolError, handshake::HandshakeError};
use std::{fmt, io, time::Duration};

/// Why a run has failed: then nothing that was measured counts.
#[derive(Debug)]
pub enum Failure {
    /// The address names nobody.
    Resolve(String, io::Error),
    /// Nobody listens there.
    Connect(String, io::Error),
    /// The server did not answer the opening handshake with one.
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
    /// The server owes answers and says nothing.
    Silent { owed: usize, patience: Duration },
    /// An open loop is so far ahead of the server that nothing can be learnt any more.
    Overrun { owed: usize },
    /// The server's process is not there to be looked at.
    Process(u32, io::Error),
    /// Our own machine does not let us.
    Own(io::Error),
}

/// What is wrong with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is of the other kind.
    Kind { is: Kind, expected: Kind },
    /// It has other bytes, from here on.
    Byte { at: usize, is: u8, expected: u8 },
    /// It has more bytes than this.
    Longer { expected: usize },
    /// It ends too soon.
    Shorter { is: usize, expected: usize },
    /// Its message has not been sent yet, or there is none.
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
                "the server has said nothing for {patience:?}, with {owed} replies still to come (--patience)"
            ),
            Self::Overrun { owed } => {
                write!(f, "the server is {owed} replies behind: the rate is beyond what it can do")
            }
            Self::Process(pid, error) => write!(f, "process {pid} cannot be looked at: {error}"),
            Self::Own(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kind { is, expected } => write!(f, "it is {is:?}, and has to be {expected:?}"),
            Self::Byte { at, is, expected } => {
                write!(f, "its byte {at} is {is:#04x}, and has to be {expected:#04x}")
            }
            Self::Longer { expected } => write!(f, "it is longer than {expected} bytes"),
            Self::Shorter { is, expected } => write!(f, "it has {is} bytes instead of {expected}"),
            Self::Unasked => write!(f, "its message has not been sent"),
        }
    }
}

impl std::error::Error for Failure {}
