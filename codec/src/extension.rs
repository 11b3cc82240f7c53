//! The parameters of permessage-deflate (RFC 7692) as values: the offers of a client, the response of a server, and the
//! parameters that both then agree on. Nothing is compressed or allocated here, and the feature `handshake` is not
//! needed: a host that has an HTTP stack passes in the value of `Sec-WebSocket-Extensions`.
//!
//! A server responds to the first offer that it can accept:
//!
//! ```
//! use framewire::extension::{self, DeflatePolicy};
//!
//! let offered = "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits";
//! let policy = DeflatePolicy { client_max_window_bits: 12, ..DeflatePolicy::default() };
//! let response = extension::negotiate([offered], &policy)?.expect("the second offer fits");
//! assert_eq!(response.to_string(), "permessage-deflate; client_max_window_bits=12");
//! assert_eq!(response.params().client_max_window_bits, 12);
//! # Ok::<(), extension::ExtensionError>(())
//! ```
//!
//! A client checks the response against its offers:
//!
//! ```
//! use framewire::extension::{self, DeflateOffer, ExtensionError};
//!
//! let offers = [DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() }];
//! let params = extension::verify(["permessage-deflate; client_max_window_bits=10"], &offers)?;
//! assert_eq!(params.map(|params| params.client_max_window_bits), Some(10));
//!
//! let unasked = extension::verify(["permessage-deflate"], &[]);
//! assert_eq!(unasked, Err(ExtensionError::Unexpected));
//! # Ok::<(), extension::ExtensionError>(())
//! ```
//!
//! A value that is not in the grammar is an error for both roles (RFC 6455 §9.1). A parameter that is unknown, repeated
//! or out of range is treated differently: a server declines that offer and looks at the next (RFC 7692 §5.1); a client
//! fails the connection (RFC 7692 §7.1).

use core::fmt;

pub use error::ExtensionError;
pub use syntax::{Extension, ExtensionParam, ExtensionParams, Extensions, Value, parse};

mod error;
mod syntax;

#[cfg(feature = "handshake")]
pub(crate) use syntax::is_token_byte;

/// The name of the extension on the wire (RFC 7692 §7).
pub const PERMESSAGE_DEFLATE: &str = "permessage-deflate";

/// Responds to the first acceptable offer of permessage-deflate (RFC 7692 §5.1). `values` are those of the request's
/// `Sec-WebSocket-Extensions`, one item a header line; the client prefers its first offer.
///
/// `Ok(None)`: no offer is acceptable, or there is none. Other extensions are skipped, which declines them.
///
/// # Errors
/// [`ExtensionError::Malformed`] if a value is not in the grammar, also after an acceptable offer.
///
/// ```
/// use framewire::extension::{DeflatePolicy, negotiate};
///
/// assert_eq!(negotiate(["x-webkit-deflate-frame"], &DeflatePolicy::default()), Ok(None));
/// let response = negotiate(["x-other, permessage-deflate; server_no_context_takeover"], &DeflatePolicy::default())?;
/// assert_eq!(response.unwrap().to_string(), "permessage-deflate; server_no_context_takeover");
/// # Ok::<(), framewire::extension::ExtensionError>(())
/// ```
pub fn negotiate<'a>(
    values: impl IntoIterator<Item = &'a str>,
    policy: &DeflatePolicy,
) -> Result<Option<DeflateResponse>, ExtensionError> {
    let mut chosen = None;
    for extension in values.into_iter().flat_map(parse) {
        let extension = extension?;
        if chosen.is_none() && extension.name() == PERMESSAGE_DEFLATE {
            chosen = DeflateOffer::parse(&extension).ok().and_then(|offer| offer.respond(policy));
        }
    }
    Ok(chosen)
}

/// Checks a server's `Sec-WebSocket-Extensions`, one item a header line, against the `offers` of this client.
///
/// `Ok(None)`: the server declined all offers.
///
/// # Errors
/// On any of these the client must fail the connection (RFC 6455 §4.1, RFC 7692 §5.1):
///
/// - [`ExtensionError::Malformed`]: a value is not in the grammar.
/// - [`ExtensionError::InvalidParameter`]: the response is invalid, or fits none of the offers.
/// - [`ExtensionError::Unexpected`]: an extension was not offered, or is named twice.
pub fn verify<'a>(
    values: impl IntoIterator<Item = &'a str>,
    offers: &[DeflateOffer],
) -> Result<Option<DeflateParams>, ExtensionError> {
    let mut agreed = None;
    for extension in values.into_iter().flat_map(parse) {
        let extension = extension?;
        if agreed.is_some() || offers.is_empty() || extension.name() != PERMESSAGE_DEFLATE {
            return Err(ExtensionError::Unexpected);
        }
        let response = DeflateResponse::parse(&extension)?;
        agreed = offers.iter().find_map(|offer| offer.check(&response).ok());
        if agreed.is_none() {
            return Err(ExtensionError::InvalidParameter);
        }
    }
    Ok(agreed)
}

/// A client's offer of permessage-deflate (RFC 7692 §7.1). The default has no parameter.
///
/// Its `Display` writes it as an element of `Sec-WebSocket-Extensions`.
///
/// ```
/// use framewire::extension::DeflateOffer;
///
/// let offer = DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() };
/// assert_eq!(offer.to_string(), "permessage-deflate; client_max_window_bits");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeflateOffer {
    /// Asks the server to compress every message with an empty window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Says that this client will compress every message with an empty window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// Asks the server for a window of at most 2 to this power bytes, 8–15 (§7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// Lets the server limit the client's window, which is at most 2 to this power bytes, 8–15 (§7.1.2.2). 15 means
    /// the same as the parameter without a value, and is written without one.
    pub client_max_window_bits: Option<u8>,
}

impl DeflateOffer {
    /// Reads an offer from an extension in a request.
    ///
    /// # Errors
    /// A server declines the offer if this fails, and looks at the next (RFC 7692 §5.1):
    ///
    /// - [`ExtensionError::Unexpected`]: it is another extension.
    /// - [`ExtensionError::InvalidParameter`]: a parameter is unknown, repeated or out of range, lacks a value that it
    ///   needs, or has one that it must not have.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ExtensionError> {
        let read = Read::extension(extension)?;
        Ok(Self {
            server_no_context_takeover: read.server_no_context_takeover,
            client_no_context_takeover: read.client_no_context_takeover,
            server_max_window_bits: read.server_max_window_bits.map(Bits::stated).transpose()?,
            client_max_window_bits: read.client_max_window_bits.map(|bits| bits.0.unwrap_or(MAX_BITS)),
        })
    }

    /// The response of a server with this `policy`. `None` declines the offer, for one of two reasons:
    ///
    /// - It asks for `server_max_window_bits=8`: zlib compresses with 9 bits or more.
    /// - The policy limits the client's window, and the offer does not let the server do so.
    #[must_use = "the response must be sent and kept"]
    pub fn respond(&self, policy: &DeflatePolicy) -> Option<DeflateResponse> {
        let server_bits = policy.server_max_window_bits.clamp(MIN_OWN_BITS, MAX_BITS);
        let client_bits = policy.client_max_window_bits.clamp(MIN_OWN_BITS, MAX_BITS);

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
            server_no_context_takeover: self.server_no_context_takeover || policy.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover || policy.client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
        })
    }

    /// Checks a server's response to this offer, and returns the parameters that both now agree on. The parts of the
    /// offer about the client bind it even if the response does not repeat them: the server may rely on them.
    ///
    /// # Errors
    /// [`ExtensionError::InvalidParameter`]: the response does not grant all that the offer asks of the server, or limits
    /// the client's window although the offer does not allow it (RFC 7692 §7.1).
    pub fn check(&self, response: &DeflateResponse) -> Result<DeflateParams, ExtensionError> {
        let server_takeover = response.server_no_context_takeover || !self.server_no_context_takeover;
        let server_bits = match (self.server_max_window_bits, response.server_max_window_bits) {
            (Some(asked), Some(bits)) => bits <= asked,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let client_bits = match (self.client_max_window_bits, response.client_max_window_bits) {
            (Some(hint), Some(bits)) => bits <= hint,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if !(server_takeover && server_bits && client_bits) {
            return Err(ExtensionError::InvalidParameter);
        }
        let mut params = response.params();
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

/// A server's response to an offer of permessage-deflate (RFC 7692 §7.1): the parameters as they are sent.
/// [`params`](Self::params) returns their meaning.
///
/// Its `Display` writes it as the value of `Sec-WebSocket-Extensions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeflateResponse {
    /// The server compresses every message with an empty window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client must compress every message with an empty window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window is at most 2 to this power bytes, 8–15 (§7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// The client's window must be at most 2 to this power bytes, 8–15 (§7.1.2.2).
    pub client_max_window_bits: Option<u8>,
}

impl DeflateResponse {
    /// Reads a response from an extension in a 101. [`DeflateOffer::check`] then checks it against the offer;
    /// [`verify`] does both for the whole header.
    ///
    /// # Errors
    /// As [`DeflateOffer::parse`]; `client_max_window_bits` needs a value here. The client must fail the connection
    /// (RFC 7692 §7.1).
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ExtensionError> {
        let read = Read::extension(extension)?;
        Ok(Self {
            server_no_context_takeover: read.server_no_context_takeover,
            client_no_context_takeover: read.client_no_context_takeover,
            server_max_window_bits: read.server_max_window_bits.map(Bits::stated).transpose()?,
            client_max_window_bits: read.client_max_window_bits.map(Bits::stated).transpose()?,
        })
    }

    /// The parameters on which both sides agree by this response. A window that it does not limit has 15 bits (RFC 7692
    /// §7.1.2).
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

/// The parameters of permessage-deflate on which both sides agreed (RFC 7692 §7): all that a deflater and an inflater
/// need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflateParams {
    /// The server compresses every message with an empty window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client compresses every message with an empty window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server's window is at most 2 to this power bytes, 8–15 (§7.1.2.1).
    pub server_max_window_bits: u8,
    /// The client's window is at most 2 to this power bytes, 8–15 (§7.1.2.2). A server may demand 8, with which zlib
    /// cannot compress: the client then sends uncompressed messages, which RFC 7692 §6 always allows.
    pub client_max_window_bits: u8,
}

impl Default for DeflateParams {
    fn default() -> Self {
        DeflateResponse::default().params()
    }
}

/// The demands of a server on permessage-deflate, whatever the client offers. The default demands nothing: windows have
/// 15 bits, and are kept from message to message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflatePolicy {
    /// The server compresses every message with an empty window: it keeps no memory between messages, and compresses
    /// less.
    pub server_no_context_takeover: bool,
    /// The client must compress every message with an empty window: the server keeps no window between its messages.
    pub client_no_context_takeover: bool,
    /// The largest window for the server's messages, 9–15 bits; a value outside counts as the nearest of these.
    pub server_max_window_bits: u8,
    /// The largest window for the client's messages, 9–15 bits; a value outside counts as the nearest of these. If it
    /// is below 15, an offer without `client_max_window_bits` is declined: see [`DeflateOffer::respond`].
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

/// The parameters of an offer or a response, before the rules that differ between the two.
#[derive(Default)]
struct Read {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<Bits>,
    client_max_window_bits: Option<Bits>,
}

impl Read {
    fn extension(extension: &Extension<'_>) -> Result<Self, ExtensionError> {
        if extension.name() != PERMESSAGE_DEFLATE {
            return Err(ExtensionError::Unexpected);
        }
        let mut read = Self::default();
        for ExtensionParam { name, value } in extension.params() {
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

/// The bounds of RFC 7692 §7.1.2.
const MIN_BITS: u8 = 8;
const MAX_BITS: u8 = 15;
/// The smallest window with which zlib compresses: it refuses raw deflate with 8 bits, or silently uses 9.
const MIN_OWN_BITS: u8 = 9;
