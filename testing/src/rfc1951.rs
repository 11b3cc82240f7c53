//! A slow, literal reader of RFC 1951. It inflates the payload of a compressed message (RFC 7692 §7.2.2).

/// The settings of a reading.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The bytes before the message, to which it may refer.
    pub window: &'a [u8],
    /// How many bytes back a reference may reach.
    pub reach: usize,
    /// The most bytes of output, plus one that shows that there are more.
    pub limit: usize,
}

/// How a reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The message is whole.
    Whole,
    /// The bytes so far are valid, but not the whole message.
    Truncated,
    /// It is not DEFLATE.
    Corrupt,
    /// It is longer than the limit.
    TooBig,
}

/// Inflates a message's payload by itself. `None` if it is corrupt or not whole.
pub fn message(payload: &[u8]) -> Option<Vec<u8>> {
    let (bytes, end) = Reader::ALONE.whole(payload);
    (end == End::Whole).then_some(bytes)
}

impl Reader<'_> {
    /// Settings for a message without a window or a limit.
    pub const ALONE: Self = Self { window: &[], reach: 1 << 15, limit: usize::MAX };

    /// Reads the whole payload of a message.
    pub fn whole(self, payload: &[u8]) -> (Vec<u8>, End) {
        if payload.is_empty() {
            return (Vec::new(), End::Whole);
        }
        self.read(&[payload, &[0, 0, 0xff, 0xff]].concat(), Some(payload.len()))
    }

    /// Reads the start of a payload.
    pub fn start(self, payload: &[u8]) -> (Vec<u8>, End) {
        self.read(payload, None)
    }

    /// `whole`: the input is a whole message of this many bytes, and the tail after them.
    fn read(self, wire: &[u8], whole: Option<usize>) -> (Vec<u8>, End) {
        let mut bits = Bits { wire, at: 0, ran_out: false };
        let mut out = Out { bytes: self.window.to_vec(), reader: self };
        let read = blocks(&mut bits, &mut out, whole);
        let bytes = out.bytes.split_off(self.window.len());
        let end = match read {
            _ if bytes.len() > self.limit => End::TooBig,
            Some(()) if whole.is_some() => End::Whole,
            Some(()) => End::Truncated,
            None if bits.ran_out && whole.is_none() => End::Truncated,
            None => End::Corrupt,
        };
        (bytes, end)
    }
}

fn blocks(bits: &mut Bits<'_>, out: &mut Out<'_>, whole: Option<usize>) -> Option<()> {
    let mut finals = 0;
    while bits.at < bits.wire.len() * 8 {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(bits, out)?,
            1 => {
                let lens = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
                compressed(bits, out, &Code::new(&lens, true)?, &Code::new(&[5; 30], true)?)?;
            }
            2 => {
                let (lens, distances) = codes(bits)?;
                compressed(bits, out, &lens, &distances)?;
            }
            _ => return None,
        }
        if last {
            bits.align();
            let payload = whole.unwrap_or(bits.wire.len()) * 8;
            if bits.at <= payload {
                // As the documentation of `deflate` says under "Work": new streams are bounded by the input.
                finals += 1;
                if finals > 64 + bits.at / 8 / 64 {
                    return None;
                }
            }
            if bits.at == payload {
                return Some(());
            }
            if bits.at > payload {
                return (bits.at == bits.wire.len() * 8).then_some(());
            }
        }
    }
    Some(())
}

struct Bits<'a> {
    wire: &'a [u8],
    at: usize,
    ran_out: bool,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> Option<usize> {
        (0..n).try_fold(0, |value, i| {
            let Some(byte) = self.wire.get(self.at / 8) else {
                self.ran_out = true;
                return None;
            };
            let bit = byte >> (self.at % 8) & 1;
            self.at += 1;
            Some(value | usize::from(bit) << i)
        })
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

struct Out<'a> {
    /// The window, and the message after it.
    bytes: Vec<u8>,
    reader: Reader<'a>,
}

impl Out<'_> {
    fn push(&mut self, byte: u8) -> Option<()> {
        self.bytes.push(byte);
        (self.bytes.len() - self.reader.window.len() <= self.reader.limit).then_some(())
    }

    fn copy(&mut self, len: usize, distance: usize) -> Option<()> {
        let from = self.bytes.len().checked_sub(distance).filter(|_| distance <= self.reader.reach)?;
        (from..from + len).try_for_each(|i| self.push(self.bytes[i]))
    }
}

/// §3.2.2. As in zlib, an incomplete code is refused unless it is a single code of one bit.
struct Code {
    /// By length.
    symbols: Vec<Vec<usize>>,
}

impl Code {
    fn new(lens: &[usize], may_be_incomplete: bool) -> Option<Self> {
        let mut symbols = vec![Vec::new(); 16];
        for (symbol, &len) in lens.iter().enumerate().filter(|&(_, &len)| len > 0) {
            symbols[len].push(symbol);
        }
        let mut free: isize = 1;
        for of_len in &symbols[1..] {
            free = 2 * free - of_len.len() as isize;
            if free < 0 {
                return None;
            }
        }
        let fixed = lens.len() == 30 && lens.iter().all(|&len| len == 5);
        let single = symbols[2..].iter().all(Vec::is_empty);
        (free == 0 || fixed || (may_be_incomplete && single)).then_some(Self { symbols })
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first) = (0, 0);
        for of_len in &self.symbols[1..] {
            code = code * 2 + bits.take(1)?;
            first *= 2;
            if let Some(&symbol) = of_len.get(code - first) {
                return Some(symbol);
            }
            first += of_len.len();
        }
        None
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Out<'_>) -> Option<()> {
    bits.align();
    let (len, check) = (bits.take(16)?, bits.take(16)?);
    if len ^ check != 0xffff {
        return None;
    }
    for _ in 0..len {
        out.push(bits.take(8)? as u8)?;
    }
    Some(())
}

/// §3.2.7
fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (lens, distances, of_lens) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    if lens > 286 || distances > 30 {
        return None;
    }
    let mut code = [0; 19];
    for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].into_iter().take(of_lens)
    {
        code[place] = bits.take(3)?;
    }
    let code = Code::new(&code, false)?;
    let mut all = Vec::new();
    while all.len() < lens + distances {
        let (what, times) = match code.read(bits)? {
            16 => (*all.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            len => (len, 1),
        };
        all.extend(core::iter::repeat_n(what, times));
    }
    if all.len() > lens + distances || all[256] == 0 {
        return None;
    }
    Some((Code::new(&all[..lens], true)?, Code::new(&all[lens..], true)?))
}

/// §3.2.5
fn compressed(bits: &mut Bits<'_>, out: &mut Out<'_>, lens: &Code, distances: &Code) -> Option<()> {
    loop {
        match lens.read(bits)? {
            256 => return Some(()),
            literal @ 0..256 => out.push(literal as u8)?,
            symbol @ 257..286 => {
                let len = match symbol - 257 {
                    28 => 258,
                    n @ 0..8 => 3 + n,
                    n => {
                        let extra = n / 4 - 1;
                        3 + ((4 + n % 4) << extra) + bits.take(extra)?
                    }
                };
                let distance = match distances.read(bits)? {
                    n @ 0..4 => 1 + n,
                    n @ 4..30 => {
                        let extra = n / 2 - 1;
                        1 + ((2 + n % 2) << extra) + bits.take(extra)?
                    }
                    _ => return None,
                };
                out.copy(len, distance)?;
            }
            _ => return None,
        }
    }
}
