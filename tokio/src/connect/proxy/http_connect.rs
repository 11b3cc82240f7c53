//! A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

use crate::connect::{
    answer::Head,
    error::ProxyError,
    url::{Login, Place},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Asks for a tunnel. If there is a head, the proxy has refused with it.
pub(super) async fn tunnel<S>(
    stream: &mut S,
    server: &Place,
    login: Option<&Login>,
) -> Result<Option<Head>, ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let authorization = login.map(|login| format!("Proxy-Authorization: {}\r\n", login.basic()));
    let authorization = authorization.unwrap_or_default();
    let request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;

    let head = Head::read(stream).await?;
    match head.status {
        200..=299 if head.rest.is_empty() => Ok(None),
        200..=299 => Err(ProxyError::Early),
        _ => Ok(Some(head)),
    }
}
