"""`rm`: forget machines; their hosts stay as they are, or are put back as they were before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.driver.finding import load
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.driven import instance
from machinectl.hosts.each import at_once
from machinectl.machines.chosen import waiting
from machinectl.machines.record import BrokenRecord
from machinectl.provision.target import NOTHING_SPECIAL, Allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.access import Access
    from machinectl.hosts.setup import Outcome
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


@dataclass(frozen=True)
class Purge:
    """Undo on the hosts what provisioning changed, too; with `engine` the engine's package goes as well."""

    access: Access
    engine: bool = False
    allowed: Allowed = NOTHING_SPECIAL


def rm(
    store: Store, console: Console, names: Sequence[str], *, force: bool, yes: bool, purge: Purge | None = None
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine's name when it is removed, or with the reason why not; the others are still removed."""
    if not names:
        raise UsageError("Error: Expected to get one or more machine names as arguments", "machinectl rm NAME …")
    if not (force or yes) and not confirmed(console, names, purge):
        return

    def one(name: str, console: Console) -> None:
        try:
            remove(store, console, name, force=force, purge=purge)
        except MachineError as exc:
            raise MachineError(f'Error removing host "{name}": {exc.cause}.', exc.hint) from exc

    yield from at_once(console, names, one)


def preview(
    store: Store,
    console: Console,
    names: Sequence[str],
    tell: Callable[[str, list[Outcome]], None],
    *,
    purge: Purge | None = None,
) -> Iterator[tuple[str, MachineError | None]]:
    """Yield each machine's name when `tell` was given what `rm` would do, or with the reason why it would fail."""
    if not names:
        raise UsageError(
            "Error: Expected to get one or more machine names as arguments", "machinectl rm --dry-run NAME …"
        )

    def one(name: str, console: Console) -> None:
        from machinectl.hosts.setup import Outcome

        machine = store.read(name)
        outcomes = planned(machine, console, purge) if purge and machine.changes else []
        if machine.made:
            outcomes.append(Outcome(f"Letting driver {machine.driver} give back what it made", changed=True))
        forgotten = "the certificates here and what is known of the host"
        outcomes.append(Outcome(f"Forgetting {name}", changed=True, details=(forgotten,)))
        tell(name, outcomes)

    yield from at_once(console, names, one)


def planned(machine: Machine, console: Console, purge: Purge) -> list[Outcome]:
    """What would be undone on the host, which is read and not changed."""
    from machinectl.changes import KeyLetIn, of_kind
    from machinectl.hosts.access import elevated, logged_in
    from machinectl.hosts.let_in import undoing
    from machinectl.hosts.setup import Outcome, purge_plan

    access = purge.access.for_one_host()
    outcomes = []
    with logged_in(machine, console, access) as session:
        if for_root(machine):
            root = elevated(session, console, access)
            outcomes = purge_plan(machine, root, purge_engine=purge.engine, allowed=purge.allowed)
    keys = of_kind(machine.changes, KeyLetIn)
    return [*outcomes, *(Outcome(undoing(key), changed=True, details=(f"remove {key.key}",)) for key in keys)]


def for_root(machine: Machine) -> bool:
    """Whether there is something to undo that takes root."""
    from machinectl.changes import KeyLetIn

    return any(not isinstance(change, KeyLetIn) for change in machine.changes)


def confirmed(console: Console, names: Sequence[str], purge: Purge | None) -> bool:
    host = "the host is left as it is"
    if purge:
        host = "what was set up on the host is undone, and its containers and images stay"
        if purge.engine:
            host += "; its engine is removed, so that containers end"
    console.note(f"About to remove {', '.join(names)}: the certificates here are deleted; {host}.")
    return console.confirm("Are you sure? (y/n): ")


def remove(store: Store, console: Console, name: str, *, force: bool, purge: Purge | None) -> None:
    """Forget one machine; with `force` also one whose record is broken. docker-machine's own are never touched."""
    store.check_exists(name)
    with store.writing(name, waiting(console, name)) as held:
        store.check_exists(name)
        try:
            machine = held.machine
        except BrokenRecord:
            if not force or store.is_docker_machines(name):
                raise
        else:
            if purge:
                put_back(held, console, purge, force=force)
            give_back(console, machine, force=force)
        held.remove()
    store.sweep()


def put_back(held: Held, console: Console, purge: Purge, *, force: bool) -> None:
    """Undo on the host what was changed there; with `force`, one that cannot be reached is forgotten all the same."""
    if not held.machine.changes:
        return
    from machinectl.hosts.access import elevated, keep_host_key, logged_in
    from machinectl.hosts.let_in import take_out
    from machinectl.hosts.setup import purge as undo

    access = purge.access.for_one_host()
    try:
        with logged_in(held.machine, console, access) as session:
            keep_host_key(held, session)
            if for_root(held.machine):
                root = elevated(session, console, access)
                undo(held, console, root, purge_engine=purge.engine, allowed=purge.allowed)
            take_out(held, console, session)
    except MachineError as exc:
        if not force:
            raise
        console.warn(f"{exc.cause}; the host stays as it is, and {held.name} is forgotten all the same")


def give_back(console: Console, machine: Machine, *, force: bool) -> None:
    """Let the driver give back what it made; with `force`, a driver that cannot does not keep the machine here."""
    try:
        load(machine.driver).remove(instance(machine))
    except MachineError as exc:
        if not force:
            raise
        console.warn(f"{exc.cause}; forgetting {machine.name} all the same")
