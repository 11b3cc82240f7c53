//! Criterion runs the cases: each contender by itself, with its distribution and its history.
//!
//! `cargo bench -p framewire-bench-codec -- 'decode/one read, ASCII'`; all cases take hours. With `--test`, each runs once.

#![allow(missing_docs)]

use criterion::{Criterion, Throughput};
use framewire_bench_codec::groups::GROUPS;
use std::time::{Duration, Instant};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20)
        .without_plots()
        .configure_from_args();
    for group in GROUPS {
        let mut benches = criterion.benchmark_group(group.name);
        for recipe in (group.cases)() {
            let mut case = recipe.build();
            benches.throughput(Throughput::Bytes((case.bytes / case.messages) as u64));
            for contender in &mut case.contenders {
                benches.bench_function(format!("{}/{}", case.name, contender.name), |bencher| {
                    bencher.iter_custom(|passes| {
                        let mut took = Duration::ZERO;
                        for _ in 0..passes {
                            contender.work.prepare();
                            let began = Instant::now();
                            contender.work.run();
                            took += began.elapsed();
                        }
                        took / case.messages as u32 // of one message
                    });
                });
            }
        }
    }
    criterion.final_summary();
}
