use crate::{Handler, MAX, Outcome, handshake};
use tokio::{
    io::{AsyncWriteExt, BufReader, BufWriter},
    net::TcpStream,
};
use web_socket::{DataType, Event, MessageType, WebSocket};

/// It reads and writes piece by piece, so both are buffered, by as much as others read at a time. The replies leave when everything
/// that was read is answered.
pub(crate) async fn serve(mut stream: TcpStream, handler: Handler) -> Outcome {
    handshake::accept(&mut stream, false).await?;
    let mut ws =
        WebSocket::server(BufReader::with_capacity(64 << 10, BufWriter::with_capacity(64 << 10, stream)));
    ws.max_payload_len = MAX;
    loop {
        match (ws.recv().await?, handler) {
            (Event::Data { ty: DataType::Complete(kind), data }, Handler::Echo) => match kind {
                // It trusts the peer that a text is UTF-8, so this has to trust it, too.
                MessageType::Text => {
                    ws.send_raw(web_socket::Frame { fin: true, opcode: 1, data: &data }).await?;
                }
                MessageType::Binary => ws.send(&*data).await?,
            },
            (Event::Data { data, .. }, Handler::Length) => ws.send(&*Handler::length(&data)).await?,
            (Event::Ping(data), _) => ws.send_pong(data).await?,
            (Event::Close { .. }, _) => return Ok(ws.close(()).await?),
            (Event::Error(error), _) => return Err(error.into()),
            _ => {}
        }
        if ws.stream.buffer().is_empty() {
            ws.stream.flush().await?;
        }
    }
}
