#!/usr/bin/env bash
# Install what is missing, and nothing else: setup.sh build | check | lint.
#
# Quick when all is there. On Debian and Ubuntu what is missing comes by apt-get (through sudo
# when not root); elsewhere, or with WB_NO_INSTALL=1, the list is printed and that is that.
set -eu

what=${1:-check}

# What must be there, and the Debian package that brings it.
programs='cc:gcc ar:binutils pkg-config:pkg-config make:make'
modules='lua5.4:liblua5.4-dev openblas:libopenblas-dev lapacke:liblapacke-dev
         libcjson:libcjson-dev libxxhash:libxxhash-dev libcrypto:libssl-dev ncursesw:libncurses-dev
         libpcre2-8:libpcre2-dev libutf8proc:libutf8proc-dev'
case $what in
build) ;;
check)
    programs="$programs luac5.4:lua5.4 luacheck:lua-check shellcheck:shellcheck tmux:tmux"
    modules="$modules cmocka:libcmocka-dev"
    ;;
lint)
    programs="$programs luac5.4:lua5.4 luacheck:lua-check shellcheck:shellcheck clang-format:clang-format
              clang-tidy:clang-tidy cppcheck:cppcheck"
    modules="$modules cmocka:libcmocka-dev"
    ;;
*)
    echo "usage: tests/setup.sh build|check|lint" >&2
    exit 2
    ;;
esac

# A compiler that the user named with CC is one, whatever its name.
has_program()
{
    if [ "$1" = cc ] && [ -n "${CC:-}" ]; then
        command -v "${CC%% *}" >/dev/null
    else
        command -v "$1" >/dev/null
    fi
}

missing()
{
    local pair names=

    for pair in $programs; do
        has_program "${pair%%:*}" || echo "${pair#*:}"
    done
    if ! command -v pkg-config >/dev/null; then # then nobody can tell: name them all
        for pair in $modules; do echo "${pair#*:}"; done
        [ -e /usr/include/stdio.h ] || echo libc6-dev
        return
    fi
    for pair in $modules; do names="$names ${pair%%:*}"; done
    # shellcheck disable=SC2086 # a list of words
    if ! pkg-config --exists $names; then
        for pair in $modules; do
            pkg-config --exists "${pair%%:*}" || echo "${pair#*:}"
        done
    fi
    [ -e /usr/include/stdio.h ] || [ "$(uname)" != Linux ] || echo libc6-dev
}

need=$(missing)
[ -n "$need" ] || exit 0
need=$(echo "$need" | sort -u | tr '\n' ' ')

stop()
{
    echo "weightbench: $1" >&2
    echo "weightbench: missing (names of Debian packages): $need" >&2
    exit 1
}

command -v apt-get >/dev/null || stop "no apt-get here; please install what these packages bring, then try again"
[ -z "${WB_NO_INSTALL:-}" ] || stop "nothing is installed because WB_NO_INSTALL is set"

root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || stop "not root, and no sudo"
    root=(sudo)
fi

apt()
{
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2
}

echo "weightbench: installing $need" >&2
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt update || stop "apt-get update failed"
# Old lists name packages that the mirror has dropped: then fresh ones, once.
# shellcheck disable=SC2086 # a list of words
apt install -y --no-install-recommends $need ||
    { apt update && apt install -y --no-install-recommends $need; } || stop "apt-get could not install them"
