//! Checks that a server does the work; a server that does not gets no figures.

use crate::{
    Outcome,
    cell::Coding,
    contender::Contender,
    options::Settings,
    record::{Journal, Record},
    server::Server,
};
use framewire::{
    Header, Opcode, Rsv,
    extension::DeflateOffer,
    handshake::{ClientHandshake, ClientKey},
    mask::Key,
};
use framewire_load::{Handler, Report};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Checks all contenders.
pub(crate) fn all(contenders: &[Contender], settings: &Settings, journal: &mut Journal) -> Outcome<()> {
    for contender in contenders {
        if journal.has(contender, "check") {
            continue;
        }
        eprintln!("checking {}", contender.name);
        let (failure, validates_utf8, agreed) = match check(contender, settings) {
            Ok((validates, agreed)) => (None, validates, agreed),
            Err(error) => (Some(error.to_string()), false, Vec::new()),
        };
        if let Some(failure) = &failure {
            eprintln!("  it fails: {failure}");
        }
        journal.write(Record::Check {
            contender: contender.name.clone(),
            failure,
            validates_utf8,
            agreed,
        })?;
    }
    Ok(())
}

/// Whether it refuses a text that is not UTF-8, and what it agrees to. Fails if it does not answer messages of all sizes
/// rightly.
fn check(contender: &Contender, settings: &Settings) -> Outcome<(bool, Vec<(Coding, String)>)> {
    let server = Server::start(contender, settings)?;
    let agreed = if contender.compresses {
        check_compression(&server, settings)?
    } else {
        check_payloads(contender, &server, settings)?;
        Vec::new()
    };
    Ok((refuses_no_text(server.port(), contender.compresses)?, agreed))
}

fn check_payloads(contender: &Contender, server: &Server, settings: &Settings) -> Outcome<()> {
    for payload in ["binary", "text", "mixed"] {
        let options = format!(
            "-c 3 -i 4 -n 400 -s 0,1,16,125,126,1K,16K,65535,64K,1M --payload {payload} --handler {}",
            handler(contender)
        );
        let options: Vec<String> = options.split(' ').map(str::to_owned).collect();
        server
            .load(settings, &options, Duration::from_secs(30))
            .map_err(|error| format!("{payload}: {error}"))?;
    }
    Ok(())
}

/// The parameters that it agrees to, for each way of compressing. Short messages need not come back compressed.
fn check_compression(server: &Server, settings: &Settings) -> Outcome<Vec<(Coding, String)>> {
    let mut agreed = Vec::new();
    for coding in Coding::COMPRESSED {
        let load = |n, sizes| {
            let options = format!("-c 3 -i 4 -n {n} -s {sizes} --payload json {}", offer(coding));
            let options: Vec<String> = options.split(' ').map(str::to_owned).collect();
            server
                .load(settings, &options, Duration::from_secs(30))
                .map_err(|error| format!("{}: {error}", &coding.to_string()[1..]))
        };
        load(100, "0,1,16,64")?;
        let report = load(200, "125,126,1K,16K,65535,64K,1M")?;
        all_compressed(&report)?;
        agreed.push((coding, report.agreed.unwrap_or_default()));
    }
    Ok(agreed)
}

/// The generator's options for this.
pub(crate) const fn offer(coding: Coding) -> &'static str {
    match coding {
        Coding::Plain => "",
        Coding::Takeover => "--compression",
        Coding::Alone => "--compression --no-context-takeover",
    }
}

/// A server that agrees to compress, but does not, would be faster than all that do.
pub(crate) fn all_compressed(report: &Report) -> Outcome<()> {
    let (all, compressed) = (report.messages, report.compressed_messages);
    if compressed == all && all > 0 {
        Ok(())
    } else {
        Err(format!("{compressed} of {all} replies are compressed").into())
    }
}

/// As an option of the generator.
pub(crate) const fn handler(contender: &Contender) -> &'static str {
    match contender.handler {
        Handler::Echo => "echo",
        Handler::Length => "length",
    }
}

/// Sends a text of one byte, 0xff. A server that answers has taken it for text.
fn refuses_no_text(port: u16, compressed: bool) -> io::Result<bool> {
    // A block of fixed codes (RFC 1951 §3.2.6) with the byte and the end of the block; then the empty block that always follows.
    const DEFLATED: &[u8] = &[0xfa, 0x0f, 0x00];
    let (rsv, payload, offers): (_, &[u8], _) = if compressed {
        (Rsv::RSV1, DEFLATED, &[DeflateOffer::default()][..])
    } else {
        (Rsv::NONE, &[0xff], &[][..])
    };
    let host = format!("127.0.0.1:{port}");
    let mut stream = TcpStream::connect(&host)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(
        &ClientHandshake::new(&host, "/", ClientKey::new(*b"the sample nonce"))
            .deflate(offers)
            .to_vec()
            .map_err(io::Error::other)?,
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let header = Header {
        fin: true,
        rsv,
        opcode: Opcode::Text,
        key: Some(Key::default()),
        payload_len: payload.len() as u64,
    };
    stream.write_all(&[&header.encode()[..], payload].concat())?;
    let mut first = [0];
    // A close, the end, or silence: anything but an answer is right.
    Ok(!matches!(stream.read(&mut first), Ok(1) if first[0] & 0x8f == 0x81))
}
