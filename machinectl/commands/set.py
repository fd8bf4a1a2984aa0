"""`set`: change settings; `provision` applies them to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.driver.driver_options import option_flag
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.hosts.docker_over_ssh import note_jump_host
from machinectl.hosts.editing import Edit
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, ENGINE_FLAGS
from machinectl.machines.holders import listener_effect
from machinectl.machines.machine_driver import driver_of, endpoints_of
from machinectl.machines.selection import waiting
from machinectl.machines.store.store_paths import now
from machinectl.machines.tls_warnings import advise
from machinectl.masking import without_secrets

if TYPE_CHECKING:
    from typing import Any

    from machinectl.console import Console
    from machinectl.machines.flags import Flag
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import MachineSpec
    from machinectl.machines.store import Store


def set_machine(store: Store, console: Console, name: str, change: Edit) -> Machine:
    """Change nothing if a setting is invalid."""
    if change == Edit():
        raise UsageError("Nothing to set", Hint("", "machinectl set --url tcp://192.168.0.30:2376", name))
    store.check_exists(name)
    with store.writing(name, waiting(console, name)) as held:
        machine, before = held.machine, held.machine.spec
        url_before = machine.url
        waits = change.carry_out(held)
    # The server's certificate does not name a new address.
    waits = waits or (machine.has_changes and machine.tls and machine.url != url_before)
    is_applied = machine.has_changes and change.concerns_host and not waits
    waits = waits or bool((change.engine or change.addresses) and has_ssh(machine) and not is_applied)
    hint = Hint("Apply it to the host", "machinectl provision", name) if waits else NO_HINT
    console.note(f'"{name}" now: {", ".join(edit_summary(machine, change, before))}', hint)
    if "ssh_only" in change.engine:
        note_holders(console, machine)
    if is_applied:
        console.note("The host has these settings already: nothing to apply")
    if change.jump:
        note_jump_host(store, console, machine)
    advise(console, machine)
    return machine


def note_holders(console: Console, machine: Machine) -> None:
    """Say whose access is suspended or comes back when the host follows."""
    effect = listener_effect(machine, now(), ssh_only=machine.engine.ssh_only)
    if not effect:
        return
    if machine.engine.ssh_only:
        console.note(f"That {effect}, until the engine listens with TLS again")
    else:
        console.note(f"That {effect}", Hint("To end it for one of them", "machinectl access end <WHO>", machine.name))


def has_ssh(machine: Machine) -> bool:
    """Return whether `provision` can log in; False if the driver cannot be loaded."""
    try:
        return endpoints_of(machine).ssh is not None
    except MachineError:
        return False


def edit_summary(machine: Machine, change: Edit, before: MachineSpec) -> list[str]:
    where = [f"URL {without_secrets(machine.url)}"] if change.url is not None else []
    tls = [f"TLS {'on' if machine.tls else 'off'}"] if where or change.tls is not None else []
    flags = {option.name: option_flag(option) for option in driver_of(machine).options()} if change.options else {}
    options = [f"{flags[name]} {masked_words(value) or 'not given'}" for name, value in change.options.items()]
    labels = [f"label {key}={value}" for key, value in change.labels.items()]
    labels += [f"no label {key}" for key in change.unlabel if key not in change.labels]
    engine = [
        engine_summary(option, before.engine.recorded.get(option.key), change.engine[option.key])
        for option in ENGINE_FLAGS
        if option.key in change.engine
    ]
    context = [] if change.context is None else [f"docker context {'wanted' if change.context else 'not wanted'}"]
    jump = [] if change.jump is None else [f"SSH through {machine.jump}" if machine.jump else "no jump host"]
    addresses = [] if change.addresses is None else [engine_summary(ADDRESS, before.addresses, change.addresses)]
    lifetime = [] if change.lifetime is None else [engine_summary(ACCESS_LIFETIME, "", change.lifetime)]
    return [*where, *tls, *context, *addresses, *lifetime, *jump, *options, *labels, *engine]


def engine_summary(option: Flag, before: Any, now: Any) -> str:
    if not option.metavar:
        return option.flag if now else option.off
    values = now if isinstance(now, list | tuple) else [now]
    given = " ".join(f"{option.flag} {word}" for value in values if (word := masked_words(value)))
    return f"{given or f'{option.flag} not given'}{replaced_values(before, now)}"


def replaced_values(before: Any, now: Any) -> str:
    """Return a list's values that are dropped, or ""."""
    dropped = [each for each in before if each not in now] if isinstance(before, list | tuple) else []
    return f" (replaces {masked_words(dropped)})" if dropped else ""


def masked_words(asked: Any) -> str:
    """Mask passwords."""
    values = [str(each) for each in asked] if isinstance(asked, list | tuple) else [str(asked)]
    return " ".join(without_secrets(values))
