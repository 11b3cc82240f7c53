//! The options of TLS, and the certificate: from files, which SIGHUP reads again, or made at the start.
// The comments on the options are the text of --help, not Markdown.
#![allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links)]

use clap::{ArgAction, Args, builder::ArgPredicate::IsPresent};
use framewire_mio::{Address, Config, Listener, TlsConfig};
use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsOptions {
    /// Also listen with TLS (wss://), with the certificate and the key in these files (PEM; the certificates of authorities
    /// follow the server's in the first; one file may have both); SIGHUP reads them again
    #[arg(long, value_names = ["CERT", "KEY"], num_args = 2, action = ArgAction::Set, group = "certificate")]
    tls: Vec<PathBuf>,

    /// Also listen with TLS (wss://), with a certificate that is made at the start, and that no authority has signed; its
    /// fingerprint is printed
    #[cfg(feature = "self-signed")]
    #[arg(long, group = "certificate")]
    tls_self_signed: bool,

    /// Listen with TLS on this address, given as to --listen; may be given several times; with it, and without --listen, the
    /// server listens only with TLS [default: 127.0.0.1:9443 with --tls or --tls-self-signed]
    #[arg(long, value_name = "ADDR", requires = "certificate", hide_default_value = true)]
    #[arg(default_value_if("tls", IsPresent, DEFAULT))]
    #[cfg_attr(feature = "self-signed", arg(default_value_if("tls_self_signed", "true", DEFAULT)))]
    listen_tls: Vec<Address>,

    /// Drop a client if its TLS handshake takes longer than this many seconds; its request then has --handshake-timeout
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    pub(crate) tls_handshake_timeout: u32,
}

const DEFAULT: &str = "127.0.0.1:9443";

/// The certificate of all listeners with TLS.
pub(crate) struct Certificate {
    config: TlsConfig,
    files: Option<Files>,
    names: Vec<String>,
}

/// The files of a certificate and its key.
#[derive(Clone, Debug)]
struct Files {
    certificates: PathBuf,
    key: PathBuf,
}

impl TlsOptions {
    /// Adds the listeners with TLS to the lists of all servers. Returns their certificate, if there are any.
    pub(crate) fn bind(
        &self,
        lists: &mut [Vec<Listener>],
        config: &Config,
    ) -> io::Result<Option<Certificate>> {
        if self.listen_tls.is_empty() {
            return Ok(None);
        }
        let servers = NonZeroUsize::new(lists.len()).unwrap_or(NonZeroUsize::MIN);
        let bound = Listener::bind(&self.listen_tls, servers, config)?;
        let certificate = self.certificate(bound.iter().flatten())?;
        for (list, bound) in lists.iter_mut().zip(bound) {
            list.extend(bound.into_iter().map(|listener| listener.with_tls(certificate.config.clone())));
        }
        Ok(Some(certificate))
    }

    #[cfg_attr(not(feature = "self-signed"), expect(unused_variables, reason = "a file has its names"))]
    fn certificate<'l>(&self, listeners: impl Iterator<Item = &'l Listener>) -> io::Result<Certificate> {
        #[cfg(feature = "self-signed")]
        if self.tls_self_signed {
            let names = self.names(listeners);
            let config = TlsConfig::self_signed(names.clone()).map_err(io::Error::other)?;
            return Ok(Certificate { config, files: None, names });
        }
        let [certificates, key] = &*self.tls else { return Err(io::ErrorKind::InvalidInput.into()) };
        let files = Files { certificates: certificates.clone(), key: key.clone() };
        let (certificates, key) = files.read()?;
        let config = TlsConfig::from_pem(&certificates, &key).map_err(|error| files.context(error))?;
        Ok(Certificate { config, files: Some(files), names: Vec::new() })
    }

    /// The names and addresses at which clients may find the server.
    #[cfg(feature = "self-signed")]
    fn names<'l>(&self, listeners: impl Iterator<Item = &'l Listener>) -> Vec<String> {
        let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let hosts = self.listen_tls.iter().filter_map(|address| match address {
            Address::Tcp(name) => Some(name.rsplit_once(':')?.0.trim_matches(['[', ']']).to_owned()),
            Address::Unix(_) => None,
        });
        let addresses = listeners.filter_map(|listener| {
            let address = listener.local_addr()?.ip();
            (!address.is_unspecified()).then(|| address.to_string())
        });
        for name in hosts.chain(addresses) {
            if !names.contains(&name) && name != "0.0.0.0" && name != "::" {
                names.push(name);
            }
        }
        names
    }
}

impl Certificate {
    /// For the banner.
    pub(crate) fn describe(&self) -> String {
        let of = match &self.files {
            Some(files) => format!("{} (SIGHUP reads it again)", files.certificates.display()),
            None => format!("self-signed, for {}", self.names.join(", ")),
        };
        format!("{of}; SHA-256 {}", self.config.fingerprint())
    }

    /// Reads the files again at each SIGHUP, on a thread of its own: a slow disk does not delay the servers. Without files,
    /// SIGHUP ends the process, as by default.
    #[cfg(unix)]
    pub(crate) fn reload_at_sighup(self) -> io::Result<()> {
        use std::{io::Read, os::unix::net::UnixStream, thread};

        let Some(files) = self.files else { return Ok(()) };
        let (mut hangups, handler) = UnixStream::pair()?;
        handler.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, handler)?;
        let reload = move || {
            let mut buffer = [0; 64];
            loop {
                match hangups.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return log::error!("the certificate is not read again any more: {error}"),
                }
                match files.reload(&self.config) {
                    Ok(()) => log::info!("a new certificate: SHA-256 {}", self.config.fingerprint()),
                    Err(error) => log::error!("the certificate stays as it was: {error}"),
                }
            }
        };
        thread::Builder::new().name("certificate".into()).spawn(reload)?;
        Ok(())
    }

    #[cfg(not(unix))]
    pub(crate) fn reload_at_sighup(self) -> io::Result<()> {
        Ok(())
    }
}

impl Files {
    fn read(&self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let read = |path: &Path| {
            fs::read(path).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
            })
        };
        Ok((read(&self.certificates)?, read(&self.key)?))
    }

    #[cfg(unix)]
    fn reload(&self, config: &TlsConfig) -> io::Result<()> {
        let (certificates, key) = self.read()?;
        config.replace(&certificates, &key).map_err(|error| self.context(error))
    }

    fn context(&self, error: impl std::fmt::Display) -> io::Error {
        io::Error::other(format!("{}, {}: {error}", self.certificates.display(), self.key.display()))
    }
}

#[cfg(all(test, feature = "self-signed"))]
mod tests {
    use crate::options::Options;
    use clap::Parser;
    use framewire_mio::Address;

    #[test]
    fn addresses() {
        let both = |line: &str| {
            let options = Options::try_parse_from(line.split(' ')).ok()?;
            let text = |addresses: &[Address]| addresses.iter().map(Address::to_string).collect::<Vec<_>>();
            Some((text(&options.listen), text(&options.tls.listen_tls)))
        };
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<String>>();
        let lists = |plain: &[&str], tls: &[&str]| Some((owned(plain), owned(tls)));
        let (plain, tls) = ("127.0.0.1:9001", super::DEFAULT);
        assert_eq!(both("x"), lists(&[plain], &[]));
        assert_eq!(both("x --listen [::1]:1"), lists(&["[::1]:1"], &[]));
        assert_eq!(both("x --tls-self-signed"), lists(&[plain], &[tls]));
        assert_eq!(both("x --tls a b"), lists(&[plain], &[tls]));
        assert_eq!(both("x --tls a b --listen 1"), lists(&["127.0.0.1:1"], &[tls]));
        assert_eq!(both("x --tls a b --listen-tls 2"), lists(&[], &["127.0.0.1:2"]));
        assert_eq!(
            both("x --tls-self-signed --listen 1 --listen-tls 2 --listen-tls 3"),
            lists(&["127.0.0.1:1"], &["127.0.0.1:2", "127.0.0.1:3"])
        );
        for wrong in [
            "x --listen-tls 2",
            "x --tls a",
            "x --tls a b --tls-self-signed",
            "x --tls a b --tls c d",
            "x --check-client --tls-self-signed",
            "x --check-client --tls a b --listen-tls 2",
        ] {
            assert_eq!(both(wrong), None, "{wrong}");
        }
    }
}
