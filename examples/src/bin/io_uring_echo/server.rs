//! The server. The kernel reads into buffers that are registered once.
//!
//! With readiness, one receive buffer serves all connections. With completions, each connection needs a buffer while the
//! kernel reads into it. The codec works the same: a completed read is a `&mut [u8]`, decoded in place. The host manages the
//! ring and the buffers, and touches nothing while the kernel uses it. Here, each connection has **one** operation in flight,
//! a read or a write, and is not dropped before that completes.
#![allow(unsafe_code)] // entries hold addresses, which the host must keep valid

use framewire_examples::Echo;
use io_uring::{IoUring, opcode, squeue, types::Fd};
use slab::Slab;
use std::{
    env,
    io::{self, ErrorKind},
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd},
    ptr, slice,
};

/// The most connections, each of which has a buffer. More wait in the kernel's queue.
const PEERS: usize = 64;
const BUFFER: usize = 16 << 10;
/// Marks the accept in flight. Other entries are marked with the number of their peer.
const ACCEPT: u64 = u64::MAX;

struct Peer {
    socket: TcpStream,
    echo: Echo,
    /// Replies, of which the first bytes are written. Not changed while a write is in flight.
    out: Vec<u8>,
    written: usize,
}

pub(crate) fn run() -> io::Result<()> {
    let ring = IoUring::new(2 * PEERS as u32).and_then(|ring| Ok((Buffers::register(&ring)?, ring)));
    let (mut buffers, mut ring) = match ring {
        Ok(ring) => ring,
        Err(error) => {
            println!("skipped: the kernel refuses io_uring, or memory for it: {error}");
            return Ok(());
        }
    };
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9007"))?;
    println!("listening on ws://{}/", listener.local_addr()?);

    let mut peers = Slab::<Peer>::with_capacity(PEERS);
    let mut accepting = false;
    let mut done = Vec::new();
    loop {
        if !accepting && peers.len() < PEERS {
            let entry = opcode::Accept::new(Fd(listener.as_raw_fd()), ptr::null_mut(), ptr::null_mut());
            submit(&mut ring, &entry.build().user_data(ACCEPT));
            accepting = true;
        }
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            submitted => submitted?,
        };
        done.extend(ring.completion().map(|entry| (entry.user_data(), entry.result())));
        for (mark, result) in done.drain(..) {
            let key = if mark == ACCEPT {
                accepting = false;
                if result < 0 {
                    eprintln!("accept: {}", io::Error::from_raw_os_error(-result));
                    continue;
                }
                // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
                peers.insert(Peer::new(unsafe { TcpStream::from_raw_fd(result) }))
            } else {
                let (key, peer) = (mark as usize, &mut peers[mark as usize]);
                if result <= 0 || !peer.completed(result as usize, &mut buffers, key) {
                    peers.remove(key); // closes the socket, which has no operation in flight
                    continue;
                }
                key
            };
            submit(&mut ring, &peers[key].next(&buffers, key).user_data(key as u64));
        }
    }
}

impl Peer {
    fn new(socket: TcpStream) -> Self {
        let _ = socket.set_nodelay(true);
        Self { socket, echo: Echo::new(), out: Vec::new(), written: 0 }
    }

    /// The write or read in flight has completed, with `n` bytes. `false`: it was the last.
    fn completed(&mut self, n: usize, buffers: &mut Buffers, key: usize) -> bool {
        if self.out.is_empty() {
            self.echo.receive(buffers.read(key, n), &mut self.out);
        } else {
            self.written += n;
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
            }
        }
        !(self.out.is_empty() && self.echo.has_ended())
    }

    /// Writes if anything waits, otherwise reads. So a peer that does not read is not read.
    fn next(&self, buffers: &Buffers, key: usize) -> squeue::Entry {
        let socket = Fd(self.socket.as_raw_fd());
        let rest = &self.out[self.written..];
        if rest.is_empty() {
            opcode::ReadFixed::new(socket, buffers.start(key), BUFFER as u32, key as u16).build()
        } else {
            let len = rest.len().min(1 << 30);
            opcode::Send::new(socket, rest.as_ptr(), len as u32).flags(libc::MSG_NOSIGNAL).build()
        }
    }
}

/// A piece of memory for each peer. The kernel knows it from the start, and need not look up pages for each read.
struct Buffers(*mut u8);

impl Buffers {
    fn register(ring: &IoUring) -> io::Result<Self> {
        let memory = vec![0; PEERS * BUFFER].leak().as_mut_ptr(); // the kernel may write to it at any time
        let piece = |key| libc::iovec { iov_base: memory.wrapping_add(key * BUFFER).cast(), iov_len: BUFFER };
        let pieces: Vec<_> = (0..PEERS).map(piece).collect();
        // SAFETY: the memory is valid, and never freed.
        unsafe { ring.submitter().register_buffers(&pieces) }?;
        Ok(Self(memory))
    }

    fn start(&self, key: usize) -> *mut u8 {
        assert!(key < PEERS);
        self.0.wrapping_add(key * BUFFER)
    }

    /// The bytes of a completed read of `n` bytes.
    fn read(&mut self, key: usize, n: usize) -> &mut [u8] {
        // SAFETY: the memory is valid and initialised, nothing else in this program has a reference to it, and the
        // kernel has completed the one read that it was asked for.
        unsafe { slice::from_raw_parts_mut(self.start(key), n.min(BUFFER)) }
    }
}

/// Puts an entry into the queue, which has room for one of each peer and the accept.
fn submit(ring: &mut IoUring, entry: &squeue::Entry) {
    // SAFETY: an entry points to a registered buffer or a peer's replies, which stay unchanged until it completes.
    unsafe { ring.submission().push(entry) }.expect("there is room");
}
