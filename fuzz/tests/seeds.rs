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

#[test]
fn every_seed_passes() {
    for (target, check) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        let mut files = 0;
        for file in fs::read_dir(folder).expect("every target has seeds") {
            let file = file.unwrap().path();
            println!("{}", file.display());
            check(&fs::read(file).unwrap());
            files += 1;
        }
        assert!(files > 4, "{target}");
    }
}
