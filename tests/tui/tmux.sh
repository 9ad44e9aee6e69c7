# shellcheck shell=bash
# tests/tui/tmux.sh - to be sourced: drive a program in tmux, on a server of the test's own.
#
#     . tests/tui/tmux.sh
#     tui_start 100 30
#     tui_run ./weightbench tests/data/zoo/base
#     tui_wait '1 Models'
#     tui_keys j j Enter
#     tui_screen | grep …
#
# The shell in it prompts "ready> ". Waits look at the screen ten times a second and give up after
# a minute, showing it. The server ends with the test.

export LC_ALL=C.UTF-8 TZ=UTC
unset TMUX NO_COLOR COLORTERM ESCDELAY
tui_socket=wb$$
tui_dir=$(mktemp -d "${TMPDIR:-/tmp}/tui.XXXXXX") || exit 1
export TMUX_TMPDIR=$tui_dir

tui()
{
    tmux -L "$tui_socket" -f /dev/null "$@"
}

tui_end()
{
    tui kill-server 2>/dev/null
    rm -rf "$tui_dir"
}
trap tui_end EXIT

# tui_start COLUMNS ROWS [NAME=VALUE...]: a shell on a screen of that size.
tui_start()
{
    local columns=$1 rows=$2
    shift 2
    tui new-session -d -x "$columns" -y "$rows" "env PS1='ready> ' ENV= $* sh" || exit 1
    tui_wait '^ready>'
}

# What stands on the screen, a line a row.
tui_screen()
{
    tui capture-pane -p
}

# The same with escape sequences for colours and attributes.
tui_colours()
{
    tui capture-pane -pe
}

# tui_keys KEY...: keys by tmux's names (Enter, C-c, M-x, Down); others as text.
tui_keys()
{
    tui send-keys "$@"
}

# tui_text TEXT: typed letter by letter.
tui_text()
{
    tui send-keys -l -- "$1"
}

# tui_run COMMAND: a line for the shell.
tui_run()
{
    tui_text "$*"
    tui_keys Enter
}

tui_resize()
{
    tui resize-window -x "$1" -y "$2"
}

# tui_wait PATTERN: until a row matches (grep -E); ends the test when none does.
tui_wait()
{
    local i=0

    until tui_screen | grep -Eq -- "$1"; do
        i=$((i + 1))
        if [ $i -ge 600 ]; then
            echo "# waited for: $1"
            tui_screen | sed 's/^/# |/'
            exit 1
        fi
        sleep 0.1
    done
}

# "0 1": the shell's own screen, its cursor shown; "1 0" while a full-screen program hides it.
tui_state()
{
    tui display -p '#{alternate_on} #{cursor_flag}'
}
