#!/usr/bin/env bash
# Run test programs and checks: run.sh [-j JOBS] [-t SECONDS] PROGRAM...
#
# A program says what it tested in TAP lines ("ok 1 - name", "not ok 2 - name"), as cmocka does
# when asked; one without such lines is one test, passed when it exits 0. A crash, a time-out and
# a failure that no line tells of count as one failed test. Each runs with the root of the
# repository as working directory, and a TMPDIR of its own; outputs appear in the order given.
# The last line is exactly "N passed, N failed"; the exit status is 0 when nothing failed.
set -u

cd "$(dirname "$0")/.." || exit 1
jobs=2 limit=900
while getopts j:t: option; do
    case $option in
    j) jobs=$OPTARG ;;
    t) limit=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

scratch=$(mktemp -d "${TMPDIR:-/tmp}/weightbench-tests.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# The same program and the same surroundings for everyone, whatever the user's are.
export WEIGHTBENCH=${WEIGHTBENCH:-$PWD/weightbench} WEIGHTBENCH_SHARE=$PWD
export XDG_DATA_HOME=$scratch/data-home CMOCKA_MESSAGE_OUTPUT=TAP LC_ALL=C.UTF-8
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export OPENBLAS_NUM_THREADS=1 # as the program has it: threads of its own are invisible to ThreadSanitizer
unset HF_HOME HF_HUB_CACHE WB_KERNELS
# OpenBLAS' kernels too are those that the program takes, which corrects what the library takes for old.
core=$("$WEIGHTBENCH" --version 2>/dev/null | sed -n 's/.*OpenBLAS \([A-Za-z]*\).*/\1/p')
[ -z "$core" ] || export OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-$core}

# Run program $2 as number $1: its output, exit status and seconds go to files.
run_one()
{
    local dir=$scratch/$1 start=$EPOCHREALTIME status

    mkdir -p "$dir/tmp"
    { TMPDIR=$dir/tmp timeout -k 10 "$limit" "$2" >"$dir/out" 2>&1 </dev/null; } 2>/dev/null
    status=$?
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", b - a }' >"$dir/seconds"
    rm -rf "$dir/tmp"
    echo "$status" >"$dir/status.new"
    mv "$dir/status.new" "$dir/status" # whole or not at all: others wait for it
}

passed=0 failed=0 skipped=0

# Count and show program $2, number $1, which has ended.
report()
{
    local dir=$scratch/$1 status ok bad skip why=
    status=$(cat "$dir/status" 2>/dev/null || echo 1)
    skip=$(grep -Ec '^(not )?ok\b.*# SKIP' "$dir/out")
    ok=$(grep -E '^ok\b' "$dir/out" | grep -vc '# SKIP')
    bad=$(grep -E '^not ok\b' "$dir/out" | grep -vc '# SKIP')

    if [ "$status" -gt 123 ] && [ "$(cut -d. -f1 "$dir/seconds")" -ge "$limit" ]; then
        why="stopped after $limit seconds"
    elif [ "$status" -gt 128 ]; then
        why="killed by SIG$(kill -l $((status - 128)))"
    elif [ "$status" -ne 0 ]; then
        why="exit status $status"
    fi
    if [ -n "$why" ] && { [ "$bad" -eq 0 ] || [ "$status" -gt 123 ]; }; then
        bad=$((bad + 1))
    elif [ $((ok + bad + skip)) -eq 0 ]; then
        ok=1
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))

    if [ "$bad" -gt 0 ]; then
        printf 'FAIL %-44s %4d passed, %d failed  %6s s  %s\n' "$2" "$ok" "$bad" "$(cat "$dir/seconds")" "$why"
        grep -vE '^(ok\b|1\.\.[0-9]+$|# ok)' "$dir/out" | tail -n 200 | sed 's/^/    /'
    else
        printf 'ok   %-44s %4d passed%s  %6s s\n' "$2" "$ok" "$([ "$skip" -eq 0 ] || echo ", $skip skipped")" \
            "$(cat "$dir/seconds")"
        grep -E '^(not )?ok\b.*# SKIP' "$dir/out" | sed 's/^/    /'
    fi
}

programs=("$@")
next=0 # the first one not yet shown
show_ended()
{
    while [ "$next" -lt "${#programs[@]}" ] && [ -e "$scratch/$next/status" ]; do
        report "$next" "${programs[next]}"
        next=$((next + 1))
    done
}

for i in "${!programs[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
        wait -n
        show_ended
    done
    run_one "$i" "${programs[i]}" &
done
wait
show_ended

[ "$skipped" -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
