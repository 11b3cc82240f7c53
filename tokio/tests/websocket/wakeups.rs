//! No wake-up is lost: an echo of random messages over a stream that does as badly as it may, by each way to receive and send.
//! The tasks are polled only if they are woken.

use crate::{
    Talk, one_of,
    sim::Sim,
    stream::{End, Scripted, Wire, moody},
    tight,
};
use framewire_testing::{
    payload::Random,
    wire::{self, CLOSE},
};
use framewire_tokio::{Client, Event, Message, Role, Server, TrySendError, WebSocket};
use futures_util::{SinkExt, StreamExt};
use std::{cell::RefCell, collections::VecDeque, future::poll_fn, rc::Rc, task::Poll};

const SEEDS: u64 = 30;

/// Lets an echo run over a moody stream, and checks what it has written.
#[track_caller]
pub(crate) fn check<R: Role>(name: &str, echo: impl Fn(&mut Sim<'_>, WebSocket<Scripted, R>)) {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (capacity, longest) =
            one_of(random, &[(1, 50), (7, 300), (100, 2000), (5000, 30_000), (1 << 20, 100_000)]);
        let messages = 1 + random.below(30);
        let talk = Talk::random::<R>(random, messages, longest);
        let (scripted, wire) = moody(capacity, random);
        let at = random.below(talk.wire.len() + 1) * random.below(2);
        let (rest, sent) = talk.wire.split_at(at);
        wire.send(sent);
        let mut sim = Sim::new(seed);
        echo(&mut sim, WebSocket::from_upgraded(scripted, rest, tight::<R>(random)));
        let mut closed = false;
        sim.run(|random, all_wait| {
            let stepped = wire.step(random);
            if stepped || !all_wait || closed {
                return stepped;
            }
            // All is quiet, so all must be echoed. If a task had missed its wake-up, the close would wake it.
            assert_eq!(talk.replies::<R>(&wire), talk.messages.len(), "{name}, seed {seed}: stuck");
            wire.send(&wire::to::<R>(CLOSE, &wire::closing(1000, "bye")));
            wire.state().end = End::Eof;
            closed = true;
            true
        });
        talk.assert_echoed::<R>(&rest_of(&wire), &format!("{name}, seed {seed}"));
        assert!(wire.state().shut, "{name}, seed {seed}: the stream is shut down");
    }
}

fn rest_of(wire: &Wire) -> Vec<u8> {
    wire.take(usize::MAX);
    wire.state().taken.clone()
}

#[test]
fn recv_and_feed() {
    async fn echo<R: Role>(mut socket: WebSocket<Scripted, R>) {
        while let Some(message) = socket.recv().await {
            socket.feed(message.unwrap()).await.unwrap();
        }
        assert!(socket.peer_close().is_some());
    }
    check::<Server>("server", |sim, socket| sim.spawn("echo", echo(socket)));
    check::<Client>("client", |sim, socket| sim.spawn("echo", echo(socket)));
}

#[test]
fn recv_and_send() {
    check::<Server>("send", |sim, mut socket| {
        sim.spawn("echo", async move {
            while let Some(message) = socket.recv().await {
                socket.send(message.unwrap()).await.unwrap();
            }
        });
    });
}

#[test]
fn events_and_ready() {
    check::<Client>("ready", |sim, mut socket| {
        sim.spawn("echo", async move {
            while let Some(event) = socket.next_event().await {
                if let Event::Message(message) = event.unwrap() {
                    socket.ready().await.unwrap();
                    socket.try_feed(message).unwrap();
                }
            }
        });
    });
}

#[test]
fn served() {
    async fn echo<R: Role>(mut socket: WebSocket<Scripted, R>) {
        socket.serve_fn(|message, reply| reply.send(message).unwrap()).await.unwrap();
        assert!(socket.peer_close().is_some());
    }
    check::<Server>("server", |sim, socket| sim.spawn("serve", echo(socket)));
    check::<Client>("client", |sim, socket| sim.spawn("serve", echo(socket)));
}

/// A queue between two tasks.
#[derive(Default)]
pub(crate) struct Queue(RefCell<(VecDeque<Option<Message>>, Option<std::task::Waker>)>);

impl Queue {
    pub(crate) fn push(&self, message: Option<Message>) {
        let (queue, waker) = &mut *self.0.borrow_mut();
        queue.push_back(message);
        waker.take().into_iter().for_each(std::task::Waker::wake);
    }

    pub(crate) async fn pop(&self) -> Option<Message> {
        poll_fn(|cx| {
            let (queue, waker) = &mut *self.0.borrow_mut();
            if let Some(message) = queue.pop_front() {
                return Poll::Ready(message);
            }
            *waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// One task receives, another sends, and each displaces the other's waker in the stream.
#[test]
fn sink_and_stream_in_two_tasks() {
    check::<Server>("combinators", |sim, socket| {
        let (mut sink, mut stream) = socket.split();
        let queue = Rc::new(Queue::default());
        let replies = queue.clone();
        sim.spawn("receive", async move {
            while let Some(message) = stream.next().await {
                queue.push(Some(message.unwrap()));
            }
            queue.push(None);
        });
        sim.spawn("send", async move {
            while let Some(message) = replies.pop().await {
                sink.send(message).await.unwrap();
            }
        });
    });
}

/// The receiver, and three senders, each of which takes its turn.
#[test]
fn split_and_sent() {
    check::<Server>("split", |sim, socket| {
        let (sender, mut receiver) = socket.into_split();
        let queue = Rc::new(Queue::default());
        let replies = queue.clone();
        sim.spawn("receive", async move {
            while let Some(message) = receiver.recv().await {
                queue.push(Some(message.unwrap()));
            }
            queue.push(None);
        });
        sim.spawn("send", async move {
            while let Some(message) = replies.pop().await {
                sender.send(message).await.unwrap();
                if sender.waiting() % 3 == 0 {
                    sender.flush().await.unwrap();
                }
            }
        });
    });
}

/// The receiver's task sends without waiting, and the next `recv` writes.
#[test]
fn split_and_queued() {
    check::<Client>("queue", |sim, socket| {
        let (sender, mut receiver) = socket.into_split();
        sim.spawn("receive", async move {
            let mut queued = 0;
            while let Some(message) = receiver.recv().await {
                queued += 1;
                let mut message = message.unwrap();
                loop {
                    let sent = if queued % 2 == 0 { sender.queue(message) } else { sender.try_send(message) };
                    match sent {
                        Ok(()) => break,
                        Err(TrySendError::Full(back)) => message = back,
                        Err(TrySendError::Closed(_)) => panic!("closed"),
                    }
                    sender.flush().await.unwrap();
                }
            }
        });
    });
}
