#!/usr/bin/env bash
# Print the python of a virtual environment with requirements.txt in it; made on first use.
#
# It takes about 6 GB under WB_PEERS_VENV (PyPI's torch brings its GPU libraries with it).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${WB_PEERS_VENV:-${WB_BENCH_DIR:-${TMPDIR:-/tmp}/weightbench-bench}/venv}

if ! cmp -s "$here/requirements.txt" "$venv/ready"; then
    for python in python3.12 python3.11 python3.10 python3; do
        ! "$python" -c 'import ensurepip, venv' 2>/dev/null || break
    done
    "$python" -c 'import ensurepip, venv' 2>/dev/null || {
        echo "peers: no Python with venv; on Debian: apt-get install python3-venv" >&2
        exit 1
    }
    echo "peers: installing into $venv" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/pip" install -q --no-cache-dir -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$venv/ready"
fi
echo "$venv/bin/python"
