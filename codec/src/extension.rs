//! The parameters of permessage-deflate (RFC 7692) as values: what a client offers, what a server answers, and what
//! both have agreed on. No compression happens here, nothing is allocated, and the `handshake` feature is not
//! needed: a host that has an HTTP stack hands over the value of `Sec-WebSocket-Extensions` and gets a value back.
//!
//! A server answers the first offer that it can keep:
//!
//! ```
//! use framewire::extension::{self, DeflatePolicy};
//!
//! let offered = "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits";
//! let config = DeflatePolicy { client_max_window_bits: 12, ..DeflatePolicy::default() };
//! let answer = extension::negotiate([offered], &config)?.expect("the second offer fits");
//! assert_eq!(answer.to_string(), "permessage-deflate; client_max_window_bits=12");
//! assert_eq!(answer.params().client_max_window_bits, 12);
//! # Ok::<(), extension::ExtensionError>(())
//! ```
//!
//! A client checks the answer against what it offered:
//!
//! ```
//! use framewire::extension::{self, ExtensionError, DeflateOffer};
//!
//! let offers = [DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() }];
//! let params = extension::verify(["permessage-deflate; client_max_window_bits=10"], &offers)?;
//! assert_eq!(params.map(|p| p.client_max_window_bits), Some(10));
//!
//! let unasked = extension::verify(["permessage-deflate"], &[]);
//! assert_eq!(unasked, Err(ExtensionError::Unexpected));
//! # Ok::<(), extension::ExtensionError>(())
//! ```
//!
//! Blame decides how strict a reading is. A value that is not in the grammar is malformed for both roles (RFC 6455
//! §9.1). A parameter that is unknown, repeated or out of range only declines that one offer on a server, which then
//! looks at the next (RFC 7692 §5.1); in an answer it fails the connection (RFC 7692 §7.1).

use core::{error, fmt};

pub use syntax::{Extension, ExtensionParam, ExtensionParams, Extensions, Value, parse};

mod syntax;

#[cfg(feature = "handshake")]
pub(crate) use syntax::is_token_byte;

/// The name of the extension on the wire (RFC 7692 §7).
pub const PERMESSAGE_DEFLATE: &str = "permessage-deflate";

/// Answers the first acceptable offer in the values of `Sec-WebSocket-Extensions`, one item a header line, in the
/// order of the client's preference. `Ok(None)`: no permessage-deflate was offered in a form that can be kept;
/// other extensions are passed over, which declines them.
///
/// # Errors
/// [`ExtensionError::Malformed`] where a value is not in the grammar, also behind an acceptable offer.
///
/// ```
/// use framewire::extension::{DeflatePolicy, negotiate};
///
/// assert_eq!(negotiate(["x-webkit-deflate-frame"], &DeflatePolicy::default()), Ok(None));
/// let answer = negotiate(["x-other, permessage-deflate; server_no_context_takeover"], &DeflatePolicy::default())?;
/// assert_eq!(answer.unwrap().to_string(), "permessage-deflate; server_no_context_takeover");
/// # Ok::<(), framewire::extension::ExtensionError>(())
/// ```
pub fn negotiate<'a>(
    values: impl IntoIterator<Item = &'a str>,
    config: &DeflatePolicy,
) -> Result<Option<DeflateResponse>, ExtensionError> {
    let mut chosen = None;
    for element in values.into_iter().flat_map(parse) {
        let element = element?;
        if chosen.is_none() && element.name() == PERMESSAGE_DEFLATE {
            chosen = DeflateOffer::parse(&element).ok().and_then(|offer| offer.respond(config));
        }
    }
    Ok(chosen)
}

/// Checks a server's `Sec-WebSocket-Extensions`, one item a header line, against the `offers` of this client.
/// `Ok(None)`: the server declined them all.
///
/// # Errors
/// The connection is to be failed (RFC 6455 §4.1, RFC 7692 §5.1): [`ExtensionError::Malformed`],
/// [`ExtensionError::InvalidParameter`] where the answer fits none of the offers, [`ExtensionError::Unexpected`]
/// where it names an extension that was not offered, or one twice.
pub fn verify<'a>(
    values: impl IntoIterator<Item = &'a str>,
    offers: &[DeflateOffer],
) -> Result<Option<DeflateParams>, ExtensionError> {
    let mut agreed = None;
    for element in values.into_iter().flat_map(parse) {
        let element = element?;
        if agreed.is_some() || offers.is_empty() || element.name() != PERMESSAGE_DEFLATE {
            return Err(ExtensionError::Unexpected);
        }
        let answer = DeflateResponse::parse(&element)?;
        agreed = offers.iter().find_map(|offer| offer.check(&answer).ok());
        if agreed.is_none() {
            return Err(ExtensionError::InvalidParameter);
        }
    }
    Ok(agreed)
}

/// What a client offers (RFC 7692 §7.1). The default is `permessage-deflate` with no parameter.
///
/// A `Display` writes it as an element of `Sec-WebSocket-Extensions`.
///
/// ```
/// use framewire::extension::DeflateOffer;
///
/// let offer = DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() };
/// assert_eq!(offer.to_string(), "permessage-deflate; client_max_window_bits");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeflateOffer {
    /// The server is asked to start every message with an empty window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// A hint: this client starts every message with an empty window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server is asked for a window of at most 2 to this power bytes, 8–15 (§7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// The client lets the server limit its window, and its window is at most 2 to this power bytes, 8–15
    /// (§7.1.2.2). 15 says no more than the parameter without a value does, and is written and read so.
    pub client_max_window_bits: Option<u8>,
}

impl DeflateOffer {
    /// Reads one element of `Sec-WebSocket-Extensions`.
    ///
    /// # Errors
    /// [`ExtensionError::Unexpected`] where the element is another extension, and
    /// [`ExtensionError::InvalidParameter`] where a parameter is unknown, repeated, out of range, or has a value where
    /// none belongs or none where one does. A server then declines this offer and looks at the next.
    pub fn parse(element: &Extension<'_>) -> Result<Self, ExtensionError> {
        let read = Read::element(element)?;
        Ok(Self {
            server_no_context_takeover: read.server_no_context_takeover,
            client_no_context_takeover: read.client_no_context_takeover,
            server_max_window_bits: read.server_max_window_bits.map(Bits::stated).transpose()?,
            client_max_window_bits: read.client_max_window_bits.map(|bits| bits.0.unwrap_or(MAX_BITS)),
        })
    }

    /// What a server that is set up as `config` says answers this offer; `None` declines it:
    ///
    /// - `server_max_window_bits=8`, for zlib compresses with 9 bits or more;
    /// - where `config` limits the client's window but the offer does not let a server do so: the bound on
    ///   memory holds for every peer or for none.
    #[must_use]
    pub fn respond(&self, config: &DeflatePolicy) -> Option<DeflateResponse> {
        let server_bits = config.server_max_window_bits.clamp(MIN_OWN_BITS, MAX_BITS);
        let client_bits = config.client_max_window_bits.clamp(MIN_OWN_BITS, MAX_BITS);

        let server_max_window_bits = match self.server_max_window_bits {
            Some(asked) if asked < MIN_OWN_BITS => return None,
            Some(asked) => Some(asked.min(server_bits)),
            None => (server_bits < MAX_BITS).then_some(server_bits),
        };
        let client_max_window_bits = match self.client_max_window_bits {
            Some(hint) => Some(hint.min(client_bits)).filter(|&bits| bits < MAX_BITS),
            None if client_bits < MAX_BITS => return None,
            None => None,
        };
        Some(DeflateResponse {
            server_no_context_takeover: self.server_no_context_takeover || config.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover || config.client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
        })
    }

    /// What `answer` agrees on, where it fits this offer. What the offer hinted about the client binds it even where
    /// the answer does not repeat it: the server may count on that.
    ///
    /// # Errors
    /// [`ExtensionError::InvalidParameter`] where the answer leaves out or exceeds what was asked of the server, or
    /// limits the client where the offer did not allow it (RFC 7692 §7.1).
    pub fn check(&self, answer: &DeflateResponse) -> Result<DeflateParams, ExtensionError> {
        let server_takeover = answer.server_no_context_takeover || !self.server_no_context_takeover;
        let server_bits = match (self.server_max_window_bits, answer.server_max_window_bits) {
            (Some(asked), Some(bits)) => bits <= asked,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let client_bits = match (self.client_max_window_bits, answer.client_max_window_bits) {
            (Some(hint), Some(bits)) => bits <= hint,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if !(server_takeover && server_bits && client_bits) {
            return Err(ExtensionError::InvalidParameter);
        }
        let mut params = answer.params();
        params.client_no_context_takeover |= self.client_no_context_takeover;
        if let Some(hint) = self.client_max_window_bits {
            params.client_max_window_bits = params.client_max_window_bits.min(hint);
        }
        Ok(params)
    }

    /// Whether every number may be sent.
    #[cfg(feature = "handshake")]
    pub(crate) fn is_valid(&self) -> bool {
        are_bits(self.server_max_window_bits) && are_bits(self.client_max_window_bits)
    }
}

impl fmt::Display for DeflateOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_switches(f, self.server_no_context_takeover, self.client_no_context_takeover)?;
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        match self.client_max_window_bits {
            Some(MAX_BITS) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            Some(bits) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
            None => Ok(()),
        }
    }
}

/// What a server answers (RFC 7692 §7.1): the parameters as they stand on the wire. [`params`](Self::params) says what
/// they mean.
///
/// A `Display` writes it as the value of `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeflateResponse {
    /// The server starts every message with an empty window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client must start every message with an empty window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window is at most 2 to this power bytes, 8–15 (§7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// The client's window must be at most 2 to this power bytes, 8–15 (§7.1.2.2).
    pub client_max_window_bits: Option<u8>,
}

impl DeflateResponse {
    /// Reads one element of `Sec-WebSocket-Extensions`. It still has to be held against the offer:
    /// [`DeflateOffer::check`], or [`verify`] for the whole header.
    ///
    /// # Errors
    /// As [`DeflateOffer::parse`]; here `client_max_window_bits` must have a value, too. The connection is to be failed.
    pub fn parse(element: &Extension<'_>) -> Result<Self, ExtensionError> {
        let read = Read::element(element)?;
        Ok(Self {
            server_no_context_takeover: read.server_no_context_takeover,
            client_no_context_takeover: read.client_no_context_takeover,
            server_max_window_bits: read.server_max_window_bits.map(Bits::stated).transpose()?,
            client_max_window_bits: read.client_max_window_bits.map(Bits::stated).transpose()?,
        })
    }

    /// What both sides are bound by once this answer stands: a window that it does not limit is of 15 bits.
    #[must_use]
    pub fn params(&self) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(MAX_BITS),
            client_max_window_bits: self.client_max_window_bits.unwrap_or(MAX_BITS),
        }
    }

    /// Whether every number may be sent.
    #[cfg(feature = "handshake")]
    pub(crate) fn is_valid(&self) -> bool {
        are_bits(self.server_max_window_bits) && are_bits(self.client_max_window_bits)
    }
}

impl fmt::Display for DeflateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_switches(f, self.server_no_context_takeover, self.client_no_context_takeover)?;
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}")?;
        }
        Ok(())
    }
}

/// What both sides have agreed on: all that compressing and inflating need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflateParams {
    /// The server's messages each start with an empty window.
    pub server_no_context_takeover: bool,
    /// The client's messages each start with an empty window.
    pub client_no_context_takeover: bool,
    /// The server's window is at most 2 to this power bytes, 8–15.
    pub server_max_window_bits: u8,
    /// The client's window is at most 2 to this power bytes, 8–15. A server may demand 8, with which zlib cannot
    /// compress: such a client sends its messages uncompressed, which is always allowed (RFC 7692 §6).
    pub client_max_window_bits: u8,
}

impl Default for DeflateParams {
    fn default() -> Self {
        DeflateResponse::default().params()
    }
}

/// What a server asks for, whatever the client offers. The default asks for nothing: windows of 15 bits, kept
/// from message to message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflatePolicy {
    /// The server starts every message with an empty window: no memory between messages, less compression.
    pub server_no_context_takeover: bool,
    /// The client has to start every message with an empty window: the server keeps none for it.
    pub client_no_context_takeover: bool,
    /// The largest window for what the server sends, 9–15 bits; values outside are taken as the nearest of them.
    pub server_max_window_bits: u8,
    /// The largest window for what the client sends, 9–15 bits; values outside are taken as the nearest of them.
    /// Below 15, an offer without `client_max_window_bits` is declined: see [`DeflateOffer::respond`].
    pub client_max_window_bits: u8,
}

impl Default for DeflatePolicy {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_BITS,
            client_max_window_bits: MAX_BITS,
        }
    }
}

/// What is wrong with a `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The value is not in the grammar of RFC 6455 §9.1.
    Malformed,
    /// A parameter is unknown, repeated, out of range, or does not fit what was offered (RFC 7692 §7.1).
    InvalidParameter,
    /// The extension was not offered, or is named twice (RFC 6455 §4.1).
    Unexpected,
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the list of extensions is malformed",
            Self::InvalidParameter => "a parameter of an extension is invalid",
            Self::Unexpected => "an extension was not offered",
        })
    }
}

impl error::Error for ExtensionError {}

/// The parameters of one element, before an offer and an answer differ in what they demand.
#[derive(Default)]
struct Read {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<Bits>,
    client_max_window_bits: Option<Bits>,
}

impl Read {
    fn element(element: &Extension<'_>) -> Result<Self, ExtensionError> {
        if element.name() != PERMESSAGE_DEFLATE {
            return Err(ExtensionError::Unexpected);
        }
        let mut read = Self::default();
        for ExtensionParam { name, value } in element.params() {
            match name {
                SERVER_NO_CONTEXT_TAKEOVER => switch(&mut read.server_no_context_takeover, value)?,
                CLIENT_NO_CONTEXT_TAKEOVER => switch(&mut read.client_no_context_takeover, value)?,
                SERVER_MAX_WINDOW_BITS => number(&mut read.server_max_window_bits, value)?,
                CLIENT_MAX_WINDOW_BITS => number(&mut read.client_max_window_bits, value)?,
                _ => return Err(ExtensionError::InvalidParameter),
            }
        }
        Ok(read)
    }
}

/// A number of window bits, or the parameter without a value.
#[derive(Clone, Copy)]
struct Bits(Option<u8>);

impl Bits {
    fn stated(self) -> Result<u8, ExtensionError> {
        self.0.ok_or(ExtensionError::InvalidParameter)
    }
}

/// Takes a parameter that has no value, once.
fn switch(slot: &mut bool, value: Option<Value<'_>>) -> Result<(), ExtensionError> {
    if *slot || value.is_some() {
        return Err(ExtensionError::InvalidParameter);
    }
    *slot = true;
    Ok(())
}

/// Takes a parameter that may have a number, once: 8–15 in decimal, no leading zero (§7.1.2).
fn number(slot: &mut Option<Bits>, value: Option<Value<'_>>) -> Result<(), ExtensionError> {
    let bits = match value {
        None => None,
        Some(value) => {
            let known = (MIN_BITS..=MAX_BITS).zip(["8", "9", "10", "11", "12", "13", "14", "15"]);
            let bits = known.into_iter().find_map(|(bits, text)| (value == *text).then_some(bits));
            Some(bits.ok_or(ExtensionError::InvalidParameter)?)
        }
    };
    if slot.replace(Bits(bits)).is_some() {
        return Err(ExtensionError::InvalidParameter);
    }
    Ok(())
}

/// Whether a number of window bits may be sent, if there is one (RFC 7692 §7.1.2).
#[cfg(feature = "handshake")]
fn are_bits(bits: Option<u8>) -> bool {
    bits.is_none_or(|bits| (MIN_BITS..=MAX_BITS).contains(&bits))
}

fn write_switches(f: &mut fmt::Formatter<'_>, server: bool, client: bool) -> fmt::Result {
    f.write_str(PERMESSAGE_DEFLATE)?;
    if server {
        write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
    }
    if client {
        write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
    }
    Ok(())
}

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What may stand on the wire.
const MIN_BITS: u8 = 8;
const MAX_BITS: u8 = 15;
/// The smallest window that zlib keeps when it compresses: raw deflate with 8 bits is refused or silently made 9.
const MIN_OWN_BITS: u8 = 9;
