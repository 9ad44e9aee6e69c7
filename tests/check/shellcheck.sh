#!/usr/bin/env bash
# Every shell script passes shellcheck.
set -u
mapfile -t scripts < <(find tests -name '*.sh' | sort)
for extra in .ci/run app/cli/weightbench.bash; do
    [ ! -e "$extra" ] || scripts+=("$extra")
done
exec shellcheck "${scripts[@]}"
