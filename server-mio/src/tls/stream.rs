//! A stream over TLS, on the unbuffered interface of rustls.
//!
//! Received bytes are decrypted in a buffer of the thread, all whole records at once, and sent bytes are encrypted into another
//! one. A connection holds bytes only while they wait: the start of a record that has not arrived completely, plaintext for
//! which a read had no room, and encrypted bytes that the stream below did not take.
//!
//! Encrypted bytes that wait are not reported as written. The caller writes the same bytes again, and the first of them, which
//! are [encrypted already](Tls::ahead), are only counted. So the caller's backlog is the only one, and its limits hold.

use super::buffers::{Encrypted, Scratch, Sink, Waiting};
use framewire::handshake::PlainResponse;
use rustls::{
    ServerConfig,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
        WriteTraffic,
    },
};
use std::{
    cell::RefCell,
    fmt,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    sync::Arc,
};

/// A stream below TLS. It may block or not.
pub(crate) trait Inner: Read + Write {
    /// Closes our side: the peer reads the end of the stream.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Whether a read may leave bytes although it does not fill its buffer.
    fn may_read_short(&self) -> bool;
}

/// A stream over TLS: the server's side.
pub(crate) struct Tls<S> {
    inner: S,
    connection: UnbufferedServerConnection,
    state: State,
    /// The start of a record or of a handshake message.
    partial: Vec<u8>,
    /// Plaintext that was not read.
    plain: Waiting,
    /// Encrypted bytes that the stream below has not taken.
    pending: Waiting,
    /// How many bytes that were not reported as written are encrypted already.
    ahead: usize,
    /// The last read below may have left bytes.
    more: bool,
    /// How many bytes the stream below gave since this was last asked.
    received: usize,
    closing: Closing,
}

#[derive(Debug)]
enum State {
    /// Nothing has been received.
    New,
    Open,
    /// The peer has closed its side.
    Ended,
    /// The peer has broken the protocol. The next read behind the plaintext, or write, reports that, and sends the alert.
    Failing(io::Error, Box<[u8]>),
    /// What arrives now is discarded: if it stayed unread, the kernel would reset the connection, perhaps before the peer has
    /// read the alert.
    Failed,
}

/// Our side of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// When all that waits is sent.
    Due,
    Done,
}

/// The longest record (RFC 5246 §6.2.3), with its header. No message of a handshake that a client may send is longer.
const RECORD: usize = 5 + (16 << 10) + 2048;

/// The most plaintext of a record.
const FRAGMENT: usize = 16 << 10;

/// The most bytes that are read at once.
const READ: usize = 256 << 10;

/// The most reads that bring no plaintext, before other connections get their turn.
const READS: usize = 8;

/// The most plaintext that is encrypted for one write.
const WRITE: usize = 4 * FRAGMENT;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl<S> Tls<S> {
    /// The stream below.
    pub(crate) const fn inner(&self) -> &S {
        &self.inner
    }

    /// The stream below. Only bytes that TLS has handled may be read or written.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S: Inner> Tls<S> {
    pub(super) fn new(inner: S, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            inner,
            connection: UnbufferedServerConnection::new(config)?,
            state: State::New,
            partial: Vec::new(),
            plain: Waiting::default(),
            pending: Waiting::default(),
            ahead: 0,
            more: false,
            received: 0,
            closing: Closing::No,
        })
    }

    /// Whether the handshake is not over.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether there may be more to read although the last read did not fill its buffer.
    pub(crate) fn has_more(&self) -> bool {
        self.more || self.has_plain() || matches!(self.state, State::Ended | State::Failing(..))
    }

    /// Whether a read returns plaintext, the end, or an error without reading the stream below.
    pub(crate) fn has_input(&self) -> bool {
        self.has_plain() || matches!(self.state, State::Ended | State::Failing(..))
    }

    /// How many bytes the stream below gave since this was last asked.
    pub(crate) const fn take_received(&mut self) -> usize {
        std::mem::replace(&mut self.received, 0)
    }

    fn has_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Whether no bytes wait, and no memory is kept for some.
    #[cfg(all(test, feature = "self-signed"))]
    pub(super) fn holds_nothing(&self) -> bool {
        let Self { partial, plain, pending, .. } = self;
        partial.capacity() == 0 && plain.is_empty() && pending.is_empty()
    }

    /// Closes our side: sends a `close_notify` (RFC 8446 §6.1), then closes that of the stream below. If it does not take all
    /// now, [`flush`](Write::flush) and reads go on with it.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if self.closing != Closing::No {
            return Ok(());
        }
        self.closing = Closing::Due;
        if !self.is_handshaking() && matches!(self.state, State::Open | State::Ended) {
            SCRATCH.with_borrow_mut(|scratch| {
                let notify = |traffic: &mut WriteTraffic<'_, _>, out: &mut Encrypted| {
                    fill(out, 64, |room| traffic.queue_close_notify(room))
                };
                scratch.encrypted.clear();
                if self.traffic(&mut scratch.encrypted, notify).is_some() {
                    self.send(scratch.encrypted.bytes())?;
                }
                Ok::<_, io::Error>(())
            })?;
        }
        self.finish()
    }

    /// Closes our side of the stream below once all is sent.
    fn finish(&mut self) -> io::Result<()> {
        if self.closing == Closing::Due && self.pending.is_empty() {
            self.closing = Closing::Done;
            return self.inner.shutdown_write();
        }
        Ok(())
    }

    /// Sends what waits, as far as the stream below takes it.
    fn send_pending(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            let n = write(&mut self.inner, self.pending.rest())?;
            self.pending.advance(n);
        }
        self.finish()
    }

    /// Sends encrypted bytes, and keeps what the stream below does not take. Returns how many it took. After the end of our side,
    /// answers and alerts are discarded.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closing == Closing::Done {
            return Ok(bytes.len());
        }
        let mut sent = 0;
        while self.pending.is_empty() && sent < bytes.len() {
            match write(&mut self.inner, &bytes[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if sent < bytes.len() {
            self.pending.push(&bytes[sent..]);
        }
        Ok(sent)
    }

    /// Reads the stream below until there is plaintext. Never after that: it might block.
    fn receive(&mut self, sink: &mut Sink<'_, '_>, scratch: &mut Scratch) -> io::Result<usize> {
        for _ in 0..READS {
            let kept = self.partial.len();
            let buffer = scratch.received(kept + sink.room().clamp(RECORD, READ));
            buffer[..kept].copy_from_slice(&self.partial);
            let room = buffer.len() - kept;
            self.more = false;
            let got = read(&mut self.inner, &mut buffer[kept..])?;
            if got == 0 {
                let cut = self.is_handshaking() && !matches!(self.state, State::New);
                self.state = State::Ended;
                return if cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(0) };
            }
            self.more = got == room || self.inner.may_read_short();
            self.received = self.received.saturating_add(got);
            scratch.encrypted.clear();
            let plain = self.decrypt(kept + got, sink, scratch);
            self.send(scratch.encrypted.bytes())?;
            match self.state {
                _ if plain > 0 => return Ok(plain),
                State::Ended => return Ok(0),
                State::Failing(..) => return Err(self.fail()),
                State::New | State::Open | State::Failed => {}
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Decrypts the first `len` bytes of the buffer for received bytes: all whole records. Keeps what is left, and the plaintext
    /// for which there is no room. Returns how much plaintext there was room for.
    fn decrypt(&mut self, len: usize, sink: &mut Sink<'_, '_>, scratch: &mut Scratch) -> usize {
        let Scratch { received, encrypted, .. } = scratch;
        let mut input = &mut received[..len];
        if matches!(self.state, State::New) {
            self.state = State::Open;
            // Records of TLS begin with a number below 32.
            if input[0].is_ascii_uppercase() {
                let answer =
                    PlainResponse::new(400).body("this port needs TLS: https:// or wss://\n").to_vec();
                self.state = State::Failing(
                    invalid("the peer speaks HTTP without TLS"),
                    answer.unwrap_or_default().into(),
                );
                return 0;
            }
        }
        let mut put = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(input);
            let mut goes_on = true;
            let outcome = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        None => break Ok(()),
                        Some(Ok(record)) => {
                            discard += record.discard;
                            let n = sink.put(record.payload);
                            put += n;
                            if n < record.payload.len() {
                                self.plain.push(&record.payload[n..]);
                            }
                        }
                        Some(Err(error)) => break Err(error),
                    }
                },
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, encrypted),
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Ok(())
                }
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    self.state = State::Ended;
                    goes_on = false;
                    Ok(())
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => {
                    goes_on = false;
                    Ok(())
                }
                // No early data is configured.
                Ok(_) => Err(rustls::Error::General("an unexpected state".into())),
                Err(error) => Err(error),
            };
            input = &mut input[discard..];
            if let Err(error) = outcome {
                let alert = self.alert(input);
                self.state = State::Failing(invalid(error), alert);
                input = &mut [];
                goes_on = false;
            }
            if !goes_on {
                break;
            }
        }
        if input.len() > RECORD {
            self.state = State::Failing(invalid("a message of the handshake is too long"), Box::default());
            input = &mut [];
        }
        self.keep(input);
        put
    }

    /// Keeps the start of a record.
    fn keep(&mut self, partial: &[u8]) {
        if partial.is_empty() || !matches!(self.state, State::Open) {
            self.partial = Vec::new();
        } else {
            self.partial.clear();
            self.partial.reserve_exact(partial.len());
            self.partial.extend_from_slice(partial);
        }
    }

    /// What rustls has for the peer after an error: an alert, perhaps behind records of the handshake. Nothing may be asked for
    /// behind the alert: rustls would go on with the input.
    fn alert(&mut self, input: &mut [u8]) -> Box<[u8]> {
        let mut out = Encrypted::default();
        loop {
            let at = out.bytes().len();
            let UnbufferedStatus { state, .. } = self.connection.process_tls_records(input);
            let Ok(ConnectionState::EncodeTlsData(data)) = state else { break };
            if encode(data, &mut out).is_err() || is_alert(&out.bytes()[at..]) {
                break;
            }
        }
        out.bytes().into()
    }

    /// Sends the alert, and returns the error.
    fn fail(&mut self) -> io::Error {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Failing(error, alert) => match self.send(&alert) {
                Ok(_) => error,
                Err(error) => error,
            },
            _ => invalid("TLS has failed"),
        }
    }

    /// Reads and discards what a peer sends after an error.
    fn discard(&mut self, scratch: &mut Scratch) -> io::Result<usize> {
        for _ in 0..READS {
            if read(&mut self.inner, scratch.received(RECORD))? == 0 {
                return Ok(0);
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Encrypts the first bytes of the slices, and sends them. Returns how many were sent completely.
    fn send_plain(&mut self, slices: &[IoSlice<'_>], scratch: &mut Scratch) -> io::Result<usize> {
        let Scratch { gathered, encrypted, .. } = scratch;
        let plain = match slices.iter().find(|slice| !slice.is_empty()) {
            Some(slice) if slice.len() >= WRITE => &slice[..WRITE],
            Some(_) => {
                gathered.clear();
                for slice in slices {
                    gathered.extend_from_slice(&slice[..slice.len().min(WRITE - gathered.len())]);
                }
                &gathered[..]
            }
            None => return Ok(0),
        };
        encrypted.clear();
        let outcome = self.traffic(encrypted, |traffic, out| {
            fill(out, plain.len() + (1 + plain.len() / FRAGMENT) * 64, |room| traffic.encrypt(plain, room))
        });
        match outcome {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Err(io::ErrorKind::WouldBlock.into()), // the handshake is not over
        }
        let sent = self.send(encrypted.bytes())?;
        if sent == encrypted.bytes().len() {
            return Ok(plain.len());
        }
        let reported = (whole_fragments(encrypted.bytes(), sent, plain.len()) * FRAGMENT).min(plain.len());
        self.ahead = plain.len() - reported;
        if reported > 0 { Ok(reported) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Calls `act` if bytes can be encrypted now. Whatever must be sent before is put before it.
    fn traffic<T>(
        &mut self,
        out: &mut Encrypted,
        act: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>, &mut Encrypted) -> T,
    ) -> Option<T> {
        loop {
            // What arrived must be passed again: positions in it are part of the state.
            let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut self.partial);
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => return Some(act(&mut traffic, out)),
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out).ok()?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.state = State::Ended,
                _ => return None,
            }
        }
    }
}

impl<S: Inner> Read for Tls<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    /// An error of the kind [`InvalidData`](io::ErrorKind::InvalidData) is one of the peer. Then our side should be closed, and
    /// the stream be read to its end. [`Interrupted`](io::ErrorKind::Interrupted): much has arrived, but no plaintext.
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self.send_pending() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        let mut sink = Sink::new(buffers);
        if self.has_plain() || sink.room() == 0 {
            let n = sink.put(self.plain.rest());
            self.plain.advance(n);
            return Ok(n);
        }
        SCRATCH.with_borrow_mut(|scratch| match self.state {
            State::New | State::Open => self.receive(&mut sink, scratch),
            State::Ended => Ok(0),
            State::Failing(..) => Err(self.fail()),
            State::Failed => self.discard(scratch),
        })
    }
}

impl<S: Inner> Write for Tls<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// After an error of the kind [`WouldBlock`](io::ErrorKind::WouldBlock), the next write must begin with the same bytes.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.closing != Closing::No {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if matches!(self.state, State::Failing(..) | State::Failed) {
            return Err(self.fail()); // not `WouldBlock`: no event would follow
        }
        self.send_pending()?;
        if self.ahead > 0 {
            let n = slices.iter().map(|slice| slice.len()).sum::<usize>().min(self.ahead);
            self.ahead -= n;
            return Ok(n);
        }
        SCRATCH.with_borrow_mut(|scratch| self.send_plain(slices, scratch))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_pending()
    }
}

impl<S: fmt::Debug> fmt::Debug for Tls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("inner", &self.inner).field("state", &self.state).finish_non_exhaustive()
    }
}

/// Whether a record is an alert. TLS 1.3 encrypts its type; of what a server sends, no other record is so short.
fn is_alert(record: &[u8]) -> bool {
    const ENCRYPTED: usize = 5 + 2 + 1 + 16;
    matches!((record.first(), record.len()), (Some(21), _) | (Some(23), ..=ENCRYPTED))
}

/// How many of the fragments of a plaintext are sent completely, if `sent` bytes of these records are. Other records may precede
/// them.
fn whole_fragments(records: &[u8], sent: usize, plain: usize) -> usize {
    let (mut all, mut whole, mut at) = (0, 0, 0);
    while let Some(&[_, _, _, high, low]) = records.get(at..at + 5) {
        at += 5 + usize::from(u16::from_be_bytes([high, low]));
        all += 1;
        whole += usize::from(at <= sent);
    }
    (plain.div_ceil(FRAGMENT) + whole).saturating_sub(all)
}

/// Adds a message of the handshake, or an alert.
fn encode(
    mut data: EncodeTlsData<'_, ServerConnectionData>,
    out: &mut Encrypted,
) -> Result<(), rustls::Error> {
    let mut len = 0;
    loop {
        match data.encode(&mut out.room(len)[..]) {
            Ok(n) => {
                out.add(n);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > len =>
            {
                len = required_size;
            }
            Err(error) => return Err(rustls::Error::General(error.to_string())),
        }
    }
}

/// Adds what `act` writes, which takes about `len` bytes.
fn fill(
    out: &mut Encrypted,
    mut len: usize,
    mut act: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), EncryptError> {
    loop {
        match act(out.room(len)) {
            Ok(n) => {
                out.add(n);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > len =>
            {
                len = required_size;
            }
            Err(error) => return Err(error),
        }
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn read(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Writes some bytes: at least one.
fn write(stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        // Not `write`: a socket remembers a short vectored write, and answers the next one without a system call.
        match stream.write_vectored(&[IoSlice::new(bytes)]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            other => return other,
        }
    }
}
