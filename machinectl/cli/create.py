"""`create` on the command line: its own options, and those of the driver that is named before they are parsed."""

from __future__ import annotations

import copy
import inspect
import os
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from machinectl.cli import access as access_options
from machinectl.cli import engine_options
from machinectl.cli.catalogue import VERBS
from machinectl.cli.helped import CERTIFICATES, DRIVER
from machinectl.cli.lookahead import named_driver
from machinectl.cli.outcomes import print_plan
from machinectl.cli.upkeep import Force, OpenFirewall, RestartSwarm
from machinectl.cli.verbs import keyword, python_word, session, verb
from machinectl.driver import DriverError
from machinectl.driver.finding import installed, load
from machinectl.driver.options import complete, typed
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.driver import Option, OptionValue

# Options of `create` that are followed by a value; a driver's own are not known before it is.
TAKE_VALUES = (
    frozenset({"--tls-dir", "--tls-ca-cert", "--tls-client-cert", "--tls-client-key", "--label", "--engine-label"})
    | engine_options.TAKE_VALUES
    | access_options.TAKE_VALUES
)

# How a driver's options begin among those of `create`.
DRIVER_OPTION = "driver_option_"
# Drivers whose machines are never provisioned, and the options that matter to others alone: they are taken, not shown.
WITHOUT_HOST = frozenset({"none"})
FOR_HOSTS = frozenset({"no_provision", "force", "restart_swarm", "open_firewall"})


def add_create(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `create`, with the options of the driver that the command line names."""
    name = driver_asked_for(arguments)
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
            str,
            typer.Option(
                metavar="DIR",
                help="Certificates to use, ca.pem, cert.pem and key.pem in DIR.",
                rich_help_panel=CERTIFICATES,
            ),
        ] = "",
        tls_ca_cert: Annotated[
            str, typer.Option(metavar="FILE", help="The CA of the engine's certificate.", rich_help_panel=CERTIFICATES)
        ] = "",
        tls_client_cert: Annotated[
            str, typer.Option(metavar="FILE", help="The client's certificate.", rich_help_panel=CERTIFICATES)
        ] = "",
        tls_client_key: Annotated[
            str, typer.Option(metavar="FILE", help="The client's key.", rich_help_panel=CERTIFICATES)
        ] = "",
        no_tls: Annotated[
            bool,
            typer.Option("--no-tls", help="Speak to the engine without TLS.", rich_help_panel=CERTIFICATES),
        ] = False,
        no_provision: Annotated[
            bool, typer.Option("--no-provision", help="Register the host as it is, and change nothing on it.")
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Look at the host, print what would be done, and do nothing.")
        ] = False,
        force: Force = False,
        restart_swarm: RestartSwarm = False,
        open_firewall: OpenFirewall = False,
        label: Annotated[
            list[str] | None,
            typer.Option(
                "--label", "--engine-label", metavar="KEY=VALUE", help="A label of the machine and of its engine."
            ),
        ] = None,
        **others: Any,
    ) -> None:
        from machinectl.commands.create import Certificates, Creation, preview
        from machinectl.commands.create import create as command
        from machinectl.hosts.onboard import Onboarding
        from machinectl.machines.spec import MachineSpec
        from machinectl.provision.target import Allowed

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
            spare=Certificates("", here.tls.ca, here.tls.certificate, here.tls.key),
        )
        engine_options.warn_of_open_files(others, here.console)
        if engine_options.asks_for_swarm(others):
            here.console.warn("the --swarm options belong to a product that no longer exists; they have no effect")
        if dry_run:
            print_plan(preview(here.store, here.console, creation))
        else:
            command(here.store, here.console, creation)

    own = [one for one in inspect.signature(create, eval_str=True).parameters.values() if one.name != "others"]
    added = [
        *engine_options.parameters(),
        *access_options.access_parameters(),
        *(driver_parameter(name, option) for option in (driver.options() if driver else ())),
    ]
    if name in WITHOUT_HOST:
        own = [unseen(one) if one.name in FOR_HOSTS else one for one in own]
        added = [one if one.name.startswith(DRIVER_OPTION) else unseen(one) for one in added]
    # Typer reads a function's parameters here: the driver's are known at run time only.
    create.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    # Without a driver its options are unknown: that no driver is named is what to say then, not that they are wrong.
    lenient = {} if driver else {"ignore_unknown_options": True}
    verb(app, "create", **shown(name), context_settings=lenient)(create)


def unseen(parameter: inspect.Parameter) -> inspect.Parameter:
    """The same option, which help does not show."""
    kind, *_ = get_args(parameter.annotation)
    option = copy.copy(parameter.annotation.__metadata__[0])
    option.hidden = True
    return parameter.replace(annotation=Annotated[kind, option])


def driver_asked_for(arguments: Sequence[str]) -> str:
    """The driver that a command line of `create` names, "" where it names none."""
    return named_driver(arguments, TAKE_VALUES)


def shown(driver_name: str) -> dict[str, str]:
    """What help says of `create`, for one driver or for all."""
    if not driver_name:
        return {"more": f"A driver's own options: machinectl create -d DRIVER --help. Drivers: {drivers()}."}
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


def driver_parameter(driver_name: str, option: Option) -> inspect.Parameter:
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
        rich_help_panel=f"{DRIVER}{driver_name}",
        metavar="FILE" if option.secret else metavar,
        # A secret's variable holds the secret itself, not the name of its file.
        envvar=None if option.secret else option.variable or None,
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
    return f"{DRIVER_OPTION}{python_word(option.name)}"
