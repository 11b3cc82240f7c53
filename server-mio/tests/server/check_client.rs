//! `--check-client`: strict clients pass, others do not, and the program says so.

use crate::*;
use framewire::{CloseCode, extension::DeflateOffer};
use framewire_testing::blocking::{Received, Socket};
use framewire_tokio::{Compression, Config, Connector};
use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A check, and the file that its report goes to.
struct Check {
    program: Program,
    report: PathBuf,
    /// The number of cases.
    cases: usize,
}

impl Check {
    fn start(name: &str) -> Self {
        let report = env::temp_dir().join(format!("framewire-check-{}-{name}.json", std::process::id()));
        let program = start(&["--check-client", "--report", report.to_str().unwrap()]);
        let line = program.line();
        let words: Vec<&str> = line.split_whitespace().collect();
        let cases = words[1].parse().expect("the banner says how often to connect");
        Self { program, report, cases }
    }

    /// The exit code, the lines that the program printed, and its report.
    fn end(mut self) -> (Option<i32>, String, String) {
        let code = self.program.wait().code();
        let mut lines = String::new();
        while let Some(line) = self.program.next_line() {
            lines += &line;
            lines.push('\n');
        }
        let report = fs::read_to_string(&self.report).unwrap_or_default();
        let _ = fs::remove_file(&self.report);
        (code, lines, report)
    }
}

/// The codec's client on blocking sockets, as an Autobahn test suite leads it.
#[test]
fn our_blocking_client_is_strict() {
    let check = Check::start("blocking");
    let url = |target: &str| format!("ws://{}{target}", check.program.address());
    let ask = |target: &str| match Socket::connect(&url(target), &[], &[]).unwrap().0.receive().unwrap() {
        Received::Message(_, answer) => String::from_utf8(answer).unwrap(),
        Received::Close(CloseCode::NORMAL, _) => String::new(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask("/getCaseCount"), check.cases.to_string());
    assert!(ask("/getCaseInfo?case=1").contains(r#""id":"status-200""#));
    assert!(Socket::connect(&url("/getCaseInfo?case=0"), &[], &[]).is_err());

    let offers = [DeflateOffer { client_max_window_bits: Some(15), ..DeflateOffer::default() }];
    for case in 1..=check.cases {
        let echo = || -> std::io::Result<()> {
            let target = format!("/runCase?case={case}&agent=blocking+client");
            let (mut socket, _) = Socket::connect(&url(&target), &[], &offers)?;
            loop {
                match socket.receive()? {
                    Received::Message(kind, payload) => socket.send(kind, &payload)?,
                    Received::Pong(_) => {}
                    Received::Close(..) => return Ok(()),
                }
            }
        };
        let _ = echo(); // most must fail
        let status = ask(&format!("/getCaseStatus?case={case}&agent=blocking+client"));
        assert!(status.contains("OK") || status.contains("UNIMPLEMENTED"), "case {case}: {status}");
    }
    assert_eq!(ask("/updateReports?agent=blocking+client"), "");
    let cases = check.cases;
    let (code, lines, report) = check.end();
    assert_eq!(code, Some(0), "{lines}");
    assert!(
        lines.contains(&format!("blocking client was strict in {} of {cases} cases.", cases - 1)),
        "{lines}"
    );
    assert!(lines.contains("always does: deflate-unasked."), "{lines}");
    assert!(report.contains(r#""finished": true"#) && report.contains(r#""strict": true"#), "{report}");
    assert_eq!(report.matches(r#""verdict": "strict""#).count(), cases - 1);
}

/// framewire-tokio's client, with one case for each connection.
#[test]
fn our_client_on_tokio_is_strict() {
    for compression in [None, Some(Compression::default())] {
        let check = Check::start(if compression.is_some() { "tokio-deflate" } else { "tokio" });
        let address = check.program.address().to_owned();
        let mut config = Config::client();
        config.compression = compression;
        let connector = Connector::new(config);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for _ in 0..check.cases {
                let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
                let Ok(mut socket) = connector.connect_on(stream, &address, "/chat").await else { continue };
                while let Some(Ok(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
            }
        });
        let (code, lines, _) = check.end();
        assert_eq!(code, Some(0), "{lines}");
    }
}

/// A client that answers the ping and echoes the text behind each case, whatever came before.
#[test]
fn a_lenient_client_is_named() {
    let check = Check::start("lenient");
    let pong = wire::frame(PONG, Some(wire::KEY), b"framewire: are you there?");
    let echo = wire::frame(TEXT, Some(wire::KEY), b"framewire: what do you echo?");
    let close = wire::frame(CLOSE, Some(wire::KEY), b"\x03\xe8");
    for _ in 0..check.cases {
        let mut stream = check.program.tcp();
        stream.write_all(&[framewire_testing::raw::REQUEST, &pong, &echo, &close].concat()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let (code, lines, report) = check.end();
    assert_eq!(code, Some(1), "{lines}");
    let accepted = lines.lines().find(|line| line.starts_with("It accepted: ")).unwrap();
    for name in ["accept-wrong", "masked-text", "utf8-overlong-2", "close-1005"] {
        assert!(accepted.contains(name), "{name}: {lines}");
    }
    assert!(report.contains(r#""verdict": "lenient""#) && report.contains(r#""strict": false"#), "{report}");
}

#[test]
fn a_check_can_be_stopped() {
    let check = Check::start("stopped");
    let mut stream = check.program.tcp();
    stream.write_all(framewire_testing::raw::REQUEST).unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HTTP/1.1 200", "the first case");
    check.program.signal("TERM");
    let (code, lines, report) = check.end();
    assert_eq!(code, Some(3), "{lines}");
    assert!(lines.contains("Not finished: "), "{lines}");
    assert!(report.contains(r#""finished": false"#), "{report}");
}

#[test]
fn nobody_need_read_what_it_prints() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_framewire-echo"))
        .args(["--check-client", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("listening")), "the server is there");
    drop(lines);
    let kill = format!("kill {}", program.id());
    assert!(Command::new("/bin/sh").arg("-c").arg(kill).status().unwrap().success());
    assert_eq!(program.wait().unwrap().code(), Some(3));
}

#[test]
fn one_case_by_its_name_and_a_list() {
    let check = Check::start("list");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(check.program.address()).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    let page = get("/");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("\n  masked-zero  "), "{page}");

    let url = |name: &str| format!("ws://{}/bad/{name}", check.program.address());
    assert!(Socket::connect(&url("accept-wrong"), &[], &[]).is_err());
    let (mut socket, _) = Socket::connect(&url("masked-zero"), &[], &[]).unwrap();
    assert_eq!(socket.receive().unwrap_err().to_string(), "a frame from a server is masked");
    let (mut socket, _) = Socket::connect(&url("utf8-cut?at=65535"), &[], &[]).unwrap();
    assert_eq!(socket.receive().unwrap_err().to_string(), "text is not UTF-8");
    for (wrong, error) in [
        ("no-such-case", "the server answered 404"),
        ("utf8-cut?at=x", "the server answered 400"),
        ("masked-zero?at=1", "the server answered 400"),
    ] {
        assert_eq!(Socket::connect(&url(wrong), &[], &[]).unwrap_err().to_string(), error);
    }
}

#[test]
fn options_that_do_not_fit() {
    let run = |options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_framewire-echo")).args(options).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, error) = run(&["--check-client", "--listen", "/nowhere/check.sock"]);
    assert!(code == Some(3) && error.contains("not on a Unix socket"), "{code:?} {error}");
    let (code, error) = run(&["--report", "report.json"]);
    assert!(code == Some(2) && error.contains("--check-client"), "{code:?} {error}");
}
