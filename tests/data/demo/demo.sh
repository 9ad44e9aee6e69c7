#!/usr/bin/env bash
# What `make demo` runs: on a terminal the workbench, with the bundled models and pipeline open;
# elsewhere (or with WB_DEMO=plain) the same merge by commands, what came out, and how far it is from its
# parents.
set -eu

cd "$(dirname "$0")/../../.."
weightbench=${WEIGHTBENCH:-./weightbench}
out=${1:-build/demo}

if [ -t 0 ] && [ -t 1 ] && [ "${WB_DEMO:-}" != plain ] && [ "${TERM:-dumb}" != dumb ]; then
    exec "$weightbench" --no-session tests/data/zoo/base tests/data/zoo/math tests/data/zoo/german \
        tests/data/zoo/code tests/data/demo/pipeline.lua
fi

# Say what is run, then run it.
step()
{
    printf '\n$ weightbench'
    printf ' %s' "$@"
    printf '\n'
    "$weightbench" "$@"
}

mkdir -p "$(dirname "$out")"
echo "The pipeline, tests/data/demo/pipeline.lua:"
echo
sed 's/^/    /' tests/data/demo/pipeline.lua
step run tests/data/demo/pipeline.lua -o "$out" --force
step show "$out"
step verify "$out"

printf '\nHow far the merge is from its parents, over all weights:\n\n'
printf '  %-8s %12s %12s %12s\n' parent 'l2 distance' relative cosine
for parent in base math german code; do
    "$weightbench" diff "tests/data/zoo/$parent" "$out" |
        awk -v name="$parent" '$1 == "all" { printf "  %-8s %12s %12s %12s\n", name, $2, $3, $4 }'
done

printf '\nThe merged model is in %s. Turn a knob and look again:\n' "$out"
printf '  ./weightbench run tests/data/demo/pipeline.lua -o build/other --set density=0.2\n'
printf '  ./weightbench diff %s build/other\n' "$out"
