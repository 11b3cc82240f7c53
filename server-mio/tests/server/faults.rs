//! The machine and the operator: file descriptors, limits, signals, addresses, standard output.

use super::*;
use rustix::{
    io::ioctl_fionread,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};
use std::{
    fs,
    io::{self, IoSlice, Read, Write},
    mem::MaybeUninit,
    net::TcpStream,
    os::fd::AsFd,
    os::unix::{fs::FileTypeExt, net::UnixListener, process::ExitStatusExt},
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

/// Whether the server responds soon; it does not if the connection waits in the kernel's queue.
fn answered(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    stream.read_exact(&mut [0; 12]).is_ok()
}

#[test]
fn without_descriptors_connections_wait() {
    let mut program = start_with("ulimit -n 32", &["--listen", "127.0.0.1:0"]);
    let room = 32 - program.descriptors_below(32);
    let mut clients: Vec<Client> = (0..room).map(|_| program.connect()).collect();
    let mut waiting: Vec<TcpStream> = (0..20).map(|_| program.tcp()).collect();
    for stream in &mut waiting {
        stream.write_all(upgrade("").as_bytes()).unwrap();
    }
    assert!(!answered(&mut waiting[0]));
    // The server does not spin, and serves the open connections.
    let cpu = program.cpu();
    thread::sleep(Duration::from_secs(1));
    assert!(program.cpu() - cpu <= 10, "{} ticks in a second of waiting", program.cpu() - cpu);
    assert!(program.is_running());
    clients.iter_mut().for_each(Client::check);
    // When descriptors are free again, the waiting connections are served.
    clients.truncate(room - 20);
    for stream in &mut waiting {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
    }
    clients.iter_mut().for_each(Client::check);
    drop(waiting);
    program.check();
}

#[test]
fn connections_are_limited() {
    let program = start(&["--max-connections", "3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| program.connect()).collect();
    let mut fourth = program.tcp();
    fourth.write_all(upgrade("").as_bytes()).unwrap();
    assert!(!answered(&mut fourth));
    clients.iter_mut().for_each(Client::check);
    clients.pop().unwrap().close();
    fourth.set_read_timeout(Some(PATIENCE)).unwrap();
    fourth.read_exact(&mut [0; 12]).unwrap();
}

/// More connections at once than one turn accepts: none of them waits for a timer.
#[test]
fn a_burst_of_connections_is_accepted_without_delay() {
    let program = start(&[]);
    program.signal("STOP");
    let mut crowd: Vec<TcpStream> = (0..2000)
        .map(|_| {
            let mut stream = program.tcp();
            stream.write_all(upgrade("").as_bytes()).unwrap();
            stream
        })
        .collect();
    let asleep = program.sleeps();
    program.signal("CONT");
    for stream in &mut crowd {
        stream.read_exact(&mut [0; 129]).unwrap();
    }
    // All requests arrived before the server went on, and nobody leaves, so it has no reason to sleep.
    let waited = program.sleeps() - asleep;
    assert!(waited <= 3, "the server slept {waited} times in between");
}

#[test]
fn the_first_signal_closes_all_connections() {
    for signal in ["TERM", "INT"] {
        let mut program = start(&[]);
        let mut clients: Vec<Client> = (0..50).map(|_| program.connect()).collect();
        let half_open = program.tcp();
        program.signal(signal);
        for client in &mut clients {
            client.expect_close(1001);
            client.send(&close(1001, ""));
            client.expect_end();
        }
        drop(clients);
        assert_eq!(program.wait().code(), Some(0));
        drop(half_open);
    }
}

#[test]
fn a_shutdown_under_load_keeps_the_order() {
    let mut program = start(&["--close-timeout", "25"]);
    let address = program.address().to_owned();
    let senders: Vec<_> = (0..8)
        .map(|id| {
            let address = address.clone();
            thread::spawn(move || {
                let mut client = Client::connect(&address);
                let mut socket = client.socket.try_clone();
                let sending = thread::spawn(move || {
                    for i in 0_u32.. {
                        let payload = [&i.to_be_bytes()[..], &[id; 2000]].concat();
                        if socket.write_all(&frame(BINARY, &payload)).is_err() {
                            break;
                        }
                    }
                });
                let mut echoed = 0_u32;
                let closed = loop {
                    match client.next() {
                        Got::Binary(bytes) => {
                            assert_eq!(bytes[..4], echoed.to_be_bytes());
                            echoed += 1;
                        }
                        Got::Close(1001, _) => break true,
                        Got::Close(..) | Got::End => break false,
                        other => panic!("{other:?}"),
                    }
                };
                if let Socket::Tcp(socket) = &client.socket {
                    socket.shutdown(std::net::Shutdown::Both).unwrap();
                }
                sending.join().unwrap();
                (echoed, closed)
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    program.signal("TERM");
    for sender in senders {
        let (echoed, closed) = sender.join().unwrap();
        assert!(closed, "the close is missing after {echoed} echoes");
    }
    assert_eq!(program.wait().code(), Some(0));
}

/// Peers that do not answer the close are dropped after the close timeout.
#[test]
fn a_shutdown_takes_at_most_the_close_timeout() {
    let mut program = start(&["--close-timeout", "1", "--high-water", "64K"]);
    let idle = program.connect();
    let deaf = program.connect();
    let mut socket = deaf.socket.try_clone();
    let flooding = thread::spawn(move || while socket.write_all(&frame(BINARY, &[0; 50_000])).is_ok() {});
    thread::sleep(Duration::from_millis(200));
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    flooding.join().unwrap();
    drop((idle, deaf));
}

#[test]
fn the_second_signal_ends_the_process() {
    let mut program = start(&["--close-timeout", "1000"]);
    let mut client = program.connect();
    program.signal("TERM");
    client.expect_close(1001);
    assert!(program.is_running());
    // No new connection is accepted.
    assert!(TcpStream::connect(program.address()).is_err());
    program.signal("INT");
    let status = program.wait();
    assert_eq!((status.code(), status.signal()), (Some(130), None));
}

/// A path that no other process uses.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("framewire-echo-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn unix_sockets() {
    let path = path("socket");
    // A socket on which no process listens any more.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let at = path.to_str().unwrap();
    let mut program = start_with("", &["--listen", at, "--listen", "127.0.0.1:0", "--threads", "2"]);
    assert_eq!(program.addresses[0], at);
    let mut client = Client::connect_unix(at);
    client.check();
    let payload = noise(3 * MIB, 1);
    let (mut sender, wire) = (client.socket.try_clone(), frame(BINARY, &payload));
    let sending = thread::spawn(move || sender.write_all(&wire).unwrap());
    client.expect_binary(&payload);
    sending.join().unwrap();
    Client::connect(&program.addresses[1]).check();
    // A second server cannot take the path from the first.
    let second = Command::new(env!("CARGO_BIN_EXE_framewire-echo")).args(["--listen", at]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("cannot listen on"));
    Client::connect_unix(at).close();
    client.close();
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(!path.exists(), "the socket's file was not removed");

    // A file that has taken its place is another's.
    let mut program = start_with("", &["--listen", at]);
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(path.exists(), "another's file was removed");
    drop(other);
    fs::remove_file(&path).unwrap();
}

/// A read of a Unix socket ends behind bytes that came with a file descriptor. All that arrived is echoed all the same.
#[test]
fn descriptors_on_a_unix_socket() {
    let path = path("descriptors");
    let program = start_with("", &["--listen", path.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let mut client = Client::connect_unix(path.to_str().unwrap());
    let Socket::Unix(socket) = &client.socket else { unreachable!("it is a Unix socket") };
    program.signal("STOP");
    for text in ["one", "two", "three"] {
        let frame = frame(TEXT, text.as_bytes());
        let (mut space, sent) = ([MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))], [io::stdin()]);
        let sent = sent.each_ref().map(AsFd::as_fd);
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&sent)));
        sendmsg(socket, &[IoSlice::new(&frame)], &mut ancillary, SendFlags::empty()).unwrap();
    }
    program.signal("CONT");
    // Nothing is read in between, which would also wake the server.
    let all = "one".len() + "two".len() + "three".len() + 3 * 2;
    until("all echoes arrive", || ioctl_fionread(socket).unwrap() == all as u64);
    for text in ["one", "two", "three"] {
        client.expect_text(text);
    }
    client.close();
}

#[test]
fn a_file_that_is_no_socket_is_not_replaced() {
    let path = path("file");
    fs::write(&path, "precious").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_framewire-echo"))
        .args(["--listen", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!fs::metadata(&path).unwrap().file_type().is_socket());
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();
}

#[test]
fn several_addresses() {
    let program =
        start_with("", &["--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--listen", "127.0.0.1:0"]);
    assert_eq!(program.addresses.len(), 3);
    assert!(program.addresses[1].starts_with("[::1]:"));
    for address in &program.addresses {
        Client::connect(address).check();
        assert_eq!(status(&ask(address, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
    }
}

/// A second server, with one thread or several, cannot take the port from the first, or get some of its connections.
#[test]
fn a_port_is_not_shared() {
    let program = start(&[]);
    for threads in ["1", "2"] {
        let mut second = Command::new(env!("CARGO_BIN_EXE_framewire-echo"));
        let output =
            second.args(["--listen", program.addresses[0].as_str(), "--threads", threads]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot listen on"));
    }
    program.check();
}

#[test]
fn several_threads() {
    let mut program = start(&["--threads", "2", "--stats", "1"]);
    let mut clients: Vec<Client> = (0..64).map(|_| program.connect()).collect();
    clients.iter_mut().for_each(Client::check);
    until("statistics of all connections", || program.line().starts_with("64 connections, "));
    program.signal("TERM");
    for client in &mut clients {
        client.expect_close(1001);
        client.send(&close(1001, ""));
        client.expect_end();
    }
    drop(clients);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn statistics() {
    let program = start(&["--stats", "1"]);
    let mut client = program.connect();
    for _ in 0..100 {
        client.check();
    }
    client.close();
    until("a line of statistics", || {
        let line = program.line();
        line.contains("messages/s") && line.contains("MB/s") && line.ends_with("1 accepted, 0 errors")
    });
}

/// The server runs on if its standard output is closed.
#[test]
fn standard_output_may_be_closed() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_framewire-echo"))
        .args(["--listen", &port.to_string(), "--stats", "1"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    until("the server listens", || TcpStream::connect(port).is_ok());
    thread::sleep(Duration::from_millis(1200));
    Client::connect(&port.to_string()).check();
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_idle_server_sleeps() {
    let program = start(&[]);
    let clients: Vec<Client> = (0..10).map(|_| program.connect()).collect();
    let cpu = program.cpu();
    thread::sleep(Duration::from_secs(1));
    assert!(program.cpu() - cpu <= 2);
    drop(clients);
}
