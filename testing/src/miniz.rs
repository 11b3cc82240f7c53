//! Another implementation of DEFLATE: flate2 on miniz_oxide.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Another compressor, with context takeover.
#[derive(Debug)]
pub struct Compressor(Compress);

impl Default for Compressor {
    /// Before the first message.
    fn default() -> Self {
        Self(Compress::new(Compression::new(6), false))
    }
}

impl Compressor {
    /// Compresses a message (RFC 7692 §7.2.1).
    pub fn compress(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 100);
        let end = self.0.total_in() + bytes.len() as u64;
        while self.0.total_in() < end {
            let rest = &bytes[bytes.len() - (end - self.0.total_in()) as usize..];
            out.reserve(100);
            self.0.compress_vec(rest, &mut out, FlushCompress::None).unwrap();
        }
        out.reserve(bytes.len() + 100);
        self.0.compress_vec(&[], &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]) && out.capacity() > out.len());
        out.truncate(out.len() - 4);
        out
    }
}

/// Compresses one message by itself.
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    Compressor::default().compress(bytes)
}

/// The result of this implementation for a payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of a message.
    Whole(Vec<u8>),
    /// A final block ended after these bytes, and more follows, which this implementation does not read.
    Final(Vec<u8>),
    /// It is not DEFLATE.
    Corrupt,
}

/// Another decompressor, with context takeover.
#[derive(Debug)]
pub struct Decompressor(Decompress);

impl Default for Decompressor {
    /// Before the first message.
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Decompressor {
    /// Reads a message (RFC 7692 §7.2.2).
    pub fn read(&mut self, payload: &[u8]) -> Verdict {
        let mut out = Vec::new();
        if payload.is_empty() {
            return Verdict::Whole(out);
        }
        match self.feed(payload, &mut out) {
            Ok((Status::StreamEnd, taken)) if taken == payload.len() => return Verdict::Whole(out),
            Ok((Status::StreamEnd, _)) => return Verdict::Final(out),
            Ok(_) => {}
            Err(()) => return Verdict::Corrupt,
        }
        match self.feed(&[0, 0, 0xff, 0xff], &mut out) {
            Ok((Status::StreamEnd, 4)) => Verdict::Whole(out),
            Ok((Status::Ok | Status::BufError, _)) => Verdict::Whole(out),
            _ => Verdict::Corrupt,
        }
    }

    fn feed(&mut self, mut wire: &[u8], out: &mut Vec<u8>) -> Result<(Status, usize), ()> {
        let all = wire.len();
        loop {
            let (taken, given) = (self.0.total_in(), out.len());
            out.reserve(4096);
            let status = self.0.decompress_vec(wire, out, FlushDecompress::None).map_err(|_| ())?;
            wire = &wire[(self.0.total_in() - taken) as usize..];
            let stuck = self.0.total_in() == taken && out.len() == given;
            if status == Status::StreamEnd || (out.len() < out.capacity() && (wire.is_empty() || stuck)) {
                return Ok((status, all - wire.len()));
            }
        }
    }
}
