//! The types of the headers, field by field. `tests/header.rs` compares their layout with what a C compiler makes of them.
#![allow(non_camel_case_types)] // they have the names that C has

use core::{
    ffi::{c_char, c_int},
    mem::MaybeUninit,
};

/// This version as a number: major, minor and patch, a byte for each of the last two.
pub const FW_VERSION: u32 = 0x00_01_00;

/// The end that accepted the connection.
pub const FW_SERVER: c_int = 1;
/// The end that opened the connection.
pub const FW_CLIENT: c_int = 2;

/// A text message.
pub const FW_TEXT: c_int = 1;
/// A binary message.
pub const FW_BINARY: c_int = 2;

/// The first reserved bit.
pub const FW_RSV1: u8 = 0x40;
/// The second reserved bit.
pub const FW_RSV2: u8 = 0x20;
/// The third reserved bit.
pub const FW_RSV3: u8 = 0x10;

/// No event.
pub const FW_EVENT_NONE: u8 = 0;
/// A whole message.
pub const FW_EVENT_MESSAGE: u8 = 1;
/// The next bytes of a message.
pub const FW_EVENT_PART: u8 = 2;
/// The peer's close.
pub const FW_EVENT_CLOSE: u8 = 8;
/// A ping.
pub const FW_EVENT_PING: u8 = 9;
/// A pong.
pub const FW_EVENT_PONG: u8 = 10;

/// Messages may go in both directions.
pub const FW_STATE_OPEN: c_int = 1;
/// This end sent a close.
pub const FW_STATE_CLOSE_SENT: c_int = 2;
/// The peer sent a close.
pub const FW_STATE_CLOSE_RECEIVED: c_int = 3;
/// Over.
pub const FW_STATE_CLOSED: c_int = 4;

/// The most bytes of a frame header.
pub const FW_HEADER_MAX: usize = 14;
/// The most bytes of a control frame.
pub const FW_CONTROL_MAX: usize = 131;
/// The bytes of a `Sec-WebSocket-Accept`, with a zero byte at the end.
pub const FW_ACCEPT_SIZE: usize = 29;
/// The bytes of a connection.
pub const FW_CONNECTION_SIZE: usize = 256;
/// The most headers, subprotocols or offers that a host can pass.
pub const FW_LIST_MAX: usize = 16;

/// The memory of a connection.
#[repr(C)]
pub struct fw_connection {
    pub(crate) memory: [MaybeUninit<u64>; FW_CONNECTION_SIZE / 8],
}

/// What `fw_init` may be told.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fw_config {
    /// The most payload of a frame; 0: the default.
    pub max_frame: u64,
    /// The most payload of a message; 0: the default.
    pub max_message: u64,
    /// Reserved bits that an extension may set.
    pub extension_bits: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// An item that arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fw_event {
    /// The bytes, in the caller's buffer.
    pub data: *mut u8,
    /// Their number.
    pub len: usize,
    /// The code of a close.
    pub code: u16,
    /// `FW_EVENT_*`.
    pub r#type: u8,
    /// `FW_TEXT` or `FW_BINARY`.
    pub kind: u8,
    /// Whether the message ends here.
    pub last: u8,
    /// The reserved bits of the message.
    pub rsv: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// A frame header.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fw_header {
    /// Bytes of payload that follow.
    pub payload_len: u64,
    /// The masking key.
    pub key: [u8; 4],
    /// The opcode.
    pub opcode: u8,
    /// Whether the frame ends its message.
    pub fin: u8,
    /// The reserved bits.
    pub rsv: u8,
    /// Whether there is a key.
    pub masked: u8,
}

/// The state of a text that is validated in pieces.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fw_utf8 {
    /// 0 at the start.
    pub state: u32,
}

/// A string with its length.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fw_str {
    /// The bytes; NULL: there is none.
    pub data: *const c_char,
    /// Their number.
    pub len: usize,
}

/// A header of a request or a response.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fw_field {
    /// Its name.
    pub name: fw_str,
    /// Its value.
    pub value: fw_str,
}

/// Parameters of permessage-deflate.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fw_deflate {
    /// The server compresses each message by itself.
    pub server_no_context_takeover: u8,
    /// The client compresses each message by itself.
    pub client_no_context_takeover: u8,
    /// The bits of the server's window; 0: not limited.
    pub server_max_window_bits: u8,
    /// The bits of the client's window; 0: not limited.
    pub client_max_window_bits: u8,
}

/// A request that arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fw_request {
    /// The whole head.
    pub head: fw_str,
    /// The method.
    pub method: fw_str,
    /// The target.
    pub target: fw_str,
    /// Its path.
    pub path: fw_str,
    /// Its query.
    pub query: fw_str,
    /// The host.
    pub host: fw_str,
    /// The origin.
    pub origin: fw_str,
    /// Whether it asks for a WebSocket.
    pub upgrade: c_int,
}

/// The answer that opens a WebSocket.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fw_answer {
    /// The subprotocol.
    pub subprotocol: fw_str,
    /// The answer to an offer.
    pub deflate: *const fw_deflate,
    /// Further headers.
    pub headers: *const fw_field,
    /// Their number.
    pub header_count: usize,
}

/// The request with which a client opens a WebSocket.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fw_opening {
    /// The host.
    pub host: fw_str,
    /// The target.
    pub target: fw_str,
    /// The origin.
    pub origin: fw_str,
    /// The subprotocols.
    pub subprotocols: *const fw_str,
    /// Their number.
    pub subprotocol_count: usize,
    /// The offers of permessage-deflate.
    pub offers: *const fw_deflate,
    /// Their number.
    pub offer_count: usize,
    /// Further headers.
    pub headers: *const fw_field,
    /// Their number.
    pub header_count: usize,
    /// Random bytes.
    pub nonce: [u8; 16],
}

/// What a client and a server agreed on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fw_opened {
    /// The subprotocol.
    pub subprotocol: fw_str,
    /// The status.
    pub status: c_int,
    /// Whether messages may be compressed.
    pub has_deflate: c_int,
    /// How.
    pub deflate: fw_deflate,
}
