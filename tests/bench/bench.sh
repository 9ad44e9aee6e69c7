#!/usr/bin/env bash
# What `make bench` runs: speed as ratios to cp, dd and cat in the same run, and memory.
#
# Models are made once under WB_BENCH_DIR (about 26 GB; outputs need 6 GB more). The page cache is
# warm, two threads, the commands take turns, WB_BENCH_ROUNDS (5) each; outputs are removed and the
# disk is synchronised before each, outside the time taken. The best of each counts: the first
# write into memory that a virtual machine never touched is up to ten times slower, for cp too.
set -eu

cd "$(dirname "$0")/../.."
export WEIGHTBENCH_SHARE=$PWD
weightbench=${WEIGHTBENCH:-$PWD/weightbench}
tables=$PWD/${BUILD:-build} # bench.md there is what `make readme-tables` puts into README.md
bin=$tables/tests/bench
dir=${WB_BENCH_DIR:-${TMPDIR:-/tmp}/weightbench-bench}
rounds=${WB_BENCH_ROUNDS:-5}
threads=2
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9 # two benchmarks at once would measure each other
scratch=$(mktemp -d)
out=$(mktemp -d "$dir/out.XXXXXX")
trap 'rm -rf "$scratch" "$out"' EXIT

say() { echo "bench: $*" >&2; }

# ---- models and pipelines ----

# model NAME OPTION...: make $dir/NAME once; a half-made one never has the name.
model()
{
    local name=$1
    shift
    [ ! -e "$dir/$name" ] || return 0
    rm -rf "$dir/$name.part"
    "$bin/make_model" "$@" --out "$dir/$name.part" >/dev/null
    mv "$dir/$name.part" "$dir/$name"
    say "made $dir/$name"
}

# family PREFIX SHAPE: a base and three experts.
family()
{
    model "$1-base" --shape "$2" --seed 1
    model "$1-a" --shape "$2" --seed 2 --delta-from "$dir/$1-base"
    model "$1-b" --shape "$2" --seed 3 --delta-from "$dir/$1-base"
    model "$1-c" --shape "$2" --seed 4 --delta-from "$dir/$1-base"
}

# pipelines PREFIX: linear-PREFIX.lua and ties-PREFIX.lua beside the models.
pipelines()
{
    local open="models = {wb.open '$dir/$1-a', wb.open '$dir/$1-b', wb.open '$dir/$1-c'}"
    echo "return wb.merge('linear', {$open})" >"$dir/linear-$1.lua"
    echo "local density = wb.knob('density', 0.5, {min = 0, max = 1})
          return wb.merge('ties', {base = wb.open '$dir/$1-base', $open, density = density})" >"$dir/ties-$1.lua"
}

# ---- measuring ----

# timed NAME COMMAND...: append its seconds to $scratch/NAME; memory (KiB) stays in $peak and $anonymous.
timed()
{
    local name=$1 seconds status
    shift
    rm -rf "${out:?}"/*
    sync
    "$bin/measure" "$@" >/dev/null 2>"$scratch/err" || true
    read -r seconds peak anonymous status < <(tail -n 1 "$scratch/err")
    if [ "$status" != 0 ]; then
        cat "$scratch/err" >&2
        exit 1
    fi
    echo "$seconds" >>"$scratch/$name"
}

best() { sort -n "$scratch/$1" | head -n 1; }
median() { sort -n "$scratch/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# row WHAT MEASURED BOUND UNIT NOTE: a line of the table; MEASURED must not exceed BOUND.
failed=0
row()
{
    local verdict=pass
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a <= b) }' || { verdict=FAIL failed=1; }
    printf '| %s | %s | %s %s | %s %s | %s |\n' "$1" "$5" "$2" "$4" "$3" "$4" "$verdict"
}

# ratio_row WHAT NAME REFERENCE BOUND
ratio_row()
{
    row "$1" "$(awk -v a="$(best "$2")" -v b="$(best "$3")" 'BEGIN { printf "%.2f", a / b }')" "$4" "x" \
        "$(best "$2") s (median $(median "$2") s); $3 $(best "$3") s (median $(median "$3") s)"
}

family 1b llama-1b
family 2b llama-2b
model 70b --shape llama-70b --sparse
pipelines 1b
pipelines 2b

merge() { timed "$1" "$weightbench" run "$dir/$1-1b.lua" -o "$out/$1" --threads $threads; }

a=$dir/1b-a/model.safetensors
b=$dir/1b-b/model.safetensors
cat "$dir"/1b-*/model.safetensors >/dev/null
for round in $(seq "$rounds"); do
    say "round $round of $rounds"
    timed cp cp "$a" "$out/copy"
    timed dd-fsync dd if="$a" of="$out/copy" bs=1M conv=fsync status=none
    merge linear
    merge ties
    timed cat cat "$a" "$b"
    timed diff "$weightbench" diff "$dir/1b-a" "$dir/1b-b" --threads $threads
    timed show "$weightbench" show "$dir/70b"
    show_peak=$peak
done
rm -rf "${out:?}"/*
say "ties of 2-billion-parameter models in 256 MB"
timed ties-2b "$weightbench" run "$dir/ties-2b.lua" -o "$out/ties" --threads $threads --memory 256MB
ties_anonymous=$anonymous
rm -rf "${out:?}"/*

preview() { "$bin/preview" "$@" density=0.5 density=0.5 density=0.55 density=0.6 density=0.65 density=0.7; }
preview tests/data/demo/pipeline.lua >"$scratch/preview-demo"
preview "$dir/ties-1b.lua" >"$scratch/preview-1b"
say "what a turned knob does to the model's figures"
zoo=tests/data/zoo
"$bin/behaviour" tests/data/demo/pipeline.lua $zoo/base $zoo/math $zoo/german $zoo/code -- \
    $zoo/eval/{english,german,code}.txt $zoo/eval/math.jsonl -- \
    density=0.5 density=0.55 density=0.6 density=0.65 density=0.7 >"$scratch/behaviour"
say "the workbench, through a pseudo-terminal"
"$bin/ui" tests/data/demo/pipeline.lua "$dir/70b" "$dir/ties-1b.lua" "$out" >"$scratch/ui" || true
rm -rf "${out:?}"/*

# ---- the table ----

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
table()
{
    echo "${processor:-unknown processor}, $(nproc) processors, $threads threads, page cache warm; best of $rounds; $("$weightbench" --version | tr '\n' ' ')."
    echo
    echo '| what | time | measured | bound | |'
    echo '| --- | --- | --- | --- | --- |'
    ratio_row 'linear of three 1.2 B models / cp of one' linear cp 1.0
    ratio_row 'ties of base and three 1.2 B models / cp of one' ties cp 3.0
    ratio_row 'linear, which ends on the disk / dd of one to the disk (conv=fsync)' linear dd-fsync 1.0
    ratio_row 'ties, which ends on the disk / dd of one to the disk (conv=fsync)' ties dd-fsync 3.0
    ratio_row 'diff of two 1.2 B models / cat of both' diff cat 1.2
    row 'ties of base and three 2.0 B models, --memory 256MB: peak anonymous memory' \
        $((ties_anonymous / 1024)) 400 MiB "$(best ties-2b) s"
    row 'show of a 70 B model, 30 shards' "$(awk -v s="$(best show)" 'BEGIN { print int(s * 1000 + 0.5) }')" 100 ms \
        "$(best show) s"
    row 'show of a 70 B model: peak resident memory' $((show_peak / 1024)) 50 MiB ''
    row 'one knob turned, sampled, bundled models' "$(tail -n 1 "$scratch/preview-demo")" 30 ms ''
    row 'one knob turned, sampled, 1.2 B models' "$(tail -n 1 "$scratch/preview-1b")" 300 ms ''
    row 'one knob turned, bundled models: first figures of behaviour, every evaluation set' \
        "$(tail -n 2 "$scratch/behaviour" | head -n 1)" 300 ms ''
    row 'one knob turned, bundled models: all figures of behaviour' "$(tail -n 1 "$scratch/behaviour")" 3000 ms ''
    echo
    echo 'The workbench, through a pseudo-terminal, until it stands on the screen (95th percentile; median of starts):'
    echo
    echo '| what | spread | measured | bound | |'
    echo '| --- | --- | --- | --- | --- |'
    while IFS=$'\t' read -r what measured bound unit note; do
        row "$what" "$measured" "$bound" "$unit" "$note"
    done <"$scratch/ui"
}

table >"$tables/bench.md" # not through a pipe: it sets $failed
echo
cat "$tables/bench.md"
echo
echo 'Turns of a knob, bundled models:'
sed '$d' "$scratch/preview-demo"
echo 'Turns of a knob, 1.2 B models:'
sed '$d' "$scratch/preview-1b"
echo 'The same, what the model does:'
head -n -2 "$scratch/behaviour"
echo
echo "What the machine can do, $threads threads:"
"$bin/floor" "$a" "$out/floor" $threads
if [ -x "$bin/kernels" ] && [ -z "${WB_BENCH_NO_KERNELS:-}" ]; then
    echo
    echo 'Kernels:'
    "$bin/kernels"
fi
exit $failed
