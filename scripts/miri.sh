#!/usr/bin/env bash
# Views, threads and buffers under Miri (Tree Borrows), with the interpreter in the place of machine code. Outside the
# gate: it needs a nightly toolchain with the components miri and rust-src, and takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
# What rayon keeps for threads that ended (crossbeam-epoch) is never freed.
export MIRIFLAGS="-Zmiri-tree-borrows -Zmiri-disable-isolation -Zmiri-ignore-leaks"
exec cargo +nightly miri test --target-dir target/miri --lib -- exec::tests exec::stream exec::stop exec::pool "$@"
