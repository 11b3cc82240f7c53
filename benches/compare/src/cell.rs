//! A cell of the comparison: number of connections, size of messages, messages in flight, compression; or connections that come
//! and go.

use framewire_load::Leave;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Serialised as text: `100x16Kx1`, `100x16Kx1+takeover`, `64x125x1+close10`.
#[derive(Clone, Copy, Debug, Deserialize, Hash, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Cell {
    pub(crate) connections: usize,
    pub(crate) size: usize,
    pub(crate) in_flight: usize,
    pub(crate) coding: Coding,
    /// Whether connections come and go: the messages on each, and how it leaves.
    pub(crate) churn: Option<(usize, Leave)>,
}

/// The compression of a cell's messages, in both directions.
#[derive(Clone, Copy, Debug, Deserialize, Hash, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Coding {
    /// None.
    Plain,
    /// permessage-deflate; a message may refer to those before it.
    Takeover,
    /// permessage-deflate; each message is compressed by itself.
    Alone,
}

impl Cell {
    pub(crate) const fn new(connections: usize, size: usize, in_flight: usize) -> Self {
        Self { connections, size, in_flight, coding: Coding::Plain, churn: None }
    }

    const fn coded(self, coding: Coding) -> Self {
        Self { coding, ..self }
    }

    /// So many connections at a time, which come and go.
    pub(crate) const fn churning(connections: usize, echoes: usize, leave: Leave) -> Self {
        Self { churn: Some((echoes, leave)), ..Self::new(connections, 125, 1) }
    }

    /// All cells without compression. A thousand connections have no messages of 1 MiB: these need more memory than the kernel of
    /// a small machine lets TCP hold, so it would drop and resend, which takes half as long as all other cells.
    pub(crate) fn grid() -> Vec<Self> {
        let mut cells = Vec::new();
        for connections in [1, 100, 1000] {
            for size in [16, 125, 1 << 10, 16 << 10, 1 << 20] {
                if connections * size < 1 << 29 {
                    cells.extend([1, 16].map(|in_flight| Self::new(connections, size, in_flight)));
                }
            }
        }
        cells
    }

    /// All cells with compression.
    pub(crate) fn compressed() -> Vec<Self> {
        let mut cells = Vec::new();
        for coding in Coding::COMPRESSED {
            for connections in [1, 100] {
                for size in [125, 1 << 10, 16 << 10] {
                    let cell = |in_flight| Self::new(connections, size, in_flight).coded(coding);
                    cells.extend([1, 16].map(cell));
                }
            }
            cells.push(Self::new(1, 1 << 20, 1).coded(coding));
        }
        cells
    }

    /// All cells in which connections come and go.
    pub(crate) fn churn() -> Vec<Self> {
        let mut cells = Vec::new();
        for connections in [64, 1000] {
            for leave in [Leave::Close, Leave::Reset] {
                cells.extend([0, 1, 10].map(|echoes| Self::churning(connections, echoes, leave)));
            }
        }
        cells
    }

    /// The few cells that show most.
    pub(crate) fn quick() -> Vec<Self> {
        vec![
            Self::new(100, 16, 1),
            Self::new(100, 16, 16),
            Self::new(100, 125, 1),
            Self::new(100, 1 << 10, 16),
            Self::new(100, 16 << 10, 1),
            Self::new(100, 16 << 10, 16),
            Self::new(10, 1 << 20, 1),
            Self::new(100, 1 << 10, 16).coded(Coding::Takeover),
            Self::new(100, 1 << 10, 16).coded(Coding::Alone),
            Self::churning(64, 1, Leave::Close),
        ]
    }

    /// How many times longer than a small cell it is measured, so that each connection gets a few replies, or each place a few
    /// connections.
    pub(crate) fn patience(&self) -> f64 {
        if let Some((echoes, _)) = self.churn {
            return 1.0 + (self.connections * (echoes + 1)) as f64 / 2e3;
        }
        let bytes = (self.connections * self.size) as f64;
        match self.coding {
            Coding::Plain => 1.0 + bytes / 2e8,
            _ => 1.0 + bytes * self.in_flight as f64 / 1e7,
        }
    }

    pub(crate) fn size_name(&self) -> String {
        match self.size {
            size if size >= 1 << 20 && size % (1 << 20) == 0 => format!("{}M", size >> 20),
            size if size >= 1 << 10 && size % (1 << 10) == 0 => format!("{}K", size >> 10),
            size => size.to_string(),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}{}", self.connections, self.size_name(), self.in_flight, self.coding)?;
        self.churn.map_or(Ok(()), |(echoes, leave)| write!(f, "+{}{echoes}", leave_name(leave)))
    }
}

impl Coding {
    pub(crate) const COMPRESSED: [Self; 2] = [Self::Takeover, Self::Alone];

    /// Whether these parameters of permessage-deflate, as in a header, are the ones that it asks for.
    pub(crate) fn is_kept_by(self, agreed: &str) -> bool {
        let is_alone = |each: &str, end: &str| each.contains(&format!("; {end}_no_context_takeover"));
        match self {
            Self::Plain => false,
            Self::Takeover => !agreed.is_empty() && !agreed.contains("no_context_takeover"),
            Self::Alone => {
                agreed.split(", ").all(|each| is_alone(each, "server") && is_alone(each, "client"))
            }
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "",
            Self::Takeover => "+takeover",
            Self::Alone => "+alone",
        })
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a cell such as 100x16Kx1, 100x16Kx1+takeover or 64x125x1+close10");
        let (numbers, coding, churn) = match text.split_once('+') {
            None => (text, Coding::Plain, None),
            Some((numbers, "takeover")) => (numbers, Coding::Takeover, None),
            Some((numbers, "alone")) => (numbers, Coding::Alone, None),
            Some((numbers, churn)) => (numbers, Coding::Plain, Some(parse_churn(churn).ok_or_else(wrong)?)),
        };
        let [connections, size, in_flight] = *numbers.split('x').collect::<Vec<_>>() else {
            return Err(wrong());
        };
        let (number, unit) = match size.as_bytes() {
            [.., b'K'] => (&size[..size.len() - 1], 1 << 10),
            [.., b'M'] => (&size[..size.len() - 1], 1 << 20),
            _ => (size, 1),
        };
        let parse = |number: &str| number.parse::<usize>().ok();
        let cell = (|| {
            Some(Self {
                connections: parse(connections).filter(|&n| n > 0)?,
                size: parse(number)?.checked_mul(unit).filter(|&size| size <= 16 << 20)?,
                in_flight: parse(in_flight).filter(|&n| n > 0)?,
                coding,
                churn,
            })
        })();
        cell.ok_or_else(wrong)
    }
}

/// `close10`: the way of leaving, and the number of messages before.
fn parse_churn(text: &str) -> Option<(usize, Leave)> {
    LEAVES.iter().find_map(|&leave| Some((text.strip_prefix(leave_name(leave))?.parse().ok()?, leave)))
}

const LEAVES: [Leave; 3] = [Leave::Close, Leave::Fin, Leave::Reset];

/// As in an option of the generator.
pub(crate) const fn leave_name(leave: Leave) -> &'static str {
    match leave {
        Leave::Close => "close",
        Leave::Fin => "fin",
        Leave::Reset => "reset",
    }
}

impl TryFrom<String> for Cell {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Cell> for String {
    fn from(cell: Cell) -> Self {
        cell.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        for cell in [Cell::grid(), Cell::compressed(), Cell::churn(), Cell::quick()].concat() {
            assert_eq!(cell.to_string().parse(), Ok(cell));
        }
        assert_eq!("5x1000x2".parse(), Ok(Cell::new(5, 1000, 2)));
        for wrong in [
            "",
            "1x1",
            "0x1x1",
            "1x1x0",
            "1x1Kx1x1",
            "1xKx1",
            "1x17Mx1",
            "1x1x1+",
            "1x1x1+x",
            "1x1x1+close",
            "1x1x1+fin-1",
        ] {
            assert!(wrong.parse::<Cell>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_agreed_on_says_which_coding_it_is() {
        let of = |agreed: &str| Coding::COMPRESSED.map(|coding| coding.is_kept_by(agreed));
        let alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(of("permessage-deflate"), [true, false]);
        assert_eq!(of("permessage-deflate; server_max_window_bits=12"), [true, false]);
        assert_eq!(of(alone), [false, true]);
        assert_eq!(of("permessage-deflate; server_no_context_takeover"), [false, false]);
        assert_eq!(of(""), [false, false]);
        // If connections differ.
        assert_eq!(of(&format!("permessage-deflate, {alone}")), [false, false]);
    }
}
