//! WebSockets over streams of all kinds.

use framewire::Limits;
use framewire_testing::{
    payload::Random,
    rfc6455::read_head,
    wire::{self, BINARY, CLOSE, CONTINUATION, MORE, PING, PONG, TEXT},
};
use framewire_tokio::{Client, Config, Message, Role, Server, WebSocket};
use tokio::io::DuplexStream;

mod cancellation;
mod closing;
mod control;
#[cfg(feature = "deflate")]
mod deflate;
mod handshake;
mod lifetime;
mod pipes;
mod regressions;
mod serve;
mod sim;
mod split;
mod stream;
mod threads;
mod timers;
mod wakeups;

/// The configuration of connections on runtimes without a timer, or on none.
fn untimed<R: Role>() -> Config {
    let config = if wire::is_client::<R>() { Config::client() } else { Config::server() };
    config.without_timers()
}

/// A WebSocket on a stream, with no timers.
fn socket<S, R: Role>(stream: S) -> WebSocket<S, R> {
    WebSocket::from_upgraded(stream, b"", untimed::<R>())
}

/// A server and a client, whose pipe takes `room` bytes in each direction. They have the timeouts of the defaults.
fn pair(room: usize) -> (WebSocket<DuplexStream, Server>, WebSocket<DuplexStream, Client>) {
    pair_with(room, Config::server(), Config::client())
}

fn pair_with(
    room: usize,
    server: Config,
    client: Config,
) -> (WebSocket<DuplexStream, Server>, WebSocket<DuplexStream, Client>) {
    let (one, other) = tokio::io::duplex(room);
    (WebSocket::from_upgraded(one, b"", server), WebSocket::from_upgraded(other, b"", client))
}

/// The whole frames of a wire, unmasked, each with its first byte. All masks are there, or none, as the sender's role wants.
#[track_caller]
fn frames<R: Role>(mut wire: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(head) = read_head(wire).expect("right frames") {
        assert_eq!(head.key.is_some(), wire::is_client::<R>(), "masks of the sender's role");
        let end = head.wire_len + head.len as usize;
        let Some(payload) = wire.get(head.wire_len..end) else { break };
        frames.push((head.first, wire::masked(head.key.unwrap_or_default(), payload)));
        wire = &wire[end..];
    }
    frames
}

/// A conversation: what a peer sends, and what that means.
#[derive(Debug, Default)]
struct Talk {
    wire: Vec<u8>,
    messages: Vec<Message>,
    pings: Vec<Vec<u8>>,
}

impl Talk {
    /// Random messages to a role, whole and in fragments, with pings before, between and after them.
    fn random<R: Role>(random: &mut Random, messages: usize, longest: usize) -> Self {
        let mut talk = Self::default();
        for _ in 0..messages {
            talk.maybe_ping::<R>(random);
            let bound = one_of(random, &[2, 20, 200, longest]);
            let len = random.below(bound);
            let text = random.below(2) == 0;
            let payload: Vec<u8> = if text {
                (0..len / 2).flat_map(|_| one_of(random, &["ä", "ok"]).bytes()).collect()
            } else {
                (0..len).map(|_| random.next() as u8).collect()
            };
            talk.message::<R>(random, text, &payload);
        }
        talk.maybe_ping::<R>(random);
        talk
    }

    fn maybe_ping<R: Role>(&mut self, random: &mut Random) {
        if random.below(4) == 0 {
            let payload = format!("ping {}", self.pings.len()).into_bytes();
            self.wire.extend(wire::to::<R>(PING, &payload));
            self.pings.push(payload);
        }
    }

    fn message<R: Role>(&mut self, random: &mut Random, text: bool, payload: &[u8]) {
        let mut first = if text { TEXT } else { BINARY };
        let mut rest = payload;
        while random.below(3) == 0 {
            let (fragment, behind) = rest.split_at(random.below(rest.len() + 1));
            self.wire.extend(wire::to::<R>(first & MORE, fragment));
            (first, rest) = (CONTINUATION, behind);
            self.maybe_ping::<R>(random);
        }
        self.wire.extend(wire::to::<R>(first, rest));
        self.messages.push(if text {
            Message::from(String::from_utf8(payload.to_vec()).unwrap())
        } else {
            Message::from(payload.to_vec())
        });
    }

    /// How many messages have come back.
    fn replies<R: Role>(&self, wire: &stream::Wire) -> usize {
        let state = wire.state();
        frames::<R>(&state.taken).iter().filter(|frame| frame.0 != PONG).count()
    }

    /// Checks what an echo server or client has written: all messages in order, an answer to the last ping at least, and a
    /// close.
    #[track_caller]
    fn assert_echoed<R: Role>(&self, written: &[u8], name: &str) {
        let frames = frames::<R>(written);
        let (last, frames) = frames.split_last().unwrap_or_else(|| panic!("{name}: a close"));
        assert_eq!(*last, (CLOSE, wire::closing(1000, "")), "{name}");
        let (pongs, messages): (Vec<_>, Vec<_>) = frames.iter().cloned().partition(|frame| frame.0 == PONG);
        let expected: Vec<_> = self.messages.iter().map(frame_of).collect();
        assert_eq!(messages.len(), expected.len(), "{name}: messages lost or doubled");
        assert!(messages == expected, "{name}: other messages");
        let mut pings = self.pings.iter();
        for (_, pong) in &pongs {
            assert!(pings.any(|ping| ping == pong), "{name}: pongs in the order of pings");
        }
        assert_eq!(pongs.last().map(|pong| &pong.1), self.pings.last(), "{name}: the last ping is answered");
    }
}

fn frame_of(message: &Message) -> (u8, Vec<u8>) {
    (if message.as_text().is_some() { TEXT } else { BINARY }, message.as_bytes().to_vec())
}

/// A configuration whose back-pressure sets in early.
fn tight<R: Role>(random: &mut Random) -> Config {
    let mut config = untimed::<R>();
    config.high_water = 500 + random.below(3000);
    config.limits = Limits { frame: 1 << 20, message: 1 << 20 };
    config
}

fn one_of<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len())]
}
