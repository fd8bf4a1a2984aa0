# `machinectl use` for fish. What a record or a variable holds is never evaluated.

function machinectl --description 'Make servers Docker hosts, and point docker at one of them'
    if test "$argv[1]" = use
        __machinectl_use '' $argv[2..]
    else if test "$argv[3]" = use && contains -- "$argv[1]" -s -storage-path --storage-path
        __machinectl_use "$argv[2]" $argv[4..]
    else if test "$argv[2]" = use && string match -rq -- '(?s)^(?:--?storage-path=|-s=?)(?<root>.+)$' "$argv[1]"
        __machinectl_use "$root" $argv[3..]
    else
        command @PROGRAM@ $argv
    end
end

# The store ("" is the usual one), and what follows `use`.
function __machinectl_use
    set -l root $argv[1]
    set -e argv[1]
    __machinectl_look
    set -l before $__machinectl_now
    switch (count $argv)":$argv[1]"
        case 1:-u 1:--unset
            __machinectl_set '' '' '' ''
        case 1:-
            if not set -q __machinectl_before[1]
                printf 'Error: No machine was used before in this shell\n  Name one: machinectl use <NAME>\n' >&2
                return 1
            end
            # A machine's certificates are beside its record.
            if string match -rq -- '(?s)^=(?<directory>.+)' "$__machinectl_before[3]" && not test -e "$directory"
                and string match -rq -- '(?s)^=(?<name>.+)' "$__machinectl_before[4]"
                printf 'Error: Docker machine "%s" does not exist any more\n  Name one: machinectl use <NAME>\n' "$name" >&2
                return 1
            end
            __machinectl_set $__machinectl_before
            set -l now $DOCKER_MACHINE_NAME $DOCKER_HOST 'no machine'
            printf 'docker: %s\n' "$now[1]" >&2
        case '*:-h' '*:--help'
            command @PROGRAM@ use --help
            return
        case '*:-*'
            printf 'Error: No such option: %s\n  machinectl use --help\n' "$argv[1]" >&2
            return 2
        case '*'
            if test (count $argv) -eq 1 && __machinectl_read "$root" "$argv[1]"
                __machinectl_set $__machinectl_found
            else
                set -l store
                test -n "$root" && set store -s $root
                set -l text (command @PROGRAM@ $store use --shell=fish $argv)
                or return
                eval (string join \n -- $text | string collect)
            end
            if test -n "$DOCKER_CONTEXT"
                printf '%s\n' "Warning: DOCKER_CONTEXT=$DOCKER_CONTEXT is set, too, and some tools put it first" \
                    '  Take it away: set -e DOCKER_CONTEXT' >&2
            end
    end
    set -g __machinectl_used "$DOCKER_MACHINE_NAME $DOCKER_HOST"
    __machinectl_look
    # Who uses the same machine again goes back to the one before it all the same.
    if test "$__machinectl_now" != "$before"
        set -g __machinectl_before $before
    end
    return 0
end

# The four variables as they are, into a variable of its own: "=VALUE", or "" for one that is not set.
function __machinectl_look
    set -g __machinectl_now
    for variable in DOCKER_TLS_VERIFY DOCKER_HOST DOCKER_CERT_PATH DOCKER_MACHINE_NAME
        set -q $variable && set -a __machinectl_now "=$$variable" || set -a __machinectl_now ''
    end
end

# Set them to what `__machinectl_look` found; a universal variable stays what it is.
function __machinectl_set
    for variable in DOCKER_TLS_VERIFY DOCKER_HOST DOCKER_CERT_PATH DOCKER_MACHINE_NAME
        if string match -rq -- '(?s)^=(?<value>.*)$' "$argv[1]"
            set -gx $variable $value
        else
            set -eg $variable
        end
        set -e argv[1]
    end
end

# What a machine's record means for the four variables. It fails wherever `machinectl env` might say otherwise: it knows
# one machine, ready, in a record as machinectl writes it (machinectl/machines/record.py: a line a key, four blanks before
# it; url, tls and phase follow each other), and a path that says where it is in one way only.
function __machinectl_read --argument-names root name
    if test -z "$root"
        set root "$MACHINE_STORAGE_PATH"
    end
    if test -z "$root" && test -n "$XDG_DATA_HOME"
        string match -rq -- '[[:graph:]]$' "$XDG_DATA_HOME" || return 1
        set root "$XDG_DATA_HOME/machinectl"
    end
    if test -z "$root"
        set -q HOME || return 1
        set root "$HOME/.local/share/machinectl"
    end
    string match -rq -- '(?s)^/.' "$root" && not string match -rq -- '//|/\.\.?/' "$root/" || return 1
    string match -rq -- '^[0-9A-Za-z][0-9A-Za-z.-]*$' "$name" || return 1
    set -l directory "$root/machines/$name"
    test -f "$directory/machine.json" -a -r "$directory/machine.json" || return 1
    test -e "$directory/pending" -o -L "$directory/pending" && return 1
    # Up to a NUL, which none has: it is read to its end then.
    set -l record
    begin
        read -z record && not read -lz rest
    end <"$directory/machine.json" || return 1
    string match -rq -- '(?xs) ^\{\n \ {4}"schema":\ 1,\n \ {4}"driver":\ "[\ 0-9A-Za-z,:._-]*",\n .*?
        (?<=\n)\ {4}"url":\ "(?!\S*(?:://|@)-)(?<url> [0-9A-Za-z:/@._%~+,=\[\]-]+ )",\n \ {4}"tls":\ (?<tls> true | false ),\n
        \ {4}"phase":\ "ready",\n .* \n\}\n?$' "$record" || return 1
    set -g __machinectl_found '' "=$url" '' "=$name"
    if test $tls = true
        set -g __machinectl_found =1 "=$url" "=$directory" "=$name"
    end
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
