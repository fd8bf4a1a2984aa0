#compdef machinectl
# Completion of machinectl, which makes servers Docker hosts, for zsh. systemd's machinectl is another one.
# machinectl itself is asked only for drivers, once in a shell, and for labels, images, containers, builders and holders.

_machinectl() {
    \local word verb= root= driver="${MACHINE_DRIVER-}" flag= kind= value= machines= expl
    \local -a verbs flags arguments given
    __machinectl_table ''
    for word in "${(@)words[2,CURRENT-1]}"; do
        if [[ -n "$kind" ]]; then
            value="$word"
            kind=
        elif [[ "$word" == -- && "$verb" == (run|docker|socket) ]]; then
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
            __machinectl_directory
            if [[ "$verb" == (run|docker) && "$word" != *[*[]* && ! -d "$machines/${(Q)word}" ]]; then
                # The command has begun.
                _files
                \return
            fi
            given+=("$word")
            \continue
        else
            if __machinectl_table "${verb:+$verb }$word"; then
                verb="${verb:+$verb }$word"
            elif (( ! ${#arguments} )); then
                \return 1
            else
                verbs=()
                given+=("$word")
            fi
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
        if (( ${#arguments} )); then __machinectl_offer "${arguments[1]%...}"; fi
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
        (IMAGE|CONTAINER|BUILDER|HOLDER)
            found=("${(@f)$(machinectl docker-cli-plugin __complete machine "${(Q@)words[2,CURRENT-1]}" "$IPREFIX$PREFIX" 2>/dev/null </dev/null)}")
            found=(${(M)found:#[0-9A-Za-z][0-9A-Za-z@:._/+-]#})
            _wanted names expl "${(L)1}" compadd -a found
            ;;
        (PLACE|REMOTE) __machinectl_places "$1" ;;
        (DIRECTORY) _files -/ ;;
        (FILE) _files ;;
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

# Where the machines are, into `machines`.
__machinectl_directory() {
    machines="${(Q)root}"
    machines="${machines:-${MACHINE_STORAGE_PATH:-${XDG_DATA_HOME:-${HOME-}/.local/share}/machinectl}}"
    machines="${machines/#\~\//${HOME-}/}/machines"
}

# The machines are directories. What cannot be a machine's name is left out, and so is what was typed already.
__machinectl_machines() {
    \builtin setopt localoptions extendedglob
    \local machines
    \local -a found
    __machinectl_directory
    found=("$machines"/[0-9A-Za-z]*(N-/:t))
    found=(${(M)found:#[0-9A-Za-z.-]##})
    found=(${found:|given})
    _wanted machines expl machine compadd "$@" -a found
}

# Add the options of the named driver to those of `create`; without one, and for `set`, those of all drivers.
__machinectl_add_driver() {
    \local row of option value about
    if [[ "$verb" != (set|create) ]]; then \return 0; fi
    __machinectl_ask
    for row in "${(@f)__machinectl_options}"; do
        IFS=' ' \read -r of option value about <<<"$row"
        if [[ "$option" == --* && ( "$verb" == set || -z "$driver" || "$of" == "$driver" ) ]]; then
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
__machinectl_table() {
    case "$1" in
        ('')
            verbs=(
                'env	Print the commands that point this shell'\''s docker at a machine.'
                'use	Point this shell'\''s docker at a machine.'
                'config	Print the docker flags that point at a machine.'
                'context	List, repair and import docker contexts.'
                'active	Print the machine that this shell'\''s docker points at.'
                'ls	List machines and their states.'
                'ps	List machines'\'' containers, as docker ps does.'
                'socket	Open a local socket for a machine'\''s engine.'
                'ssh	Log in to a machine'\''s host, or run a command there.'
                'ssh-config	Print machines'\'' settings for ~/.ssh/config.'
                'scp	Copy files to and from machines'\'' hosts, or between two.'
                'mount	Mount a directory of a machine'\''s host, or unmount it (-u).'
                'forward	Reach ports of a machine'\''s host and containers on this computer.'
                'url	Print the URL of a machine'\''s engine.'
                'ip	Print machines'\'' addresses.'
                'shell-init	Print code for a shell'\''s start-up file.'
                'completion	Print a shell'\''s completion script.'
                'docker-plugin	Install or remove `docker machine`, a plugin of docker.'
                'create	Create a machine: set up a server over SSH, or register an engine.'
                'import	Import machines from your other computer'\''s export, or from docker-machine.'
                'rm	Remove machines; --purge also undoes the changes on their hosts.'
                'rename	Rename a machine; its host does not change.'
                'set	Change a machine'\''s settings; `provision` applies them to its host.'
                'drivers	List installed drivers, and those that fail to load.'
                'certs	Create, import and list certificates.'
                'provision	Apply each machine'\''s settings to its host.'
                'upgrade	Upgrade engines with their hosts'\'' package managers.'
                'regenerate-certs	Create new certificates; containers keep running.'
                'renew	Renew certificates before they expire.'
                'start	Power on hosts (Wake-on-LAN) and wait until they answer.'
                'stop	Shut down hosts and wait until they are off.'
                'restart	Reboot hosts and wait until they are back.'
                'kill	Power off hosts without a shutdown.'
                'doctor	Check machines and this computer, and say how to fix problems.'
                'status	Print a machine'\''s state.'
                'version	Print an engine'\''s version; without a name, machinectl'\''s.'
                'info	Print details of engines and their hosts.'
                'inspect	Print a machine'\''s record, in docker-machine'\''s format.'
                'changes	List machinectl'\''s changes on a host, and how each is undone.'
                'api	Send a request to a machine'\''s engine, and print the raw answer.'
                'plan	Show what `apply` would change.'
                'apply	Make machines and their hosts match a fleet file.'
                'fleet	Create a fleet file, and its schema for editors.'
                'discover	Find SSH servers and engines in a network.'
                'inventory	Print an inventory for Ansible or Prometheus.'
                'swarm	Create and manage a Docker Swarm of machines.'
                'run	Run a command on many hosts over SSH.'
                'docker	Run a docker command on many machines.'
                'push	Send an image to machines, without a registry.'
                'pull	Fetch an image from a machine, without a registry.'
                'images	List machines'\'' images, as docker images does.'
                'builder	Make a builder of docker buildx from machines.'
                'access	Give people and tools their own access to machines, and end it.'
                'export	Write machines to an encrypted file, for your other computer.'
                'help	Show what a command is for.')
            flags=(
                '-s=DIRECTORY	The store'\''s directory (else $MACHINE_STORAGE_PATH).'
                '--storage-path=DIRECTORY	The store'\''s directory (else $MACHINE_STORAGE_PATH).'
                '-D	Show remote commands with their output, and tracebacks of bugs.'
                '--debug	Show remote commands with their output, and tracebacks of bugs.'
                '-v	Print the version.'
                '--version	Print the version.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('help')
            verbs=(
                'env	Print the commands that point this shell'\''s docker at a machine.'
                'use	Point this shell'\''s docker at a machine.'
                'config	Print the docker flags that point at a machine.'
                'context	List, repair and import docker contexts.'
                'active	Print the machine that this shell'\''s docker points at.'
                'ls	List machines and their states.'
                'ps	List machines'\'' containers, as docker ps does.'
                'socket	Open a local socket for a machine'\''s engine.'
                'ssh	Log in to a machine'\''s host, or run a command there.'
                'ssh-config	Print machines'\'' settings for ~/.ssh/config.'
                'scp	Copy files to and from machines'\'' hosts, or between two.'
                'mount	Mount a directory of a machine'\''s host, or unmount it (-u).'
                'forward	Reach ports of a machine'\''s host and containers on this computer.'
                'url	Print the URL of a machine'\''s engine.'
                'ip	Print machines'\'' addresses.'
                'shell-init	Print code for a shell'\''s start-up file.'
                'completion	Print a shell'\''s completion script.'
                'docker-plugin	Install or remove `docker machine`, a plugin of docker.'
                'create	Create a machine: set up a server over SSH, or register an engine.'
                'import	Import machines from your other computer'\''s export, or from docker-machine.'
                'rm	Remove machines; --purge also undoes the changes on their hosts.'
                'rename	Rename a machine; its host does not change.'
                'set	Change a machine'\''s settings; `provision` applies them to its host.'
                'drivers	List installed drivers, and those that fail to load.'
                'certs	Create, import and list certificates.'
                'provision	Apply each machine'\''s settings to its host.'
                'upgrade	Upgrade engines with their hosts'\'' package managers.'
                'regenerate-certs	Create new certificates; containers keep running.'
                'renew	Renew certificates before they expire.'
                'start	Power on hosts (Wake-on-LAN) and wait until they answer.'
                'stop	Shut down hosts and wait until they are off.'
                'restart	Reboot hosts and wait until they are back.'
                'kill	Power off hosts without a shutdown.'
                'doctor	Check machines and this computer, and say how to fix problems.'
                'status	Print a machine'\''s state.'
                'version	Print an engine'\''s version; without a name, machinectl'\''s.'
                'info	Print details of engines and their hosts.'
                'inspect	Print a machine'\''s record, in docker-machine'\''s format.'
                'changes	List machinectl'\''s changes on a host, and how each is undone.'
                'api	Send a request to a machine'\''s engine, and print the raw answer.'
                'plan	Show what `apply` would change.'
                'apply	Make machines and their hosts match a fleet file.'
                'fleet	Create a fleet file, and its schema for editors.'
                'discover	Find SSH servers and engines in a network.'
                'inventory	Print an inventory for Ansible or Prometheus.'
                'swarm	Create and manage a Docker Swarm of machines.'
                'run	Run a command on many hosts over SSH.'
                'docker	Run a docker command on many machines.'
                'push	Send an image to machines, without a registry.'
                'pull	Fetch an image from a machine, without a registry.'
                'images	List machines'\'' images, as docker images does.'
                'builder	Make a builder of docker buildx from machines.'
                'access	Give people and tools their own access to machines, and end it.'
                'export	Write machines to an encrypted file, for your other computer.'
                'all	All commands, and the options before them.'
                'ssh-options	Options of the commands that log in to hosts.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('env')
            verbs=()
            flags=(
                '-s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).'
                '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).'
                '-u	Print the commands that unset the variables.'
                '--unset	Print the commands that unset the variables.'
                '--no-proxy	Add the machine'\''s address to NO_PROXY.'
                '--swarm	Point at a manager of the machine'\''s swarm that answers.'
                '--format=json|dotenv|properties	Print a file for tools instead: json, dotenv or properties.'
                '--json	The same as --format json.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('use')
            verbs=()
            flags=(
                '-u	Point at no machine.'
                '--unset	Point at no machine.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('config')
            verbs=()
            flags=(
                '--swarm	Point at a manager of the machine'\''s swarm that answers.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('context')
            verbs=(
                'import	Create a machine from a docker context.'
                'ls	List machines'\'' docker contexts and their state.'
                'sync	Repair machines'\'' docker contexts.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('active')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('ls')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-q	Print names only.'
                '--quiet	Print names only.'
                '--filter=TEXT	Filter by driver, state, name (a regular expression), label or swarm (repeatable).'
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '-f=TEXT	A Go template; `table …` adds headings.'
                '--format=TEXT	A Go template; `table …` adds headings.'
                '--json	Print JSON.'
                '--removed	List removed machines whose records are kept.'
                '--watch	Refresh the table until q or ^C.'
                '--interval=TEXT	With --watch: the pause between refreshes (default 2).'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('list')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-q	Print names only.'
                '--quiet	Print names only.'
                '--filter=TEXT	Filter by driver, state, name (a regular expression), label or swarm (repeatable).'
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '-f=TEXT	A Go template; `table …` adds headings.'
                '--format=TEXT	A Go template; `table …` adds headings.'
                '--json	Print JSON.'
                '--removed	List removed machines whose records are kept.'
                '--watch	Refresh the table until q or ^C.'
                '--interval=TEXT	With --watch: the pause between refreshes (default 2).'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('ps')
            verbs=()
            flags=(
                '-a	List stopped containers, too.'
                '--all	List stopped containers, too.'
                '-f=TEXT	Filter as docker does: status, name, label, ancestor, … (repeatable).'
                '--filter=TEXT	Filter as docker does: status, name, label, ancestor, … (repeatable).'
                '--format=TEXT	raw, json or a Go template; `table …` adds headings.'
                '-n=TEXT	List the N newest containers of each machine, in any state.'
                '--last=TEXT	List the N newest containers of each machine, in any state.'
                '-l	List the newest container of each machine, in any state.'
                '--latest	List the newest container of each machine, in any state.'
                '--no-trunc	Do not truncate output.'
                '-q	Print IDs only.'
                '--quiet	Print IDs only.'
                '-s	Show sizes, too.'
                '--size	Show sizes, too.'
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '--json	Print JSON.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('socket')
            verbs=(
                'ls	List open sockets.'
                'rm	Close sockets.')
            flags=(
                '--path=FILE	The socket'\''s path (default: in a private directory).'
                '--background	Serve it until `socket rm`, logout, or the machine'\''s removal.'
                '--forward	Forward what containers publish, too, as `forward --auto` does.'
                '-s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).'
                '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('ssh')
            verbs=()
            flags=(
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'TEXT')
            ;;
        ('ssh-config')
            verbs=()
            flags=(
                '--write	Write it to a file that stays up to date, and print the line that includes it.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('scp')
            verbs=()
            flags=(
                '-r	Copy directories with their contents.'
                '--recursive	Copy directories with their contents.'
                '-d	Use rsync: copy only what changed, and links as links.'
                '--delta	Use rsync: copy only what changed, and links as links.'
                '-q	Show no progress.'
                '--quiet	Show no progress.'
                '-p	Keep modes and times.'
                '--preserve	Keep modes and times.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('PLACE...')
            ;;
        ('mount')
            verbs=()
            flags=(
                '-u	Unmount.'
                '--unmount	Unmount.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('REMOTE' 'DIRECTORY')
            ;;
        ('forward')
            verbs=()
            flags=(
                '--auto	Forward the ports of all containers, also of those that start later.'
                '--bind=TEXT	Listen on this address, not on 127.0.0.1 and ::1.'
                '--json	Print one JSON object per line, when a port opens or closes.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'CONTAINER...')
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
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
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
        ('docker-plugin')
            verbs=(
                'install	Install `docker machine`.'
                'uninstall	Remove `docker machine`.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('create')
            verbs=()
            flags=(
                '-d=DRIVER	The driver (default: chosen by the host or the options). [$MACHINE_DRIVER]'
                '--driver=DRIVER	The driver (default: chosen by the host or the options). [$MACHINE_DRIVER]'
                '--tls-dir=DIRECTORY	Use the certificates in DIR: ca.pem, cert.pem and key.pem.'
                '--tls-ca-cert=FILE	The CA of the engine'\''s certificate.'
                '--tls-client-cert=FILE	The client'\''s certificate.'
                '--tls-client-key=FILE	The client'\''s key.'
                '--no-tls	Speak to the engine without TLS.'
                '--no-provision	Register the host only; change nothing on it.'
                '--no-context	Create no docker context for the machine.'
                '--address=TEXT	A further address or name of the host, as in a VPN; the first that answers is used (repeatable).'
                '--access-lifetime=TEXT	How long certificates of `access` are valid: 12h, 7d, 2w (default: 7d for people, 30d for tools).'
                '--ssh-jump=MACHINE	The jump host: a machine, or [USER@]HOST[:PORT] as for ssh -J; machine:NAME or host:HOST says which it is.'
                '--dry-run	Look at the host and print the changes; make none.'
                '-y	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.'
                '--yes	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.'
                '-f	Replace others'\'' certificates, and restart the engine even if that stops containers.'
                '--force	Replace others'\'' certificates, and restart the engine even if that stops containers.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--open-firewall	Open the engine'\''s port in the host'\''s firewall.'
                '--label=TEXT	A label of the machine and of its engine (repeatable).'
                '--engine-label=TEXT	A label of the machine and of its engine (repeatable).'
                '--engine-opt=TEXT	A flag of dockerd, such as log-level=warn (repeatable).'
                '--engine-insecure-registry=TEXT	A registry without TLS (repeatable).'
                '--engine-registry-mirror=TEXT	A registry mirror (repeatable). [$ENGINE_REGISTRY_MIRROR]'
                '--engine-env=TEXT	A variable of the engine'\''s environment; proxies also serve the installation (repeatable).'
                '--tls-san=TEXT	An additional name in the server certificate (repeatable).'
                '--engine-install=auto|docker|distro|none	How to install the engine: auto (default), docker (Docker'\''s script), distro (its package) or none.'
                '--engine-install-url=TEXT	The script of --engine-install docker. [$MACHINE_DOCKER_INSTALL_URL]'
                '--engine-version=TEXT	The engine'\''s version to install.'
                '--engine-storage-driver=TEXT	The engine'\''s storage driver.'
                '--engine-bind=TEXT	The address that the engine listens on (default: all).'
                '--ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.'
                '--no-ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.'
                '--os=TEXT	Treat an unknown system as this one, such as debian or fedora.'
                '--engine-env-file=FILE	A file of variables for the engine, as for docker'\''s --env-file; use it for passwords (repeatable).'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('TEXT')
            ;;
        ('import')
            verbs=()
            flags=(
                '--from-docker-machine	Import from docker-machine.'
                '--passphrase-file=FILE	A file with the export'\''s passphrase.'
                '-i=FILE	The private key that opens the export: age-keygen'\''s, or an SSH key (repeatable).'
                '--identity=FILE	The private key that opens the export: age-keygen'\''s, or an SSH key (repeatable).'
                '--no-context	Create no docker contexts.'
                '--dry-run	Print the changes; make none.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('FILE' 'TEXT')
            ;;
        ('rm')
            verbs=()
            flags=(
                '-f	Do not ask, and remove the machine in any state.'
                '--force	Do not ask, and remove the machine in any state.'
                '-y	Do not ask.'
                '--yes	Do not ask.'
                '--purge	Undo machinectl'\''s changes on the host, too; containers stay.'
                '--purge-engine	Remove the engine that machinectl installed, too.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--dry-run	Print the changes; make none.'
                '--forget	Do not keep the record that could undo the host'\''s changes later.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
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
                '--url=TEXT	The engine'\''s new URL.'
                '--label=TEXT	Set a label (repeatable).'
                '--engine-label=TEXT	Set a label (repeatable).'
                '--unlabel=TEXT	Remove a label (repeatable).'
                '--tls	Speak to the engine over TLS.'
                '--no-tls	Speak to the engine over TLS.'
                '--context	Keep a docker context for the machine.'
                '--no-context	Keep a docker context for the machine.'
                '--address=TEXT	A further address or name of the host, as in a VPN; the first that answers is used (repeatable).'
                '--access-lifetime=TEXT	How long certificates of `access` are valid: 12h, 7d, 2w (default: 7d for people, 30d for tools).'
                '--ssh-jump=MACHINE	The jump host: a machine, or [USER@]HOST[:PORT] as for ssh -J; machine:NAME or host:HOST says which it is. `none` removes it.'
                '--engine-opt=TEXT	A flag of dockerd, such as log-level=warn (repeatable).'
                '--engine-insecure-registry=TEXT	A registry without TLS (repeatable).'
                '--engine-registry-mirror=TEXT	A registry mirror (repeatable).'
                '--engine-env=TEXT	A variable of the engine'\''s environment; proxies also serve the installation (repeatable).'
                '--tls-san=TEXT	An additional name in the server certificate (repeatable).'
                '--engine-install=auto|docker|distro|none	How to install the engine: auto (default), docker (Docker'\''s script), distro (its package) or none.'
                '--engine-install-url=TEXT	The script of --engine-install docker.'
                '--engine-version=TEXT	The engine'\''s version to install.'
                '--engine-storage-driver=TEXT	The engine'\''s storage driver.'
                '--engine-bind=TEXT	The address that the engine listens on (default: all).'
                '--ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.'
                '--no-ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.'
                '--os=TEXT	Treat an unknown system as this one, such as debian or fedora.'
                '--engine-env-file=FILE	A file of variables for the engine, as for docker'\''s --env-file; use it for passwords (repeatable).'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('drivers')
            verbs=()
            flags=(
                '--json	Print JSON.'
                '--options	List the options that each adds to `create`.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('certs')
            verbs=(
                'create	Create a CA, a server certificate and a client certificate.'
                'issue	Create another client certificate, for a team-mate or a CI job.'
                'import	Check the certificates in a directory, and use them for a machine.'
                'ls	List machines'\'' certificates and when they expire.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('provision')
            verbs=()
            flags=(
                '-y	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.'
                '--yes	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.'
                '--take-over	Replace settings that were changed here by those of another computer.'
                '--dry-run	Look at the host and print the changes; make none.'
                '-f	Replace others'\'' certificates, and restart the engine even if that stops containers.'
                '--force	Replace others'\'' certificates, and restart the engine even if that stops containers.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--open-firewall	Open the engine'\''s port in the host'\''s firewall.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('upgrade')
            verbs=()
            flags=(
                '-y	Do not ask before more than a patch release.'
                '--yes	Do not ask before more than a patch release.'
                '-f	Restart the engine even if that stops containers; it still asks.'
                '--force	Restart the engine even if that stops containers; it still asks.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('regenerate-certs')
            verbs=()
            flags=(
                '-y	Do not ask (-f as in docker-machine).'
                '-f	Do not ask (-f as in docker-machine).'
                '--yes	Do not ask (-f as in docker-machine).'
                '--force	Do not ask (-f as in docker-machine).'
                '--client-certs	Create a new client certificate, too.'
                '--new-ca	Create a new CA, too: this locks out all other clients.'
                '--tls-san=TEXT	An additional name in the server certificate (repeatable).'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('renew')
            verbs=()
            flags=(
                '--due	Renew only what is due; never ask.'
                '--lifetime-left=TEXT	Renew certificates with less than this share of their lifetime, or this time, left (1/3, 30%, 30d, 12h).'
                '--install-timer	Run `renew --due` daily from now on, with the other options given.'
                '--uninstall-timer	Remove the timer.'
                '-y	Do not ask (--due never does).'
                '--yes	Do not ask (--due never does).'
                '--dry-run	Look at the host and print the changes; make none.'
                '--json	Print one JSON object per line, when each machine ends.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('start')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each host to answer (default 600).'
                '--timeout=TEXT	Timeout for each host to answer (default 600).'
                '-y	Do not ask, even if containers run on the host.'
                '--yes	Do not ask, even if containers run on the host.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('stop')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each host to power off (default 600).'
                '--timeout=TEXT	Timeout for each host to power off (default 600).'
                '-y	Do not ask, even if containers run on the host.'
                '--yes	Do not ask, even if containers run on the host.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('restart')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each host to come back (default 600).'
                '--timeout=TEXT	Timeout for each host to come back (default 600).'
                '-y	Do not ask, even if containers run on the host.'
                '--yes	Do not ask, even if containers run on the host.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('kill')
            verbs=()
            flags=(
                '-y	Do not ask, even if containers run on the host.'
                '--yes	Do not ask, even if containers run on the host.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('doctor')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each step (default 5).'
                '--timeout=TEXT	Timeout for each step (default 5).'
                '--here	Check this computer only.'
                '-v	Print the checks that passed, too.'
                '--verbose	Print the checks that passed, too.'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('status')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('version')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('info')
            verbs=()
            flags=(
                '--ssh	Log in, too: disk, load, free memory, uptime.'
                '-f=TEXT	A Go template.'
                '--format=TEXT	A Go template.'
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
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
                '-d=TEXT	The request'\''s body: JSON, @FILE, or @- for stdin.'
                '--data=TEXT	The request'\''s body: JSON, @FILE, or @- for stdin.'
                '-t=TEXT	Timeout for each host (default 30).'
                '--timeout=TEXT	Timeout for each host (default 30).'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'TEXT')
            ;;
        ('plan')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-f=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).'
                '--file=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).'
                '--refresh	Look at the hosts, too, and show changes that were made by hand.'
                '--prune	Include the removal of machines that the file no longer has.'
                '--detailed-exitcode	Exit with 4 if there are changes.'
                '--parallel=TEXT	How many hosts to work on at once (default 10).'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('apply')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-f=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).'
                '--file=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).'
                '--parallel=TEXT	How many hosts to work on at once (default 10).'
                '--batch=TEXT	How many engines in use restart at once: 2, 25% or 1,5,20, of which the last repeats (default 1).'
                '--max-failures=TEXT	Stop restarting engines after more than N failures (default 0: at the first).'
                '--refresh	Look at the hosts, too, and revert changes that were made by hand.'
                '--prune	Remove machines that the file no longer has.'
                '--purge	With --prune: undo machinectl'\''s changes on their hosts, too.'
                '--take-over	Take over machines from other fleets without asking.'
                '-y	Do not ask before restarting engines, removing machines or setting up hosts.'
                '--yes	Do not ask before restarting engines, removing machines or setting up hosts.'
                '--force	Replace others'\'' certificates, and restart engines even if that stops containers.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--open-firewall	Open the engine'\''s port in the host'\''s firewall.'
                '--dry-run	Look at the hosts and print the changes; make none.'
                '--json	Print JSON.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('fleet')
            verbs=(
                'import	Create a fleet file from an Ansible inventory or an ssh_config.'
                'init	Create a fleet file from existing machines.'
                'schema	Print the JSON schema of fleet.yaml, for editors.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('discover')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each address, and for each port to identify itself (default 1.5).'
                '--timeout=TEXT	Timeout for each address, and for each port to identify itself (default 1.5).'
                '-v	Print whole fingerprints and the SSH servers'\'' versions on a terminal, too.'
                '--verbose	Print whole fingerprints and the SSH servers'\'' versions on a terminal, too.'
                '--json	Print JSON.'
                '--write=FILE	Write a fleet file of the hosts that are not machines yet.'
                '-y	Do not ask, even for many addresses.'
                '--yes	Do not ask, even for many addresses.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('TEXT...')
            ;;
        ('inventory')
            verbs=()
            flags=(
                '--ansible	Print an Ansible inventory.'
                '--prometheus	Print engines that serve metrics, for Prometheus file_sd.'
                '--list	For Ansible: all hosts (the default).'
                '--host=MACHINE	For Ansible: one host'\''s variables.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('swarm')
            verbs=(
                'init	Create a swarm with a machine as its first manager.'
                'join	Join machines to a manager'\''s swarm.'
                'leave	Remove machines from their swarm.'
                'status	Show swarms'\'' nodes, and whether one more manager may fail.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('run')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--group	Print each machine'\''s output together, when it ends.'
                '--json	Print one JSON object per line, when each machine ends.'
                '-t=TEXT	End commands that take longer, with status 124.'
                '--timeout=TEXT	End commands that take longer, with status 124.'
                '--sudo	Run as root, with sudo if needed.'
                '--parallel=TEXT	How many machines to work on at once (default 50, at most 1000).'
                '--no-persist	Do not keep SSH connections for the next run.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('docker')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--group	Print each machine'\''s output together, when it ends.'
                '--json	Print one JSON object per line, when each machine ends.'
                '-t=TEXT	End commands that take longer, with status 124.'
                '--timeout=TEXT	End commands that take longer, with status 124.'
                '--parallel=TEXT	How many machines to work on at once (default 50, at most 1000).'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('push')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--from=MACHINE	Take the image from this machine.'
                '--from-file=FILE	Take it from an archive (- for stdin) of docker save, or of an OCI layout.'
                '--platform=TEXT	The platform, if the image has several: linux/amd64, linux/arm64, …'
                '--as=TEXT	Give the image this name instead.'
                '--parallel=TEXT	How many machines to work on at once (default 10).'
                '--dry-run	Print how much push would send; send nothing.'
                '--json	Print one JSON object per line, when each machine ends.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('IMAGE' 'MACHINE...')
            ;;
        ('pull')
            verbs=()
            flags=(
                '--platform=TEXT	The platform, if the image has several: linux/amd64, linux/arm64, …'
                '--as=TEXT	Give the image this name instead.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('TEXT' 'MACHINE')
            ;;
        ('images')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	List intermediate images, too.'
                '--all	List intermediate images, too.'
                '-f=TEXT	Filter as docker does: dangling, label, reference, before, since (repeatable).'
                '--filter=TEXT	Filter as docker does: dangling, label, reference, before, since (repeatable).'
                '--format=TEXT	json or a Go template; `table …` adds headings.'
                '--digests	Show digests, too.'
                '--no-trunc	Do not truncate output.'
                '-q	Print IDs only.'
                '--quiet	Print IDs only.'
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('builder')
            verbs=(
                'ls	List the builders that machinectl made, and nodes whose machine is gone.'
                'rm	Remove builders, with BuildKit and its cache on the machines.')
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--name=TEXT	The builder'\''s name (default machinectl).'
                '--append	Add the machines to the builder.'
                '--use	Make it docker'\''s current builder.'
                '--bootstrap	Start BuildKit on the machines now, not at the first build.'
                '--driver-opt=TEXT	An option for buildx'\''s driver: image, network, memory, env.KEY, … (repeatable).'
                '-t=TEXT	Timeout for each host (default 10).'
                '--timeout=TEXT	Timeout for each host (default 10).'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('access')
            verbs=(
                'ls	List who has access to machines, and until when.'
                'grant	Give the sender of a request access to machines, and print the answer.'
                'end	End a holder'\''s access to machines, at once.'
                'request	Ask the owner of machines for access to them.'
                'accept	Accept the owner'\''s answer: the machines are then ready to use.'
                'renew	Ask the owner of machines for new certificates, before they expire.'
                'issue	Give a tool access to machines: a key of its own, and files as the tool wants them.')
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('export')
            verbs=()
            flags=(
                '-o=FILE	The file to write, 0600; - is stdout, as ASCII (required).'
                '--output=FILE	The file to write, 0600; - is stdout, as ASCII (required).'
                '-r=TEXT	Encrypt for this key, not with a passphrase: age1…, ssh-ed25519 … or ssh-rsa … (repeatable).'
                '--recipient=TEXT	Encrypt for this key, not with a passphrase: age1…, ssh-ed25519 … or ssh-rsa … (repeatable).'
                '-R=FILE	Encrypt for the keys in this file.'
                '--recipients-file=FILE	Encrypt for the keys in this file.'
                '--passphrase-file=FILE	A file with the passphrase (default: ask).'
                '--with-ca-key	Also export the CA keys, which make certificates.'
                '--with-ssh-key	Also export the machines'\'' SSH keys.'
                '-a	All machines.'
                '--all	All machines.'
                '-f	Replace FILE.'
                '--force	Replace FILE.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
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
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('socket ls')
            verbs=()
            flags=(
                '-q	Print paths only.'
                '--quiet	Print paths only.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('socket rm')
            verbs=()
            flags=(
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('docker-plugin install')
            verbs=()
            flags=(
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
                '--out=DIRECTORY	The directory to write to; it is created (required).'
                '--san=TEXT	A name or address that clients use for the host (required, repeatable).'
                '--ca-cert=FILE	Sign with this CA, not a new one.'
                '--ca-key=FILE	The key of that CA.'
                '--client-name=TEXT	The client'\''s name in its certificate (default client).'
                '-f	Replace existing files.'
                '--force	Replace existing files.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('certs issue')
            verbs=()
            flags=(
                '--out=DIRECTORY	The directory to write to; it is created (required).'
                '--client-name=TEXT	The client'\''s name in its certificate (default client).'
                '-f	Replace existing files.'
                '--force	Replace existing files.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('certs import')
            verbs=()
            flags=(
                '-f	Replace existing files.'
                '--force	Replace existing files.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'DIRECTORY')
            ;;
        ('certs ls')
            verbs=()
            flags=(
                '--fail-under=TEXT	Exit with 1 if a certificate expires within DAYS.'
                '--json	Print JSON.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('fleet import')
            verbs=()
            flags=(
                '--from=ansible|ssh-config	The file'\''s format (default: detect it).'
                '-o=FILE	Write to FILE, which must not exist yet.'
                '--output=FILE	Write to FILE, which must not exist yet.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('FILE')
            ;;
        ('fleet init')
            verbs=()
            flags=(
                '-o=FILE	Write to FILE, which must not exist yet.'
                '--output=FILE	Write to FILE, which must not exist yet.'
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
                '--advertise-addr=TEXT	The address for other nodes (default: the engine'\''s).'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('swarm join')
            verbs=()
            flags=(
                '--manager	Join as managers; use an odd number of them.'
                '--advertise-addr=TEXT	The address for other nodes (default: the engine'\''s).'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE' 'MACHINE...')
            ;;
        ('swarm leave')
            verbs=()
            flags=(
                '-f	Remove the last manager, too, and nodes that no reachable manager knows.'
                '--force	Remove the last manager, too, and nodes that no reachable manager knows.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('swarm status')
            verbs=()
            flags=(
                '-t=TEXT	Timeout for each host (default 5).'
                '--timeout=TEXT	Timeout for each host (default 5).'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE')
            ;;
        ('builder ls')
            verbs=()
            flags=(
                '-q	Print names only.'
                '--quiet	Print names only.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=()
            ;;
        ('builder rm')
            verbs=()
            flags=(
                '--keep-state	Keep BuildKit'\''s cache.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('BUILDER...')
            ;;
        ('access ls')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--json	Print JSON.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('access grant')
            verbs=()
            flags=(
                '--for=HOLDER	The holder'\''s name (default: the one in the request).'
                '--lifetime=TEXT	How long the certificate is valid: 60s, 12h, 7d, 2w (at most 90d; default: the machine'\''s --access-lifetime, else 7d).'
                '-y	Do not ask.'
                '--yes	Do not ask.'
                '-o=FILE	Write to FILE, which must not exist yet, or hold an earlier answer to the request.'
                '--output=FILE	Write to FILE, which must not exist yet, or hold an earlier answer to the request.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('FILE')
            ;;
        ('access end')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines that the holder has access to.'
                '--all	All machines that the holder has access to.'
                '-y	Do not ask.'
                '--yes	Do not ask.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('HOLDER' 'MACHINE...')
            ;;
        ('access request')
            verbs=()
            flags=(
                '--for=TEXT	Who asks: the owner sees this name (default: USER@COMPUTER).'
                '-o=FILE	Write to FILE, which must not exist yet, or hold this request.'
                '--output=FILE	Write to FILE, which must not exist yet, or hold this request.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('TEXT...')
            ;;
        ('access accept')
            verbs=()
            flags=(
                '-y	Do not ask whether the fingerprints are the same.'
                '--yes	Do not ask whether the fingerprints are the same.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('FILE')
            ;;
        ('access renew')
            verbs=()
            flags=(
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-o=FILE	Write to FILE, which must not exist yet, or hold this request.'
                '--output=FILE	Write to FILE, which must not exist yet, or hold this request.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('MACHINE...')
            ;;
        ('access issue')
            verbs=()
            flags=(
                '--for=HOLDER	The holder'\''s name, instead of the tool'\''s.'
                '--lifetime=TEXT	How long the certificate is valid: 60s, 12h, 7d, 2w (at most 90d; default: the machine'\''s --access-lifetime, else 30d).'
                '--out=FILE	Directory for the files (default: the holder'\''s name).'
                '--address=TEXT	Of several addresses of a machine, the one that the tool uses (default: that of its URL) (repeatable).'
                '-y	Do not ask.'
                '--yes	Do not ask.'
                '-f	Overwrite files in the directory that are not as an earlier run left them.'
                '--force	Overwrite files in the directory that are not as an earlier run left them.'
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.'
                '--dry-run	Look at the host and print the changes; make none.'
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.'
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).'
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).'
                '--ssh-host-key=TEXT	The fingerprint that the host'\''s SSH key must have.'
                '--ssh-strict	Refuse a host with an unknown SSH key.'
                '-l=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '--selector=LABEL	Select machines by label: role=web, '\''role in (a,b)'\''.'
                '-a	All machines.'
                '--all	All machines.'
                '-h	Show help.'
                '--help	Show help.')
            arguments=('env|github|gitlab|testcontainers' 'MACHINE...')
            ;;
        (*) \return 1 ;;
    esac
}

# Complete a link of the name docker-machine, too, if it leads to us.
__machinectl_register() {
    compdef _machinectl machinectl
    if [[ "${commands[docker-machine]:A:t}" == machinectl ]]; then compdef _machinectl docker-machine; fi
}

# A function of zsh's own that is loaded when it is needed, or read at the start of a shell, before compinit maybe.
if [[ "${funcstack[1]-}" == _machinectl ]]; then
    _machinectl "$@"
elif (( ${+functions[compdef]} )); then
    __machinectl_register
else
    __machinectl_compdef() {
        precmd_functions=("${(@)precmd_functions:#__machinectl_compdef}")
        if (( ${+functions[compdef]} )); then __machinectl_register; fi
    }
    \builtin typeset -ga precmd_functions
    precmd_functions+=(__machinectl_compdef)
fi
