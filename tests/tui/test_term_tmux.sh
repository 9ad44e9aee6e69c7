#!/usr/bin/env bash
# The terminal layer in tmux: a shell with job control, resizes, a mouse, a crash, tiers.
set -u
. tests/tui/tmux.sh
command -v tmux >/dev/null || { echo "1..0 # SKIP no tmux"; exit 0; }

demo="${BUILD:-build}/tests/tui/test_term demo"
n=0 bad=0

# ok NAME COMMAND...: what the command gives is the result.
ok()
{
    local name=$1
    shift
    n=$((n + 1))
    if "$@"; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        tui_screen | sed 's/^/# |/'
        bad=1
    fi
}

# shellcheck disable=SC2317 # called by ok
is()
{
    [ "$1" = "$2" ] || { echo "# '$1', not '$2'"; false; }
}

# shellcheck disable=SC2317 # called by ok
shows()
{
    tui_screen | grep -Eq -- "$1"
}

settings=$tui_dir/settings
unchanged()
{
    tui_run "stty -g | cmp - $settings && echo same''settings"
    tui_wait '^samesettings'
}

tui_start 100 30
tui_run "stty -g >$settings; clear"
tui_run "$demo"
tui_wait 'demo 100x30 256 utf8'
tui_wait '^>   0 ä 漢字\| {85} !$|^>   0 ä 漢字\| +!$'
ok 'the alternate screen, and no cursor' is "$(tui_state)" '1 0'
tui_keys j j M-x
tui_wait 'key M-x\.'
ok 'the cursor moved' shows '^>   2 '
tui_keys BTab
tui_wait 'key S-Tab\.'
tui_keys Escape
tui_wait 'key Esc\.'

tui_resize 80 24
tui_wait 'resize 80x24\.'
ok 'a smaller window is filled to its last row' shows '^   20 ä'
tui_resize 120 40
tui_wait 'resize 120x40\.'
ok 'a larger one, too' shows '^   36 ä'

tui set-buffer 'pasted q'
tui paste-buffer -p
tui_wait 'paste q\.'

tui_keys C-z
tui_wait '^ready> *$'
ok 'stopped: the shell has its screen' is "$(tui_state)" '0 1'
unchanged
tui_run 'fg'
tui_wait 'demo 120x40'
tui_wait '^>   2 '
ok 'back on its own screen' is "$(tui_state)" '1 0'

tui_keys q
tui_wait '^ready> *$'
ok 'ended: the shell has its screen' is "$(tui_state)" '0 1'
unchanged
ok 'settings are as before' shows '^samesettings'

if [ -z "${SAN:-}" ]; then
    tui_run clear
    tui_run "$demo"
    tui_wait 'demo 120x40'
    tui_keys S
    tui_wait 'Segmentation fault'
    ok 'crashed: the shell has its screen' is "$(tui_state)" '0 1'
    unchanged
else
    echo "ok $((n += 1)) - crashed # SKIP a sanitizer takes the signal for its report"
fi

tui_run clear
tui_run "TERM=dumb $demo; echo status \$?"
tui_wait '^status 2'
ok 'TERM=dumb is refused with a hint' shows 'weightbench help'
tui_run clear
tui_run "NO_COLOR=1 $demo"
tui_wait 'demo 120x40 mono'
tui_keys q
tui_wait '^ready> *$'

echo "1..$n"
exit $bad
