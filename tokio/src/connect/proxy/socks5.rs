//! A tunnel through a SOCKS 5 proxy (RFC 1928), perhaps with a user and a password (RFC 1929).

use crate::connect::{
    error::ProxyError,
    url::{Login, Place},
};
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;

/// Asks for a tunnel. The proxy finds the addresses of the server.
pub(super) async fn tunnel<S>(stream: &mut S, server: &Place, login: Option<&Login>) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(server)?; // before anything is sent
    let login = login.map(login_request).transpose()?;
    choose_method(stream, login.as_deref()).await?;
    stream.write_all(&request).await?;
    stream.flush().await?;

    let [version, reply, _, kind] = read(stream).await?;
    match (version, reply) {
        (VERSION, 0) => {}
        (VERSION, reason) => return Err(ProxyError::SocksRefused(reason)),
        _ => return Err(ProxyError::Socks),
    }
    // The address from which the proxy connects, and its port: of no use, but to be read.
    let address = match kind {
        IPV4 => 4,
        IPV6 => 16,
        DOMAIN => usize::from(stream.read_u8().await?),
        _ => return Err(ProxyError::Socks),
    };
    stream.read_exact(&mut [0; 255 + 2][..address + 2]).await?;
    Ok(())
}

/// Agrees on a way to log in, and does so (RFC 1928 §3, RFC 1929 §2).
async fn choose_method<S>(stream: &mut S, login: Option<&[u8]>) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let offer: &[u8] =
        if login.is_some() { &[VERSION, 2, NO_LOGIN, PASSWORD] } else { &[VERSION, 1, NO_LOGIN] };
    stream.write_all(offer).await?;
    stream.flush().await?;
    match (read(stream).await?, login) {
        ([VERSION, NO_LOGIN], _) => Ok(()),
        ([VERSION, PASSWORD], Some(login)) => {
            stream.write_all(login).await?;
            stream.flush().await?;
            match read(stream).await? {
                [LOGIN_VERSION, 0] => Ok(()),
                [LOGIN_VERSION, _] => Err(ProxyError::Login),
                _ => Err(ProxyError::Socks),
            }
        }
        ([VERSION, NO_METHOD], _) => Err(ProxyError::Login),
        _ => Err(ProxyError::Socks),
    }
}

fn request(server: &Place) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match server.name().parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        Err(_) => {
            request.push(DOMAIN);
            push(&mut request, server.name().as_bytes())?;
        }
    }
    request.extend(server.port.to_be_bytes());
    Ok(request)
}

fn login_request(login: &Login) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![LOGIN_VERSION];
    push(&mut request, &login.user)?;
    push(&mut request, &login.password)?;
    Ok(request)
}

/// Appends a text behind its length.
fn push(request: &mut Vec<u8>, text: &[u8]) -> Result<(), ProxyError> {
    request.push(text.len().try_into().map_err(|_| ProxyError::TooLong)?);
    request.extend(text);
    Ok(())
}

async fn read<const N: usize, S: AsyncRead + Unpin>(stream: &mut S) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
