"""Declare the verbs that make and change machines."""

from __future__ import annotations

from machinectl.cli.declarations import shared_flags as shared
from machinectl.cli.declarations.declared_verb import PRINTS, Argument, Verb
from machinectl.machines.create_options import (
    ACCESS_LIFETIME,
    ADDRESS,
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

OUT_DIRECTORY = Flag(
    "--out", metavar="DIR", help="The directory to write to; it is created.", value=DIRECTORY, required=True
)
CLIENT_NAME = Flag("--client-name", metavar="NAME", help="The client's name in its certificate.", default="client")
OVERWRITE = Flag("-f", "--force", help="Replace existing files.")
DRY_RUN_HERE = Flag("--dry-run", help="Print the changes; make none.")

VERBS = {
    "create": Verb(
        "manage.create:create",
        "Create a machine: set up a server over SSH, or register an engine.",
        more=(
            "Without NAME, the machine has the name in HOST; an IP address needs a NAME. `machinectl drivers` lists "
            "the drivers."
        ),
        examples=(
            "machinectl create ops@192.168.0.29 orionbox",
            "machinectl create -d generic -i ~/.ssh/orion ops@192.168.0.29:2222 orionbox",
            "machinectl create tcp://192.168.0.29:2376 --tls-dir certs orionbox",
            "machinectl create -d none --url tcp://192.168.0.29:2376 --tls-dir certs orionbox",
        ),
        forms=("[USER@]HOST[:PORT] [NAME]", "tcp://HOST[:PORT] [NAME]", "NAME"),
        typed=(
            ("-i, --ssh-key PATH", "The private key to log in with."),
            ("-u, --ssh-user USER", "The user to log in as."),
            ("-p, --ssh-port PORT", "The SSH port."),
            ("--ssh-jump HOST", "The jump host: a machine, or [USER@]HOST[:PORT]."),
            ("--ssh-only", "Reach the engine over SSH only; it opens no port."),
            ("--engine-opt FLAG=VALUE", "A flag of dockerd, such as log-level=warn."),
            ("--label KEY=VALUE", "A label of the machine and of its engine."),
            ("--url URL", "Register the engine at this URL."),
            ("--tls-dir DIR", "Its certificates: ca.pem, cert.pem and key.pem."),
            ("-d, --driver DRIVER", "The driver: generic (servers), none (engines)."),
            ("--dry-run", "Look at the host and print the changes."),
            ("-y, --yes", "Do not ask; set the host up despite warnings."),
            ("-f, --force", "Replace others' certificates, even if containers stop."),
        ),
        all_options="All options: machinectl create -d generic --help, or with -d none.",
        arguments=(Argument("names", "NAME", TEXT, many=True),),
        flags=(
            Flag(
                "-d",
                "--driver",
                metavar="DRIVER",
                help="The driver (default: chosen by the host or the options).",
                parameter="driver_name",
                value=DRIVER,
                variable="MACHINE_DRIVER",
            ),
            *CERTIFICATES,
            NO_TLS,
            NO_PROVISION,
            NO_CONTEXT,
            ADDRESS,
            ACCESS_LIFETIME,
            JUMP,
            shared.DRY_RUN,
            shared.TAKE_OVER,
            shared.FORCE,
            shared.RESTART_SWARM,
            shared.OPEN_FIREWALL,
            LABEL,
            *ENGINE_FLAGS,
            ENV_FILE,
            *OLD_SWARM,
            *shared.LOGIN,
        ),
    ),
    "import": Verb(
        "manage.import_machines:import_machines",
        "Import machines from your other computer's export, or from docker-machine.",
        more=(
            "FILE is what `machinectl export` wrote; - is stdin. LOCAL:NAME gives a machine another name here. "
            "Machines that are here already stay as they are. Hosts and docker-machine's store do not change."
        ),
        examples=(
            "machinectl import laptop.age",
            "machinectl import laptop.age --identity ~/.ssh/id_ed25519 orionbox",
            "machinectl import --from-docker-machine --dry-run",
            "machinectl import --from-docker-machine",
        ),
        arguments=(
            Argument(
                "source",
                "[FILE|DIR]",
                FILE,
                help="The export; or docker-machine's store (else $MACHINE_STORAGE_PATH, else ~/.docker/machine).",
            ),
            Argument("wanted", "[[LOCAL:]NAME]…", TEXT, many=True),
        ),
        flags=(
            Flag("--from-docker-machine", help="Import from docker-machine."),
            Flag("--passphrase-file", metavar="FILE", help="A file with the export's passphrase.", value=FILE),
            Flag(
                "-i",
                "--identity",
                metavar="FILE",
                help="The private key that opens the export: age-keygen's, or an SSH key.",
                value=FILE,
                many=True,
            ),
            Flag("--no-context", help="Create no docker contexts."),
            DRY_RUN_HERE,
        ),
        refuses_empty=True,
    ),
    "rm": Verb(
        "manage.rm:rm",
        "Remove machines; --purge also undoes the changes on their hosts.",
        more="A host that the driver created is deleted. Without --purge, other hosts do not change.",
        examples=("machinectl rm orionbox", "machinectl rm --purge orionbox"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-f", "--force", help="Do not ask, and remove the machine in any state."),
            Flag("-y", "--yes", help="Do not ask."),
            Flag("--purge", help="Undo machinectl's changes on the host, too; containers stay."),
            Flag("--purge-engine", help="Remove the engine that machinectl installed, too."),
            shared.RESTART_SWARM,
            DRY_RUN_HERE,
            Flag("--forget", help="Do not keep the record that could undo the host's changes later."),
            *shared.LOGIN,
            *shared.CHOICE,
        ),
    ),
    "rename": Verb(
        "manage.rm:rename",
        "Rename a machine; its host does not change.",
        examples=("machinectl rename orionbox orion",),
        arguments=(Argument("old", "OLD", MACHINE, required=True), Argument("new", "NEW", TEXT, required=True)),
    ),
    "set": Verb(
        "manage.set:set_machine",
        "Change a machine's settings; `provision` applies them to its host.",
        more=(
            "`machinectl set <NAME> --help` also lists the options of its driver. "
            "An option replaces its earlier value; '' clears it."
        ),
        examples=(
            "machinectl set --url tcp://192.168.0.30:2376 orionbox",
            "machinectl set --engine-opt log-level=warn orionbox",
        ),
        arguments=(shared.NAME,),
        flags=(
            Flag("--url", metavar="URL", help="The engine's new URL.", default=None),
            LABEL.with_changes(help="Set a label."),
            Flag("--unlabel", many=True, metavar="KEY", help="Remove a label."),
            Flag("--tls", off="--no-tls", help="Speak to the engine over TLS.", default=None),
            Flag("--context", off="--no-context", help="Keep a docker context for the machine.", default=None),
            ADDRESS.for_change(),
            ACCESS_LIFETIME.for_change(),
            JUMP.with_changes(help=f"{JUMP.help} `none` removes it.", default=None),
            *(flag.for_change() for flag in ENGINE_FLAGS),
            ENV_FILE,
        ),
    ),
    "drivers": Verb(
        "look.drivers:drivers",
        "List installed drivers, and those that fail to load.",
        examples=("machinectl drivers",),
        flags=(shared.JSON, Flag("--options", help="List the options that each adds to `create`.")),
        output=PRINTS,
    ),
    "certs": Verb(
        "",
        "Create, import and list certificates.",
        examples=(
            "machinectl certs ls",
            "machinectl certs create --out certs --san 192.168.0.29",
            "machinectl certs import orionbox certs",
        ),
    ),
    "certs create": Verb(
        "manage.certs:certs_create",
        "Create a CA, a server certificate and a client certificate.",
        examples=("machinectl certs create --out certs --san 192.168.0.29 --san orion.lan",),
        flags=(
            OUT_DIRECTORY,
            Flag(
                "--san",
                metavar="NAME|ADDRESS",
                help="A name or address that clients use for the host.",
                many=True,
                required=True,
            ),
            Flag("--ca-cert", metavar="FILE", help="Sign with this CA, not a new one.", value=FILE, default=None),
            Flag("--ca-key", metavar="FILE", help="The key of that CA.", value=FILE, default=None),
            CLIENT_NAME,
            OVERWRITE,
        ),
        refuses_empty=True,
    ),
    "certs issue": Verb(
        "manage.certs:certs_issue",
        "Create another client certificate, for a team-mate or a CI job.",
        more="It is valid for 820 days, and cannot be ended alone: `access issue` makes those that can.",
        examples=("machinectl certs issue orionbox --out certs --client-name alice",),
        arguments=(shared.NAME,),
        flags=(OUT_DIRECTORY, CLIENT_NAME, OVERWRITE),
        refuses_empty=True,
    ),
    "certs import": Verb(
        "manage.certs:certs_import",
        "Check the certificates in a directory, and use them for a machine.",
        examples=("machinectl certs import orionbox certs",),
        arguments=(shared.NAME, Argument("directory", "DIR", DIRECTORY, required=True)),
        flags=(OVERWRITE,),
    ),
    "certs ls": Verb(
        "manage.certs:certs_ls",
        "List machines' certificates and when they expire.",
        examples=("machinectl certs ls", "machinectl certs ls --fail-under 30"),
        arguments=(shared.NAMES,),
        flags=(
            Flag(
                "--fail-under",
                metavar="DAYS",
                help="Exit with 1 if a certificate expires within DAYS.",
                kind=int,
                limits=(0, None),
                default=None,
            ),
            shared.JSON,
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
}
