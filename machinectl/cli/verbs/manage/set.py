"""`set`, with the options of the named machine's driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.cli.declarations.driver_option import driver_flag
from machinectl.cli.options import login_options, machine_options
from machinectl.cli.parsing.lookahead import named_machine, named_store
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError
from machinectl.machines.addresses import parse_addresses
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.declarations.declared_verb import Verb
    from machinectl.cli.options.verb_session import Session
    from machinectl.driver import Option
    from machinectl.machines.flags import Flag


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
    from machinectl.commands.set import set_machine as command
    from machinectl.hosts.editing import Edit

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
    store = Store(named_store(arguments))
    try:
        driver = store.read(named_machine(arguments, store.exists)).driver
        options = load(driver).options()
    except MachineError:
        # `set` itself reads the machine later and reports this error.
        return "", []
    return driver, [option for option in options if option.name != "url" and not option.secret]
