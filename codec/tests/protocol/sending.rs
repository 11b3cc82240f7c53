//! All send methods make the same bytes for the same message.

use framewire::{Connection, Kind, Role, SendError};
use framewire_testing::host;

/// A whole message as it goes on the wire, by each method that makes one.
pub(crate) fn message<R: Role>(
    conn: &mut Connection<R>,
    kind: Kind,
    payload: &[u8],
) -> Result<Vec<u8>, SendError> {
    let wire = host::message(conn, kind, payload);
    #[cfg(feature = "alloc")]
    assert_eq!(appended(conn, kind, payload), wire);
    wire
}

#[cfg(feature = "alloc")]
fn appended<R: Role>(conn: &mut Connection<R>, kind: Kind, payload: &[u8]) -> Result<Vec<u8>, SendError> {
    use framewire::mask::Key;

    let key = R::key(|| Key::new(framewire_testing::wire::key(payload.len())));
    let mut out = b"before".to_vec();
    let result = match kind {
        Kind::Text => conn.append_text(&mut out, core::str::from_utf8(payload).unwrap(), key),
        Kind::Binary => conn.append_binary(&mut out, payload, key),
    };
    assert_eq!(&out[..6], b"before");
    assert!(result.is_ok() || out.len() == 6, "what was refused is not appended");
    result.map(|()| out.split_off(6))
}
