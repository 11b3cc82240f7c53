//! Who does the work at all: figures of a server that does not are none.

use crate::{
    Outcome,
    contender::Contender,
    options::Settings,
    record::{Journal, Record},
    server::Server,
};
use framewire::{
    Header, Opcode, Rsv,
    handshake::{ClientKey, Opening},
    mask::Key,
};
use framewire_load::Handler;
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
        let (failure, validates_utf8) = match check(contender, settings) {
            Ok(validates) => (None, validates),
            Err(error) => (Some(error.to_string()), false),
        };
        if let Some(failure) = &failure {
            eprintln!("  it fails: {failure}");
        }
        journal.write(Record::Check { contender: contender.name.clone(), failure, validates_utf8 })?;
    }
    Ok(())
}

/// Whether it refuses a text that is none; fails where it does not even answer messages of all sizes as it must.
fn check(contender: &Contender, settings: &Settings) -> Outcome<bool> {
    let server = Server::start(contender, settings)?;
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
    Ok(refuses_no_text(server.port())?)
}

/// As the generator's option says it.
pub(crate) const fn handler(contender: &Contender) -> &'static str {
    match contender.handler {
        Handler::Echo => "echo",
        Handler::Length => "length",
    }
}

/// Sends a text of one byte, 0xff. Who sends an answer takes it for one.
fn refuses_no_text(port: u16) -> io::Result<bool> {
    let host = format!("127.0.0.1:{port}");
    let mut stream = TcpStream::connect(&host)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(
        &Opening::new(&host, "/", ClientKey::new(*b"the sample nonce")).to_vec().map_err(io::Error::other)?,
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let header =
        Header { fin: true, rsv: Rsv::NONE, opcode: Opcode::Text, key: Some(Key::default()), payload_len: 1 };
    stream.write_all(&[&header.encode()[..], &[0xff]].concat())?;
    let mut first = [0];
    // A close, an end, or nothing: all but an answer will do.
    Ok(!matches!(stream.read(&mut first), Ok(1) if first[0] == 0x81))
}
