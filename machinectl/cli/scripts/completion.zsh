#compdef machinectl
# Completion of machinectl for zsh: each Tab asks machinectl what may follow.
# machinectl prints a line NAME, tab, ABOUT for each candidate, then `:` and a sum: 2 no blank, 4 no files, 16 directories.

_machinectl() {
    \local line directive=0 found=1
    \local -a rows options
    for line in "${(@f)$(machinectl docker-cli-plugin __complete machine "${(Q@)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}"; do
        if [[ "$line" == :* ]]; then
            directive="${line#:}"
        elif [[ -n "$line" ]]; then
            # _describe splits at the first colon without a backslash.
            rows+=("${${line%%$'\t'*}//:/\\:}${${(M)line%%$'\t'*}:+:${line#*$'\t'}}")
        fi
    done
    if [[ "$PREFIX" == -*=* ]]; then \compset -P 1 '*='; fi
    if (( directive & 2 )); then options=(-S ''); fi
    if (( ${#rows} )) && _describe -t values value rows "${options[@]}"; then found=0; fi
    if (( ! (directive & 4) )); then
        if (( directive & 16 )); then options=(-/); else options=(); fi
        if _files "${options[@]}"; then found=0; fi
    fi
    \return found
}

# Complete a link of the name docker-machine, too, if it leads to us.
__machinectl_register() {
    compdef _machinectl machinectl
    if [[ "${commands[docker-machine]:A:t}" == machinectl ]]; then compdef _machinectl docker-machine; fi
}

# zsh loads this file as the function, or a start-up file reads it, maybe before compinit.
if [[ "${funcstack[1]-}" == _machinectl ]]; then
    _machinectl "$@"
elif (( ${+functions[compdef]} )); then
    __machinectl_register
else
    __machinectl_compdef() {
        precmd_functions=("${(@)precmd_functions:#__machinectl_compdef}")
        if (( ${+functions[compdef]} )); then __machinectl_register; fi
    }
    \builtin typeset -ga precmd_functions
    precmd_functions+=(__machinectl_compdef)
fi
