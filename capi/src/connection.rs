//! Level 3: a connection in the caller's memory.

use crate::{
    border::{
        End, Outcome, answer, bytes_mut, check, check_all, check_room, kind, put, put_header, rsv, rsv_bits,
        values,
    },
    code::{Code, FW_E_ARGUMENT, FW_E_SEND_UTF8, FW_E_SIZE, FW_E_STATE, FW_OK, protocol_error},
    types::{
        FW_BINARY, FW_CLIENT, FW_CONNECTION_SIZE, FW_CONTROL_MAX, FW_EVENT_CLOSE, FW_EVENT_MESSAGE,
        FW_EVENT_NONE, FW_EVENT_PART, FW_EVENT_PING, FW_EVENT_PONG, FW_HEADER_MAX, FW_SERVER,
        FW_STATE_CLOSE_RECEIVED, FW_STATE_CLOSE_SENT, FW_STATE_CLOSED, FW_STATE_OPEN, FW_TEXT, fw_config,
        fw_connection, fw_event,
    },
};
use core::{ffi::c_int, str};
use framewire::{
    CloseCode, Connection, ControlFrame, Event, Header, Kind, Limits, Role, State,
    internal::{ControlRoom, LentClient, LentServer, control},
};

/// What is in the memory of a connection. The tag comes first, for both roles: it says which role the rest is of.
#[repr(C)]
pub(crate) struct Tagged<R: Role> {
    tag: u32,
    pub(crate) connection: Connection<R>,
    /// The payload of a control frame that was split across reads. The last event may point here.
    room: ControlRoom,
}

/// Any two numbers that memory hardly has by chance.
pub(crate) const SERVER: u32 = 0x5EF2_A9E1;
pub(crate) const CLIENT: u32 = 0xC71E_A9E1;

/// What a later version may add to a connection without a new size.
const SLACK: usize = 32;

const _: () = {
    assert!(size_of::<Tagged<LentServer>>() + SLACK <= FW_CONNECTION_SIZE);
    assert!(size_of::<Tagged<LentClient>>() + SLACK <= FW_CONNECTION_SIZE);
    assert!(align_of::<Tagged<LentServer>>() <= align_of::<fw_connection>());
    assert!(align_of::<Tagged<LentClient>>() <= align_of::<fw_connection>());
    assert!(size_of::<fw_connection>() == FW_CONNECTION_SIZE);
    assert!(FW_HEADER_MAX == Header::MAX_LEN && FW_CONTROL_MAX == ControlFrame::MAX_LEN);
};

/// Runs code with the state of a connection, whatever its role. The code is an `Outcome`.
macro_rules! with {
    ($pointer:expr, $state:ident: $role:ident => $body:expr) => {{
        let pointer: *mut fw_connection = $pointer;
        // SAFETY: if the pointer is not null and aligned, the header demands that it is valid for reads of a whole connection.
        match unsafe { crate::connection::tag(pointer) }? {
            crate::connection::SERVER => {
                type $role = LentServer;
                // SAFETY: only `fw_init` writes this tag, together with this value. The header demands that no other thread
                // uses the connection meanwhile, and that no other argument overlaps it.
                let $state = unsafe { &mut *pointer.cast::<crate::connection::Tagged<$role>>() };
                $body
            }
            crate::connection::CLIENT => {
                type $role = LentClient;
                // SAFETY: as above.
                let $state = unsafe { &mut *pointer.cast::<crate::connection::Tagged<$role>>() };
                $body
            }
            _ => Err(FW_E_STATE),
        }
    }};
}
/// The same for functions that only read.
macro_rules! look {
    ($pointer:expr, $state:ident => $body:expr) => {{
        let pointer: *const fw_connection = $pointer;
        // SAFETY: if the pointer is not null and aligned, the header demands that it is valid for reads of a whole connection.
        match unsafe { tag(pointer) }? {
            SERVER => {
                // SAFETY: only `fw_init` writes this tag, together with this value. The header demands that no other thread
                // uses the connection meanwhile.
                let $state = unsafe { &*pointer.cast::<Tagged<LentServer>>() };
                $body
            }
            CLIENT => {
                // SAFETY: as above.
                let $state = unsafe { &*pointer.cast::<Tagged<LentClient>>() };
                $body
            }
            _ => Err(FW_E_STATE),
        }
    }};
}

#[cfg(feature = "std")]
pub(crate) use with;

/// Writes a header or a frame that a method of the connection makes. The room for it was checked.
macro_rules! made {
    ($pointer:expr, $key:ident, $out:expr, $connection:ident => $make:expr) => {
        made!($pointer, $key, $out, put, $connection => $make)
    };
    ($pointer:expr, $key:ident, $out:expr, $put:ident, $connection:ident => $make:expr) => {
        with!($pointer, state: R => {
            // SAFETY: the header demands four bytes, if it is not NULL.
            let $key = unsafe { <R as End>::key($key) }?;
            let $connection = &mut state.connection;
            let made = $make.map_err(Code::code)?;
            // SAFETY: there is room, as was checked, and the header demands that it is valid.
            unsafe { $put($out, &made) }
        })
    };
}

/// The tag in the memory of a connection.
///
/// # Safety
/// If the pointer passes the checks, it is valid for reads.
#[inline(always)]
pub(crate) unsafe fn tag(pointer: *const fw_connection) -> Result<u32, c_int> {
    check(pointer)?;
    // SAFETY: not null and aligned, as was checked; the rest is the caller's promise.
    Ok(unsafe { pointer.cast::<u32>().read() })
}

/// The size that a connection needs in this version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn fw_connection_size() -> usize {
    size_of::<Tagged<LentServer>>().max(size_of::<Tagged<LentClient>>())
}

/// The alignment that a connection needs in this version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn fw_connection_align() -> usize {
    align_of::<fw_connection>()
}

/// Initialises a connection.
///
/// # Safety
/// As the header says: `connection` is valid for writes of `size` bytes; `config` is NULL, or valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_init(
    connection: *mut fw_connection,
    size: usize,
    role: c_int,
    config: *const fw_config,
) -> c_int {
    answer(|| {
        check(connection)?;
        if size < fw_connection_size() {
            return Err(FW_E_SIZE);
        }
        if size > isize::MAX as usize {
            return Err(FW_E_ARGUMENT);
        }
        let config = if config.is_null() {
            fw_config::default()
        } else {
            check(config)?;
            // SAFETY: not null and aligned, as was checked; the header demands that it is valid for reads.
            unsafe { config.read() }
        };
        if config.reserved != [0; 7] {
            return Err(FW_E_ARGUMENT);
        }
        match role {
            // SAFETY: aligned and large enough, as was checked; the header demands that it is valid for writes.
            FW_SERVER => unsafe { start::<LentServer>(connection, SERVER, config, Limits::SERVER) },
            // SAFETY: as above.
            FW_CLIENT => unsafe { start::<LentClient>(connection, CLIENT, config, Limits::CLIENT) },
            _ => Err(FW_E_ARGUMENT),
        }
    })
}

/// # Safety
/// The pointer is aligned, and valid for a write of a `Tagged<R>`.
unsafe fn start<R: Role>(
    memory: *mut fw_connection,
    tag: u32,
    config: fw_config,
    default: Limits,
) -> Outcome {
    let or = |limit, default| if limit == 0 { default } else { limit };
    let limits = Limits {
        frame: or(config.max_frame, default.frame),
        message: or(config.max_message, default.message),
    };
    let bits = rsv(config.extension_bits.into())?;
    let connection = Connection::new().with_limits(limits).with_extension_bits(bits);
    // SAFETY: the caller's promise.
    unsafe { memory.cast::<Tagged<R>>().write(Tagged { tag, connection, room: ControlRoom::new() }) };
    Ok(FW_OK)
}

/// Takes the next event off the front of what was read.
///
/// # Safety
/// As the header says: `*data` is valid for reads and writes of `*len` bytes, `data`, `len` and `event` for reads and writes;
/// nothing overlaps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_receive(
    connection: *mut fw_connection,
    data: *mut *mut u8,
    len: *mut usize,
    event: *mut fw_event,
) -> c_int {
    answer(|| {
        check_all!(data, len, event, connection);
        with!(connection, state: R => {
            // SAFETY: not null and aligned, as was checked; the header demands that they are valid, and that nothing overlaps.
            unsafe { receive::<R>(state, connection, &mut *data, &mut *len, event) }
        })
    })
}

/// A whole message, or else whatever it is. The latter is a call, so that the former saves no registers for it.
///
/// # Safety
/// `state` is the connection; `*data` is valid for reads and writes of `*len` bytes, and `out` for a write.
#[inline(always)]
unsafe fn receive<R: Role>(
    state: &mut Tagged<R>,
    connection: *mut fw_connection,
    data: &mut *mut u8,
    len: &mut usize,
    out: *mut fw_event,
) -> Outcome
where
    Tagged<R>: Receive,
{
    let base = *data;
    // SAFETY: the caller's promise.
    let mut input = unsafe { bytes_mut(base, *len) }?;
    let Some((kind, bytes)) = state.connection.receive_straight(&mut input) else {
        // SAFETY: the caller's promise. After an error the connection has failed, and returns it again.
        return unsafe { receive_other(state, connection, data, len, out) };
    };
    let tail = if kind == Kind::Text { TEXT } else { BINARY };
    // SAFETY: the caller's promise.
    unsafe { emit(out, here(base, bytes), bytes.len(), tail) };
    *data = base.wrapping_add(*len - input.len());
    *len = input.len();
    Ok(1)
}

/// # Safety
/// As [`receive`].
#[cold]
#[inline(never)]
unsafe fn receive_other<R: Role>(
    state: &mut Tagged<R>,
    connection: *mut fw_connection,
    data: &mut *mut u8,
    len: &mut usize,
    out: *mut fw_event,
) -> Outcome
where
    Tagged<R>: Receive,
{
    let base = *data;
    // SAFETY: the caller's promise.
    let mut input = unsafe { bytes_mut(base, *len) }?;
    let outcome = match state.receive(&mut input) {
        // SAFETY: the caller's promise, for all of them.
        Ok(Some(event)) => unsafe {
            let message = |kind: c_int| tail(0, FW_EVENT_MESSAGE, kind as u8, 1, 0);
            let control = |r#type, code, payload: &[u8]| {
                emit(out, lent(connection, base, payload), payload.len(), tail(code, r#type, 0, 0, 0));
            };
            match event {
                Event::Text(text) => emit(out, here(base, text.as_bytes()), text.len(), message(FW_TEXT)),
                Event::Binary(bytes) => emit(out, here(base, bytes), bytes.len(), message(FW_BINARY)),
                Event::Part(part) => {
                    let kind = if part.kind == Kind::Text { FW_TEXT } else { FW_BINARY } as u8;
                    let tail = tail(0, FW_EVENT_PART, kind, part.last.into(), rsv_bits(part.rsv));
                    emit(out, here(base, part.bytes()), part.bytes().len(), tail);
                }
                Event::Ping(payload) => control(FW_EVENT_PING, 0, &payload),
                Event::Pong(payload) => control(FW_EVENT_PONG, 0, &payload),
                Event::Close(payload) => {
                    let close = payload.as_close();
                    control(FW_EVENT_CLOSE, close.code.get(), close.reason.as_bytes());
                }
            }
            Ok(1)
        },
        Ok(None) => Ok(0),
        Err(error) => Err(error.code()),
    };
    *data = base.wrapping_add(*len - input.len());
    *len = input.len();
    outcome
}

/// These bytes by the caller's pointer, so that it may write to them.
#[inline(always)]
fn here(base: *mut u8, bytes: &[u8]) -> *mut u8 {
    base.wrapping_add(bytes.as_ptr().addr().wrapping_sub(base.addr()))
}

/// The payload of a control frame by the caller's pointers: it is in the room of the connection, or in what was read. A pointer
/// into the room that came from a reference would end with the next call's reference to the connection.
#[cold]
fn lent(connection: *mut fw_connection, base: *mut u8, payload: &[u8]) -> *mut u8 {
    let offset = payload.as_ptr().addr().wrapping_sub(connection.addr());
    if payload.is_empty() {
        base
    } else if offset < FW_CONNECTION_SIZE {
        connection.cast::<u8>().wrapping_add(offset)
    } else {
        here(base, payload)
    }
}

/// Writes an event in three stores. Written field by field and then copied, it would keep the CPU waiting for longer than a
/// short message takes to decode.
///
/// # Safety
/// `out` is valid for a write.
#[inline(always)]
unsafe fn emit(out: *mut fw_event, data: *mut u8, len: usize, tail: u64) {
    // SAFETY: the caller's promise; `tail` is the last 8 bytes of an event.
    unsafe {
        (&raw mut (*out).data).write(data);
        (&raw mut (*out).len).write(len);
        (&raw mut (*out).code).cast::<u64>().write_unaligned(tail); // on 32 bits, an event is aligned to 4 bytes
    }
}

/// The tails of whole messages.
const TEXT: u64 = tail(0, FW_EVENT_MESSAGE, FW_TEXT as u8, 1, 0);
const BINARY: u64 = tail(0, FW_EVENT_MESSAGE, FW_BINARY as u8, 1, 0);

/// The fields of an event behind its length, in the order of the type.
#[inline(always)]
const fn tail(code: u16, r#type: u8, kind: u8, last: u8, rsv: u8) -> u64 {
    let [first, second] = code.to_ne_bytes();
    u64::from_ne_bytes([first, second, r#type, kind, last, rsv, 0, 0])
}

const _: () = assert!(core::mem::offset_of!(fw_event, code) + 8 == size_of::<fw_event>());

/// A connection of either role receives with its room.
trait Receive {
    fn receive<'b>(
        &'b mut self,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, framewire::ProtocolError>;
}

macro_rules! receive {
    ($($role:ty)*) => {$(
        impl Receive for Tagged<$role> {
            #[inline(always)]
            fn receive<'b>(
                &'b mut self,
                input: &mut &'b mut [u8],
            ) -> Result<Option<Event<'b>>, framewire::ProtocolError> {
                self.connection.receive_in(Some(&mut self.room), input)
            }
        }
    )*};
}

receive!(LentServer LentClient);

/// How many bytes of the current frame have not arrived.
///
/// # Safety
/// As the header says: `connection` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_remaining(connection: *const fw_connection) -> u64 {
    let mut remaining = 0;
    answer(|| {
        look!(connection, state => {
            remaining = state.connection.remaining();
            Ok(FW_OK)
        })
    });
    remaining
}

/// How many bytes the next read should ask for.
///
/// # Safety
/// As the header says: `connection` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_want(connection: *const fw_connection, room: usize) -> usize {
    let mut want = room;
    answer(|| {
        look!(connection, state => {
            want = state.connection.want(room);
            Ok(FW_OK)
        })
    });
    want
}

/// Tells the connection that the stream has ended.
///
/// # Safety
/// As the header says: `connection` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_receive_eof(connection: *mut fw_connection) -> c_int {
    answer(|| {
        with!(connection, state: _R => {
            state.connection.receive_eof().map(|()| FW_OK).map_err(Code::code)
        })
    })
}

/// The state of the connection.
///
/// # Safety
/// As the header says: `connection` is initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_state(connection: *const fw_connection) -> c_int {
    answer(|| {
        look!(connection, state => Ok(match state.connection.state() {
            State::Open => FW_STATE_OPEN,
            State::CloseSent => FW_STATE_CLOSE_SENT,
            State::CloseReceived => FW_STATE_CLOSE_RECEIVED,
            State::Closed => FW_STATE_CLOSED,
        }))
    })
}

/// Makes the frame that answers an event.
///
/// # Safety
/// As the header says: `event` is one of this connection's, or like one; `key` is NULL, or valid for reads of 4 bytes; `out`
/// is valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_reply(
    connection: *mut fw_connection,
    event: *const fw_event,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        check(event)?;
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for reads.
        let event = unsafe { event.read() };
        // A copy, as the payload may be in the memory of the connection.
        let mut payload = [0; CONTROL];
        let payload = match event.r#type {
            FW_EVENT_PING => {
                let to = payload.get_mut(..event.len).ok_or(FW_E_ARGUMENT)?;
                // SAFETY: the header demands that the bytes of an event are still valid for reads.
                to.copy_from_slice(unsafe { values(event.data.cast_const(), event.len) }?);
                &*to
            }
            FW_EVENT_CLOSE if event.code == CloseCode::NO_STATUS.get() => &[],
            FW_EVENT_CLOSE => {
                payload[..2].copy_from_slice(&event.code.to_be_bytes());
                &payload[..2]
            }
            FW_EVENT_NONE | FW_EVENT_MESSAGE | FW_EVENT_PART | FW_EVENT_PONG => {
                // SAFETY: as in `with!`.
                return match unsafe { tag(connection) }? {
                    SERVER | CLIENT => Ok(0),
                    _ => Err(FW_E_STATE),
                };
            }
            _ => return Err(FW_E_ARGUMENT),
        };
        let close = event.r#type == FW_EVENT_CLOSE;
        check_room(out, room, FW_CONTROL_MAX)?;
        with!(connection, state: R => {
            // SAFETY: the header demands four bytes.
            let key = unsafe { <R as End>::key(key) }?;
            let event = if close { Event::Close(control(payload)) } else { Event::Ping(control(payload)) };
            // SAFETY: there is room, as was checked, and the header demands that it is valid.
            unsafe { put_frame(out, state.connection.reply(&event, key)) }
        })
    })
}

/// Fails the connection for an error of the peer.
///
/// # Safety
/// As the header says: `key` is NULL, or valid for reads of 4 bytes; `out` is valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_fail(
    connection: *mut fw_connection,
    error: c_int,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        let error = protocol_error(error).ok_or(FW_E_ARGUMENT)?;
        check_room(out, room, FW_CONTROL_MAX)?;
        with!(connection, state: R => {
            // SAFETY: the header demands four bytes.
            let key = unsafe { <R as End>::key(key) }?;
            // SAFETY: there is room, as was checked, and the header demands that it is valid.
            unsafe { put_frame(out, state.connection.fail(error, key)) }
        })
    })
}

/// Fails the connection for a reason of the application.
///
/// # Safety
/// As the header says: `reason` is valid for reads of `len` bytes; `key` is NULL, or valid for reads of 4 bytes; `out` is
/// valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_fail_with(
    connection: *mut fw_connection,
    code: u16,
    reason: *const u8,
    len: usize,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        check_room(out, room, FW_CONTROL_MAX)?;
        let mut copy = [0; CONTROL];
        // SAFETY: the header demands it of `reason`.
        let reason =
            str::from_utf8(unsafe { control_values(reason, len, &mut copy) }?).map_err(|_| FW_E_SEND_UTF8)?;
        made!(connection, key, out, connection => connection.fail_with(CloseCode::new(code), reason, key))
    })
}

/// Makes the header of a message.
///
/// # Safety
/// As the header says: `key` is NULL, or valid for reads of 4 bytes; `out` is valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_message(
    connection: *mut fw_connection,
    kind: c_int,
    rsv_bits: c_int,
    len: u64,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        let (kind, rsv) = (self::kind(kind)?, rsv(rsv_bits)?);
        check_room(out, room, FW_HEADER_MAX)?;
        made!(connection, key, out, put_header, connection => connection.message_header(kind, rsv, len, key))
    })
}

/// Makes the header of a fragment.
///
/// # Safety
/// As [`fw_message`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_fragment(
    connection: *mut fw_connection,
    kind: c_int,
    rsv_bits: c_int,
    len: u64,
    last: c_int,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        let (kind, rsv) = (self::kind(kind)?, rsv(rsv_bits)?);
        check_room(out, room, FW_HEADER_MAX)?;
        made!(connection, key, out, put_header, connection => connection.fragment_header(kind, rsv, len, last != 0, key))
    })
}

/// Makes a ping.
///
/// # Safety
/// As the header says: `data` is valid for reads of `len` bytes; `key` is NULL, or valid for reads of 4 bytes; `out` is
/// valid for writes of `room` bytes, and does not overlap `data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_ping(
    connection: *mut fw_connection,
    data: *const u8,
    len: usize,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        check_room(out, room, FW_CONTROL_MAX)?;
        let mut copy = [0; CONTROL];
        // SAFETY: the header demands it of `data`.
        let payload = unsafe { control_values(data, len, &mut copy) }?;
        made!(connection, key, out, connection => connection.ping(payload, key))
    })
}

/// Makes a pong that nobody asked for.
///
/// # Safety
/// As [`fw_ping`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_pong(
    connection: *mut fw_connection,
    data: *const u8,
    len: usize,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        check_room(out, room, FW_CONTROL_MAX)?;
        let mut copy = [0; CONTROL];
        // SAFETY: the header demands it of `data`.
        let payload = unsafe { control_values(data, len, &mut copy) }?;
        made!(connection, key, out, connection => connection.pong(payload, key))
    })
}

/// Makes a close.
///
/// # Safety
/// As [`fw_fail_with`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_close(
    connection: *mut fw_connection,
    code: u16,
    reason: *const u8,
    len: usize,
    key: *const u8,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        check_room(out, room, FW_CONTROL_MAX)?;
        let mut copy = [0; CONTROL];
        // SAFETY: the header demands it of `reason`.
        let reason =
            str::from_utf8(unsafe { control_values(reason, len, &mut copy) }?).map_err(|_| FW_E_SEND_UTF8)?;
        made!(connection, key, out, connection => connection.close(CloseCode::new(code), reason, key))
    })
}

/// The most bytes of a control frame's payload.
const CONTROL: usize = 125;

/// A copy of the payload of a control frame: what an event has lent may be in the memory of the connection. If it is too long,
/// the bytes themselves, which the connection then refuses.
///
/// # Safety
/// If the pointer passes the checks, it is valid for reads of `len` bytes for as long as `copy` is borrowed.
unsafe fn control_values(data: *const u8, len: usize, copy: &mut [u8; CONTROL]) -> Result<&[u8], c_int> {
    // SAFETY: the caller's promise.
    let given = unsafe { values(data, len) }?;
    let Some(to) = copy.get_mut(..len) else { return Ok(given) };
    to.copy_from_slice(given);
    Ok(to)
}

/// # Safety
/// `out` is valid for writes of the longest control frame.
unsafe fn put_frame(out: *mut u8, frame: Option<ControlFrame>) -> Outcome {
    match frame {
        // SAFETY: the caller's promise.
        Some(frame) => unsafe { put(out, &frame) },
        None => Ok(0),
    }
}
