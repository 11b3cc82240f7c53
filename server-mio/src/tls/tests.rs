//! The stream on a stream in memory that pends, and takes and gives only a part, with the client of rustls.

use super::*;
use framewire_testing::{
    payload::{Random, pem},
    peer::noise,
};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, RootCertStore, SupportedProtocolVersion,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use std::{
    collections::VecDeque,
    io::{IoSlice, IoSliceMut, Read, Write},
};

/// The kernel's side of a connection.
#[derive(Debug, Default)]
struct Wire {
    /// What has arrived. A read takes all of it if there is room.
    incoming: VecDeque<u8>,
    /// The peer has closed its side.
    ended: bool,
    outgoing: VecDeque<u8>,
    /// How many more bytes are taken.
    room: usize,
    /// The next write is interrupted.
    interrupts: bool,
    shut: bool,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(buffer)? {
            0 if !self.ended => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.shut, "nothing is written behind the end");
        if std::mem::take(&mut self.interrupts) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = bytes.len().min(self.room);
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.outgoing.extend(&bytes[..n]);
        self.room -= n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inner for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shut = true;
        Ok(())
    }

    fn may_read_short(&self) -> bool {
        false
    }
}

/// A client, a server that echoes, and the wire between them.
struct Pair {
    client: ClientConnection,
    /// What the client has encrypted, and what of that has not arrived.
    leaving: VecDeque<u8>,
    server: Tls<Wire>,
    /// What the server has read and not written.
    backlog: VecDeque<u8>,
    random: Random,
}

fn config() -> TlsConfig {
    TlsConfig::self_signed(["localhost".to_owned()]).unwrap()
}

impl Pair {
    fn new(config: &TlsConfig, version: &'static SupportedProtocolVersion, seed: u64) -> Self {
        Self::with(config, version, seed, &[])
    }

    /// The client asks for these protocols.
    fn with(
        config: &TlsConfig,
        version: &'static SupportedProtocolVersion,
        seed: u64,
        protocols: &[&str],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(config.identity.get().cert[0].clone()).unwrap();
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut random = Random(seed);
        if random.below(2) == 0 {
            client.max_fragment_size = Some(64); // messages of the handshake take several records
        }
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        client.set_buffer_limit(None);
        let server = config.accept(Wire { room: usize::MAX, ..Wire::default() }).unwrap();
        Self { client, leaving: VecDeque::new(), server, backlog: VecDeque::new(), random }
    }

    /// Up to `most`, often few or none, sometimes all.
    fn some(&mut self, most: usize) -> usize {
        match self.random.below(8) {
            0 => 0,
            1 => most,
            2 | 3 => self.random.below(40).min(most),
            _ => self.random.below(most + 1),
        }
    }

    /// Lets bytes of the client arrive, and serves them as a session does: until an event is due.
    fn arrive(&mut self, count: usize) -> io::Result<()> {
        self.server.inner_mut().incoming.extend(self.leaving.drain(..count));
        loop {
            let size = 1 + self.some(40_000);
            let mut buffer = vec![0; size];
            let (first, second) = buffer.split_at_mut(self.random.below(size + 1));
            let read = self.server.read_vectored(&mut [IoSliceMut::new(first), IoSliceMut::new(second)]);
            match read {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    self.backlog.extend(&buffer[..n]);
                    if n < size && !self.server.has_more() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        assert!(self.server.inner().incoming.is_empty(), "no event is due for bytes that were not read");
        Ok(())
    }

    /// Lets the wire take some bytes, and writes the backlog.
    fn depart(&mut self) {
        let room = self.some(60_000);
        let interrupts = self.random.below(4) == 0;
        let wire = self.server.inner_mut();
        (wire.room, wire.interrupts) = (room, interrupts);
        if self.random.below(4) == 0 {
            let _ = self.server.flush();
        }
        while !self.backlog.is_empty() {
            // As a backlog does: slices of any size, from the first byte that was not reported as written.
            let bytes = self.backlog.make_contiguous();
            let (first, rest) = bytes.split_at(self.random.below(1 + bytes.len()));
            let slices = [IoSlice::new(first), IoSlice::new(&[]), IoSlice::new(rest)];
            match self.server.write_vectored(&slices) {
                Ok(n) => drop(self.backlog.drain(..n)),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        self.server.inner_mut().interrupts = false;
    }

    /// The client encrypts what it has, and takes what has come. Returns what it read.
    fn client(&mut self) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        let outgoing = std::mem::take(&mut self.server.inner_mut().outgoing);
        let mut outgoing = &Vec::from(outgoing)[..];
        while !outgoing.is_empty() {
            self.client.read_tls(&mut outgoing).unwrap();
            let state = self.client.process_new_packets()?;
            let at = plain.len();
            plain.resize(at + state.plaintext_bytes_to_read(), 0);
            self.client.reader().read_exact(&mut plain[at..]).unwrap();
        }
        while self.client.wants_write() {
            self.client.write_tls(&mut self.leaving).unwrap();
        }
        Ok(plain)
    }

    /// Shakes hands, with nothing in the way.
    fn open(config: &TlsConfig, version: &'static SupportedProtocolVersion) -> Self {
        let mut pair = Self::new(config, version, 1);
        while pair.client.is_handshaking() || pair.server.is_handshaking() {
            pair.client().unwrap();
            pair.arrive(pair.leaving.len()).unwrap();
        }
        pair
    }

    fn holds_nothing(&self) -> bool {
        self.server.holds_nothing()
    }
}

#[test]
fn an_echo_through_a_stream_that_pends() {
    let config = config();
    for seed in 0..if cfg!(debug_assertions) { 60 } else { 1000 } {
        let version = if seed % 2 == 0 { &TLS12 } else { &TLS13 };
        let mut pair = Pair::new(&config, version, seed);
        let (mut sent, mut got) = (Vec::new(), Vec::new());
        let mut left = 12;
        while left > 0 || got.len() < sent.len() {
            if left > 0 && !pair.client.is_handshaking() && pair.random.below(4) == 0 {
                left -= 1;
                let near = [0, 1, 125, 16_383, 16_384, 16_385, 32_768, 65_536, 200_000];
                let len = near[pair.random.below(near.len())];
                let payload = noise(len + pair.some(3), seed);
                pair.client.writer().write_all(&payload).unwrap();
                sent.extend(payload);
                if version.version == TLS13.version && pair.random.below(4) == 0 {
                    pair.client.refresh_traffic_keys().unwrap();
                }
            }
            got.extend(pair.client().unwrap());
            let count = pair.some(pair.leaving.len());
            pair.arrive(count).unwrap();
            pair.depart();
        }
        assert!(got == sent, "seed {seed}");
        assert!(pair.holds_nothing(), "seed {seed}");

        pair.client.send_close_notify();
        pair.client().unwrap();
        pair.arrive(pair.leaving.len()).unwrap();
        assert_eq!(pair.server.read(&mut [0; 9]).unwrap(), 0, "the end");
        pair.server.inner_mut().room = 3; // not enough
        pair.server.close().unwrap();
        assert!(!pair.server.inner().shut);
        pair.server.inner_mut().room = 100;
        pair.server.flush().unwrap();
        assert!(pair.server.inner().shut);
        assert!(pair.client().unwrap().is_empty() && pair.holds_nothing());
        assert_eq!(pair.client.reader().read(&mut [0; 9]).unwrap(), 0, "a close_notify, or this is an error");
    }
}

/// What the wire takes is reported as written record by record, and what is reported was taken.
#[test]
fn a_write_that_is_cut() {
    let config = config();
    let payload = noise(100_000, 1);
    for room in (0..80_000).step_by(1_023) {
        let mut pair = Pair::open(&config, &TLS13);
        pair.client().unwrap();
        pair.server.inner_mut().room = room;
        let mut written = 0;
        let error = loop {
            match pair.server.write(&payload[written..]) {
                Ok(n) => written += n,
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(error, io::ErrorKind::WouldBlock);
        let got = pair.client().unwrap();
        assert!(got.len() <= room && got.len() == written && got[..] == payload[..written]);
        pair.server.inner_mut().room = usize::MAX;
        while written < payload.len() {
            written += pair.server.write(&payload[written..]).unwrap();
        }
        assert!([got, pair.client().unwrap()].concat() == payload && pair.holds_nothing());
    }
}

#[test]
fn a_handshake_that_is_cut_at_each_byte() {
    let config = config();
    for version in [&TLS12, &TLS13] {
        for cut in 0.. {
            let mut pair = Pair::new(&config, version, 1);
            let mut left = cut;
            while left > 0 && pair.server.is_handshaking() {
                pair.client().unwrap();
                let count = left.min(pair.leaving.len());
                pair.arrive(count).unwrap(); // in one piece, and byte by byte
                left -= count;
            }
            if !pair.server.is_handshaking() {
                break;
            }
            pair.server.inner_mut().ended = true;
            let end = pair.server.read(&mut [0; 9]).map_err(|error| error.kind());
            assert_eq!(end, if cut == 0 { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof) });
        }
    }
}

#[test]
fn a_handshake_byte_by_byte() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(&config(), version, 1);
        while pair.client.is_handshaking() || pair.server.is_handshaking() {
            pair.client().unwrap();
            while !pair.leaving.is_empty() {
                pair.arrive(1).unwrap();
            }
        }
        assert!(pair.holds_nothing());
    }
}

/// Each byte of the handshake is wrong once. The server answers with an alert, or waits for more, or does not notice.
#[test]
fn a_handshake_with_a_wrong_byte() {
    let config = config();
    for version in [&TLS12, &TLS13] {
        let (mut refused, mut wrong) = (0, 0);
        while wrong < usize::MAX {
            let mut pair = Pair::new(&config, version, 0);
            let mut at = wrong;
            while pair.server.is_handshaking() && pair.client().is_ok() && !pair.leaving.is_empty() {
                if let Some(byte) = pair.leaving.get_mut(at) {
                    *byte ^= 0x55;
                }
                at = at.wrapping_sub(pair.leaving.len()); // wraps once it is done
                if let Err(error) = pair.arrive(pair.leaving.len()) {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    refused += 1;
                    break;
                }
            }
            wrong = if at < usize::MAX / 2 { usize::MAX } else { wrong + 1 };
        }
        assert!(refused > 100, "{refused}");
    }
}

#[test]
fn garbage_after_the_handshake_gets_an_alert() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::open(&config(), version);
        pair.client.writer().write_all(b"before").unwrap();
        pair.client().unwrap();
        pair.leaving.extend([23, 3, 3, 0, 32]);
        pair.leaving.extend([7; 32]);
        let error = pair.arrive(pair.leaving.len()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(pair.backlog, b"before", "what came before is read first");
        assert_eq!(pair.client(), Err(Error::AlertReceived(AlertDescription::BadRecordMac)));
        pair.server.inner_mut().incoming.extend([8; 100_000]); // is discarded
        let kind = |read: io::Result<usize>| read.map_err(|error| error.kind());
        while kind(pair.server.read(&mut [0; 9])) == Err(io::ErrorKind::Interrupted) {}
        assert!(pair.server.inner().incoming.is_empty());
        pair.server.close().unwrap();
        assert!(pair.server.inner().shut);
        pair.server.inner_mut().ended = true;
        assert_eq!(kind(pair.server.read(&mut [0; 9])), Ok(0));
        assert!(pair.holds_nothing());
    }
}

/// Nothing is encrypted any more, so a write must not wait for an event that never comes.
#[test]
fn a_write_after_an_error_of_the_peer_fails() {
    let mut pair = Pair::open(&config(), &TLS13);
    pair.client.writer().write_all(&[1; 100]).unwrap();
    pair.client().unwrap();
    pair.leaving.extend([23, 3, 3, 0, 32]);
    pair.leaving.extend([7; 32]);
    pair.server.inner_mut().incoming.extend(pair.leaving.drain(..));
    assert_eq!(pair.server.read(&mut [0; 9]).unwrap(), 9);
    for _ in 0..2 {
        assert_eq!(pair.server.write(b"echo").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    assert_eq!(pair.client(), Err(Error::AlertReceived(AlertDescription::BadRecordMac)));
    assert_eq!(pair.server.read(&mut [0; 200]).unwrap(), 91, "what came before can still be read");
}

/// An update of keys wants an answer, and a wrong record an alert, but our side is closed.
#[test]
fn nothing_is_sent_after_the_end() {
    let mut pair = Pair::open(&config(), &TLS13);
    pair.server.close().unwrap();
    pair.client.refresh_traffic_keys().unwrap();
    pair.client.writer().write_all(b"after").unwrap();
    pair.client().unwrap();
    pair.arrive(pair.leaving.len()).unwrap();
    assert_eq!(pair.backlog, b"after");
    pair.server.inner_mut().incoming.extend([23, 3, 3, 0, 32].into_iter().chain([7; 32]));
    assert_eq!(pair.server.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(pair.client().unwrap().is_empty() && pair.holds_nothing());
}

/// The alert comes behind the first records of the server's flight.
#[test]
fn protocols_that_are_not_served() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::with(&config(), version, 1, &["h2"]);
        pair.client().unwrap();
        let error = pair.arrive(pair.leaving.len()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(pair.client(), Err(Error::AlertReceived(AlertDescription::NoApplicationProtocol)));
    }
}

/// Records without plaintext: the work of one read is bounded.
#[test]
fn records_that_bring_nothing() {
    let mut pair = Pair::open(&config(), &TLS13);
    for _ in 0..100 {
        // More than 32 in a row are refused.
        pair.client.refresh_traffic_keys().unwrap();
        pair.client().unwrap();
    }
    let error = pair.arrive(pair.leaving.len()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);

    let mut pair = Pair::new(&config(), &TLS13, 1);
    pair.leaving.extend([22, 3, 1, 0x40, 0, 1, 0, 0xFF, 0xFF]); // a message of 64 KiB
    pair.leaving.extend([0; 0x4000 - 4]);
    pair.leaving.extend([22, 3, 1, 0x40, 0]);
    pair.leaving.extend([0; 0x4000]);
    let error = pair.arrive(pair.leaving.len()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(pair.holds_nothing());
}

#[test]
fn a_peer_without_tls_is_told() {
    let mut pair = Pair::new(&config(), &TLS13, 1);
    pair.leaving.extend(b"GET / HTTP/1.1\r\n\r\n");
    let error = pair.arrive(18).unwrap_err();
    assert_eq!(error.to_string(), "the peer speaks HTTP without TLS");
    let answer = Vec::from(pair.server.inner().outgoing.clone());
    assert!(answer.starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
}

#[test]
fn certificates_in_pem() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = |made: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        (pem("CERTIFICATE", made.cert.der()), pem("PRIVATE KEY", &made.signing_key.serialize_der()))
    };
    let ((certificate, key), (other, wrong_key)) = (pem(&made), pem(&other));
    let from = |certificate: &str, key: &str| TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes());
    let error = |certificate: &str, key: &str| from(certificate, key).unwrap_err().to_string();
    assert_eq!(error("", &key), "there is no certificate in PEM");
    assert_eq!(error(&certificate, ""), "there is no private key in PEM");
    assert_eq!(error(&certificate, &certificate), "there is no private key in PEM");
    assert_eq!(error(&certificate, &wrong_key), "the private key is not that of the certificate");
    let no = "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n";
    assert!(error(no, &key).starts_with("the certificate or its key cannot be used: "));
    assert!(error(&certificate[..100], &key).starts_with("the certificate is not PEM: "));

    let both = certificate.clone() + &key;
    let config = from(&both, &both).unwrap();
    let before = config.fingerprint();
    assert_eq!(before.len(), 32 * 3 - 1);
    config.replace(certificate.as_bytes(), wrong_key.as_bytes()).unwrap_err();
    assert_eq!(config.fingerprint(), before);
    config.clone().replace(other.as_bytes(), wrong_key.as_bytes()).unwrap();
    assert_ne!(config.fingerprint(), before);
    Pair::open(&config, &TLS13);
}
