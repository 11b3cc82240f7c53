//! Threads: memory of a thread that ends, and tasks that move.

use crate::{
    pair_with,
    sim::{now, poll_once},
    socket,
    stream::{Wire, stream},
    untimed,
};
use bytes::Bytes;
use framewire_testing::wire::{self, BINARY, CONTINUATION, MORE, PING};
use framewire_tokio::{Client, Message, Sender, Server, WebSocket};
use std::{
    cell::RefCell,
    pin::pin,
    sync::{Arc, Mutex},
    thread,
};

fn to(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::to::<Server>(first, payload)
}

/// Something that is used when its thread ends.
struct AtEnd(Option<Box<dyn FnOnce() + Send>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static FIRST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

/// Does some work in a thread, and returns what it has left when the thread ends: before and after the library's own memory of
/// the thread is freed, whatever the order is.
fn at_the_end_of_a_thread(work: impl Fn() -> Box<dyn FnOnce() + Send> + Send + 'static) {
    thread::spawn(move || {
        FIRST.with(|slot| slot.replace(None)); // it is there before the library's
        let (one, other) = (work(), work());
        FIRST.with(|slot| slot.replace(Some(AtEnd(Some(one)))));
        LAST.with(|slot| slot.replace(Some(AtEnd(Some(other)))));
    })
    .join()
    .expect("no panic while the thread ends");
}

/// A connection with everything unfinished: a rest of a read, half a message, and bytes that wait.
fn busy() -> (WebSocket<crate::stream::Scripted, Server>, Wire) {
    let (scripted, wire) = stream(10);
    let mut socket = socket::<_, Server>(scripted);
    socket.try_feed(vec![0; 50_000]).unwrap();
    wire.arrive(&[to(BINARY, &[1; 50_000]), to(BINARY & MORE, &[2; 30_000])].concat());
    assert_eq!(now(socket.recv()).unwrap().unwrap().len(), 50_000);
    assert!(poll_once(pin!(socket.recv())).is_pending());
    (socket, wire)
}

#[test]
fn a_connection_is_dropped_while_its_thread_ends() {
    at_the_end_of_a_thread(|| {
        let (socket, _) = busy();
        Box::new(move || drop(socket))
    });
}

#[test]
fn a_connection_is_used_while_its_thread_ends() {
    fn using(mut socket: WebSocket<crate::stream::Scripted, Server>, wire: &Wire) {
        wire.arrive(&[to(CONTINUATION, &[3; 30_000]), to(PING, b"?"), to(BINARY, b"last")].concat());
        assert_eq!(now(socket.recv()).unwrap().unwrap().len(), 60_000);
        assert_eq!(now(socket.recv()).unwrap().unwrap().len(), 4);
        socket.try_feed(vec![0; 20_000]).unwrap();
        wire.arrive(&to(BINARY, &[4; 100_000]).repeat(2));
        let mut serve = pin!(socket.serve_fn(|message, reply| reply.send(message).unwrap()));
        while poll_once(serve.as_mut()).is_pending() && !wire.take(usize::MAX).is_empty() {}
    }
    at_the_end_of_a_thread(|| {
        let (socket, wire) = busy();
        Box::new(move || using(socket, &wire))
    });
}

#[test]
fn a_client_masks_while_its_thread_ends() {
    at_the_end_of_a_thread(|| {
        let (scripted, wire) = stream(1 << 20);
        let mut socket = socket::<_, Client>(scripted);
        now(socket.send("before")).unwrap();
        Box::new(move || {
            now(socket.send("after")).unwrap();
            assert_eq!(crate::frames::<Client>(&wire.take(usize::MAX)).len(), 2);
        })
    });
}

#[test]
fn messages_and_senders_are_dropped_while_their_thread_ends() {
    at_the_end_of_a_thread(|| {
        let (scripted, wire) = stream(10);
        let mut socket = socket::<_, Server>(scripted);
        wire.arrive(&[to(BINARY & MORE, &[1; 100_000]), to(CONTINUATION, &[1; 100_000])].concat());
        let message = now(socket.recv()).unwrap().unwrap();
        let (sender, receiver) = socket.into_split();
        now(sender.send(vec![0; 300_000])).unwrap();
        Box::new(move || {
            let _ = sender.try_send(message.clone());
            drop((message, receiver, sender));
        })
    });
}

/// A large message comes back to the thread that drops it, whichever that is.
#[test]
fn messages_are_dropped_by_another_thread() {
    let kept: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    for i in 0..20u8 {
        let (scripted, wire) = stream(10);
        let mut socket = socket::<_, Server>(scripted);
        wire.arrive(&[to(BINARY & MORE, &vec![i; 100_000]), to(CONTINUATION, &vec![i; 200_000])].concat());
        kept.lock().unwrap().push(now(socket.recv()).unwrap().unwrap().into_bytes());
        let before = kept.clone();
        thread::spawn(move || {
            for (i, bytes) in before.lock().unwrap().iter().enumerate() {
                assert!(bytes.iter().all(|byte| usize::from(*byte) == i), "no memory is used twice");
            }
        })
        .join()
        .unwrap();
        if i % 3 == 0 {
            let bytes = kept.lock().unwrap()[usize::from(i)].clone();
            thread::spawn(move || drop(bytes)).join().unwrap();
        }
    }
}

/// Tasks that yield all the time move between the workers, in the middle of messages and of writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_move() {
    let mut tasks = tokio::task::JoinSet::new();
    for room in [50, 3000, 100_000] {
        for _ in 0..4 {
            let (mut server, client) = pair_with(room, untimed::<Server>(), untimed::<Client>());
            tasks.spawn(async move {
                while let Some(message) = server.recv().await {
                    tokio::task::yield_now().await;
                    server.send(message.unwrap()).await.unwrap();
                }
            });
            tasks.spawn(async move {
                let (sender, mut receiver) = client.into_split();
                let theirs: Sender<Client> = sender.clone();
                tokio::spawn(async move {
                    for i in 0..60u8 {
                        theirs.send(vec![i; 40 * usize::from(i) * usize::from(i % 7)]).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                });
                for i in 0..60u8 {
                    let message = receiver.recv().await.unwrap().unwrap();
                    assert_eq!(message, Message::from(vec![i; 40 * usize::from(i) * usize::from(i % 7)]));
                    tokio::task::yield_now().await;
                }
                sender.start_close(framewire_tokio::CloseCode::NORMAL, "").unwrap();
                assert!(receiver.recv().await.is_none());
            });
        }
    }
    tasks.join_all().await;
}

/// What a program relies on when it spawns.
#[test]
fn auto_traits() {
    fn is<T: Send + Sync + Unpin + 'static>() {}
    fn sends<T: Send>(_: T) {}
    is::<WebSocket<tokio::net::TcpStream>>();
    is::<WebSocket<tokio::net::TcpStream, Client>>();
    is::<framewire_tokio::Receiver<tokio::net::TcpStream>>();
    is::<Sender>();
    is::<framewire_tokio::WeakSender>();
    is::<framewire_tokio::Acceptor>();
    is::<framewire_tokio::Connector>();
    is::<framewire_tokio::Prepared>();
    is::<framewire_tokio::Tracker>();
    is::<framewire_tokio::Error>();
    let (mut socket, _) = busy();
    sends(socket.recv());
    sends(socket.send("x"));
    sends(socket.serve_fn(|_, _| {}));
}
