# `machinectl use` for zsh. Every command has a backslash before it, so that it is not somebody's alias; `emulate -L`
# has zsh's own options in each function, whatever the shell's are. What a record or a variable holds is never evaluated.

# An alias, such as led past systemd's machinectl, would hide the function.
\unalias machinectl 2>/dev/null || \builtin true
function machinectl {
    case "${1-}" in
        use)
            \shift 1
            __machinectl_use '' "$@"
            \return
            ;;
        -s|-storage-path|--storage-path)
            if [[ "${3-}" == use ]]; then
                __machinectl_use "$2" "${@:4}"
                \return
            fi
            ;;
        -s=*|-storage-path=*|--storage-path=*)
            if [[ "${2-}" == use ]]; then
                __machinectl_use "${1#*=}" "${@:3}"
                \return
            fi
            ;;
        -s?*)
            if [[ "${2-}" == use ]]; then
                __machinectl_use "${1#-s}" "${@:3}"
                \return
            fi
            ;;
    esac
    \command @PROGRAM@ "$@"
}

# The store ("" is the usual one), and what follows `use`.
__machinectl_use() {
    \builtin emulate -L zsh
    \local root="$1" url= tls= directory= text=
    \local -a before now
    \shift 1
    __machinectl_look
    before=("${now[@]}")
    case "$#:${1-}" in
        1:-u|1:--unset) __machinectl_set '' '' '' '' ;;
        1:-)
            if (( ! ${+__machinectl_before} )); then
                \builtin print -u2 'Error: No machine was used before in this shell\n  Name one: machinectl use <NAME>'
                \return 1
            fi
            # A machine's certificates are beside its record.
            directory="${__machinectl_before[3]#=}"
            if [[ -n "$directory" && ! -e "$directory" && "${__machinectl_before[4]}" == '='?* ]]; then
                \builtin print -rlu2 "Error: Docker machine \"${__machinectl_before[4]#=}\" does not exist any more" \
                    '  Name one: machinectl use <NAME>'
                \return 1
            fi
            __machinectl_set "${__machinectl_before[@]}"
            \builtin print -ru2 "docker: ${DOCKER_MACHINE_NAME:-${DOCKER_HOST:-no machine}}"
            ;;
        *:-h|*:--help)
            \command @PROGRAM@ use --help
            \return
            ;;
        *:-*)
            \builtin print -ru2 "Error: No such option: $1"$'\n''  machinectl use --help'
            \return 2
            ;;
        *)
            if [[ $# -eq 1 ]] && __machinectl_read "$root" "$1"; then
                __machinectl_set "${tls:+=1}" "=$url" "${tls:+=$directory}" "=$1"
            else
                if [[ -n "$root" ]]; then
                    text="$(\command @PROGRAM@ -s "$root" use --shell=zsh "$@")" || \return "$?"
                else
                    text="$(\command @PROGRAM@ use --shell=zsh "$@")" || \return "$?"
                fi
                \builtin eval "$text"
            fi
            if [[ -n "${DOCKER_CONTEXT-}" ]]; then
                \builtin print -rlu2 "Warning: DOCKER_CONTEXT=$DOCKER_CONTEXT is set, too, and some tools put it first" \
                    '  Take it away: unset DOCKER_CONTEXT'
            fi
            ;;
    esac
    \builtin typeset -g __machinectl_used="${DOCKER_MACHINE_NAME-} ${DOCKER_HOST-}"
    __machinectl_look
    # Who uses the same machine again goes back to the one before it all the same.
    if [[ "${(j: :)now}" != "${(j: :)before}" ]]; then
        \builtin typeset -ga __machinectl_before
        __machinectl_before=("${before[@]}")
    fi
}

# The four variables as they are, into `now`: "=VALUE", or "" for one that is not set.
__machinectl_look() {
    \builtin emulate -L zsh
    \local variable=
    now=()
    for variable in DOCKER_TLS_VERIFY DOCKER_HOST DOCKER_CERT_PATH DOCKER_MACHINE_NAME; do
        if (( ${(P)+variable} )); then
            now+=("=${(P)variable}")
        else
            now+=('')
        fi
    done
}

# Set them to what `__machinectl_look` found.
__machinectl_set() {
    \builtin emulate -L zsh
    \local variable=
    for variable in DOCKER_TLS_VERIFY DOCKER_HOST DOCKER_CERT_PATH DOCKER_MACHINE_NAME; do
        if [[ -n "$1" ]]; then
            \builtin export "$variable$1"
        else
            \builtin unset "$variable"
        fi
        \shift 1
    done
}

# Read a machine's record into `url`, `tls` and `directory`. It fails wherever `machinectl env` might say otherwise: it
# knows one machine, ready, in a record as machinectl writes it (machinectl/machines/record.py: a line a key, four blanks
# before it; url, tls and phase follow each other), and a path that says where it is in one way only.
__machinectl_read() {
    \builtin emulate -L zsh
    \local root="${1:-${MACHINE_STORAGE_PATH:-}}" name="$2"
    \local -a lines
    \local -i at=1
    if [[ -z "$root" && -n "${XDG_DATA_HOME-}" ]]; then
        root="$XDG_DATA_HOME/machinectl"
        if [[ "$XDG_DATA_HOME" == *[^[:graph:]] ]]; then \return 1; fi
    fi
    root="${root:-${HOME-?}/.local/share/machinectl}"
    if [[ "$root" != /?* || "$root/" == (*//*|*/./*|*/../*) ]]; then \return 1; fi
    case "$name" in
        (''|[-.]*|*[^0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-]*) \return 1 ;;
    esac
    directory="$root/machines/$name"
    if [[ ! -f "$directory/machine.json" || ! -r "$directory/machine.json" ]]; then \return 1; fi
    if [[ -e "$directory/pending" || -L "$directory/pending" ]]; then \return 1; fi
    # No machine's has more: a hole of many GB would be kept in memory.
    lines=("$directory"/machine.json(N-L-1000000))
    if (( ! ${#lines} )); then \return 1; fi
    lines=("${(@f)$(<"$directory/machine.json")}")
    if [[ "${lines[1]}${lines[2]}${lines[3]}" != '{    "schema": 1,    "driver": "'*'",' ]]; then \return 1; fi
    case "${lines[3]}" in
        (*[^\ 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\",:._-]*) \return 1 ;;
    esac
    if [[ "${lines[-1]}" != '}' ]]; then \return 1; fi
    while [[ "${lines[at]}" != '    "url": "'* ]]; do
        at+=1
        if (( at > ${#lines} )); then \return 1; fi
    done
    case "${lines[at + 1]}" in
        ('    "tls": true,') tls=1 ;;
        ('    "tls": false,') ;;
        (*) \return 1 ;;
    esac
    if [[ "${lines[at + 2]}" != '    "phase": "ready",' || "${lines[at]}" != *'",' ]]; then \return 1; fi
    url=${${lines[at]#'    "url": "'}%'",'}
    case "$url" in
        (''|*://-*|*@-*|*[^0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:/@._%~+,=\[\]-]*) \return 1 ;;
    esac
}

# For a prompt of your own: the machine that docker speaks to, by a format (usually '(%s) '), or nothing.
machinectl_prompt() {
    \builtin emulate -L zsh
    \local segment=
    __machinectl_segment "${1-}"
    \builtin print -rn -- "$segment"
}

# The same into `segment`. What is no machine's name goes into no prompt, where it might run; and where DOCKER_HOST was
# set to something else since, docker does not speak to the machine.
__machinectl_segment() {
    \builtin emulate -L zsh
    \local name="${DOCKER_MACHINE_NAME-}"
    segment=
    case "${DOCKER_HOST:+$name}" in
        (''|[-.]*|*[^0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-]*) \return 0 ;;
    esac
    if [[ "${__machinectl_used-}" == "$name "* && "$__machinectl_used" != "$name $DOCKER_HOST" ]]; then \return 0; fi
    \builtin printf -v segment -- "${1:-(%s) }" "$name"
}
