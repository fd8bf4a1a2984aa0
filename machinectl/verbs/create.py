"""`create`, with the named driver's options."""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import LOGIN, Argument, Verb
from machinectl.cli.output.exit_status import called
from machinectl.cli.output.stdout import write_out
from machinectl.cli.output.style import harmless, wrapped
from machinectl.cli.parsing.command_line import driver_flag
from machinectl.cli.parsing.go_flags import named_driver, split_at_verb
from machinectl.errors import NO_HINT, Hint, UsageError
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
    OLD_SWARM,
    WITHOUT_HOST,
)
from machinectl.machines.flags import DRIVER, IN_ENGINE, IN_SSH, TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.cli.verb_session import Session
    from machinectl.hosts.creation import CreatedMachine
    from machinectl.hosts.login import Login


VERBS = {
    "create": Verb(
        "create",
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
            *LOGIN,
        ),
    ),
}


# Options without meaning for machines without a host: accepted, but hidden.
FOR_HOSTS = frozenset({"--yes", "--force", "--restart-swarm", "--open-firewall"})


def flags_with_driver(arguments: Sequence[str], declared: Verb) -> list[Flag]:
    from machinectl.driver.installed_drivers import load

    name = named_driver(arguments)
    options = load(name).options() if name else ()
    flags = [*declared.flags, *(driver_flag(name, option) for option in options)]
    if name in WITHOUT_HOST:
        flags = [
            flag.with_changes(hidden=True) if flag.flag in FOR_HOSTS or flag.section in {IN_ENGINE, IN_SSH} else flag
            for flag in flags
        ]
    return flags


def create(
    here: Session,
    *,
    names: list[str],
    login: Login,
    driver_name: str,
    tls_dir: str,
    tls_ca_cert: str,
    tls_client_cert: str,
    tls_client_key: str,
    no_tls: bool,
    no_provision: bool,
    no_context: bool,
    address: list[str],
    access_lifetime: str,
    ssh_jump: str,
    dry_run: bool,
    yes: bool,
    force: bool,
    restart_swarm: bool,
    open_firewall: bool,
    label: list[str],
    **others: Any,
) -> None:
    from machinectl.cli import machine_options, run_verb
    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.cli.tables.results import print_plan
    from machinectl.driver.installed_drivers import load
    from machinectl.hosts.creation import Creation, create_machine, try_ssh_url
    from machinectl.machines.addresses import parse_addresses
    from machinectl.machines.spec import CertificateFiles, MachineSpec
    from machinectl.provision.target import Allowed

    name = named_driver(here.arguments)
    machine = only_name(names, here.arguments)
    if not name:
        raise UsageError(
            f'No host specified for "{machine}"',
            Hint("Put it before the name", "machinectl create <USER>@<HOST>", machine)
            | Hint(f"if the host is called {machine}, too", "machinectl create", machine, machine),
        )
    if driver_name != name:
        raise UsageError(f"Is the driver {name!r} or {driver_name!r}?", Hint("Give --driver once"))
    driver = load(name)
    allowed = Allowed(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes)
    creation = Creation(
        machine,
        MachineSpec(
            driver=name,
            options=machine_options.driver_values(name, driver.options(), others, machine, here.console),
            tls=False if no_tls else None,
            labels=machine_options.parse_labels(label),
            engine=machine_options.parse_engine_options(others),
            provision=not no_provision,
            context=not no_context,
            jump=run_verb.parse_jump(ssh_jump) or "",
            addresses=parse_addresses(address),
            lifetime=access_lifetime,
        ),
        driver,
        login,
        allowed,
        run_verb.given_authority(here),
        certificates=CertificateFiles(tls_dir, tls_ca_cert, tls_client_cert, tls_client_key),
        spare=CertificateFiles("", here.tls.ca, here.tls.certificate, here.tls.key),
    )
    if name not in WITHOUT_HOST:
        machine_options.check_install_url(creation.spec.engine.install_url)
    machine_options.warn_of_open_files(others, here.console)
    if any(others[flag.parameter] for flag in OLD_SWARM):
        here.console.warn("the --swarm options belong to a product that no longer exists; they have no effect")
    try_ssh_url(here.store, creation)
    if dry_run:
        print_plan(creation.plan(here.store, here.console))
    else:
        # A closed terminal, too, leaves no machine behind of which nothing is made.
        with exiting_on_signals():
            made = create_machine(here.store, here.console, creation)
        write_out(next_steps(here, made) if sys.stdout.isatty() else connection_hint(made, here.program))


def connection_hint(made: CreatedMachine, program: str) -> str:
    """Return docker-machine's last lines."""
    connect = "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run:"
    # Only the set-up asks the engine.
    up = "Docker is up and running!\n" if made.set_up else ""
    return f"{up}{connect} {program} env {made.machine.name}\n"


def next_steps(here: Session, made: CreatedMachine) -> str:
    """Return what was made, and the commands that use it; without certificates a warning has said what to do."""
    from machinectl.features import functions
    from machinectl.hosts.ssh_config import docker_needs_ssh_config, is_known_to_ssh
    from machinectl.verbs.use import ways_to_use

    machine = made.machine
    done = f"Docker is up and running on {machine.name}:" if made.set_up else f'"{machine.name}" is registered:'
    by_context = next((ways(here.store, machine) for ways in functions("ways_to_use")), None)
    if by_context is not None and not by_context:
        commands = NO_HINT
    elif docker_needs_ssh_config(machine) and not is_known_to_ssh(here.store):
        # A note has said what docker's own ssh needs.
        commands = Hint("", "machinectl ps", machine.name) | Hint(
            "", "machinectl socket", machine.name, "--", "docker", "ps"
        )
    else:
        commands = (by_context or NO_HINT) | ways_to_use(machine.name)
    said = wrapped(f"{done} {machine.url}", sys.stdout)
    lines = (": ".join(filter(None, part)) for part in called(commands, here.program))
    return harmless("\n  ".join([said, *lines])) + "\n"


def only_name(names: Sequence[str], arguments: Sequence[str]) -> str:
    from machinectl.cli.parsing.create_forms import no_name

    if not names:
        raise no_name(split_at_verb(arguments)[1])
    name, *extra = names
    if extra:
        raise UsageError(
            f"Invalid command line. Found extra arguments [{' '.join(extra)}]",
            Hint("Give one host and one name; a name has no spaces", "machinectl create --help"),
            for_scripts=True,
        )
    return name
