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
function __machinectl_table
    switch "$argv[1]"
        case ''
            set -g __machinectl_verbs \
                'env	Print the commands that point this shell\'s docker at a machine.' \
                'use	Point this shell\'s docker at a machine.' \
                'config	Print the docker flags that point at a machine.' \
                'context	List, repair and import docker contexts.' \
                'active	Print the machine that this shell\'s docker points at.' \
                'ls	List machines and their states.' \
                'ps	List machines\' containers, as docker ps does.' \
                'socket	Open a local socket for a machine\'s engine.' \
                'ssh	Log in to a machine\'s host, or run a command there.' \
                'ssh-config	Print machines\' settings for ~/.ssh/config.' \
                'scp	Copy files to and from machines\' hosts, or between two.' \
                'mount	Mount a directory of a machine\'s host, or unmount it (-u).' \
                'forward	Reach ports of a machine\'s host and containers on this computer.' \
                'url	Print the URL of a machine\'s engine.' \
                'ip	Print machines\' addresses.' \
                'shell-init	Print code for a shell\'s start-up file.' \
                'completion	Print a shell\'s completion script.' \
                'docker-plugin	Install or remove `docker machine`, a plugin of docker.' \
                'create	Create a machine: set up a server over SSH, or register an engine.' \
                'import	Import machines from your other computer\'s export, or from docker-machine.' \
                'rm	Remove machines; --purge also undoes the changes on their hosts.' \
                'rename	Rename a machine; its host does not change.' \
                'set	Change a machine\'s settings; `provision` applies them to its host.' \
                'drivers	List installed drivers, and those that fail to load.' \
                'certs	Create, import and list certificates.' \
                'provision	Apply each machine\'s settings to its host.' \
                'upgrade	Upgrade engines with their hosts\' package managers.' \
                'regenerate-certs	Create new certificates; containers keep running.' \
                'renew	Renew certificates before they expire.' \
                'start	Power on hosts (Wake-on-LAN) and wait until they answer.' \
                'stop	Shut down hosts and wait until they are off.' \
                'restart	Reboot hosts and wait until they are back.' \
                'kill	Power off hosts without a shutdown.' \
                'doctor	Check machines and this computer, and say how to fix problems.' \
                'status	Print a machine\'s state.' \
                'version	Print an engine\'s version; without a name, machinectl\'s.' \
                'info	Print details of engines and their hosts.' \
                'inspect	Print a machine\'s record, in docker-machine\'s format.' \
                'changes	List machinectl\'s changes on a host, and how each is undone.' \
                'api	Send a request to a machine\'s engine, and print the raw answer.' \
                'plan	Show what `apply` would change.' \
                'apply	Make machines and their hosts match a fleet file.' \
                'fleet	Create a fleet file, and its schema for editors.' \
                'discover	Find SSH servers and engines in a network.' \
                'inventory	Print an inventory for Ansible or Prometheus.' \
                'swarm	Create and manage a Docker Swarm of machines.' \
                'run	Run a command on many hosts over SSH.' \
                'docker	Run a docker command on many machines.' \
                'push	Send an image to machines, without a registry.' \
                'pull	Fetch an image from a machine, without a registry.' \
                'images	List machines\' images, as docker images does.' \
                'builder	Make a builder of docker buildx from machines.' \
                'access	Give people and tools their own access to machines, and end it.' \
                'export	Write machines to an encrypted file, for your other computer.' \
                'help	Show what a command is for.'
            set -g __machinectl_flags \
                '-s=DIRECTORY	The store\'s directory (else $MACHINE_STORAGE_PATH).' \
                '--storage-path=DIRECTORY	The store\'s directory (else $MACHINE_STORAGE_PATH).' \
                '-D	Show remote commands with their output, and tracebacks of bugs.' \
                '--debug	Show remote commands with their output, and tracebacks of bugs.' \
                '-v	Print the version.' \
                '--version	Print the version.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'help'
            set -g __machinectl_verbs \
                'env	Print the commands that point this shell\'s docker at a machine.' \
                'use	Point this shell\'s docker at a machine.' \
                'config	Print the docker flags that point at a machine.' \
                'context	List, repair and import docker contexts.' \
                'active	Print the machine that this shell\'s docker points at.' \
                'ls	List machines and their states.' \
                'ps	List machines\' containers, as docker ps does.' \
                'socket	Open a local socket for a machine\'s engine.' \
                'ssh	Log in to a machine\'s host, or run a command there.' \
                'ssh-config	Print machines\' settings for ~/.ssh/config.' \
                'scp	Copy files to and from machines\' hosts, or between two.' \
                'mount	Mount a directory of a machine\'s host, or unmount it (-u).' \
                'forward	Reach ports of a machine\'s host and containers on this computer.' \
                'url	Print the URL of a machine\'s engine.' \
                'ip	Print machines\' addresses.' \
                'shell-init	Print code for a shell\'s start-up file.' \
                'completion	Print a shell\'s completion script.' \
                'docker-plugin	Install or remove `docker machine`, a plugin of docker.' \
                'create	Create a machine: set up a server over SSH, or register an engine.' \
                'import	Import machines from your other computer\'s export, or from docker-machine.' \
                'rm	Remove machines; --purge also undoes the changes on their hosts.' \
                'rename	Rename a machine; its host does not change.' \
                'set	Change a machine\'s settings; `provision` applies them to its host.' \
                'drivers	List installed drivers, and those that fail to load.' \
                'certs	Create, import and list certificates.' \
                'provision	Apply each machine\'s settings to its host.' \
                'upgrade	Upgrade engines with their hosts\' package managers.' \
                'regenerate-certs	Create new certificates; containers keep running.' \
                'renew	Renew certificates before they expire.' \
                'start	Power on hosts (Wake-on-LAN) and wait until they answer.' \
                'stop	Shut down hosts and wait until they are off.' \
                'restart	Reboot hosts and wait until they are back.' \
                'kill	Power off hosts without a shutdown.' \
                'doctor	Check machines and this computer, and say how to fix problems.' \
                'status	Print a machine\'s state.' \
                'version	Print an engine\'s version; without a name, machinectl\'s.' \
                'info	Print details of engines and their hosts.' \
                'inspect	Print a machine\'s record, in docker-machine\'s format.' \
                'changes	List machinectl\'s changes on a host, and how each is undone.' \
                'api	Send a request to a machine\'s engine, and print the raw answer.' \
                'plan	Show what `apply` would change.' \
                'apply	Make machines and their hosts match a fleet file.' \
                'fleet	Create a fleet file, and its schema for editors.' \
                'discover	Find SSH servers and engines in a network.' \
                'inventory	Print an inventory for Ansible or Prometheus.' \
                'swarm	Create and manage a Docker Swarm of machines.' \
                'run	Run a command on many hosts over SSH.' \
                'docker	Run a docker command on many machines.' \
                'push	Send an image to machines, without a registry.' \
                'pull	Fetch an image from a machine, without a registry.' \
                'images	List machines\' images, as docker images does.' \
                'builder	Make a builder of docker buildx from machines.' \
                'access	Give people and tools their own access to machines, and end it.' \
                'export	Write machines to an encrypted file, for your other computer.' \
                'all	All commands, and the options before them.' \
                'ssh-options	Options of the commands that log in to hosts.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'env'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).' \
                '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).' \
                '-u	Print the commands that unset the variables.' \
                '--unset	Print the commands that unset the variables.' \
                '--no-proxy	Add the machine\'s address to NO_PROXY.' \
                '--swarm	Point at a manager of the machine\'s swarm that answers.' \
                '--format=json|dotenv|properties	Print a file for tools instead: json, dotenv or properties.' \
                '--json	The same as --format json.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'use'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-u	Point at no machine.' \
                '--unset	Point at no machine.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'config'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--swarm	Point at a manager of the machine\'s swarm that answers.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'context'
            set -g __machinectl_verbs \
                'import	Create a machine from a docker context.' \
                'ls	List machines\' docker contexts and their state.' \
                'sync	Repair machines\' docker contexts.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'active'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-q	Print names only.' \
                '--quiet	Print names only.' \
                '--filter=TEXT	Filter by driver, state, name (a regular expression), label or swarm (repeatable).' \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '-f=TEXT	A Go template; `table …` adds headings.' \
                '--format=TEXT	A Go template; `table …` adds headings.' \
                '--json	Print JSON.' \
                '--removed	List removed machines whose records are kept.' \
                '--watch	Refresh the table until q or ^C.' \
                '--interval=TEXT	With --watch: the pause between refreshes (default 2).' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'list'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-q	Print names only.' \
                '--quiet	Print names only.' \
                '--filter=TEXT	Filter by driver, state, name (a regular expression), label or swarm (repeatable).' \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '-f=TEXT	A Go template; `table …` adds headings.' \
                '--format=TEXT	A Go template; `table …` adds headings.' \
                '--json	Print JSON.' \
                '--removed	List removed machines whose records are kept.' \
                '--watch	Refresh the table until q or ^C.' \
                '--interval=TEXT	With --watch: the pause between refreshes (default 2).' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'ps'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-a	List stopped containers, too.' \
                '--all	List stopped containers, too.' \
                '-f=TEXT	Filter as docker does: status, name, label, ancestor, … (repeatable).' \
                '--filter=TEXT	Filter as docker does: status, name, label, ancestor, … (repeatable).' \
                '--format=TEXT	raw, json or a Go template; `table …` adds headings.' \
                '-n=TEXT	List the N newest containers of each machine, in any state.' \
                '--last=TEXT	List the N newest containers of each machine, in any state.' \
                '-l	List the newest container of each machine, in any state.' \
                '--latest	List the newest container of each machine, in any state.' \
                '--no-trunc	Do not truncate output.' \
                '-q	Print IDs only.' \
                '--quiet	Print IDs only.' \
                '-s	Show sizes, too.' \
                '--size	Show sizes, too.' \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '--json	Print JSON.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'socket'
            set -g __machinectl_verbs \
                'ls	List open sockets.' \
                'rm	Close sockets.'
            set -g __machinectl_flags \
                '--path=FILE	The socket\'s path (default: in a private directory).' \
                '--background	Serve it until `socket rm`, logout, or the machine\'s removal.' \
                '--forward	Forward what containers publish, too, as `forward --auto` does.' \
                '-s=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).' \
                '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'ssh'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'TEXT'
        case 'ssh-config'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--write	Write it to a file that stays up to date, and print the line that includes it.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'scp'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-r	Copy directories with their contents.' \
                '--recursive	Copy directories with their contents.' \
                '-d	Use rsync: copy only what changed, and links as links.' \
                '--delta	Use rsync: copy only what changed, and links as links.' \
                '-q	Show no progress.' \
                '--quiet	Show no progress.' \
                '-p	Keep modes and times.' \
                '--preserve	Keep modes and times.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'PLACE...'
        case 'mount'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-u	Unmount.' \
                '--unmount	Unmount.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'REMOTE' 'DIRECTORY'
        case 'forward'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--auto	Forward the ports of all containers, also of those that start later.' \
                '--bind=TEXT	Listen on this address, not on 127.0.0.1 and ::1.' \
                '--json	Print one JSON object per line, when a port opens or closes.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'CONTAINER...'
        case 'url'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'ip'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--json	Print JSON.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'shell-init'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--prompt	Show the machine in front of the prompt.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'bash|zsh|fish|powershell'
        case 'completion'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'bash|zsh|fish|powershell'
        case 'docker-plugin'
            set -g __machinectl_verbs \
                'install	Install `docker machine`.' \
                'uninstall	Remove `docker machine`.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'create'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-d=DRIVER	The driver (default: chosen by the host or the options). [$MACHINE_DRIVER]' \
                '--driver=DRIVER	The driver (default: chosen by the host or the options). [$MACHINE_DRIVER]' \
                '--tls-dir=DIRECTORY	Use the certificates in DIR: ca.pem, cert.pem and key.pem.' \
                '--tls-ca-cert=FILE	The CA of the engine\'s certificate.' \
                '--tls-client-cert=FILE	The client\'s certificate.' \
                '--tls-client-key=FILE	The client\'s key.' \
                '--no-tls	Speak to the engine without TLS.' \
                '--no-provision	Register the host only; change nothing on it.' \
                '--no-context	Create no docker context for the machine.' \
                '--address=TEXT	A further address or name of the host, as in a VPN; the first that answers is used (repeatable).' \
                '--access-lifetime=TEXT	How long certificates of `access` are valid: 12h, 7d, 2w (default: 7d for people, 30d for tools).' \
                '--ssh-jump=MACHINE	The jump host: a machine, or [USER@]HOST[:PORT] as for ssh -J; machine:NAME or host:HOST says which it is.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '-y	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.' \
                '--yes	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.' \
                '-f	Replace others\' certificates, and restart the engine even if that stops containers.' \
                '--force	Replace others\' certificates, and restart the engine even if that stops containers.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--open-firewall	Open the engine\'s port in the host\'s firewall.' \
                '--label=TEXT	A label of the machine and of its engine (repeatable).' \
                '--engine-label=TEXT	A label of the machine and of its engine (repeatable).' \
                '--engine-opt=TEXT	A flag of dockerd, such as log-level=warn (repeatable).' \
                '--engine-insecure-registry=TEXT	A registry without TLS (repeatable).' \
                '--engine-registry-mirror=TEXT	A registry mirror (repeatable). [$ENGINE_REGISTRY_MIRROR]' \
                '--engine-env=TEXT	A variable of the engine\'s environment; proxies also serve the installation (repeatable).' \
                '--tls-san=TEXT	An additional name in the server certificate (repeatable).' \
                '--engine-install=auto|docker|distro|none	How to install the engine: auto (default), docker (Docker\'s script), distro (its package) or none.' \
                '--engine-install-url=TEXT	The script of --engine-install docker. [$MACHINE_DOCKER_INSTALL_URL]' \
                '--engine-version=TEXT	The engine\'s version to install.' \
                '--engine-storage-driver=TEXT	The engine\'s storage driver.' \
                '--engine-bind=TEXT	The address that the engine listens on (default: all).' \
                '--ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.' \
                '--no-ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.' \
                '--os=TEXT	Treat an unknown system as this one, such as debian or fedora.' \
                '--engine-env-file=FILE	A file of variables for the engine, as for docker\'s --env-file; use it for passwords (repeatable).' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'TEXT'
        case 'import'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--from-docker-machine	Import from docker-machine.' \
                '--passphrase-file=FILE	A file with the export\'s passphrase.' \
                '-i=FILE	The private key that opens the export: age-keygen\'s, or an SSH key (repeatable).' \
                '--identity=FILE	The private key that opens the export: age-keygen\'s, or an SSH key (repeatable).' \
                '--no-context	Create no docker contexts.' \
                '--dry-run	Print the changes; make none.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'FILE' 'TEXT'
        case 'rm'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-f	Do not ask, and remove the machine in any state.' \
                '--force	Do not ask, and remove the machine in any state.' \
                '-y	Do not ask.' \
                '--yes	Do not ask.' \
                '--purge	Undo machinectl\'s changes on the host, too; containers stay.' \
                '--purge-engine	Remove the engine that machinectl installed, too.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--dry-run	Print the changes; make none.' \
                '--forget	Do not keep the record that could undo the host\'s changes later.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'rename'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'TEXT'
        case 'set'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--url=TEXT	The engine\'s new URL.' \
                '--label=TEXT	Set a label (repeatable).' \
                '--engine-label=TEXT	Set a label (repeatable).' \
                '--unlabel=TEXT	Remove a label (repeatable).' \
                '--tls	Speak to the engine over TLS.' \
                '--no-tls	Speak to the engine over TLS.' \
                '--context	Keep a docker context for the machine.' \
                '--no-context	Keep a docker context for the machine.' \
                '--address=TEXT	A further address or name of the host, as in a VPN; the first that answers is used (repeatable).' \
                '--access-lifetime=TEXT	How long certificates of `access` are valid: 12h, 7d, 2w (default: 7d for people, 30d for tools).' \
                '--ssh-jump=MACHINE	The jump host: a machine, or [USER@]HOST[:PORT] as for ssh -J; machine:NAME or host:HOST says which it is. `none` removes it.' \
                '--engine-opt=TEXT	A flag of dockerd, such as log-level=warn (repeatable).' \
                '--engine-insecure-registry=TEXT	A registry without TLS (repeatable).' \
                '--engine-registry-mirror=TEXT	A registry mirror (repeatable).' \
                '--engine-env=TEXT	A variable of the engine\'s environment; proxies also serve the installation (repeatable).' \
                '--tls-san=TEXT	An additional name in the server certificate (repeatable).' \
                '--engine-install=auto|docker|distro|none	How to install the engine: auto (default), docker (Docker\'s script), distro (its package) or none.' \
                '--engine-install-url=TEXT	The script of --engine-install docker.' \
                '--engine-version=TEXT	The engine\'s version to install.' \
                '--engine-storage-driver=TEXT	The engine\'s storage driver.' \
                '--engine-bind=TEXT	The address that the engine listens on (default: all).' \
                '--ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.' \
                '--no-ssh-only	Reach the engine over SSH only: it listens on no port, and the SSH user, if not root, joins the group docker.' \
                '--os=TEXT	Treat an unknown system as this one, such as debian or fedora.' \
                '--engine-env-file=FILE	A file of variables for the engine, as for docker\'s --env-file; use it for passwords (repeatable).' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'drivers'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--json	Print JSON.' \
                '--options	List the options that each adds to `create`.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'certs'
            set -g __machinectl_verbs \
                'create	Create a CA, a server certificate and a client certificate.' \
                'issue	Create another client certificate, for a team-mate or a CI job.' \
                'import	Check the certificates in a directory, and use them for a machine.' \
                'ls	List machines\' certificates and when they expire.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'provision'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.' \
                '--yes	Do not ask before taking a host over from docker-machine, or setting it up despite a warning.' \
                '--take-over	Replace settings that were changed here by those of another computer.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '-f	Replace others\' certificates, and restart the engine even if that stops containers.' \
                '--force	Replace others\' certificates, and restart the engine even if that stops containers.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--open-firewall	Open the engine\'s port in the host\'s firewall.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'upgrade'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask before more than a patch release.' \
                '--yes	Do not ask before more than a patch release.' \
                '-f	Restart the engine even if that stops containers; it still asks.' \
                '--force	Restart the engine even if that stops containers; it still asks.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'regenerate-certs'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask (-f as in docker-machine).' \
                '-f	Do not ask (-f as in docker-machine).' \
                '--yes	Do not ask (-f as in docker-machine).' \
                '--force	Do not ask (-f as in docker-machine).' \
                '--client-certs	Create a new client certificate, too.' \
                '--new-ca	Create a new CA, too: this locks out all other clients.' \
                '--tls-san=TEXT	An additional name in the server certificate (repeatable).' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'renew'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--due	Renew only what is due; never ask.' \
                '--lifetime-left=TEXT	Renew certificates with less than this share of their lifetime, or this time, left (1/3, 30%, 30d, 12h).' \
                '--install-timer	Run `renew --due` daily from now on, with the other options given.' \
                '--uninstall-timer	Remove the timer.' \
                '-y	Do not ask (--due never does).' \
                '--yes	Do not ask (--due never does).' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--json	Print one JSON object per line, when each machine ends.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'start'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each host to answer (default 600).' \
                '--timeout=TEXT	Timeout for each host to answer (default 600).' \
                '-y	Do not ask, even if containers run on the host.' \
                '--yes	Do not ask, even if containers run on the host.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'stop'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each host to power off (default 600).' \
                '--timeout=TEXT	Timeout for each host to power off (default 600).' \
                '-y	Do not ask, even if containers run on the host.' \
                '--yes	Do not ask, even if containers run on the host.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'restart'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each host to come back (default 600).' \
                '--timeout=TEXT	Timeout for each host to come back (default 600).' \
                '-y	Do not ask, even if containers run on the host.' \
                '--yes	Do not ask, even if containers run on the host.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'kill'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask, even if containers run on the host.' \
                '--yes	Do not ask, even if containers run on the host.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'doctor'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each step (default 5).' \
                '--timeout=TEXT	Timeout for each step (default 5).' \
                '--here	Check this computer only.' \
                '-v	Print the checks that passed, too.' \
                '--verbose	Print the checks that passed, too.' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'status'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'version'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'info'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--ssh	Log in, too: disk, load, free memory, uptime.' \
                '-f=TEXT	A Go template.' \
                '--format=TEXT	A Go template.' \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'inspect'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-f=TEXT	A Go template.' \
                '--format=TEXT	A Go template.' \
                '--json	Print machinectl\'s own record as JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'changes'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'api'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-d=TEXT	The request\'s body: JSON, @FILE, or @- for stdin.' \
                '--data=TEXT	The request\'s body: JSON, @FILE, or @- for stdin.' \
                '-t=TEXT	Timeout for each host (default 30).' \
                '--timeout=TEXT	Timeout for each host (default 30).' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'TEXT'
        case 'plan'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-f=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).' \
                '--file=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).' \
                '--refresh	Look at the hosts, too, and show changes that were made by hand.' \
                '--prune	Include the removal of machines that the file no longer has.' \
                '--detailed-exitcode	Exit with 4 if there are changes.' \
                '--parallel=TEXT	How many hosts to work on at once (default 10).' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'apply'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-f=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).' \
                '--file=FILE	The fleet file (default ./fleet.yaml); - reads stdin (repeatable).' \
                '--parallel=TEXT	How many hosts to work on at once (default 10).' \
                '--batch=TEXT	How many engines in use restart at once: 2, 25% or 1,5,20, of which the last repeats (default 1).' \
                '--max-failures=TEXT	Stop restarting engines after more than N failures (default 0: at the first).' \
                '--refresh	Look at the hosts, too, and revert changes that were made by hand.' \
                '--prune	Remove machines that the file no longer has.' \
                '--purge	With --prune: undo machinectl\'s changes on their hosts, too.' \
                '--take-over	Take over machines from other fleets without asking.' \
                '-y	Do not ask before restarting engines, removing machines or setting up hosts.' \
                '--yes	Do not ask before restarting engines, removing machines or setting up hosts.' \
                '--force	Replace others\' certificates, and restart engines even if that stops containers.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--open-firewall	Open the engine\'s port in the host\'s firewall.' \
                '--dry-run	Look at the hosts and print the changes; make none.' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'fleet'
            set -g __machinectl_verbs \
                'import	Create a fleet file from an Ansible inventory or an ssh_config.' \
                'init	Create a fleet file from existing machines.' \
                'schema	Print the JSON schema of fleet.yaml, for editors.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'discover'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each address, and for each port to identify itself (default 1.5).' \
                '--timeout=TEXT	Timeout for each address, and for each port to identify itself (default 1.5).' \
                '-v	Print whole fingerprints and the SSH servers\' versions on a terminal, too.' \
                '--verbose	Print whole fingerprints and the SSH servers\' versions on a terminal, too.' \
                '--json	Print JSON.' \
                '--write=FILE	Write a fleet file of the hosts that are not machines yet.' \
                '-y	Do not ask, even for many addresses.' \
                '--yes	Do not ask, even for many addresses.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'TEXT...'
        case 'inventory'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--ansible	Print an Ansible inventory.' \
                '--prometheus	Print engines that serve metrics, for Prometheus file_sd.' \
                '--list	For Ansible: all hosts (the default).' \
                '--host=MACHINE	For Ansible: one host\'s variables.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'swarm'
            set -g __machinectl_verbs \
                'init	Create a swarm with a machine as its first manager.' \
                'join	Join machines to a manager\'s swarm.' \
                'leave	Remove machines from their swarm.' \
                'status	Show swarms\' nodes, and whether one more manager may fail.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'run'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--group	Print each machine\'s output together, when it ends.' \
                '--json	Print one JSON object per line, when each machine ends.' \
                '-t=TEXT	End commands that take longer, with status 124.' \
                '--timeout=TEXT	End commands that take longer, with status 124.' \
                '--sudo	Run as root, with sudo if needed.' \
                '--parallel=TEXT	How many machines to work on at once (default 50, at most 1000).' \
                '--no-persist	Do not keep SSH connections for the next run.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'docker'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--group	Print each machine\'s output together, when it ends.' \
                '--json	Print one JSON object per line, when each machine ends.' \
                '-t=TEXT	End commands that take longer, with status 124.' \
                '--timeout=TEXT	End commands that take longer, with status 124.' \
                '--parallel=TEXT	How many machines to work on at once (default 50, at most 1000).' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'push'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--from=MACHINE	Take the image from this machine.' \
                '--from-file=FILE	Take it from an archive (- for stdin) of docker save, or of an OCI layout.' \
                '--platform=TEXT	The platform, if the image has several: linux/amd64, linux/arm64, …' \
                '--as=TEXT	Give the image this name instead.' \
                '--parallel=TEXT	How many machines to work on at once (default 10).' \
                '--dry-run	Print how much push would send; send nothing.' \
                '--json	Print one JSON object per line, when each machine ends.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'IMAGE' 'MACHINE...'
        case 'pull'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--platform=TEXT	The platform, if the image has several: linux/amd64, linux/arm64, …' \
                '--as=TEXT	Give the image this name instead.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'TEXT' 'MACHINE'
        case 'images'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	List intermediate images, too.' \
                '--all	List intermediate images, too.' \
                '-f=TEXT	Filter as docker does: dangling, label, reference, before, since (repeatable).' \
                '--filter=TEXT	Filter as docker does: dangling, label, reference, before, since (repeatable).' \
                '--format=TEXT	json or a Go template; `table …` adds headings.' \
                '--digests	Show digests, too.' \
                '--no-trunc	Do not truncate output.' \
                '-q	Print IDs only.' \
                '--quiet	Print IDs only.' \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'builder'
            set -g __machinectl_verbs \
                'ls	List the builders that machinectl made, and nodes whose machine is gone.' \
                'rm	Remove builders, with BuildKit and its cache on the machines.'
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--name=TEXT	The builder\'s name (default machinectl).' \
                '--append	Add the machines to the builder.' \
                '--use	Make it docker\'s current builder.' \
                '--bootstrap	Start BuildKit on the machines now, not at the first build.' \
                '--driver-opt=TEXT	An option for buildx\'s driver: image, network, memory, env.KEY, … (repeatable).' \
                '-t=TEXT	Timeout for each host (default 10).' \
                '--timeout=TEXT	Timeout for each host (default 10).' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'access'
            set -g __machinectl_verbs \
                'ls	List who has access to machines, and until when.' \
                'grant	Give the sender of a request access to machines, and print the answer.' \
                'end	End a holder\'s access to machines, at once.' \
                'request	Ask the owner of machines for access to them.' \
                'accept	Accept the owner\'s answer: the machines are then ready to use.' \
                'renew	Ask the owner of machines for new certificates, before they expire.' \
                'issue	Give a tool access to machines: a key of its own, and files as the tool wants them.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'export'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-o=FILE	The file to write, 0600; - is stdout, as ASCII (required).' \
                '--output=FILE	The file to write, 0600; - is stdout, as ASCII (required).' \
                '-r=TEXT	Encrypt for this key, not with a passphrase: age1…, ssh-ed25519 … or ssh-rsa … (repeatable).' \
                '--recipient=TEXT	Encrypt for this key, not with a passphrase: age1…, ssh-ed25519 … or ssh-rsa … (repeatable).' \
                '-R=FILE	Encrypt for the keys in this file.' \
                '--recipients-file=FILE	Encrypt for the keys in this file.' \
                '--passphrase-file=FILE	A file with the passphrase (default: ask).' \
                '--with-ca-key	Also export the CA keys, which make certificates.' \
                '--with-ssh-key	Also export the machines\' SSH keys.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-f	Replace FILE.' \
                '--force	Replace FILE.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'context import'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'TEXT' 'TEXT'
        case 'context ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'context sync'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'socket ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-q	Print paths only.' \
                '--quiet	Print paths only.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'socket rm'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'docker-plugin install'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'docker-plugin uninstall'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'certs create'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--out=DIRECTORY	The directory to write to; it is created (required).' \
                '--san=TEXT	A name or address that clients use for the host (required, repeatable).' \
                '--ca-cert=FILE	Sign with this CA, not a new one.' \
                '--ca-key=FILE	The key of that CA.' \
                '--client-name=TEXT	The client\'s name in its certificate (default client).' \
                '-f	Replace existing files.' \
                '--force	Replace existing files.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'certs issue'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--out=DIRECTORY	The directory to write to; it is created (required).' \
                '--client-name=TEXT	The client\'s name in its certificate (default client).' \
                '-f	Replace existing files.' \
                '--force	Replace existing files.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'certs import'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-f	Replace existing files.' \
                '--force	Replace existing files.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'DIRECTORY'
        case 'certs ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--fail-under=TEXT	Exit with 1 if a certificate expires within DAYS.' \
                '--json	Print JSON.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'fleet import'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--from=ansible|ssh-config	The file\'s format (default: detect it).' \
                '-o=FILE	Write to FILE, which must not exist yet.' \
                '--output=FILE	Write to FILE, which must not exist yet.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'FILE'
        case 'fleet init'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-o=FILE	Write to FILE, which must not exist yet.' \
                '--output=FILE	Write to FILE, which must not exist yet.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'fleet schema'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'swarm init'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--advertise-addr=TEXT	The address for other nodes (default: the engine\'s).' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'swarm join'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--manager	Join as managers; use an odd number of them.' \
                '--advertise-addr=TEXT	The address for other nodes (default: the engine\'s).' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'MACHINE...'
        case 'swarm leave'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-f	Remove the last manager, too, and nodes that no reachable manager knows.' \
                '--force	Remove the last manager, too, and nodes that no reachable manager knows.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'swarm status'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	Timeout for each host (default 5).' \
                '--timeout=TEXT	Timeout for each host (default 5).' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'builder ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-q	Print names only.' \
                '--quiet	Print names only.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'builder rm'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--keep-state	Keep BuildKit\'s cache.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'BUILDER...'
        case 'access ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'access grant'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--for=HOLDER	The holder\'s name (default: the one in the request).' \
                '--lifetime=TEXT	How long the certificate is valid: 60s, 12h, 7d, 2w (at most 90d; default: the machine\'s --access-lifetime, else 7d).' \
                '-y	Do not ask.' \
                '--yes	Do not ask.' \
                '-o=FILE	Write to FILE, which must not exist yet, or hold an earlier answer to the request.' \
                '--output=FILE	Write to FILE, which must not exist yet, or hold an earlier answer to the request.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'FILE'
        case 'access end'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines that the holder has access to.' \
                '--all	All machines that the holder has access to.' \
                '-y	Do not ask.' \
                '--yes	Do not ask.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'HOLDER' 'MACHINE...'
        case 'access request'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--for=TEXT	Who asks: the owner sees this name (default: USER@COMPUTER).' \
                '-o=FILE	Write to FILE, which must not exist yet, or hold this request.' \
                '--output=FILE	Write to FILE, which must not exist yet, or hold this request.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'TEXT...'
        case 'access accept'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask whether the fingerprints are the same.' \
                '--yes	Do not ask whether the fingerprints are the same.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'FILE'
        case 'access renew'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-o=FILE	Write to FILE, which must not exist yet, or hold this request.' \
                '--output=FILE	Write to FILE, which must not exist yet, or hold this request.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'access issue'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--for=HOLDER	The holder\'s name, instead of the tool\'s.' \
                '--lifetime=TEXT	How long the certificate is valid: 60s, 12h, 7d, 2w (at most 90d; default: the machine\'s --access-lifetime, else 30d).' \
                '--out=FILE	Directory for the files (default: the holder\'s name).' \
                '--address=TEXT	Of several addresses of a machine, the one that the tool uses (default: that of its URL) (repeatable).' \
                '-y	Do not ask.' \
                '--yes	Do not ask.' \
                '-f	Overwrite files in the directory that are not as an earlier run left them.' \
                '--force	Overwrite files in the directory that are not as an earlier run left them.' \
                '--restart-swarm	Restart the engine even if the Swarm node cannot be drained.' \
                '--dry-run	Look at the host and print the changes; make none.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host with an unknown SSH key.' \
                '-l=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Select machines by label: role=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'env|github|gitlab|testcontainers' 'MACHINE...'
        case '*'
            return 1
    end
    return 0
end

complete -e -c machinectl
complete -c machinectl -f -a '(__machinectl_complete)'
