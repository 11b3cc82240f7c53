//! The two ends of a connection, and how each masks its frames.

use super::limits::Limits;
use crate::{
    control::{LentSpill, OwnSpill, Spill},
    mask::Key,
};
use core::fmt;

/// Which end of the connection this is: [`Server`] or [`Client`].
pub trait Role: sealed::Role + Copy + Send + Sync + Unpin + 'static {
    /// How this end masks a frame that it sends (RFC 6455 §5.1): [`Unmasked`] for a server, a [`Key`] for a client. The
    /// host draws a fresh, unpredictable key for each frame (§5.3, §10.3).
    ///
    /// Code for both roles that masks payloads itself turns this into an `Option<Key>`.
    type Key: Copy + fmt::Debug + Into<Option<Key>> + KeySource<Self>;

    /// Makes the key of a frame. For a client it calls `draw`; for a server it does not.
    ///
    /// ```
    /// use framewire::{Client, Role, Server, Unmasked, mask::Key};
    ///
    /// assert_eq!(Client::key(|| Key::new([1, 2, 3, 4])), Key::new([1, 2, 3, 4]));
    /// assert_eq!(Server::key(|| unreachable!()), Unmasked);
    /// ```
    fn key(draw: impl FnOnce() -> Key) -> Self::Key;
}

/// The end that accepted the connection: it receives masked frames and sends unmasked ones.
#[derive(Clone, Copy, Debug)]
pub enum Server {}

/// The end that opened the connection: it receives unmasked frames and sends masked ones.
#[derive(Clone, Copy, Debug)]
pub enum Client {}

/// A [`Server`] whose host lends the memory for control frames that are split across reads: see `internal`.
#[derive(Clone, Copy, Debug)]
pub enum LentServer {}

/// A [`Client`] whose host lends that memory.
#[derive(Clone, Copy, Debug)]
pub enum LentClient {}

impl Role for Server {
    type Key = Unmasked;

    #[inline]
    fn key(_: impl FnOnce() -> Key) -> Unmasked {
        Unmasked
    }
}

impl Role for Client {
    type Key = Key;

    #[inline]
    fn key(draw: impl FnOnce() -> Key) -> Key {
        draw()
    }
}

impl Role for LentServer {
    type Key = Unmasked;

    #[inline]
    fn key(_: impl FnOnce() -> Key) -> Unmasked {
        Unmasked
    }
}

impl Role for LentClient {
    type Key = Key;

    #[inline]
    fn key(draw: impl FnOnce() -> Key) -> Key {
        draw()
    }
}

/// Takes the place of a key for a server's frames, which are not masked (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Unmasked;

impl From<Unmasked> for Option<Key> {
    #[inline]
    fn from(_: Unmasked) -> Self {
        None
    }
}

/// The key of a frame that may not be needed, for `reply`, `fail` and `fail_with`: [`Unmasked`] for a
/// server, a [`Key`] for a client, or a closure that returns one of these and is called only if there is a frame.
pub trait KeySource<R: Role>: sealed::KeySource<R> {}

impl KeySource<Server> for Unmasked {}
impl KeySource<Client> for Key {}
impl KeySource<LentServer> for Unmasked {}
impl KeySource<LentClient> for Key {}
impl<R: Role, F: FnOnce() -> R::Key> KeySource<R> for F {}

#[expect(unnameable_types, reason = "there are only two roles")]
pub(super) mod sealed {
    use super::{Client, Key, LentClient, LentServer, LentSpill, Limits, OwnSpill, Server, Spill, Unmasked};

    pub trait Role {
        /// Whether frames arrive masked.
        const UNMASKS: bool;
        const LIMITS: Limits;
        /// Where a control frame waits that is split across reads.
        type Spill: Spill;
    }

    impl Role for Server {
        const UNMASKS: bool = true;
        const LIMITS: Limits = Limits::SERVER;
        type Spill = OwnSpill;
    }

    impl Role for Client {
        const UNMASKS: bool = false;
        const LIMITS: Limits = Limits::CLIENT;
        type Spill = OwnSpill;
    }

    impl Role for LentServer {
        const UNMASKS: bool = Server::UNMASKS;
        const LIMITS: Limits = Server::LIMITS;
        type Spill = LentSpill;
    }

    impl Role for LentClient {
        const UNMASKS: bool = Client::UNMASKS;
        const LIMITS: Limits = Client::LIMITS;
        type Spill = LentSpill;
    }

    pub trait KeySource<R: super::Role> {
        fn key(self) -> R::Key;
    }

    impl KeySource<Server> for Unmasked {
        #[inline]
        fn key(self) -> Self {
            self
        }
    }

    impl KeySource<Client> for Key {
        #[inline]
        fn key(self) -> Self {
            self
        }
    }

    impl KeySource<LentServer> for Unmasked {
        #[inline]
        fn key(self) -> Self {
            self
        }
    }

    impl KeySource<LentClient> for Key {
        #[inline]
        fn key(self) -> Self {
            self
        }
    }

    impl<R: super::Role, F: FnOnce() -> R::Key> KeySource<R> for F {
        #[inline]
        fn key(self) -> R::Key {
            self()
        }
    }
}
