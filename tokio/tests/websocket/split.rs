//! `into_split`: who waits, in which order, and what those that wait learn.

use crate::{
    frames,
    sim::{now, poll_once, waker},
    socket,
    stream::{End, Scripted, Wire, stream},
};
use framewire_testing::wire::{self, BINARY, CLOSE};
use framewire_tokio::{CloseCode, Message, Receiver, SendError, Sender, Server, TrySendError, WebSocket};
use std::{
    pin::pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

/// A connection whose pipe is full, and whose queue is, too.
fn full() -> (Sender, Receiver<Scripted>, Wire) {
    let (scripted, wire) = stream(10);
    let mut config = crate::untimed::<Server>();
    config.high_water = 100;
    let socket = WebSocket::from_upgraded(scripted, b"", config);
    let (sender, receiver) = socket.into_split();
    now(sender.send(vec![0; 200])).unwrap();
    assert!(sender.waiting() >= 100);
    (sender, receiver, wire)
}

fn payloads(wire: &Wire) -> Vec<u8> {
    frames::<Server>(&wire.state().taken).iter().map(|(_, payload)| payload[0]).collect()
}

/// Takes all that the connection has to write.
fn drain(receiver: &mut Receiver<Scripted>, wire: &Wire) {
    while !wire.take(usize::MAX).is_empty() {
        let _ = poll_once(pin!(receiver.recv()));
    }
}

#[test]
fn senders_are_served_in_their_order() {
    let (sender, mut receiver, wire) = full();
    let mut waiting: Vec<_> = (1..=5).map(|i| Box::pin(sender.send(vec![i; 60]))).collect();
    let mut wakers: Vec<_> = (1..=5).map(|_| waker()).collect();
    for (send, (_, waker)) in waiting.iter_mut().zip(&wakers) {
        assert!(send.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    // One that comes later does not overtake, even when there is room: the others have not been polled yet.
    drain(&mut receiver, &wire);
    assert_eq!(sender.waiting(), 0);
    assert!(
        matches!(sender.try_send(vec![9]), Err(TrySendError::Full(message)) if message == Message::from(vec![9]))
    );
    assert!(matches!(sender.queue(vec![9]), Err(TrySendError::Full(_))));
    let mut late = Box::pin(sender.send(vec![6; 60]));
    let (late_woken, late_waker) = waker();
    assert!(late.as_mut().poll(&mut Context::from_waker(&late_waker)).is_pending());
    wakers.push((late_woken, late_waker));
    waiting.push(late);
    // Each one that has sent, and ends, wakes the next.
    for (i, (send, (woken, waker))) in waiting.into_iter().zip(&wakers).enumerate() {
        assert!(woken.times() > 0, "sender {i} is woken by the one before");
        let mut send = send;
        while send.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
            drain(&mut receiver, &wire);
        }
        drop(send);
        drain(&mut receiver, &wire);
    }
    assert_eq!(payloads(&wire), [0, 1, 2, 3, 4, 5, 6]);
    sender.try_send(vec![9]).unwrap();
}

#[test]
fn a_sender_that_is_dropped_wakes_the_next() {
    let (sender, mut receiver, wire) = full();
    let mut first = Box::pin(sender.send(vec![1]));
    let mut second = Box::pin(sender.send(vec![2]));
    let ((first_woken, first_waker), (second_woken, second_waker)) = (waker(), waker());
    assert!(first.as_mut().poll(&mut Context::from_waker(&first_waker)).is_pending());
    assert!(second.as_mut().poll(&mut Context::from_waker(&second_waker)).is_pending());
    drain(&mut receiver, &wire);
    assert!(first_woken.times() > 0);
    assert_eq!(second_woken.times(), 0, "only the one that is next");
    drop(first);
    assert!(second_woken.times() > 0);
    assert!(second.as_mut().poll(&mut Context::from_waker(&second_waker)).is_ready());
    drain(&mut receiver, &wire);
    assert_eq!(payloads(&wire), [0, 2], "the one that was dropped has sent nothing");
}

#[test]
fn full_and_closed_return_the_message() {
    let (sender, mut receiver, wire) = full();
    assert_eq!(sender.try_send("text"), Err(TrySendError::Full("text".into())));
    assert_eq!(sender.queue("text"), Err(TrySendError::Full("text".into())));
    sender.start_close(CloseCode::NORMAL, "bye").unwrap();
    assert_eq!(sender.try_send("text"), Err(TrySendError::Closed("text".into())));
    assert_eq!(sender.queue("text"), Err(TrySendError::Closed("text".into())));
    assert_eq!(now(sender.send("text")), Err(SendError::Closed));
    assert_eq!(sender.start_close(CloseCode::NORMAL, ""), Err(SendError::Closed));
    assert_eq!(sender.ping(), Err(SendError::Closed));
    drain(&mut receiver, &wire);
    assert_eq!(frames::<Server>(&wire.state().taken)[1], (CLOSE, wire::closing(1000, "bye")));
    drop(receiver);
    assert_eq!(sender.try_send("text"), Err(TrySendError::Closed("text".into())));
}

/// Whatever ends sending, a sender that waits is woken and learns it.
#[test]
fn those_that_wait_learn_of_the_end() {
    type Ending = fn(&Sender, Receiver<Scripted>, &Wire) -> Option<Receiver<Scripted>>;
    let ends: [(&str, Ending); 6] = [
        ("receiver dropped", |_, receiver, _| {
            drop(receiver);
            None
        }),
        ("unsplit", |_, receiver, _| {
            drop(receiver.unsplit());
            None
        }),
        ("own close", |sender, receiver, _| {
            sender.start_close(CloseCode::NORMAL, "").unwrap();
            Some(receiver)
        }),
        ("peer's close", |_, mut receiver, wire| {
            wire.arrive(&wire::to::<Server>(CLOSE, &wire::closing(1000, "")));
            assert!(poll_once(pin!(receiver.recv())).is_pending());
            Some(receiver)
        }),
        ("failed write", |_, mut receiver, wire| {
            wire.fail_writes();
            let _ = poll_once(pin!(receiver.recv()));
            Some(receiver)
        }),
        ("reset", |_, mut receiver, wire| {
            wire.end(End::Reset);
            assert!(poll_once(pin!(receiver.recv())).is_ready());
            Some(receiver)
        }),
    ];
    for (name, end) in ends {
        let (sender, receiver, wire) = full();
        let ((woken, waker), (flush_woken, flush_waker)) = (waker(), waker());
        let mut sends: Vec<_> = (0..3).map(|_| Box::pin(sender.send("late"))).collect();
        for send in &mut sends {
            assert!(send.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let mut flush = Box::pin(sender.flush());
        assert!(flush.as_mut().poll(&mut Context::from_waker(&flush_waker)).is_pending());
        let receiver = end(&sender, receiver, &wire);
        for send in sends {
            assert!(woken.times() > 0, "{name}: woken");
            let before = woken.times();
            let mut send = send;
            let sent = send.as_mut().poll(&mut Context::from_waker(&waker));
            assert_eq!(sent, Poll::Ready(Err(SendError::Closed)), "{name}");
            drop(send);
            assert!(woken.times() > before || flush_woken.times() > 0, "{name}: the next is woken");
        }
        assert!(sender.is_closed(), "{name}");
        drop(receiver);
        assert!(flush_woken.times() > 0, "{name}");
        assert_eq!(
            flush.as_mut().poll(&mut Context::from_waker(&flush_waker)),
            Poll::Ready(Err(SendError::Closed)),
            "{name}: what waited was lost"
        );
    }
}

#[test]
fn closed_waits_for_the_end_of_the_connection() {
    let (scripted, wire) = stream(1000);
    let (sender, mut receiver) = socket::<_, Server>(scripted).into_split();
    let (woken, waker) = waker();
    let mut closed = Box::pin(sender.closed());
    assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    sender.start_close(CloseCode::NORMAL, "").unwrap();
    assert!(sender.is_closed(), "nothing can be sent");
    assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "but messages may arrive");
    wire.arrive(&wire::cat(&[wire::to::<Server>(BINARY, b"last"), wire::to::<Server>(CLOSE, b"")]));
    assert_eq!(now(receiver.recv()).unwrap().unwrap(), Message::from(b"last".to_vec()));
    assert!(now(receiver.recv()).is_none());
    assert_eq!(receiver.peer_close().unwrap().code, CloseCode::NO_STATUS);
    assert!(woken.times() > 0);
    assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    now(sender.closed());
}

#[test]
fn the_last_sender_does_not_close() {
    let (scripted, wire) = stream(1000);
    let (sender, mut receiver) = socket::<_, Server>(scripted).into_split();
    let weak = sender.downgrade();
    assert!(weak.upgrade().is_some());
    drop(sender);
    wire.arrive(&wire::to::<Server>(BINARY, b"still"));
    assert_eq!(now(receiver.recv()).unwrap().unwrap(), Message::from(b"still".to_vec()));
    let sender = weak.upgrade().expect("the receiver keeps it");
    sender.try_send("here").unwrap();
    drop(sender);
    drop(receiver);
    assert!(weak.upgrade().is_none());
}

#[test]
fn unsplit_goes_on() {
    let (sender, receiver, wire) = full();
    sender.start_close(CloseCode::NORMAL, "").unwrap_or_default();
    let mut socket = receiver.unsplit();
    assert_eq!(now(sender.send("no")), Err(SendError::Closed));
    now(sender.closed());
    wire.arrive(&wire::to::<Server>(BINARY, b"more"));
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from(b"more".to_vec()));
    while !wire.take(usize::MAX).is_empty() {
        assert!(poll_once(pin!(socket.recv())).is_pending());
    }
    assert_eq!(frames::<Server>(&wire.state().taken).len(), 2, "the message and the close");
}

/// Nothing keeps itself alive: the stream keeps a waker, and that must not keep the stream.
#[test]
fn no_cycle() {
    let (sender, mut receiver, wire) = full();
    let alive: Weak<()> = Arc::downgrade(&wire.state().alive);
    let (woken, waker) = waker();
    let task = Arc::downgrade(&woken);
    drop(woken);
    {
        let mut recv = pin!(receiver.recv());
        let mut send = pin!(sender.send("late"));
        assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(send.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(alive.upgrade().is_some());
    drop(receiver);
    assert!(alive.upgrade().is_none(), "the stream is dropped with the receiver");
    drop(waker);
    assert!(task.upgrade().is_none(), "a sender does not keep the receiver's task");
    drop(sender);
}
