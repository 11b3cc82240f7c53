//! Counts the instructions that the codec takes for each seed and for the largest inputs of the corpus, and compares them with the
//! bounds in [`framewire_fuzz::cost`]: `cargo bench --bench cost -- CORPUS`. It needs valgrind. CORPUS has a folder for each
//! target, and may be left out.

use framewire_fuzz::cost::{Cost, WORKS, Work};
use framewire_testing::callgrind;
use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process,
};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, run, name, file] = &arguments[..]
        && run == "--run"
    {
        let work = WORKS.iter().find(|work| work.name == name).expect("a target");
        (work.run)(&fs::read(file).expect("an input"));
        return;
    }
    let corpus = arguments.get(1).filter(|argument| !argument.starts_with("--")).map(Path::new);
    let mut over = 0;
    println!(
        "{:<12} {:>8} {:>8}  {:<40} {:>14} {:>14}",
        "target", "turns", "bytes", "the dearest input", "instructions", "allowed"
    );
    for work in &WORKS {
        let dearest = inputs(work.name, corpus)
            .into_iter()
            .map(|file| Measured::new(work, file))
            .max_by(|a, b| a.share().total_cmp(&b.share()));
        let Measured { file, cost, taken, allowed } = dearest.expect("every target has seeds");
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let verdict = if taken > allowed { "  TOO MANY" } else { "" };
        over += usize::from(taken > allowed);
        println!(
            "{:<12} {:>8} {:>8}  {name:<40} {taken:>14} {allowed:>14}{verdict}",
            work.name, cost.turns, cost.bytes
        );
    }
    process::exit(i32::from(over > 0));
}

/// The seeds of a target, and the largest inputs of its corpus, where work that is not linear shows.
fn inputs(target: &str, corpus: Option<&Path>) -> Vec<PathBuf> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let files = |folder: &Path| {
        let files = fs::read_dir(folder.join(target)).expect("a folder for each target");
        files.map(|file| file.expect("a file").path()).collect::<Vec<_>>()
    };
    let mut largest = corpus.map(files).unwrap_or_default();
    largest.sort_by_cached_key(|file| Reverse(fs::metadata(file).map_or(0, |file| file.len())));
    largest.truncate(40);
    [files(&seeds), largest].concat()
}

/// What an input took, and what its size allows.
struct Measured {
    file: PathBuf,
    cost: Cost,
    taken: u64,
    allowed: u64,
}

impl Measured {
    fn new(work: &Work, file: PathBuf) -> Self {
        let cost = (work.run)(&fs::read(&file).expect("an input"));
        let this = env::current_exe().expect("a file");
        let mut command = callgrind::command(&this, &["--toggle-collect=*cost*Cost*of*"]);
        command.args(["--run", work.name]).arg(&file);
        let taken = callgrind::instructions(&mut command.spawn().expect("valgrind is installed"));
        let allowed = work.instructions.of(&cost);
        Self { file, cost, taken, allowed }
    }

    /// The part of the allowed that it took.
    fn share(&self) -> f64 {
        self.taken as f64 / self.allowed.max(1) as f64
    }
}
