//! The access log and the format of the log.

use super::*;
use serde_json::Value;
use std::{
    env, fs,
    io::{Read, Write},
    path::PathBuf,
    process::{self, Command},
    sync::atomic::{AtomicUsize, Ordering},
};

/// A program whose standard error goes to a file.
struct Logged {
    program: Program,
    file: PathBuf,
}

impl Logged {
    fn start(options: &[&str]) -> Self {
        static FILES: AtomicUsize = AtomicUsize::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let file = env::temp_dir().join(format!("framewire-access-{}-{number}", process::id()));
        let options = [&["--listen", "127.0.0.1:0"], options].concat();
        let program = start_with(&format!("exec 2>'{}'", file.display()), &options);
        Self { program, file }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).expect("UTF-8")
    }

    /// The first `count` lines. There must not be more.
    fn lines(&self, count: usize) -> Vec<String> {
        until("the lines of the log", || self.text().matches('\n').count() >= count);
        let lines: Vec<_> = self.text().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    }

    fn objects(&self, count: usize) -> Vec<Value> {
        let object =
            |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.lines(count).iter().map(object).collect()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

#[test]
fn without_the_option_there_is_none() {
    let logged = Logged::start(&["--log", "info"]);
    logged.program.connect().close();
    logged.program.check();
    assert!(!logged.text().contains("peer="), "{}", logged.text());
}

#[test]
fn each_connection_has_its_lines() {
    let logged = Logged::start(&["--access-log", "--log-format", "json", "--log", "error", "--compression"]);
    let head = upgrade(
        "Origin: https://a.example\r\nUser-Agent: test/1\r\nX-Forwarded-For: 192.0.2.1\r\n\
         Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
    );
    let mut stream = logged.program.tcp();
    stream.write_all(head.replace("GET / ", "GET /ws?room=1 ").as_bytes()).unwrap();
    let opened = &logged.objects(1)[0];
    assert_eq!(opened["peer"], stream.local_addr().unwrap().to_string());
    for (member, value) in [
        ("level", "info"),
        ("target", "access"),
        ("message", "opened"),
        ("id", "0-1"),
        ("method", "GET"),
        ("path", "/ws?room=1"),
        ("subprotocol", "chat"),
        ("extensions", "permessage-deflate"),
        ("origin", "https://a.example"),
        ("agent", "test/1"),
        ("forwarded", "192.0.2.1"),
    ] {
        assert_eq!(opened[member], value, "{opened}");
    }
    assert_eq!(opened["status"], 101);

    let messages = [frame(TEXT, b"hello"), frame(BINARY, &noise(2000, 1)), close(1001, "")].concat();
    stream.write_all(&messages).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let ended = &logged.objects(2)[1];
    assert_eq!(
        (&ended["message"], &ended["why"], &ended["id"]),
        (&"ended".into(), &"closed".into(), &"0-1".into())
    );
    assert_eq!((&ended["code"], &ended["messages"]), (&1001.into(), &2.into()));
    assert_eq!(ended["received"], messages.len());
    assert_eq!(ended["sent"], answer.len());
    assert!(ended["ms"].is_u64());

    let page = ask(logged.program.address(), b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&page), 200);
    let responded = &logged.objects(3)[2];
    assert_eq!((&responded["message"], &responded["status"]), (&"responded".into(), &200.into()));
}

#[test]
fn each_end_has_its_reason() {
    let logged =
        Logged::start(&["--access-log", "--log-format", "json", "--log", "off", "--handshake-timeout", "1"]);
    let mut count = 0;
    let mut last = |more| {
        count += more;
        logged.objects(count).pop().unwrap()
    };
    let mut client = logged.program.connect();
    client.send(&frame(TEXT, b"\xff"));
    client.expect_close(1007);
    drop(client);
    let ended = last(2);
    assert_eq!((&ended["why"], &ended["code"]), (&"protocol".into(), &1007.into()));

    drop(logged.program.connect());
    assert_eq!(last(2)["why"], "left");

    drop(logged.program.tcp());
    let ended = last(1);
    assert_eq!((&ended["why"], &ended["messages"]), (&"left".into(), &Value::Null));

    let mut tls = logged.program.tcp();
    tls.write_all(&[0x16, 3, 1]).unwrap();
    let responded = last(1);
    assert_eq!((&responded["status"], &responded["path"]), (&400.into(), &Value::Null));
    tls.read_to_end(&mut Vec::new()).unwrap();
    drop(tls);

    let mut slow = logged.program.tcp();
    slow.write_all(b"GET / HT").unwrap();
    assert_eq!(last(1)["status"], 408);
    drop(slow);

    let mut client = logged.program.connect();
    logged.program.signal("TERM");
    client.expect_close(1001);
    client.send(&close(1001, ""));
    client.expect_end();
    let ended = last(2);
    assert_eq!((&ended["why"], &ended["code"]), (&"closed".into(), &1001.into()));
}

/// A connection that was taken over has its request line, with the status of what was sent, and then its end.
#[test]
fn a_behaviour_has_both_lines() {
    let logged = Logged::start(&["--access-log", "--log-format", "json", "--log", "off", "--behaviours"]);
    let asked = [
        ("/echo?close=1001", Value::from(101)),
        ("/echo?status=503", 503.into()),
        ("/echo?handshake-cut=20", 101.into()),
        ("/echo?handshake-cut=10", Value::Null),
        ("/bad/accept-wrong", 101.into()),
        ("/bad/status-200", 200.into()),
        ("/bad/status-line", Value::Null), // it has none
    ];
    for (at, (path, status)) in asked.iter().enumerate() {
        let head = upgrade("User-Agent: test/1\r\n").replacen("GET / ", &format!("GET {path} "), 1);
        let mut stream = logged.program.tcp();
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        let lines = logged.objects(2 * at + 2);
        let [line, ended] = &lines[2 * at..] else { panic!("two lines") };
        let message = if *status == 101 { "opened" } else { "responded" };
        let id = format!("0-{}", at + 1);
        assert_eq!((&line["message"], &line["id"]), (&message.into(), &id.as_str().into()), "{line}");
        assert_eq!((&line["method"], &line["path"]), (&"GET".into(), &(*path).into()), "{line}");
        assert_eq!((&line["status"], &line["agent"]), (status, &"test/1".into()), "{line}");
        assert_eq!(line["peer"], stream.local_addr().unwrap().to_string());
        assert_eq!((&ended["message"], &ended["id"]), (&"ended".into(), &id.as_str().into()), "{ended}");
        assert_eq!((&ended["why"], ended["ms"].is_u64()), (&"taken_over".into(), true), "{ended}");
    }
    // A client that leaves before it has got anything.
    let mut stream = logged.program.tcp();
    stream.write_all(upgrade("").replacen("GET / ", "GET /echo?handshake-delay=1m ", 1).as_bytes()).unwrap();
    drop(stream);
    let lines = logged.objects(2 * asked.len() + 2);
    let [line, ended] = &lines[2 * asked.len()..] else { panic!("two lines") };
    assert_eq!((&line["path"], &line["status"]), (&"/echo?handshake-delay=1m".into(), &Value::Null));
    assert_eq!(ended["why"], "taken_over");
}

#[test]
fn a_peer_that_does_not_close_has_its_line_when_the_server_stops() {
    let mut logged = Logged::start(&["--access-log", "--close-timeout", "1"]);
    let client = logged.program.connect();
    logged.program.signal("TERM");
    assert_eq!(logged.program.wait().code(), Some(0));
    drop(client);
    let ended = &logged.lines(2)[1];
    let why = |reason: &str| ended.contains(&format!(" why={reason} code=1001 "));
    assert!(why("stopped") || why("close_timeout"), "{ended}");
}

/// Bytes in targets and headers that would begin a line, end a value or an object, or move a cursor.
#[test]
fn hostile_bytes_stay_in_their_place() {
    for format in ["text", "json"] {
        let logged = Logged::start(&["--access-log", "--log-format", format, "--log", "debug"]);
        let mut heads = Vec::new();
        // Every byte, in each place where it can be: some are refused, and the line then says 400.
        for byte in 0..=255_u8 {
            let value = [b"a", &[byte][..], b"\"},\"status\":500 status=500"].concat();
            for name in ["Origin", "User-Agent", "X-Forwarded-For"] {
                let line = [name.as_bytes(), b": ", &value, b"\r\n"].concat();
                heads.push(upgrade("@\r\n").into_bytes().splice_at(b"@\r\n", &line));
            }
            heads.push(upgrade("").into_bytes().splice_at(b"/ ", &[b"/a", &[byte][..], b"b "].concat()));
        }
        for head in &heads {
            let mut stream = logged.program.tcp();
            stream.write_all(head).unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
        }
        let access = |line: &&str| line.contains("opened") || line.contains("responded");
        until("all lines", || logged.text().lines().filter(access).count() >= heads.len());
        let text = logged.text();
        for line in text.lines() {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            if format == "json" {
                let object: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert_ne!(object["status"], 500);
                assert!(object["time"].is_string() && object["level"].is_string());
            } else {
                assert!(line.starts_with("[20") && line.split_once("] ").is_some(), "{line}");
                let quoted = line.split('"').step_by(2).collect::<String>();
                assert!(!quoted.contains("status=500") || line.contains("\\\""), "{line}");
            }
        }
        assert_eq!(text.lines().filter(access).count(), heads.len());
    }
}

/// Replaces the first occurrence of some bytes.
trait Splice {
    fn splice_at(self, place: &[u8], with: &[u8]) -> Self;
}

impl Splice for Vec<u8> {
    fn splice_at(mut self, place: &[u8], with: &[u8]) -> Self {
        let at = self.windows(place.len()).position(|part| part == place).expect("the place");
        self.splice(at..at + place.len(), with.iter().copied());
        self
    }
}

/// Nobody reads the log: the server serves all the same, drops lines, and counts them.
#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    // A pipe that is open for reading, but full.
    let fifo = env::temp_dir().join(format!("framewire-fifo-{}", process::id()));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let setup = format!("exec 3<>'{0}' 2>'{0}'", fifo.display());
    let program = start_with(
        &setup,
        &["--listen", "127.0.0.1:0", "--access-log", "--metrics", "--max-connections", "50000"],
    );
    let agent = "a".repeat(500);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n");
    let dropped = || {
        let page = ask(program.address(), b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        let line = page
            .lines()
            .find(|line| line.starts_with("framewire_log_lines_dropped_total "))
            .unwrap()
            .to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    // The queue takes 4 MiB twice: some 13,000 lines.
    let lost = (0..10).any(|_| {
        for _ in 0..2000 {
            assert_eq!(status(&ask(program.address(), request.as_bytes())), 200);
        }
        dropped() > 0
    });
    assert!(lost, "no line was dropped");
    program.check();
    fs::remove_file(&fifo).unwrap();
}

#[test]
fn the_health_check_asks_a_server() {
    let check = |address: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewire-echo"));
        command.args(["--health-check", address]).output().unwrap()
    };
    let program = start(&["--metrics"]);
    let output = check(program.address());
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    let page = ask(program.address(), b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(page.contains("framewire_errors_total{kind=\"lost\"} 0\n"), "{page}");
    let address = program.address().to_owned();
    drop(program);
    let output = check(&address);
    assert!(output.status.code() == Some(1) && !output.stderr.is_empty(), "{output:?}");
    // Something else than our server.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]);
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").unwrap();
    });
    let output = check(&address);
    thread.join().unwrap();
    assert!(
        output.status.code() == Some(1) && String::from_utf8_lossy(&output.stderr).contains("503"),
        "{output:?}"
    );
}
