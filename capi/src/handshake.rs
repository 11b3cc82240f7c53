//! The opening handshake of both roles. It keeps nothing: the functions parse the head again, which the caller still has.

use crate::{
    border::{Outcome, answer, bytes_mut, check, check_range, values},
    code::{
        Code, FW_E_ARGUMENT, FW_E_HEAD_TOO_LONG, FW_E_INVALID_REQUEST_LINE, FW_E_INVALID_STATUS_LINE,
        FW_E_NOT_UPGRADE, FW_E_OTHER, FW_E_REFUSED, FW_E_ROOM, FW_OK, handshake_error,
    },
    types::{
        FW_ACCEPT_SIZE, FW_LIST_MAX, fw_answer, fw_deflate, fw_field, fw_opened, fw_opening, fw_request,
        fw_str,
    },
};
use core::{
    ffi::{c_char, c_int},
    ptr,
};
use framewire::{
    extension::{DeflateOffer, DeflateParams, DeflatePolicy, DeflateResponse},
    handshake::{
        BuildError, ClientHandshake, ClientKey, HandshakeError, HeadLimits, HeadScanner, HeaderSlots,
        PlainResponse, Request, Response, Upgrade,
    },
};

/// Computes `Sec-WebSocket-Accept`.
///
/// # Safety
/// As the header says: `key` is valid for reads of `len` bytes, `accept` for writes of `FW_ACCEPT_SIZE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_accept_key(key: *const c_char, len: usize, accept: *mut c_char) -> c_int {
    answer(|| {
        check(accept)?;
        // SAFETY: the header demands it of `key`.
        let key = ClientKey::parse(unsafe { values(key.cast::<u8>(), len) }?).map_err(Code::code)?;
        let mut text = [0; FW_ACCEPT_SIZE];
        text[..FW_ACCEPT_SIZE - 1].copy_from_slice(key.accept().as_ref());
        // SAFETY: not null, as was checked; the header demands that it is valid for these writes. Bytes need no alignment.
        unsafe { accept.cast::<[u8; FW_ACCEPT_SIZE]>().write(text) };
        Ok(FW_OK)
    })
}

/// Parses the head of a request.
///
/// # Safety
/// As the header says: `data` is valid for reads of `len` bytes, `request` for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_request_parse(data: *const u8, len: usize, request: *mut fw_request) -> c_int {
    answer(|| {
        check(request)?;
        // SAFETY: the header demands it of `data`.
        let Some(head) = whole(unsafe { values(data, len) }?)? else { return Ok(0) };
        let mut slots = HeaderSlots::new();
        let parsed = Request::parse(head, &mut slots).map_err(Code::code)?;
        let upgrade = parsed.upgrade().map_err(Code::code)?;
        let value = fw_request {
            head: fw_str::of_bytes(head),
            method: fw_str::of(parsed.method()),
            target: fw_str::of(parsed.target()),
            path: fw_str::of(parsed.path()),
            query: parsed.query().map_or(fw_str::NONE, fw_str::of),
            host: parsed.host().map_or(fw_str::NONE, fw_str::of),
            origin: upgrade.and_then(|upgrade| upgrade.origin()).map_or(fw_str::NONE, fw_str::of),
            upgrade: upgrade.is_some().into(),
        };
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for a write.
        unsafe { request.write(value) };
        Ok(head.len() as c_int) // at most 8 KiB
    })
}

/// Finds a header of a request.
///
/// # Safety
/// As the header says: `request` is one that `fw_request_parse` filled, and its head is still there; `name` is valid;
/// `value` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_request_header(
    request: *const fw_request,
    name: fw_str,
    value: *mut fw_str,
) -> c_int {
    answer(|| {
        check(value)?;
        // SAFETY: the header demands it of both.
        let (head, name) = unsafe { (head(request)?, name.text()?.ok_or(FW_E_ARGUMENT)?) };
        let mut slots = HeaderSlots::new();
        let request = parse(head, &mut slots)?;
        let Some(found) = request.headers().get(name) else { return Ok(0) };
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for a write.
        unsafe { value.write(fw_str::of_bytes(found)) };
        Ok(1)
    })
}

/// Chooses one of the client's subprotocols.
///
/// # Safety
/// As the header says: `request` as for `fw_request_header`; `supported` is valid for reads of `count` strings, `chosen` for a
/// write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_request_subprotocol(
    request: *const fw_request,
    supported: *const fw_str,
    count: usize,
    chosen: *mut fw_str,
) -> c_int {
    answer(|| {
        check(chosen)?;
        let mut names = [""; FW_LIST_MAX];
        // SAFETY: the header demands it of `supported`.
        let names = unsafe { texts(supported, count, &mut names) }?;
        // SAFETY: the header demands it of `request`.
        let head = unsafe { head(request) }?;
        let mut slots = HeaderSlots::new();
        let Some(name) = upgrade(head, &mut slots)?.choose_subprotocol(names) else { return Ok(0) };
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for a write.
        unsafe { chosen.write(fw_str::of(name)) };
        Ok(1)
    })
}

/// Answers an offer of permessage-deflate.
///
/// # Safety
/// As the header says: `request` as for `fw_request_header`; `policy` is NULL, or valid for reads; `response` is valid for a
/// write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_request_deflate(
    request: *const fw_request,
    policy: *const fw_deflate,
    response: *mut fw_deflate,
) -> c_int {
    answer(|| {
        check(response)?;
        let policy = match check(policy) {
            Err(_) => fw_deflate::default(),
            // SAFETY: not null, as was checked; the header demands that it is valid for reads.
            Ok(()) => unsafe { policy.read() },
        };
        // SAFETY: the header demands it of `request`.
        let head = unsafe { head(request) }?;
        let mut slots = HeaderSlots::new();
        let Some(answer) = upgrade(head, &mut slots)?.deflate(&policy.policy()?) else { return Ok(0) };
        // SAFETY: not null, as was checked; the header demands that it is valid for a write.
        unsafe { response.write(fw_deflate::of_response(answer)) };
        Ok(1)
    })
}

/// Writes the answer that opens the WebSocket.
///
/// # Safety
/// As the header says: `request` as for `fw_request_header`; `answer` is NULL, or valid for reads with all that it points to;
/// `out` is valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_answer_write(
    request: *const fw_request,
    options: *const fw_answer,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        // SAFETY: the header demands it of `request`.
        let head = unsafe { head(request) }?;
        let mut slots = HeaderSlots::new();
        let mut response = upgrade(head, &mut slots)?.accept();
        let mut fields = [("", ""); FW_LIST_MAX];
        if !options.is_null() {
            check(options)?;
            // SAFETY: not null and aligned, as was checked; the header demands that it is valid, with what it points to.
            let options = unsafe { options.read() };
            // SAFETY: as above.
            response = response.subprotocol(unsafe { options.subprotocol.text() }?);
            if !options.deflate.is_null() {
                // SAFETY: as above; the type is of bytes, which need no alignment.
                response = response.deflate(Some(unsafe { options.deflate.read() }.response()));
            }
            // SAFETY: as above.
            response = response
                .extra_headers(unsafe { self::fields(options.headers, options.header_count, &mut fields) }?);
        }
        // SAFETY: the header demands it of `out`.
        unsafe { write(out, room, |buffer| response.write_to(buffer)) }
    })
}

/// Writes the answer to a request that is in error.
///
/// # Safety
/// As the header says: `out` is valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_refusal_write(error: c_int, out: *mut u8, room: usize) -> c_int {
    answer(|| {
        let response = PlainResponse::from(handshake_error(error).ok_or(FW_E_ARGUMENT)?);
        // SAFETY: the header demands it of `out`.
        unsafe { write(out, room, |buffer| response.write_to(buffer)) }
    })
}

/// Writes any other answer.
///
/// # Safety
/// As the header says: `body` and `headers` are valid for reads; `out` is valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_response_write(
    status: c_int,
    body: fw_str,
    headers: *const fw_field,
    header_count: usize,
    out: *mut u8,
    room: usize,
) -> c_int {
    answer(|| {
        let status = u16::try_from(status).map_err(|_| FW_E_ARGUMENT)?;
        let mut fields = [("", ""); FW_LIST_MAX];
        // SAFETY: the header demands it of `headers`.
        let mut response = PlainResponse::new(status)
            .extra_headers(unsafe { self::fields(headers, header_count, &mut fields) }?);
        // SAFETY: the header demands it of `body`.
        if let Some(body) = unsafe { body.text() }? {
            response = response.body(body);
        }
        // SAFETY: the header demands it of `out`.
        unsafe { write(out, room, |buffer| response.write_to(buffer)) }
    })
}

/// Writes the request with which a client opens a WebSocket.
///
/// # Safety
/// As the header says: `opening` is valid for reads with all that it points to; `out` is valid for writes of `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_opening_write(opening: *const fw_opening, out: *mut u8, room: usize) -> c_int {
    // SAFETY: the header demands it of `opening` and `out`.
    answer(|| unsafe {
        with_opening(opening, |handshake| write(out, room, |buffer| handshake.write_to(buffer)))
    })
}

/// Checks the server's answer.
///
/// # Safety
/// As the header says: `opening` is valid for reads with all that it points to, `data` for reads of `len` bytes, `opened` for
/// a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fw_opening_check(
    opening: *const fw_opening,
    data: *const u8,
    len: usize,
    opened: *mut fw_opened,
) -> c_int {
    answer(|| {
        check(opened)?;
        // SAFETY: the header demands it of `data`.
        let bytes = unsafe { values(data, len) }?;
        let Some((before, head)) = final_head(bytes)? else { return Ok(0) };
        let mut slots = HeaderSlots::new();
        let response = Response::parse(head, &mut slots).map_err(Code::code)?;
        let status = response.status().into();
        let mut value =
            fw_opened { subprotocol: fw_str::NONE, status, has_deflate: 0, deflate: fw_deflate::default() };
        let check = |handshake: &ClientHandshake<'_>| handshake.check(&response).map_err(Code::code);
        let mut outcome = Err(FW_E_REFUSED);
        // SAFETY: the header demands it of `opening`.
        unsafe {
            with_opening(opening, |handshake| {
                if let Some(negotiated) = check(handshake)? {
                    value.subprotocol = negotiated.subprotocol.map_or(fw_str::NONE, fw_str::of);
                    if let Some(params) = negotiated.deflate {
                        (value.has_deflate, value.deflate) = (1, fw_deflate::of_params(params));
                    }
                    outcome = Ok((before + head.len()) as c_int); // at most 16 KiB
                }
                Ok(FW_OK)
            })
        }?;
        // SAFETY: not null and aligned, as was checked; the header demands that it is valid for a write.
        unsafe { opened.write(value) };
        outcome
    })
}

/// The first head of a response that is not an interim one (RFC 9110 §15.2), if it is whole, and how many bytes are before it.
fn final_head(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, c_int> {
    let mut before = 0;
    while before <= HeadLimits::default().head_bytes {
        let head = match whole(&bytes[before..]) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(None),
            Err(FW_E_INVALID_REQUEST_LINE) => return Err(FW_E_INVALID_STATUS_LINE), // it is not that of a request
            Err(error) => return Err(error),
        };
        let mut slots = HeaderSlots::<64>::new();
        match Response::parse(head, &mut slots).map_err(Code::code)?.status() {
            101 | 200.. => return Ok(Some((before, head))),
            _ => before += head.len(),
        }
    }
    Err(FW_E_HEAD_TOO_LONG)
}

/// The head at the start of the bytes, if it is whole.
fn whole(bytes: &[u8]) -> Result<Option<&[u8]>, c_int> {
    let end = HeadScanner::new(HeadLimits::default()).feed(bytes).map_err(Code::code)?;
    Ok(end.and_then(|end| bytes.get(..end)))
}

/// # Safety
/// `request` is null, or one that `fw_request_parse` filled, and its head is still there.
unsafe fn head<'a>(request: *const fw_request) -> Result<&'a [u8], c_int> {
    check(request)?;
    // SAFETY: not null and aligned, as was checked; the rest is the caller's promise.
    let head = unsafe { (*request).head };
    // SAFETY: the caller's promise.
    unsafe { values(head.data.cast(), head.len) }
}

fn upgrade<'h, 'b>(head: &'b [u8], slots: &'h mut HeaderSlots<'b, 64>) -> Result<Upgrade<'h, 'b>, c_int> {
    parse(head, slots)?.upgrade().map_err(Code::code)?.ok_or(FW_E_NOT_UPGRADE)
}

/// Parses the head of a request that was parsed before.
fn parse<'h, 'b>(head: &'b [u8], slots: &'h mut HeaderSlots<'b, 64>) -> Result<Request<'h, 'b>, c_int> {
    Request::parse(head, slots).map_err(|error| match error {
        HandshakeError::Incomplete => FW_E_ARGUMENT, // it never was
        error => error.code(),
    })
}

/// # Safety
/// `out` is valid for writes of `room` bytes.
unsafe fn write(
    out: *mut u8,
    room: usize,
    write_to: impl Fn(&mut [u8]) -> Result<usize, BuildError>,
) -> Outcome {
    if out.is_null() {
        return Err(FW_E_ARGUMENT);
    }
    check_range(out, room)?;
    let needed = match write_to(&mut []) {
        Err(BuildError::BufferTooSmall { needed }) if needed <= room => needed,
        Err(error) => return Err(error.code()),
        Ok(_) => return Err(FW_E_OTHER), // nothing is of no bytes
    };
    // SAFETY: not null and not too long, as was checked; the rest is the caller's promise. Cleared, as a slice must be of
    // initialised bytes.
    unsafe { ptr::write_bytes(out, 0, needed) };
    // SAFETY: as above.
    let written = write_to(unsafe { bytes_mut(out, needed) }?).map_err(Code::code)?;
    c_int::try_from(written).map_err(|_| FW_E_ROOM)
}

/// # Safety
/// The pointer is valid for reads of `count` strings, and each string for reads of its length.
unsafe fn texts<'n, 'a>(
    pointer: *const fw_str,
    count: usize,
    names: &'n mut [&'a str; FW_LIST_MAX],
) -> Result<&'n [&'a str], c_int> {
    let names = names.get_mut(..count).ok_or(FW_E_ARGUMENT)?;
    // SAFETY: the caller's promise.
    for (name, text) in names.iter_mut().zip(unsafe { values(pointer, count) }?) {
        // SAFETY: the caller's promise.
        *name = unsafe { text.text() }?.ok_or(FW_E_ARGUMENT)?;
    }
    Ok(names)
}

/// # Safety
/// The pointer is valid for reads of `count` fields, and their strings for reads of their lengths.
unsafe fn fields<'n, 'a>(
    pointer: *const fw_field,
    count: usize,
    pairs: &'n mut [(&'a str, &'a str); FW_LIST_MAX],
) -> Result<&'n [(&'a str, &'a str)], c_int> {
    let pairs = pairs.get_mut(..count).ok_or(FW_E_ARGUMENT)?;
    // SAFETY: the caller's promise.
    for (pair, field) in pairs.iter_mut().zip(unsafe { values(pointer, count) }?) {
        // SAFETY: the caller's promise.
        let (name, value) = unsafe { (field.name.text()?, field.value.text()?) };
        *pair = (name.ok_or(FW_E_ARGUMENT)?, value.unwrap_or_default());
    }
    Ok(pairs)
}

/// Calls the code with the client's handshake.
///
/// # Safety
/// The pointer is null, or valid for reads with all that it points to.
unsafe fn with_opening(
    opening: *const fw_opening,
    body: impl FnOnce(&ClientHandshake<'_>) -> Outcome,
) -> Outcome {
    check(opening)?;
    // SAFETY: not null and aligned, as was checked; the rest is the caller's promise.
    let opening = unsafe { opening.read() };
    // SAFETY: the caller's promise, for this and the following.
    let (host, target) = unsafe { (opening.host.text()?, opening.target.text()?) };
    let (mut names, mut pairs) = ([""; FW_LIST_MAX], [("", ""); FW_LIST_MAX]);
    let mut offers = [DeflateOffer::default(); FW_LIST_MAX];
    let offers = offers.get_mut(..opening.offer_count).ok_or(FW_E_ARGUMENT)?;
    // SAFETY: as above.
    for (to, from) in offers.iter_mut().zip(unsafe { values(opening.offers, opening.offer_count) }?) {
        *to = from.offer();
    }
    let key = ClientKey::new(opening.nonce);
    let handshake = ClientHandshake::new(host.unwrap_or_default(), target.unwrap_or("/"), key)
        // SAFETY: as above.
        .origin(unsafe { opening.origin.text() }?)
        // SAFETY: as above.
        .subprotocols(unsafe { texts(opening.subprotocols, opening.subprotocol_count, &mut names) }?)
        .deflate(offers)
        // SAFETY: as above.
        .extra_headers(unsafe { fields(opening.headers, opening.header_count, &mut pairs) }?);
    body(&handshake)
}

impl fw_deflate {
    pub(crate) const fn offer(self) -> DeflateOffer {
        DeflateOffer {
            server_no_context_takeover: self.server_no_context_takeover != 0,
            client_no_context_takeover: self.client_no_context_takeover != 0,
            server_max_window_bits: limit(self.server_max_window_bits),
            client_max_window_bits: limit(self.client_max_window_bits),
        }
    }

    const fn response(self) -> DeflateResponse {
        DeflateResponse {
            server_no_context_takeover: self.server_no_context_takeover != 0,
            client_no_context_takeover: self.client_no_context_takeover != 0,
            server_max_window_bits: limit(self.server_max_window_bits),
            client_max_window_bits: limit(self.client_max_window_bits),
        }
    }

    fn policy(self) -> Result<DeflatePolicy, c_int> {
        self.check()?;
        Ok(DeflatePolicy {
            server_no_context_takeover: self.server_no_context_takeover != 0,
            client_no_context_takeover: self.client_no_context_takeover != 0,
            server_max_window_bits: bits(self.server_max_window_bits),
            client_max_window_bits: bits(self.client_max_window_bits),
        })
    }

    #[cfg(feature = "std")]
    pub(crate) fn params(self) -> Result<DeflateParams, c_int> {
        self.check()?;
        Ok(self.response().params())
    }

    /// Whether the window bits have a meaning.
    fn check(self) -> Result<(), c_int> {
        let fits = |bits| matches!(bits, 0 | 8..=15);
        let valid = fits(self.server_max_window_bits) && fits(self.client_max_window_bits);
        if valid { Ok(()) } else { Err(FW_E_ARGUMENT) }
    }

    fn of_response(response: DeflateResponse) -> Self {
        Self {
            server_no_context_takeover: response.server_no_context_takeover.into(),
            client_no_context_takeover: response.client_no_context_takeover.into(),
            server_max_window_bits: response.server_max_window_bits.unwrap_or_default(),
            client_max_window_bits: response.client_max_window_bits.unwrap_or_default(),
        }
    }

    fn of_params(params: DeflateParams) -> Self {
        Self {
            server_no_context_takeover: params.server_no_context_takeover.into(),
            client_no_context_takeover: params.client_no_context_takeover.into(),
            server_max_window_bits: params.server_max_window_bits,
            client_max_window_bits: params.client_max_window_bits,
        }
    }
}

const fn limit(bits: u8) -> Option<u8> {
    if bits == 0 { None } else { Some(bits) }
}

const fn bits(bits: u8) -> u8 {
    if bits == 0 { 15 } else { bits }
}
