//! Checks the seeds without a fuzzer: those in `src/seeds.rs` are in `seeds/`, and every file in `seeds/` passes.

use framewire_fuzz::{TARGETS, seeds};
use std::{env, fs, path::Path};

/// If `WRITE_SEEDS` is in the environment, it writes them.
#[test]
fn the_seeds_are_those_that_are_named() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (target, name, bytes) in seeds::all() {
        assert!(TARGETS.iter().any(|(known, _)| *known == target), "{target}");
        let file = here.join(target).join(name);
        if env::var_os("WRITE_SEEDS").is_some() {
            fs::create_dir_all(here.join(target)).unwrap();
            fs::write(&file, &bytes).unwrap();
        }
        assert!(
            fs::read(&file).is_ok_and(|found| found == bytes),
            "{target}/{name} is stale: set WRITE_SEEDS"
        );
    }
}

/// What Miri leaves out: seeds that would take it minutes; targets that have no `unsafe` of ours below them, but memchr,
/// of which it cannot follow how it aligns its loads.
const NOT_FOR_MIRI: [&str; 7] = [
    "handshake/",
    "tungstenite/",
    "connection/read-into-the-message",
    "deflate/large",
    "inflate/bomb",
    "inflate/too-many-final-blocks",
    "mask/aligned-stores",
];

#[test]
fn every_seed_passes() {
    for (target, check) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        let mut files = 0;
        for file in fs::read_dir(folder).expect("every target has seeds") {
            let file = file.unwrap().path();
            let name = format!("{target}/{}", file.file_name().unwrap().display());
            files += 1;
            if cfg!(miri) && NOT_FOR_MIRI.iter().any(|left_out| name.starts_with(left_out)) {
                println!("{name} is left out");
                continue;
            }
            println!("{name}");
            check(&fs::read(file).unwrap());
        }
        assert!(files > 4, "{target}");
    }
}
