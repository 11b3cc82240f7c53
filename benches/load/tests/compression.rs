//! Compressed replies are told apart from uncompressed ones, whatever was agreed on.

mod common;

use clap::Parser;
use framewire::{
    Assembler, Connection, Event, Kind, Limits, Rsv, Server, Unmasked,
    deflate::{DeflateConfig, DeflatePool, Deflater, InflatePool, Inflater},
    extension::DeflatePolicy,
};
use framewire_load::{Options, Report, run};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

#[test]
fn replies_that_come_compressed_are_counted() {
    let report = load(start(64), "-n 500 -c 3 -i 4 -s 1K --compression");
    assert_eq!((report.messages, report.compressed_messages), (500, 500));
    assert_eq!(report.agreed.as_deref(), Some("permessage-deflate"));
    assert!(report.compressed && report.wire_bytes < report.bytes / 2, "{report:?}");
}

#[test]
fn each_by_itself() {
    let report = load(start(64), "-n 500 -c 3 -i 4 -s 1K --compression --no-context-takeover");
    assert_eq!((report.messages, report.compressed_messages), (500, 500));
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(report.agreed.as_deref(), Some(agreed));
    let together = load(start(64), "-n 500 -c 3 -i 4 -s 1K --compression");
    assert!(together.wire_bytes < report.wire_bytes, "{together:?} {report:?}");
}

/// A server that has agreed to compress need not do so.
#[test]
fn replies_that_do_not_are_not() {
    let report = load(start(usize::MAX), "-n 500 -c 3 -i 4 -s 1K --compression");
    assert_eq!((report.messages, report.compressed_messages, report.compressed), (500, 0, true));
    // Each with a header of four bytes.
    assert_eq!(report.wire_bytes, report.bytes + 4 * 500);
    let mixed = load(start(1 << 10), "-n 500 -c 3 -i 4 -s 100,1K,16K --compression");
    assert!((1..500).contains(&mixed.compressed_messages), "{mixed:?}");
}

#[test]
fn what_is_not_offered_is_not_agreed_on() {
    let report = load(start(64), "-n 50 -s 1K");
    assert_eq!((report.compressed_messages, report.agreed), (0, None));
    assert_eq!(report.wire_bytes, report.bytes + 4 * 50);
}

fn load(port: u16, options: &str) -> Report {
    let url = format!("ws://127.0.0.1:{port}/");
    let arguments = ["framewire-load", &url, "--payload", "json"];
    let options = Options::parse_from(arguments.into_iter().chain(options.split(' ')));
    run(&options.plan(), |_, _| {}).expect("a server that echoes")
}

/// A server that accepts every offer, and compresses messages of at least this many bytes. Returns its port.
fn start(min_len: usize) -> u16 {
    common::start(move || move |stream| serve(stream, min_len))
}

fn serve(mut stream: TcpStream, min_len: usize) -> io::Result<()> {
    let answer = common::accept(&mut stream, Some(&DeflatePolicy::default()))?;
    let mut rx = vec![0; 64 << 10];
    let params = answer.map(|answer| answer.params()).unwrap_or_default();
    let mut connection = Connection::<Server>::new().with_limits(Limits::NONE).with_extension_bits(Rsv::RSV1);
    let mut inflate = InflatePool::default();
    let min_len = if answer.is_some() { min_len } else { usize::MAX };
    let mut deflate = DeflatePool::new(DeflateConfig { min_len, ..DeflateConfig::default() });
    let mut inflater = Inflater::<Server>::new(&params, &inflate).map_err(io::Error::other)?;
    let mut deflater = Deflater::<Server>::new(&params);
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
            let mut messages = Vec::new();
            match event {
                Event::Text(text) => messages.push((Kind::Text, text.as_bytes().to_vec())),
                Event::Binary(bytes) => messages.push((Kind::Binary, bytes.to_vec())),
                Event::Part(part) => {
                    let mut ready = inflater.ready(&mut inflate).expect("it is the only one");
                    let mut parts = ready.feed(part);
                    while let Some(part) = parts.next_part().map_err(io::Error::other)? {
                        let message = assembler.push(part).map_err(io::Error::other)?;
                        messages.extend(message.map(|message| (message.kind, message.into_vec())));
                    }
                }
                _ => {}
            }
            for (kind, payload) in messages {
                let sent = deflater.message(&mut connection, kind, &payload, &mut deflate, Unmasked);
                let mut frame = Vec::new();
                sent.map_err(io::Error::other)?.append_to(&mut frame);
                stream.write_all(&frame)?;
            }
        }
    }
}
