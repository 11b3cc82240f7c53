//! The sizes of types on a 64-bit machine, and that they may move between threads. An idle peer costs one connection,
//! so a change of its size must be noticed.

use core::mem::size_of;
use framewire::{
    Chunk, Client, Close, CloseCode, Connection, Control, ControlFrame, Decoder, Event, Header, HeaderBytes,
    Kind, Limits, Opcode, Part, ProtocolError, ReceiveHalf, Rsv, SendError, SendHalf, Server, State,
    mask::Key,
    utf8::{Utf8Error, Validator},
};

#[test]
fn within_the_promised_sizes() {
    #[cfg(feature = "alloc")]
    assert!(size_of::<Connection<Server>>() <= 80);
    assert!(size_of::<Decoder>() <= 40);
    assert!(size_of::<HeaderBytes>() <= 16);
    assert_eq!(size_of::<Validator>(), 1);
    assert_eq!(size_of::<ProtocolError>(), 1);
    assert_eq!(size_of::<SendError>(), 1);
    assert_eq!(size_of::<Result<(), ProtocolError>>(), 1);
}

#[test]
fn exact_sizes() {
    let connection = if cfg!(feature = "alloc") { 64 } else { 184 };
    assert_eq!(size_of::<Connection<Server>>(), connection);
    assert_eq!(size_of::<Connection<Client>>(), connection);
    assert_eq!(size_of::<Decoder>(), 24);
    assert_eq!(size_of::<HeaderBytes>(), 16);
    assert_eq!(size_of::<Header>(), 16);
    assert_eq!(size_of::<ControlFrame>(), 132);
    assert_eq!(size_of::<Key>(), 4);
    assert_eq!(size_of::<Rsv>(), 1);
    assert_eq!(size_of::<Opcode>(), 1);
    assert_eq!(size_of::<Kind>(), 1);
    assert_eq!(size_of::<State>(), 1);
    assert_eq!(size_of::<CloseCode>(), 2);
    #[cfg(feature = "alloc")]
    {
        // Passed by value for every message.
        assert_eq!(size_of::<Event<'_>>(), 24);
        assert_eq!(size_of::<Control<'_>>(), 16);
        assert_eq!(size_of::<framewire::Assembler>(), 48);
    }
}

#[test]
fn everything_may_cross_threads() {
    fn free<T: Send + Sync + Unpin>() {}
    free::<Connection<Server>>();
    free::<Connection<Client>>();
    free::<SendHalf<Client>>();
    free::<ReceiveHalf<Client>>();
    free::<Decoder>();
    free::<Chunk<'_>>();
    free::<Event<'_>>();
    free::<Part<'_>>();
    free::<Control<'_>>();
    free::<ControlFrame>();
    free::<Close<'_>>();
    free::<Header>();
    free::<HeaderBytes>();
    free::<Limits>();
    free::<ProtocolError>();
    free::<SendError>();
    free::<Utf8Error>();
    free::<Validator>();
    #[cfg(feature = "alloc")]
    free::<framewire::Assembler>();
    #[cfg(feature = "alloc")]
    free::<framewire::Assembled<'_>>();
}

#[test]
fn errors_are_errors_and_say_something() {
    fn error<E: core::error::Error + Copy>(error: E) -> String {
        error.to_string()
    }
    assert!(error(ProtocolError::InvalidUtf8).contains("UTF-8"));
    assert!(error(SendError::Closed).contains("closed"));
}
