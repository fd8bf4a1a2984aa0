"""`create` on the command line: its own options, and those of the driver that is named before they are parsed."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from machinectl.cli.catalogue import VERBS
from machinectl.cli.options import driver_flags, engine_flags
from machinectl.cli.options import login_options as access_options
from machinectl.cli.options.help_format import CERTIFICATES, SSH
from machinectl.cli.options.typer_verbs import evaluate, labels, session, verb
from machinectl.cli.output.stdout import write_out
from machinectl.cli.parsing.lookahead import named_driver
from machinectl.cli.tables.results import print_plan
from machinectl.cli.verbs.manage.provision import Force, OpenFirewall, RestartSwarm, TakeOver
from machinectl.driver.installed_drivers import installed, load
from machinectl.errors import UsageError
from machinectl.machines.create_options import (
    JUMP,
    LABEL,
    NO_CONTEXT,
    NO_PROVISION,
    NO_TLS,
    TLS_CA,
    TLS_CERTIFICATE,
    TLS_DIR,
    TLS_KEY,
    WITHOUT_HOST,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.create_options import Declared

# The options that are nothing to machines without a host: they are taken, not shown.
FOR_HOSTS = frozenset({"no_provision", "yes", "force", "restart_swarm", "open_firewall", "ssh_jump"})


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `create`, with the options of the driver that the command line names."""
    name = named_driver(arguments)
    driver = load(name) if name else None

    def create(
        ctx: typer.Context,
        names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False)] = None,
        driver_name: Annotated[
            str,
            typer.Option(
                "-d", "--driver", envvar="MACHINE_DRIVER", metavar="DRIVER", help="Where the host comes from."
            ),
        ] = "",
        tls_dir: Annotated[str, certificate(TLS_DIR)] = "",
        tls_ca_cert: Annotated[str, certificate(TLS_CA)] = "",
        tls_client_cert: Annotated[str, certificate(TLS_CERTIFICATE)] = "",
        tls_client_key: Annotated[str, certificate(TLS_KEY)] = "",
        no_tls: Annotated[bool, certificate(NO_TLS)] = False,
        no_provision: Annotated[bool, typer.Option(NO_PROVISION.flag, help=NO_PROVISION.help)] = False,
        no_context: Annotated[bool, typer.Option(NO_CONTEXT.flag, help=NO_CONTEXT.help)] = False,
        ssh_jump: Annotated[
            str, typer.Option(JUMP.flag, metavar=JUMP.metavar, help=JUMP.help, rich_help_panel=SSH)
        ] = "",
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Look at the host, print what would be done, and do nothing.")
        ] = False,
        yes: TakeOver = False,
        force: Force = False,
        restart_swarm: RestartSwarm = False,
        open_firewall: OpenFirewall = False,
        label: Annotated[
            list[str] | None,
            typer.Option(LABEL.flag, "--engine-label", metavar=LABEL.metavar, help=LABEL.help),
        ] = None,
        **others: Any,
    ) -> None:
        from machinectl.commands.create import create as command
        from machinectl.commands.create import preview
        from machinectl.hosts.lifecycle.creation import Creation
        from machinectl.hosts.lifecycle.onboarding import Onboarding
        from machinectl.machines.spec import CertificateFiles, MachineSpec
        from machinectl.provision.target import Allowed

        if driver is None and names:
            raise no_driver()
        machine = only_name(names)
        if driver is None or driver_name != name:
            raise UsageError(f"Error: Is the driver {name!r} or {driver_name!r}?", "Name it once: --driver DRIVER")
        here = session(ctx)
        access = access_options.taken_access(others, here)
        allowed = Allowed(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes)
        creation = Creation(
            machine,
            MachineSpec(
                driver=name,
                options=driver_flags.values(name, driver.options(), others, here.console),
                tls=False if no_tls else None,
                labels=labels(label or [], "--label"),
                engine=engine_flags.taken(others),
                provision=not no_provision,
                context=not no_context,
                jump=access_options.taken_jump(ssh_jump) or "",
            ),
            driver,
            Onboarding(access, allowed, access_options.authority(here)),
            certificates=CertificateFiles(tls_dir, tls_ca_cert, tls_client_cert, tls_client_key),
            spare=CertificateFiles("", here.tls.ca, here.tls.certificate, here.tls.key),
        )
        engine_flags.warn_of_open_files(others, here.console)
        if engine_flags.asks_for_swarm(others):
            here.console.warn("the --swarm options belong to a product that no longer exists; they have no effect")
        if dry_run:
            print_plan(preview(here.store, here.console, creation))
        else:
            outcomes = command(here.store, here.console, creation)
            write_out(what_next(machine, here.program, is_up=bool(outcomes)))

    evaluate(create)
    own = [one for one in inspect.signature(create).parameters.values() if one.name != "others"]
    added = [
        *engine_flags.parameters(),
        *access_options.access_parameters(),
        *(driver_flags.parameter(name, option) for option in (driver.options() if driver else ())),
    ]
    if name in WITHOUT_HOST:
        own = [unseen(one) if one.name in FOR_HOSTS else one for one in own]
        added = [one if one.name.startswith(driver_flags.PREFIX) else unseen(one) for one in added]
    # Typer reads a function's parameters here: the driver's are known at run time only.
    create.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    # Without a driver its options are unknown: that no driver is named is what to say then, not that they are wrong.
    lenient = {} if driver else {"ignore_unknown_options": True}
    verb(app, "create", **shown(name), context_settings=lenient)(create)


def certificate(declared: Declared) -> Any:
    return typer.Option(
        declared.flag, metavar=declared.metavar or None, help=declared.help, rich_help_panel=CERTIFICATES
    )


def what_next(machine: str, program: str, *, is_up: bool) -> str:
    """docker-machine's last words, on stdout as they were there; `is_up` where the host's engine was set up and asked.

    `program` is how this program was called.
    """
    connect = "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run:"
    up = "Docker is up and running!\n" if is_up else ""
    return f"{up}{connect} {program} env {machine}\n"


def unseen(parameter: inspect.Parameter) -> inspect.Parameter:
    """The same option, which help does not show."""
    kind, *_ = get_args(parameter.annotation)
    option = copy.copy(parameter.annotation.__metadata__[0])
    option.hidden = True
    return parameter.replace(annotation=Annotated[kind, option])


def shown(driver_name: str) -> dict[str, str]:
    """What help says of `create`, for one driver or for all."""
    if not driver_name:
        return {"more": f"A driver's own options: machinectl create -d <DRIVER> --help. Drivers: {drivers()}."}
    examples = [each for each in VERBS["create"].examples if f"-d {driver_name} " in each]
    return {"help": f"Make a machine with driver {driver_name}.", "epilog": "\n".join(examples)}


def drivers() -> str:
    return ", ".join(found.name for found in installed())


def no_driver() -> UsageError:
    found = [each.name for each in installed()]
    return UsageError(
        f"Error: No driver specified (installed: {', '.join(found)})",
        "\n".join(f"See what one takes: machinectl create -d {name} --help" for name in found[:2]),
    )


def only_name(names: Sequence[str] | None) -> str:
    if not names:
        raise UsageError("Error: No machine name specified", "Give it one, as the last word: machinectl create --help")
    name, *extra = names
    if extra:
        raise UsageError(
            f"Invalid command line. Found extra arguments [{' '.join(extra)}]", "Quote what belongs together"
        )
    return name
