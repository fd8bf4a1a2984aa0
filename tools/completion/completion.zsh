#compdef machinectl
# Completion of machinectl, which makes servers Docker hosts, for zsh. systemd's machinectl is another one.
# machinectl itself is asked only for drivers, once in a shell, and for labels, images, containers, builders and holders.

_machinectl() {
    \local word verb= root= driver="${MACHINE_DRIVER-}" flag= kind= value= machines= expl
    \local -a verbs flags arguments given
    __machinectl_table ''
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ -n "$kind" ]]; then
            value="$word"
            kind=
        elif [[ "$word" == -- && "$verb" == (run|docker|socket) ]]; then
            # What is to be run is another program's, and files are what it may be about.
            _files
            \return
        elif [[ "$word" == -*=* ]]; then
            flag="${word%%=*}"
            value="${word#*=}"
        elif [[ "$word" == -* ]]; then
            flag="$word"
            __machinectl_kind
            \continue
        elif (( ! ${#verbs} )); then
            __machinectl_directory
            if [[ "$verb" == (run|docker) && "$word" != *[*[]* && ! -d "$machines/${(Q)word}" ]]; then
                # The command has begun.
                _files
                \return
            fi
            given+=("$word")
            \continue
        else
            if __machinectl_table "${verb:+$verb }$word"; then
                verb="${verb:+$verb }$word"
            elif (( ! ${#arguments} )); then
                \return 1
            else
                verbs=()
                given+=("$word")
            fi
            \continue
        fi
        case "$verb $flag" in
            (' -s'|' --storage-path') root="$value" ;;
            ('create -d'|'create --driver') driver="$value" ;;
        esac
    done
    if [[ -n "$kind" ]]; then
        __machinectl_offer "$kind"
    elif [[ "$PREFIX" == -*=* ]]; then
        flag="${PREFIX%%=*}"
        __machinectl_kind
        \compset -P 1 '*='
        __machinectl_offer "$kind"
    elif [[ "$PREFIX" == -* ]]; then
        __machinectl_add_driver
        __machinectl_describe options -o option "${flags[@]}"
    elif (( ${#verbs} )); then
        __machinectl_describe commands command "${verbs[@]}"
        if (( ${#arguments} )); then __machinectl_offer "${arguments[1]%...}"; fi
    elif (( ${#given} < ${#arguments} )); then
        __machinectl_offer "${arguments[${#given} + 1]%...}"
    elif [[ "${arguments[-1]-}" == *... ]]; then
        __machinectl_offer "${arguments[-1]%...}"
    else
        \return 1
    fi
}

# Offer words, each with what it is for behind a tab.
__machinectl_describe() {
    \local row name option
    \local -a rows
    for row in "${@:3}"; do
        name="${${row%%$'\t'*}%%=*}"
        rows+=("${name//:/\\:}:${row#*$'\t'}")
    done
    if [[ "$2" == -o ]]; then
        rows=("${(@)rows[2,-1]}")
        _describe -t "$1" -o "$3" rows
    else
        _describe -t "$1" "$2" rows
    fi
}

# What the value of `flag` is, into `kind`; "" where it takes none.
__machinectl_kind() {
    kind=
    \local row
    if (( ! ${(M)#flags:#$flag(=|$'\t')*} )); then __machinectl_add_driver; fi
    for row in "${flags[@]%%$'\t'*}"; do
        if [[ "$row" == "$flag"=* ]]; then kind="${row#*=}"; fi
    done
}

# Offer what is of a kind.
__machinectl_offer() {
    \local row
    \local -a found
    case "$1" in
        (TEXT|'') \return 1 ;;
        (MACHINE) __machinectl_machines ;;
        (LABEL)
            found=("${(@f)$(machinectl docker-cli-plugin __complete machine ${root:+-s} ${root:+"${(Q)root}"} ls --selector "$PREFIX" 2>/dev/null </dev/null)}")
            found=(${(M)found:#[0-9A-Za-z][0-9A-Za-z=._/,!-]#})
            _wanted labels expl label compadd -S '' -a found
            ;;
        (IMAGE|CONTAINER|BUILDER|HOLDER)
            found=("${(@f)$(machinectl docker-cli-plugin __complete machine "${(Q@)words[2,CURRENT-1]}" "$IPREFIX$PREFIX" 2>/dev/null </dev/null)}")
            found=(${(M)found:#[0-9A-Za-z][0-9A-Za-z@:._/+-]#})
            _wanted names expl "${(L)1}" compadd -a found
            ;;
        (PLACE|REMOTE) __machinectl_places "$1" ;;
        (DIRECTORY) _files -/ ;;
        (FILE) _files ;;
        (DRIVER)
            __machinectl_ask
            for row in "${(@f)__machinectl_options}"; do
                if [[ "$row" != DRIVER\ * ]]; then found+=("${row%% *}"); fi
            done
            found=("${(@u)found}")
            _wanted drivers expl driver compadd -a found
            ;;
        (*)
            found=("${(@s:|:)1}")
            _wanted values expl value compadd -a found
            ;;
    esac
}

# Offer the machines with a colon behind and no blank, as a path comes there; where a PLACE is meant, files beside them.
__machinectl_places() {
    \local -a given
    \local offered=1
    # Paths on a machine are not known here. A colon behind a slash is a path's own.
    if [[ "$PREFIX" == *:* && "${PREFIX%%:*}" != */* ]]; then \return 1; fi
    if [[ "$1" == PLACE ]] && _files; then offered=0; fi
    \compset -P '*@'
    if __machinectl_machines -S :; then offered=0; fi
    \return offered
}

# Where the machines are, into `machines`.
__machinectl_directory() {
    machines="${(Q)root}"
    machines="${machines:-${MACHINE_STORAGE_PATH:-${XDG_DATA_HOME:-${HOME-}/.local/share}/machinectl}}"
    machines="${machines/#\~\//${HOME-}/}/machines"
}

# The machines are directories. What cannot be a machine's name is left out, and so is what was typed already.
__machinectl_machines() {
    \builtin setopt localoptions extendedglob
    \local machines
    \local -a found
    __machinectl_directory
    found=("$machines"/[0-9A-Za-z]*(N-/:t))
    found=(${(M)found:#[0-9A-Za-z.-]##})
    found=(${found:|given})
    _wanted machines expl machine compadd "$@" -a found
}

# Add the options of the named driver to those of `create`; without one, and for `set`, those of all drivers.
__machinectl_add_driver() {
    \local row of option value about
    if [[ "$verb" != (set|create) ]]; then \return 0; fi
    __machinectl_ask
    for row in "${(@f)__machinectl_options}"; do
        IFS=' ' \read -r of option value about <<<"$row"
        if [[ "$option" == --* && ( "$verb" == set || -z "$driver" || "$of" == "$driver" ) ]]; then
            flags+=("$option${${value/#%-/}:+=$value}"$'\t'"$about")
        fi
    done
}

# The drivers and their options: a line DRIVER OPTION VALUE ABOUT for each.
__machinectl_ask() {
    if [[ -z "${__machinectl_options-}" ]]; then
        \builtin typeset -g __machinectl_options="$(machinectl drivers --options 2>/dev/null </dev/null || \builtin print ' ')"
    fi
}

# The words after a verb, its flags with what their values are, and what its arguments are; it fails for what is none.
# TABLE

# Complete a link of the name docker-machine, too, if it leads to us.
__machinectl_register() {
    compdef _machinectl machinectl
    if [[ "${commands[docker-machine]:A:t}" == machinectl ]]; then compdef _machinectl docker-machine; fi
}

# A function of zsh's own that is loaded when it is needed, or read at the start of a shell, before compinit maybe.
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
