#!/usr/bin/env bash
# What the scripts of this repository share: .ci/run and its steps, interop/run and benches/run source this file.
# It changes to the root of the repository, and makes the script end at the first command that fails.
set -euo pipefail
shopt -s inherit_errexit
script=$(realpath "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${FRAMEWIRE_CACHE:-$HOME/.cache/framewire}
target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target

# Settings for code that is built once and never debugged, as always in CI. A panic names its line all the same. A sixth of the time
# to compile goes into tables of lines, so only the steps whose tools report stack traces have them (`lines`).
once=(CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=none)
# shellcheck disable=SC2034 # steps read it
lines=CARGO_PROFILE_DEV_DEBUG=line-tables-only
if [[ ${CI-} ]]; then export "${once[@]}"; fi

fail() {
    echo "failed: $*" >&2
    exit 1
}

# Prints the comment at the head of the script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"; }

# ------------------------------------------------------------------------------------- programs from elsewhere

# need COMMAND=PACKAGE[,PACKAGE]...: installs these packages of Debian's if a command (or a file, by its path) is missing. Steps that
# run at the same time wait for each other.
need() {
    local each missing
    missing=$(missing "$@")
    [[ $missing ]] || return 0
    if ! command -v apt-get >/dev/null || { ((EUID)) && [[ -z ${CI-} ]]; }; then
        fail "needs the Debian packages $missing, or their equivalent; please install them"
    fi
    there flock || fail "needs flock, of util-linux; please install it"
    mkdir -p "$cache"
    (
        flock 9
        install_packages "$(missing "$@")"
    ) 9>"$cache/debian.lock"
    for each; do there "${each%%=*}" || fail "${each#*=} has not installed ${each%%=*}"; done
}

# Lists the packages of those of `need` that are missing.
missing() {
    local each packages=""
    for each; do there "${each%%=*}" || packages+=" ${each#*=}"; done
    packages=${packages//,/ }
    echo "${packages# }"
}

install_packages() { # "PACKAGE PACKAGE ..."
    local packages as_root=()
    [[ $1 ]] || return 0
    read -ra packages <<<"$1"
    if ((EUID)); then as_root=(sudo -n); fi
    echo "installing $1"
    "${as_root[@]}" apt-get -qq -o Acquire::Retries=3 update || echo "apt-get update failed; continuing with apt's old lists"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 \
        install --yes --no-install-recommends "${packages[@]}" >/dev/null
}

there() { command -v "$1" >/dev/null || [[ $1 == /* && -e $1 ]]; }

# provide python REQUIREMENTS, provide node PACKAGE-LOCK: sets `installed` to a folder of the cache with the packages that
# the file lists. Each version of the file is installed once; scripts that run at the same time wait for each other.
provide() {
    local hash
    hash=$(sha256sum <"$2")
    installed=$cache/$1-${hash:0:12}
    if [[ $1 == python ]]; then need python3=python3,python3-venv; else need node=nodejs npm=npm; fi
    mkdir -p "$cache"
    (
        flock 9
        if [[ -e $installed/complete ]]; then exit; fi
        echo "installing the packages of $2"
        rm -rf "$installed"
        mkdir "$installed"
        "provide_$1" "$2"
        touch "$installed/complete"
    ) 9>"$cache/packages.lock"
}

provide_python() {
    python3 -m venv "$installed"
    "$installed/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$1"
}

provide_node() {
    cp "${1/package-lock/package}" "$1" "$installed"
    npm ci --prefix "$installed" --silent --no-audit --no-fund --ignore-scripts
}

# tool NAME VERSION [PROGRAM]: puts a package from crates.io on the path; a program of it is called PROGRAM, or else NAME. It is not
# optimised, which would take longer than it saves.
tool() {
    local root=$cache/$1-$2
    [[ -x $root/bin/${3-$1} ]] || CARGO_TARGET_DIR=$target/ci/tools cargo install --quiet --debug --locked --root "$root" "$1@$2"
    export PATH=$root/bin:$PATH
}

# toolchain NAME: installs this toolchain if rustup does not have it.
toolchain() {
    rustup toolchain list | grep -q "^$1" || rustup toolchain install "$1" --profile minimal
    rustc "+$1" -V
}

# --------------------------------------------------------------------------------------------------- compilers

# The machines of `cross`: target, GNU name, emulator, Debian's C library.
# shellcheck disable=SC2034 # a step reads it
machines='
aarch64-unknown-linux-gnu      aarch64-linux-gnu    qemu-aarch64  libc6-dev-arm64-cross
i686-unknown-linux-gnu         i686-linux-gnu       qemu-i386     libc6-dev-i386-cross
armv7-unknown-linux-gnueabihf  arm-linux-gnueabihf  qemu-arm      libc6-dev-armhf-cross
s390x-unknown-linux-gnu        s390x-linux-gnu      qemu-s390x    libc6-dev-s390x-cross
'
# The microcontroller of `bare`.
bare=thumbv7em-none-eabi

# use_msrv TARGET...: puts the oldest compiler promised on the path, for these targets and for those above.
use_msrv() {
    local version bin triples
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    mapfile -t triples < <(awk 'NF { print $1 }' <<<"$machines")
    bin=$(.ci/get-rust "$version" "$@" "$bare" "${triples[@]}")
    export PATH=$bin:$PATH
    cargo -V
    rustc -V
}

host() { rustc -vV | sed -n 's/^host: //p'; }

# apart NAME [VARIABLE=VALUE]...: makes cargo build in a folder of this name from here on, with these settings.
apart() { export CARGO_TARGET_DIR=$target/ci/$1 "${once[@]}" "${@:2}"; }

# Optimised, but without the link-time optimisation of the profile, which would cost time for each test program. Users of
# the codec choose that themselves.
apart_release() { apart release CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16; }

# ------------------------------------------------------------------------------------------------ the repository

# files PATTERN...: lists the files of the project, also those that git does not track yet. (`for` ignores a failing
# command: put a list into a variable first.)
files() { git ls-files --cached --others --exclude-standard -- "$@"; }

# crates FILTER: lists the crates of the workspace that jq's filter selects; fails if there is none.
crates() {
    need jq=jq >&2
    cargo metadata --locked --no-deps --format-version 1 | jq -er ".packages[] | select($1).name"
}

# Lists the published crates that have features.
crates_with_features() { crates '.publish != [] and (.features | keys - ["default"]) != []'; }

# features CRATE: lists its features.
features() {
    need jq=jq >&2
    cargo metadata --locked --no-deps --format-version 1 |
        jq -er --arg name "$1" '.packages[] | select(.name == $name).features | keys[] | select(. != "default")'
}

# cargo_in FOLDER COMMAND ARGUMENT...: runs cargo in a folder that has no lock file, with the dependencies of the workspace.
cargo_in() {
    cp Cargo.lock "$1/Cargo.lock" &&
        cargo "$2" --manifest-path "$1/Cargo.toml" "${@:3}"
}

cargo_no_std() { cargo_in .ci/no_std "$@"; }

# unpack_corpus: puts the inputs of fuzz/corpus.tar.gz, and no others, into $target/ci/fuzz/corpus.
unpack_corpus() {
    rm -rf "$target/ci/fuzz/corpus"
    mkdir -p "$target/ci/fuzz/corpus"
    tar -xzf fuzz/corpus.tar.gz -C "$target/ci/fuzz/corpus"
}

# fuzz FOLDER OPTION...: builds the fuzz targets with AddressSanitizer, and runs one after the other. Keeps inputs that reach
# new code in the folder.
fuzz() {
    local targets each options failed=""
    toolchain nightly
    need g++=g++
    tool cargo-fuzz 0.13.2
    apart fuzz
    cargo +nightly fuzz build
    targets=$(cargo +nightly fuzz list)
    for each in $targets; do
        echo "-- $each"
        mkdir -p "$1/$each"
        options=("${@:2}" -timeout=10 -verbosity=0 -print_funcs=0 -print_final_stats=1)
        if [[ -f fuzz/dictionaries/$each.dict ]]; then options+=("-dict=fuzz/dictionaries/$each.dict"); fi
        cargo +nightly fuzz run "$each" "$1/$each" "fuzz/seeds/$each" -- "${options[@]}" || failed+=" $each"
    done
    [[ ! $failed ]] || fail "these targets found something:$failed; fuzz/README.md says how to run an input again"
}
