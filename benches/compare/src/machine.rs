//! The head of a report: machine, settings and versions.

use crate::{
    contender::Contender,
    options::Settings,
    system::{output, read},
};
use serde::{Deserialize, Serialize};
use std::fs;

/// What a reader must know of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Head {
    pub(crate) date: String,
    pub(crate) settings: Settings,
    pub(crate) contenders: Vec<Contender>,
    /// Names and values, as the report shows them.
    pub(crate) machine: Vec<(String, String)>,
}

pub(crate) fn head(settings: &Settings, contenders: &[Contender]) -> Head {
    Head {
        date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        settings: settings.clone(),
        contenders: contenders.to_vec(),
        machine: machine(),
    }
}

fn machine() -> Vec<(String, String)> {
    let cpuinfo = read("/proc/cpuinfo");
    let cpu = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let flags = cpu("flags");
    let has = |flag: &&str| flags.split(' ').any(|each| each == *flag);
    let vectors: Vec<&str> = ["sse2", "ssse3", "avx2", "avx512_vbmi2"].into_iter().filter(has).collect();
    let memory = read("/proc/meminfo").lines().next().unwrap_or_default().replace("MemTotal:", "");
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    [
        (
            "processor",
            format!("{} (family {}, model {})", cpu("model name"), cpu("cpu family"), cpu("model")),
        ),
        ("vectors", vectors.join(", ")),
        ("cores", cores.to_string()),
        ("virtual", if has(&"hypervisor") { "yes" } else { "no" }.to_owned()),
        ("governor", if governor.is_empty() { "unknown".to_owned() } else { governor }),
        ("mitigations", mitigations()),
        ("memory", memory.trim().to_owned()),
        ("kernel", output("uname", &["-srm"])),
        ("load average at the start", load_average()),
        ("compiler", output("rustc", &["-V"])),
        ("Rust flags", flags_of_ours()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// How native programs are built.
fn flags_of_ours() -> String {
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    format!(
        "release, fat LTO, one codegen unit; RUSTFLAGS: {}",
        if flags.is_empty() { "none" } else { &flags }
    )
}

/// The processor's weaknesses against which the kernel does something, and how.
fn mitigations() -> String {
    let mut all = Vec::new();
    for entry in fs::read_dir("/sys/devices/system/cpu/vulnerabilities").into_iter().flatten().flatten() {
        let state = read(&entry.path().display().to_string());
        if let Some(what) = state.strip_prefix("Mitigation: ") {
            all.push(format!("{}: {what}", entry.file_name().display()));
        }
    }
    all.sort();
    if all.is_empty() { "none".into() } else { all.join("; ") }
}

pub(crate) fn load_average() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(", ")
}
