"""`set`, with the options of the named machine's driver."""

from __future__ import annotations

from machinectl.cli.declared_verb import Verb
from machinectl.cli.driver_option import driver_flag
from machinectl.cli.parsing.lookahead import named_machine, named_store
from machinectl.errors import MachineError
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, ENGINE_FLAGS, ENV_FILE, JUMP, LABEL
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.cli.options.verb_session import Session
    from machinectl.driver import Option


VERBS = {
    "set": Verb(
        "set_machine",
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
}


def flags_with_driver(arguments: Sequence[str], declared: Verb) -> tuple[list[Flag], dict[str, Any]]:
    driver, options = changeable(arguments)
    changing = (driver_flag(driver, option).for_change().with_changes(help=option.help) for option in options)
    return [*declared.flags, *changing], {}


def set_machine(
    here: Session,
    *,
    name: str,
    url: str | None,
    label: list[str],
    unlabel: list[str],
    tls: bool | None,
    context: bool | None,
    address: list[str] | None,
    access_lifetime: str | None,
    ssh_jump: str | None,
    **others: Any,
) -> None:
    from machinectl.cli.options import login_options, machine_options
    from machinectl.commands.set import set_machine as command
    from machinectl.hosts.editing import Edit
    from machinectl.machines.addresses import parse_addresses

    driver, options = changeable(here.arguments)
    machine_options.warn_of_open_files(others, here.console)
    change = Edit(
        url=url,
        tls=tls,
        context=context,
        jump=login_options.parse_jump(ssh_jump),
        addresses=parse_addresses(filter(None, address)) if address else None,
        lifetime=access_lifetime,
        labels=machine_options.parse_labels(label, name),
        unlabel=tuple(unlabel),
        options=machine_options.changed_driver_values(driver, options, others),
        engine=machine_options.changed_engine_options(others),
    )
    command(here.store, here.console, name, change)


def changeable(arguments: Sequence[str]) -> tuple[str, list[Option]]:
    """Return the machine's driver and changeable options, or ("", []). --url belongs to `set` itself."""
    from machinectl.driver.installed_drivers import load
    from machinectl.machines.store import Store

    store = Store(named_store(arguments))
    try:
        driver = store.read(named_machine(arguments, store.exists)).driver
        options = load(driver).options()
    except MachineError:
        # `set` itself reads the machine later and reports this error.
        return "", []
    return driver, [option for option in options if option.name != "url" and not option.secret]
