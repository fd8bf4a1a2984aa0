#compdef machinectl
# Completion of machinectl, which makes servers Docker hosts, for zsh. systemd's machinectl is another one.
# Nothing is asked of machinectl itself but what drivers there are, once in a shell, and which labels.

_machinectl() {
    \local word verb= root= driver="${MACHINE_DRIVER-}" flag= kind= value= expl
    \local -a verbs flags arguments given
    __machinectl_table ''
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ -n "$kind" ]]; then
            value="$word"
            kind=
        elif [[ "$word" == -- && ( "$verb" == run || "$verb" == docker ) ]]; then
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
            given+=("$word")
            \continue
        else
            __machinectl_table "${verb:+$verb }$word" || \return 1
            verb="${verb:+$verb }$word"
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
        (PLACE|REMOTE) __machinectl_places "$1" ;;
        (DIRECTORY) _files -/ ;;
        (FILE) _files ;;
        (VERB) __machinectl_table '' && __machinectl_describe commands command "${verbs[@]}" ;;
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

# The machines are directories. What cannot be a machine's name is left out, and so is what was typed already.
__machinectl_machines() {
    \builtin setopt localoptions extendedglob
    \local machines="${(Q)root}"
    \local -a found
    machines="${machines:-${MACHINE_STORAGE_PATH:-${XDG_DATA_HOME:-${HOME-}/.local/share}/machinectl}}"
    machines="${machines/#\~\//${HOME-}/}/machines"
    found=("$machines"/[0-9A-Za-z]*(N-/:t))
    found=(${(M)found:#[0-9A-Za-z.-]##})
    found=(${found:|given})
    _wanted machines expl machine compadd "$@" -a found
}

# Add the options of the driver that is named to those of `create`, and those of all drivers to those of `set`.
__machinectl_add_driver() {
    \local row of option value about
    if [[ "$verb" != set && "$verb:$driver" != create:?* ]]; then \return 0; fi
    __machinectl_ask
    for row in "${(@f)__machinectl_options}"; do
        IFS=' ' \read -r of option value about <<<"$row"
        if [[ "$option" == --* && ( "$verb" == set || "$of" == "$driver" ) ]]; then
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
# BEGIN: written by make reference
__machinectl_table() {
    case "$1" in
        ('')
            verbs=(
                'env	Print what points a shell'\''s docker at a machine.'
                'use	Point this shell'\''s docker at a machine.'
                'config	Print docker'\''s own flags for a machine.'
                'context	See, mend and import docker'\''s contexts.'
                'active	Print the machine that docker in this shell points at.'
                'ls	List machines, and what each is doing.'
                'ps	List the containers of all machines, or of some, as docker ps does.'
                'ssh	Log in at a machine'\''s host, or run a command there.'
                'ssh-config	Print what ~/.ssh/config can include, so that ssh knows machines.'
                'scp	Copy files to a machine'\''s host, from there, or between two.'
                'mount	Mount a directory of a machine'\''s host here, or end that (-u).'
                'url	Print where a machine'\''s engine is.'
                'ip	Print machines'\'' addresses.'
                'shell-init	Print what a shell'\''s start-up file reads.'
                'completion	Print a shell'\''s completion alone.'
                'docker-plugin	Make all this `docker machine …`, or no longer.'
                'create	Make a machine: register an engine, or set up a server over SSH.'
                'import	Take over the machines that docker-machine keeps.'
                'rm	Forget machines; --purge puts their hosts back, too.'
                'rename	Give a machine another name; its host is not told.'
                'set	Change what is known of a machine, or asked of its engine.'
                'drivers	List installed drivers, and which of them fail to load.'
                'certs	Make, import and list certificates.'
                'provision	Make machines'\'' hosts what their records say.'
                'upgrade	Upgrade engines by the package managers of their hosts.'
                'regenerate-certs	Make new certificates; containers keep running.'
                'start	Switch hosts on (Wake-on-LAN), and wait until they answer.'
                'stop	Shut hosts down, and wait until they are off.'
                'restart	Reboot hosts, and wait until they are back.'
                'kill	Switch hosts off without asking them.'
                'doctor	Find out what is wrong with machines, or with this computer, and what to type.'
                'status	Print what a machine is doing.'
                'version	Print an engine'\''s version, or without a name our own.'
                'info	Print what engines say of themselves and their hosts.'
                'inspect	Print all that is known of a machine, in docker-machine'\''s shape.'
                'changes	Print what was done on a machine'\''s host, and what undoing it does.'
                'api	Ask a machine'\''s engine, and print its raw answer.'
                'plan	Show what is to be done so that machines are as a fleet'\''s file says.'
                'apply	Make machines what a fleet'\''s file says, and their hosts with them.'
                'fleet	Write a fleet'\''s file, and have editors know it.'
                'discover	Find what answers in a network: SSH servers, engines, and which are machines.'
                'inventory	Print machines as other programs want hosts: Ansible, Prometheus.'
                'swarm	Make machines one Docker Swarm, and look after it.'
                'run	Run a command on many machines'\'' hosts over SSH.'
                'docker	Run the docker CLI against many machines'\'' engines.'
                'help	Show what a command is for.')
            flags=(
                '-s=DIRECTORY	Where machines are kept (else $MACHINE_STORAGE_PATH).'
                '--storage-path=DIRECTORY	Where machines are kept (else $MACHINE_STORAGE_PATH).'
                '-D	Show help.'
                '--debug	Show each remote command and what it printed, and the traceback of a bug.'
                '-v	Print the version.'
                '--version	Print the version.'
                '-h	Show this, or with a command its help.'
                '--help	Show this, or with a command its help.')
            arguments=()
            ;;
        ('context')
            verbs=(
                'import	Make a machine of the engine that a docker context leads to.'
                'ls	List machines with their docker contexts, and what is not in step.'
                'sync	Mend the docker contexts of machines, whoever changed them.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('docker-plugin')
            verbs=(
                'install	Have docker know `docker machine`, and tell of machines when its own commands fail.'
                'uninstall	Take `docker machine` away again.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('certs')
            verbs=(
                'create	Make a CA, the certificate of an engine'\''s host and one of a client.'
                'issue	Make another client under a machine'\''s CA, for a team-mate or a CI job.'
                'import	Check the certificates in a directory, and put them into a machine.'
                'ls	List the certificates of machines, and when they expire.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('fleet')
            verbs=(
                'import	Make a fleet'\''s file of an Ansible inventory, or an ssh_config.'
                'init	Make a fleet'\''s file of the machines that there are.'
                'schema	Print a JSON Schema of fleet.yaml, from which editors complete it.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('swarm')
            verbs=(
                'init	Have a machine begin a swarm, as its first manager.'
                'join	Have machines join the swarm of a manager.'
                'leave	Have machines leave their swarm.'
                'status	Show the nodes of swarms, and what is lost if one more manager goes.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('help')
            verbs=()
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=('VERB')
            ;;
        ('env')
            verbs=()
            flags=(
                '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs.'
                '-u	Print what undoes it.'
                '--unset	Print what undoes it.'
                '--no-proxy	Add the machine'\''s address to NO_PROXY.'
                '--swarm	Point at a manager that answers, of the machine'\''s swarm.'
                '--format=json|dotenv|properties	A file for tools instead: json, dotenv or properties.'
                '--json	The same as --format json.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('use')
            verbs=()
            flags=(
                '-u	Point at no machine again.'
                '--unset	Point at no machine again.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('config')
            verbs=()
            flags=(
                '--swarm	Point at a manager that answers, of the machine'\''s swarm.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('active')
            verbs=()
            flags=(
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('ls')
            verbs=()
            flags=(
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-q	Print names only.'
                '--quiet	Print names only.'
                '--filter=TEXT	By driver, state, name (a regular expression), label or swarm.'
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '-f=TEXT	A Go template; `table …` adds headings.'
                '--format=TEXT	A Go template; `table …` adds headings.'
                '--json	Print JSON.'
                '--removed	List what is kept of machines that were removed, instead.'
                '--watch	Draw the table again and again, until ^C.'
                '--interval=TEXT	With --watch, the pause between two rounds. [default: 2]'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('list')
            verbs=()
            flags=(
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-q	Print names only.'
                '--quiet	Print names only.'
                '--filter=TEXT	By driver, state, name (a regular expression), label or swarm.'
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '-f=TEXT	A Go template; `table …` adds headings.'
                '--format=TEXT	A Go template; `table …` adds headings.'
                '--json	Print JSON.'
                '--removed	List what is kept of machines that were removed, instead.'
                '--watch	Draw the table again and again, until ^C.'
                '--interval=TEXT	With --watch, the pause between two rounds. [default: 2]'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('ps')
            verbs=()
            flags=(
                '-a	Also those that do not run.'
                '--all	Also those that do not run.'
                '-f=TEXT	Docker'\''s: status, name, label, ancestor, …'
                '--filter=TEXT	Docker'\''s: status, name, label, ancestor, …'
                '--format=TEXT	A Go template; `table …` adds headings; raw; json.'
                '-n=TEXT	The N newest of each machine, in any state.'
                '--last=TEXT	The N newest of each machine, in any state.'
                '-l	The newest of each machine, in any state.'
                '--latest	The newest of each machine, in any state.'
                '--no-trunc	Cut nothing short.'
                '-q	Print IDs only.'
                '--quiet	Print IDs only.'
                '-s	Also what each has written.'
                '--size	Also what each has written.'
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '--json	Print JSON.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('ssh')
            verbs=()
            flags=(
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'TEXT')
            ;;
        ('ssh-config')
            verbs=()
            flags=(
                '--write	Keep it in a file that follows the machines, and print the line that includes it.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('scp')
            verbs=()
            flags=(
                '-r	Directories, with all in them.'
                '--recursive	Directories, with all in them.'
                '-d	By rsync: what has changed alone, and links as links.'
                '--delta	By rsync: what has changed alone, and links as links.'
                '-q	Show no progress.'
                '--quiet	Show no progress.'
                '-p	Keep modes and times.'
                '--preserve	Keep modes and times.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('PLACE...')
            ;;
        ('mount')
            verbs=()
            flags=(
                '-u	End it.'
                '--unmount	End it.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('REMOTE' 'DIRECTORY')
            ;;
        ('url')
            verbs=()
            flags=(
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('ip')
            verbs=()
            flags=(
                '--json	Print JSON.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('shell-init')
            verbs=()
            flags=(
                '--prompt	Show the machine in front of the prompt.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('bash|zsh|fish|powershell')
            ;;
        ('completion')
            verbs=()
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=('bash|zsh|fish|powershell')
            ;;
        ('create')
            verbs=()
            flags=(
                '-d=DRIVER	Where the host comes from.'
                '--driver=DRIVER	Where the host comes from.'
                '--tls-dir=DIRECTORY	Certificates to use, ca.pem, cert.pem and key.pem in DIR.'
                '--tls-ca-cert=FILE	The CA of the engine'\''s certificate.'
                '--tls-client-cert=FILE	The client'\''s certificate.'
                '--tls-client-key=FILE	The client'\''s key.'
                '--no-tls	Speak to the engine without TLS.'
                '--no-provision	Register the host as it is, and change nothing on it.'
                '--no-context	Make no docker context of the machine.'
                '--ssh-jump=MACHINE	Jump host for its SSH: a machine, else a host as in ssh -J. machine:NAME and host:HOST say which of the two.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '-y	Do not ask before a host is taken over from docker-machine, or set up despite a warning.'
                '--yes	Do not ask before a host is taken over from docker-machine, or set up despite a warning.'
                '-f	Replace certificates of somebody else'\''s, and restart an engine although that harms.'
                '--force	Replace certificates of somebody else'\''s, and restart an engine although that harms.'
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.'
                '--open-firewall	Let the engine'\''s port through the host'\''s firewall.'
                '--label=TEXT	A label of the machine and of its engine.'
                '--engine-label=TEXT	A label of the machine and of its engine.'
                '--engine-opt=TEXT	A flag of dockerd.'
                '--engine-insecure-registry=TEXT	A registry without TLS.'
                '--engine-registry-mirror=TEXT	A registry mirror.'
                '--engine-env=TEXT	A variable of the engine'\''s environment; proxies are for installing, too.'
                '--tls-san=TEXT	One more name in the server'\''s certificate.'
                '--engine-install=auto|docker|distro|none	auto (the default), docker (its script), distro (the package) or none.'
                '--engine-install-url=TEXT	Docker'\''s script, for --engine-install docker.'
                '--engine-version=TEXT	The version to install.'
                '--engine-storage-driver=TEXT	The engine'\''s storage driver.'
                '--engine-bind=TEXT	The address that the engine listens on (default: all).'
                '--os=TEXT	What the host'\''s system is like, where it is not recognised: debian, fedora …'
                '--engine-env-file=FILE	A file of such variables, as docker'\''s --env-file: for a proxy'\''s password.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('TEXT')
            ;;
        ('import')
            verbs=()
            flags=(
                '--from-docker-machine	Take over the machines of docker-machine.'
                '--no-context	Make no docker contexts of them.'
                '--dry-run	Print what would be done, and do nothing.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('DIRECTORY')
            ;;
        ('rm')
            verbs=()
            flags=(
                '-f	Do not ask, and forget a machine whatever state it is in.'
                '--force	Do not ask, and forget a machine whatever state it is in.'
                '-y	Do not ask.'
                '--yes	Do not ask.'
                '--purge	Undo on the host what was set up there, too; containers stay.'
                '--purge-engine	Remove the engine that was installed, too.'
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.'
                '--dry-run	Print what would be done, and do nothing.'
                '--forget	Keep nothing that could undo later what was set up on the host.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('rename')
            verbs=()
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'TEXT')
            ;;
        ('set')
            verbs=()
            flags=(
                '--url=TEXT	Where the engine is now.'
                '--label=TEXT	Set a label.'
                '--engine-label=TEXT	Set a label.'
                '--unlabel=TEXT	Remove a label.'
                '--tls	Speak to the engine over TLS.'
                '--no-tls	Speak to the engine over TLS.'
                '--context	Have a docker context of the machine.'
                '--no-context	Have a docker context of the machine.'
                '--ssh-jump=MACHINE	Jump host for its SSH: a machine, else a host as in ssh -J. machine:NAME and host:HOST say which of the two; none ends that.'
                '--engine-opt=TEXT	A flag of dockerd.'
                '--engine-insecure-registry=TEXT	A registry without TLS.'
                '--engine-registry-mirror=TEXT	A registry mirror.'
                '--engine-env=TEXT	A variable of the engine'\''s environment; proxies are for installing, too.'
                '--tls-san=TEXT	One more name in the server'\''s certificate.'
                '--engine-install=auto|docker|distro|none	auto (the default), docker (its script), distro (the package) or none.'
                '--engine-install-url=TEXT	Docker'\''s script, for --engine-install docker.'
                '--engine-version=TEXT	The version to install.'
                '--engine-storage-driver=TEXT	The engine'\''s storage driver.'
                '--engine-bind=TEXT	The address that the engine listens on (default: all).'
                '--os=TEXT	What the host'\''s system is like, where it is not recognised: debian, fedora …'
                '--engine-env-file=FILE	A file of such variables, as docker'\''s --env-file: for a proxy'\''s password.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('drivers')
            verbs=()
            flags=(
                '--json	Print JSON.'
                '--options	List what each adds to `create`, and what its values are.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('provision')
            verbs=()
            flags=(
                '-y	Do not ask before a host is taken over from docker-machine, or set up despite a warning.'
                '--yes	Do not ask before a host is taken over from docker-machine, or set up despite a warning.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '-f	Replace certificates of somebody else'\''s, and restart an engine although that harms.'
                '--force	Replace certificates of somebody else'\''s, and restart an engine although that harms.'
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.'
                '--open-firewall	Let the engine'\''s port through the host'\''s firewall.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('upgrade')
            verbs=()
            flags=(
                '-y	Do not ask before an upgrade that is more than a patch.'
                '--yes	Do not ask before an upgrade that is more than a patch.'
                '-f	Restart an engine although that harms; it asks all the same.'
                '--force	Restart an engine although that harms; it asks all the same.'
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('regenerate-certs')
            verbs=()
            flags=(
                '-y	Do not ask (-f as docker-machine has it).'
                '-f	Do not ask (-f as docker-machine has it).'
                '--yes	Do not ask (-f as docker-machine has it).'
                '--force	Do not ask (-f as docker-machine has it).'
                '--client-certs	Make a new certificate for the client here, too.'
                '--new-ca	Make a new CA, too: it locks out all other clients.'
                '--tls-san=TEXT	One more name in the server'\''s certificate.'
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('start')
            verbs=()
            flags=(
                '-t=TEXT	How long a host may take until it answers.'
                '--timeout=TEXT	How long a host may take until it answers.'
                '-y	Do not ask where containers run there.'
                '--yes	Do not ask where containers run there.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('stop')
            verbs=()
            flags=(
                '-t=TEXT	How long a host may take until it is off.'
                '--timeout=TEXT	How long a host may take until it is off.'
                '-y	Do not ask where containers run there.'
                '--yes	Do not ask where containers run there.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('restart')
            verbs=()
            flags=(
                '-t=TEXT	How long a host may take to come back.'
                '--timeout=TEXT	How long a host may take to come back.'
                '-y	Do not ask where containers run there.'
                '--yes	Do not ask where containers run there.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('kill')
            verbs=()
            flags=(
                '-y	Do not ask where containers run there.'
                '--yes	Do not ask where containers run there.'
                '--dry-run	Look at the host, print what would be done, and do nothing.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('doctor')
            verbs=()
            flags=(
                '-t=TEXT	How long each step may take.'
                '--timeout=TEXT	How long each step may take.'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('status')
            verbs=()
            flags=(
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('version')
            verbs=()
            flags=(
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('info')
            verbs=()
            flags=(
                '--ssh	Log in there, too: disk, load, memory that is left, uptime.'
                '-f=TEXT	A Go template.'
                '--format=TEXT	A Go template.'
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('inspect')
            verbs=()
            flags=(
                '-f=TEXT	A Go template.'
                '--format=TEXT	A Go template.'
                '--json	Print machinectl'\''s own record as JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('changes')
            verbs=()
            flags=(
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('api')
            verbs=()
            flags=(
                '-d=TEXT	What to send: JSON, @FILE, or @- for stdin.'
                '--data=TEXT	What to send: JSON, @FILE, or @- for stdin.'
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'TEXT')
            ;;
        ('plan')
            verbs=()
            flags=(
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-f=FILE	The fleet'\''s file (else ./fleet.yaml); - is stdin.'
                '--file=FILE	The fleet'\''s file (else ./fleet.yaml); - is stdin.'
                '--refresh	Look at the hosts, too: what was changed there by hand.'
                '--prune	Machines that are in the file no more are to be removed.'
                '--detailed-exitcode	Exit with 4 where there is something to do.'
                '--parallel=TEXT	How many hosts are worked on at once.'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('apply')
            verbs=()
            flags=(
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-f=FILE	The fleet'\''s file (else ./fleet.yaml); - is stdin.'
                '--file=FILE	The fleet'\''s file (else ./fleet.yaml); - is stdin.'
                '--parallel=TEXT	How many hosts are worked on at once.'
                '--batch=TEXT	How many engines in use may restart at once: 2, 25%, or 1,5,20 (the last repeats).'
                '--max-failures=TEXT	How many of them may fail before no more are restarted.'
                '--refresh	Look at the hosts, too, and mend what was changed there by hand.'
                '--prune	Remove machines that came from the file and are in it no more.'
                '--purge	Undo on the hosts of those what was set up there, too; with --prune.'
                '--take-over	Take over the file'\''s machines from other fleets without asking.'
                '-y	Do not ask before machines are removed, or hosts set up.'
                '--yes	Do not ask before machines are removed, or hosts set up.'
                '--force	Replace certificates of somebody else'\''s, and restart although it harms.'
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.'
                '--open-firewall	Let the engine'\''s port through the host'\''s firewall.'
                '--dry-run	Look at the hosts and print what would change; change nothing.'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('discover')
            verbs=()
            flags=(
                '--ports=TEXT	Which ports are tried.'
                '-t=TEXT	How long an address may take to answer, and what listens there to say what it is.'
                '--timeout=TEXT	How long an address may take to answer, and what listens there to say what it is.'
                '--json	Print JSON.'
                '--write=FILE	Write a fleet'\''s file of those that are no machines yet.'
                '-y	Do not ask, however many addresses there are.'
                '--yes	Do not ask, however many addresses there are.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('TEXT...')
            ;;
        ('inventory')
            verbs=()
            flags=(
                '--ansible	As Ansible'\''s inventory scripts print it.'
                '--prometheus	The engines with metrics on, as file_sd of Prometheus has them.'
                '--list	All hosts, for Ansible (the default).'
                '--host=MACHINE	The variables of one host, for Ansible.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('run')
            verbs=()
            flags=(
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--group	Print what each machine says together, when it has ended.'
                '--json	Print one JSON object per line, when each machine ends.'
                '-t=TEXT	End what has not ended by then: status 124.'
                '--timeout=TEXT	End what has not ended by then: status 124.'
                '--sudo	As root, by sudo where that is needed.'
                '--parallel=TEXT	How many machines at once, at most. [default: 50]'
                '--no-persist	Keep no SSH connection for the next run.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('docker')
            verbs=()
            flags=(
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--group	Print what each machine says together, when it has ended.'
                '--json	Print one JSON object per line, when each machine ends.'
                '-t=TEXT	End what has not ended by then: status 124.'
                '--timeout=TEXT	End what has not ended by then: status 124.'
                '--parallel=TEXT	How many machines at once, at most. [default: 50]'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('context import')
            verbs=()
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=('TEXT' 'TEXT')
            ;;
        ('context ls')
            verbs=()
            flags=(
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('context sync')
            verbs=()
            flags=(
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('docker-plugin install')
            verbs=()
            flags=(
                '--no-hooks	Leave docker'\''s config.json alone: it asks for no word of ours.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('docker-plugin uninstall')
            verbs=()
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('certs create')
            verbs=()
            flags=(
                '--out=DIRECTORY	The directory to write to; it is made.'
                '--san=TEXT	What clients call the host.'
                '--ca-cert=FILE	A CA that exists.'
                '--ca-key=FILE	That CA'\''s key.'
                '--client-name=TEXT	The client'\''s name in its certificate.'
                '-f	Replace files that are there.'
                '--force	Replace files that are there.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('certs issue')
            verbs=()
            flags=(
                '--out=DIRECTORY	The directory to write to; it is made.'
                '--client-name=TEXT	The client'\''s name in its certificate.'
                '-f	Replace files that are there.'
                '--force	Replace files that are there.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('certs import')
            verbs=()
            flags=(
                '-f	Replace files that are there.'
                '--force	Replace files that are there.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'DIRECTORY')
            ;;
        ('certs ls')
            verbs=()
            flags=(
                '--fail-under=TEXT	Exit 1 if one has fewer days left.'
                '--json	Print JSON.'
                '-l=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('fleet import')
            verbs=()
            flags=(
                '--from=ansible|ssh-config	What the file is (else: by what is in it).'
                '-o=FILE	Write it into FILE, which is not there yet.'
                '--output=FILE	Write it into FILE, which is not there yet.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('FILE')
            ;;
        ('fleet init')
            verbs=()
            flags=(
                '-o=FILE	Write it into FILE, which is not there yet.'
                '--output=FILE	Write it into FILE, which is not there yet.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('fleet schema')
            verbs=()
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('swarm init')
            verbs=()
            flags=(
                '--advertise-addr=TEXT	Where other nodes reach it (else where its engine is reached).'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('swarm join')
            verbs=()
            flags=(
                '--manager	Join as managers, of which an odd number is best.'
                '--advertise-addr=TEXT	Where other nodes reach it (else where its engine is reached).'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'MACHINE...')
            ;;
        ('swarm leave')
            verbs=()
            flags=(
                '-f	The last manager too, and those whom nobody can help to leave.'
                '--force	The last manager too, and those whom nobody can help to leave.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host whose SSH key is not known.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('swarm status')
            verbs=()
            flags=(
                '-t=TEXT	How long a host may take to answer.'
                '--timeout=TEXT	How long a host may take to answer.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        (*) \return 1 ;;
    esac
}
# END

# A function of zsh's own that is loaded when it is needed, or read at the start of a shell, before compinit maybe.
if [[ "${funcstack[1]-}" == _machinectl ]]; then
    _machinectl "$@"
elif (( ${+functions[compdef]} )); then
    compdef _machinectl machinectl
else
    __machinectl_compdef() {
        precmd_functions=("${(@)precmd_functions:#__machinectl_compdef}")
        if (( ${+functions[compdef]} )); then compdef _machinectl machinectl; fi
    }
    \builtin typeset -ga precmd_functions
    precmd_functions+=(__machinectl_compdef)
fi
