//! permessage-deflate. The pools, inflaters and deflaters are the library's own: they allocate.

use crate::{
    border::{End, Outcome, answer, bytes_mut, check, check_room, kind, rsv_bits, values},
    code::{Code, FW_E_ARGUMENT, FW_E_BUSY, FW_E_NO_WINDOW, FW_E_STATE},
    connection::with,
    types::{
        FW_BINARY, FW_CLIENT, FW_EVENT_MESSAGE, FW_EVENT_NONE, FW_EVENT_PART, FW_HEADER_MAX, FW_RSV1,
        FW_SERVER, FW_TEXT, fw_connection, fw_deflate, fw_event,
    },
};
use core::{ffi::c_int, ptr};
use framewire::{
    Kind, Part, Role, SendError,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflateConfig, InflatePool, Inflater, Outgoing},
    internal::{LentClient, LentServer},
};

/// Limits on what inflating may cost; 0: the default.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fw_inflate_config {
    /// The most bytes of an inflated message.
    pub max_message: u64,
    /// The most messages that are inflated at the same time.
    pub messages: usize,
    /// The most bytes of windows.
    pub windows: usize,
    /// The most bytes of an inflated part.
    pub part: usize,
}

/// How to compress; 0: the default.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fw_deflate_config {
    /// Messages of fewer bytes are sent uncompressed.
    pub min_len: usize,
    /// The most compressors.
    pub compressors: usize,
    /// The most bytes of windows.
    pub windows: usize,
    /// How hard zlib tries.
    pub level: c_int,
}

/// What the inflaters of a thread share.
#[allow(non_camel_case_types)]
pub struct fw_inflate_pool(InflatePool);

/// What the deflaters of a thread share.
#[allow(non_camel_case_types)]
pub struct fw_deflate_pool(DeflatePool);

/// Inflates the messages of one peer.
#[allow(non_camel_case_types)]
pub enum fw_inflater {
    /// For a server.
    Server(Inflater<LentServer>),
    /// For a client.
    Client(Inflater<LentClient>),
}

/// Compresses the messages of one connection.
#[allow(non_camel_case_types)]
pub enum fw_deflater {
    /// Of a server.
    Server(Deflater<LentServer>),
    /// Of a client.
    Client(Deflater<LentClient>),
}

/// Makes a pool.
///
/// # Safety
/// As the header says: `config` is NULL, or valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_inflate_pool_new(config: *const fw_inflate_config) -> *mut fw_inflate_pool {
    let default = InflateConfig::default();
    // SAFETY: the header demands it of `config`.
    let Ok(config) = (unsafe { read_or_default(config) }) else { return ptr::null_mut() };
    let part = or(config.part, default.part);
    if part > 1 << 30 {
        return ptr::null_mut();
    }
    Box::into_raw(Box::new(fw_inflate_pool(InflatePool::new(InflateConfig {
        messages: or(config.messages, default.messages),
        windows: or(config.windows, default.windows),
        message: if config.max_message == 0 { default.message } else { config.max_message },
        part,
    }))))
}

/// Frees a pool.
///
/// # Safety
/// As the header says: `pool` is NULL, or of `fw_inflate_pool_new` and not yet freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_inflate_pool_free(pool: *mut fw_inflate_pool) {
    // SAFETY: the header demands it.
    unsafe { free(pool) }
}

/// Makes a pool.
///
/// # Safety
/// As the header says: `config` is NULL, or valid for reads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_deflate_pool_new(config: *const fw_deflate_config) -> *mut fw_deflate_pool {
    let default = DeflateConfig::default();
    // SAFETY: the header demands it of `config`.
    let Ok(config) = (unsafe { read_or_default(config) }) else { return ptr::null_mut() };
    let level = match config.level {
        0 => default.level,
        level @ 1..=9 => level as u8,
        _ => return ptr::null_mut(),
    };
    Box::into_raw(Box::new(fw_deflate_pool(DeflatePool::new(DeflateConfig {
        level,
        min_len: or(config.min_len, default.min_len),
        compressors: or(config.compressors, default.compressors),
        windows: or(config.windows, default.windows),
    }))))
}

/// Frees a pool.
///
/// # Safety
/// As the header says: `pool` is NULL, or of `fw_deflate_pool_new` and not yet freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_deflate_pool_free(pool: *mut fw_deflate_pool) {
    // SAFETY: the header demands it.
    unsafe { free(pool) }
}

/// Makes an inflater.
///
/// # Safety
/// As the header says: `params` and `pool` are valid for reads; `inflater` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_inflater_new(
    role: c_int,
    params: *const fw_deflate,
    pool: *const fw_inflate_pool,
    inflater: *mut *mut fw_inflater,
) -> c_int {
    answer(|| {
        check(params)?;
        check(pool)?;
        check(inflater)?;
        // SAFETY: not null and aligned, as was checked; the header demands that they are valid for reads.
        let (params, fw_inflate_pool(pool)) = unsafe { (params.read().params()?, &*pool) };
        let made = match role {
            FW_SERVER => Inflater::new(&params, pool).map(fw_inflater::Server),
            FW_CLIENT => Inflater::new(&params, pool).map(fw_inflater::Client),
            _ => return Err(FW_E_ARGUMENT),
        };
        let made = Box::into_raw(Box::new(made.map_err(|_| FW_E_NO_WINDOW)?));
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for a write.
        unsafe { inflater.write(made) };
        Ok(0)
    })
}

/// Frees an inflater.
///
/// # Safety
/// As the header says: `inflater` is NULL, or of `fw_inflater_new` and not yet freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_inflater_free(inflater: *mut fw_inflater) {
    // SAFETY: the header demands it.
    unsafe { free(inflater) }
}

/// Whether a message of this peer can be inflated now.
///
/// # Safety
/// As the header says: both are valid and not used by another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_inflater_ready(inflater: *mut fw_inflater, pool: *mut fw_inflate_pool) -> c_int {
    answer(|| {
        check(inflater)?;
        check(pool)?;
        // SAFETY: not null and aligned, as was checked; the header demands that nothing else uses them.
        let (inflater, fw_inflate_pool(pool)) = unsafe { (&mut *inflater, &mut *pool) };
        Ok(match inflater {
            fw_inflater::Server(inflater) => inflater.ready(pool).is_some().into(),
            fw_inflater::Client(inflater) => inflater.ready(pool).is_some().into(),
        })
    })
}

/// Inflates the next bytes of a part.
///
/// # Safety
/// As the header says: all are valid and not used by another thread; the bytes of `part` are valid for reads and writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_inflate(
    inflater: *mut fw_inflater,
    pool: *mut fw_inflate_pool,
    part: *mut fw_event,
    out: *mut fw_event,
) -> c_int {
    answer(|| {
        check(inflater)?;
        check(pool)?;
        check(part)?;
        check(out)?;
        if ptr::eq(part, out) {
            return Err(FW_E_ARGUMENT);
        }
        // SAFETY: not null and aligned, as was checked; the header demands that nothing else uses them.
        let (inflater, fw_inflate_pool(pool), part) = unsafe { (&mut *inflater, &mut *pool, &mut *part) };
        match inflater {
            // SAFETY: `out` was checked; the header demands that it and the bytes of `part` are valid.
            fw_inflater::Server(inflater) => unsafe { inflate(inflater, pool, part, out) },
            // SAFETY: as above.
            fw_inflater::Client(inflater) => unsafe { inflate(inflater, pool, part, out) },
        }
    })
}

/// # Safety
/// `out` is valid for a write, and the bytes of `part` for reads and writes.
unsafe fn inflate<R: Role>(
    inflater: &mut Inflater<R>,
    pool: &mut InflatePool,
    part: &mut fw_event,
    out: *mut fw_event,
) -> Outcome {
    match part.r#type {
        FW_EVENT_NONE => return Ok(0),
        FW_EVENT_MESSAGE | FW_EVENT_PART => {}
        _ => return Err(FW_E_ARGUMENT),
    }
    let kind = kind(part.kind.into())?;
    let rsv = crate::border::rsv(part.rsv.into())?;
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes_mut(part.data, part.len) }?;
    let base = part.data;
    if part.rsv & FW_RSV1 == 0 {
        // SAFETY: the caller's promise.
        unsafe { out.write(*part) };
        part.r#type = FW_EVENT_NONE;
        return Ok(1);
    }
    let mut ready = inflater.ready(pool).ok_or(FW_E_BUSY)?;
    let mut parts = ready.feed(Part::new(kind, rsv, bytes, part.last != 0));
    let next = match parts.next_part() {
        Ok(Some(inflated)) => Some(fw_event {
            // A pointer to no bytes is one of the caller's, too.
            data: if inflated.bytes().is_empty() { base } else { inflated.bytes().as_ptr().cast_mut() },
            len: inflated.bytes().len(),
            code: 0,
            r#type: FW_EVENT_PART,
            kind: if inflated.kind == Kind::Text { FW_TEXT as u8 } else { FW_BINARY as u8 },
            last: inflated.last.into(),
            rsv: rsv_bits(inflated.rsv),
            reserved: [0; 2],
        }),
        Ok(None) => None,
        Err(error) => {
            part.r#type = FW_EVENT_NONE;
            return Err(error.code());
        }
    };
    match parts.pause() {
        Some(rest) => {
            let rest = rest.bytes();
            part.data = base.wrapping_add(rest.as_ptr().addr().wrapping_sub(base.addr()));
            part.len = rest.len();
        }
        None => part.r#type = FW_EVENT_NONE,
    }
    let Some(next) = next else { return Ok(0) };
    // SAFETY: the caller's promise.
    unsafe { out.write(next) };
    Ok(1)
}

/// Makes a deflater.
///
/// # Safety
/// As the header says: `params` is valid for reads, `deflater` for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_deflater_new(
    role: c_int,
    params: *const fw_deflate,
    deflater: *mut *mut fw_deflater,
) -> c_int {
    answer(|| {
        check(params)?;
        check(deflater)?;
        // SAFETY: not null, as was checked; the header demands that it is valid for reads.
        let params = unsafe { params.read() }.params()?;
        let made = match role {
            FW_SERVER => fw_deflater::Server(Deflater::new(&params)),
            FW_CLIENT => fw_deflater::Client(Deflater::new(&params)),
            _ => return Err(FW_E_ARGUMENT),
        };
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for a write.
        unsafe { deflater.write(Box::into_raw(Box::new(made))) };
        Ok(0)
    })
}

/// Frees a deflater.
///
/// # Safety
/// As the header says: `deflater` is NULL, or of `fw_deflater_new` and not yet freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_deflater_free(deflater: *mut fw_deflater) {
    // SAFETY: the header demands it.
    unsafe { free(deflater) }
}

/// Calls a method of [`Deflater`] that makes a frame, after all arguments were checked. The macro's caller is a function whose
/// `# Safety` section is that of [`fw_deflate_message`].
macro_rules! deflated {
    ($method:ident($($argument:expr),*); $deflater:ident, $connection:ident, $pool:ident, $kind:ident, $data:ident, $len:ident,
        $key:ident, $out:ident, $room:ident, $payload:ident, $payload_len:ident) => {
        answer(|| {
            let $kind = self::kind($kind)?;
            check_room($out, $room, FW_HEADER_MAX)?;
            check($deflater)?;
            check($pool)?;
            check($payload)?;
            check($payload_len)?;
            let given = $data;
            let ($deflater, fw_deflate_pool($pool), $data) =
                // SAFETY: not null and aligned, as was checked; the header demands that they are valid, and used by nobody else.
                unsafe { (&mut *$deflater, &mut *$pool, values($data, $len)?) };
            with!($connection, state: R => {
                // SAFETY: the header demands four bytes.
                let $key = unsafe { <R as End>::key($key) }?;
                let made = $deflater.of::<R>()?.$method(&mut state.connection, $($argument,)* $pool, $key);
                // SAFETY: all were checked, and the header demands that they are valid for writes.
                unsafe { frame(made, given, $out, $payload, $payload_len) }
            })
        })
    };
}

/// Makes the frame of a message, compressed if that makes it shorter.
///
/// # Safety
/// As the header says: all are valid and not used by another thread; `data` is valid for reads of `len` bytes, `key` is NULL,
/// or valid for reads of 4; `out` is valid for writes of `room` bytes, `payload` and `payload_len` for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_deflate_message(
    deflater: *mut fw_deflater,
    connection: *mut fw_connection,
    pool: *mut fw_deflate_pool,
    kind: c_int,
    data: *const u8,
    len: usize,
    key: *const u8,
    out: *mut u8,
    room: usize,
    payload: *mut *const u8,
    payload_len: *mut usize,
) -> c_int {
    deflated!(message(kind, data); deflater, connection, pool, kind, data, len, key, out, room, payload, payload_len)
}

/// Makes the frame of a fragment.
///
/// # Safety
/// As [`fw_deflate_message`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_deflate_fragment(
    deflater: *mut fw_deflater,
    connection: *mut fw_connection,
    pool: *mut fw_deflate_pool,
    kind: c_int,
    data: *const u8,
    len: usize,
    last: c_int,
    key: *const u8,
    out: *mut u8,
    room: usize,
    payload: *mut *const u8,
    payload_len: *mut usize,
) -> c_int {
    deflated!(fragment(kind, data, last != 0); deflater, connection, pool, kind, data, len, key, out, room, payload, payload_len)
}

impl fw_deflater {
    /// The deflater, if it is of this role.
    fn of<R: HasDeflater>(&mut self) -> Result<&mut Deflater<R>, c_int> {
        R::of(self).ok_or(FW_E_ARGUMENT)
    }
}

trait HasDeflater: Role {
    fn of(deflater: &mut fw_deflater) -> Option<&mut Deflater<Self>>;
}

impl HasDeflater for LentServer {
    fn of(deflater: &mut fw_deflater) -> Option<&mut Deflater<Self>> {
        if let fw_deflater::Server(deflater) = deflater { Some(deflater) } else { None }
    }
}

impl HasDeflater for LentClient {
    fn of(deflater: &mut fw_deflater) -> Option<&mut Deflater<Self>> {
        if let fw_deflater::Client(deflater) = deflater { Some(deflater) } else { None }
    }
}

/// Writes the header, and where the payload is; no bytes are `data`.
///
/// # Safety
/// `out` is valid for writes of a header; `payload` and `payload_len` are valid for a write.
unsafe fn frame(
    made: Result<Outgoing<'_>, SendError>,
    data: *const u8,
    out: *mut u8,
    payload: *mut *const u8,
    payload_len: *mut usize,
) -> Outcome {
    let made = made.map_err(Code::code)?;
    // SAFETY: the caller's promise.
    unsafe {
        payload.write(if made.payload().is_empty() { data } else { made.payload().as_ptr() });
        payload_len.write(made.payload().len());
        crate::border::put(out, made.header())
    }
}

/// # Safety
/// `config` is null, or valid for reads if it is aligned.
unsafe fn read_or_default<T: Copy + Default>(config: *const T) -> Result<T, c_int> {
    if config.is_null() {
        return Ok(T::default());
    }
    check(config)?;
    // SAFETY: not null and aligned, as was checked; the rest is the caller's promise.
    Ok(unsafe { config.read() })
}

const fn or(value: usize, default: usize) -> usize {
    if value == 0 { default } else { value }
}

/// # Safety
/// The pointer is null, or of `Box::into_raw` and not yet freed.
unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(pointer) });
    }
}
