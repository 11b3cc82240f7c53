//! framewire-tokio on a network that turmoil simulates: latency, partitions, and messages that are held back, by the
//! simulation's own clock. Each seed is another course of events.

use framewire_tokio::{
    Acceptor, Client, CloseCode, Config, Connector, Error, Keepalive, Message, Sender, Tracker, WebSocket,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use turmoil::{
    Builder, Result, Sim,
    net::{TcpListener, TcpStream},
};

const SEEDS: u64 = 20;
const PORT: u16 = 9001;

/// A little longer than a segment takes.
const LATENCY: Duration = Duration::from_millis(300);

fn network<'a>(seed: u64) -> Sim<'a> {
    Builder::new()
        .rng_seed(seed)
        .enable_random_order()
        .tick_duration(Duration::from_millis(10))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(200))
        .simulation_duration(Duration::from_secs(300))
        .build()
}

/// How the connections of a server ended, and when.
type Ends = Arc<Mutex<Vec<(Duration, Option<Error>)>>>;

/// An echo server. By its path, a connection owns or borrows what it receives, or is split.
fn serve(sim: &mut Sim<'_>, acceptor: Acceptor, ends: &Ends) {
    let ends = ends.clone();
    sim.host("server", move || {
        let (acceptor, ends) = (acceptor.clone(), ends.clone());
        async move {
            let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                let (acceptor, ends) = (acceptor.clone(), ends.clone());
                tokio::spawn(async move {
                    let end = echo(stream, &acceptor).await;
                    ends.lock().unwrap().push((turmoil::sim_elapsed().unwrap(), end));
                });
            }
        }
    });
}

async fn echo(stream: TcpStream, acceptor: &Acceptor) -> Option<Error> {
    let mut path = String::new();
    let accepted = acceptor.accept_with(stream, |request| {
        request.path().clone_into(&mut path);
        Ok(Default::default())
    });
    let mut socket = accepted.await.expect("the network is whole when clients connect");
    match &*path {
        "/lent" => {
            let served = socket.serve_fn(|message, reply| {
                let _ = reply.send(message); // it fails only after a close
            });
            served.await.err()
        }
        "/split" => {
            let (sender, mut receiver) = socket.into_split();
            while let Some(message) = receiver.recv().await {
                match message {
                    Ok(message) => drop(sender.send(message).await),
                    Err(error) => return Some(error),
                }
            }
            None
        }
        _ => {
            while let Some(message) = socket.recv().await {
                match message {
                    Ok(message) => drop(socket.feed(message).await),
                    Err(error) => return Some(error),
                }
            }
            None
        }
    }
}

const PATHS: [&str; 3] = ["/owned", "/lent", "/split"];

async fn connect(config: Config, path: &str) -> Result<WebSocket<TcpStream, Client>> {
    let stream = TcpStream::connect(("server", PORT)).await?;
    Ok(Connector::new(config).connect_on(stream, "server", path).await?)
}

/// A client that pings as a server does.
fn watchful() -> Config {
    let mut config = Config::client();
    config.keepalive = Some(Keepalive::default());
    config
}

/// The most time from the loss of a peer to the end of the connection: two rounds without a sign of life, and the answer.
fn given_up_after() -> Duration {
    let Keepalive { idle, answer } = Keepalive::default();
    2 * idle + answer + LATENCY
}

/// Some number below `n`, another for each seed and purpose.
fn pick(seed: u64, purpose: u64, n: u64) -> u64 {
    ((seed * 1000 + purpose).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % n
}

/// Sends numbered messages of some lengths.
async fn send(sender: Sender<Client>, name: char, seed: u64) {
    for i in 0..150 {
        let more = pick(seed, i, 3000) as usize;
        let sent = sender.send(format!("{name} {i} {}", "x".repeat(more))).await;
        sent.expect("the connection lives");
    }
}

/// Two tasks send, one receives: every message comes back, those of each task in order.
#[test]
fn split_clients() {
    for seed in 0..SEEDS {
        let (mut sim, ends) = (network(seed), Ends::default());
        serve(&mut sim, Acceptor::new(Config::server()), &ends);
        for path in PATHS {
            sim.client(&path[1..], async move {
                let (sender, mut receiver) = connect(watchful(), path).await?.into_split();
                for name in ['a', 'b'] {
                    tokio::spawn(send(sender.clone(), name, seed));
                }
                let mut next = [0, 0];
                while next != [150, 150] {
                    let message = receiver.recv().await.ok_or("closed")??;
                    let mut words = message.as_text().ok_or("no text")?.split(' ');
                    let of = usize::from(words.next() == Some("b"));
                    assert_eq!(words.next().map(str::parse), Some(Ok(next[of])), "seed {seed}, {path}");
                    next[of] += 1;
                }
                sender.start_close(CloseCode::NORMAL, "done")?;
                assert!(receiver.recv().await.is_none());
                Ok(())
            });
        }
        sim.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let ends = ends.lock().unwrap();
        assert!(ends.len() == 3 && ends.iter().all(|(_, end)| end.is_none()), "seed {seed}: {ends:?}");
    }
}

/// Both ends of a connection give up when the network is cut, neither early nor late.
#[test]
fn a_partition() {
    for seed in 0..SEEDS {
        let (mut sim, ends) = (network(seed), Ends::default());
        serve(&mut sim, Acceptor::new(Config::server()), &ends);
        let path = PATHS[seed as usize % 3];
        let cut = Duration::from_millis(1000 + pick(seed, 1, 60_000));
        sim.client("client", async move {
            let (sender, mut receiver) = connect(watchful(), path).await?.into_split();
            tokio::spawn(async move {
                while sender.send("still here").await.is_ok() {
                    sleep(Duration::from_millis(1000 + pick(seed, 2, 20_000))).await;
                }
            });
            tokio::spawn(async move {
                sleep(cut - turmoil::sim_elapsed().unwrap_or_default()).await;
                turmoil::partition("client", "server");
            });
            let end = loop {
                match receiver.recv().await.ok_or("closed")? {
                    Ok(message) => assert_eq!(message, Message::from("still here")),
                    Err(error) => break error,
                }
            };
            assert!(matches!(end, Error::IdleTimeout), "seed {seed}: {end:?}");
            let after = turmoil::sim_elapsed().unwrap() - cut;
            assert!(after < given_up_after(), "seed {seed}: after {after:?}");
            // The server, too.
            sleep(given_up_after()).await;
            Ok(())
        });
        sim.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let ends = ends.lock().unwrap();
        let [(at, Some(Error::IdleTimeout))] = &ends[..] else { panic!("seed {seed}: {ends:?}") };
        assert!(*at > cut && *at - cut < given_up_after(), "seed {seed}: cut at {cut:?}, ended at {at:?}");
    }
}

/// A network that stands still for less than the timeouts loses nothing.
#[test]
fn a_pause() {
    for seed in 0..SEEDS {
        let (mut sim, ends) = (network(seed), Ends::default());
        serve(&mut sim, Acceptor::new(Config::server()), &ends);
        let path = PATHS[seed as usize % 3];
        sim.client("client", async move {
            let (sender, mut receiver) = connect(watchful(), path).await?.into_split();
            tokio::spawn(async move {
                for i in 0..60 {
                    sleep(Duration::from_secs(1)).await;
                    sender.send(i.to_string()).await.expect("the connection lives");
                }
            });
            tokio::spawn(async move {
                sleep(Duration::from_millis(pick(seed, 1, 20_000))).await;
                turmoil::hold("client", "server");
                sleep(Duration::from_millis(1000 + pick(seed, 2, 24_000))).await;
                turmoil::release("client", "server");
            });
            for i in 0..60 {
                let message = receiver.recv().await.ok_or("closed")??;
                assert_eq!(message, Message::from(i.to_string()), "seed {seed}");
            }
            receiver.unsplit().close(CloseCode::NORMAL, "").await?;
            Ok(())
        });
        sim.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let ends = ends.lock().unwrap();
        assert!(ends.len() == 1 && ends[0].1.is_none(), "seed {seed}: {ends:?}");
    }
}

/// A server that stops tells all peers, and does not wait for one that is cut off for longer than its close timeout.
#[test]
fn a_shutdown() {
    for seed in 0..SEEDS {
        let (mut sim, ends) = (network(seed), Ends::default());
        let tracker = Tracker::new();
        serve(&mut sim, Acceptor::new(Config::server()).tracked_by(&tracker), &ends);
        let begin = Duration::from_millis(5000 + pick(seed, 1, 10_000));
        for path in PATHS {
            sim.client(&path[1..], async move {
                let mut socket = connect(Config::client(), path).await?;
                socket.send("hello").await?;
                while socket.recv().await.ok_or("no echo")?? != Message::from("hello") {}
                assert!(socket.recv().await.is_none(), "seed {seed}");
                let closed = socket.peer_close().ok_or("not closed")?;
                assert_eq!(closed.code, CloseCode::GOING_AWAY, "seed {seed}");
                Ok(())
            });
        }
        sim.client("lost", async move {
            let socket = connect(Config::client(), "/owned").await?;
            sleep(begin - turmoil::sim_elapsed().unwrap_or_default()).await;
            turmoil::partition("lost", "server");
            drop(socket);
            Ok(())
        });
        sim.client("stop", async move {
            sleep(begin + LATENCY).await;
            let now = Instant::now();
            assert_eq!(tracker.shutdown(Duration::from_secs(60)).await, 0, "seed {seed}");
            let took = now.elapsed();
            assert!(
                took >= Duration::from_millis(4900) && took < Duration::from_secs(11),
                "seed {seed}: {took:?}"
            );
            Ok(())
        });
        sim.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let ends = ends.lock().unwrap();
        let late = ends.iter().filter(|(_, end)| matches!(end, Some(Error::CloseTimeout))).count();
        assert!(ends.len() == 4 && late == 1, "seed {seed}: {ends:?}");
    }
}
