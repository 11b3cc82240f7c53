//! A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

use crate::connect::{answer::Head, error::ProxyError, url::Place};
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Asks for a tunnel. If there is a head, the proxy has refused with it.
pub(super) async fn tunnel<S>(
    stream: &mut S,
    server: &Place,
    authorization: Option<&HeaderValue>,
) -> Result<Option<Head>, ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;

    let head = Head::read(stream).await?;
    match head.status {
        200..=299 if head.rest.is_empty() => Ok(None),
        200..=299 => Err(ProxyError::Early),
        _ => Ok(Some(head)),
    }
}
