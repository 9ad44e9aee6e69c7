#!/usr/bin/env bash
# What `make screenshots` runs: pictures of every screen, taken from the running program.
#
# screenshots.sh NAME...: those alone. Each screen is brought up by a script of keys on the bundled models; an SVG of 120x34 goes to
# views/pictures/, and its text at 80x24 between the marks "<!-- screen NAME -->" of README.md.
set -eu

cd "$(dirname "$0")/.."
weightbench=${WEIGHTBENCH:-$PWD/weightbench}
export WEIGHTBENCH_SHARE=. LC_ALL=C.UTF-8 TZ=UTC # no path of this machine is in a picture
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
models=(tests/data/zoo/base tests/data/zoo/math tests/data/zoo/german tests/data/zoo/code)
mkdir -p views/pictures

# steps NAME: the steps that bring a screen up.
steps()
{
    case $1 in
    models) printf '%s\n' ':go models' 'keys j' 'keys c' ;;
    tensors) printf '%s\n' ':go tensors model.layers.3.mlp.down_proj.weight' ;;
    layers) printf '%s\n' ':model math base' ':go layers' 'keys j j l l' ;;
    states) printf '%s\n' ':model math base' ':go layers' ':text tests/data/zoo/eval/english.txt' 'keys D j j' ;;
    heads) printf '%s\n' ':go heads' ':text tests/data/zoo/eval/english.txt' ':stat previous' 'keys j j l l l' ;;
    attention) printf '%s\n' ':go heads' 'keys j j l l l' ':attend In the beginning God created the heaven and the earth' 'keys z' ;;
    pipeline) printf '%s\n' ':go pipeline' ':knob density 0.3' ;;
    play) printf '%s\n' ':go play' ':prompt The old man looked at his wife and said' 'keys p' 'keys Tab Tab g > > >' ;;
    run) printf '%s\n' ":run $scratch/merged" ':go run' ;;
    parameters) printf '%s\n' ':go parameters' 'keys /' 'type density' 'keys Enter Tab j j' ;;
    problems) printf '%s\n' ':go problems' ;;
    plugins) printf '%s\n' ':go plugins' 'keys /' 'type ties' 'keys Enter' ;;
    console) printf '%s\n' ':lua model:tensor("model.norm.weight"):norm():value()' ;;
    *) return 1 ;;
    esac
}

# play NAME SIZE LAST-STEP: its screen.
play()
{
    local pipeline=tests/data/demo/pipeline.lua ask=(--no-behaviour)

    case $1 in
    parameters | problems) pipeline=tests/data/demo/depth.lua ;;
    pipeline) ask=() ;;
    esac
    { steps "$1"; echo wait; echo "$3"; } >"$scratch/keys"
    "$weightbench" --no-session --no-config "${ask[@]}" --script "$scratch/keys" --size "$2" "${models[@]}" "$pipeline" |
        sed "s|$scratch/||g"
    rm -rf "$scratch/merged"
}

# Put a file between the marks of a screen in README.md.
into_readme()
{
    grep -q "<!-- screen $1 -->" README.md || return 0
    { echo '```text'; sed 's/ *$//' "$2"; echo '```'; } >"$scratch/block"
    sed -i -e "/<!-- screen $1 -->/,/<!-- end of screen $1 -->/{//!d}" \
        -e "/<!-- screen $1 -->/r $scratch/block" README.md
}

all=(models tensors layers states heads attention pipeline play run parameters problems plugins console)
[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
    play "$name" 120x34 "dump svg views/pictures/$name.svg" >/dev/null
    sed -i "s|$scratch/||g" "views/pictures/$name.svg"
    play "$name" 80x24 dump >"$scratch/text"
    into_readme "$name" "$scratch/text"
    echo "views/pictures/$name.svg"
done
