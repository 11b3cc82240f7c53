//! The generator against servers that follow a script: it counts right replies and finds wrong ones.

mod common;

use clap::Parser;
use framewire::{Assembler, Connection, Event, Kind, Limits, Server, Unmasked};
use framewire_load::{Failure, Format, Options, Report, Wrong, run};
use framewire_testing::wire::{self, BINARY, CLOSE, CONTINUATION, MORE, PING, TEXT};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn replies_are_counted() {
    let server = start(|message| message.frame());
    let report =
        load(server, "-n 1000 -c 7 -i 3 -s 0,1,16,125,126,1K,65535,64K").expect("a server that echoes");
    assert_eq!((report.messages, report.connections, report.in_flight), (1000, 7, Some(3)));
    assert!(report.latency_p50 <= report.latency_p99 && report.latency_p99 <= report.latency_max);
    assert!(report.void.is_none() && report.late_p99.is_none() && report.server_cpu.is_none());
}

#[test]
fn every_kind_of_payload_passes() {
    let server = start(|message| message.frame());
    for payload in ["binary", "text", "mixed"] {
        let report = load(server, &format!("-n 200 -c 2 -i 5 -s 3,100,70000 -p {payload}")).expect(payload);
        assert_eq!(report.messages, 200);
    }
}

#[test]
fn a_run_has_its_time() {
    let server = start(|message| message.frame());
    let report = load(server, "-d 0.2 --warm-up 0.05 -c 3 --ramp 0.05").expect("a server that echoes");
    assert!(report.seconds >= 0.2 && report.messages > 0, "{report:?}");
}

#[test]
fn messages_larger_than_what_a_socket_holds() {
    let server = start(|message| message.frame());
    let report = load(server, "-n 12 -c 2 -i 3 -s 5M -p binary").expect("a server that echoes");
    assert_eq!((report.messages, report.bytes), (12, 12 * (5 << 20)));
}

#[test]
fn replies_in_fragments_with_pings_between() {
    let server = start(|message| {
        let (one, other) = message.payload.split_at(message.payload.len() / 2);
        [frame(message.first() & MORE, one), frame(PING, b"still there?"), frame(CONTINUATION, other)]
            .concat()
    });
    assert_eq!(load(server, "-n 300 -c 3 -i 4 -s 1,20,300").expect("fragments are fine").messages, 300);
}

#[test]
fn another_handler() {
    let server = start(|message| {
        let last = message.payload.last().copied().unwrap_or(0);
        frame(TEXT, format!("{} {last}", message.payload.len()).as_bytes())
    });
    let report = load(server, "-n 300 -c 3 -i 4 -s 0,20,300 --handler length -p binary");
    assert_eq!(report.expect("the right answers").messages, 300);
    assert!(matches!(
        wrong(load(server, "-n 300")),
        Wrong::Longer { .. } | Wrong::Byte { .. } | Wrong::Shorter { .. }
    ));
}

#[test]
fn a_byte_that_is_not_the_same() {
    let server = start(|mut message| {
        if message.number == 40 {
            message.payload[99] ^= 0x01;
        }
        message.frame()
    });
    let failure = load(server, "-n 100 -s 125 -c 1 -p binary -i 8").expect_err("one byte is wrong");
    assert!(
        matches!(
            failure,
            Failure::Reply { connection: 0, message: 40, wrong: Wrong::Byte { at: 99, is, expected } }
                if is == expected ^ 0x01
        ),
        "{failure}"
    );
}

#[test]
fn a_byte_that_is_not_the_same_far_into_a_large_message() {
    let server = start(|mut message| {
        message.payload[900_000] ^= 0x80;
        message.frame()
    });
    let wrong = wrong(load(server, "-n 2 -s 1M -c 1 -p binary"));
    assert!(matches!(wrong, Wrong::Byte { at: 900_000, .. }), "{wrong}");
}

#[test]
fn an_old_reply_once_more() {
    // From the third on, each message gets the reply to the one before.
    let mut before = Vec::new();
    let server = start_each(move || {
        let mut before = std::mem::take(&mut before);
        Box::new(move |message| {
            let now = message.frame();
            let reply = if message.number < 2 { now.clone() } else { before.clone() };
            before = now;
            reply
        })
    });
    let failure = load(server, "-n 100 -s 16 -c 1 -i 4").expect_err("the third is the second once more");
    assert!(matches!(failure, Failure::Reply { message: 2, wrong: Wrong::Byte { .. }, .. }), "{failure}");
}

#[test]
fn a_reply_too_long_or_short_or_many_or_of_the_other_kind() {
    let found = |answer: fn(Message) -> Vec<u8>| wrong(load(start(answer), "-n 10 -s 20 -c 1 -p binary"));
    assert_eq!(
        found(|message| frame(BINARY, &[&message.payload[..], b"!"].concat())),
        Wrong::Longer { expected: 20 }
    );
    assert_eq!(
        found(|message| frame(BINARY, &message.payload[..19])),
        Wrong::Shorter { is: 19, expected: 20 }
    );
    assert_eq!(found(|_| frame(TEXT, b"hello")), Wrong::Kind { is: Kind::Text, expected: Kind::Binary });
    assert_eq!(found(|message| [message.frame(), message.frame()].concat()), Wrong::Unasked);
}

#[test]
fn a_server_that_leaves() {
    let server = start(|message| match message.number {
        0..10 => message.frame(),
        _ => frame(CLOSE, b"\x03\xe9bye"),
    });
    let failure = load(server, "-n 100 -c 1").expect_err("it closes");
    assert_eq!(failure.to_string(), "connection 0: the server closes it: 1001 bye");
}

#[test]
fn a_server_that_drops_the_connection() {
    // The thread of the connection panics.
    let server = start(|message| {
        assert!(message.number < 10, "as it must");
        message.frame()
    });
    let failure = load(server, "-n 100 -c 1 -i 4").expect_err("it is dropped");
    assert!(matches!(failure, Failure::Ended { connection: 0, .. } | Failure::Socket { .. }), "{failure}");
}

#[test]
fn a_server_that_breaks_the_protocol() {
    let server = start(|_| vec![0x83, 0x00]);
    assert!(matches!(load(server, "-n 10"), Err(Failure::Protocol { .. })));
}

#[test]
fn a_server_that_says_nothing() {
    let server = start(|message| if message.number < 5 { message.frame() } else { Vec::new() });
    let failure = load(server, "-n 100 -c 2 --patience 0.2").expect_err("it goes silent");
    assert!(matches!(failure, Failure::Silent { owed: 2, .. }), "{failure}");
}

#[test]
fn a_server_that_floods_with_pings() {
    gives_up(flood(vec![], frame(PING, &[b'?'; 125])));
}

#[test]
fn a_server_that_floods_with_empty_fragments() {
    gives_up(flood(frame(TEXT & MORE, b""), frame(CONTINUATION & MORE, b"")));
}

/// A server that owes nothing may be silent.
#[test]
fn a_schedule_with_long_pauses() {
    let server = start(|message| message.frame());
    let report =
        load(server, "-n 3 --rate 2 -c 1 --patience 0.3 --late-bound 3600").expect("a server that echoes");
    assert_eq!(report.messages, 3);
}

#[test]
fn a_server_that_does_not_even_shake_hands() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let failure = load(port, "-n 1 -c 1 --patience 0.2").expect_err("nobody accepts");
    assert!(matches!(failure, Failure::Silent { .. }), "{failure}");

    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| {
                let _request = stream.read(&mut [0; 2000])?;
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            });
        }
    });
    assert!(matches!(load(port, "-n 1 -c 1"), Err(Failure::Status(404))));
}

/// Coordinated omission: when a server stops for 200 ms, a closed loop waits with it, and only one message shows it. By a
/// schedule, hundreds of messages were due meanwhile, and each of them waited for the rest of the 200 ms.
#[test]
fn an_open_loop_sees_what_waited_while_the_server_stalled() {
    let server = start(|message| {
        if message.number == 400 {
            thread::sleep(Duration::from_millis(200));
        }
        message.frame()
    });
    let report = load(server, "-n 1000 --rate 1000 -c 1").expect("a server that echoes");
    assert_eq!((report.messages, report.rate), (1000, Some(1000.0)));
    assert!(report.latency_max >= 200_000.0, "{report:?}");
    // One in six waited for more than 30 ms.
    assert!(report.latency_p90 >= 30_000.0, "{report:?}");
}

#[test]
fn a_sender_that_is_late_makes_it_void() {
    let server = start(|message| message.frame());
    let report = load(server, "-n 100 --rate 2000 -c 3 --late-bound 0").expect("a server that echoes");
    assert!(report.late_p99.is_some_and(|late| late > 0.0));
    assert!(report.void.is_some_and(|why| why.contains("late")));
    let output = program(server, "-n 100 --rate 2000 --late-bound 0");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("VOID"));
    let report = load(server, "-n 100 --rate 2000 -c 3 --late-bound 3600").expect("a server that echoes");
    assert!(report.void.is_none());
}

/// No sender can keep up with this rate: it still reads the replies, stops in time, and does not blame the server.
#[test]
fn a_rate_that_cannot_be_sent_makes_it_void() {
    let server = start(|message| message.frame());
    let report =
        load(server, "-d 0.2 --warm-up 0 --rate 100000000 -c 2 -s 16").expect("a server that echoes");
    assert!(report.messages > 0 && report.void.is_some_and(|why| why.contains("late")));
    assert_eq!(
        program(server, "-d 0.1 --late-bound 1").status.code(),
        Some(2),
        "without --rate it has no meaning"
    );
}

#[test]
fn what_the_process_of_the_server_takes() {
    // This is our own process, and other tests in it have threads that end: send enough messages that hundredths count.
    let server = start(|message| message.frame());
    let report =
        load(server, &format!("-n 5000 -s 16K --pid {}", std::process::id())).expect("a server that echoes");
    let cpu = report.server_cpu.expect("its time");
    assert!(cpu > 0.0 && report.server_user.is_some_and(|user| user <= cpu), "{report:?}");
    let per = report.messages_per_cpu_second.expect("messages by its time");
    assert!((per * cpu - 5000.0).abs() < 0.01, "{report:?}");
    assert!(
        report.server_anonymous > Some(0) && report.server_resident >= report.server_anonymous,
        "{report:?}"
    );
    // No process has this ID.
    assert!(matches!(load(server, "-n 1 --pid 4194305"), Err(Failure::Process(4_194_305, _))));
}

#[test]
fn all_formats_say_the_same() {
    let server = start(|message| message.frame());
    let output = program(server, "-n 100 -s 16:1,125:2 --format json");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    let json: Report = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((json.messages, &*json.size, text(&output.stdout).lines().count()), (100, "16:1,125:2", 1));

    let csv = text(&program(server, "-n 100 -s 16:1,125:2 --format csv").stdout);
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let column = names.iter().position(|name| *name == "size").expect("a column");
    assert_eq!(&values[column..column + 2], ["\"16:1", "125:2\""]); // the only value with a comma in it
    assert!(names.contains(&"latency_p999") && lines.next().is_none());

    let table = text(&program(server, "-n 100").stdout);
    assert!(table.contains("100 replies") && table.contains("p99.9"), "{table}");
    assert!(json.format(Format::Csv).starts_with(&names.join(",")));
}

#[test]
fn nobody_listens() {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let output = program(port, "-n 1");
    assert_eq!(output.status.code(), Some(1));
    let expected =
        format!("framewire-load: 127.0.0.1:{port} refuses the connection: is a server running there?\n");
    assert_eq!(text(&output.stderr), expected);
    assert!(output.stdout.is_empty());
}

// ------------------------------------------------------------------------------------------------ options

fn load(port: u16, options: &str) -> Result<Report, Failure> {
    let url = format!("ws://127.0.0.1:{port}/");
    let options = Options::parse_from(["framewire-load", &url].into_iter().chain(options.split(' ')));
    run(&options.plan(), |_, _| {})
}

/// Checks that the generator ends for want of replies, although the server never stops sending, and within 128 MiB of
/// address space, which it needs itself.
fn gives_up(server: u16) {
    let limited = format!("ulimit -v 131072; exec {} \"$@\"", env!("CARGO_BIN_EXE_framewire-load"));
    let mut child = Command::new("sh")
        .args(["-c", &limited, "sh", &format!("ws://127.0.0.1:{server}/")])
        .args("-d 0.2 --warm-up 0 -c 2 --patience 0.5".split(' '))
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let began = Instant::now();
    while child.try_wait().expect("our child").is_none() {
        if began.elapsed() > PATIENCE {
            child.kill().expect("our child");
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("our child");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the server has sent no part of a reply for 500ms, and owes 2"), "{said}");
}

fn wrong(outcome: Result<Report, Failure>) -> Wrong {
    match outcome {
        Err(Failure::Reply { wrong, .. }) => wrong,
        other => panic!("{other:?}"),
    }
}

fn program(port: u16, options: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_framewire-load"))
        .arg(format!("ws://127.0.0.1:{port}/"))
        .args(options.split(' '))
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

// ------------------------------------------------------------------------------------------ a server with a script

struct Message {
    /// How many messages the server had received before.
    number: u64,
    kind: Kind,
    payload: Vec<u8>,
}

impl Message {
    /// The first byte of a message in one frame.
    fn first(&self) -> u8 {
        match self.kind {
            Kind::Text => TEXT,
            Kind::Binary => BINARY,
        }
    }

    fn frame(&self) -> Vec<u8> {
        frame(self.first(), &self.payload)
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    wire::frame(first, None, payload)
}

type Answer = Box<dyn FnMut(Message) -> Vec<u8> + Send>;

/// A server that answers each message with these bytes. Returns its port.
fn start(answer: impl Fn(Message) -> Vec<u8> + Clone + Send + 'static) -> u16 {
    start_each(move || Box::new(answer.clone()))
}

/// The same, for connections with state.
fn start_each(mut new: impl FnMut() -> Answer + Send + 'static) -> u16 {
    let count = Arc::new(AtomicU64::new(0));
    common::start(move || {
        let (answer, count) = (new(), count.clone());
        move |stream| serve(stream, answer, &count)
    })
}

/// A server that waits for a message, sends `first`, and then this frame without end. It reads nothing more.
fn flood(first: Vec<u8>, frame: Vec<u8>) -> u16 {
    let many = frame.repeat((64 << 10) / frame.len());
    common::start(move || {
        let (first, many) = (first.clone(), many.clone());
        move |mut stream| {
            common::accept(&mut stream, None)?;
            stream.read_exact(&mut [0; 100])?;
            stream.write_all(&first)?;
            loop {
                stream.write_all(&many)?;
            }
        }
    })
}

fn serve(mut stream: TcpStream, mut answer: Answer, count: &AtomicU64) -> io::Result<()> {
    common::accept(&mut stream, None)?;
    let mut rx = vec![0; 64 << 10];
    // Text that is received must be text, and masking is checked by our codec.
    let mut connection = Connection::<Server>::new().with_limits(Limits::NONE);
    let mut assembler = Assembler::new(64 << 20);
    loop {
        let n = stream.read(&mut rx)?;
        if n == 0 {
            return Ok(());
        }
        let mut input = &mut rx[..n];
        while let Some(event) = connection.receive(&mut input).expect("the generator keeps to the protocol") {
            if let Some(frame) = connection.reply(&event, Unmasked) {
                stream.write_all(&frame)?;
            }
            let (kind, payload) = match event {
                Event::Text(text) => (Kind::Text, text.as_bytes().to_vec()),
                Event::Binary(bytes) => (Kind::Binary, bytes.to_vec()),
                Event::Part(part) => match assembler.push(part).map_err(io::Error::other)? {
                    Some(message) => (message.kind, message.into_vec()),
                    None => continue,
                },
                _ => continue,
            };
            let number = count.fetch_add(1, Ordering::Relaxed);
            stream.write_all(&answer(Message { number, kind, payload }))?;
        }
    }
}
