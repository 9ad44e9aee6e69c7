# weightbench.bash - completion for bash; commands and options come from the program itself.

_weightbench()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]}
    local long short kind choices words="" value="" choice=""

    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        words=$("$program" help --list 2>/dev/null | cut -f1)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$cur"; compgen -f -- "$cur")
        return
    fi
    if [[ $command == help ]]; then
        words=$("$program" help --list 2>/dev/null | cut -f1)
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    # bash makes three words of --option=value
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" ]] && (( COMP_CWORD > 2 )); then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    # Tabs as separators would run together where a field is empty.
    while IFS=$'\x1f' read -r long short kind choices _; do
        words+=" $long"
        if [[ $prev == "$long" || ( -n $short && $prev == "$short" ) ]]; then
            value=$kind
            choice=$choices
        fi
    done < <("$program" help --list "$command" 2>/dev/null | tr '\t' '\037')
    case $value in
        choice) mapfile -t COMPREPLY < <(compgen -W "$choice" -- "$cur") ;;
        text|bytes|count|number) ;;
        *)
            if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
            elif [[ $command == plugins && $value != file ]]; then
                words=$("$program" plugins 2>/dev/null | awk 'NR > 1 { print $2 }')
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
            else
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            fi
            ;;
    esac
}

complete -F _weightbench weightbench
