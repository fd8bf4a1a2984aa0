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
__machinectl_table() {
    case "$1" in
        '')
            verbs='env use config context active ls ps socket ssh ssh-config scp mount forward url ip shell-init completion docker-plugin create import rm rename set drivers certs provision upgrade regenerate-certs renew start stop restart kill doctor status version info inspect changes api plan apply fleet discover inventory swarm run docker push pull images builder access export help'
            flags='-s=DIRECTORY --storage-path=DIRECTORY -D --debug -v --version -h --help'
            arguments=''
            ;;
        'help')
            verbs='env use config context active ls ps socket ssh ssh-config scp mount forward url ip shell-init completion docker-plugin create import rm rename set drivers certs provision upgrade regenerate-certs renew start stop restart kill doctor status version info inspect changes api plan apply fleet discover inventory swarm run docker push pull images builder access export all ssh-options'
            flags='-h --help'
            arguments=''
            ;;
        'env')
            verbs=''
            flags='-s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs --shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs -u --unset --no-proxy --swarm --format=json|dotenv|properties --json -h --help'
            arguments='MACHINE'
            ;;
        'use')
            verbs=''
            flags='-u --unset -h --help'
            arguments='MACHINE'
            ;;
        'config')
            verbs=''
            flags='--swarm --json -h --help'
            arguments='MACHINE'
            ;;
        'context')
            verbs='import ls sync'
            flags='-h --help'
            arguments=''
            ;;
        'active')
            verbs=''
            flags='-t=TEXT --timeout=TEXT --json -h --help'
            arguments=''
            ;;
        'ls')
            verbs=''
            flags='-l=LABEL --selector=LABEL -q --quiet --filter=TEXT -t=TEXT --timeout=TEXT -f=TEXT --format=TEXT --json --removed --watch --interval=TEXT -h --help'
            arguments='MACHINE...'
            ;;
        'list')
            verbs=''
            flags='-l=LABEL --selector=LABEL -q --quiet --filter=TEXT -t=TEXT --timeout=TEXT -f=TEXT --format=TEXT --json --removed --watch --interval=TEXT -h --help'
            arguments='MACHINE...'
            ;;
        'ps')
            verbs=''
            flags='-a --all -f=TEXT --filter=TEXT --format=TEXT -n=TEXT --last=TEXT -l --latest --no-trunc -q --quiet -s --size -t=TEXT --timeout=TEXT --json --selector=LABEL -h --help'
            arguments='MACHINE...'
            ;;
        'socket')
            verbs='ls rm'
            flags='--path=FILE --background --forward -s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs --shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs -h --help'
            arguments='MACHINE'
            ;;
        'ssh')
            verbs=''
            flags='--ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE TEXT'
            ;;
        'ssh-config')
            verbs=''
            flags='--write -l=LABEL --selector=LABEL -h --help'
            arguments='MACHINE...'
            ;;
        'scp')
            verbs=''
            flags='-r --recursive -d --delta -q --quiet -p --preserve --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='PLACE...'
            ;;
        'mount')
            verbs=''
            flags='-u --unmount --json -h --help'
            arguments='REMOTE DIRECTORY'
            ;;
        'forward')
            verbs=''
            flags='--auto --bind=TEXT --json --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE CONTAINER...'
            ;;
        'url')
            verbs=''
            flags='--json -h --help'
            arguments='MACHINE'
            ;;
        'ip')
            verbs=''
            flags='--json -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'shell-init')
            verbs=''
            flags='--prompt -h --help'
            arguments='bash|zsh|fish|powershell'
            ;;
        'completion')
            verbs=''
            flags='-h --help'
            arguments='bash|zsh|fish|powershell'
            ;;
        'docker-plugin')
            verbs='install uninstall'
            flags='-h --help'
            arguments=''
            ;;
        'create')
            verbs=''
            flags='-d=DRIVER --driver=DRIVER --tls-dir=DIRECTORY --tls-ca-cert=FILE --tls-client-cert=FILE --tls-client-key=FILE --no-tls --no-provision --no-context --address=TEXT --access-lifetime=TEXT --ssh-jump=MACHINE --dry-run -y --yes -f --force --restart-swarm --open-firewall --label=TEXT --engine-label=TEXT --engine-opt=TEXT --engine-insecure-registry=TEXT --engine-registry-mirror=TEXT --engine-env=TEXT --tls-san=TEXT --engine-install=auto|docker|distro|none --engine-install-url=TEXT --engine-version=TEXT --engine-storage-driver=TEXT --engine-bind=TEXT --ssh-only --no-ssh-only --os=TEXT --engine-env-file=FILE --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='TEXT'
            ;;
        'import')
            verbs=''
            flags='--from-docker-machine --passphrase-file=FILE -i=FILE --identity=FILE --no-context --dry-run -h --help'
            arguments='FILE TEXT'
            ;;
        'rm')
            verbs=''
            flags='-f --force -y --yes --purge --purge-engine --restart-swarm --dry-run --forget --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'rename')
            verbs=''
            flags='-h --help'
            arguments='MACHINE TEXT'
            ;;
        'set')
            verbs=''
            flags='--url=TEXT --label=TEXT --engine-label=TEXT --unlabel=TEXT --tls --no-tls --context --no-context --address=TEXT --access-lifetime=TEXT --ssh-jump=MACHINE --engine-opt=TEXT --engine-insecure-registry=TEXT --engine-registry-mirror=TEXT --engine-env=TEXT --tls-san=TEXT --engine-install=auto|docker|distro|none --engine-install-url=TEXT --engine-version=TEXT --engine-storage-driver=TEXT --engine-bind=TEXT --ssh-only --no-ssh-only --os=TEXT --engine-env-file=FILE -h --help'
            arguments='MACHINE'
            ;;
        'drivers')
            verbs=''
            flags='--json --options -h --help'
            arguments=''
            ;;
        'certs')
            verbs='create issue import ls'
            flags='-h --help'
            arguments=''
            ;;
        'provision')
            verbs=''
            flags='-y --yes --take-over --dry-run -f --force --restart-swarm --open-firewall --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'upgrade')
            verbs=''
            flags='-y --yes -f --force --restart-swarm --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'regenerate-certs')
            verbs=''
            flags='-y -f --yes --force --client-certs --new-ca --tls-san=TEXT --restart-swarm --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'renew')
            verbs=''
            flags='--due --lifetime-left=TEXT --install-timer --uninstall-timer -y --yes --dry-run --json --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'start')
            verbs=''
            flags='-t=TEXT --timeout=TEXT -y --yes --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'stop')
            verbs=''
            flags='-t=TEXT --timeout=TEXT -y --yes --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'restart')
            verbs=''
            flags='-t=TEXT --timeout=TEXT -y --yes --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'kill')
            verbs=''
            flags='-y --yes --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='MACHINE...'
            ;;
        'doctor')
            verbs=''
            flags='-t=TEXT --timeout=TEXT --here -v --verbose --json --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -h --help'
            arguments='MACHINE...'
            ;;
        'status')
            verbs=''
            flags='-t=TEXT --timeout=TEXT --json -h --help'
            arguments='MACHINE'
            ;;
        'version')
            verbs=''
            flags='-t=TEXT --timeout=TEXT --json -h --help'
            arguments='MACHINE'
            ;;
        'info')
            verbs=''
            flags='--ssh -f=TEXT --format=TEXT -t=TEXT --timeout=TEXT --json --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -h --help'
            arguments='MACHINE...'
            ;;
        'inspect')
            verbs=''
            flags='-f=TEXT --format=TEXT --json -h --help'
            arguments='MACHINE'
            ;;
        'changes')
            verbs=''
            flags='--json -h --help'
            arguments='MACHINE'
            ;;
        'api')
            verbs=''
            flags='-d=TEXT --data=TEXT -t=TEXT --timeout=TEXT -h --help'
            arguments='MACHINE TEXT'
            ;;
        'plan')
            verbs=''
            flags='-l=LABEL --selector=LABEL -f=FILE --file=FILE --refresh --prune --detailed-exitcode --parallel=TEXT --json --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE...'
            ;;
        'apply')
            verbs=''
            flags='-l=LABEL --selector=LABEL -f=FILE --file=FILE --parallel=TEXT --batch=TEXT --max-failures=TEXT --refresh --prune --purge --take-over -y --yes --force --restart-swarm --open-firewall --dry-run --json --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE...'
            ;;
        'fleet')
            verbs='import init schema'
            flags='-h --help'
            arguments=''
            ;;
        'discover')
            verbs=''
            flags='-t=TEXT --timeout=TEXT -v --verbose --json --write=FILE -y --yes -h --help'
            arguments='TEXT...'
            ;;
        'inventory')
            verbs=''
            flags='--ansible --prometheus --list --host=MACHINE -h --help'
            arguments=''
            ;;
        'swarm')
            verbs='init join leave status'
            flags='-h --help'
            arguments=''
            ;;
        'run')
            verbs=''
            flags='-l=LABEL --selector=LABEL -a --all --group --json -t=TEXT --timeout=TEXT --sudo --parallel=TEXT --no-persist --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE...'
            ;;
        'docker')
            verbs=''
            flags='-l=LABEL --selector=LABEL -a --all --group --json -t=TEXT --timeout=TEXT --parallel=TEXT -h --help'
            arguments='MACHINE...'
            ;;
        'push')
            verbs=''
            flags='-l=LABEL --selector=LABEL -a --all --from=MACHINE --from-file=FILE --platform=TEXT --as=TEXT --parallel=TEXT --dry-run --json -h --help'
            arguments='IMAGE MACHINE...'
            ;;
        'pull')
            verbs=''
            flags='--platform=TEXT --as=TEXT --json -h --help'
            arguments='TEXT MACHINE'
            ;;
        'images')
            verbs=''
            flags='-l=LABEL --selector=LABEL -a --all -f=TEXT --filter=TEXT --format=TEXT --digests --no-trunc -q --quiet -t=TEXT --timeout=TEXT --json -h --help'
            arguments='MACHINE...'
            ;;
        'builder')
            verbs='ls rm'
            flags='-l=LABEL --selector=LABEL -a --all --name=TEXT --append --use --bootstrap --driver-opt=TEXT -t=TEXT --timeout=TEXT -h --help'
            arguments='MACHINE...'
            ;;
        'access')
            verbs='ls grant end request accept renew issue'
            flags='-h --help'
            arguments=''
            ;;
        'export')
            verbs=''
            flags='-o=FILE --output=FILE -r=TEXT --recipient=TEXT -R=FILE --recipients-file=FILE --passphrase-file=FILE --with-ca-key --with-ssh-key -a --all -f --force -l=LABEL --selector=LABEL -h --help'
            arguments='MACHINE...'
            ;;
        'context import')
            verbs=''
            flags='-h --help'
            arguments='TEXT TEXT'
            ;;
        'context ls')
            verbs=''
            flags='--json -h --help'
            arguments=''
            ;;
        'context sync')
            verbs=''
            flags='-l=LABEL --selector=LABEL -h --help'
            arguments=''
            ;;
        'socket ls')
            verbs=''
            flags='-q --quiet --json -h --help'
            arguments=''
            ;;
        'socket rm')
            verbs=''
            flags='-h --help'
            arguments='MACHINE...'
            ;;
        'docker-plugin install')
            verbs=''
            flags='-h --help'
            arguments=''
            ;;
        'docker-plugin uninstall')
            verbs=''
            flags='-h --help'
            arguments=''
            ;;
        'certs create')
            verbs=''
            flags='--out=DIRECTORY --san=TEXT --ca-cert=FILE --ca-key=FILE --client-name=TEXT -f --force -h --help'
            arguments=''
            ;;
        'certs issue')
            verbs=''
            flags='--out=DIRECTORY --client-name=TEXT -f --force -h --help'
            arguments='MACHINE'
            ;;
        'certs import')
            verbs=''
            flags='-f --force -h --help'
            arguments='MACHINE DIRECTORY'
            ;;
        'certs ls')
            verbs=''
            flags='--fail-under=TEXT --json -l=LABEL --selector=LABEL -h --help'
            arguments='MACHINE...'
            ;;
        'fleet import')
            verbs=''
            flags='--from=ansible|ssh-config -o=FILE --output=FILE -h --help'
            arguments='FILE'
            ;;
        'fleet init')
            verbs=''
            flags='-o=FILE --output=FILE -h --help'
            arguments='MACHINE...'
            ;;
        'fleet schema')
            verbs=''
            flags='-h --help'
            arguments=''
            ;;
        'swarm init')
            verbs=''
            flags='--advertise-addr=TEXT --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE'
            ;;
        'swarm join')
            verbs=''
            flags='--manager --advertise-addr=TEXT -l=LABEL --selector=LABEL -a --all --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE MACHINE...'
            ;;
        'swarm leave')
            verbs=''
            flags='-f --force -l=LABEL --selector=LABEL -a --all --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='MACHINE...'
            ;;
        'swarm status')
            verbs=''
            flags='-t=TEXT --timeout=TEXT --json -h --help'
            arguments='MACHINE'
            ;;
        'builder ls')
            verbs=''
            flags='-q --quiet --json -h --help'
            arguments=''
            ;;
        'builder rm')
            verbs=''
            flags='--keep-state -h --help'
            arguments='BUILDER...'
            ;;
        'access ls')
            verbs=''
            flags='-l=LABEL --selector=LABEL --json -h --help'
            arguments='MACHINE...'
            ;;
        'access grant')
            verbs=''
            flags='--for=HOLDER --lifetime=TEXT -y --yes -o=FILE --output=FILE --restart-swarm --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='FILE'
            ;;
        'access end')
            verbs=''
            flags='-l=LABEL --selector=LABEL -a --all -y --yes --restart-swarm --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -h --help'
            arguments='HOLDER MACHINE...'
            ;;
        'access request')
            verbs=''
            flags='--for=TEXT -o=FILE --output=FILE -h --help'
            arguments='TEXT...'
            ;;
        'access accept')
            verbs=''
            flags='-y --yes -h --help'
            arguments='FILE'
            ;;
        'access renew')
            verbs=''
            flags='-l=LABEL --selector=LABEL -o=FILE --output=FILE -h --help'
            arguments='MACHINE...'
            ;;
        'access issue')
            verbs=''
            flags='--for=HOLDER --lifetime=TEXT --out=FILE --address=TEXT -y --yes -f --force --restart-swarm --dry-run --ssh-passphrase-file=FILE --ssh-password-file=FILE --sudo-password-file=FILE --ssh-host-key=TEXT --ssh-strict -l=LABEL --selector=LABEL -a --all -h --help'
            arguments='env|github|gitlab|testcontainers MACHINE...'
            ;;
        *) \return 1 ;;
    esac
}
\complete -F _machinectl machinectl
