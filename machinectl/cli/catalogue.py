"""The verbs that there are: where each is made, what it is for in a sentence, and how it is typed.

What `--help` shows of all of them is known from here alone, and a command line loads no more than its own verb.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ABOUT = "Make servers Docker hosts, and point the docker CLI at one of them."
# In the order in which `--help` has them.
SECTIONS = (
    "Use a machine",
    "Make and change machines",
    "Look after their hosts",
    "Look closer",
    "Many machines at once",
)
USE, MAKE, LOOK_AFTER, LOOK_CLOSER, MANY = SECTIONS


class Verb:
    """One verb. `family` is the module of `cli.verbs` whose `add` makes it; without a `section` it is hidden."""

    def __init__(self, family: str, section: str, summary: str, *examples: str) -> None:
        self.family = family
        self.section = section
        self.summary = summary
        self.examples = examples


VERBS = {
    "env": Verb(
        "shells.env",
        USE,
        "Print what points a shell's docker at a machine.",
        "eval $(machinectl env orionbox)",
        "eval $(machinectl env -u)",
    ),
    "use": Verb(
        "shells.use",
        USE,
        "Point this shell's docker at a machine.",
        "machinectl use orionbox",
        "machinectl use -",
        "machinectl use --unset",
    ),
    "config": Verb(
        "shells.env", USE, "Print docker's own flags for a machine.", "docker $(machinectl config orionbox) ps"
    ),
    "context": Verb("shells.context", USE, "See, mend and import docker's contexts.", "machinectl context ls"),
    "active": Verb("look.url", USE, "Print the machine that docker in this shell points at.", "machinectl active"),
    "ls": Verb(
        "look.ls",
        USE,
        "List machines, and what each is doing.",
        "machinectl ls",
        "machinectl ls --filter state=Running --format 'table {{.Name}}\\t{{.URL}}'",
        "machinectl ls --watch",
    ),
    "list": Verb("look.ls", "", "List machines, and what each is doing.", "machinectl list"),
    "ps": Verb(
        "look.ps",
        USE,
        "List the containers of all machines, or of some, as docker ps does.",
        "machinectl ps",
        "machinectl ps -a --filter status=exited orionbox",
        "machinectl ps --format 'table {{.Machine}}\\t{{.Names}}\\t{{.Status}}'",
    ),
    "ssh": Verb(
        "remote.ssh",
        USE,
        "Log in at a machine's host, or run a command there.",
        "machinectl ssh orionbox",
        "machinectl ssh orionbox uname -a",
    ),
    "ssh-config": Verb(
        "remote.ssh",
        USE,
        "Print what ~/.ssh/config can include, so that ssh knows machines.",
        "machinectl ssh-config orionbox",
        "machinectl ssh-config --write",
    ),
    "scp": Verb(
        "remote.scp",
        USE,
        "Copy files to a machine's host, from there, or between two.",
        "machinectl scp notes.txt orionbox:",
        "machinectl scp -r orionbox:www rigel:",
    ),
    "mount": Verb(
        "remote.scp",
        USE,
        "Mount a directory of a machine's host here, or end that (-u).",
        "machinectl mount orionbox:www www",
        "machinectl mount -u www",
    ),
    "url": Verb("look.url", USE, "Print where a machine's engine is.", "machinectl url orionbox"),
    "ip": Verb("look.url", USE, "Print machines' addresses.", "machinectl ip orionbox rigel"),
    "shell-init": Verb(
        "shells.use",
        USE,
        "Print what a shell's start-up file reads.",
        'eval "$(machinectl shell-init bash)"',
        "machinectl shell-init fish | source",
    ),
    "completion": Verb(
        "shells.use", USE, "Print a shell's completion alone.", "machinectl completion zsh > ~/.zfunc/_machinectl"
    ),
    "docker-plugin": Verb(
        "shells.docker_plugin",
        USE,
        "Make all this `docker machine …`, or no longer.",
        "machinectl docker-plugin install",
    ),
    "create": Verb(
        "manage.create",
        MAKE,
        "Make a machine: register an engine, or set up a server over SSH.",
        "machinectl create -d none --url tcp://192.168.0.29:2376 --tls-dir certs orionbox",
        "machinectl create -d generic --generic-ip-address 192.168.0.29 orionbox",
    ),
    "import": Verb(
        "manage.import_machines",
        MAKE,
        "Take over the machines that docker-machine keeps.",
        "machinectl import --from-docker-machine --dry-run",
        "machinectl import --from-docker-machine",
    ),
    "rm": Verb(
        "manage.rm",
        MAKE,
        "Forget machines; --purge puts their hosts back, too.",
        "machinectl rm orionbox",
        "machinectl rm --purge orionbox",
    ),
    "rename": Verb(
        "manage.rm", MAKE, "Give a machine another name; its host is not told.", "machinectl rename orionbox orion"
    ),
    "set": Verb(
        "manage.set",
        MAKE,
        "Change what is known of a machine, or asked of its engine.",
        "machinectl set --url tcp://192.168.0.30:2376 orionbox",
        "machinectl set --engine-opt log-level=warn orionbox",
    ),
    "drivers": Verb("manage.rm", MAKE, "List installed drivers, and which of them fail to load.", "machinectl drivers"),
    "certs": Verb("manage.certs", MAKE, "Make, import and list certificates.", "machinectl certs ls"),
    "provision": Verb(
        "manage.provision",
        LOOK_AFTER,
        "Make machines' hosts what their records say.",
        "machinectl provision orionbox",
    ),
    "upgrade": Verb(
        "manage.provision",
        LOOK_AFTER,
        "Upgrade engines by the package managers of their hosts.",
        "machinectl upgrade --dry-run orionbox",
        "machinectl upgrade orionbox",
    ),
    "regenerate-certs": Verb(
        "manage.provision",
        LOOK_AFTER,
        "Make new certificates; containers keep running.",
        "machinectl regenerate-certs orionbox",
    ),
    "start": Verb(
        "manage.power",
        LOOK_AFTER,
        "Switch hosts on (Wake-on-LAN), and wait until they answer.",
        "machinectl start orionbox",
    ),
    "stop": Verb(
        "manage.power", LOOK_AFTER, "Shut hosts down, and wait until they are off.", "machinectl stop orionbox"
    ),
    "restart": Verb(
        "manage.power", LOOK_AFTER, "Reboot hosts, and wait until they are back.", "machinectl restart orionbox"
    ),
    "kill": Verb(
        "manage.power",
        LOOK_AFTER,
        "Switch hosts off without asking them.",
        "machinectl kill orionbox",
    ),
    "doctor": Verb(
        "look.doctor",
        LOOK_CLOSER,
        "Find out what is wrong with machines, or with this computer, and what to type.",
        "machinectl doctor orionbox",
        "machinectl doctor",
    ),
    "status": Verb("look.status", LOOK_CLOSER, "Print what a machine is doing.", "machinectl status orionbox"),
    "version": Verb(
        "look.status",
        LOOK_CLOSER,
        "Print an engine's version, or without a name our own.",
        "machinectl version orionbox",
    ),
    "info": Verb(
        "look.ps",
        LOOK_CLOSER,
        "Print what engines say of themselves and their hosts.",
        "machinectl info orionbox",
        "machinectl info --ssh orionbox rigel",
        "machinectl info -f '{{.OperatingSystem}}' orionbox",
    ),
    "inspect": Verb(
        "look.inspect",
        LOOK_CLOSER,
        "Print all that is known of a machine, in docker-machine's shape.",
        "machinectl inspect -f '{{.Driver.IPAddress}}' orionbox",
    ),
    "changes": Verb(
        "look.inspect",
        LOOK_CLOSER,
        "Print what was done on a machine's host, and what undoing it does.",
        "machinectl changes orionbox",
    ),
    "api": Verb(
        "look.api",
        LOOK_CLOSER,
        "Ask a machine's engine, and print its raw answer.",
        "machinectl api orionbox /info",
        "machinectl api orionbox POST '/images/prune'",
    ),
    "plan": Verb(
        "many.plan",
        MANY,
        "Show what is to be done so that machines are as a fleet's file says.",
        "machinectl plan",
        "machinectl plan -f fleet.yaml --refresh",
    ),
    "apply": Verb(
        "many.apply",
        MANY,
        "Make machines what a fleet's file says, and their hosts with them.",
        "machinectl apply",
        "machinectl apply -f fleet.yaml --prune",
    ),
    "fleet": Verb("many.fleet", MANY, "Write a fleet's file, and have editors know it.", "machinectl fleet init"),
    "discover": Verb(
        "many.discover",
        MANY,
        "Find what answers in a network: SSH servers, engines, and which are machines.",
        "machinectl discover 192.168.0.0/24",
        "machinectl discover --ports 22,2222 --json 192.168.0.10-20",
        "machinectl discover --write fleet.yaml 192.168.0.0/24",
    ),
    "inventory": Verb(
        "many.inventory",
        MANY,
        "Print machines as other programs want hosts: Ansible, Prometheus.",
        "machinectl inventory --ansible",
        "machinectl inventory --prometheus > targets.json",
    ),
    "swarm": Verb("many.swarm", MANY, "Make machines one Docker Swarm, and look after it.", "machinectl swarm status"),
    "run": Verb(
        "remote.run",
        MANY,
        "Run a command on many machines' hosts over SSH.",
        "machinectl run orionbox rigel -- uname -a",
        "machinectl run -l role=web -- 'df -h / | tail -1'",
        "machinectl run --all --sudo --group -- apt-get update",
    ),
    "docker": Verb(
        "remote.run",
        MANY,
        "Run the docker CLI against many machines' engines.",
        "machinectl docker orionbox rigel -- ps",
        "machinectl docker -l role=web -- pull nginx",
    ),
}

# Of `certs`, in the same form.
CERTS = {
    "create": Verb(
        "manage.certs",
        MAKE,
        "Make a CA, the certificate of an engine's host and one of a client.",
        "machinectl certs create --out certs --san 192.168.0.29 --san orion.lan",
    ),
    "issue": Verb(
        "manage.certs",
        MAKE,
        "Make another client under a machine's CA, for a team-mate or a CI job.",
        "machinectl certs issue orionbox --out certs --client-name alice",
    ),
    "import": Verb(
        "manage.certs",
        MAKE,
        "Check the certificates in a directory, and put them into a machine.",
        "machinectl certs import orionbox certs",
    ),
    "ls": Verb(
        "manage.certs",
        MAKE,
        "List the certificates of machines, and when they expire.",
        "machinectl certs ls",
        "machinectl certs ls --fail-under 30",
    ),
}

# Of `context`.
CONTEXT = {
    "import": Verb(
        "shells.context",
        USE,
        "Make a machine of the engine that a docker context leads to.",
        "machinectl context import theirs",
        "machinectl context import their_engine orionbox",
    ),
    "ls": Verb(
        "shells.context",
        USE,
        "List machines with their docker contexts, and what is not in step.",
        "machinectl context ls",
    ),
    "sync": Verb(
        "shells.context",
        USE,
        "Mend the docker contexts of machines, whoever changed them.",
        "machinectl context sync",
    ),
}

# Of `docker-plugin`.
DOCKER_PLUGIN = {
    "install": Verb(
        "shells.docker_plugin",
        USE,
        "Have docker know `docker machine`, and tell of machines when its own commands fail.",
        "machinectl docker-plugin install",
    ),
    "uninstall": Verb(
        "shells.docker_plugin", USE, "Take `docker machine` away again.", "machinectl docker-plugin uninstall"
    ),
}

# Of `fleet`.
FLEET = {
    "import": Verb(
        "many.fleet",
        MANY,
        "Make a fleet's file of an Ansible inventory, or an ssh_config.",
        "machinectl fleet import inventory.ini -o fleet.yaml",
        "machinectl fleet import ~/.ssh/config",
    ),
    "init": Verb(
        "many.fleet",
        MANY,
        "Make a fleet's file of the machines that there are.",
        "machinectl fleet init -o fleet.yaml",
    ),
    "schema": Verb(
        "many.fleet",
        MANY,
        "Print a JSON Schema of fleet.yaml, from which editors complete it.",
        "machinectl fleet schema > fleet.schema.json",
    ),
}

# Of `swarm`.
SWARM = {
    "init": Verb(
        "many.swarm", MANY, "Have a machine begin a swarm, as its first manager.", "machinectl swarm init orionbox"
    ),
    "join": Verb(
        "many.swarm",
        MANY,
        "Have machines join the swarm of a manager.",
        "machinectl swarm join orionbox rigel saiph",
        "machinectl swarm join --manager orionbox bellatrix mintaka",
    ),
    "leave": Verb(
        "many.swarm",
        MANY,
        "Have machines leave their swarm.",
        "machinectl swarm leave rigel",
        "machinectl swarm leave --force orionbox",
    ),
    "status": Verb(
        "many.swarm",
        MANY,
        "Show the nodes of swarms, and what is lost if one more manager goes.",
        "machinectl swarm status",
        "machinectl swarm status --json orionbox",
    ),
}

# The verbs that have verbs of their own.
GROUPS = {
    "certs": CERTS,
    "context": CONTEXT,
    "docker-plugin": DOCKER_PLUGIN,
    "fleet": FLEET,
    "swarm": SWARM,
}

# Verbs that only print, and end if nobody reads it. All others do work, which continues.
PRINTING = frozenset(
    (
        *("active", "api", "certs ls", "changes", "completion", "config", "context ls", "discover", "doctor"),
        *("drivers", "env", "fleet import", "fleet init", "fleet schema", "info", "inspect", "inventory", "ip", "list"),
        *("ls", "plan", "ps", "shell-init", "ssh-config", "status", "swarm status", "url", "use", "version"),
    )
)
# Verbs that pass on another program's output, stderr too.
RELAYING = frozenset(("docker", "run", "ssh"))

OPTIONS = (
    ("-s, --storage-path DIR", "Where machines are kept (else $MACHINE_STORAGE_PATH)."),
    ("-D, --debug", "Show each remote command and what it printed, and the traceback of a bug."),
    ("-v, --version", "Print the version."),
    ("-h, --help", "Show this, or with a command its help."),
)


def of_section(section: str) -> Iterable[tuple[str, str]]:
    """The verbs of a section, with what each is for."""
    return ((name, verb.summary) for name, verb in VERBS.items() if verb.section == section)


def of_groups() -> Iterable[tuple[str, str]]:
    """The verbs that are verbs of a group's, each after its group's name."""
    return ((group, name) for group, own in GROUPS.items() for name in own)
