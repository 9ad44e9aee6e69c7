#!/usr/bin/env bash
# What `make bench-forward` runs: the forward pass of weightbench and of transformers with torch on the
# same models and tokens, two threads, taking turns; the best of WB_BENCH_ROUNDS (3) each counts.
set -eu

cd "$(dirname "$0")/../.."
export WEIGHTBENCH_SHARE=$PWD OMP_NUM_THREADS=2 TRANSFORMERS_OFFLINE=1 HF_HUB_OFFLINE=1
tables=$PWD/${BUILD:-build} # bench-forward.md there is what `make readme-tables` puts into README.md
bin=$tables/tests/bench
dir=${WB_BENCH_DIR:-${TMPDIR:-/tmp}/weightbench-bench}
rounds=${WB_BENCH_ROUNDS:-3}
python=$(tests/peers/venv.sh)
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9 # two benchmarks at once would measure each other
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

[ -e "$dir/0.5b" ] || { "$bin/make_model" --shape llama-0.5b --out "$dir/0.5b.part" >&2 && mv "$dir/0.5b.part" "$dir/0.5b"; }
[ -e "$dir/minilm" ] || { "$python" tests/peers/bench_forward.py minilm "$dir/minilm.part" && mv "$dir/minilm.part" "$dir/minilm"; }
sed '/^[[:space:]]*$/d' tests/data/zoo/eval/{english,german,kjv,code}.txt | head -n 640 >"$scratch/lines"

# best FILE: the line of the fastest round.
best() { sort -n "$1" | head -n 1; }

for _ in $(seq "$rounds"); do
    "$bin/forward" score "$dir/0.5b" 8 256 1 >>"$scratch/score"
    "$python" tests/peers/bench_forward.py score "$dir/0.5b" 8 256 1 float32 >>"$scratch/score-f32" 2>/dev/null
    "$python" tests/peers/bench_forward.py score "$dir/0.5b" 8 256 1 bfloat16 >>"$scratch/score-bf16" 2>/dev/null
    "$bin/forward" embed "$dir/minilm" "$scratch/lines" "$scratch/ours" 3 >>"$scratch/embed"
    "$python" tests/peers/bench_forward.py embed "$dir/minilm" "$scratch/lines" "$scratch/theirs" 3 \
        >>"$scratch/embed-f32" 2>/dev/null
    "$bin/forward" stream "$dir/0.5b" 30 >>"$scratch/stream"
done

failed=0
# row WHAT OURS THEIRS BOUND NOTE: how many times faster than THEIRS, at least BOUND ('' for none).
row()
{
    local ratio verdict=pass

    ratio=$(awk -v a="$3" -v b="$2" 'BEGIN { printf "%.2f", a / b }')
    if [ -z "$4" ]; then
        verdict=
    elif awk -v r="$ratio" -v b="$4" 'BEGIN { exit !(r < b) }'; then
        verdict=FAIL failed=1
    fi
    echo "| $1 | $2 s | $3 s | $ratio x | ${4:+$4 x} | $verdict | $5 |"
}

table()
{
    local seconds tokens nll sentences other

    echo "transformers $("$python" -c 'import importlib.metadata as m; print(m.version("transformers"), "torch", m.version("torch"))')," \
        "$(nproc) processors, best of $rounds"
    echo
    echo '| what | weightbench | peer | faster | bound | | |'
    echo '| --- | --- | --- | --- | --- | --- | --- |'
    read -r seconds tokens nll < <(best "$scratch/score")
    read -r other _ other_nll < <(best "$scratch/score-f32")
    row "loss of $tokens tokens, 0.5 B model in BF16, float32 arithmetic; torch float32" "$seconds" "$other" 1.0 \
        "NLL $nll and $other_nll"
    read -r other _ other_nll < <(best "$scratch/score-bf16")
    row 'the same; torch bfloat16' "$seconds" "$other" '' "NLL $other_nll"
    read -r seconds sentences tokens < <(best "$scratch/embed")
    read -r other _ other_tokens < <(best "$scratch/embed-f32")
    cosine=$("$python" tests/peers/bench_forward.py agree "$scratch/ours" "$scratch/theirs" 384)
    row "all-MiniLM-L6-v2: $sentences sentences embedded; torch float32" "$seconds" "$other" 1.0 \
        "$tokens and $other_tokens tokens, smallest cosine $cosine"
    awk -v c="$cosine" 'BEGIN { exit !(c < 0.99999) }' && failed=1
    read -r seconds other _ < <(best "$scratch/stream")
    row '0.5 B model, a token generated; reading its weights once' "$seconds" "$other" 0.77 \
        "$(awk -v a="$seconds" -v b="$other" 'BEGIN { printf "%.2f", a / b }') of the reading time, bound 1.3"
}

table >"$tables/bench-forward.md" # not through a pipe: it sets $failed
cat "$tables/bench-forward.md"
exit $failed
