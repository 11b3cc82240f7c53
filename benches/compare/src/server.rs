//! A running contender.

use crate::{Outcome, contender::Contender, options::Settings};
use framewire_load::Report;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

/// A server's process, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
    wrapped: bool,
}

impl Server {
    /// Starts it on its core.
    pub(crate) fn start(contender: &Contender, settings: &Settings) -> Outcome<Self> {
        Self::start_under(&[], contender, settings)
    }

    /// The same, under a program that watches it.
    pub(crate) fn start_under(watcher: &[&str], contender: &Contender, settings: &Settings) -> Outcome<Self> {
        let mut child = pinned(settings.server_core)
            .args(watcher)
            .args(&contender.command)
            .envs(contender.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("setpriv: {error}"))?;
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        // Read on to the end, as a server that cannot print might stop.
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut server = Self { child, port: 0, wrapped: !watcher.is_empty() };
        let end = Instant::now() + Duration::from_secs(if watcher.is_empty() { 10 } else { 60 });
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                return Err("it does not start, or does not print its address".into());
            };
            let port = line.split_once("127.0.0.1:").filter(|_| line.contains("listening on"));
            let port =
                port.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                server.port = port;
                return Ok(server);
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The process ID of the server, not of the program that watches it.
    pub(crate) fn pid(&self) -> u32 {
        let pid = self.child.id();
        let is_strace =
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "strace");
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let child = children.split_ascii_whitespace().next().and_then(|child| child.parse().ok());
        child.filter(|_| is_strace).unwrap_or(pid)
    }

    /// Loads it with these options of the generator, for at most `limit`.
    pub(crate) fn load(&self, settings: &Settings, options: &[String], limit: Duration) -> Outcome<Report> {
        self.load_under(&[], settings, options, limit).map(|(report, _)| report)
    }

    /// The same, with the generator under another program; also returns the error output of that program.
    pub(crate) fn load_under(
        &self,
        wrapper: &[&str],
        settings: &Settings,
        options: &[String],
        limit: Duration,
    ) -> Outcome<(Report, String)> {
        let mut child = pinned(settings.load_core)
            .args(wrapper)
            .arg(&settings.load)
            .arg(format!("ws://127.0.0.1:{}/", self.port))
            .args(options)
            .args(["--format", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let end = Instant::now() + limit;
        while child.try_wait()?.is_none() {
            if Instant::now() > end {
                child.kill()?;
                child.wait()?;
                return Err(format!("it was not done after {limit:?}").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        // The output is a line or two each, which fits into the pipes.
        let (mut out, mut errors) = (String::new(), String::new());
        child.stdout.take().expect("a pipe").read_to_string(&mut out)?;
        child.stderr.take().expect("a pipe").read_to_string(&mut errors)?;
        if !child.wait()?.success() {
            return Err(errors.trim().trim_start_matches("framewire-load: ").to_owned().into());
        }
        Ok((serde_json::from_str(&out)?, errors))
    }

    /// Ends it, and waits until a program that watches it has printed its results.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if self.wrapped && self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
            let end = Instant::now() + Duration::from_secs(20);
            while Instant::now() < end {
                if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                    return;
                }
                thread::sleep(Duration::from_millis(5));
            }
            let _ = Command::new("kill").args(["-KILL", &self.pid().to_string()]).status();
            thread::sleep(Duration::from_millis(200));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs on this core only, and ends with us.
fn pinned(core: usize) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", &core.to_string()]);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
