#!/usr/bin/env bash
# The direction of dependencies: views -> lua -> app; cli on top; inside app/ only downwards.
set -u
n=0 bad=0

# ok NAME "what is wrong, a line each, or nothing"
ok()
{
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
        bad=1
    fi
}

# Includes of the files in $1 that are none of the folders in $2 (a pattern).
strays()
{
    find "$1" -maxdepth 1 -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include "' {} + |
        grep -vE "include \"($2)/[^/\"]+\""
}

may()
{
    [ ! -d "$1" ] || ok "$1 includes only $(echo "$2" | tr '|' ' ')" "$(strays "$1" "$2")"
}

low='app/core|app/tensor'
graph="$low|app/store|app/arch|app/graph"
may app/core   'app/core'
may app/tensor "$low"
may app/store  "$low|app/store"
may app/arch   "$low|app/arch"
may app/graph  "$graph"
may app/probe  "$graph|app/infer|app/probe"
may app/infer  "$graph|app/infer"
may app/job    "$graph|app/infer|app/probe|app/job"
may app/cli    "$graph|app/infer|app/probe|app/job|app/cli|lua/bind|views"
may lua/bind   "$graph|app/infer|app/probe|app/job|lua/bind"
may views      "$graph|app/infer|app/probe|app/job|lua/bind|views"

ok "no Lua and no curses under app/" \
    "$(grep -rnE 'include *[<"](lua|lualib|lauxlib|n?curses[^/]*)\.h[>"]' app)"
ok "curses only in views/term.c" \
    "$(grep -rnE --include='*.[ch]' 'include *[<"]n?curses[^/]*\.h[>"]' app lua views | grep -v '^views/term\.c:')"

# The engine prints nothing and ends nothing: its library does not even refer to the means.
engine=${BUILD:-build}/libweightbench.a
words='printf|fprintf|vprintf|vfprintf|puts|putchar|fputs|perror|exit|_exit|abort|stdout|stderr|lua_[a-z]+|initscr'
ok "the engine neither prints nor exits" \
    "$(nm -A -u "$engine" | grep -E " (__)?($words)(_chk)?$")"

echo "1..$n"
exit $bad
