#!/usr/bin/env bash
# Part of `make peers`: tiny models of every family made anew by the transformers at hand, and what it
# computes with them against weightbench.
#
# tiny_models.sh make FOLDER  writes models and figures there (tests/data/infer was made so)
set -eu

cd "$(dirname "$0")/../.."
python=$(tests/peers/venv.sh)
export TRANSFORMERS_OFFLINE=1 HF_HUB_OFFLINE=1

if [ "${1:-}" = make ]; then
    exec "$python" tests/peers/tiny_models.py make "$2"
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$python" tests/peers/tiny_models.py compare tests/data/infer
"$python" tests/peers/tiny_models.py make "$out" "$RANDOM"
WB_TINY=$out/ WB_FIGURES=1 "${BUILD:-build}/tests/golden/test_forward"
