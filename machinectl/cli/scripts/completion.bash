# Completion of machinectl for bash, 3.2 and later: each Tab asks machinectl what may follow.
# machinectl prints a line NAME, tab, ABOUT for each candidate, then `:` and a sum: 2 no blank, 4 no files, 16 directories.

_machinectl() {
    \local IFS=$' \t\n' word='' line='' cur='' whole='' beginning='' directive=0 kind=-f
    \local -a words
    words=()
    COMPREPLY=()
    # bash splits words at =, : and @, too: those without a blank between them are one.
    line="${COMP_LINE#*"${COMP_WORDS[0]}"}"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ -n $word && ${#words[@]} -gt 0 && $line == "$word"* ]]; then
            words[${#words[@]} - 1]+="$word"
        else
            words[${#words[@]}]="$word"
        fi
        line="${line#*"$word"}"
    done
    whole="${words[${#words[@]} - 1]-}"
    cur="$whole"
    case "$whole" in
        -*=*)
            beginning="${whole%%=*}="
            cur="${whole#*=}"
            ;;
    esac
    while IFS=$'\t' \read -r word _; do
        case "$word" in
            :*) directive="${word#:}" ;;
            *) COMPREPLY[${#COMPREPLY[@]}]="$beginning$word" ;;
        esac
    done < <(machinectl docker-cli-plugin __complete machine "${words[@]//[\"\'\\]/}" 2>/dev/null </dev/null)
    if [[ $((directive & 2)) -ne 0 ]]; then \compopt -o nospace 2>/dev/null || \:; fi
    if [[ $((directive & 4)) -eq 0 ]]; then
        if [[ $((directive & 16)) -ne 0 ]]; then kind=-d; fi
        if [[ ${#COMPREPLY[@]} -eq 0 ]]; then \compopt -o filenames 2>/dev/null || \:; fi
        while IFS= \read -r word; do
            # Beside other candidates, bash quotes no file.
            if [[ $((directive & 2)) -ne 0 ]]; then
                if [[ -d $word ]]; then word+=/; fi
                \printf -v word %q "$word"
            fi
            COMPREPLY[${#COMPREPLY[@]}]="$beginning$word"
        done < <(\compgen "$kind" -- "$cur")
    fi
    # A candidate replaces only the last part of the word, if bash has split it.
    COMPREPLY=(${COMPREPLY[@]+"${COMPREPLY[@]#"${whole%"${2-}"}"}"})
}

\complete -F _machinectl machinectl
