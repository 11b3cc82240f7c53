//! Every future is dropped after every `Pending`: nothing is lost, doubled, reordered or cut.

use crate::{
    frames,
    sim::{Sim, poll_once},
    stream::{moody, stream},
    tight,
    wakeups::{Queue, check},
};
use framewire_testing::{
    payload::Random,
    wire::{self, BINARY, CLOSE},
};
use framewire_tokio::{Client, CloseCode, Event, Handler, Lent, Reply, Role, SendError, Server, WebSocket};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
};

/// Polls a future once and drops it; another takes its place at the next wake-up.
macro_rules! cancelled {
    ($future:expr) => {
        poll_fn(|cx| pin!($future).poll(cx)).await
    };
}

#[test]
fn recv_ready_and_flush() {
    check::<Server>("recv", |sim, mut socket| {
        sim.spawn("echo", async move {
            let mut received = 0;
            while let Some(message) = cancelled!(socket.recv()) {
                cancelled!(socket.ready()).unwrap();
                socket.try_feed(message.unwrap()).unwrap();
                received += 1;
                if received % 3 == 0 {
                    cancelled!(socket.flush()).unwrap();
                }
            }
        });
    });
}

#[test]
fn next_event() {
    check::<Client>("next_event", |sim, mut socket| {
        sim.spawn("echo", async move {
            while let Some(event) = cancelled!(socket.next_event()) {
                if let Event::Message(message) = event.unwrap() {
                    cancelled!(socket.ready()).unwrap();
                    socket.try_feed(message).unwrap();
                }
            }
        });
    });
}

struct Echo;

impl<R: Role> Handler<R> for Echo {
    fn message<'b>(&mut self, message: Lent<'b>, reply: &mut Reply<'_, 'b, R>) {
        reply.send(message).unwrap();
    }
}

#[test]
fn serve() {
    check::<Server>("server", |sim, mut socket| {
        sim.spawn("serve", async move { cancelled!(socket.serve(Echo)).unwrap() });
    });
    check::<Client>("client", |sim, mut socket| {
        sim.spawn("serve", async move { cancelled!(socket.serve(Echo)).unwrap() });
    });
}

/// The three ways to receive take turns.
#[test]
fn serve_and_recv_in_turns() {
    check::<Server>("turns", |sim, mut socket| {
        sim.spawn("echo", async move {
            let mut turns = 0;
            loop {
                let end = poll_fn(|cx| {
                    turns += 1;
                    if turns % 2 == 0 {
                        return pin!(socket.serve(Echo)).poll(cx).map(|end| {
                            end.unwrap();
                            None
                        });
                    }
                    pin!(socket.recv()).poll(cx)
                });
                match end.await {
                    Some(message) => socket.feed(message.unwrap()).await.unwrap(),
                    None => break,
                }
            }
        });
    });
}

/// A sender that is dropped has not sent: sending the message again does not double it.
#[test]
fn senders_of_a_split_connection() {
    check::<Server>("split", |sim, socket| {
        let (sender, mut receiver) = socket.into_split();
        let queue = Rc::new(Queue::default());
        let replies = queue.clone();
        sim.spawn("receive", async move {
            while let Some(message) = cancelled!(receiver.recv()) {
                queue.push(Some(message.unwrap()));
            }
            queue.push(None);
        });
        sim.spawn("send", async move {
            let mut sent = 0;
            while let Some(message) = replies.pop().await {
                let send = || {
                    let (sender, message) = (sender.clone(), message.clone());
                    Box::pin(async move { sender.send(message).await }) as Sent
                };
                twice(send).await.unwrap();
                sent += 1;
                if sent % 4 == 0 {
                    let flush = || {
                        let sender = sender.clone();
                        Box::pin(async move { sender.flush().await }) as Sent
                    };
                    twice(flush).await.unwrap();
                }
            }
        });
    });
}

type Sent = Pin<Box<dyn Future<Output = Result<(), SendError>>>>;

/// Polls a future of a sender twice, and drops it between two wake-ups: it is woken only while it has its place.
async fn twice(start: impl Fn() -> Sent) -> Result<(), SendError> {
    let mut waiting: Option<Sent> = None;
    poll_fn(|cx| {
        if let Some(mut before) = waiting.take() {
            if let Poll::Ready(value) = before.as_mut().poll(cx) {
                return Poll::Ready(value);
            }
        }
        waiting.insert(start()).as_mut().poll(cx)
    })
    .await
}

/// Who drops `send` cannot tell whether the message will be sent, but it is whole, in order, and never there twice.
#[test]
fn send_is_whole_or_not() {
    for seed in 0..200 {
        let random = &mut Random(seed);
        let capacity = [1, 7, 100, 5000][random.below(4)];
        let (scripted, wire) = moody(capacity, random);
        let mut socket = WebSocket::<_, Client>::from_upgraded(scripted, b"", tight::<Client>(random));
        let mut sure = Vec::new();
        for i in 0..50u8 {
            let len = 2 + random.below(40 * capacity.min(100));
            let mut message = vec![i; len];
            message[1] = (len % 251) as u8;
            let mut send = Box::pin(socket.send(message));
            // Dropped after some polls.
            for _ in 0..random.below(5) {
                if poll_once(send.as_mut()).is_ready() {
                    sure.push(i);
                    break;
                }
                wire.step(random);
            }
        }
        let mut sim = Sim::new(seed);
        sim.spawn("flush", async move { socket.flush().await.unwrap() });
        sim.run(|random, _| wire.step(random));
        wire.take(usize::MAX);
        let mut before = None;
        for (first, payload) in frames::<Client>(&wire.state().taken) {
            assert_eq!((first, usize::from(payload[1])), (BINARY, payload.len() % 251), "seed {seed}: whole");
            assert!(before < Some(payload[0]), "seed {seed}: in order, and once");
            before = Some(payload[0]);
            sure.retain(|sent| *sent != payload[0]);
        }
        assert!(sure.is_empty(), "seed {seed}: {sure:?} were sent");
    }
}

/// A close that is dropped leaves whole frames on the wire, and the stream is dropped with it.
#[test]
fn close_is_dropped_at_every_point() {
    for turns in 0..40 {
        let (scripted, wire) = stream(3);
        let alive = std::sync::Arc::downgrade(&wire.state().alive);
        let mut socket = crate::socket::<_, Server>(scripted);
        socket.try_feed("Hello").unwrap();
        let mut close = Box::pin(socket.close(CloseCode::NORMAL, "bye"));
        let mut end = None;
        for turn in 0..turns {
            if let Poll::Ready(closed) = poll_once(close.as_mut()) {
                end = Some(closed);
                break;
            }
            wire.take(1);
            if turn == 20 {
                wire.arrive(&wire::to::<Server>(CLOSE, b""));
            }
        }
        assert!(end.is_none() || turns > 20);
        assert!(end.is_some() || turns < 35);
        drop(close);
        assert!(alive.upgrade().is_none());
        wire.take(usize::MAX);
        for (i, frame) in frames::<Server>(&wire.state().taken).into_iter().enumerate() {
            let expected = [(0x81, b"Hello".to_vec()), (CLOSE, wire::closing(1000, "bye"))];
            assert_eq!(frame, expected[i]);
        }
    }
}
