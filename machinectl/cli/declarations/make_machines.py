"""Declare the verbs that make and change machines."""

from __future__ import annotations

from machinectl.cli.declarations.declared_verb import PRINTS, Argument, Verb
from machinectl.cli.declarations.shared_flags import (
    CLIENT_NAME,
    DRY_RUN,
    DRY_RUN_HERE,
    FORCE,
    JSON,
    LOGIN,
    NAME,
    NAMES,
    OPEN_FIREWALL,
    OUT_DIRECTORY,
    OVERWRITE,
    RESTART_SWARM,
    SELECTOR,
    TAKE_OVER,
)
from machinectl.machines.create_options import (
    CERTIFICATES,
    ENGINE_FLAGS,
    ENV_FILE,
    JUMP,
    LABEL,
    NO_CONTEXT,
    NO_PROVISION,
    NO_TLS,
)
from machinectl.machines.flags import DIRECTORY, DRIVER, FILE, MACHINE, TEXT, Flag

# Flags of docker-machine's discontinued Swarm, which scripts still pass.
OLD_SWARM = (
    *(Flag(f"--{name}", hidden=True) for name in ("swarm", "swarm-master", "swarm-experimental")),
    *(
        Flag(f"--swarm-{name}", metavar="TEXT", many=True, hidden=True)
        for name in ("addr", "discovery", "host", "image", "strategy", "opt", "join-opt")
    ),
)

VERBS = {
    "create": Verb(
        "manage.create:create",
        "Make a machine: register an engine, or set up a server over SSH.",
        examples=(
            "machinectl create -d none --url tcp://192.168.0.29:2376 --tls-dir certs orionbox",
            "machinectl create -d generic --generic-ip-address 192.168.0.29 orionbox",
        ),
        arguments=(Argument("names", "NAME", TEXT, many=True),),
        flags=(
            Flag(
                "-d",
                "--driver",
                metavar="DRIVER",
                help="Where the host comes from.",
                parameter="driver_name",
                value=DRIVER,
                variable="MACHINE_DRIVER",
            ),
            *CERTIFICATES,
            NO_TLS,
            NO_PROVISION,
            NO_CONTEXT,
            JUMP,
            DRY_RUN,
            TAKE_OVER,
            FORCE,
            RESTART_SWARM,
            OPEN_FIREWALL,
            LABEL,
            *ENGINE_FLAGS,
            ENV_FILE,
            *OLD_SWARM,
            *LOGIN,
        ),
    ),
    "import": Verb(
        "manage.import_machines:import_machines",
        "Take over the machines that docker-machine keeps.",
        more="The old store stays as it is; hosts too, until they are provisioned.",
        examples=("machinectl import --from-docker-machine --dry-run", "machinectl import --from-docker-machine"),
        arguments=(
            Argument(
                "directory",
                "[DIR]",
                DIRECTORY,
                help="Where docker-machine keeps its machines (else $MACHINE_STORAGE_PATH, else ~/.docker/machine).",
            ),
        ),
        flags=(
            Flag("--from-docker-machine", help="Take over the machines of docker-machine."),
            Flag("--no-context", help="Make no docker contexts of them."),
            DRY_RUN_HERE,
        ),
    ),
    "rm": Verb(
        "manage.rm:rm",
        "Forget machines; --purge puts their hosts back, too.",
        more="Hosts that a driver made end; others stay as they are without it.",
        examples=("machinectl rm orionbox", "machinectl rm --purge orionbox"),
        arguments=(NAMES,),
        flags=(
            Flag("-f", "--force", help="Do not ask, and forget a machine whatever state it is in."),
            Flag("-y", "--yes", help="Do not ask."),
            Flag("--purge", help="Undo on the host what was set up there, too; containers stay."),
            Flag("--purge-engine", help="Remove the engine that was installed, too."),
            RESTART_SWARM,
            DRY_RUN_HERE,
            Flag("--forget", help="Keep nothing that could undo later what was set up on the host."),
            *LOGIN,
            SELECTOR,
        ),
    ),
    "rename": Verb(
        "manage.rm:rename",
        "Give a machine another name; its host is not told.",
        examples=("machinectl rename orionbox orion",),
        arguments=(Argument("old", "OLD", MACHINE, required=True), Argument("new", "NEW", TEXT, required=True)),
    ),
    "set": Verb(
        "manage.set:set_machine",
        "Change what is known of a machine, or asked of its engine.",
        more=(
            "`set NAME --help` also lists the options of the machine's driver. "
            "What is asked of its engine is carried out by `provision`. "
            "An option that is given takes the place of what was asked before; '' is for none of it."
        ),
        examples=(
            "machinectl set --url tcp://192.168.0.30:2376 orionbox",
            "machinectl set --engine-opt log-level=warn orionbox",
        ),
        arguments=(NAME,),
        flags=(
            Flag("--url", metavar="URL", help="Where the engine is now.", default=None),
            LABEL.with_changes(help="Set a label."),
            Flag("--unlabel", many=True, metavar="KEY", help="Remove a label."),
            Flag("--tls", off="--no-tls", help="Speak to the engine over TLS.", default=None),
            Flag("--context", off="--no-context", help="Have a docker context of the machine.", default=None),
            JUMP.with_changes(help=f"{JUMP.help.rstrip('.')}; none ends that.", default=None),
            *(flag.for_change() for flag in ENGINE_FLAGS),
            ENV_FILE,
        ),
    ),
    "drivers": Verb(
        "manage.rm:drivers",
        "List installed drivers, and which of them fail to load.",
        examples=("machinectl drivers",),
        flags=(JSON, Flag("--options", help="List what each adds to `create`, and what its values are.")),
        output=PRINTS,
    ),
    "certs": Verb(
        "",
        "Make, import and list certificates.",
        examples=("machinectl certs ls",),
    ),
    "certs create": Verb(
        "manage.certs:certs_create",
        "Make a CA, the certificate of an engine's host and one of a client.",
        examples=("machinectl certs create --out certs --san 192.168.0.29 --san orion.lan",),
        flags=(
            OUT_DIRECTORY,
            Flag("--san", metavar="NAME|ADDRESS", help="What clients call the host.", many=True, required=True),
            Flag("--ca-cert", metavar="FILE", help="A CA that exists.", value=FILE, default=None),
            Flag("--ca-key", metavar="FILE", help="That CA's key.", value=FILE, default=None),
            CLIENT_NAME,
            OVERWRITE,
        ),
    ),
    "certs issue": Verb(
        "manage.certs:certs_issue",
        "Make another client under a machine's CA, for a team-mate or a CI job.",
        examples=("machinectl certs issue orionbox --out certs --client-name alice",),
        arguments=(NAME,),
        flags=(OUT_DIRECTORY, CLIENT_NAME, OVERWRITE),
    ),
    "certs import": Verb(
        "manage.certs:certs_import",
        "Check the certificates in a directory, and put them into a machine.",
        examples=("machinectl certs import orionbox certs",),
        arguments=(NAME, Argument("directory", "DIR", DIRECTORY, required=True)),
        flags=(OVERWRITE,),
    ),
    "certs ls": Verb(
        "manage.certs:certs_ls",
        "List the certificates of machines, and when they expire.",
        examples=("machinectl certs ls", "machinectl certs ls --fail-under 30"),
        arguments=(NAMES,),
        flags=(
            Flag(
                "--fail-under",
                metavar="DAYS",
                help="Exit 1 if one has fewer days left.",
                kind=int,
                limits=(0, None),
                default=None,
            ),
            JSON,
            SELECTOR,
        ),
        output=PRINTS,
        light=(),
    ),
}
