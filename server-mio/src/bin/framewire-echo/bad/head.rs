//! The response to an opening handshake, line by line, so that any line can be wrong.

use framewire::{extension::DeflateResponse, handshake::Upgrade};

/// A response, without the ends of its lines.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    lines: Vec<Vec<u8>>,
    /// The first subprotocol that the client asked for.
    pub(super) subprotocol: Option<String>,
    /// Whether the head ends.
    pub(super) ends: bool,
}

impl Head {
    /// The right response: the first subprotocol that the client asked for, and compression if it was agreed on.
    pub(super) fn right(upgrade: &Upgrade<'_, '_>, deflate: Option<DeflateResponse>) -> Self {
        let subprotocol = upgrade.subprotocols().next().map(str::to_owned);
        let mut head = Self { lines: vec![Vec::new()], subprotocol: subprotocol.clone(), ends: true };
        head.status("HTTP/1.1 101 Switching Protocols");
        head.set("Upgrade", "websocket");
        head.set("Connection", "Upgrade");
        head.set("Sec-WebSocket-Accept", &upgrade.key().accept());
        if let Some(name) = subprotocol {
            head.set("Sec-WebSocket-Protocol", &name);
        }
        if let Some(deflate) = deflate {
            head.set("Sec-WebSocket-Extensions", &deflate.to_string());
        }
        head
    }

    /// Replaces the first line.
    pub(super) fn status(&mut self, line: &str) {
        self.lines[0] = line.into();
    }

    /// Replaces a header, or adds it.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    /// Adds a header, also a second one of this name.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.line(format!("{name}: {value}").as_bytes());
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.lines.push(line.to_vec());
    }

    pub(super) fn remove(&mut self, name: &str) {
        let prefix = format!("{name}:").into_bytes();
        self.lines.retain(|line| !line.starts_with(&prefix));
    }

    /// The value of a header that [`right`](Self::right) has set.
    pub(super) fn value(&self, name: &str) -> String {
        let prefix = format!("{name}: ").into_bytes();
        let value = self.lines.iter().find_map(|line| line.strip_prefix(&*prefix));
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in self.lines {
            bytes.extend(line);
            bytes.extend(b"\r\n");
        }
        if self.ends {
            bytes.extend(b"\r\n");
        }
        bytes
    }
}
