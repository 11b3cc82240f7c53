//! A server as a process. Everything here gives up after [`PATIENCE`].

use crate::peer::{Client, PATIENCE, tcp};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// A server, running as a process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// The addresses at which it listens, in the order of its options.
    pub addresses: Vec<String>,
    /// What it says of its certificate.
    pub certificate: Option<String>,
    lines: Receiver<String>,
}

impl Program {
    /// Starts the file `path` on a free port of the loopback interface.
    pub fn start(path: &str, options: &[&str]) -> Self {
        Self::start_with(path, "", &[&["--listen", "127.0.0.1:0"], options].concat())
    }

    /// Starts the file `path` with these options only, after `setup` has run in the shell that becomes it.
    pub fn start_with(path: &str, setup: &str, options: &[&str]) -> Self {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("{setup}\nexec \"$0\" \"$@\""))
            .arg(path)
            .args(options)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut program = Self { child, addresses: Vec::new(), certificate: None, lines };
        loop {
            let line = program.line();
            if let Some(listening) = line.trim().strip_prefix("listening on ") {
                let address = listening.split_once("://").map_or(listening, |(_, address)| address);
                let address = address.split(" (Unix socket").next().unwrap_or_default();
                program.addresses.push(address.trim().trim_end_matches('/').to_owned());
            } else if let Some(certificate) = line.trim().strip_prefix("certificate: ") {
                program.certificate = Some(certificate.to_owned());
            } else if line.contains("limits:") {
                return program;
            }
        }
    }

    /// The next line that it prints.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line on its standard output")
    }

    /// The next line that it prints, or `None` if it has closed its standard output.
    pub fn next_line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Timeout) => panic!("no line on its standard output, and no end"),
            line => line.ok(),
        }
    }

    /// The first address at which it listens.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// A client of it.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// A connection to it, without a handshake.
    pub fn tcp(&self) -> TcpStream {
        tcp(self.address())
    }

    /// Sends it a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("/bin/sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status();
        assert!(status.expect("a shell").success());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the program does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many bytes of its own memory are resident: heap and stacks, not the program's code.
    pub fn memory(&self) -> usize {
        memory(self.pid())
    }

    /// The CPU time that it has used, in ticks of 10 ms.
    pub fn cpu(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("procfs");
        let (_, behind_name) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
    }

    /// How often it went to sleep to wait for something.
    pub fn sleeps(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("procfs");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.expect("a count").trim().parse().expect("a number")
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("procfs").count()
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> usize {
        self.descriptors_below(usize::MAX)
    }

    /// How many of them have numbers below `limit`. (It may have inherited higher ones.)
    pub fn descriptors_below(&self, limit: usize) -> usize {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("procfs");
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<usize>().ok());
        numbers.filter(|&number| number < limit).count()
    }

    /// Checks that it still serves another client.
    pub fn check(&self) {
        self.connect().check();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many bytes of a process's own memory are resident.
pub fn memory(pid: u32) -> usize {
    if cfg!(framewire_asan) {
        return 0; // AddressSanitizer keeps freed memory for a while, which would count here
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches("kB").trim().parse::<usize>().expect("a number") << 10
}

/// Waits until a condition holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
