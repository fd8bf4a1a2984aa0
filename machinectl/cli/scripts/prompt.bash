
# What --prompt adds: the segment at the front of PS1, kept up to date before each prompt.
__machinectl_in_ps1() {
    \local segment=''
    __machinectl_segment
    PS1="$segment${PS1#"${__machinectl_shown-}"}"
    __machinectl_shown="$segment"
}
case "${PROMPT_COMMAND[*]-}" in
    *__machinectl_in_ps1*) ;;
    '') PROMPT_COMMAND=__machinectl_in_ps1 ;;
    # From 5.1 on it may be a list.
    *) PROMPT_COMMAND[${#PROMPT_COMMAND[@]} - 1]+=$'\n'__machinectl_in_ps1 ;;
esac
