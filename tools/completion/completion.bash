# Completion of machinectl, which makes servers Docker hosts, for bash, 3.2 and later. systemd's machinectl is another one.
# machinectl itself is asked only for drivers, once in a shell, and for labels, images, containers, builders and holders.

_machinectl() {
    \local IFS=$' \t\n' word='' cur='' verb='' root='' driver="${MACHINE_DRIVER-}" flag='' kind='' value='' at=0 joined=''
    \local verbs='' flags='' arguments='' line='' piece="${2-}" machines=''
    \local -a words given
    words=()
    given=()
    COMPREPLY=()
    # bash takes words apart at = and at : and at @, too: those between which there is no blank are one.
    line="${COMP_LINE#*"${COMP_WORDS[0]}"}"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ -n $word && ${#words[@]} -gt 0 && $line == "$word"* ]]; then
            words[${#words[@]} - 1]+="$word"
        else
            words[${#words[@]}]="$word"
        fi
        line="${line#*"$word"}"
    done
    cur="${words[${#words[@]} - 1]-}"
    at=0
    __machinectl_table ''
    while [[ $at -lt $((${#words[@]} - 1)) ]]; do
        word="${words[at]}"
        at=$((at + 1))
        if [[ -n $kind ]]; then
            value="$word"
            kind=''
        elif [[ $word == -- && ($verb == run || $verb == docker || $verb == socket) ]]; then
            # What is to be run is another program's, and files are what it may be about.
            __machinectl_offer FILE "$cur" ''
            \return 0
        else
            case "$word" in
                -*=*)
                    flag="${word%%=*}"
                    value="${word#*=}"
                    ;;
                -*)
                    flag="$word"
                    __machinectl_kind
                    \continue
                    ;;
                *)
                    if [[ -z $verbs ]]; then
                        __machinectl_directory
                        if [[ ($verb == run || $verb == docker) && $word != *[\*\[]* && ! -d $machines/$word ]]; then
                            # The command has begun.
                            __machinectl_offer FILE "$cur" ''
                            \return 0
                        fi
                        given[${#given[@]}]="$word"
                    elif ! __machinectl_table "${verb:+$verb }$word"; then
                        if [[ -z $arguments ]]; then \return 0; fi
                        verbs=''
                        given[${#given[@]}]="$word"
                    else
                        verb="${verb:+$verb }$word"
                    fi
                    \continue
                    ;;
            esac
        fi
        case "$verb $flag" in
            ' -s' | ' --storage-path') root="$value" ;;
            'create -d' | 'create --driver') driver="$value" ;;
        esac
    done
    case "$kind:$cur" in
        :-*=*)
            flag="${cur%%=*}"
            value="${cur#*=}"
            __machinectl_kind
            # Where = takes words apart, the flag is not the word's beginning.
            joined="$flag="
            if [[ ${COMP_WORDS[COMP_CWORD]} != "$cur" ]]; then joined=''; fi
            __machinectl_offer "$kind" "$value" "$joined"
            ;;
        :-*)
            __machinectl_add_driver
            for word in $flags; do
                word="${word%%=*}"
                if [[ $word == --* && $word == "$cur"* ]]; then COMPREPLY[${#COMPREPLY[@]}]="$word"; fi
            done
            ;;
        :*)
            at=0
            for word in $arguments; do
                if [[ $at -eq ${#given[@]} || ($at -lt ${#given[@]} && $word == *...) ]]; then
                    __machinectl_offer "${word%...}" "$cur" ''
                fi
                at=$((at + 1))
            done
            if [[ -n $verbs ]]; then __machinectl_offer "${verbs// /|}" "$cur" ''; fi
            ;;
        *) __machinectl_offer "$kind" "$cur" '' ;;
    esac
}

# What the value of `flag` is, into `kind`; "" where it takes none.
__machinectl_kind() {
    \local word=''
    kind=''
    case " $flags " in
        *" $flag "* | *" $flag="*) ;;
        *) __machinectl_add_driver ;;
    esac
    for word in $flags; do
        if [[ ${word%%=*} == "$flag" && $word == *=* ]]; then kind="${word#*=}"; fi
    done
}

# Offer what is of a kind, and begins so; "BEGINNING" goes in front of each.
__machinectl_offer() {
    \local kind="$1" cur="$2" beginning="$3" word=''
    case "$kind" in
        TEXT | '') \return 0 ;;
        MACHINE) __machinectl_machines ;;
        LABEL) __machinectl_labels ;;
        IMAGE | CONTAINER | BUILDER | HOLDER)
            while \read -r word _; do
                case "$word" in
                    :* | '' | *[!0-9A-Za-z@:._/+-]*) ;;
                    "$cur"*) COMPREPLY[${#COMPREPLY[@]}]="$beginning$word" ;;
                esac
            done < <(machinectl docker-cli-plugin __complete machine "${words[@]}" 2>/dev/null </dev/null)
            # What is offered takes the place of `piece` alone, the last that bash took the word apart to.
            if [[ $cur != "$piece" ]]; then COMPREPLY=(${COMPREPLY[@]+"${COMPREPLY[@]#"${cur%"$piece"}"}"}); fi
            ;;
        PLACE | REMOTE) __machinectl_places ;;
        DIRECTORY | FILE)
            kind="${kind/DIRECTORY/-d}"
            while IFS= \read -r word; do
                COMPREPLY[${#COMPREPLY[@]}]="$beginning$word"
            done < <(\compgen "${kind/FILE/-f}" -- "$cur")
            \compopt -o filenames 2>/dev/null || \return 0
            ;;
        DRIVER)
            __machinectl_ask
            while \read -r word _; do
                case " ${COMPREPLY[*]-} " in *" $beginning$word "*) \continue ;; esac
                if [[ $word != DRIVER && $word == "$cur"* ]]; then COMPREPLY[${#COMPREPLY[@]}]="$beginning$word"; fi
            done <<<"$__machinectl_options"
            ;;
        *)
            IFS='|'
            for word in $kind; do
                if [[ $word == "$cur"* ]]; then COMPREPLY[${#COMPREPLY[@]}]="$beginning$word"; fi
            done
            IFS=$' \t\n'
            ;;
    esac
}

# Offer the machines with a colon behind and no blank, as a path comes there; where a PLACE is meant, files beside them.
__machinectl_places() {
    \local whole="$cur" user=''
    \local -a given found
    given=()
    # Paths on a machine are not known here. A colon behind a slash is a path's own.
    if [[ $whole == *:* && ${whole%%:*} != */* ]]; then \return 0; fi
    case "$whole" in *@*) user="${whole%@*}@" ;; esac
    cur="${whole#"$user"}"
    __machinectl_machines
    found=()
    for word in ${COMPREPLY[@]+"${COMPREPLY[@]}"}; do found[${#found[@]}]="$user$word:"; done
    COMPREPLY=()
    if [[ $kind == PLACE ]]; then __machinectl_offer FILE "$whole" ''; fi
    if [[ ${#found[@]} -gt 0 ]]; then
        # Beside what bash is not to quote, files are quoted here.
        \compopt +o filenames -o nospace 2>/dev/null || \:
        for word in ${COMPREPLY[@]+"${COMPREPLY[@]}"}; do
            if [[ -d $word ]]; then word+=/; fi
            \printf -v word %q "$word"
            case "$word" in '$'*) ;; *) found[${#found[@]}]="$word" ;; esac
        done
        COMPREPLY=("${found[@]}")
    fi
    # What is offered takes the place of `piece` alone, the last that bash took the word apart to.
    COMPREPLY=(${COMPREPLY[@]+"${COMPREPLY[@]#"${whole%"$piece"}"}"})
}

# Offer the labels that there are, in the place of what is behind the last comma, and no blank: more may follow.
__machinectl_labels() {
    while \read -r word _; do
        case "$word" in
            :* | '' | *[!0-9A-Za-z=._/,!-]*) ;;
            "$cur"*) COMPREPLY[${#COMPREPLY[@]}]="$beginning$word" ;;
        esac
    done < <(machinectl docker-cli-plugin __complete machine ${root:+-s "$root"} ls --selector "$cur" 2>/dev/null </dev/null)
    \compopt -o nospace 2>/dev/null || \:
    # What is offered takes the place of `piece` alone, the last that bash took the word apart to.
    if [[ $cur != "$piece" ]]; then COMPREPLY=(${COMPREPLY[@]+"${COMPREPLY[@]#"${cur%"$piece"}"}"}); fi
}

# Where the machines are, into `machines`.
__machinectl_directory() {
    machines="${root:-${MACHINE_STORAGE_PATH:-${XDG_DATA_HOME:-${HOME-}/.local/share}/machinectl}}"
    case "$machines" in '~/'*) machines="${HOME-}/${machines#'~/'}" ;; esac
    machines="${machines//[\"\'\\]/}/machines"
}

# The machines are directories. What cannot be a machine's name is left out, and so is what was typed already.
__machinectl_machines() {
    \local machines=''
    case "$cur" in [-.]* | *[!0-9A-Za-z.-]*) \return 0 ;; esac
    __machinectl_directory
    COMPREPLY=($(
        \set +fu
        \shopt -s nullglob extglob
        \shopt -u failglob dotglob nocaseglob
        GLOBIGNORE=''
        name='*([0-9A-Za-z.-])/'
        if [[ -z $cur ]]; then name="[0-9A-Za-z]$name"; fi
        CDPATH=''
        # Bytes are compared faster than letters.
        LC_ALL=C
        \builtin cd -- "$machines" 2>/dev/null || \exit 0
        names=("$cur"$name)
        names=("${names[@]%/}")
        for word in "${given[@]}"; do
            for at in "${!names[@]}"; do
                if [[ ${names[at]} == "$word" ]]; then \unset -v "names[at]"; fi
            done
        done
        \printf '%s\n' "${names[@]}"
    ))
}

# Add the options of the named driver to those of `create`; without one, and for `set`, those of all drivers.
__machinectl_add_driver() {
    \local of='' option='' value='' about=''
    case "$verb" in
        set | create) ;;
        *) \return 0 ;;
    esac
    __machinectl_ask
    while \read -r of option value about; do
        case "$option" in --*) ;; *) \continue ;; esac
        if [[ $verb == set || -z $driver || $of == "$driver" ]]; then
            case "$value" in
                -) flags+=" $option" ;;
                *) flags+=" $option=$value" ;;
            esac
        fi
    done <<<"$__machinectl_options"
}

# The drivers and their options: a line DRIVER OPTION VALUE ABOUT for each.
__machinectl_ask() {
    if [[ -z ${__machinectl_options-} ]]; then
        __machinectl_options="$(machinectl drivers --options 2>/dev/null </dev/null)" || __machinectl_options=' '
    fi
}

# The words after a verb, its flags with what their values are, and what its arguments are; it fails for what is none.
# TABLE
\complete -F _machinectl machinectl
