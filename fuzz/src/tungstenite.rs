//! Another implementation, tungstenite, reads what a client sends: it gives the same messages in the same order and the
//! same pongs, and accepts and refuses the same input, with exceptions.
//!
//! How tungstenite 0.30 differs, and why the comparison allows it:
//!
//! | | tungstenite is | why it is allowed |
//! |---|---|---|
//! | A length may be written in more bytes than it needs | laxer | it does not check this MUST of RFC 6455 §5.2 |
//! | A close code that may not be sent is answered with 1002 and reported as 1002, "Protocol violation" | equal, in other words | the host sees a close, and the peer sees the code of an error |
//! | 1014 is such a code | stricter | registered after the RFC (IANA) |
//! | An error shows when the frame is complete, not at its header or its first impossible byte | later | RFC 6455 §8.1 leaves the time open. So a wire that ends inside that frame is not refused yet |
//! | A close is answered with its reason | different | RFC 6455 §5.5.1 says only that the answer typically has the same code |

use crate::decoder::frames;
use crate::input::Input;
use ::tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError as Theirs,
    protocol::{Role, WebSocketConfig, frame::coding::CloseCode},
};
use framewire::{Connection, Kind, Limits, ProtocolError, Rsv, Server};
use framewire_testing::{
    host::{Item, play},
    wire::{PONG, frame},
};
use std::io::{self, Read, Write};

/// The most bytes of a frame, and of a message.
const LIMIT: usize = 1000;

/// Options, pieces, and bytes: as they are on the wire, or as the frames that a client would send.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let planned = input.byte() & 0x80 != 0;
    let pieces = input.pieces();
    let rest = input.rest();
    let wire = if planned { frames::<Server>(rest) } else { rest.to_vec() };

    let limits = Limits { frame: LIMIT as u64, message: LIMIT as u64 };
    let mut conn = Connection::<Server>::new().with_limits(limits);
    let ours = play(&mut conn, &wire, &pieces.cuts(wire.len()));
    let theirs = read(&wire);

    match ours.error {
        None if theirs.refused_close => {
            let (Some(Item::Close(ours_is)), Some(theirs_is)) = (ours.items.last(), theirs.items.last())
            else {
                panic!("a close, here and there");
            };
            let stricter = ours_is.starts_with(&1014_u16.to_be_bytes());
            assert!(stricter || *theirs_is == Item::Close(ours_is.clone()), "or those very words");
            assert_eq!(theirs.items[..theirs.items.len() - 1], ours.items[..ours.items.len() - 1]);
        }
        None => assert_eq!((theirs.items, theirs.refused), (ours.items.clone(), false)),
        // A length that is written in more bytes than it needs is too long for a control frame, whatever its value.
        Some(ProtocolError::LengthNotMinimal | ProtocolError::ControlTooLong) => {
            assert!(theirs.items.starts_with(&ours.items), "laxer: it goes on");
        }
        Some(ProtocolError::InvalidCloseCode) if theirs.refused_close => {
            assert_eq!(theirs.items[..theirs.items.len() - 1], ours.items);
        }
        Some(_) => {
            assert_eq!(theirs.items, ours.items);
            assert!(theirs.refused || theirs.wants_more, "accepted: {wire:x?}");
        }
    }
    let pings = ours
        .items
        .iter()
        .filter_map(|item| if let Item::Ping(payload) = item { Some(payload) } else { None });
    let pongs = pings.flat_map(|payload| frame(PONG, None, payload)).collect::<Vec<_>>();
    assert!(theirs.written.starts_with(&pongs), "the same pongs");
}

/// How tungstenite reads these bytes.
#[derive(Default)]
struct Reading {
    items: Vec<Item>,
    /// It says that the peer broke the protocol.
    refused: bool,
    /// It has found no error: the bytes just ended.
    wants_more: bool,
    /// The last item is a close whose code it refused.
    refused_close: bool,
    /// Pongs, and the reply to a close.
    written: Vec<u8>,
}

fn read(wire: &[u8]) -> Reading {
    let config = WebSocketConfig::default()
        .read_buffer_size(512) // allocated at once
        .write_buffer_size(0)
        .max_frame_size(Some(LIMIT))
        .max_message_size(Some(LIMIT));
    let stream = Stream { wire, written: Vec::new() };
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut reading = Reading::default();
    loop {
        reading.items.push(match socket.read() {
            Ok(Message::Text(text)) => Item::Message(Kind::Text, Rsv::NONE, text.as_bytes().into()),
            Ok(Message::Binary(bytes)) => Item::Message(Kind::Binary, Rsv::NONE, bytes.into()),
            Ok(Message::Ping(payload)) => Item::Ping(payload.into()),
            Ok(Message::Pong(payload)) => Item::Pong(payload.into()),
            Ok(Message::Close(None)) => Item::Close(vec![]),
            Ok(Message::Close(Some(close))) => {
                reading.refused_close =
                    close.code == CloseCode::Protocol && close.reason.as_str() == "Protocol violation";
                let code = u16::from(close.code).to_be_bytes();
                Item::Close([&code, close.reason.as_bytes()].concat())
            }
            Ok(Message::Frame(_)) => unreachable!("not from reading"),
            Err(Error::Protocol(Theirs::ResetWithoutClosingHandshake)) => {
                reading.wants_more = true;
                break;
            }
            Err(Error::ConnectionClosed) => break,
            Err(Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_)) => {
                reading.refused = true;
                break;
            }
            Err(error) => panic!("{error}"),
        });
    }
    reading.written = socket.get_ref().written.clone();
    reading
}

/// A stream that reads these bytes, then ends, and keeps what is written.
struct Stream<'a> {
    wire: &'a [u8],
    written: Vec<u8>,
}

impl Read for Stream<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.wire.read(to)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(from);
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
