"""`set`, with the options of the named machine's driver."""

from __future__ import annotations

from machinectl.cli.catalogue import Verb
from machinectl.cli.parsing.command_line import driver_flag
from machinectl.cli.parsing.go_flags import named_machine, named_store, split_at_verb
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, ENGINE_FLAGS, ENV_FILE, JUMP, LABEL
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.driver import Option
    from machinectl.hosts.editing import Edit
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


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


def flags_with_driver(arguments: Sequence[str], declared: Verb) -> list[Flag]:
    driver, options = changeable(arguments)
    changing = (driver_flag(driver, option).for_change().with_changes(help=option.help) for option in options)
    return [*declared.flags, *changing]


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
    from machinectl.cli import machine_options, run_verb
    from machinectl.cli.typed_words import typed_line
    from machinectl.hosts.editing import Edit
    from machinectl.machines.addresses import parse_addresses

    driver, options = changeable(here.arguments)
    machine_options.warn_of_open_files(others, here.console)
    change = Edit(
        url=url,
        tls=tls,
        context=context,
        jump=run_verb.parse_jump(ssh_jump),
        addresses=parse_addresses(filter(None, address)) if address else None,
        lifetime=access_lifetime,
        labels=machine_options.parse_labels(label, name),
        unlabel=tuple(unlabel),
        options=machine_options.changed_driver_values(driver, options, others),
        engine=machine_options.changed_engine_options(others),
    )
    words = [word for word in split_at_verb(here.arguments)[1][1:] if word not in {name, "--"}]
    edit_machine(here.store, here.console, name, change, typed_line(words))


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


def edit_machine(store: Store, console: Console, name: str, change: Edit, typed: str) -> Machine:
    """Change nothing if a setting is invalid. `typed` are the options, without secrets."""
    from machinectl.hosts.editing import Edit
    from machinectl.hosts.ssh_config import note_docker_over_ssh
    from machinectl.machines.selection import waiting
    from machinectl.machines.tls_warnings import advise

    if change == Edit():
        raise UsageError("Nothing to set", Hint("Name an option", "machinectl set --help"))
    store.check_exists(name)
    with store.writing(name, waiting(console, name)) as held:
        machine = held.machine
        url_before = machine.url
        waits = change.carry_out(held)
    # The server's certificate does not name a new address.
    waits = waits or (machine.has_changes and machine.tls and machine.url != url_before)
    is_applied = machine.has_changes and change.concerns_host and not waits
    waits = waits or bool((change.engine or change.addresses) and has_ssh(machine) and not is_applied)
    hint = Hint("Apply it to the host", "machinectl provision", name) if waits else NO_HINT
    console.note(f'"{name}" now: {typed}', hint)
    if "ssh_only" in change.engine:
        note_holders(console, machine)
    if is_applied:
        console.note("The host has these settings already: nothing to apply")
    if change.jump:
        note_docker_over_ssh(store, console, machine)
    advise(console, machine)
    return machine


def note_holders(console: Console, machine: Machine) -> None:
    """Say whose access is suspended or comes back when the host follows."""
    from machinectl.machines.holders import listener_effect
    from machinectl.machines.store.store_paths import now

    effect = listener_effect(machine, now(), ssh_only=machine.engine.ssh_only)
    if not effect:
        return
    if machine.engine.ssh_only:
        console.note(f"That {effect}, until the engine listens with TLS again")
    else:
        console.note(f"That {effect}", Hint("To end it for one of them", "machinectl access end <WHO>", machine.name))


def has_ssh(machine: Machine) -> bool:
    """Return whether `provision` can log in; False if the driver cannot be loaded."""
    from machinectl.machines.machine_driver import endpoints_of

    try:
        return endpoints_of(machine).ssh is not None
    except MachineError:
        return False
