#!/usr/bin/env bash
# Measures searches by meaning in memory: 50,000 vectors of 384 numbers one by one, and more of them with clusters.
# Needs nothing but cargo; one process, no network. SIZES chooses other counts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --quiet --release -p nodetool-sdk --example vector_search
target="${CARGO_TARGET_DIR:-target}"
for size in ${SIZES:-50000 200000}; do
    "$target/release/examples/vector_search" "$size" 384
done
