#!/usr/bin/env bash
# Does it matter which layers go? A table: losses on held-out texts of the trained tiny model without
# some layers, chosen by each probe and in every possible way.
set -eu

cd "$(dirname "$0")/../.."
export WEIGHTBENCH_SHARE=$PWD
"${WEIGHTBENCH:-$PWD/weightbench}" run --dry-run tests/bench/drop_layers.lua 2>&1 >/dev/null | grep '^|'
