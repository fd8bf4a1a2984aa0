"""Declare the verbs that use a machine."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import PRINTS, RELAYS, Argument, Verb
from machinectl.machines.flags import CONTAINER, DIRECTORY, FILE, LABEL, MACHINE, PLACE, REMOTE, SHELL, TEXT, Flag

ENV_SHELL = Flag(
    "-s",
    "--shell",
    metavar="SHELL",
    help="bash, zsh, sh, fish, tcsh, powershell, cmd or emacs (default: detect it).",
    value=("bash", "zsh", "sh", "fish", "tcsh", "powershell", "cmd", "emacs"),
    default=None,
)
ENV_UNSET = Flag("-u", "--unset", help="Print the commands that unset the variables.")
ENV_NO_PROXY = Flag("--no-proxy", help="Add the machine's address to NO_PROXY.")
PROMPT = Flag("--prompt", help="Show the machine in front of the prompt.")

SWARM_MANAGER = Flag("--swarm", help="Point at a manager of the machine's swarm that answers.")
LS_QUIET = Flag("-q", "--quiet", help="Print names only.")
LS_FLAGS = (
    shared.SELECTOR,
    LS_QUIET,
    Flag(
        "--filter",
        metavar="KEY=VALUE",
        help="Filter by driver, state, name (a regular expression), label or swarm.",
        parameter="filters",
        many=True,
    ),
    shared.TIMEOUT,
    Flag("-f", "--format", metavar="TEMPLATE", help="A Go template; `table …` adds headings.", parameter="template"),
    shared.JSON,
    Flag("--removed", help="List removed machines whose records are kept."),
    Flag("--watch", help="Refresh the table until q or ^C."),
    Flag(
        "--interval",
        metavar="SECONDS",
        help="With --watch: the pause between refreshes (default 2).",
        kind=float,
        limits=(0.1, 86400),
        default=None,
    ),
)

VERBS = {
    "env": Verb(
        "shells.env:env",
        "Print the commands that point this shell's docker at a machine.",
        examples=("eval $(machinectl env orionbox)", "eval $(machinectl env -u)"),
        arguments=(shared.ONE_NAME,),
        flags=(
            ENV_SHELL,
            ENV_UNSET,
            ENV_NO_PROXY,
            SWARM_MANAGER,
            Flag(
                "--format",
                metavar="FORM",
                help="Print a file for tools instead: json, dotenv or properties.",
                parameter="form",
                value=("json", "dotenv", "properties"),
            ),
            Flag("--json", help="The same as --format json.", parameter="as_json"),
        ),
        output=PRINTS,
        follows=False,
    ),
    "use": Verb(
        "shells.use:use",
        "Point this shell's docker at a machine.",
        more="`use -` returns to the previous machine. `use` is a shell function that `machinectl shell-init` prints.",
        examples=("machinectl use orionbox", "machinectl use -", "machinectl use --unset"),
        arguments=(shared.ONE_NAME,),
        flags=(
            Flag("-u", "--unset", help="Point at no machine."),
            Flag("--shell", metavar="SHELL", help="Print what the function sets.", default="", hidden=True),
        ),
        output=PRINTS,
    ),
    "config": Verb(
        "shells.env:config",
        "Print the docker flags that point at a machine.",
        examples=("docker $(machinectl config orionbox) ps",),
        arguments=(shared.ONE_NAME,),
        flags=(SWARM_MANAGER, shared.JSON),
        output=PRINTS,
    ),
    "context": Verb(
        "",
        "List, repair and import docker contexts.",
        examples=("machinectl context ls", "machinectl context sync", "machinectl context import theirs orionbox"),
    ),
    "context import": Verb(
        "shells.context:context_import",
        "Create a machine from a docker context.",
        more="The context does not change, and stays yours.",
        examples=("machinectl context import theirs", "machinectl context import their_engine orionbox"),
        arguments=(Argument("context", "CONTEXT", TEXT, required=True), Argument("name", "[NAME]", TEXT)),
    ),
    "context ls": Verb(
        "shells.context:context_ls",
        "List machines' docker contexts and their state.",
        examples=("machinectl context ls",),
        flags=(shared.JSON,),
        output=PRINTS,
    ),
    "context sync": Verb(
        "shells.context:context_sync",
        "Repair machines' docker contexts.",
        more="It does not touch your own contexts.",
        examples=("machinectl context sync",),
        flags=(shared.SELECTOR,),
        keeps_selector=True,
    ),
    "active": Verb(
        "look.url:active",
        "Print the machine that this shell's docker points at.",
        examples=("machinectl active",),
        flags=(shared.TIMEOUT, shared.JSON),
        output=PRINTS,
        follows=False,
    ),
    "ls": Verb(
        "look.ls:ls",
        "List machines and their states.",
        examples=(
            "machinectl ls",
            "machinectl ls --filter state=Running --format 'table {{.Name}}\\t{{.URL}}'",
            "machinectl ls --watch",
        ),
        arguments=(shared.NAMES,),
        flags=LS_FLAGS,
        output=PRINTS,
        keeps_selector=True,
        follows=False,
    ),
    "list": Verb(
        "look.ls:ls",
        "List machines and their states.",
        examples=("machinectl list",),
        hidden=True,
        arguments=(shared.NAMES,),
        flags=LS_FLAGS,
        output=PRINTS,
        keeps_selector=True,
    ),
    "ps": Verb(
        "look.ps:ps",
        "List machines' containers, as docker ps does.",
        more="Without a name, it asks all machines.",
        examples=(
            "machinectl ps",
            "machinectl ps -a --filter status=exited orionbox",
            "machinectl ps --format 'table {{.Machine}}\\t{{.Names}}\\t{{.Status}}'",
        ),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-a", "--all", help="List stopped containers, too.", parameter="everything"),
            Flag(
                "-f",
                "--filter",
                metavar="KEY=VALUE",
                help="Filter as docker does: status, name, label, ancestor, …",
                parameter="filters",
                many=True,
            ),
            Flag(
                "--format",
                metavar="TEMPLATE",
                help="raw, json or a Go template; `table …` adds headings.",
                parameter="template",
            ),
            Flag(
                "-n",
                "--last",
                metavar="N",
                help="List the N newest containers of each machine, in any state.",
                kind=int,
                default=-1,
                show_default=False,
            ),
            Flag("-l", "--latest", help="List the newest container of each machine, in any state."),
            Flag("--no-trunc", help="Do not truncate output."),
            Flag("-q", "--quiet", help="Print IDs only."),
            Flag("-s", "--size", help="Show sizes, too."),
            shared.TIMEOUT,
            shared.JSON,
            Flag(
                "--selector",
                metavar="SELECTOR",
                help="Select machines by label: role=web, 'role in (a,b)'.",
                value=LABEL,
                default=None,
            ),
        ),
        output=PRINTS,
    ),
    "socket": Verb(
        "shells.socket:socket",
        "Open a local socket for a machine's engine.",
        more=(
            "It runs the command, and closes the socket when the command ends. Without a command, it prints the shell "
            "commands to paste into another shell, and serves the socket until ^C. With eval, use --background."
        ),
        examples=(
            "machinectl socket orionbox -- pytest tests",
            "eval $(machinectl socket orionbox --background)",
            "machinectl socket rm orionbox",
        ),
        arguments=(Argument("words", "[NAME] [-- COMMAND…]", MACHINE, many=True),),
        flags=(
            Flag("--path", metavar="FILE", help="The socket's path (default: in a private directory).", value=FILE),
            Flag("--background", help="Serve it until `socket rm`, logout, or the machine's removal."),
            Flag("--forward", help="Forward what containers publish, too, as `forward --auto` does."),
            ENV_SHELL,
            Flag("--log", metavar="FILE", help="The log of --background.", value=FILE, hidden=True),
        ),
    ),
    "socket ls": Verb(
        "shells.socket:socket_ls",
        "List open sockets.",
        examples=("machinectl socket ls",),
        flags=(Flag("-q", "--quiet", help="Print paths only."), shared.JSON),
        output=PRINTS,
        follows=False,
    ),
    "socket rm": Verb(
        "shells.socket:socket_rm",
        "Close sockets.",
        more="The socket of a running command stays: it ends with its command.",
        examples=("machinectl socket rm orionbox", "machinectl socket rm /run/user/1000/engine.sock"),
        arguments=(Argument("names", "NAME|FILE…", MACHINE, many=True, required=True, repeats=True),),
        follows=False,
    ),
    "ssh": Verb(
        "remote.ssh:ssh",
        "Log in to a machine's host, or run a command there.",
        more="The words after the name go to ssh: its options, and a command.",
        examples=("machinectl ssh orionbox", "machinectl ssh orionbox uname -a", "machinectl ssh root@orionbox"),
        arguments=(Argument("words", "[[USER@]NAME] [ARGUMENT]…", MACHINE, TEXT, many=True),),
        flags=(*shared.LOGIN,),
        output=RELAYS,
        passes_on=True,
        # ssh(1), EXIT STATUS: for a failure that is not the remote command's.
        failure_status=255,
    ),
    "ssh-config": Verb(
        "remote.ssh:ssh_config",
        "Print machines' settings for ~/.ssh/config.",
        more="Without names: all machines with SSH.",
        examples=("machinectl ssh-config orionbox", "machinectl ssh-config --write"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("--write", help="Write it to a file that stays up to date, and print the line that includes it."),
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
    "scp": Verb(
        "remote.scp:scp",
        "Copy files to and from machines' hosts, or between two.",
        more=(
            "The last path is the target. A path without NAME: is on this computer, as are ./a:b and localhost:PATH."
        ),
        examples=("machinectl scp notes.txt orionbox:", "machinectl scp -r orionbox:www rigel:"),
        arguments=(
            Argument("words", "[[USER@]NAME:]PATH… [[USER@]NAME:]PATH", PLACE, many=True, required=True, repeats=True),
        ),
        flags=(
            Flag("-r", "--recursive", help="Copy directories with their contents."),
            Flag("-d", "--delta", help="Use rsync: copy only what changed, and links as links."),
            Flag("-q", "--quiet", help="Show no progress."),
            Flag("-p", "--preserve", help="Keep modes and times."),
            *shared.LOGIN,
        ),
    ),
    "mount": Verb(
        "remote.scp:mount",
        "Mount a directory of a machine's host, or unmount it (-u).",
        more=(
            "It needs sshfs. Without NAME:PATH, it lists what is mounted. Without DIR, it mounts on the same path "
            "here, which must be an empty directory. To unmount, DIR is enough."
        ),
        examples=("machinectl mount orionbox:www www", "machinectl mount", "machinectl mount -u www"),
        arguments=(
            Argument("source", "[USER@]NAME:PATH", REMOTE),
            Argument("target", "[DIR]", DIRECTORY),
        ),
        flags=(Flag("-u", "--unmount", help="Unmount."), shared.JSON),
    ),
    "forward": Verb(
        "remote.forward:forward",
        "Reach ports of a machine's host and containers on this computer.",
        more=(
            "It forwards TCP over SSH until ^C. PORT is a port of the host. For a CONTAINER, it forwards the ports "
            "that it publishes, while it runs. LOCAL is the number here (default: the same); 0 is a free one."
        ),
        examples=(
            "machinectl forward orionbox 8080:80 5432",
            "machinectl forward orionbox web",
            "machinectl forward --auto orionbox",
        ),
        arguments=(
            shared.NAME,
            Argument("words", "[[LOCAL:]PORT|CONTAINER]…", CONTAINER, many=True, repeats=True),
        ),
        flags=(
            Flag("--auto", help="Forward the ports of all containers, also of those that start later."),
            Flag("--bind", metavar="ADDRESS", help="Listen on this address, not on 127.0.0.1 and ::1."),
            Flag("--json", help="Print one JSON object per line, when a port opens or closes.", parameter="as_json"),
            *shared.LOGIN,
        ),
    ),
    "url": Verb(
        "look.url:url",
        "Print the URL of a machine's engine.",
        examples=("machinectl url orionbox",),
        arguments=(shared.ONE_NAME,),
        flags=(shared.JSON,),
        output=PRINTS,
        follows=False,
    ),
    "ip": Verb(
        "look.url:ip",
        "Print machines' addresses.",
        examples=("machinectl ip orionbox rigel",),
        arguments=(shared.NAMES,),
        flags=(shared.JSON, *shared.CHOICE),
        output=PRINTS,
        follows=False,
    ),
    "shell-init": Verb(
        "shells.use:shell_init",
        "Print code for a shell's start-up file.",
        more="It defines `use`, completion, and machinectl_prompt for your own prompt.",
        examples=('eval "$(machinectl shell-init bash)"', "machinectl shell-init fish | source"),
        arguments=(Argument("shell", "SHELL", SHELL),),
        flags=(PROMPT,),
        output=PRINTS,
        follows=False,
    ),
    "completion": Verb(
        "shells.use:completion",
        "Print a shell's completion script.",
        examples=("machinectl completion zsh > ~/.zfunc/_machinectl",),
        arguments=(Argument("shell", "SHELL", SHELL),),
        output=PRINTS,
        follows=False,
    ),
    "docker-plugin": Verb(
        "",
        "Install or remove `docker machine`, a plugin of docker.",
        examples=("machinectl docker-plugin install", "machinectl docker-plugin uninstall"),
    ),
    "docker-plugin install": Verb(
        "shells.docker_plugin:docker_plugin_install",
        "Install `docker machine`.",
        examples=("machinectl docker-plugin install",),
    ),
    "docker-plugin uninstall": Verb(
        "shells.docker_plugin:docker_plugin_uninstall",
        "Remove `docker machine`.",
        examples=("machinectl docker-plugin uninstall",),
    ),
}
