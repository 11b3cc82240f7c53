//! A device without an operating system, simulated on a computer with TCP as the link.
//! `cargo run --example embedded --features handshake [ADDR]`
//!
//! The code of the device is in `device.rs`. It needs neither std nor an allocator: `.ci/run no_std` links and runs it
//! without either, and `.ci/run bare` builds it for a microcontroller (thumbv7em).

pub(crate) mod device;

use device::{Device, Link};
use std::{
    env, io,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9011"))?;
    println!("listening on ws://{}/, with {} bytes of memory", listener.local_addr()?, size_of::<Device>());
    let mut device = Device::new();
    for stream in listener.incoming() {
        if let Err(error) = device.serve(&mut Tcp(stream?)) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

struct Tcp(TcpStream);

impl Link for Tcp {
    type Error = io::Error;

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}
