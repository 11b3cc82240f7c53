//! All results, a line of JSON each.

use crate::{
    Outcome,
    cell::{Cell, Coding},
    contender::Contender,
    machine::Head,
    options::Settings,
};
use framewire_load::Report;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
};

/// A result.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Record {
    /// The head of the run: machine, settings, versions.
    Head(Box<Head>),
    /// Whether a contender sends back each message. If so, whether it refuses a text that is not UTF-8, and if it compresses,
    /// what it agrees to for each way of compressing.
    Check {
        contender: String,
        failure: Option<String>,
        validates_utf8: bool,
        #[serde(default)]
        agreed: Vec<(Coding, String)>,
    },
    /// One measurement of a cell.
    Run { contender: String, cell: Cell, round: usize, report: Box<Report> },
    /// System calls for a message (for a connection, if they come and go), in total and by name.
    Calls { contender: String, cell: Cell, per_message: f64, by_name: Vec<(String, f64)> },
    /// Instructions for a message.
    Instructions { contender: String, cell: Cell, tool: String, user: f64, kernel: Option<f64> },
    /// Bytes of the server's own memory for an idle connection.
    Idle {
        contender: String,
        connections: usize,
        #[serde(default = "plain")]
        coding: Coding,
        bytes: f64,
    },
    /// A measurement that failed, and why.
    Failed { contender: String, doing: String, why: String },
    /// The run is complete.
    End { load_average: String },
}

impl Record {
    /// A contender and its activity: a measurement that need not be repeated.
    fn subject(&self) -> Option<(String, String)> {
        match self {
            Self::Head(_) | Self::End { .. } => None,
            Self::Check { contender, .. } => Some((contender.clone(), "check".into())),
            Self::Run { contender, cell, round, .. } => Some((contender.clone(), run(*cell, *round))),
            Self::Calls { contender, cell, .. } => Some((contender.clone(), calls(*cell))),
            Self::Instructions { contender, cell, .. } => Some((contender.clone(), instructions(*cell))),
            Self::Idle { contender, coding, .. } => Some((contender.clone(), idle(*coding))),
            Self::Failed { contender, doing, .. } => Some((contender.clone(), doing.clone())),
        }
    }
}

const fn plain() -> Coding {
    Coding::Plain
}

pub(crate) fn idle(coding: Coding) -> String {
    format!("idle connections{coding}")
}

pub(crate) fn run(cell: Cell, round: usize) -> String {
    format!("{cell}, round {}", round + 1)
}

pub(crate) fn calls(cell: Cell) -> String {
    format!("{cell}, system calls")
}

pub(crate) fn instructions(cell: Cell) -> String {
    format!("{cell}, instructions")
}

/// The file, to which records are added.
pub(crate) struct Journal {
    file: File,
    records: Vec<Record>,
}

impl Journal {
    /// A new file, or the existing one if its settings and its contenders, with their versions, are the same.
    pub(crate) fn open(
        path: &Path,
        resume: bool,
        settings: &Settings,
        contenders: &[Contender],
    ) -> Outcome<Self> {
        let records = if resume && path.exists() { read(path)? } else { Vec::new() };
        if let Some(Record::Head(head)) = records.first() {
            let differs = |what| Err(format!("{} was begun with other {what}", path.display()).into());
            if serde_json::to_value(&head.settings)? != serde_json::to_value(settings)? {
                return differs("settings");
            }
            if serde_json::to_value(&head.contenders)? != serde_json::to_value(contenders)? {
                return differs("servers, or other versions of them");
            }
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if records.is_empty() {
            file.set_len(0)?;
        } else {
            file.write_all(b"\n")?; // the last line may be incomplete
        }
        Ok(Self { file, records })
    }

    pub(crate) fn has_head(&self) -> bool {
        !self.records.is_empty()
    }

    pub(crate) fn write(&mut self, record: Record) -> Outcome<()> {
        self.file.write_all((serde_json::to_string(&record)? + "\n").as_bytes())?;
        self.records.push(record);
        Ok(())
    }

    /// Records that this could not be measured.
    pub(crate) fn fail(
        &mut self,
        contender: &Contender,
        doing: String,
        why: &dyn std::fmt::Display,
    ) -> Outcome<()> {
        eprintln!("  {}: {doing}: {why}", contender.name);
        self.write(Record::Failed { contender: contender.name.clone(), doing, why: why.to_string() })
    }

    /// Whether this has been measured, or has failed, before.
    pub(crate) fn has(&self, contender: &Contender, doing: &str) -> bool {
        self.records
            .iter()
            .filter_map(Record::subject)
            .any(|(who, what)| who == contender.name && what == doing)
    }

    /// Whether a contender agrees to this way of compressing.
    pub(crate) fn agrees(&self, name: &str, coding: Coding) -> bool {
        self.records.iter().any(|record| match record {
            Record::Check { contender, agreed, .. } => {
                contender == name
                    && agreed.iter().any(|(asked, to)| *asked == coding && coding.is_kept_by(to))
            }
            _ => false,
        })
    }

    /// Whether a contender has passed the check.
    pub(crate) fn is_able(&self, name: &str) -> bool {
        self.records.iter().any(
            |record| matches!(record, Record::Check { contender, failure: None, .. } if contender == name),
        )
    }
}

/// The records of a file. An incomplete line is ignored.
pub(crate) fn read(path: &Path) -> Outcome<Vec<Record>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
