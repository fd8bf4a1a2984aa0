# `machinectl use` for bash, 3.2 and later, and zsh: a function sets what machinectl prints. Every command has a backslash
# before it, so that it is not somebody's alias.

# An alias, such as led past systemd's machinectl, would hide the function.
\unalias machinectl 2>/dev/null || \builtin true
function machinectl {
    \local text='' is_use=''
    case "${1-}:${2-}:${3-} $* " in
        *' -h '* | *' --help '*) ;;
        -s:*:use\ * | -storage-path:*:use\ * | --storage-path:*:use\ *) is_use=1 ;;
        -s:* | -storage-path:* | --storage-path:*) ;;
        use:* | -*:use:*) is_use=1 ;;
    esac
    if [[ -z $is_use ]]; then
        \command @PROGRAM@ "$@"
        \return
    fi
    text=$(MACHINECTL_USE=@SHELL@ \command @PROGRAM@ "$@") || \return
    \eval "$text"
    __machinectl_used="${DOCKER_MACHINE_NAME-} ${DOCKER_HOST-}"
}

# For a prompt of your own: the machine that docker speaks to, by a format (usually '(%s) '), or nothing.
machinectl_prompt() {
    \local segment=''
    __machinectl_segment "${1-}"
    \builtin printf '%s' "$segment"
}

# The same into `segment`. What is no machine's name goes into no prompt, where it might run; and where DOCKER_HOST was
# set to something else since, docker does not speak to the machine.
__machinectl_segment() {
    [[ -z ${ZSH_VERSION-} ]] || \builtin emulate -L zsh
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
