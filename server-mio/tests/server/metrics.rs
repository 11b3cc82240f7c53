//! The page of metrics, read by a strict parser of both text formats.

use super::*;
use std::{
    collections::{BTreeMap, HashSet},
    io::Write,
    thread,
};

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The samples of a page, by name and labels.
type Samples = BTreeMap<String, f64>;

/// Fetches the page in both formats. Returns the samples of the second.
fn scrape(address: &str) -> Samples {
    fetch(address, "", PROMETHEUS);
    fetch(address, "Accept: application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1\r\n", OPEN_METRICS)
}

fn fetch(address: &str, accept: &str, content_type: &str) -> Samples {
    let page = ask(address, format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{accept}\r\n").as_bytes());
    assert_eq!(status(&page), 200);
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("\r\nContent-Type: {content_type}\r\n")), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
    parse(body, content_type == OPEN_METRICS)
}

/// Parses a page as strictly as a program may write it: each family once, with help, type and samples in this order.
fn parse(page: &str, open: bool) -> Samples {
    assert!(page.ends_with('\n') && !page.contains("\n\n") && !page.contains('\r'));
    let page = if open { page.strip_suffix("# EOF\n").expect("an end") } else { page };
    let mut lines = page.lines().peekable();
    let (mut samples, mut families) = (Samples::new(), HashSet::new());
    while let Some(help) = lines.next() {
        let (name, text) = help.strip_prefix("# HELP ").expect(help).split_once(' ').expect(help);
        assert!(text.ends_with('.') && !text.contains('\\'), "{help}");
        let kind =
            lines.next().unwrap().strip_prefix("# TYPE ").unwrap().strip_prefix(name).unwrap().trim_start();
        assert!(is_name(name) && families.insert(name), "{name}");
        // In OpenMetrics, the family of a counter has no suffix; in the older format, it is named as its sample.
        let counter = kind == "counter";
        assert_eq!(name.ends_with("_total"), counter && !open, "{name}");
        let expected = if counter && open { format!("{name}_total") } else { name.to_owned() };

        let (mut count, mut buckets) = (0, Vec::new());
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect(line);
            let value: f64 = value.parse().expect(line);
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let (sample, labels) = series.split_once('{').map_or((series, None), |(sample, rest)| {
                (sample, Some(label(rest.strip_suffix('}').expect(line))))
            });
            if kind == "histogram" {
                match (sample.strip_prefix(name).expect(line), labels) {
                    ("_bucket", Some(("le", bound))) => buckets.push((bound.to_owned(), value)),
                    ("_count", None) => assert_eq!(Some(value), buckets.last().map(|&(_, count)| count)),
                    (suffix, labels) => assert_eq!((suffix, labels), ("_sum", None)),
                }
            } else {
                assert!(counter || kind == "gauge", "{kind}");
                assert_eq!(sample, expected);
            }
            assert_eq!(samples.insert(series.to_owned(), value), None, "twice: {series}");
            count += 1;
        }
        assert!(count > 0, "{name} has no sample");
        if kind == "histogram" {
            assert_eq!((count, buckets.last().unwrap().0.as_str()), (buckets.len() + 2, "+Inf"));
            let bounds: Vec<f64> = buckets.iter().map(|(bound, _)| bound.parse().unwrap()).collect();
            assert!(
                bounds.is_sorted_by(|a, b| a < b) && buckets.is_sorted_by(|a, b| a.1 <= b.1),
                "{buckets:?}"
            );
        }
    }
    samples
}

/// One label: the page has never more.
fn label(text: &str) -> (&str, &str) {
    let (name, value) = text.split_once("=\"").expect(text);
    let value = value.strip_suffix('"').expect(text);
    assert!(is_name(name) && !value.contains(['"', '\\', '\n']), "{text}");
    (name, value)
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[test]
fn there_is_no_page_without_the_option() {
    let program = start(&[]);
    assert_eq!(status(&ask(program.address(), b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")), 404);
}

#[test]
fn a_new_server() {
    let program = start(&["--metrics", "--max-connections", "100"]);
    let samples = scrape(program.address());
    assert_eq!(samples["framewire_connections_limit"], 100.0);
    assert_eq!(
        (samples["framewire_connections"], samples["framewire_connections_accepted_total"]),
        (1.0, 2.0)
    );
    assert_eq!(samples["framewire_http_requests_total"], 1.0); // this one is not counted yet
    assert_eq!(samples["framewire_websockets_opened_total"], 0.0);
    assert_eq!(samples["framewire_tls_handshakes_total"], 0.0);
    assert!(samples.contains_key("framewire_build_info{version=\"0.1.0\"}"));
    assert!(samples["process_start_time_seconds"] > 1.7e9);
    assert!(!samples.contains_key("framewire_compression_memory_bytes"));
    let post = ask(program.address(), b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(status(&post), 405);
    let head = ask(program.address(), b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(status(&head) == 200 && head.ends_with("\r\n\r\n"));
}

#[test]
fn everything_is_counted() {
    let program = start(&["--metrics", "--handshake-timeout", "1", "--allow-origin", "https://a.example"]);
    let address = program.address();
    let mut client = program.connect();
    client.text("hello");
    client.expect_text("hello");
    client.binary(&noise(1000, 1));
    client.expect_binary(&noise(1000, 1));
    client.close(); // 1000
    let mut client = program.connect();
    client.send(&close(4000, ""));
    client.expect_close(4000);
    drop(client);
    let mut client = program.connect();
    client.send(&[0x83, 0x80, 0, 0, 0, 0]); // a reserved opcode
    client.expect_close(1002);
    drop(client);
    drop(program.connect()); // without a close frame
    let refused = ask(address, upgrade("Origin: https://evil.example\r\n").as_bytes());
    assert_eq!(status(&refused), 403);

    let wanted = [
        ("framewire_connections", 1.0), // the scrape
        ("framewire_websockets_opened_total", 4.0),
        ("framewire_messages_received_total", 2.0),
        ("framewire_errors_total{kind=\"refused\"}", 1.0),
        ("framewire_errors_total{kind=\"protocol\"}", 1.0),
        ("framewire_closes_total{code=\"1000\"}", 1.0),
        ("framewire_closes_total{code=\"1006\"}", 1.0),
        ("framewire_closes_total{code=\"other\"}", 1.0),
    ];
    let mut samples = Samples::new();
    until("the counters", || {
        samples = scrape(address);
        wanted.iter().all(|&(name, value)| samples[name] == value)
    });
    let bytes = (6.0 + 5.0) + (8.0 + 1000.0) + 8.0 + 8.0 + 6.0;
    assert!((bytes..bytes + 125.0).contains(&samples["framewire_received_bytes_total"])); // a close may have a reason
    assert!(samples["framewire_sent_bytes_total"] >= 4.0 * 129.0 + 7.0 + 1004.0 + 3.0 * 4.0);
    assert!(samples["framewire_turn_seconds_count"] >= 6.0 && samples["framewire_turn_seconds_sum"] > 0.0);
    let mut slow = program.tcp();
    slow.write_all(b"GET").unwrap();
    until("a timeout", || scrape(address)["framewire_errors_total{kind=\"handshake_timeout\"}"] == 1.0);
    let page = ask(address, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!page.contains("log_lines_dropped"), "there is no access log");
}

#[test]
fn a_peer_that_does_not_read_is_seen() {
    let program = start(&["--metrics", "--high-water", "64K"]);
    let mut client = program.connect();
    let payload = noise(MIB, 1);
    let sender = thread::spawn({
        let mut socket = client.socket.try_clone();
        let frame = frame(BINARY, &payload);
        move || (0..32).for_each(|_| socket.write_all(&frame).unwrap())
    });
    until("a pause", || {
        let samples = scrape(program.address());
        samples["framewire_paused_connections"] == 1.0 && samples["framewire_queued_bytes"] >= 65536.0
    });
    (0..32).for_each(|_| client.expect_binary(&payload));
    sender.join().unwrap();
    until("the end of the pause", || {
        let samples = scrape(program.address());
        (samples["framewire_paused_connections"], samples["framewire_queued_bytes"]) == (0.0, 0.0)
    });
    client.close();
}

/// The page is right while two threads serve 8 busy peers, and its counters never fall.
#[test]
fn under_load() {
    let options = ["--listen", "127.0.0.1:0", "--metrics", "--threads", "2", "--compression", "--access-log"];
    let program = start_with("exec 2>/dev/null", &options);
    let address = program.address();
    let mut before = Samples::new();
    thread::scope(|scope| {
        let peers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(address);
                    (0..500).for_each(|_| client.check());
                    client.close();
                })
            })
            .collect();
        while !peers.iter().all(|peer| peer.is_finished()) {
            let now = scrape(address);
            for (name, &value) in
                now.iter().filter(|(name, _)| name.contains("_total") || name.contains("_bucket"))
            {
                assert!(value >= before.get(name).copied().unwrap_or(0.0), "{name} fell to {value}");
            }
            before = now;
        }
    });
    until("all messages", || {
        let samples = scrape(address);
        samples["framewire_closes_total{code=\"1000\"}"] == 8.0
            && samples["framewire_messages_received_total"] == 4000.0
            && samples["framewire_log_lines_dropped_total"] == 0.0
            && samples["framewire_compression_memory_limit_bytes"] == 2.0 * 64.0 * MIB as f64
    });
}
