# Completion of machinectl, which makes servers Docker hosts, for fish. That of systemd's machinectl, which is another one
# and comes with fish, goes. machinectl itself is asked only for drivers, once in a shell, and for labels, images, containers,
# builders and holders.

function __machinectl_complete
    set -l verb ''
    set -l root ''
    set -l driver $MACHINE_DRIVER ''
    set -l given
    set -l flag ''
    set -l kind ''
    set -l cur (commandline -ct | string collect)
    __machinectl_table ''
    for word in (commandline -opc)[2..]
        set -l value ''
        if test -n "$kind"
            set value $word
            set kind ''
        else if test "$word" = -- && contains -- "$verb" run docker socket
            # What is to be run is another program's, and files are what it may be about.
            __fish_complete_path "$cur" ''
            return
        else if string match -rq -- '^(?<name>-[^=]*)=(?<rest>.*)$' $word
            set flag $name
            set value $rest
        else if string match -q -- '-*' $word
            set flag $word
            set kind (__machinectl_kind "$verb" "$driver[1]" $flag)
            continue
        else if not set -q __machinectl_verbs[1]
            if contains -- "$verb" run docker && not string match -rq -- '[*[]' $word
                and not contains -- $word (__machinectl_machines "$root")
                # The command has begun.
                __fish_complete_path "$cur" ''
                return
            end
            set -a given $word
            continue
        else if __machinectl_table (string trim -- "$verb $word")
            set verb (string trim -- "$verb $word")
            continue
        else if set -q __machinectl_arguments[1]
            set -e __machinectl_verbs
            set -a given $word
            continue
        else
            return
        end
        switch "$verb $flag"
            case ' -s' ' --storage-path'
                set root $value
            case 'create -d' 'create --driver'
                set driver $value
        end
    end
    if test -n "$kind"
        __machinectl_offer $kind "$cur" '' "$root"
    else if string match -rq -- '^(?<name>-[^=]*)=(?<rest>.*)$' "$cur"
        __machinectl_offer (__machinectl_kind "$verb" "$driver[1]" $name | string collect -a) "$rest" "$name=" "$root"
    else if string match -q -- '-*' "$cur"
        string replace -r -- '^([^=\t]*)=[^\t]*' '$1' $__machinectl_flags (__machinectl_flags_of_driver "$verb" "$driver[1]")
    else
        set -q __machinectl_verbs[1] && printf '%s\n' $__machinectl_verbs
        set -l at (math (count $given) + 1)
        set -l argument $__machinectl_arguments[$at]
        if test -z "$argument" && string match -q -- '*...' "$__machinectl_arguments[-1]"
            set argument $__machinectl_arguments[-1]
        end
        __machinectl_offer (string replace -- ... '' "$argument") "$cur" '' "$root" $given
    end
end

# What the value of a flag is; nothing where it takes none.
function __machinectl_kind --argument-names verb driver flag
    set -l rows (string match -r -- '^'(string escape --style=regex -- $flag)'[=\t].*' $__machinectl_flags)
    set -q rows[1] || set rows (string match -r -- '^'(string escape --style=regex -- $flag)'[=\t].*' \
        (__machinectl_flags_of_driver "$verb" "$driver"))
    string replace -rf -- '^[^=\t]*=([^\t]*)\t.*' '$1' $rows[1]
end

# Offer what is of a kind, and begins so; BEGINNING goes in front of each. After the store comes what was given already.
function __machinectl_offer --argument-names kind cur beginning root
    switch "$kind"
        case TEXT ''
            return
        case MACHINE
            string replace -r -- '$' \tmachine (__machinectl_machines "$root" $argv[5..])
        case LABEL
            set -l store
            test -n "$root" && set store -s $root
            for word in (machinectl docker-cli-plugin __complete machine $store ls --selector "$cur" 2>/dev/null </dev/null)
                string match -rq -- '^[0-9A-Za-z][0-9A-Za-z=._/,!-]*$' $word && printf '%s%s\tlabel\n' "$beginning" $word
            end
        case IMAGE CONTAINER BUILDER HOLDER
            string replace -rf -- '^([0-9A-Za-z][0-9A-Za-z@:._/+-]*)$' "$beginning"'$1' \
                (machinectl docker-cli-plugin __complete machine (commandline -opc)[2..] "$beginning$cur" 2>/dev/null </dev/null)
        case PLACE REMOTE
            __machinectl_places $kind "$cur" "$root"
        case DIRECTORY
            string replace -r -- '^' "$beginning" (__fish_complete_directories "$cur" '')
        case FILE
            string replace -r -- '^' "$beginning" (__fish_complete_path "$cur" '')
        case DRIVER
            __machinectl_ask
            for name in (string replace -rf -- '^(?!DRIVER )(\S+) .*' '$1' $__machinectl_options | sort -u)
                printf '%s%s\n' "$beginning" $name
            end
        case '*'
            string replace -r -- '^' "$beginning" (string split -- '|' $kind)
    end
end

# Offer the machines with a colon behind, after which fish puts no blank, as a path comes there; where a PLACE is meant,
# files beside them.
function __machinectl_places --argument-names kind cur root
    # Paths on a machine are not known here. A colon behind a slash is a path's own.
    string match -rq -- '^[^/:]*:' "$cur" && return
    test $kind = PLACE && __fish_complete_path "$cur" ''
    set -l user (string match -r -- '^.*@' "$cur" | string collect -a)
    for name in (__machinectl_machines "$root")
        printf '%s%s:\tmachine\n' "$user" $name
    end
end

# The machines are directories. What cannot be a machine's name is left out, and so is what was typed already.
function __machinectl_machines --argument-names root
    set -q root[1] && test -n "$root" || set root "$MACHINE_STORAGE_PATH"
    test -n "$root" || set root (test -n "$XDG_DATA_HOME" && echo $XDG_DATA_HOME || echo $HOME/.local/share)/machinectl
    set root (string replace -r -- '^~/' "$HOME/" "$root")
    set -l directories "$root"/machines/*/
    set -l found (string match -r -- '(?<=/)[0-9A-Za-z][0-9A-Za-z.-]*(?=/\z)' $directories)
    for name in $argv[2..]
        set -l at (contains -i -- $name $found) && set -e found[$at]
    end
    string join \n -- $found
end

# The options of the named driver for `create`; without one, and for `set`, those of all drivers.
function __machinectl_flags_of_driver --argument-names verb driver
    contains -- "$verb" set create || return
    __machinectl_ask
    for row in $__machinectl_options
        string match -rq -- '^(?<of>\S+) +(?<option>--\S+) +(?<value>\S+) +(?<about>.*)$' $row || continue
        test "$verb" = set || test -z "$driver" || test "$of" = "$driver" || continue
        test "$value" = - && set value '' || set value "=$value"
        printf '%s%s\t%s\n' $option "$value" "$about"
    end
end

# The drivers and their options: a line DRIVER OPTION VALUE ABOUT for each.
function __machinectl_ask
    set -q __machinectl_options || set -g __machinectl_options (machinectl drivers --options 2>/dev/null </dev/null)
end

# The words after a verb, its flags with what their values are, and what its arguments are; it fails for what is none.
# TABLE

complete -e -c machinectl
complete -c machinectl -f -a '(__machinectl_complete)'
