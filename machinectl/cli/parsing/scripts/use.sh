# `machinectl use` for bash, 3.2 and later, and zsh. Every command has a backslash before it, so that it is not somebody's
# alias, every value is quoted, whatever IFS is, and nothing fails on the way that `set -e` or `set -u` would end the shell
# for. In zsh, each function has zsh's own options, and arrays that begin at 0. What a record or a variable holds is never
# evaluated.

# An alias, such as led past systemd's machinectl, would hide the function.
\unalias machinectl 2>/dev/null || \builtin true
function machinectl {
    case "${1-}" in
        use)
            \shift 1
            __machinectl_use '' "$@"
            \return
            ;;
        -s | -storage-path | --storage-path)
            if [[ ${3-} == use ]]; then
                __machinectl_use "$2" "${@:4}"
                \return
            fi
            ;;
        -s=* | -storage-path=* | --storage-path=*)
            if [[ ${2-} == use ]]; then
                __machinectl_use "${1#*=}" "${@:3}"
                \return
            fi
            ;;
        -s?*)
            if [[ ${2-} == use ]]; then
                __machinectl_use "${1#-s}" "${@:3}"
                \return
            fi
            ;;
    esac
    \command @PROGRAM@ "$@"
}

# The store ("" is the usual one), and what follows `use`.
__machinectl_use() {
    [[ -z ${ZSH_VERSION-} ]] || \builtin emulate -L zsh -o ksh_arrays
    \local root="$1" url='' tls='' directory='' text=''
    \local -a before now
    \shift 1
    now=()
    __machinectl_look
    before=("${now[@]}")
    case "$#:${1-}" in
        1:-u | 1:--unset) __machinectl_set '' '' '' '' ;;
        1:-)
            if [[ -z ${__machinectl_before+set} ]]; then
                \builtin printf 'Error: No machine was used before in this shell\n  Name one: machinectl use <NAME>\n' >&2
                \return 1
            fi
            # A machine's certificates are beside its record.
            directory="${__machinectl_before[2]#=}"
            if [[ -n $directory && ! -e $directory && ${__machinectl_before[3]} == '='?* ]]; then
                \builtin printf 'Error: Docker machine "%s" does not exist any more\n  Name one: machinectl use <NAME>\n' \
                    "${__machinectl_before[3]#=}" >&2
                \return 1
            fi
            __machinectl_set "${__machinectl_before[@]}"
            \builtin printf 'docker: %s\n' "${DOCKER_MACHINE_NAME:-${DOCKER_HOST:-no machine}}" >&2
            ;;
        *:-h | *:--help)
            \command @PROGRAM@ use --help
            \return
            ;;
        *:-*)
            \builtin printf 'Error: No such option: %s\n  machinectl use --help\n' "$1" >&2
            \return 2
            ;;
        *)
            if [[ $# -eq 1 ]] && __machinectl_read "$root" "$1"; then
                __machinectl_set "${tls:+=1}" "=$url" "${tls:+=$directory}" "=$1"
            else
                if [[ -n $root ]]; then
                    text=$(\command @PROGRAM@ -s "$root" use --shell=@SHELL@ "$@") || \return "$?"
                else
                    text=$(\command @PROGRAM@ use --shell=@SHELL@ "$@") || \return "$?"
                fi
                \eval "$text"
            fi
            if [[ -n ${DOCKER_CONTEXT-} ]]; then
                \builtin printf '%s\n' "Warning: DOCKER_CONTEXT=$DOCKER_CONTEXT is set, too, and some tools put it first" \
                    '  Take it away: unset DOCKER_CONTEXT' >&2
            fi
            ;;
    esac
    __machinectl_used="${DOCKER_MACHINE_NAME-} ${DOCKER_HOST-}"
    __machinectl_look
    # Who uses the same machine again goes back to the one before it all the same.
    if [[ "${now[0]} ${now[1]} ${now[2]} ${now[3]}" != "${before[0]} ${before[1]} ${before[2]} ${before[3]}" ]]; then
        __machinectl_before=("${before[@]}")
    fi
}

# The four variables as they are, into `now`: "=VALUE", or "" for one that is not set.
__machinectl_look() {
    now=(
        "${DOCKER_TLS_VERIFY+=$DOCKER_TLS_VERIFY}" "${DOCKER_HOST+=$DOCKER_HOST}"
        "${DOCKER_CERT_PATH+=$DOCKER_CERT_PATH}" "${DOCKER_MACHINE_NAME+=$DOCKER_MACHINE_NAME}"
    )
}

# Set them to what `__machinectl_look` found.
__machinectl_set() {
    [[ -z ${ZSH_VERSION-} ]] || \builtin emulate -L zsh -o ksh_arrays
    \local variable=''
    for variable in DOCKER_TLS_VERIFY DOCKER_HOST DOCKER_CERT_PATH DOCKER_MACHINE_NAME; do
        if [[ -n $1 ]]; then
            \export "$variable$1"
        else
            \unset -v "$variable"
        fi
        \shift 1
    done
}

# Read a machine's record into `url`, `tls` and `directory`. It fails wherever `machinectl env` might say otherwise: it
# knows one machine, ready, in a record as machinectl writes it (machinectl/machines/record.py: a line a key, four blanks
# before it; url, tls and phase follow each other), and a path that says where it is in one way only.
__machinectl_read() {
    [[ -z ${ZSH_VERSION-} ]] || \builtin emulate -L zsh -o ksh_arrays
    \local root="${1:-${MACHINE_STORAGE_PATH:-}}" name="$2" line='' at=0 begin='    "url": "' end='",'
    \local -a lines
    lines=()
    if [[ -z $root && -n ${XDG_DATA_HOME-} ]]; then
        root="$XDG_DATA_HOME/machinectl"
        case "$XDG_DATA_HOME" in *[![:graph:]]) \return 1 ;; esac
    fi
    root="${root:-${HOME-?}/.local/share/machinectl}"
    case "$root" in /?*) ;; *) \return 1 ;; esac
    case "$root/" in *//* | */./* | */../*) \return 1 ;; esac
    case "$name" in
        '' | [-.]* | *[!0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-]*) \return 1 ;;
    esac
    directory="$root/machines/$name"
    if [[ ! -f $directory/machine.json || ! -r $directory/machine.json || -e $directory/pending || -L $directory/pending ]]
    then
        \return 1
    fi
    # No machine's has more, and none a NUL: a hole of many GB would be kept in memory.
    if [[ -n ${ZSH_VERSION-} ]]; then
        \builtin eval 'lines=("$directory"/machine.json(N-L-1000000))'
        if [[ ${#lines[@]} -eq 0 ]]; then \return 1; fi
        lines=()
    elif IFS= \read -r -d '' -n 1000000 line 2>/dev/null <"$directory/machine.json"; then
        \return 1
    fi
    while IFS= \read -r line; do lines[${#lines[@]}]="$line"; done <"$directory/machine.json"
    case "${lines[0]-}${lines[1]-}${lines[2]-}" in '{    "schema": 1,    "driver": "'*'",') ;; *) \return 1 ;; esac
    case "${lines[2]-}" in *[!\ 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\",:._-]*) \return 1 ;; esac
    if [[ ${lines[${#lines[@]} - 1]} != '}' ]]; then \return 1; fi
    while [[ ${lines[at]-} != "$begin"* ]]; do
        at=$((at + 1))
        if [[ $at -ge ${#lines[@]} ]]; then \return 1; fi
    done
    case "${lines[at + 1]-}" in '    "tls": true,') tls=1 ;; '    "tls": false,') ;; *) \return 1 ;; esac
    if [[ ${lines[at + 2]-} != '    "phase": "ready",' || ${lines[at]} != *"$end" ]]; then \return 1; fi
    url="${lines[at]#"$begin"}"
    url="${url%"$end"}"
    case "$url" in
        '' | *://-* | *@-* | *[!0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:/@._%~+,=\[\]-]*) \return 1 ;;
    esac
}

# For a prompt of your own: the machine that docker speaks to, by a format (usually '(%s) '), or nothing.
machinectl_prompt() {
    [[ -z ${ZSH_VERSION-} ]] || \builtin emulate -L zsh -o ksh_arrays
    \local segment=''
    __machinectl_segment "${1-}"
    \builtin printf '%s' "$segment"
}

# The same into `segment`. What is no machine's name goes into no prompt, where it might run; and where DOCKER_HOST was
# set to something else since, docker does not speak to the machine.
__machinectl_segment() {
    [[ -z ${ZSH_VERSION-} ]] || \builtin emulate -L zsh -o ksh_arrays
    \local name="${DOCKER_MACHINE_NAME-}"
    segment=''
    case "${DOCKER_HOST:+$name}" in
        '' | [-.]* | *[!0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-]*) \return 0 ;;
    esac
    case "${__machinectl_used-}" in
        "$name $DOCKER_HOST") ;;
        "$name "*) \return 0 ;;
    esac
    \builtin printf -v segment -- "${1:-(%s) }" "$name"
}
