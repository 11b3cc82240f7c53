//! `--health-check`: asks a server that runs already whether it is healthy, for containers that have no other program.

use framewire_mio::Address;
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    str::FromStr,
    time::Duration,
};

/// The server to ask. Parses from an address, or from `https://` and an address if the server has TLS there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    address: Address,
    tls: bool,
}

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(3);

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, address) = match text.split_once("://") {
            None => (false, text),
            Some(("http" | "ws", address)) => (false, address),
            Some(("https" | "wss", _)) if cfg!(not(feature = "tls")) => {
                return Err("this program was built without TLS".into());
            }
            Some(("https" | "wss", address)) => (true, address),
            Some(_) => return Err("the server is asked over http or https".into()),
        };
        let host = address.strip_suffix('/').filter(|host| !host.contains('/'));
        Ok(Self { address: host.unwrap_or(address).parse()?, tls })
    }
}

impl Asked {
    /// Asks for `/healthz`.
    ///
    /// # Errors
    /// Those of connecting, sending and receiving, and [`InvalidData`](io::ErrorKind::InvalidData) if the status is not 200.
    pub(crate) fn check(&self) -> io::Result<()> {
        match &self.address {
            Address::Tcp(name) => {
                let mut error = io::Error::from(io::ErrorKind::NotFound);
                for address in name.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, PATIENCE) {
                        Ok(stream) => {
                            stream.set_read_timeout(Some(PATIENCE))?;
                            stream.set_write_timeout(Some(PATIENCE))?;
                            return self.ask(stream);
                        }
                        Err(failed) => error = failed,
                    }
                }
                Err(error)
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                self.ask(stream)
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn ask(&self, stream: impl Read + Write) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if self.tls {
            return ask(tls::connect(stream)?);
        }
        ask(stream)
    }
}

fn ask(mut stream: impl Read + Write) -> io::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    // To the end: otherwise the server would count a lost connection.
    let mut response = Vec::new();
    stream.take(1 << 16).read_to_end(&mut response)?;
    let status = &response[..response.len().min(13)];
    if status == b"HTTP/1.1 200 " {
        return Ok(());
    }
    let text = String::from_utf8_lossy(status).escape_debug().to_string();
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("the response begins with {text}")))
}

/// A client that takes any certificate. It asks a server of its own, mostly on the same machine, for which no authority need have
/// signed `localhost`; and it neither sends nor learns a secret.
#[cfg(feature = "tls")]
mod tls {
    use rustls::{
        ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{self, WebPkiSupportedAlgorithms, ring},
        pki_types::{CertificateDer, ServerName, UnixTime},
    };
    use std::{
        io::{self, Read, Write},
        sync::Arc,
    };

    pub(super) fn connect(stream: impl Read + Write) -> io::Result<impl Read + Write> {
        let provider = ring::default_provider();
        let any = AnyCertificate(provider.signature_verification_algorithms);
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(any))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(client, stream))
    }

    #[derive(Debug)]
    struct AnyCertificate(WebPkiSupportedAlgorithms);

    impl ServerCertVerifier for AnyCertificate {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            crypto::verify_tls12_signature(message, certificate, signed, &self.0)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            crypto::verify_tls13_signature(message, certificate, signed, &self.0)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_schemes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tcp = |name: &str, tls| Ok(Asked { address: Address::Tcp(name.into()), tls });
        let unix = |path: &str, tls| Ok(Asked { address: Address::Unix(path.into()), tls });
        for (text, asked) in [
            ("9001", tcp("127.0.0.1:9001", false)),
            ("[::1]:9001", tcp("[::1]:9001", false)),
            ("ws://localhost:9001/", tcp("localhost:9001", false)),
            ("http://localhost:9001", tcp("localhost:9001", false)),
        ] {
            assert_eq!(text.parse(), asked, "{text}");
        }
        if cfg!(unix) {
            assert_eq!("/run/echo.sock".parse(), unix("/run/echo.sock", false));
        }
        if cfg!(all(unix, feature = "tls")) {
            assert_eq!("https://127.0.0.1:9443".parse(), tcp("127.0.0.1:9443", true));
            assert_eq!("wss://127.0.0.1:9443/".parse(), tcp("127.0.0.1:9443", true));
            assert_eq!("https:///run/echo.sock".parse(), unix("/run/echo.sock", true));
        }
        for wrong in ["", "localhost", "https://localhost", "ftp://localhost:9001"] {
            assert!(wrong.parse::<Asked>().is_err(), "{wrong}");
        }
    }
}
