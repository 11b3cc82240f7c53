//! Connections that come and go.

mod common;

use clap::Parser;
use framewire::{Connection, Event, Kind, Server, State, Unmasked};
use framewire_load::{Failure, Leave, Options, Report, Wrong, run};
use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
    net::{IpAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

#[test]
fn connections_come_and_go() {
    for (leave, end) in [(Leave::Close, End::Close), (Leave::Fin, End::Fin), (Leave::Reset, End::Reset)] {
        for echoes in [0, 1, 10] {
            let seen = Seen::default();
            let server = start(&seen, |payload| payload.to_vec(), Manners::Good);
            let name = format!("{leave:?}").to_lowercase();
            let options = format!("-n 60 -c 7 --churn {echoes} --leave {name} -i 3");
            let report = load(server, &options).expect(&name);
            assert_eq!((report.left, report.churn, report.leave), (Some(60), Some(echoes), Some(leave)));
            assert!(report.first_p50.is_some_and(|p50| p50 > 0.0) && report.first_p50 <= report.first_p99);
            assert!(report.connections_per_second.is_some_and(|rate| rate > 0.0));
            assert_eq!(seen.wait_for(60), vec![(end, echoes); 60], "{options}");
        }
    }
}

#[test]
fn connections_come_from_several_addresses() {
    let seen = Seen::default();
    let server = start(&seen, |payload| payload.to_vec(), Manners::Good);
    let report =
        load(server, "-n 40 -c 5 --churn 1 --sources 4 --leave reset").expect("a server that echoes");
    assert_eq!(report.sources, Some(4));
    seen.wait_for(40);
    let expected: BTreeSet<IpAddr> = (1..=4).map(|last| [127, 0, 0, last].into()).collect();
    assert_eq!(seen.0.lock().expect("no panic").addresses, expected);
}

#[test]
fn a_churn_has_its_time() {
    let server = start(&Seen::default(), |payload| payload.to_vec(), Manners::Good);
    let pid = std::process::id();
    let report = load(server, &format!("-d 0.2 --warm-up 0.05 -c 3 --churn 2 --pid {pid}")).expect("an echo");
    let left = report.left.expect("a churn");
    assert!(report.seconds >= 0.2 && left > 0 && report.messages >= left, "{report:?}");
    let per = report.connections_per_cpu_second.expect("the time of the process");
    assert!((per * report.server_cpu.expect("its time") - left as f64).abs() < 0.01, "{report:?}");
}

#[test]
fn a_wrong_reply_is_found() {
    let server = start(&Seen::default(), |payload| [payload, b"!"].concat(), Manners::Good);
    let failure = load(server, "-n 5 -c 1 --churn 1 -s 20").expect_err("the reply is too long");
    assert!(matches!(failure, Failure::Reply { wrong: Wrong::Longer { expected: 20 }, .. }), "{failure}");
}

#[test]
fn a_server_that_does_not_close() {
    let server = start(&Seen::default(), |payload| payload.to_vec(), Manners::Stays);
    let failure = load(server, "-n 5 -c 2 --churn 1 --patience 0.2").expect_err("it does not close");
    assert!(matches!(failure, Failure::Silent { owed: 2, .. }), "{failure}");
}

#[test]
fn a_server_that_closes_without_a_close() {
    let server = start(&Seen::default(), |payload| payload.to_vec(), Manners::Drops);
    let failure = load(server, "-n 5 -c 1 --churn 1").expect_err("no close");
    assert!(matches!(failure, Failure::Ended { .. } | Failure::Socket { .. }), "{failure}");
}

#[test]
fn several_addresses_need_a_server_at_such_an_address() {
    let options =
        Options::parse_from(["framewire-load", "ws://192.0.2.1:9/", "--churn", "0", "--sources", "2"]);
    assert!(matches!(run(&options.plan(), |_, _| {}), Err(Failure::Sources)));
}

// ------------------------------------------------------------------------------------------------ a server

/// How a connection ended, as its server saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    Fin,
    Reset,
}

/// The ends of the connections, each with its number of messages; and where they came from.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Connections>>);

#[derive(Default)]
struct Connections {
    ends: Vec<(End, usize)>,
    addresses: BTreeSet<IpAddr>,
}

impl Seen {
    /// The ends of all connections, once so many have ended.
    fn wait_for(&self, count: usize) -> Vec<(End, usize)> {
        for _ in 0..1000 {
            let ends = self.0.lock().expect("no panic").ends.clone();
            if ends.len() >= count {
                return ends;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("fewer than {count} connections end: {:?}", self.0.lock().expect("no panic").ends);
    }
}

/// What the server does after a closing handshake, or instead of one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    Good,
    /// It does not close its socket.
    Stays,
    /// It closes its socket without a close.
    Drops,
}

fn start(seen: &Seen, answer: fn(&[u8]) -> Vec<u8>, manners: Manners) -> u16 {
    let seen = seen.clone();
    common::start(move || {
        let seen = seen.clone();
        move |mut stream| {
            let from = stream.peer_addr()?.ip();
            let mut messages = 0;
            let served = serve(&mut stream, answer, manners, &mut messages);
            let end = match served {
                Ok(true) => End::Close,
                Ok(false) => End::Fin,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => End::Reset,
                Err(error) => return Err(error),
            };
            let mut seen = seen.0.lock().expect("no panic");
            seen.ends.push((end, messages));
            seen.addresses.insert(from);
            Ok(())
        }
    })
}

/// Echoes; returns whether there was a closing handshake.
fn serve(
    stream: &mut TcpStream,
    answer: fn(&[u8]) -> Vec<u8>,
    manners: Manners,
    messages: &mut usize,
) -> io::Result<bool> {
    common::accept(stream, None)?;
    let mut rx = vec![0; 64 << 10];
    let mut connection = Connection::<Server>::new();
    loop {
        let n = stream.read(&mut rx)?;
        if n == 0 {
            return Ok(false);
        }
        let mut input = &mut rx[..n];
        let mut tx = Vec::new();
        while let Some(event) = connection.receive(&mut input).expect("the generator keeps to the protocol") {
            if manners == Manners::Drops && matches!(event, Event::Close(_)) {
                return Ok(true);
            }
            tx.extend(connection.reply(&event, Unmasked).iter().flat_map(|frame| frame.iter()));
            if let Event::Text(text) = event {
                *messages += 1;
                let message = answer(text.as_bytes());
                let header = connection.message_header(
                    Kind::Text,
                    framewire::Rsv::NONE,
                    message.len() as u64,
                    Unmasked,
                );
                tx.extend_from_slice(&header.expect("it is open"));
                tx.extend(message);
            }
        }
        stream.write_all(&tx)?;
        if connection.state() == State::Closed && manners != Manners::Stays {
            return Ok(true);
        }
    }
}

fn load(port: u16, options: &str) -> Result<Report, Failure> {
    let url = format!("ws://127.0.0.1:{port}/");
    let options = Options::parse_from(["framewire-load", &url].into_iter().chain(options.split(' ')));
    run(&options.plan(), |_, _| {})
}
