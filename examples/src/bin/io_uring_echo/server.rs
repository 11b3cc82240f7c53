//! The loop: one ring, one thread.
#![allow(unsafe_code)] // entries hold addresses and descriptors, which the program must keep valid

use crate::{
    buffers::Buffers,
    peer::{Need, Peer},
};
use io_uring::{IoUring, cqueue, opcode, squeue, types::Fd};
use slab::Slab;
use std::{
    env,
    io::{self, ErrorKind},
    mem::{self, ManuallyDrop},
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd},
    thread,
    time::Duration,
};

/// The most operations that are submitted with one system call, if no argument says another number.
const ENTRIES: u32 = 1024;
/// The number of buffers, if no argument says another: as many as the L2 cache holds. The kernel uses all of them in turn, so more would be
/// cold when it writes to them.
const BUFFERS: u16 = 16;
/// The most empty buffers for replies that are kept.
const SPARE: usize = 32;
/// The largest of them, in bytes.
const SPARE_SIZE: usize = 2 << 20;

struct Server {
    ring: IoUring,
    listener: TcpListener,
    buffers: Buffers,
    peers: Slab<Peer>,
    /// Operations that have completed, which are not handled yet.
    done: Vec<cqueue::Entry>,
    /// Peers of which something has completed, which are to go on.
    ready: Vec<usize>,
    /// Empty buffers for replies.
    spare: Vec<Vec<u8>>,
    accepting: bool,
    /// Accepting failed for want of descriptors or memory, until a peer leaves.
    full: bool,
}

/// Which operation has completed: the low bits of an entry's mark. The others are the number of the peer.
#[derive(Clone, Copy)]
enum Operation {
    Accept,
    Receive,
    Send,
    Cancel,
}

pub(crate) fn run() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9007".to_owned());
    let count = arguments.next().map_or(Ok(BUFFERS), |count| count.parse()).map_err(io::Error::other)?;
    let entries =
        arguments.next().map_or(Ok(ENTRIES), |entries| entries.parse()).map_err(io::Error::other)?;
    // This thread alone submits, and completions are worked on when it waits for some: cheaper than interrupts of the thread.
    let ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_cqsize(entries.saturating_mul(4))
        .build(entries)
        .and_then(|ring| Ok((Buffers::register(&ring, count)?, ring)));
    let (buffers, ring) = match ring {
        Ok(ring) => ring,
        Err(error) => {
            println!("skipped: the kernel refuses io_uring, or memory for it: {error}");
            return Ok(());
        }
    };
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    // Never dropped: if it ends, the kernel may still have operations that point into peers.
    let mut server = ManuallyDrop::new(Server {
        ring,
        listener,
        buffers,
        peers: Slab::new(),
        done: Vec::new(),
        ready: Vec::new(),
        spare: Vec::new(),
        accepting: false,
        full: false,
    });
    server.serve()
}

impl Server {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            if !self.accepting && !self.full {
                self.accepting = true;
                let accept = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd())).build();
                self.submit(&accept.user_data(mark(0, Operation::Accept)))?;
            }
            // What completed while entries were submitted is not handled yet, and may be all that completes.
            self.enter(usize::from(self.done.is_empty()))?;
            let mut done = mem::take(&mut self.done);
            done.drain(..).for_each(|entry| self.completed(&entry));
            self.done = done;
            self.go_on()?;
        }
    }

    fn completed(&mut self, entry: &cqueue::Entry) {
        let (key, operation) = marked(entry.user_data());
        let (result, more) = (entry.result(), cqueue::more(entry.flags()));
        if let Operation::Accept = operation {
            self.accepting &= more;
            return self.accepted(result);
        }
        let peer = &mut self.peers[key];
        match operation {
            Operation::Accept => {}
            Operation::Receive => {
                if !more {
                    peer.receive_ended();
                }
                match (cqueue::buffer_select(entry.flags()), result) {
                    (Some(number), n) => {
                        peer.lend(&mut self.spare);
                        peer.received(self.buffers.filled(number, n.max(0) as usize));
                        peer.take_back(&mut self.spare);
                        self.buffers.give(number);
                        if n == 0 {
                            peer.finished();
                        }
                    }
                    (None, 0) => peer.finished(),
                    // The ring was empty, or we wanted no more. By the end of this batch all buffers are back.
                    (None, error) if [-libc::ENOBUFS, -libc::ECANCELED, -libc::EINTR].contains(&error) => {}
                    (None, _) => peer.failed(),
                }
            }
            Operation::Send => {
                peer.sent(result.max(0) as usize, &mut self.spare);
                if result < 0 && result != -libc::EINTR {
                    peer.failed();
                }
                if self.spare.len() > SPARE
                    || self.spare.last().is_some_and(|last| last.capacity() > SPARE_SIZE)
                {
                    self.spare.pop();
                }
            }
            Operation::Cancel => peer.cancelled(),
        }
        if !mem::replace(&mut peer.listed, true) {
            self.ready.push(key);
        }
    }

    fn accepted(&mut self, result: i32) {
        if result >= 0 {
            // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
            let mut peer = Peer::new(unsafe { TcpStream::from_raw_fd(result) });
            peer.listed = true;
            self.ready.push(self.peers.insert(peer));
            return;
        }
        if [-libc::ECONNABORTED, -libc::EINTR].contains(&result) {
            return;
        }
        eprintln!("accept: {}", io::Error::from_raw_os_error(-result));
        self.full = result == -libc::EMFILE && !self.peers.is_empty();
        if !self.full {
            thread::sleep(Duration::from_millis(100)); // other programs have what is missing
        }
    }

    /// Submits what the peers need after a batch of completions: one send for all replies of a peer.
    fn go_on(&mut self) -> io::Result<()> {
        while let Some(key) = self.ready.pop() {
            self.peers[key].listed = false;
            while let Some(need) = self.peers[key].next() {
                let socket = Fd(self.peers[key].socket.as_raw_fd());
                let entry = match need {
                    Need::Receive => opcode::RecvMulti::new(socket, Buffers::GROUP)
                        .build()
                        .user_data(mark(key, Operation::Receive)),
                    Need::Cancel => opcode::AsyncCancel::new(mark(key, Operation::Receive))
                        .build()
                        .user_data(mark(key, Operation::Cancel)),
                    Need::Send => {
                        let bytes = self.peers[key].to_send();
                        let len = bytes.len().min(1 << 30) as u32;
                        // The kernel goes on until all is sent, or the peer is lost.
                        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
                        opcode::Send::new(socket, bytes.as_ptr(), len)
                            .flags(flags)
                            .build()
                            .user_data(mark(key, Operation::Send))
                    }
                    Need::Drop => {
                        self.peers.remove(key); // closes the socket
                        self.full = false;
                        break;
                    }
                };
                self.submit(&entry)?;
            }
        }
        Ok(())
    }

    /// Puts an entry into the queue. If that is full, submits the others first.
    fn submit(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: an entry of a send points to a peer's bytes, which stay where they are until it has completed; a peer is dropped only
        // with nothing in flight. The others point to nothing. Descriptors are open until then for the same reason.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.enter(0)?;
        }
        Ok(())
    }

    /// Submits the queue, waits for so many completions, and takes all that there are.
    fn enter(&mut self, wait: usize) -> io::Result<()> {
        match self.ring.submit_and_wait(wait) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The kernel keeps completions for which their queue has no room, and takes no entries until there is room again.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            submitted => drop(submitted?),
        }
        self.done.extend(self.ring.completion());
        Ok(())
    }
}

/// The mark of an entry.
const fn mark(key: usize, operation: Operation) -> u64 {
    (key as u64) << 2 | operation as u64
}

const fn marked(mark: u64) -> (usize, Operation) {
    let operation = match mark & 3 {
        0 => Operation::Accept,
        1 => Operation::Receive,
        2 => Operation::Send,
        _ => Operation::Cancel,
    };
    ((mark >> 2) as usize, operation)
}
