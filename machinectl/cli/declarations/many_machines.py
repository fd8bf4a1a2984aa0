"""Declare the verbs for many machines at once."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import PRINTS, RELAYS, Argument, Verb
from machinectl.machines.flags import BUILDER, FILE, IMAGE, MACHINE, TEXT, Flag

RUN_SUDO = Flag("--sudo", help="Run as root, with sudo if needed.")
RUN_NO_PERSIST = Flag("--no-persist", help="Do not keep SSH connections for the next run.")

FLEET_FILE = Flag(
    "-f",
    "--file",
    metavar="FILE",
    help="The fleet file (default ./fleet.yaml); - reads stdin.",
    parameter="files",
    value=FILE,
    many=True,
    show_default=False,
)
PARALLEL = Flag(
    "--parallel", metavar="N", help="How many hosts to work on at once.", kind=int, limits=(1, None), default=10
)
GROUP_OUTPUT = Flag("--group", help="Print each machine's output together, when it ends.")
RUN_TIMEOUT = Flag(
    "-t",
    "--timeout",
    metavar="SECONDS",
    help="End commands that take longer, with status 124.",
    kind=float,
    limits=(0.001, 86400),
    default=None,
)
RUN_PARALLEL = Flag(
    "--parallel",
    metavar="N",
    help="How many machines to work on at once (default 50, at most 1000).",
    kind=int,
    limits=(1, 1000),
    default=None,
)
OUTPUT_FILE = Flag("-o", "--output", metavar="FILE", help="Write to FILE, which must not exist yet.", value=FILE)
ADVERTISE_ADDR = Flag(
    "--advertise-addr", metavar="ADDRESS", help="The address for other nodes (default: the engine's)."
)

WHICH_IMAGE = "A name, an ID or a digest."
PLATFORM = Flag(
    "--platform", metavar="PLATFORM", help="The platform, if the image has several: linux/amd64, linux/arm64, …"
)
NEW_NAME = Flag("--as", metavar="NAME:TAG", help="Give the image this name instead.", parameter="new_name")

BUILDER_FLAGS = (
    *shared.CHOICE,
    Flag("--name", metavar="BUILDER", help="The builder's name.", default="machinectl", parameter="builder_name"),
    Flag("--append", help="Add the machines to the builder."),
    Flag("--use", help="Make it docker's current builder."),
    Flag("--bootstrap", help="Start BuildKit on the machines now, not at the first build."),
    Flag(
        "--driver-opt",
        metavar="KEY=VALUE",
        help="An option for buildx's driver: image, network, memory, env.KEY, …",
        parameter="driver_options",
        many=True,
    ),
    shared.TIMEOUT,
)

VERBS = {
    "plan": Verb(
        "many.plan:plan",
        "Show what `apply` would change.",
        more="It compares the fleet file with this computer's records, contacts no host, and changes nothing.",
        examples=("machinectl plan", "machinectl plan -f fleet.yaml --refresh"),
        arguments=(shared.NAMES,),
        flags=(
            shared.SELECTOR,
            FLEET_FILE,
            Flag("--refresh", help="Look at the hosts, too, and show changes that were made by hand."),
            Flag("--prune", help="Include the removal of machines that the file no longer has."),
            Flag("--detailed-exitcode", help="Exit with 4 if there are changes."),
            PARALLEL,
            shared.JSON,
            *shared.LOGIN,
        ),
        output=PRINTS,
        keeps_selector=True,
    ),
    "apply": Verb(
        "many.apply:apply",
        "Make machines and their hosts match a fleet file.",
        more="It does not change what matches. Engines that run containers restart one after the other.",
        examples=("machinectl apply", "machinectl apply -f fleet.yaml --prune"),
        arguments=(shared.NAMES,),
        flags=(
            shared.SELECTOR,
            FLEET_FILE,
            PARALLEL,
            Flag(
                "--batch",
                metavar="N",
                help="How many engines in use restart at once: 2, 25% or 1,5,20, of which the last repeats.",
                default="1",
            ),
            Flag(
                "--max-failures",
                metavar="N",
                help="Stop restarting engines after more than N failures (default 0: at the first).",
                kind=int,
                limits=(0, None),
                default=0,
            ),
            Flag("--refresh", help="Look at the hosts, too, and revert changes that were made by hand."),
            Flag("--prune", help="Remove machines that the file no longer has."),
            Flag("--purge", help="With --prune: undo machinectl's changes on their hosts, too."),
            Flag("--take-over", help="Take over machines from other fleets without asking."),
            Flag("-y", "--yes", help="Do not ask before restarting engines, removing machines or setting up hosts."),
            Flag("--force", help="Replace others' certificates, and restart engines even if that stops containers."),
            shared.RESTART_SWARM,
            shared.OPEN_FIREWALL,
            Flag("--dry-run", help="Look at the hosts and print the changes; make none."),
            shared.JSON,
            *shared.LOGIN,
        ),
        keeps_selector=True,
    ),
    "fleet": Verb(
        "",
        "Create a fleet file, and its schema for editors.",
        examples=(
            "machinectl fleet init -o fleet.yaml",
            "machinectl fleet import inventory.ini -o fleet.yaml",
            "machinectl fleet schema > fleet.schema.json",
        ),
    ),
    "fleet import": Verb(
        "many.fleet:fleet_import",
        "Create a fleet file from an Ansible inventory or an ssh_config.",
        more="Skipped entries are listed with the reason.",
        examples=("machinectl fleet import inventory.ini -o fleet.yaml", "machinectl fleet import ~/.ssh/config"),
        arguments=(Argument("file", "FILE", FILE, required=True),),
        flags=(
            Flag(
                "--from",
                metavar="ansible|ssh-config",
                help="The file's format (default: detect it).",
                parameter="kind",
                value=("ansible", "ssh-config"),
            ),
            OUTPUT_FILE,
        ),
        output=PRINTS,
    ),
    "fleet init": Verb(
        "many.fleet:fleet_init",
        "Create a fleet file from existing machines.",
        more="Without names, it takes all machines.",
        examples=("machinectl fleet init -o fleet.yaml",),
        arguments=(shared.NAMES,),
        flags=(OUTPUT_FILE,),
        output=PRINTS,
    ),
    "fleet schema": Verb(
        "many.fleet:fleet_schema",
        "Print the JSON schema of fleet.yaml, for editors.",
        more="It has the options of all installed drivers.",
        examples=("machinectl fleet schema > fleet.schema.json",),
        output=PRINTS,
    ),
    "discover": Verb(
        "many.discover:discover",
        "Find SSH servers and engines in a network.",
        more="It tries only the addresses that you name, and does not log in.",
        examples=(
            "machinectl discover 192.168.0.0/24",
            "machinectl discover --json 192.168.0.10-20",
            "machinectl discover --write fleet.yaml 192.168.0.0/24",
        ),
        arguments=(Argument("networks", "NETWORK…", TEXT, many=True, repeats=True),),
        flags=(
            shared.TIMEOUT.with_changes(
                help="Timeout for each address, and for each port to identify itself.", limits=(0.05, 600), default=1.5
            ),
            Flag("-v", "--verbose", help="Print whole fingerprints and the SSH servers' versions on a terminal, too."),
            shared.JSON,
            Flag(
                "--write", metavar="FILE", help="Write a fleet file of the hosts that are not machines yet.", value=FILE
            ),
            Flag("-y", "--yes", help="Do not ask, even for many addresses."),
        ),
        output=PRINTS,
    ),
    "inventory": Verb(
        "many.inventory:inventory",
        "Print an inventory for Ansible or Prometheus.",
        more=(
            "For Ansible, an executable file of two lines calls it: "
            '`#!/bin/sh` and `exec machinectl inventory --ansible "$@"`.'
        ),
        examples=("machinectl inventory --ansible", "machinectl inventory --prometheus > targets.json"),
        flags=(
            Flag("--ansible", help="Print an Ansible inventory."),
            Flag("--prometheus", help="Print engines that serve metrics, for Prometheus file_sd."),
            Flag("--list", help="For Ansible: all hosts (the default).", parameter="listed"),
            Flag("--host", metavar="NAME", help="For Ansible: one host's variables.", value=MACHINE, default=None),
        ),
        output=PRINTS,
    ),
    "swarm": Verb(
        "",
        "Create and manage a Docker Swarm of machines.",
        examples=("machinectl swarm init orionbox", "machinectl swarm join orionbox rigel", "machinectl swarm status"),
    ),
    "swarm init": Verb(
        "many.swarm:swarm_init",
        "Create a swarm with a machine as its first manager.",
        more="It turns off live-restore first, because Swarm does not work with it.",
        examples=("machinectl swarm init orionbox",),
        arguments=(shared.NAME,),
        flags=(ADVERTISE_ADDR, *shared.LOGIN),
    ),
    "swarm join": Verb(
        "many.swarm:swarm_join",
        "Join machines to a manager's swarm.",
        more="MANAGER is one of the swarm's managers, or the swarm's name.",
        examples=(
            "machinectl swarm join orionbox rigel saiph",
            "machinectl swarm join --manager orionbox bellatrix mintaka",
        ),
        arguments=(Argument("manager", "MANAGER", MACHINE, required=True), shared.NAMES),
        flags=(
            Flag("--manager", help="Join as managers; use an odd number of them.", parameter="as_manager"),
            ADVERTISE_ADDR,
            *shared.CHOICE,
            *shared.LOGIN,
        ),
    ),
    "swarm leave": Verb(
        "many.swarm:swarm_leave",
        "Remove machines from their swarm.",
        more="It drains them first, and turns live-restore on again if it was on before.",
        examples=("machinectl swarm leave rigel", "machinectl swarm leave --force orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-f", "--force", help="Remove the last manager, too, and nodes that no reachable manager knows."),
            *shared.CHOICE,
            *shared.LOGIN,
        ),
    ),
    "swarm status": Verb(
        "many.swarm:swarm_status",
        "Show swarms' nodes, and whether one more manager may fail.",
        more="It asks any manager that answers.",
        examples=("machinectl swarm status", "machinectl swarm status --json orionbox"),
        arguments=(Argument("name", "[NAME]", MACHINE),),
        flags=(shared.TIMEOUT.with_changes(default=5), shared.JSON),
        output=PRINTS,
    ),
    "run": Verb(
        "remote.run:run",
        "Run a command on many hosts over SSH.",
        more=(
            "What follows the names of machines is the command. "
            "A single word is a line for sh; several words are the command and its arguments. "
            "All hosts get stdin; in a `while read` loop, add </dev/null."
        ),
        examples=(
            "machinectl run orionbox rigel uname -a",
            "machinectl run -l role=web -- 'df -h / | tail -1'",
            "machinectl run --all --sudo --group -- apt-get update",
        ),
        arguments=(Argument("words", "[NAME]… [--] COMMAND…", MACHINE, many=True, repeats=True),),
        flags=(
            *shared.CHOICE,
            GROUP_OUTPUT,
            shared.JSON_LINES,
            RUN_TIMEOUT,
            RUN_SUDO,
            RUN_PARALLEL,
            RUN_NO_PERSIST,
            *shared.LOGIN,
        ),
        output=RELAYS,
        keeps_selector=True,
    ),
    "docker": Verb(
        "remote.run:docker",
        "Run a docker command on many machines.",
        more=(
            "Each run gets the machine's `env`. All engines get stdin; in a `while read` loop, add </dev/null. "
            "The output of one named machine goes to a pipe or file as it is."
        ),
        examples=("machinectl docker orionbox ps", "machinectl docker -l role=web -- pull nginx"),
        arguments=(Argument("words", "[NAME]… [--] ARGUMENT…", MACHINE, many=True, repeats=True),),
        flags=(*shared.CHOICE, GROUP_OUTPUT, shared.JSON_LINES, RUN_TIMEOUT, RUN_PARALLEL),
        output=RELAYS,
        keeps_selector=True,
    ),
    "push": Verb(
        "remote.push:push",
        "Send an image to machines, without a registry.",
        more="It comes from the engine that docker points at. Only the layers that a machine lacks are sent.",
        examples=(
            "machinectl push web:1.2 orionbox rigel",
            "machinectl push web:1.2 -l role=web",
            "machinectl push --from orionbox web:1.2 rigel --dry-run",
            "docker save web:1.2 | machinectl push --from-file - web:1.2 orionbox",
        ),
        arguments=(Argument("image", "IMAGE", IMAGE, required=True, help=WHICH_IMAGE), shared.NAMES),
        flags=(
            *shared.CHOICE,
            Flag("--from", metavar="NAME", help="Take the image from this machine.", value=MACHINE, parameter="source"),
            Flag(
                "--from-file",
                metavar="FILE",
                help="Take it from an archive (- for stdin) of docker save, or of an OCI layout.",
                value=FILE,
                parameter="file",
            ),
            PLATFORM,
            NEW_NAME,
            PARALLEL.with_changes(help="How many machines to work on at once."),
            Flag("--dry-run", help="Print how much push would send; send nothing."),
            shared.JSON_LINES,
        ),
        keeps_selector=True,
        writes_store=False,
    ),
    "pull": Verb(
        "remote.push:pull",
        "Fetch an image from a machine, without a registry.",
        more="It goes to the engine that docker points at. Only the layers that it lacks are fetched.",
        examples=("machinectl pull web:1.2 orionbox",),
        arguments=(Argument("image", "IMAGE", TEXT, required=True, help=WHICH_IMAGE), shared.NAME),
        flags=(PLATFORM, NEW_NAME, shared.JSON),
    ),
    "images": Verb(
        "look.images:images",
        "List machines' images, as docker images does.",
        more="Without a name, it lists those of all machines.",
        examples=("machinectl images", "machinectl images orionbox --filter dangling=true"),
        arguments=(shared.NAMES,),
        flags=(
            shared.SELECTOR,
            Flag("-a", "--all", help="List intermediate images, too.", parameter="everything"),
            Flag(
                "-f",
                "--filter",
                metavar="KEY=VALUE",
                help="Filter as docker does: dangling, label, reference, before, since.",
                parameter="filters",
                many=True,
            ),
            Flag(
                "--format",
                metavar="TEMPLATE",
                help="json or a Go template; `table …` adds headings.",
                parameter="template",
            ),
            Flag("--digests", help="Show digests, too."),
            Flag("--no-trunc", help="Do not truncate output."),
            Flag("-q", "--quiet", help="Print IDs only."),
            shared.TIMEOUT,
            shared.JSON,
        ),
        output=PRINTS,
    ),
    "builder": Verb(
        "shells.builder:builder",
        "Make a builder of docker buildx from machines.",
        more=(
            "Each machine is a node, for its own platform. A node is the machine's docker context, which keeps up with "
            "new addresses and certificates."
        ),
        examples=(
            "machinectl builder orionbox rigel",
            "machinectl builder --name arm --use -l arch=arm64",
            "machinectl builder --append vega",
        ),
        arguments=(shared.NAMES,),
        flags=BUILDER_FLAGS,
        keeps_selector=True,
    ),
    "builder create": Verb(
        "shells.builder:builder",
        "Make a builder of docker buildx from machines.",
        examples=("machinectl builder create orionbox rigel",),
        arguments=(shared.NAMES,),
        flags=BUILDER_FLAGS,
        keeps_selector=True,
        hidden=True,
    ),
    "builder ls": Verb(
        "shells.builder:builder_ls",
        "List the builders that machinectl made, and nodes whose machine is gone.",
        examples=("machinectl builder ls",),
        flags=(Flag("-q", "--quiet", help="Print names only."), shared.JSON),
        output=PRINTS,
    ),
    "builder rm": Verb(
        "shells.builder:builder_rm",
        "Remove builders, with BuildKit and its cache on the machines.",
        more="It does not touch builders that machinectl did not make.",
        examples=("machinectl builder rm machinectl",),
        arguments=(Argument("builders", "BUILDER…", BUILDER, many=True, repeats=True, required=True),),
        flags=(Flag("--keep-state", help="Keep BuildKit's cache."),),
    ),
}
