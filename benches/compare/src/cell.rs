//! A point of the comparison: how many connections, how large, how many at once.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Serialised as it is written: `100x16Kx1`.
#[derive(Clone, Copy, Debug, Deserialize, Hash, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Cell {
    pub(crate) connections: usize,
    pub(crate) size: usize,
    pub(crate) in_flight: usize,
}

impl Cell {
    pub(crate) const fn new(connections: usize, size: usize, in_flight: usize) -> Self {
        Self { connections, size, in_flight }
    }

    /// All there are.
    pub(crate) fn grid() -> Vec<Self> {
        let mut cells = Vec::new();
        for connections in [1, 100, 1000] {
            for size in [16, 125, 1 << 10, 16 << 10, 1 << 20] {
                cells.extend([1, 16].map(|in_flight| Self { connections, size, in_flight }));
            }
        }
        cells
    }

    /// A few that show most.
    pub(crate) fn quick() -> Vec<Self> {
        vec![
            Self::new(100, 16, 1),
            Self::new(100, 16, 16),
            Self::new(100, 125, 1),
            Self::new(100, 1 << 10, 16),
            Self::new(100, 16 << 10, 1),
            Self::new(100, 16 << 10, 16),
            Self::new(10, 1 << 20, 1),
        ]
    }

    /// How many times as long as a small one it is measured: so that each connection has a few replies.
    pub(crate) fn patience(&self) -> f64 {
        1.0 + (self.connections * self.size) as f64 / 2e8
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
        write!(f, "{}x{}x{}", self.connections, self.size_name(), self.in_flight)
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no cell, such as 100x16Kx1");
        let [connections, size, in_flight] = *text.split('x').collect::<Vec<_>>() else {
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
            })
        })();
        cell.ok_or_else(wrong)
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
        for cell in Cell::grid() {
            assert_eq!(cell.to_string().parse(), Ok(cell));
        }
        assert_eq!("5x1000x2".parse(), Ok(Cell::new(5, 1000, 2)));
        for wrong in ["", "1x1", "0x1x1", "1x1x0", "1x1Kx1x1", "1xKx1", "1x17Mx1"] {
            assert!(wrong.parse::<Cell>().is_err(), "{wrong}");
        }
    }
}
