//! Mistakes that the compiler refuses, or warns of. Each is shown after the same lines without the mistake.
//!
//! Only the documentation tests compile this file.

/// A header or a control frame is made and not written.
///
/// ```
/// # #![deny(unused_must_use)]
/// # use framewire::*;
/// # fn host(connection: &mut Connection<Server>, event: &Event<'_>) -> Result<(), SendError> {
/// let _written = connection.text_header("text", Unmasked)?;
/// let _written = connection.ping(b"", Unmasked)?;
/// let _written = connection.close(CloseCode::NORMAL, "", Unmasked)?;
/// let _written = connection.fail_with(CloseCode::POLICY, "", Unmasked)?;
/// let _written = connection.reply(event, Unmasked);
/// let _written = connection.fail(ProtocolError::MessageTooBig, Unmasked);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::*;
/// # fn host(connection: &mut Connection<Server>, event: &Event<'_>) -> Result<(), SendError> {
/// connection.text_header("text", Unmasked)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::*;
/// # fn host(connection: &mut Connection<Server>, event: &Event<'_>) -> Result<(), SendError> {
/// connection.ping(b"", Unmasked)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::*;
/// # fn host(connection: &mut Connection<Server>, event: &Event<'_>) -> Result<(), SendError> {
/// connection.close(CloseCode::NORMAL, "", Unmasked)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::*;
/// # fn host(connection: &mut Connection<Server>, event: &Event<'_>) -> Result<(), SendError> {
/// connection.fail_with(CloseCode::POLICY, "", Unmasked)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::*;
/// # fn host(connection: &mut Connection<Server>, event: &Event<'_>) -> Result<(), SendError> {
/// connection.reply(event, Unmasked);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::*;
/// # fn host(connection: &mut Connection<Server>, event: &Event<'_>) -> Result<(), SendError> {
/// connection.fail(ProtocolError::MessageTooBig, Unmasked);
/// # Ok(())
/// # }
/// ```
struct NotWritten;

/// A server sends a frame with a key, or a client sends one without.
///
/// ```
/// # use framewire::{Client, Connection, Server, Unmasked, mask::Key};
/// let _ = Connection::<Server>::new().text_header("text", Unmasked);
/// let _ = Connection::<Client>::new().text_header("text", Key::new([1, 2, 3, 4]));
/// ```
///
/// ```compile_fail,E0308
/// # use framewire::{Client, Connection, Server, Unmasked, mask::Key};
/// let _ = Connection::<Server>::new().text_header("text", Key::new([1, 2, 3, 4]));
/// ```
///
/// ```compile_fail,E0308
/// # use framewire::{Client, Connection, Server, Unmasked, mask::Key};
/// let _ = Connection::<Client>::new().text_header("text", Unmasked);
/// ```
struct WrongKey;

/// The host reads into the buffer of an event that is still in use.
///
/// ```
/// # use framewire::{Connection, Server};
/// # let (mut connection, mut rx) = (Connection::<Server>::new(), [0; 10]);
/// let event = connection.receive(&mut &mut rx[..]);
/// drop(event);
/// rx.fill(1);
/// ```
///
/// ```compile_fail,E0499
/// # use framewire::{Connection, Server};
/// # let (mut connection, mut rx) = (Connection::<Server>::new(), [0; 10]);
/// let event = connection.receive(&mut &mut rx[..]);
/// rx.fill(1);
/// drop(event);
/// ```
struct BufferInUse;

/// The receiving half sends, or the sending half receives.
///
/// ```
/// # use framewire::{Connection, Receive, Server, Unmasked};
/// # let mut rx = [0; 10];
/// let (mut receiving, mut sending) = Connection::<Server>::new().split();
/// let _ = sending.ping(b"", Unmasked);
/// let _ = receiving.receive(&mut &mut rx[..]);
/// ```
///
/// ```compile_fail,E0599
/// # use framewire::{Connection, Receive, Server, Unmasked};
/// # let mut rx = [0; 10];
/// let (mut receiving, mut sending) = Connection::<Server>::new().split();
/// let _ = receiving.ping(b"", Unmasked);
/// ```
///
/// ```compile_fail,E0599
/// # use framewire::{Connection, Receive, Server, Unmasked};
/// # let mut rx = [0; 10];
/// let (mut receiving, mut sending) = Connection::<Server>::new().split();
/// let _ = sending.receive(&mut &mut rx[..]);
/// ```
struct OtherHalf;

/// A message of the assembler is used after the next part was pushed, or the bytes of a validated part are changed.
///
/// ```
/// # use framewire::{Assembler, Kind, Part, ProtocolError, Rsv};
/// # fn host(assembler: &mut Assembler, first: Part<'_>, second: Part<'_>) -> Result<(), ProtocolError> {
/// drop(assembler.push(first)?);
/// assembler.push(second)?;
/// assembler.push(Part::new(Kind::Text, Rsv::NONE, &mut [0xFF], true))?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0499
/// # use framewire::{Assembler, Kind, Part, ProtocolError, Rsv};
/// # fn host(assembler: &mut Assembler, first: Part<'_>, second: Part<'_>) -> Result<(), ProtocolError> {
/// let message = assembler.push(first)?;
/// assembler.push(second)?;
/// drop(message);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0616
/// # use framewire::{Assembler, Kind, Part, ProtocolError, Rsv};
/// # fn host(assembler: &mut Assembler, first: Part<'_>, second: Part<'_>) -> Result<(), ProtocolError> {
/// first.bytes.fill(0xFF);
/// assembler.push(first)?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "alloc")]
struct StaleMessage;

/// A prepared message is counted as sent and not written, or a header is queued without its payload.
///
/// ```
/// # #![deny(unused_must_use)]
/// # use framewire::{owned::{PreparedFrame, SendQueue}, Connection, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, queue: &mut SendQueue, news: &PreparedFrame) -> Result<(), SendError> {
/// queue.push_bytes(connection.prepared(news)?);
/// queue.push_text(connection, "text".into(), Unmasked)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::{owned::{PreparedFrame, SendQueue}, Connection, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, queue: &mut SendQueue, news: &PreparedFrame) -> Result<(), SendError> {
/// connection.prepared(news)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0277
/// # use framewire::{owned::{PreparedFrame, SendQueue}, Connection, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, queue: &mut SendQueue, news: &PreparedFrame) -> Result<(), SendError> {
/// queue.push_bytes(connection.text_header("text", Unmasked)?);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "bytes")]
struct NotQueued;

/// A compressed message is counted as sent and not written, or only its header is written.
///
/// ```
/// # #![deny(unused_must_use)]
/// # use framewire::{deflate::{DeflatePool, Deflater}, Connection, Kind, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, deflater: &mut Deflater<Server>, pool: &mut DeflatePool, tx: &mut Vec<u8>) -> Result<(), SendError> {
/// deflater.message(connection, Kind::Text, b"text", pool, Unmasked)?.append_to(tx);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::{deflate::{DeflatePool, Deflater}, Connection, Kind, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, deflater: &mut Deflater<Server>, pool: &mut DeflatePool, tx: &mut Vec<u8>) -> Result<(), SendError> {
/// deflater.message(connection, Kind::Text, b"text", pool, Unmasked)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0616
/// # use framewire::{deflate::{DeflatePool, Deflater}, Connection, Kind, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, deflater: &mut Deflater<Server>, pool: &mut DeflatePool, tx: &mut Vec<u8>) -> Result<(), SendError> {
/// tx.extend(&deflater.message(connection, Kind::Text, b"text", pool, Unmasked)?.header);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "deflate")]
struct PayloadLost;

/// The frames that a socket did not take are lost, or a written outbox is written again.
///
/// ```
/// # #![deny(unused_must_use)]
/// # use framewire::outbox::{Backlog, Outbox, Written};
/// # fn host(outbox: Outbox<'_>, backlog: &mut Backlog) -> std::io::Result<()> {
/// # let mut socket = Vec::new();
/// if let Written::Rest(rest) = outbox.write(&mut socket, Some(&mut *backlog), drop)? {
///     rest.keep(backlog, drop);
/// }
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # use framewire::outbox::{Backlog, Outbox};
/// # fn host(outbox: Outbox<'_>, backlog: &mut Backlog) -> std::io::Result<()> {
/// # let mut socket = Vec::new();
/// outbox.write(&mut socket, Some(&mut *backlog), drop)?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0382
/// # use framewire::outbox::{Backlog, Outbox};
/// # fn host(outbox: Outbox<'_>, backlog: &mut Backlog) -> std::io::Result<()> {
/// # let mut socket = Vec::new();
/// let first = outbox.write(&mut socket, None, drop)?;
/// let second = outbox.write(&mut socket, None, drop)?;
/// # drop((first, second));
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "std")]
struct RestLost;

/// A control frame is queued twice, and a sending half takes another's place.
///
/// ```
/// # use framewire::{owned::SendQueue, Connection, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, queue: &mut SendQueue) -> Result<(), SendError> {
/// let ping = connection.ping(b"", Unmasked)?;
/// queue.push_control(ping);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0382
/// # use framewire::{owned::SendQueue, Connection, SendError, Server, Unmasked};
/// # fn host(connection: &mut Connection<Server>, queue: &mut SendQueue) -> Result<(), SendError> {
/// let ping = connection.ping(b"", Unmasked)?;
/// queue.push_control(ping);
/// queue.push_control(ping);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0308
/// # use framewire::{Connection, Server};
/// # let mut connection = Connection::<Server>::new();
/// let (_, sending) = Connection::<Server>::new().split();
/// *connection = sending;
/// ```
///
/// ```compile_fail,E0599
/// # use framewire::{Connection, Server};
/// let (_, sending) = Connection::<Server>::new().split();
/// let twice = (sending.clone(), sending);
/// ```
#[cfg(feature = "bytes")]
struct Twice;
