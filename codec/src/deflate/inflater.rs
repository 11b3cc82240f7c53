//! Receiving: one compressed part in, many inflated parts out.

use super::{
    inflate_pool::{InflatePool, Place, window_bits},
    inflate_stream::{CORRUPT, Core, Input, Kept},
};
use crate::{
    connection::Role,
    error::ProtocolError,
    event::{Kind, Part},
    extension::DeflateParams,
    frame::Rsv,
    utf8::TextBuffer,
};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::{error, fmt, marker::PhantomData, mem};

/// Inflates the messages of one peer (RFC 7692 §7.2.2). It is a few words of state; it has a window only with context
/// takeover, once a message has been inflated. The [module](super) shows the host's loop.
#[derive(Debug)]
pub struct Inflater<R: Role> {
    core: Core,
    role: PhantomData<R>,
}

impl<R: Role> Inflater<R> {
    /// An inflater for a connection of this role with these negotiated parameters.
    ///
    /// # Errors
    /// [`NoWindow`] if the peer takes its context over and the pool cannot reserve a window for it.
    pub fn new(params: &DeflateParams, pool: &InflatePool) -> Result<Self, NoWindow> {
        let (no_takeover, bits) = if R::UNMASKS {
            (params.client_no_context_takeover, params.client_max_window_bits)
        } else {
            (params.server_no_context_takeover, params.server_max_window_bits)
        };
        let bits = window_bits(bits);
        let kept = if no_takeover {
            None
        } else {
            let grant = pool.budget().window(bits).ok_or(NoWindow)?;
            Some(Box::new(Kept::new(bits, grant)))
        };
        Ok(Self { core: Core { lent: None, kept, bits, error: None }, role: PhantomData })
    }

    /// Returns a [`Ready`], which inflates the messages that a read will bring. Call this **before** the socket is
    /// read.
    ///
    /// `None`: this peer is between two messages, and cannot begin one because all decompressors are lent
    /// ([`InflateConfig::messages`](super::InflateConfig::messages)). Do not read this peer, and try again when another
    /// peer's message has ended: see [waiting](super#waiting-for-a-decompressor).
    ///
    /// A decompressor is lent only when a message begins, so idle connections hold none. Until the `Ready` is dropped,
    /// it borrows the pool, and one message counts as begun. Each call may use another pool, such as another thread's:
    /// see [the costs](super#threads).
    pub fn ready<'a>(&'a mut self, pool: &'a mut InflatePool) -> Option<Ready<'a>> {
        let can = self.core.lent.is_some() || pool.reserve();
        can.then_some(Ready { core: &mut self.core, pool })
    }

    /// Whether a compressed message has begun and not ended. Until it ends, this connection holds a decompressor, so
    /// the host limits how long that may take.
    pub const fn is_open(&self) -> bool {
        self.core.lent.is_some()
    }
}

/// An [`Inflater`] and a pool that can serve it. See [`Inflater::ready`].
#[derive(Debug)]
pub struct Ready<'a> {
    core: &'a mut Core,
    pool: &'a mut InflatePool,
}

impl Ready<'_> {
    /// Takes in the next part (RFC 7692 §7.2.2). Call [`Inflated::next_part`] until it returns `None`, or
    /// [pause](Inflated::pause), before the next part. A part that is not compressed comes out unchanged.
    pub fn feed<'a, 'b>(&'a mut self, part: Part<'b>) -> Inflated<'a, 'b> {
        let feed = if part.rsv.contains(Rsv::RSV1) { self.begin(part) } else { Feed::Through(part) };
        Inflated { core: self.core, pool: self.pool, feed }
    }

    /// Inflates a whole text message (RFC 7692 §7.2.2), and validates it in the same pass. A text of at most
    /// [`InflateConfig::part`](super::InflateConfig::part) bytes takes one allocation, of its size.
    ///
    /// This is the easy way for a host that has each message whole: a decompressor is lent only for this call, so peers
    /// do not wait for each other. (`owned::Message::inflate` does the same for messages from `owned::Reader`.)
    ///
    /// ```
    /// use framewire::deflate::{InflatePool, Inflater};
    /// use framewire::{Connection, Event, Kind, Rsv, Server, extension::DeflateParams};
    ///
    /// let mut pool = InflatePool::default();
    /// let mut inflater = Inflater::<Server>::new(&DeflateParams::default(), &pool)?;
    /// let mut connection = Connection::<Server>::new().with_extension_bits(Rsv::RSV1);
    ///
    /// // RFC 7692 §7.2.3.1: "Hello", compressed; masked with a key of zero bytes.
    /// let mut rx = *b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00";
    /// if let Some(Event::Part(part)) = connection.receive(&mut &mut rx[..])? {
    ///     let whole = part.last; // and no part came before it
    ///     if let Some(mut ready) = inflater.ready(&mut pool).filter(|_| whole) {
    ///         match part.kind {
    ///             Kind::Text => assert_eq!(ready.inflate_text(part.bytes())?, "Hello"),
    ///             Kind::Binary => drop(ready.inflate_binary(part.bytes())?),
    ///         }
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Inflated::next_part`]; and [`ProtocolError::ExpectedContinuation`] if a message that was [fed](Self::feed)
    /// in parts [is open](Inflater::is_open). That is not the peer's fault but the caller's: a
    /// [`Connection`](crate::Connection) never returns a message inside another. No compressed message can be inflated
    /// after that: the rest of the open one should have been fed.
    pub fn inflate_text(&mut self, compressed: &[u8]) -> Result<String, ProtocolError> {
        let mut text = TextBuffer::default();
        self.core.whole(Input::whole(Kind::Text, compressed), self.pool, |bytes| text.push(bytes))?;
        text.finish().map_err(|_| self.core.fail(ProtocolError::InvalidUtf8, self.pool))
    }

    /// Inflates a binary message, as [`inflate_text`](Self::inflate_text) does a text.
    ///
    /// # Errors
    /// As [`inflate_text`](Self::inflate_text).
    pub fn inflate_binary(&mut self, compressed: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let mut message = Vec::new();
        self.core.whole(Input::whole(Kind::Binary, compressed), self.pool, |bytes| {
            message.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(message)
    }

    /// Keeps the place of the message that has just ended, so that it still counts among
    /// [`InflateConfig::messages`](super::InflateConfig::messages). So a host that has not finished its work with a
    /// message, such as [compressing](super::Deflater::begin) the reply to it, can limit how many messages it works on.
    ///
    /// Before the first message, this takes a place ahead: drop it just before you [ask](Inflater::ready) for the `Ready`
    /// that inflates the message. `None`: a message is open, and has its place.
    pub fn hold(self) -> Option<Place> {
        self.pool.place.take().map(Place::new)
    }

    fn begin<'b>(&mut self, part: Part<'b>) -> Feed<'b> {
        let (kind, last) = (part.kind, part.last);
        match self.core.begin(part.bytes(), self.pool) {
            Ok(()) if self.core.lent.is_some() => Feed::Compressed { part, taken: 0 },
            // No byte so far. Some peers send an empty message like this (RFC 7692 §7.2.3.6 has one byte for it).
            Ok(()) if last => Feed::Empty(kind),
            Ok(()) => Feed::Over,
            Err(error) => Feed::Failed(error),
        }
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        self.pool.release(); // an idle connection keeps nothing from others
    }
}

/// The inflated bytes of a part. Call [`next_part`](Self::next_part) until it returns `None`, or [`pause`](Self::pause).
#[derive(Debug)]
#[must_use = "the message is lost unless `next_part` is called until it returns `None`"]
pub struct Inflated<'a, 'b> {
    core: &'a mut Core,
    pool: &'a mut InflatePool,
    feed: Feed<'b>,
}

#[derive(Debug)]
enum Feed<'b> {
    /// Not compressed.
    Through(Part<'b>),
    /// Of the part, this many bytes are taken in.
    Compressed {
        part: Part<'b>,
        taken: usize,
    },
    /// An empty message.
    Empty(Kind),
    Over,
    Failed(ProtocolError),
}

impl<'b> Inflated<'_, 'b> {
    /// Returns the next inflated bytes of the message, at most [`InflateConfig::part`](super::InflateConfig::part).
    /// Those of a text are validated, as by a [`Connection`](crate::Connection). `Ok(None)`: the part that was fed is
    /// used up.
    ///
    /// A message that came in one part and is shorter than one part is returned as one part. One that fills its last part
    /// ends with an empty part.
    ///
    /// # Errors
    /// [`ProtocolError::CorruptDeflate`], [`ProtocolError::InvalidUtf8`]; [`ProtocolError::MessageTooBig`] if the
    /// message inflates to more than [`InflateConfig::message`](super::InflateConfig::message), or has more than 2 GiB
    /// of compressed bytes on a target whose `c_ulong` has 32 bits, such as Windows. Give the error to
    /// [`Connection::fail`](crate::Connection::fail). Each further call, and each further compressed part, returns the same
    /// error.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>, ProtocolError> {
        match mem::replace(&mut self.feed, Feed::Over) {
            Feed::Through(part) => Ok(Some(part)),
            Feed::Empty(kind) => Ok(Some(Part::new(kind, Rsv::NONE, &mut [], true))),
            Feed::Over => Ok(None),
            Feed::Failed(error) => {
                self.feed = Feed::Failed(error);
                Err(error)
            }
            Feed::Compressed { part, taken } => {
                let kind = part.kind;
                let mut input = Input { bytes: &part.bytes()[taken..], kind, last: part.last };
                match self.core.pull(&mut input, self.pool) {
                    Ok((len, span, last)) => {
                        if !last {
                            if len == 0 {
                                return Ok(None);
                            }
                            let taken = part.bytes().len() - input.bytes.len();
                            self.feed = Feed::Compressed { part, taken };
                        }
                        Ok(Some(Part::checked(kind, Rsv::NONE, &mut self.pool.out[..len], last, span)))
                    }
                    Err(error) => {
                        self.feed = Feed::Failed(error);
                        Err(self.core.fail(error, self.pool))
                    }
                }
            }
        }
    }

    /// Stops for now, so that one message does not hold up others. Returns the rest of the part, which has no bytes if
    /// only output is left, or `None` if the part is used up. Feed the rest before the next part of this message: now
    /// or later, with the same pool or another, in this buffer or in another one ([`Part::new`], with the same fields).
    /// However often a message is paused, the same bytes and errors come out.
    ///
    /// ```
    /// use framewire::deflate::{InflateConfig, InflatePool, Inflater};
    /// use framewire::{Kind, Part, Rsv, Server, extension::DeflateParams};
    ///
    /// let mut pool = InflatePool::new(InflateConfig { part: 2, ..InflateConfig::default() });
    /// let mut inflater = Inflater::<Server>::new(&DeflateParams::default(), &pool)?;
    /// let mut compressed = *b"\xf2\x48\xcd\xc9\xc9\x07\x00"; // RFC 7692 §7.2.3.1
    /// let mut turns = vec![];
    /// let mut rest = Some(Part::new(Kind::Text, Rsv::RSV1, &mut compressed, true));
    /// while let Some(part) = rest {
    ///     let mut ready = inflater.ready(&mut pool).expect("it is free, or this message has it");
    ///     let mut parts = ready.feed(part);
    ///     turns.extend(parts.next_part()?.map(|part| part.bytes().to_vec()));
    ///     rest = parts.pause();
    /// }
    /// assert_eq!(turns, [&b"He"[..], b"ll", b"o"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the message is lost unless the rest is fed"]
    pub fn pause(mut self) -> Option<Part<'b>> {
        match mem::replace(&mut self.feed, Feed::Over) {
            Feed::Through(part) => Some(part),
            Feed::Compressed { part, taken } => {
                let Part { kind, rsv, last, .. } = part;
                Some(Part::new(kind, rsv, &mut part.into_bytes()[taken..], last))
            }
            Feed::Empty(kind) => Some(Part::new(kind, Rsv::RSV1, &mut [], true)),
            Feed::Over | Feed::Failed(_) => None,
        }
    }
}

impl Drop for Inflated<'_, '_> {
    fn drop(&mut self) {
        if let Feed::Compressed { .. } = self.feed {
            // The host did not take all of the part, so the next part would not continue the stream.
            self.core.fail(CORRUPT, self.pool);
        }
    }
}

/// The pool cannot reserve a window for another peer: its budget for [windows](super::InflateConfig::windows) is used
/// up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoWindow;

impl fmt::Display for NoWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no window is left for a peer with context takeover")
    }
}

impl error::Error for NoWindow {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::Server,
        deflate::{inflate_pool::InflateConfig, inflate_stream::MOST_WIRE},
    };

    /// "Hello", and "Hello" by reference to it (RFC 7692 §7.2.3.1, §7.2.3.2); nothing, in a final block.
    const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    const AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";
    const FINAL: &[u8] = b"\x03\x00";

    fn read(inflater: &mut Inflater<Server>, pool: &mut InflatePool, wire: &[u8]) {
        let (mut ready, mut wire) = (inflater.ready(pool).unwrap(), wire.to_vec());
        let mut parts = ready.feed(Part::new(Kind::Text, Rsv::RSV1, &mut wire, true));
        while parts.next_part().unwrap().is_some() {}
    }

    const fn params(bits: u8) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: bits,
            client_max_window_bits: bits,
        }
    }

    /// Whether the connection's next message can continue after its last one, in an idle decompressor.
    fn goes_on(inflater: &Inflater<Server>, pool: &InflatePool) -> bool {
        let last = inflater.core.kept.as_ref().and_then(|kept| kept.last);
        last.is_some() && pool.idle.iter().any(|idle| idle.left_by == last)
    }

    #[test]
    fn a_window_is_read_in_only_if_another_connection_used_the_decompressor() {
        let mut pool = InflatePool::new(InflateConfig { messages: 1, ..InflateConfig::default() });
        let mut other = InflatePool::default();
        let mut one = Inflater::new(&params(15), &pool).unwrap();
        let mut two = Inflater::new(&params(15), &pool).unwrap();
        for wire in [HELLO, AGAIN, AGAIN] {
            read(&mut one, &mut pool, wire);
            assert!(goes_on(&one, &pool));
        }
        read(&mut two, &mut pool, HELLO);
        assert!(goes_on(&two, &pool) && !goes_on(&one, &pool));
        read(&mut one, &mut pool, AGAIN);
        assert!(goes_on(&one, &pool) && !goes_on(&two, &pool));
        // If the last block is a final one, a new stream begins at once.
        for wire in [FINAL, &[FINAL, &[0]].concat(), AGAIN] {
            read(&mut one, &mut pool, wire);
            assert!(goes_on(&one, &pool), "{wire:x?}");
        }
        // But not if a final block ends only with the bytes that the peer removed.
        read(&mut one, &mut pool, b"\x01");
        assert!(!goes_on(&one, &pool));
        read(&mut one, &mut pool, AGAIN);
        // In another pool it reads its window in, and continues there. Then it must read it in here again.
        read(&mut one, &mut other, AGAIN);
        assert!(goes_on(&one, &other) && !goes_on(&one, &pool));
        read(&mut one, &mut pool, AGAIN);
        assert!(goes_on(&one, &pool) && !goes_on(&one, &other));
        // A decompressor has 32 KiB. For a smaller window, it would accept references that reach too far.
        let mut small = Inflater::new(&params(14), &pool).unwrap();
        read(&mut small, &mut pool, HELLO);
        assert!(!goes_on(&small, &pool));
    }

    /// Pretends that almost as many bytes have arrived as zlib-rs can count on this target.
    #[test]
    fn a_message_that_cannot_be_counted_is_too_big() {
        for cut in 0..=HELLO.len() {
            for (left, fits) in [(HELLO.len(), true), (HELLO.len() - 1, false), (1, false)] {
                let mut pool = InflatePool::default();
                let mut one = Inflater::<Server>::new(&params(15), &pool).unwrap();
                let mut ready = one.ready(&mut pool).unwrap();
                let mut empty = *b"\0\0\0\xff\xff";
                let first = Part::new(Kind::Binary, Rsv::RSV1, &mut empty, false);
                assert_eq!(ready.feed(first).next_part(), Ok(None));
                ready.core.lent.as_mut().unwrap().wire_len = MOST_WIRE - left as u64;
                let mut outcome = Ok(());
                for (piece, last) in [(&HELLO[..cut], false), (&HELLO[cut..], true)] {
                    let mut piece = piece.to_vec();
                    let mut parts = ready.feed(Part::new(Kind::Binary, Rsv::RSV1, &mut piece, last));
                    outcome = loop {
                        match parts.next_part() {
                            Ok(Some(_)) => {}
                            Ok(None) => break Ok(()),
                            Err(error) => break Err(error),
                        }
                    };
                    if outcome.is_err() {
                        break;
                    }
                }
                assert_eq!(outcome, if fits { Ok(()) } else { Err(ProtocolError::MessageTooBig) }, "{cut}");
            }
        }
    }

    #[test]
    fn a_message_that_cannot_begin_fails_the_stream() {
        let mut pool = InflatePool::new(InflateConfig { messages: 1, ..InflateConfig::default() });
        let mut one = Inflater::<Server>::new(&params(15), &pool).unwrap();
        let mut two = Inflater::<Server>::new(&params(15), &pool).unwrap();
        let mut start = [HELLO[0]];
        let part = Part::new(Kind::Text, Rsv::RSV1, &mut start, false);
        assert_eq!(one.ready(&mut pool).unwrap().feed(part).next_part(), Ok(None));
        // Without a `Ready`, which would have found that no decompressor is free.
        let whole = two.core.whole(Input::whole(Kind::Text, HELLO), &mut pool, |_| Ok(()));
        assert_eq!(whole, Err(CORRUPT));
        drop(one);
        assert_eq!(two.ready(&mut pool).unwrap().inflate_text(HELLO), Err(CORRUPT), "the error stays");
    }

    #[test]
    fn a_few_connections_have_decompressors_of_their_own() {
        for (connections, decompressors) in [(1, 1), (2, 2), (4, 4), (20, 4)] {
            let mut pool = InflatePool::default();
            let mut all: Vec<_> =
                (0..connections).map(|_| Inflater::new(&params(15), &pool).unwrap()).collect();
            for _ in 0..3 {
                all.iter_mut().for_each(|each| read(each, &mut pool, HELLO));
            }
            assert_eq!(pool.decompressors(), decompressors);
            let own = all.iter().filter(|each| goes_on(each, &pool)).count();
            assert_eq!(own, decompressors);
        }
    }

    #[test]
    fn a_message_that_is_given_up_leaves_no_decompressor() {
        let mut pool = InflatePool::default();
        let mut one = Inflater::<Server>::new(&params(15), &pool).unwrap();
        let mut two = Inflater::<Server>::new(&params(15), &pool).unwrap();
        read(&mut one, &mut pool, HELLO);
        let last = one.core.kept.as_ref().unwrap().last;
        let mut corrupt = *b"\x07";
        let part = Part::new(Kind::Text, Rsv::RSV1, &mut corrupt, true);
        assert_eq!(two.ready(&mut pool).unwrap().feed(part).next_part(), Err(CORRUPT));
        assert!(last.is_some() && pool.idle.iter().all(|idle| idle.left_by.is_none()));
    }
}
