#!/usr/bin/env bash
# What `make bench-peers` runs: weightbench and mergekit on the same models with the same parameters.
#
# The commands take turns, page cache warm, two threads; mergekit runs once (it takes minutes),
# weightbench WB_BENCH_ROUNDS (5) times, and the best counts. Both compute in float32 and write bf16,
# so that the outputs, compared value by value, are the same but for roundings.
set -eu

cd "$(dirname "$0")/../.."
export WEIGHTBENCH_SHARE=$PWD OMP_NUM_THREADS=2
weightbench=${WEIGHTBENCH:-$PWD/weightbench}
tables=$PWD/${BUILD:-build} # bench-peers.md there is what `make readme-tables` puts into README.md
bin=$tables/tests/bench
dir=${WB_BENCH_DIR:-${TMPDIR:-/tmp}/weightbench-bench}
rounds=${WB_BENCH_ROUNDS:-5}
shape=${WB_BENCH_SHAPE:-llama-1b}
python=$(tests/peers/venv.sh)
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9 # two benchmarks at once would measure each other
scratch=$(mktemp -d)
out=$(mktemp -d "$dir/out.XXXXXX")
trap 'rm -rf "$scratch" "$out"' EXIT

case $shape in llama-1b) name=1b ;; *) name=$shape ;; esac

model()
{
    local to=$dir/$name-$1
    shift
    [ -e "$to" ] || { "$bin/make_model" --shape "$shape" "$@" --out "$to.part" >&2 && mv "$to.part" "$to"; }
}

model base --seed 1
model a --seed 2 --delta-from "$dir/$name-base"
model b --seed 3 --delta-from "$dir/$name-base"
model c --seed 4 --delta-from "$dir/$name-base"

models="models = {wb.open '$dir/$name-a', wb.open '$dir/$name-b', wb.open '$dir/$name-c'}"
echo "return wb.merge('linear', {$models})" >"$scratch/linear.lua"
echo "return wb.merge('ties', {base = wb.open '$dir/$name-base', $models, density = 0.5})" >"$scratch/ties.lua"
cat >"$scratch/linear.yml" <<YML
merge_method: linear
dtype: float32
out_dtype: bfloat16
parameters: {weight: 1.0}
models: [{model: $dir/$name-a}, {model: $dir/$name-b}, {model: $dir/$name-c}]
YML
cat >"$scratch/ties.yml" <<YML
merge_method: ties
base_model: $dir/$name-base
dtype: float32
out_dtype: bfloat16
parameters: {density: 0.5, weight: 1.0, normalize: true}
models: [{model: $dir/$name-a}, {model: $dir/$name-b}, {model: $dir/$name-c}]
YML

# timed OUT COMMAND...: seconds of the command; OUT is removed first.
timed()
{
    local result=$1
    shift
    rm -rf "$result"
    sync
    if ! "$bin/measure" "$@" >/dev/null 2>"$scratch/err"; then
        cat "$scratch/err" >&2
        exit 1
    fi
    tail -n 1 "$scratch/err" | cut -d' ' -f1
}

failed=0
table()
{
    echo "mergekit $("$python" -c 'import importlib.metadata as m; print(m.version("mergekit"), "torch", m.version("torch"))')," \
        "$("$weightbench" --version | head -n 1), $(nproc) processors, three models of $shape"
    echo
    echo '| merge | mergekit | weightbench | faster | bound | | values that agree |'
    echo '| --- | --- | --- | --- | --- | --- | --- |'
    for merge in linear ties; do
        [ $merge = linear ] && bound=50 || bound=100
        cat "$dir/$name"-{base,a,b,c}/model.safetensors >/dev/null
        theirs=$(timed "$out/theirs" "$python" -m mergekit.scripts.run_yaml --quiet --no-copy-tokenizer \
            --no-write-model-card -j 2 "$scratch/$merge.yml" "$out/theirs")
        cat "$dir/$name"-{base,a,b,c}/model.safetensors >/dev/null
        ours=$(for _ in $(seq "$rounds"); do
            timed "$out/ours" "$weightbench" run "$scratch/$merge.lua" -o "$out/ours" --threads 2
        done | sort -n | head -n 1)
        ratio=$(awk -v a="$theirs" -v b="$ours" 'BEGIN { printf "%.0f", a / b }')
        verdict=pass
        [ "$ratio" -ge "$bound" ] || { verdict=FAIL failed=1; }
        agree=$("$python" tests/peers/agree.py "$out/theirs" "$out/ours")
        echo "| $merge of three | $theirs s | $ours s | $ratio x | $bound x | $verdict | $agree |"
    done
}

table >"$tables/bench-peers.md" # not through a pipe: it sets $failed
cat "$tables/bench-peers.md"
exit $failed
