#!/bin/bash -eu
# Licensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0
#
# Builds the fuzz targets, and puts each into $OUT with its seeds, its corpus and its dictionary.

cd "$SRC/framewire"
cargo fuzz build -O --debug-assertions
corpus=$(mktemp -d)
tar -xzf fuzz/corpus.tar.gz -C "$corpus"

built=${CARGO_TARGET_DIR:-fuzz/target}/x86_64-unknown-linux-gnu/release
for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    cp "$built/$target" "$OUT/"
    zip -qj "$OUT/${target}_seed_corpus.zip" fuzz/seeds/"$target"/* "$corpus/$target"/*
    if [[ -f fuzz/dictionaries/$target.dict ]]; then cp "fuzz/dictionaries/$target.dict" "$OUT/"; fi
done
