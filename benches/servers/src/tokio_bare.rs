use crate::{Outcome, handshake};
use framewire::{Header, Opcode, mask};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// No library: what tokio and the masks cost. It reads, unmasks, and writes, checks nothing, and keeps no message, whatever its
/// size.
pub(crate) async fn serve(mut stream: TcpStream) -> Outcome {
    handshake::accept(&mut stream, false).await?;
    let (mut rx, mut tx) = (vec![0; 256 << 10], Vec::new());
    // The bytes of a cut header, at the start of `rx`; the key, and the missing bytes, of a cut payload.
    let (mut cut, mut key, mut missing) = (0, mask::Key::new([0; 4]), 0);
    loop {
        let n = stream.read(&mut rx[cut..]).await?;
        if n == 0 {
            return Ok(());
        }
        let (mut at, end) = (0, cut + n);
        loop {
            let payload = usize::try_from(missing)?.min(end - at);
            mask::apply(key, &mut rx[at..at + payload]);
            tx.extend_from_slice(&rx[at..at + payload]);
            (at, missing, key) = (at + payload, missing - payload as u64, key.advance(payload));
            if missing > 0 {
                break;
            }
            let Some(header) = Header::parse(&rx[at..end])? else { break };
            at += header.wire_len();
            (key, missing) = (header.key.ok_or("no key")?, header.payload_len);
            Header { key: None, ..header }.encode().append_to(&mut tx);
            if header.opcode == Opcode::Close {
                return Ok(());
            }
        }
        rx.copy_within(at..end, 0);
        cut = end - at;
        stream.write_all(&tx).await?;
        tx.clear();
    }
}
