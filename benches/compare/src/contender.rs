//! The servers that can be started.

use crate::{
    Outcome,
    cell::Coding,
    options::{Options, Settings},
    system::output,
};
use framewire_load::Handler;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A server that can be measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) handler: Handler,
    /// Whether it compresses for clients that offer that.
    #[serde(default)]
    pub(crate) compresses: bool,
    /// Whether it is a program of machine code, whose instructions callgrind can count.
    pub(crate) is_native: bool,
    #[serde(skip)]
    pub(crate) command: Vec<String>,
    #[serde(skip)]
    pub(crate) environment: Vec<(String, String)>,
}

impl Contender {
    pub(crate) const OURS: &str = "framewire-echo";
    pub(crate) const OURS_COMPRESSED: &str = "framewire-echo (deflate)";
    pub(crate) const OURS_LENGTH: &str = "framewire-length";

    /// How the names of all of ours begin.
    const OWN: &str = "framewire-";

    /// No server for use, but what tokio costs. It takes part if it is named.
    const BARE: &str = "tokio-bare";

    /// The suffix of the name if it compresses.
    const DEFLATE: &str = " (deflate)";

    pub(crate) fn is_ours(&self) -> bool {
        [Self::OURS, Self::OURS_COMPRESSED].contains(&&*self.name)
    }

    /// Whether it is somebody else's server.
    pub(crate) fn is_peer(&self) -> bool {
        !self.name.starts_with(Self::OWN) && self.name != Self::BARE
    }

    /// Its group; a contender for echoes is also in that for connections that come and go.
    pub(crate) const fn group(&self) -> Group {
        match (self.compresses, self.handler) {
            (true, _) => Group::Compressed,
            (false, Handler::Echo) => Group::Echo,
            (false, Handler::Length) => Group::Length,
        }
    }

    /// Its name without the suffix.
    pub(crate) fn plain(name: &str) -> &str {
        name.strip_suffix(Self::DEFLATE).unwrap_or(name)
    }

    /// The same program with compression on.
    fn compressing(&self, arguments: &[String]) -> Self {
        Self {
            name: format!("{}{}", self.name, Self::DEFLATE),
            compresses: true,
            command: [&self.command, arguments].concat(),
            ..self.clone()
        }
    }
}

/// Contenders that are compared with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// They send back each message.
    Echo,
    /// They do so compressed.
    Compressed,
    /// They answer with another message.
    Length,
    /// They send back each message; connections come and go.
    Churn,
}

impl Group {
    /// Whether a contender is one of them.
    pub(crate) fn has(self, contender: &Contender) -> bool {
        contender.group() == if self == Self::Churn { Self::Echo } else { self }
    }

    /// What is counted.
    pub(crate) const fn counted(self) -> &'static str {
        match self {
            Self::Churn => "Connections",
            Self::Echo | Self::Compressed | Self::Length => "Messages",
        }
    }

    pub(crate) const fn ours(self) -> &'static str {
        match self {
            Self::Echo | Self::Churn => Contender::OURS,
            Self::Compressed => Contender::OURS_COMPRESSED,
            Self::Length => Contender::OURS_LENGTH,
        }
    }
}

/// Rust libraries by their names in `framewire-peers` and Cargo.lock, and what else than an echo is measured.
const LIBRARIES: [(&str, &[Extra]); 12] = [
    ("framewire-tokio", &[Extra::Length, Extra::Deflate]),
    ("framewire-tokio-serve", &[Extra::Length, Extra::Deflate]),
    ("framewire-axum", &[]),
    ("axum", &[]),
    ("tokio-tungstenite", &[Extra::Length]),
    ("tokio-websockets", &[Extra::Length]),
    ("fastwebsockets", &[Extra::Length]),
    ("sockudo-ws", &[Extra::Length, Extra::Deflate]),
    (Contender::BARE, &[]),
    ("yawc", &[Extra::Length, Extra::Deflate]),
    ("wtx", &[Extra::Length, Extra::Deflate]),
    ("web-socket", &[Extra::Length]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extra {
    /// The other handler.
    Length,
    /// Compression.
    Deflate,
}

/// The contenders that the options name, and always ours.
pub(crate) fn all(options: &Options, settings: &Settings) -> Outcome<Vec<Contender>> {
    let bin = |name: &str| options.bin.join(name).display().to_string();
    let own = own_version();
    let new = |name: &str, version: String, handler, is_native, command| Contender {
        name: name.into(),
        version,
        handler,
        compresses: false,
        is_native,
        command,
        environment: Vec::new(),
    };
    let listen = ["--listen", "127.0.0.1:0"].map(str::to_owned);
    let ours = |name| [vec![bin(name)], listen.to_vec()].concat();
    let mut all = vec![
        new(Contender::OURS, own.clone(), Handler::Echo, true, ours("framewire-echo")),
        new(Contender::OURS_LENGTH, own.clone(), Handler::Length, true, ours("framewire-length")),
    ];
    let level = settings.level.to_string();
    all.push(all[0].compressing(&["--compression", "--compression-level", &level].map(str::to_owned)));
    for (name, extras) in LIBRARIES {
        let command = vec![bin("framewire-peers"), name.to_owned()];
        let version = if name.starts_with(Contender::OWN) { own.clone() } else { locked(package(name)) };
        let plain = new(name, version.clone(), Handler::Echo, true, command.clone());
        if extras.contains(&Extra::Deflate) {
            all.push(plain.compressing(&["--compression", &level].map(str::to_owned)));
        }
        all.push(plain);
        if extras.contains(&Extra::Length) {
            let command = [command, ["--handler", "length"].map(str::to_owned).to_vec()].concat();
            all.push(new(&format!("{name} (length)"), version, Handler::Length, true, command));
        }
    }
    let script = |name: &str| options.scripts.join(name).display().to_string();
    let level = [format!("compression={level}")];
    if let Some(node) = &options.node {
        let modules = node.join("node_modules");
        let bun = bun(&modules)?;
        let version = output(&bun, &["--version"]);
        let command = vec![bun, script("bun.js")];
        let plain = new("bun", version.clone(), Handler::Echo, false, command.clone());
        all.push(plain.compressing(&level));
        all.push(plain);
        let command = [command, vec!["length".to_owned()]].concat();
        all.push(new("bun (length)", version, Handler::Length, false, command));
        let version =
            format!("{} on Node {}", pinned(&script("package.json"), "\"ws\": \""), output("node", &["-v"]));
        let mut ws = new("ws", version, Handler::Echo, false, vec!["node".into(), script("ws.js")]);
        ws.environment.push(("NODE_PATH".into(), modules.display().to_string()));
        all.push(ws.compressing(&level));
        all.push(ws);
    }
    if let Some(python) = &options.python {
        let python = python.join("bin/python").display().to_string();
        for (name, file) in [("websockets", "websockets_server.py"), ("picows", "picows_server.py")] {
            let version = format!(
                "{} on uvloop {}, {}",
                pinned(&script("requirements.txt"), &format!("{name}==")),
                pinned(&script("requirements.txt"), "uvloop=="),
                output(&python, &["-V"]),
            );
            let plain = new(name, version, Handler::Echo, false, vec![python.clone(), script(file)]);
            if name == "websockets" {
                all.push(plain.compressing(&level));
            }
            all.push(plain);
        }
    }
    let is_called = |each: &Contender, name: &str| [&each.name, Contender::plain(&each.name)].contains(&name);
    if let Some(unknown) = options.only.iter().find(|name| all.iter().all(|each| !is_called(each, name))) {
        let names: Vec<&str> = all.iter().map(|each| &*each.name).collect();
        return Err(format!("{unknown} is none of: {}", names.join(", ")).into());
    }
    let wants_length = options.only.is_empty() || options.only.iter().any(|name| name.contains("length"));
    let has_cells = |each: &Contender| {
        settings.cells.iter().any(|cell| (cell.coding != Coding::Plain) == each.compresses)
    };
    all.retain(|each| {
        let is_wanted = match &*each.name {
            Contender::OURS | Contender::OURS_COMPRESSED => true,
            Contender::OURS_LENGTH => wants_length,
            Contender::BARE => options.only.iter().any(|only| is_called(each, only)),
            _ => options.only.is_empty() || options.only.iter().any(|only| is_called(each, only)),
        };
        is_wanted && has_cells(each)
    });
    Ok(all)
}

/// The program itself. npm's wrapper would be one more process.
fn bun(modules: &Path) -> Outcome<String> {
    let of = |package: PathBuf| Some(package.join("bin/bun")).filter(|path| path.exists());
    let packages = fs::read_dir(modules.join("@oven"))?;
    // Beside it, there may be a program for processors without AVX2, with a longer name.
    let mut found: Vec<PathBuf> = packages.filter_map(|entry| of(entry.ok()?.path())).collect();
    found.sort_by_key(|path| path.as_os_str().len());
    let first = found.first().ok_or("npm has not installed bun's program")?;
    Ok(first.display().to_string())
}

fn own_version() -> String {
    let git = |arguments: &[&str]| output("git", arguments);
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed =
        if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { ", changed" };
    format!("{} ({commit}{changed})", env!("CARGO_PKG_VERSION"))
}

/// The package of a library.
fn package(library: &str) -> &str {
    match library {
        Contender::BARE => "tokio",
        _ => library.trim_end_matches("-serve"),
    }
}

/// Its newest version in Cargo.lock: axum also needs an older tokio-tungstenite.
fn locked(package: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.rsplit_once(&format!("name = \"{package}\"\nversion = \""));
    entry.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown").to_owned()
}

/// The version that a list of packages pins, after these words.
fn pinned(list: &str, words: &str) -> String {
    let list = fs::read_to_string(list).unwrap_or_default();
    let version = list.split_once(words).map(|(_, rest)| {
        rest.chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').collect::<String>()
    });
    version.unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_is_locked_in_the_version_that_is_asked_for() {
        let manifest = include_str!("../../servers/Cargo.toml");
        for (library, _) in LIBRARIES {
            let package = package(library);
            let locked = locked(package);
            assert_ne!(locked, "unknown", "{library}");
            let wanted = manifest.split_once(&format!("\n{package} = {{ version = \""));
            if let Some((version, _)) = wanted.and_then(|(_, rest)| rest.split_once('"')) {
                assert!(locked.starts_with(version), "{library}: {locked}, not {version}");
            }
        }
    }
}
