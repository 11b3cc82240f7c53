//! What a client does, drawn from the seed.

use super::coverage::Met;
use crate::config::Config;
use framewire::Kind;
use framewire_testing::{
    payload::{self, Random},
    wire::{self, BINARY, CLOSE, CONTINUATION, KEY, MORE, PING, RSV1, TEXT},
};
use std::{collections::VecDeque, sync::OnceLock, time::Duration};

/// The memory for a second decompressor, of which a quarter counts.
pub(super) const DECOMPRESSOR: usize = 4 * (80 << 10);

/// What a client does.
pub(super) struct Script {
    /// For the trace.
    pub(super) name: String,
    pub(super) opening: Opening,
    pub(super) steps: VecDeque<Step>,
    /// What it does once it has sent so many bytes.
    pub(super) deeds: VecDeque<(u64, Deed)>,
    pub(super) sending: Pace,
    pub(super) taking: Pace,
    /// It takes nothing before the end of the storm.
    pub(super) deaf: bool,
}

/// How a client begins.
pub(super) enum Opening {
    /// It asks for a WebSocket, and perhaps for compression. It waits for the answer before it sends frames, or does not.
    Upgrade { deflate: bool, early: bool },
    /// It sends something else, and expects an answer with this status.
    Other(Vec<u8>, u16),
}

/// How much at a time, and how often.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) most: usize,
    pub(super) gap: Duration,
}

pub(super) enum Step {
    /// A message in so many frames. If there are several, a ping may lie between them.
    Message {
        kind: Kind,
        payload: Vec<u8>,
        frames: usize,
        ping: bool,
    },
    Ping(Vec<u8>),
    /// A pong that nobody asked for.
    Pong,
    /// Bytes that break the protocol, and the close code with which the server answers.
    Wrong {
        bytes: Vec<u8>,
        code: u16,
        met: Met,
    },
    Close(u16),
    /// Bytes after the close: with it, or once it is sent.
    Noise {
        bytes: Vec<u8>,
        apart: bool,
    },
    /// It closes its side.
    Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Stall(Duration),
    Finish,
    /// It closes its socket.
    Leave,
    Reset,
    /// It neither sends nor takes any more.
    Silence,
    /// It sends nothing any more.
    Mute,
}

impl Script {
    pub(super) fn draw(random: &mut Random, config: &Config) -> Self {
        // With one decompressor, most clients want it.
        let scarce = config.compression.as_ref().is_some_and(|compression| compression.memory < DECOMPRESSOR);
        let deflate = config.compression.is_some() && random.below(if scarce { 12 } else { 3 }) > 0;
        let mut name = String::from(if deflate { "compresses" } else { "plain" });
        let (opening, end) = opening(random, deflate, &mut name);
        let mut script = Self {
            name: String::new(),
            opening,
            steps: VecDeque::new(),
            deeds: VecDeque::new(),
            sending: Pace { most: usize::MAX, gap: Duration::ZERO },
            taking: Pace { most: usize::MAX, gap: Duration::ZERO },
            deaf: false,
        };
        script.sending = pace(random, if scarce { 4 } else { 8 }, "sends", &mut name);
        script.taking = pace(random, 8, "takes", &mut name);
        if random.below(7) == 0 {
            script.deaf = true;
            name += ", takes nothing for long";
        }
        let mut bytes = match &script.opening {
            Opening::Upgrade { .. } => script.draw_steps(random, config, &mut name),
            Opening::Other(bytes, _) => bytes.len(),
        };
        if end {
            let ends = [Deed::Finish, Deed::Leave, Deed::Reset, Deed::Reset, Deed::Silence, Deed::Mute];
            let deed = ends[random.below(ends.len())];
            // Half of them early: in the handshake, and soon after.
            bytes = if random.below(2) == 0 { bytes.min(400) } else { bytes };
            script.deeds.push_back((random.below(bytes + 300) as u64, deed));
            name += &format!(", {deed:?} after {} bytes", script.deeds[0].0);
        }
        if random.below(3) == 0 {
            let (at, stall) =
                (random.below(bytes + 300) as u64, Duration::from_millis(random.below(9000) as u64));
            script.deeds.push_back((at, Deed::Stall(stall)));
            script.deeds.make_contiguous().sort_by_key(|(at, _)| *at);
            name += &format!(", stalls after {at} bytes");
        }
        script.name = name;
        script
    }

    /// Whether the server must serve it to its end.
    pub(super) fn is_honest(&self) -> bool {
        self.deeds.iter().all(|(_, deed)| matches!(deed, Deed::Stall(_)))
    }

    /// Draws messages and an end, and returns about how many bytes they are.
    fn draw_steps(&mut self, random: &mut Random, config: &Config, name: &mut String) -> usize {
        let (mut bytes, mut trickles) = (200, false);
        let (count, sizes): (usize, &[usize]) = match random.below(7) {
            0 => (0, &[0]),
            1 | 4 => {
                // The end of a message and the start of the next one often come together. Each can be compressed.
                trickles = true;
                *name += ", trickles messages";
                let gap = Duration::from_millis(50 + random.below(500) as u64);
                self.sending = Pace { most: 50 + random.below(150), gap };
                (30 + random.below(50), &[300])
            }
            2 => (100 + random.below(100), &[50, 400]),
            3 => (1 + random.below(4), &[50, 400, 5000, 100_000]),
            _ => (1 + random.below(20), &[50, 400, 5000]),
        };
        for _ in 0..count {
            let step = match if trickles { 9 } else { random.below(10) } {
                0 => Step::Ping(payload::noise(random.below(126), 1)),
                1 => Step::Pong,
                _ => {
                    let most = sizes[random.below(sizes.len())].min(config.limits.message as usize);
                    let len = random.below(most + 1);
                    let (kind, payload) = content(random, len, trickles);
                    let frames = if random.below(3) == 0 { 1 + random.below(5) } else { 1 };
                    Step::Message { kind, payload, frames, ping: random.below(2) == 0 }
                }
            };
            bytes += match &step {
                Step::Message { payload, .. } => payload.len() + 6,
                _ => 20,
            };
            self.steps.push_back(step);
        }
        *name += &format!(", {count} messages");
        match random.below(8) {
            0 => {
                self.steps.push_back(Step::Finish);
                *name += ", closes its side";
            }
            1 | 2 => {
                let Opening::Upgrade { deflate, .. } = self.opening else { return bytes };
                let wrong = wrong(random, config, deflate);
                if let Step::Wrong { met, code, .. } = &wrong {
                    *name += &format!(", then {met:?} ({code})");
                }
                self.steps.push_back(wrong);
            }
            3 => {
                let noise =
                    Step::Noise { bytes: payload::noise(random.below(5000), 2), apart: random.below(2) == 0 };
                self.steps.extend([Step::Close(1001), noise]);
                *name += ", close and noise";
            }
            4 => *name += ", stays",
            _ => {
                self.steps.push_back(Step::Close(1000));
                *name += ", closes";
            }
        }
        bytes
    }
}

/// A pace that is limited in three of so many cases.
fn pace(random: &mut Random, cases: usize, verb: &str, name: &mut String) -> Pace {
    let (most, gap) = match random.below(cases) {
        0 => (1 + random.below(300), 50 + random.below(900)),
        1 => (1 + random.below(4000), random.below(300)),
        2 => (1 + random.below(60), random.below(4)),
        _ => return Pace { most: usize::MAX, gap: Duration::ZERO },
    };
    *name += &format!(", {verb} {most} bytes every {gap} ms");
    Pace { most, gap: Duration::from_millis(gap as u64) }
}

/// Draws how a client begins, and whether it ends in a bad way.
fn opening(random: &mut Random, deflate: bool, name: &mut String) -> (Opening, bool) {
    let end = random.below(3) == 0;
    let other = match random.below(12) {
        0 => (b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n".to_vec(), 404),
        1 => (b"NONSENSE\r\n\r\n".to_vec(), 400),
        2 => (b"".to_vec(), 408),
        3 => (b"GET / HTTP/1.1\r\nHost: te".to_vec(), 408),
        4 => (b"GET /taken HTTP/1.1\r\nHost: test.example\r\n\r\nand more".to_vec(), 299),
        _ => return (Opening::Upgrade { deflate, early: !deflate && random.below(3) == 0 }, end),
    };
    *name = format!("expects {}", other.1);
    (Opening::Other(other.0, other.1), end)
}

/// A payload: prose, or if it need not be that, noise or zeros.
fn content(random: &mut Random, len: usize, prose_only: bool) -> (Kind, Vec<u8>) {
    static SOURCES: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    const LEN: usize = 200_000;
    let (prose, noise) = SOURCES.get_or_init(|| (payload::prose(LEN, 1), payload::noise(LEN, 1)));
    // Some payloads are sent again and again.
    let from = if random.below(3) == 0 { 0 } else { random.below(LEN - len) };
    match if prose_only { 5 } else { random.below(5) } {
        0 => (Kind::Binary, vec![0; len]),
        1 | 2 => (Kind::Binary, noise[from..from + len].to_vec()),
        _ => {
            // From the first byte of a character to the last of one.
            let is_start = |byte: &u8| byte & 0xC0 != 0x80;
            let text = &prose[from..from + len];
            let from = text.iter().position(is_start).unwrap_or(len);
            let text = &text[from..];
            let end = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
            (Kind::Text, text[..end].to_vec())
        }
    }
}

/// Bytes that break the protocol.
fn wrong(random: &mut Random, config: &Config, deflate: bool) -> Step {
    let frame = |first: u8, payload: &[u8]| wire::frame(first, Some(KEY), payload);
    let error = |bytes| Step::Wrong { bytes, code: 1002, met: Met::ProtocolError };
    let most = config.limits.message;
    match random.below(13) {
        0 => error(frame(0x83, b"reserved opcode")),
        1 => error(wire::frame(BINARY, None, b"not masked")),
        2 => error(frame(BINARY | 0x20, b"reserved bit")),
        3 if !deflate => error(frame(BINARY | RSV1, b"not negotiated")),
        4 => error(frame(CONTINUATION, b"of nothing")),
        5 => error([frame(BINARY & MORE, b"begun"), frame(TEXT, b"inside")].concat()),
        6 => error(frame(PING, &[0; 126])),
        7 => error(frame(PING & MORE, b"a part")),
        8 => error(frame(CLOSE, b"x")),
        9 => error(frame(CLOSE, &wire::closing(1005, ""))),
        10 => Step::Wrong { bytes: frame(TEXT, b"gr\xFC\xDF"), code: 1007, met: Met::BadText },
        11 if deflate => {
            Step::Wrong { bytes: frame(BINARY | RSV1, b"\xFF\xFF\xFF"), code: 1007, met: Met::BadDeflate }
        }
        _ => Step::Wrong { bytes: wire::head(BINARY, Some(KEY), most + 1), code: 1009, met: Met::TooBig },
    }
}
