# Completion of machinectl, which makes servers Docker hosts, for fish. That of systemd's machinectl, which is another one
# and comes with fish, goes. Nothing is asked of machinectl itself but what drivers there are, once in a shell, and which
# labels.

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
        else if test "$word" = -- && contains -- "$verb" run docker
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
            set -a given $word
            continue
        else
            set verb (string trim -- "$verb $word")
            __machinectl_table $verb || return
            continue
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
    else if set -q __machinectl_verbs[1]
        printf '%s\n' $__machinectl_verbs
    else
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
        case PLACE REMOTE
            __machinectl_places $kind "$cur" "$root"
        case DIRECTORY
            string replace -r -- '^' "$beginning" (__fish_complete_directories "$cur" '')
        case FILE
            string replace -r -- '^' "$beginning" (__fish_complete_path "$cur" '')
        case VERB
            __machinectl_table ''
            printf '%s\n' $__machinectl_verbs
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

# The options of the driver that is named for `create`, and those of all drivers for `set`.
function __machinectl_flags_of_driver --argument-names verb driver
    switch "$verb:$driver"
        case create:
            return
        case 'set:*' 'create:*'
            __machinectl_ask
        case '*'
            return
    end
    for row in $__machinectl_options
        string match -rq -- '^(?<of>\S+) +(?<option>--\S+) +(?<value>\S+) +(?<about>.*)$' $row || continue
        test "$verb" = set || test "$of" = "$driver" || continue
        test "$value" = - && set value '' || set value "=$value"
        printf '%s%s\t%s\n' $option "$value" "$about"
    end
end

# The drivers and their options: a line DRIVER OPTION VALUE ABOUT for each.
function __machinectl_ask
    set -q __machinectl_options || set -g __machinectl_options (machinectl drivers --options 2>/dev/null </dev/null)
end

# The words after a verb, its flags with what their values are, and what its arguments are; it fails for what is none.
# BEGIN: written by make reference
function __machinectl_table
    switch "$argv[1]"
        case ''
            set -g __machinectl_verbs \
                'env	Print what points a shell\'s docker at a machine.' \
                'use	Point this shell\'s docker at a machine.' \
                'config	Print docker\'s own flags for a machine.' \
                'context	See, mend and import docker\'s contexts.' \
                'active	Print the machine that docker in this shell points at.' \
                'ls	List machines, and what each is doing.' \
                'ps	List the containers of all machines, or of some, as docker ps does.' \
                'ssh	Log in at a machine\'s host, or run a command there.' \
                'ssh-config	Print what ~/.ssh/config can include, so that ssh knows machines.' \
                'scp	Copy files to a machine\'s host, from there, or between two.' \
                'mount	Mount a directory of a machine\'s host here, or end that (-u).' \
                'url	Print where a machine\'s engine is.' \
                'ip	Print machines\' addresses.' \
                'shell-init	Print what a shell\'s start-up file reads.' \
                'completion	Print a shell\'s completion alone.' \
                'docker-plugin	Make all this `docker machine …`, or no longer.' \
                'create	Make a machine: register an engine, or set up a server over SSH.' \
                'import	Take over the machines that docker-machine keeps.' \
                'rm	Forget machines; --purge puts their hosts back, too.' \
                'rename	Give a machine another name; its host is not told.' \
                'set	Change what is known of a machine, or asked of its engine.' \
                'drivers	List installed drivers, and which of them fail to load.' \
                'certs	Make, import and list certificates.' \
                'provision	Make machines\' hosts what their records say.' \
                'upgrade	Upgrade engines by the package managers of their hosts.' \
                'regenerate-certs	Make new certificates; containers keep running.' \
                'start	Switch hosts on (Wake-on-LAN), and wait until they answer.' \
                'stop	Shut hosts down, and wait until they are off.' \
                'restart	Reboot hosts, and wait until they are back.' \
                'kill	Switch hosts off without asking them.' \
                'doctor	Find out what is wrong with machines, or with this computer, and what to type.' \
                'status	Print what a machine is doing.' \
                'version	Print an engine\'s version, or without a name our own.' \
                'info	Print what engines say of themselves and their hosts.' \
                'inspect	Print all that is known of a machine, in docker-machine\'s shape.' \
                'changes	Print what was done on a machine\'s host, and what undoing it does.' \
                'api	Ask a machine\'s engine, and print its raw answer.' \
                'plan	Show what is to be done so that machines are as a fleet\'s file says.' \
                'apply	Make machines what a fleet\'s file says, and their hosts with them.' \
                'fleet	Write a fleet\'s file, and have editors know it.' \
                'discover	Find what answers in a network: SSH servers, engines, and which are machines.' \
                'inventory	Print machines as other programs want hosts: Ansible, Prometheus.' \
                'swarm	Make machines one Docker Swarm, and look after it.' \
                'run	Run a command on many machines\' hosts over SSH.' \
                'docker	Run the docker CLI against many machines\' engines.' \
                'help	Show what a command is for.'
            set -g __machinectl_flags \
                '-s=DIRECTORY	Where machines are kept (else $MACHINE_STORAGE_PATH).' \
                '--storage-path=DIRECTORY	Where machines are kept (else $MACHINE_STORAGE_PATH).' \
                '-D	Show help.' \
                '--debug	Show each remote command and what it printed, and the traceback of a bug.' \
                '-v	Print the version.' \
                '--version	Print the version.' \
                '-h	Show this, or with a command its help.' \
                '--help	Show this, or with a command its help.'
            set -g __machinectl_arguments
        case 'context'
            set -g __machinectl_verbs \
                'import	Make a machine of the engine that a docker context leads to.' \
                'ls	List machines with their docker contexts, and what is not in step.' \
                'sync	Mend the docker contexts of machines, whoever changed them.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'docker-plugin'
            set -g __machinectl_verbs \
                'install	Have docker know `docker machine`, and tell of machines when its own commands fail.' \
                'uninstall	Take `docker machine` away again.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'certs'
            set -g __machinectl_verbs \
                'create	Make a CA, the certificate of an engine\'s host and one of a client.' \
                'issue	Make another client under a machine\'s CA, for a team-mate or a CI job.' \
                'import	Check the certificates in a directory, and put them into a machine.' \
                'ls	List the certificates of machines, and when they expire.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'fleet'
            set -g __machinectl_verbs \
                'import	Make a fleet\'s file of an Ansible inventory, or an ssh_config.' \
                'init	Make a fleet\'s file of the machines that there are.' \
                'schema	Print a JSON Schema of fleet.yaml, from which editors complete it.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'swarm'
            set -g __machinectl_verbs \
                'init	Have a machine begin a swarm, as its first manager.' \
                'join	Have machines join the swarm of a manager.' \
                'leave	Have machines leave their swarm.' \
                'status	Show the nodes of swarms, and what is lost if one more manager goes.'
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'help'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'VERB'
        case 'env'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--shell=bash|zsh|sh|fish|tcsh|powershell|cmd|emacs	bash, zsh, sh, fish, tcsh, powershell, cmd or emacs.' \
                '-u	Print what undoes it.' \
                '--unset	Print what undoes it.' \
                '--no-proxy	Add the machine\'s address to NO_PROXY.' \
                '--swarm	Point at a manager that answers, of the machine\'s swarm.' \
                '--format=json|dotenv|properties	A file for tools instead: json, dotenv or properties.' \
                '--json	The same as --format json.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'use'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-u	Point at no machine again.' \
                '--unset	Point at no machine again.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'config'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--swarm	Point at a manager that answers, of the machine\'s swarm.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'active'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-q	Print names only.' \
                '--quiet	Print names only.' \
                '--filter=TEXT	By driver, state, name (a regular expression), label or swarm.' \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '-f=TEXT	A Go template; `table …` adds headings.' \
                '--format=TEXT	A Go template; `table …` adds headings.' \
                '--json	Print JSON.' \
                '--removed	List what is kept of machines that were removed, instead.' \
                '--watch	Draw the table again and again, until ^C.' \
                '--interval=TEXT	With --watch, the pause between two rounds. [default: 2]' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'list'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-q	Print names only.' \
                '--quiet	Print names only.' \
                '--filter=TEXT	By driver, state, name (a regular expression), label or swarm.' \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '-f=TEXT	A Go template; `table …` adds headings.' \
                '--format=TEXT	A Go template; `table …` adds headings.' \
                '--json	Print JSON.' \
                '--removed	List what is kept of machines that were removed, instead.' \
                '--watch	Draw the table again and again, until ^C.' \
                '--interval=TEXT	With --watch, the pause between two rounds. [default: 2]' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'ps'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-a	Also those that do not run.' \
                '--all	Also those that do not run.' \
                '-f=TEXT	Docker\'s: status, name, label, ancestor, …' \
                '--filter=TEXT	Docker\'s: status, name, label, ancestor, …' \
                '--format=TEXT	A Go template; `table …` adds headings; raw; json.' \
                '-n=TEXT	The N newest of each machine, in any state.' \
                '--last=TEXT	The N newest of each machine, in any state.' \
                '-l	The newest of each machine, in any state.' \
                '--latest	The newest of each machine, in any state.' \
                '--no-trunc	Cut nothing short.' \
                '-q	Print IDs only.' \
                '--quiet	Print IDs only.' \
                '-s	Also what each has written.' \
                '--size	Also what each has written.' \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '--json	Print JSON.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'ssh'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'TEXT'
        case 'ssh-config'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--write	Keep it in a file that follows the machines, and print the line that includes it.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'scp'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-r	Directories, with all in them.' \
                '--recursive	Directories, with all in them.' \
                '-d	By rsync: what has changed alone, and links as links.' \
                '--delta	By rsync: what has changed alone, and links as links.' \
                '-q	Show no progress.' \
                '--quiet	Show no progress.' \
                '-p	Keep modes and times.' \
                '--preserve	Keep modes and times.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'PLACE...'
        case 'mount'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-u	End it.' \
                '--unmount	End it.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'REMOTE' 'DIRECTORY'
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
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
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
        case 'create'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-d=DRIVER	Where the host comes from.' \
                '--driver=DRIVER	Where the host comes from.' \
                '--tls-dir=DIRECTORY	Certificates to use, ca.pem, cert.pem and key.pem in DIR.' \
                '--tls-ca-cert=FILE	The CA of the engine\'s certificate.' \
                '--tls-client-cert=FILE	The client\'s certificate.' \
                '--tls-client-key=FILE	The client\'s key.' \
                '--no-tls	Speak to the engine without TLS.' \
                '--no-provision	Register the host as it is, and change nothing on it.' \
                '--no-context	Make no docker context of the machine.' \
                '--ssh-jump=MACHINE	Jump host for its SSH: a machine, else a host as in ssh -J. machine:NAME and host:HOST say which of the two.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '-y	Do not ask before a host is taken over from docker-machine, or set up despite a warning.' \
                '--yes	Do not ask before a host is taken over from docker-machine, or set up despite a warning.' \
                '-f	Replace certificates of somebody else\'s, and restart an engine although that harms.' \
                '--force	Replace certificates of somebody else\'s, and restart an engine although that harms.' \
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.' \
                '--open-firewall	Let the engine\'s port through the host\'s firewall.' \
                '--label=TEXT	A label of the machine and of its engine.' \
                '--engine-label=TEXT	A label of the machine and of its engine.' \
                '--engine-opt=TEXT	A flag of dockerd.' \
                '--engine-insecure-registry=TEXT	A registry without TLS.' \
                '--engine-registry-mirror=TEXT	A registry mirror.' \
                '--engine-env=TEXT	A variable of the engine\'s environment; proxies are for installing, too.' \
                '--tls-san=TEXT	One more name in the server\'s certificate.' \
                '--engine-install=auto|docker|distro|none	auto (the default), docker (its script), distro (the package) or none.' \
                '--engine-install-url=TEXT	Docker\'s script, for --engine-install docker.' \
                '--engine-version=TEXT	The version to install.' \
                '--engine-storage-driver=TEXT	The engine\'s storage driver.' \
                '--engine-bind=TEXT	The address that the engine listens on (default: all).' \
                '--os=TEXT	What the host\'s system is like, where it is not recognised: debian, fedora …' \
                '--engine-env-file=FILE	A file of such variables, as docker\'s --env-file: for a proxy\'s password.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'TEXT'
        case 'import'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--from-docker-machine	Take over the machines of docker-machine.' \
                '--no-context	Make no docker contexts of them.' \
                '--dry-run	Print what would be done, and do nothing.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'DIRECTORY'
        case 'rm'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-f	Do not ask, and forget a machine whatever state it is in.' \
                '--force	Do not ask, and forget a machine whatever state it is in.' \
                '-y	Do not ask.' \
                '--yes	Do not ask.' \
                '--purge	Undo on the host what was set up there, too; containers stay.' \
                '--purge-engine	Remove the engine that was installed, too.' \
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.' \
                '--dry-run	Print what would be done, and do nothing.' \
                '--forget	Keep nothing that could undo later what was set up on the host.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
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
                '--url=TEXT	Where the engine is now.' \
                '--label=TEXT	Set a label.' \
                '--engine-label=TEXT	Set a label.' \
                '--unlabel=TEXT	Remove a label.' \
                '--tls	Speak to the engine over TLS.' \
                '--no-tls	Speak to the engine over TLS.' \
                '--context	Have a docker context of the machine.' \
                '--no-context	Have a docker context of the machine.' \
                '--ssh-jump=MACHINE	Jump host for its SSH: a machine, else a host as in ssh -J. machine:NAME and host:HOST say which of the two; none ends that.' \
                '--engine-opt=TEXT	A flag of dockerd.' \
                '--engine-insecure-registry=TEXT	A registry without TLS.' \
                '--engine-registry-mirror=TEXT	A registry mirror.' \
                '--engine-env=TEXT	A variable of the engine\'s environment; proxies are for installing, too.' \
                '--tls-san=TEXT	One more name in the server\'s certificate.' \
                '--engine-install=auto|docker|distro|none	auto (the default), docker (its script), distro (the package) or none.' \
                '--engine-install-url=TEXT	Docker\'s script, for --engine-install docker.' \
                '--engine-version=TEXT	The version to install.' \
                '--engine-storage-driver=TEXT	The engine\'s storage driver.' \
                '--engine-bind=TEXT	The address that the engine listens on (default: all).' \
                '--os=TEXT	What the host\'s system is like, where it is not recognised: debian, fedora …' \
                '--engine-env-file=FILE	A file of such variables, as docker\'s --env-file: for a proxy\'s password.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'drivers'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--json	Print JSON.' \
                '--options	List what each adds to `create`, and what its values are.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'provision'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask before a host is taken over from docker-machine, or set up despite a warning.' \
                '--yes	Do not ask before a host is taken over from docker-machine, or set up despite a warning.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '-f	Replace certificates of somebody else\'s, and restart an engine although that harms.' \
                '--force	Replace certificates of somebody else\'s, and restart an engine although that harms.' \
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.' \
                '--open-firewall	Let the engine\'s port through the host\'s firewall.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'upgrade'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask before an upgrade that is more than a patch.' \
                '--yes	Do not ask before an upgrade that is more than a patch.' \
                '-f	Restart an engine although that harms; it asks all the same.' \
                '--force	Restart an engine although that harms; it asks all the same.' \
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'regenerate-certs'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask (-f as docker-machine has it).' \
                '-f	Do not ask (-f as docker-machine has it).' \
                '--yes	Do not ask (-f as docker-machine has it).' \
                '--force	Do not ask (-f as docker-machine has it).' \
                '--client-certs	Make a new certificate for the client here, too.' \
                '--new-ca	Make a new CA, too: it locks out all other clients.' \
                '--tls-san=TEXT	One more name in the server\'s certificate.' \
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'start'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long a host may take until it answers.' \
                '--timeout=TEXT	How long a host may take until it answers.' \
                '-y	Do not ask where containers run there.' \
                '--yes	Do not ask where containers run there.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'stop'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long a host may take until it is off.' \
                '--timeout=TEXT	How long a host may take until it is off.' \
                '-y	Do not ask where containers run there.' \
                '--yes	Do not ask where containers run there.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'restart'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long a host may take to come back.' \
                '--timeout=TEXT	How long a host may take to come back.' \
                '-y	Do not ask where containers run there.' \
                '--yes	Do not ask where containers run there.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'kill'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-y	Do not ask where containers run there.' \
                '--yes	Do not ask where containers run there.' \
                '--dry-run	Look at the host, print what would be done, and do nothing.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'doctor'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long each step may take.' \
                '--timeout=TEXT	How long each step may take.' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'status'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'version'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'info'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--ssh	Log in there, too: disk, load, memory that is left, uptime.' \
                '-f=TEXT	A Go template.' \
                '--format=TEXT	A Go template.' \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
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
                '-d=TEXT	What to send: JSON, @FILE, or @- for stdin.' \
                '--data=TEXT	What to send: JSON, @FILE, or @- for stdin.' \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'TEXT'
        case 'plan'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-f=FILE	The fleet\'s file (else ./fleet.yaml); - is stdin.' \
                '--file=FILE	The fleet\'s file (else ./fleet.yaml); - is stdin.' \
                '--refresh	Look at the hosts, too: what was changed there by hand.' \
                '--prune	Machines that are in the file no more are to be removed.' \
                '--detailed-exitcode	Exit with 4 where there is something to do.' \
                '--parallel=TEXT	How many hosts are worked on at once.' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'apply'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-f=FILE	The fleet\'s file (else ./fleet.yaml); - is stdin.' \
                '--file=FILE	The fleet\'s file (else ./fleet.yaml); - is stdin.' \
                '--parallel=TEXT	How many hosts are worked on at once.' \
                '--batch=TEXT	How many engines in use may restart at once: 2, 25%, or 1,5,20 (the last repeats).' \
                '--max-failures=TEXT	How many of them may fail before no more are restarted.' \
                '--refresh	Look at the hosts, too, and mend what was changed there by hand.' \
                '--prune	Remove machines that came from the file and are in it no more.' \
                '--purge	Undo on the hosts of those what was set up there, too; with --prune.' \
                '--take-over	Take over the file\'s machines from other fleets without asking.' \
                '-y	Do not ask before machines are removed, or hosts set up.' \
                '--yes	Do not ask before machines are removed, or hosts set up.' \
                '--force	Replace certificates of somebody else\'s, and restart although it harms.' \
                '--restart-swarm	Restart the engine of a Swarm node that cannot be drained, too.' \
                '--open-firewall	Let the engine\'s port through the host\'s firewall.' \
                '--dry-run	Look at the hosts and print what would change; change nothing.' \
                '--json	Print JSON.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'discover'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--ports=TEXT	Which ports are tried.' \
                '-t=TEXT	How long an address may take to answer, and what listens there to say what it is.' \
                '--timeout=TEXT	How long an address may take to answer, and what listens there to say what it is.' \
                '--json	Print JSON.' \
                '--write=FILE	Write a fleet\'s file of those that are no machines yet.' \
                '-y	Do not ask, however many addresses there are.' \
                '--yes	Do not ask, however many addresses there are.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'TEXT...'
        case 'inventory'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--ansible	As Ansible\'s inventory scripts print it.' \
                '--prometheus	The engines with metrics on, as file_sd of Prometheus has them.' \
                '--list	All hosts, for Ansible (the default).' \
                '--host=MACHINE	The variables of one host, for Ansible.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'run'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--group	Print what each machine says together, when it has ended.' \
                '--json	Print one JSON object per line, when each machine ends.' \
                '-t=TEXT	End what has not ended by then: status 124.' \
                '--timeout=TEXT	End what has not ended by then: status 124.' \
                '--sudo	As root, by sudo where that is needed.' \
                '--parallel=TEXT	How many machines at once, at most. [default: 50]' \
                '--no-persist	Keep no SSH connection for the next run.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'docker'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-a	All machines.' \
                '--all	All machines.' \
                '--group	Print what each machine says together, when it has ended.' \
                '--json	Print one JSON object per line, when each machine ends.' \
                '-t=TEXT	End what has not ended by then: status 124.' \
                '--timeout=TEXT	End what has not ended by then: status 124.' \
                '--parallel=TEXT	How many machines at once, at most. [default: 50]' \
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
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'docker-plugin install'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--no-hooks	Leave docker\'s config.json alone: it asks for no word of ours.' \
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
                '--out=DIRECTORY	The directory to write to; it is made.' \
                '--san=TEXT	What clients call the host.' \
                '--ca-cert=FILE	A CA that exists.' \
                '--ca-key=FILE	That CA\'s key.' \
                '--client-name=TEXT	The client\'s name in its certificate.' \
                '-f	Replace files that are there.' \
                '--force	Replace files that are there.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments
        case 'certs issue'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--out=DIRECTORY	The directory to write to; it is made.' \
                '--client-name=TEXT	The client\'s name in its certificate.' \
                '-f	Replace files that are there.' \
                '--force	Replace files that are there.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'certs import'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-f	Replace files that are there.' \
                '--force	Replace files that are there.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'DIRECTORY'
        case 'certs ls'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--fail-under=TEXT	Exit 1 if one has fewer days left.' \
                '--json	Print JSON.' \
                '-l=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '--selector=LABEL	Those whose labels are so: role=web, role!=web, \'role in (a,b)\'.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'fleet import'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--from=ansible|ssh-config	What the file is (else: by what is in it).' \
                '-o=FILE	Write it into FILE, which is not there yet.' \
                '--output=FILE	Write it into FILE, which is not there yet.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'FILE'
        case 'fleet init'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-o=FILE	Write it into FILE, which is not there yet.' \
                '--output=FILE	Write it into FILE, which is not there yet.' \
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
                '--advertise-addr=TEXT	Where other nodes reach it (else where its engine is reached).' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case 'swarm join'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '--manager	Join as managers, of which an odd number is best.' \
                '--advertise-addr=TEXT	Where other nodes reach it (else where its engine is reached).' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE' 'MACHINE...'
        case 'swarm leave'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-f	The last manager too, and those whom nobody can help to leave.' \
                '--force	The last manager too, and those whom nobody can help to leave.' \
                '--ssh-passphrase-file=FILE	A file with the passphrase of the SSH key.' \
                '--ssh-password-file=FILE	A file with the password to log in with (else $MACHINECTL_SSH_PASSWORD, else you are asked).' \
                '--sudo-password-file=FILE	A file with the password for sudo (else $MACHINECTL_SUDO_PASSWORD, else you are asked).' \
                '--ssh-host-key=TEXT	The fingerprint that the host\'s SSH key must have.' \
                '--ssh-strict	Refuse a host whose SSH key is not known.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE...'
        case 'swarm status'
            set -g __machinectl_verbs
            set -g __machinectl_flags \
                '-t=TEXT	How long a host may take to answer.' \
                '--timeout=TEXT	How long a host may take to answer.' \
                '--json	Print JSON.' \
                '-h	Show help.' \
                '--help	Show help.'
            set -g __machinectl_arguments 'MACHINE'
        case '*'
            return 1
    end
    return 0
end
# END

complete -e -c machinectl
complete -c machinectl -f -a '(__machinectl_complete)'
