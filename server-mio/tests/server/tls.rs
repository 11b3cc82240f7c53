//! Connections over TLS, with the client of rustls, and with openssl if it is installed.

use super::*;
use framewire_testing::payload::pem;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use std::{
    env, fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A server with TLS, and without at its first address.
struct Secure {
    program: Program,
    files: Files,
    /// Remembers sessions, if the client is used again.
    client: ClientConfig,
}

/// The files of a certificate and its key.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// For the test with this name.
    fn new(name: &str) -> (Self, CertificateDer<'static>) {
        let file = |kind| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.{kind}.pem"));
        let files = Self { certificate: file("certificate"), key: file("key") };
        let certificate = files.renew();
        (files, certificate)
    }

    /// Writes a new certificate and key.
    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&self.certificate, pem("CERTIFICATE", made.cert.der())).unwrap();
        fs::write(&self.key, pem("PRIVATE KEY", &made.signing_key.serialize_der())).unwrap();
        made.cert.der().clone()
    }
}

fn client_config(
    trusted: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Secure {
    fn start(name: &str, options: &[&str]) -> Self {
        let (files, certificate) = Files::new(name);
        let (path, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
        let listen = ["--listen-tls", "127.0.0.1:0", "--tls", path, key];
        let program = start(&[&listen[..], options].concat());
        Self { program, files, client: client_config(certificate, &[&TLS12, &TLS13]) }
    }

    fn address(&self) -> &str {
        &self.program.addresses[1]
    }

    /// A connection before its handshake.
    fn stream(&self) -> Stream {
        Stream::on(tcp(self.address()), self.client.clone())
    }

    /// A client after both handshakes.
    fn connect(&self) -> Client {
        self.stream().open()
    }

    /// Checks that it serves another client, and one without TLS.
    fn check(&self) {
        self.connect().check();
        self.program.check();
    }
}

/// A client's stream over TLS.
#[derive(Debug)]
struct Stream {
    tls: ClientConnection,
    socket: TcpStream,
}

impl Stream {
    fn on(socket: TcpStream, config: ClientConfig) -> Self {
        let mut tls =
            ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        tls.set_buffer_limit(None);
        Self { tls, socket }
    }

    fn open(self) -> Client {
        Client::on(Socket::Other(Box::new(self)), &[], b"")
    }

    /// Does the handshake of TLS.
    fn shake_hands(&mut self) -> io::Result<()> {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.socket)?;
        }
        Ok(())
    }

    /// Sends what is encrypted.
    fn send(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).unwrap();
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.tls, &mut self.socket).read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.tls, &mut self.socket).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        rustls::Stream::new(&mut self.tls, &mut self.socket).flush()
    }
}

impl framewire_testing::peer::Stream for Stream {
    fn shutdown_write(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }
}

#[test]
fn messages_of_every_size() {
    let mut secure = Secure::start("sizes", &[]);
    for version in [&TLS12, &TLS13] {
        let trusted = CertificateDer::from(der(&secure.files.certificate));
        secure.client = client_config(trusted, &[version]);
        let mut client = secure.connect();
        for near in [1, 126, 16 * KIB, 32 * KIB, 64 * KIB, 256 * KIB] {
            for len in near - 1..near + 30 {
                let payload = noise(len, len as u64);
                client.binary(&payload);
                client.expect_binary(&payload);
            }
        }
        for seed in 0..10 {
            let payload = noise(MIB + seed, seed as u64);
            let parts: Vec<_> = payload.chunks(100_000 + seed).collect();
            let (last, others) = parts.split_last().unwrap();
            for (i, part) in others.iter().enumerate() {
                client.send(&frame(if i == 0 { BINARY } else { CONTINUATION } & MORE, part));
                client.send(&frame(PING, b"between"));
            }
            client.send(&frame(CONTINUATION, last));
            for _ in others {
                assert_eq!(client.next(), Got::Pong(b"between".to_vec()));
            }
            client.expect_binary(&payload);
        }
        // Many in one read.
        let payloads: Vec<_> = (0..3000).map(|i| noise(i % 700, i as u64)).collect();
        client.send(&payloads.iter().flat_map(|payload| frame(BINARY, payload)).collect::<Vec<_>>());
        payloads.iter().for_each(|payload| client.expect_binary(payload));
        client.close(); // the end without a close_notify would be an error
    }
    secure.check();
}

/// One record may bring much that is inflated over several turns, and more than one that is left for a turn without an event.
#[test]
fn compressed_messages() {
    let secure = Secure::start("compressed", &["--compression"]);
    let mut peer = compression::Peer::on(secure.stream(), compression::OFFER).unwrap();
    for (i, len) in [100, 5000, 16 * KIB, 100_000, 4 * MIB].into_iter().enumerate() {
        let text: Vec<u8> = b"{\"a\": 1}, ".iter().copied().cycle().take(len).collect();
        for payload in [text, noise(len, i as u64)] {
            peer.send(&payload);
            peer.send(&payload[..len / 2]);
            assert!(peer.receive().is_some_and(|echo| echo == payload), "{len}");
            assert!(peer.receive().is_some_and(|echo| echo == payload[..len / 2]), "{len}");
        }
    }
    secure.check();
}

/// The certificate need not be one of an authority that this machine trusts.
#[test]
fn the_health_check_speaks_tls() {
    let server = Secure::start("health", &["--metrics"]);
    let check = |address: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewire-echo"));
        command.args(["--health-check", address]).output().unwrap()
    };
    for scheme in ["https", "wss"] {
        let output = check(&format!("{scheme}://{}", server.address()));
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    let page = ask(server.program.address(), b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(page.contains("framewire_errors_total{kind=\"lost\"} 0\n"), "{page}");
    assert!(page.contains("framewire_errors_total{kind=\"tls\"} 0\n"), "{page}");
    // Neither side speaks TLS unless it is told to.
    let plain = check(server.address());
    assert!(
        plain.status.code() == Some(1) && String::from_utf8_lossy(&plain.stderr).contains("400"),
        "{plain:?}"
    );
    assert_eq!(check(&format!("https://{}", server.program.address())).status.code(), Some(1));
}

/// A connection that a behaviour takes over keeps its TLS: what came behind the request, the replies, and the end of the stream.
#[test]
fn behaviours_over_tls() {
    let secure = Secure::start("behaviours", &["--behaviours"]);
    let message = noise(100_000, 1);
    let close = wire::closing(1000, "");
    let request = upgrade("").replacen("GET / ", "GET /echo?fragment=10000 ", 1);
    let mut stream = secure.stream();
    let frames = [frame(BINARY, &message), frame(CLOSE, &close)].concat();
    stream.write_all(&[request.as_bytes(), &frames].concat()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an end that TLS tells");
    let mut expected = Vec::new();
    for (i, part) in message.chunks(10_000).enumerate() {
        let first = if i == 0 { BINARY } else { CONTINUATION };
        let first = if i == 9 { first } else { first & MORE };
        expected.extend(wire::frame(first, None, part));
    }
    expected.extend(wire::frame(CLOSE, None, &close));
    assert!(bytes.starts_with(b"HTTP/1.1 101 ") && bytes.ends_with(&expected));
    secure.check();
}

#[test]
fn keys_are_renewed() {
    let secure = Secure::start("keys", &[]);
    let mut stream = secure.stream();
    stream.shake_hands().unwrap();
    stream.write_all(upgrade("").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 129]).unwrap();
    for i in 0..200 {
        stream.tls.refresh_traffic_keys().unwrap();
        stream.send();
        let payload = noise(i * 100, i as u64);
        let wire = frame(BINARY, &payload);
        stream.write_all(&wire).unwrap();
        let mut echo = vec![0; wire.len() - 4];
        stream.read_exact(&mut echo).unwrap();
        assert!(echo.ends_with(&payload));
    }
}

#[test]
fn sessions_are_resumed() {
    let secure = Secure::start("resumed", &[]);
    for (version, first) in [(&TLS12, true), (&TLS13, false)] {
        let config = client_config(CertificateDer::from(der(&secure.files.certificate)), &[version]);
        let kinds = [(); 3].map(|()| {
            let mut stream = Stream::on(tcp(secure.address()), config.clone());
            stream.shake_hands().unwrap();
            let kind = stream.tls.handshake_kind();
            stream.write_all(upgrade("").as_bytes()).unwrap();
            stream.read_exact(&mut [0; 129]).unwrap();
            kind
        });
        assert_eq!(kinds[0], Some(HandshakeKind::Full), "TLS 1.2: {first}");
        assert_eq!(kinds[1..], [Some(HandshakeKind::Resumed); 2], "TLS 1.2: {first}");
    }
}

#[test]
fn protocols_by_alpn() {
    let mut secure = Secure::start("alpn", &[]);
    let protocols = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
    for (names, chosen) in [(&["h2", "http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
        secure.client.alpn_protocols = protocols(names);
        let mut stream = secure.stream();
        stream.shake_hands().unwrap();
        assert_eq!(stream.tls.alpn_protocol(), chosen);
        stream.open().check();
    }
    secure.client.alpn_protocols = protocols(&["h2"]);
    assert_alert(&secure.stream().shake_hands().unwrap_err(), AlertDescription::NoApplicationProtocol);
}

fn assert_alert(error: &io::Error, alert: AlertDescription) {
    let cause = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    assert_eq!(cause, Some(&rustls::Error::AlertReceived(alert)), "{error}");
}

#[test]
fn peers_that_do_not_speak_tls() {
    let secure = Secure::start("not-tls", &["--close-timeout", "30"]);
    let answer = ask(secure.address(), upgrade("").as_bytes());
    assert_eq!(status(&answer), 400);
    assert!(answer.ends_with("this port needs TLS: https:// or wss://\n"), "{answer}");

    // An alert, and the end, though much was not read.
    for bytes in [noise(1 << 20, 1), vec![0; 100_000], vec![22; 100_000]] {
        let mut peer = tcp(secure.address());
        let _ = peer.write_all(&bytes);
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).unwrap();
        assert_eq!((answer[0], answer.len()), (21, 7), "{answer:?}");
    }
    // Garbage after the handshake.
    let mut stream = secure.stream();
    stream.shake_hands().unwrap();
    stream.write_all(upgrade("").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 129]).unwrap();
    stream.socket.write_all(&[&[23, 3, 3, 0, 99][..], &noise(50_000, 2)].concat()).unwrap();
    let error = stream.read(&mut [0; 9]).unwrap_err();
    assert_alert(&error, AlertDescription::BadRecordMac);
    secure.check();
}

/// The messages before it have replies that can never be sent: they must not hold the connection.
#[test]
fn garbage_behind_more_than_the_high_water_mark() {
    let secure = Secure::start("garbage", &["--high-water", "16K", "--idle-timeout", "0"]);
    let mut stream = secure.stream();
    stream.shake_hands().unwrap();
    stream.write_all(upgrade("").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 129]).unwrap();
    let message = [&[0x82, 0xFE, 0x07, 0xD0, 0, 0, 0, 0][..], &[b'x'; 2000]].concat();
    let mut bytes = Vec::new();
    stream.tls.writer().write_all(&message.repeat(20)).unwrap();
    while stream.tls.wants_write() {
        stream.tls.write_tls(&mut bytes).unwrap();
    }
    bytes.extend([23, 3, 3, 0, 32]);
    bytes.extend([7; 32]);
    stream.socket.write_all(&bytes).unwrap();
    let error = loop {
        match stream.read(&mut [0; 4096]) {
            Ok(n) => assert!(n > 0, "an alert comes before the end"),
            Err(error) => break error,
        }
    };
    assert_alert(&error, AlertDescription::BadRecordMac);
    secure.check();
}

/// The bytes that a client sends in its handshake.
fn hello(secure: &Secure) -> Vec<u8> {
    let mut tls = secure.stream().tls;
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn handshakes_that_come_slowly_or_not_to_the_end() {
    let secure = Secure::start("slow", &["--stats", "1"]);
    let hello = hello(&secure);
    for cut in 1..hello.len() {
        let mut peer = tcp(secure.address());
        peer.write_all(&hello[..cut]).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer.read(&mut [0; 9]).unwrap_or(0), 0, "after {cut} bytes");
    }
    let failed = hello.len() - 1;
    loop {
        let line = secure.program.line();
        if line.ends_with(&format!(" 0 TLS handshakes, {failed} failed")) {
            break;
        }
    }

    let mut stream = secure.stream();
    let mut bytes = Vec::new();
    while stream.tls.is_handshaking() {
        while stream.tls.wants_write() {
            stream.tls.write_tls(&mut bytes).unwrap();
        }
        for byte in bytes.drain(..) {
            stream.socket.write_all(&[byte]).unwrap();
        }
        if stream.tls.is_handshaking() {
            stream.tls.read_tls(&mut stream.socket).unwrap();
            stream.tls.process_new_packets().unwrap();
        }
    }
    while stream.tls.wants_write() {
        stream.tls.write_tls(&mut bytes).unwrap();
    }
    bytes.iter().for_each(|&byte| stream.socket.write_all(&[byte]).unwrap());
    stream.open().check();
}

#[test]
fn timeouts() {
    let secure = Secure::start("timeouts", &["--tls-handshake-timeout", "1", "--handshake-timeout", "1"]);
    let hello = hello(&secure);
    let mut peers: Vec<_> = [&[][..], &hello[..50]]
        .map(|bytes| {
            let mut peer = tcp(secure.address());
            peer.write_all(bytes).unwrap();
            peer
        })
        .into();
    let mut stream = secure.stream();
    stream.shake_hands().unwrap();
    for peer in &mut peers {
        assert_eq!(peer.read(&mut [0; 9]).unwrap_or(0), 0);
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 408);
}

/// What a peer has sent before its end is echoed, whether it says that this is the end or not.
#[test]
fn the_ends_of_streams() {
    let secure = Secure::start("ends", &[]);
    for says in [true, false] {
        let mut stream = secure.stream();
        stream.shake_hands().unwrap();
        let payload = noise(100_000, 1);
        stream.write_all(&[upgrade("").into_bytes(), frame(BINARY, &payload)].concat()).unwrap();
        if says {
            stream.tls.send_close_notify();
            stream.send();
        }
        stream.socket.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert!(all.ends_with(&payload));
    }
    // A close_notify alone ends the stream, too.
    let mut stream = secure.stream();
    stream.shake_hands().unwrap();
    stream.tls.send_close_notify();
    stream.send();
    assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
    secure.check();
}

/// A peer that sends and does not read: it is paused, and gets everything when it reads.
#[test]
fn a_peer_that_does_not_read_is_not_read() {
    let tight = ["--high-water", "64K", "--send-buffer", "16K", "--receive-buffer", "16K"];
    let secure = Secure::start("pressure", &tight);
    secure.check();
    let memory = secure.program.memory();
    let mut stream = secure.stream();
    stream.shake_hands().unwrap();
    stream.write_all(upgrade("").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 129]).unwrap();
    let payloads: Vec<_> = (0..3000).map(|i| noise(i * 7 % 20_000, i as u64)).collect();
    let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(BINARY, payload)).collect();
    stream.tls.writer().write_all(&wire).unwrap();
    stream.socket.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    let (mut taken, mut last) = (0, Instant::now());
    while last.elapsed() < Duration::from_millis(400) {
        match stream.tls.write_tls(&mut stream.socket) {
            Ok(n) => (taken, last) = (taken + n, Instant::now()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
        assert!(begun.elapsed() < PATIENCE, "sending does not block");
    }
    assert!(taken < wire.len() / 2, "{taken} of {} bytes were taken", wire.len());
    let grown = secure.program.memory().saturating_sub(memory);
    assert!(grown < 2 * MIB, "the server grew by {grown} bytes");
    secure.check();

    let echoes: Vec<u8> = payloads.iter().flat_map(|payload| wire::frame(BINARY, None, payload)).collect();
    let mut got = Vec::new();
    let mut buffer = vec![0; 64 * KIB];
    last = Instant::now();
    while got.len() < echoes.len() {
        let _ = stream.tls.write_tls(&mut stream.socket);
        match stream.tls.read_tls(&mut stream.socket) {
            Ok(n) => {
                assert_ne!(n, 0);
                last = Instant::now();
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
        stream.tls.process_new_packets().unwrap();
        while let Ok(n @ 1..) = stream.tls.reader().read(&mut buffer) {
            got.extend_from_slice(&buffer[..n]);
        }
        assert!(last.elapsed() < PATIENCE, "{} of {} bytes came", got.len(), echoes.len());
    }
    assert!(got == echoes);
}

#[test]
fn sighup_reads_the_certificate_again() {
    let mut secure = Secure::start("sighup", &["--log", "info"]);
    let mut before = secure.connect();
    let old = CertificateDer::from(der(&secure.files.certificate));
    let new = secure.files.renew();
    secure.client = client_config(new.clone(), &[&TLS13]);
    secure.program.signal("HUP");
    until("the new certificate is there", || secure.stream().shake_hands().is_ok());
    before.check();

    fs::write(&secure.files.key, "not a key").unwrap();
    secure.program.signal("HUP");
    fs::remove_file(&secure.files.certificate).unwrap();
    secure.program.signal("HUP");
    std::thread::sleep(Duration::from_millis(100)); // whatever they do, they have done it
    secure.check();

    let newest = secure.files.renew();
    secure.client = client_config(newest, &[&TLS12, &TLS13]);
    secure.program.signal("HUP");
    until("the newest certificate is there", || secure.stream().shake_hands().is_ok());
    for outdated in [old, new] {
        let config = client_config(outdated, &[&TLS12, &TLS13]);
        assert!(Stream::on(tcp(secure.address()), config).shake_hands().is_err());
    }
}

#[test]
fn certificates_that_cannot_be_used() {
    let (files, _) = Files::new("unusable");
    let run = |certificate: &Path, key: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framewire-echo"));
        command.args(["--listen-tls", "127.0.0.1:0", "--tls"]).args([certificate, key]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = run(&files.certificate, Path::new("/nowhere/key.pem"));
    assert!(said.starts_with("framewire-echo: cannot read /nowhere/key.pem: "), "{said}");
    let said = run(&files.key, &files.key);
    assert!(said.ends_with(": there is no certificate in PEM\n"), "{said}");
    let (other, _) = Files::new("unusable-other");
    let said = run(&files.certificate, &other.key);
    assert!(said.ends_with(": the private key is not that of the certificate\n"), "{said}");
}

/// The certificate in a file.
fn der(path: &Path) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;

    CertificateDer::from_pem_file(path).unwrap().to_vec()
}

mod openssl {
    use super::*;

    /// Runs `openssl s_client` with this input. Each part of it is answered by a line with its text: the next is written after
    /// that, as a command counts only if it is a read of its own. `None` if openssl is not installed.
    fn s_client(secure: &Secure, options: &[&str], input: &[(&[u8], &str)]) -> Option<String> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", secure.address(), "-CAfile"]).arg(&secure.files.certificate);
        command.args(["-verify_return_error", "-servername", "localhost"]).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                println!("openssl is not installed: nothing is tested");
                return None;
            }
            other => other.unwrap(),
        };
        let mut stdin = child.stdin.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let listeners =
            [listen(child.stdout.take().unwrap(), &said), listen(child.stderr.take().unwrap(), &said)];
        if !input.is_empty() {
            until("the handshake is over", || said.lock().unwrap().contains("Verify return code"));
        }
        for (part, answer) in input {
            let before = said.lock().unwrap().matches(answer).count();
            let _ = stdin.write_all(part);
            let _ = stdin.flush();
            until(answer, || said.lock().unwrap().matches(answer).count() > before);
        }
        drop(stdin);
        child.wait().unwrap();
        listeners.into_iter().for_each(|listener| listener.join().unwrap());
        Some(Arc::into_inner(said).unwrap().into_inner().unwrap())
    }

    /// Appends all output to `said`.
    fn listen(mut output: impl Read + Send + 'static, said: &Arc<Mutex<String>>) -> JoinHandle<()> {
        let said = Arc::clone(said);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                said.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        })
    }

    /// A request, so that the answer shows that the connection works.
    const REQUEST: (&[u8], &str) = (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 OK");

    #[test]
    fn both_versions() {
        let secure = Secure::start("openssl-versions", &[]);
        for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let Some(said) = s_client(&secure, &[option, "-ign_eof", "-alpn", "h2,http/1.1"], &[REQUEST])
            else {
                return;
            };
            assert!(said.contains("HTTP/1.1 200 OK") && said.contains(&format!("New, {version}")), "{said}");
            assert!(
                said.contains("ALPN protocol: http/1.1") && said.contains("Verify return code: 0"),
                "{said}"
            );
        }
        let old = s_client(&secure, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &[]).unwrap();
        assert!(old.contains("SSL alert number"), "{old}");
        secure.check();
    }

    #[test]
    fn sessions_are_resumed() {
        let secure = Secure::start("openssl-resumed", &[]);
        for option in ["-tls1_2", "-tls1_3"] {
            let file = secure.files.key.with_extension(&option[1..]);
            let path = file.to_str().unwrap();
            let options = [option, "-ign_eof", "-sess_out", path];
            if s_client(&secure, &options, &[REQUEST]).is_none() {
                return;
            }
            let said = s_client(&secure, &[option, "-ign_eof", "-sess_in", path], &[REQUEST]).unwrap();
            assert!(said.contains("Reused, TLSv1.") && said.contains("HTTP/1.1 200 OK"), "{said}");
        }
    }

    /// In TLS 1.2, a client may ask for new keys by a new handshake. It is told no, and stays connected.
    #[test]
    fn no_renegotiation() {
        let secure = Secure::start("openssl-renegotiation", &[]);
        let Some(said) = s_client(&secure, &["-tls1_2"], &[(b"R\n", "no renegotiation")]) else { return };
        assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
        secure.check();
    }

    #[test]
    fn keys_are_renewed() {
        let secure = Secure::start("openssl-keys", &[]);
        let renew: [(&[u8], &str); 3] = [b"K\n", b"k\n", b"K\n"].map(|command| (&command[..], "KEYUPDATE"));
        let Some(said) = s_client(&secure, &["-tls1_3"], &[&renew[..], &[REQUEST]].concat()) else { return };
        assert!(said.matches("KEYUPDATE").count() == 3 && said.contains("HTTP/1.1 200 OK"), "{said}");
    }

    /// The fingerprint that the program prints is that of the certificate that it presents.
    #[test]
    fn the_fingerprint_of_a_self_signed_certificate() {
        let program = Program::start_with(
            env!("CARGO_BIN_EXE_framewire-echo"),
            "",
            &["--tls-self-signed", "--listen-tls", "127.0.0.1:0"],
        );
        assert_eq!(program.addresses.len(), 1, "without --listen, only with TLS");
        let command = format!(
            "openssl s_client -connect {} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256",
            program.address(),
        );
        let output = Command::new("/bin/sh").args(["-c", &command]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let Some((_, fingerprint)) = said.split_once('=') else {
            return println!("openssl is not installed");
        };
        let certificate = program.certificate.as_deref().expect("the banner has it");
        assert!(
            certificate.starts_with("self-signed, for localhost, 127.0.0.1, ::1; SHA-256 "),
            "{certificate}"
        );
        assert!(certificate.ends_with(fingerprint.trim()), "{certificate}");
    }
}
