#!/usr/bin/env bash
# No shipped Lua file writes a global: luac lists such a write as SETTABUP with _ENV.
set -u
bad=0

luac=$(command -v luac5.4 || command -v luac) || { echo "luac is missing"; exit 1; }
while IFS= read -r file; do
    if ! listing=$("$luac" -l -p "$file" 2>&1); then
        printf '%s\n' "$listing"
        bad=1
    elif writes=$(printf '%s\n' "$listing" | grep 'SETTABUP.*_ENV'); then
        printf '%s writes a global:\n%s\n' "$file" "$writes"
        bad=1
    fi
done < <(find lua plugins views tests/data -name '*.lua' | sort)
exit $bad
