#!/usr/bin/env bash
# Does what the README says, literally, and compares what it shows: one test a command.
#
# A ```lua block whose first line is "-- some/file.lua" is saved as that file. In a ```console block
# every line after "$ " is run, and what follows is what it must print; "…" stands for anything.
# All of it happens in one new folder with its own home, where ./weightbench and tests/data are.
set -u

root=$PWD
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/home" "$work/tests"
ln -s "$root/tests/data" "$work/tests/data"
ln -s "${WEIGHTBENCH:-$root/weightbench}" "$work/weightbench"
cd "$work" || exit 1
export HOME=$work/home PATH=$work:$PATH
unset XDG_DATA_HOME

n=0 bad=0

# expect COMMAND OUTPUT: run it; standard output and error must match the output given.
expect()
{
    local printed status pattern

    n=$((n + 1))
    printed=$(bash -c "$1" 2>&1 </dev/null)
    status=$?
    # A pattern of the shell: all quoted, but "…" is "*"; blanks at the ends of lines do not count.
    pattern=$(printf '%s' "$2" | sed 's/[[:space:]]*$//; s/[][\\*?]/\\&/g; s/…/*/g')
    printed=$(printf '%s' "$printed" | sed 's/[[:space:]]*$//')
    # shellcheck disable=SC2053 # a pattern is meant
    if [ $status -eq 0 ] && [[ $printed == $pattern ]]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        echo "# exit status $status; - is the README, + was printed"
        diff <(printf '%s\n' "$2") <(printf '%s\n' "$printed") | sed 's/^</# -/; s/^>/# +/; s/^\([^#]\)/# \1/'
        bad=1
    fi
}

# save TEXT: if its first line names a file, make it.
save()
{
    local file

    file=$(printf '%s' "$1" | sed -n '1s/^-- \(.*\.lua\)$/\1/p')
    [ -n "$file" ] || return 0
    case $file in
    '~'/*) file=$HOME/${file#??} ;;
    esac
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$1" >"$file"
}

kind='' text='' command=''
while IFS= read -r line; do
    case $kind:$line in
    :'```'*) kind=${line#'```'} kind=${kind:-plain} text='' command='' ;;
    *:'```')
        [ "$kind" != lua ] || save "${text%$'\n'}"
        [ -z "$command" ] || expect "$command" "${text%$'\n'}"
        kind='' command=''
        ;;
    console:'$ '*)
        [ -z "$command" ] || expect "$command" "${text%$'\n'}"
        command=${line#'$ '} text=''
        ;;
    :*) ;;
    *) text+=$line$'\n' ;;
    esac
done <"$root/README.md"

echo "1..$n"
exit $bad
