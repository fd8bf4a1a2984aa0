"""`rm`: forget machines; their hosts stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl import driver
from machinectl.commands.naming import waiting
from machinectl.driver import Instance
from machinectl.errors import MachineError, UsageError
from machinectl.machine import BrokenRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.machine import Machine
    from machinectl.store import Store


def rm(
    store: Store, console: Console, names: Sequence[str], *, force: bool, yes: bool
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine's name when it is removed, or with the reason why not; the others are still removed."""
    if not names:
        raise UsageError("Error: Expected to get one or more machine names as arguments", "machinectl rm NAME …")
    if not (force or yes) and not confirmed(console, names):
        return
    for name in dict.fromkeys(names):
        try:
            remove(store, console, name, force=force)
        except MachineError as exc:
            error = MachineError(f'Error removing host "{name}": {exc.cause}.', exc.hint)
            error.__cause__ = exc
            yield name, error
        else:
            yield name, None


def confirmed(console: Console, names: Sequence[str]) -> bool:
    console.note(f"About to remove {', '.join(names)}: the certificates here are deleted, the host is left as it is.")
    return console.confirm("Are you sure? (y/n): ")


def remove(store: Store, console: Console, name: str, *, force: bool) -> None:
    """Forget one machine; with `force` also one whose record is broken. docker-machine's own are never touched."""
    store.check_exists(name)
    with store.lock(name, waiting(console, name)):
        store.check_exists(name)
        try:
            machine = store.read(name)
        except BrokenRecord:
            if not force or store.is_docker_machines(name):
                raise
        else:
            give_back(store, console, machine, force=force)
        store.remove(name)
    store.sweep()


def give_back(store: Store, console: Console, machine: Machine, *, force: bool) -> None:
    """Let the driver give back what it made; with `force`, a driver that cannot does not keep the machine here."""
    try:
        made_by = driver.load(machine.driver)
        made_by.remove(Instance(machine.name, store.directory(machine.name), machine.driver_state))
    except MachineError as exc:
        if not force:
            raise
        console.warn(f"{exc.cause}; forgetting {machine.name} all the same")
