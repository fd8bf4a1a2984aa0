"""`create` on the command line: its own options, and those of the driver that is named before they are parsed."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli import access as access_options
from machinectl.cli import engine_options
from machinectl.cli.lookahead import named_driver
from machinectl.cli.outcomes import print_plan
from machinectl.cli.output import write_out
from machinectl.cli.upkeep import Force, OpenFirewall, RestartSwarm
from machinectl.cli.verbs import keyword, parted_by_commas, python_word, session, verb
from machinectl.commands.create import Certificates, Creation, preview
from machinectl.commands.create import create as command
from machinectl.driver import DriverError
from machinectl.driver.finding import installed, load
from machinectl.driver.options import complete, typed
from machinectl.errors import UsageError
from machinectl.hosts.onboard import Onboarding
from machinectl.machines.spec import MachineSpec
from machinectl.provision.target import Allowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.driver import Option, OptionValue


def driver_flags(arguments: Sequence[str]) -> dict[str, bool]:
    """The flags of the driver that a command line names, each with whether a value follows it."""
    name = named_driver(arguments)
    options = load(name).options() if name else ()
    return {typed(option).removeprefix("--"): not isinstance(option.default, bool) for option in options}


def add_create(app: typer.Typer, arguments: Sequence[str]) -> None:
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
        tls_dir: Annotated[
            str, typer.Option(metavar="DIR", help="Certificates to use: ca.pem, cert.pem and key.pem in DIR.")
        ] = "",
        tls_ca_cert: Annotated[str, typer.Option(metavar="FILE", help="The CA of the engine's certificate.")] = "",
        tls_client_cert: Annotated[str, typer.Option(metavar="FILE", help="The client's certificate.")] = "",
        tls_client_key: Annotated[str, typer.Option(metavar="FILE", help="The client's key.")] = "",
        no_tls: Annotated[bool, typer.Option("--no-tls", help="Speak to the engine without TLS.")] = False,
        no_provision: Annotated[
            bool, typer.Option("--no-provision", help="Register the host as it is, and change nothing on it.")
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Look at the host, print what would be done, and do nothing.")
        ] = False,
        force: Force = False,
        restart_swarm: RestartSwarm = False,
        open_firewall: OpenFirewall = False,
        label: Annotated[list[str] | None, typer.Option("--label", "--engine-label", metavar="KEY=VALUE")] = None,
        **others: Any,
    ) -> None:
        if driver is None and names:
            raise no_driver()
        machine = only_name(names)
        if driver is None or driver_name != name:
            raise UsageError(f"Error: Is the driver {name!r} or {driver_name!r}?", "Name it once: --driver DRIVER")
        here = session(ctx)
        access = access_options.taken_access(others, here)
        allowed = Allowed(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall)
        creation = Creation(
            machine,
            MachineSpec(
                driver=name,
                options=driver_values(name, driver.options(), others, here.console),
                tls=False if no_tls else None,
                labels=labels(label or [], "--label"),
                engine=engine_options.taken(others),
                provision=not no_provision,
            ),
            driver,
            Onboarding(access, allowed, access_options.authority(here)),
            certificates=Certificates(tls_dir, tls_ca_cert, tls_client_cert, tls_client_key),
            spare=here.certificates,
        )
        engine_options.warn_of_open_files(others, here.console)
        if engine_options.asks_for_swarm(others):
            here.console.warn("the --swarm options belong to a product that no longer exists; they have no effect")
        if dry_run:
            print_plan(preview(here.store, here.console, creation))
        else:
            outcomes = command(here.store, here.console, creation)
            write_out(what_next(machine, here.program, is_up=bool(outcomes)))

    own = [one for one in inspect.signature(create, eval_str=True).parameters.values() if one.name != "others"]
    added = [
        *engine_options.parameters(),
        *access_options.access_parameters(),
        *(driver_parameter(o) for o in (driver.options() if driver else ())),
    ]
    # Typer reads a function's parameters here: the driver's are known at run time only.
    create.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    # Without a driver its options are unknown: that no driver is named is what to say then, not that they are wrong.
    lenient = {} if driver else {"ignore_unknown_options": True}
    verb(app, "create", help=help_text(name), context_settings=lenient)(create)


def what_next(machine: str, program: str, *, is_up: bool) -> str:
    """docker-machine's last words, on stdout as they were there; `is_up` where the host's engine was set up and asked.

    `program` is how this program was called.
    """
    connect = "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run:"
    up = "Docker is up and running!\n" if is_up else ""
    return f"{up}{connect} {program} env {machine}\n"


def help_text(driver_name: str) -> str:
    if driver_name:
        return f"Make a machine with driver {driver_name}."
    return "Make a machine. A driver's own options: machinectl create -d DRIVER --help"


def no_driver() -> UsageError:
    known = ", ".join(found.name for found in installed())
    return UsageError(f"Error: No driver specified (installed: {known})", "machinectl create --driver DRIVER … NAME")


def only_name(names: Sequence[str] | None) -> str:
    if not names:
        raise UsageError("Error: No machine name specified", "machinectl create --driver DRIVER … NAME")
    name, *extra = names
    if extra:
        raise UsageError(
            f"Invalid command line. Found extra arguments [{' '.join(extra)}]", "Quote what belongs together"
        )
    return name


def labels(given: Sequence[str], option: str) -> dict[str, str]:
    """Labels as they are typed, KEY=VALUE; a key alone has an empty value."""
    found = {}
    for label in given:
        key, _, value = label.partition("=")
        if not key.strip():
            raise UsageError(f"{option} {label!r} has no key", f"{option} KEY=VALUE")
        found[key] = value
    return found


def driver_parameter(option: Option) -> inspect.Parameter:
    """A driver's option as Typer takes it: its type is that of its default; a secret is in a file that is named."""
    kind: Any = {str: str, int: int, bool: bool, tuple: list[str]}.get(type(option.default))
    if kind is None:
        raise DriverError(
            f"The driver's option --{option.name} has a default of type {type(option.default).__name__}",
            "A driver's options are str, int, bool or tuple: tell who made it",
        )
    metavar = None if kind is bool else option.name.rpartition("-")[2].upper()
    if option.choices:
        metavar = "|".join(option.choices)
    declaration = typer.Option(
        typed(option),
        help=help_of(option),
        metavar="FILE" if option.secret else metavar,
        # A secret's variable holds the secret itself, not the name of its file.
        envvar=None if option.secret else option.variable or None,
        callback=parted_by_commas if isinstance(option.default, tuple) else None,
    )
    default: Any = list(option.default) if isinstance(option.default, tuple) else option.default
    return keyword(python_name(option), Annotated[kind, declaration], default)


def help_of(option: Option) -> str:
    text = option.help
    if option.secret:
        text += f" In a file{f', else in ${option.variable}' if option.variable else ''}."
    return f"{text} [required]" if option.required else text


def driver_values(
    driver_name: str, options: Sequence[Option], given: dict[str, Any], console: Console
) -> dict[str, OptionValue]:
    """What was typed, as the contract has it. Raises UsageError where a value is missing or is none of the choices."""
    values: dict[str, OptionValue] = {}
    for option in options:
        value = given[python_name(option)]
        if option.secret:
            value = access_options.secret(value, typed(option), os.environ.get(option.variable), console) or ""
        values[option.name] = tuple(value) if isinstance(value, list) else value
    return complete(driver_name, options, values)


def python_name(option: Option) -> str:
    return f"driver_option_{python_word(option.name)}"
