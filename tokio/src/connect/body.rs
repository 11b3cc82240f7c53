//! The body of an answer: where it ends (RFC 9112 §6.3), and what is in its chunks.

use framewire::handshake::{HeaderSlots, Response, list_contains};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The most bytes of a body that are read.
const BODY: usize = 64 << 10;
/// The most bytes of the line that begins a chunk.
const CHUNK_LINE: usize = 1 << 10;

/// Reads a body, of which some has arrived, up to its end, a bound, or the end of the stream.
pub(super) async fn read<S>(stream: &mut S, mut framing: Framing, mut arrived: Vec<u8>, body: &mut Vec<u8>)
where
    S: AsyncRead + Unpin,
{
    let mut buffer = vec![0; 4 << 10];
    while !framing.take(&mut arrived, body) {
        match stream.read(&mut buffer).await {
            Ok(n @ 1..) => arrived.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
}

/// What says where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are missing. The end of the stream, too, ends a body.
    Length(usize),
    /// So many bytes are missing of a chunk.
    Chunks(usize),
}

impl Framing {
    pub(super) fn of(head: &[u8]) -> Self {
        let mut slots = HeaderSlots::<64>::new();
        let Ok(response) = Response::parse(head, &mut slots) else { return Self::Length(0) };
        let headers = response.headers();
        let length = headers.get("content-length").and_then(|length| std::str::from_utf8(length).ok());
        match response.status() {
            204 | 304 => Self::Length(0),
            _ if list_contains(headers.get_all("transfer-encoding"), "chunked") => Self::Chunks(0),
            _ => Self::Length(length.and_then(|length| length.trim().parse().ok()).unwrap_or(usize::MAX)),
        }
    }

    /// Moves what is part of the body. Returns true when nothing more is to be read.
    fn take(&mut self, arrived: &mut Vec<u8>, body: &mut Vec<u8>) -> bool {
        loop {
            let (Self::Length(missing) | Self::Chunks(missing)) = self;
            let n = arrived.len().min(*missing).min(BODY - body.len());
            body.extend(arrived.drain(..n));
            *missing -= n;
            match self {
                _ if body.len() == BODY => return true,
                Self::Length(missing) => return *missing == 0,
                Self::Chunks(1..) => return false,
                Self::Chunks(missing) => match next_chunk(arrived) {
                    Ok(Some(length)) => *missing = length,
                    Ok(None) => return false,
                    Err(End) => return true,
                },
            }
        }
    }
}

/// The last chunk, or something that is no chunk.
struct End;

/// Removes the line that begins a chunk, and the end of the chunk before it. `None`: it has not arrived wholly.
fn next_chunk(arrived: &mut Vec<u8>) -> Result<Option<usize>, End> {
    let start = match &**arrived {
        b"\r" => return Ok(None),
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    };
    match httparse::parse_chunk_size(&arrived[start..]) {
        Ok(httparse::Status::Complete((_, 0))) | Err(_) => Err(End),
        Ok(httparse::Status::Complete((line, length))) => {
            arrived.drain(..start + line);
            Ok(Some(usize::try_from(length).unwrap_or(usize::MAX)))
        }
        Ok(httparse::Status::Partial) if arrived.len() > CHUNK_LINE => Err(End),
        Ok(httparse::Status::Partial) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{BODY, Framing};

    /// Takes a body that arrives in pieces of so many bytes. Returns whether its end was found, and the body.
    fn take(headers: &str, body: &[u8], piece: usize) -> (bool, Vec<u8>) {
        let mut framing = Framing::of(format!("HTTP/1.1 403 Forbidden\r\n{headers}\r\n").as_bytes());
        let (mut arrived, mut taken) = (Vec::new(), Vec::new());
        let mut ended = framing.take(&mut arrived, &mut taken);
        for piece in body.chunks(piece) {
            if ended {
                break;
            }
            arrived.extend_from_slice(piece);
            ended = framing.take(&mut arrived, &mut taken);
        }
        (ended, taken)
    }

    #[test]
    fn where_a_body_ends() {
        for (headers, body, ended, wanted) in [
            ("", "as it comes", false, "as it comes"),
            ("Content-Length: 4\r\n", "bodyHTTP/1.1 200 OK", true, "body"),
            ("Content-Length: 0\r\n", "", true, ""),
            ("Content-Length: 9\r\n", "cut", false, "cut"),
            ("Content-Length: -1\r\n", "odd", false, "odd"),
            (
                "Transfer-Encoding: chunked\r\n",
                "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
                true,
                "abc0123456789",
            ),
            ("Content-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n", "2\r\nab\r\n0\r\n", true, "ab"),
            ("Transfer-Encoding: chunked\r\n", "3\r\nab", false, "ab"),
            ("Transfer-Encoding: chunked\r\n", "2\r\nab\r\nnone\r\n", true, "ab"),
            ("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\nab", false, "ab"),
        ] {
            for piece in 1..=body.len().max(1) {
                let found = take(headers, body.as_bytes(), piece);
                assert_eq!(found, (ended, wanted.into()), "{headers:?} {body:?} by {piece}");
            }
        }
        assert_eq!(Framing::of(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n"), Framing::Length(0));
    }

    #[test]
    fn bodies_are_bounded() {
        for headers in ["", "Content-Length: 100000000000\r\n", "Transfer-Encoding: chunked\r\n"] {
            let body = [b"fffffff\r\n", &*vec![b'x'; 3 * BODY]].concat();
            let (ended, taken) = take(headers, &body, 1000);
            assert!(ended && taken.len() == BODY, "{headers:?}");
        }
        let (ended, taken) =
            take("Transfer-Encoding: chunked\r\n", &[b"1;", &*vec![b'x'; BODY]].concat(), 1000);
        assert!(ended && taken.is_empty(), "an endless line");
    }
}
