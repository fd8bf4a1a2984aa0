# `machinectl use` for fish: a function sets what machinectl prints.

function machinectl --description 'Make servers Docker hosts, and point docker at one of them'
    set -l verb "$argv[1]"
    if contains -- "$verb" -s -storage-path --storage-path
        set verb "$argv[3]"
    else if string match -q -- '-*' "$verb"
        set verb "$argv[2]"
    end
    if test "$verb" != use || contains -- -h $argv || contains -- --help $argv
        command @PROGRAM@ $argv
        return
    end
    set -l text (MACHINECTL_USE=fish command @PROGRAM@ $argv)
    or return
    eval (string join \n -- $text | string collect)
    set -g __machinectl_used "$DOCKER_MACHINE_NAME $DOCKER_HOST"
end

# For a prompt of your own: the machine that docker speaks to, by a format (usually '(%s) '), or nothing. What is no
# machine's name is not shown; and where DOCKER_HOST was set to something else since, docker does not speak to it.
function machinectl_prompt --argument-names format
    test -n "$DOCKER_HOST" && string match -rq -- '^[0-9A-Za-z][0-9A-Za-z.-]*$' "$DOCKER_MACHINE_NAME" || return 0
    if string match -q -- "$DOCKER_MACHINE_NAME *" "$__machinectl_used"
        test "$__machinectl_used" = "$DOCKER_MACHINE_NAME $DOCKER_HOST" || return 0
    end
    test -n "$format" || set format '(%s) '
    printf $format $DOCKER_MACHINE_NAME
end
