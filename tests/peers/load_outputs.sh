#!/usr/bin/env bash
# What `make peers` runs: write outputs of every kind, load them with safetensors, transformers, peft.
set -eu

cd "$(dirname "$0")/../.."
weightbench=${WEIGHTBENCH:-$PWD/weightbench}
python=$(tests/peers/venv.sh)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export TRANSFORMERS_OFFLINE=1 HF_HUB_OFFLINE=1

zoo=$PWD/tests/data/zoo
experts="{wb.open '$zoo/math', wb.open '$zoo/german', wb.open '$zoo/code'}"
base="wb.open '$zoo/base'"

# write NAME SCRIPT OPTION...: run a pipeline given as text.
write()
{
    local name=$1
    echo "$2" >"$out/$name.lua"
    shift 2
    "$weightbench" run "$out/$name.lua" -o "$out/$name" "$@" >/dev/null
}

write linear "return wb.merge('linear', {models = $experts})"
write ties-f32 "return wb.merge('ties', {base = $base, models = $experts, density = 0.5})" --dtype f32
write dare-f16 "return wb.merge('dare_ties', {base = $base, models = $experts, density = 0.5})" --dtype f16
write sharded "return wb.merge('task_arithmetic', {base = $base, models = $experts, lambda = 0.4})" --shard-size 1MB
write lora-applied "return wb.open('$zoo/base', {lora = '$zoo/lora-math'})"
write vit "return wb.merge('linear', {models = {wb.open '$zoo/vit-digits', wb.open '$zoo/vit-rotated'}})"
write fewer-layers "return wb.compress('drop_layers', $base, {layers = {5, 6}})"
write pruned "return wb.compress('prune', $base, {})"
write permuted "return wb.protect('permute', $base, {key = 'correct horse'})"
write adapter "return wb.compress('lora_extract', wb.open '$zoo/math', {base = $base, max_rank = 8})"
write adapter-applied "return wb.open('$zoo/base', {lora = '$out/adapter'})" --dtype f32

"$python" tests/peers/load_outputs.py "$out"/*/
