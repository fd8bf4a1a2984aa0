"""The verb `rename`: a machine gets another name, but not its host."""

from __future__ import annotations

from contextlib import ExitStack

from machinectl.cli.catalogue import Argument, Verb
from machinectl.errors import Hint
from machinectl.features import functions
from machinectl.machines.flags import MACHINE, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.machines.store import Held, Store


VERBS = {
    "rename": Verb(
        "rename",
        examples=("machinectl rename orionbox orion",),
        arguments=(Argument("old", "OLD", MACHINE, required=True), Argument("new", "NEW", TEXT, required=True)),
    ),
}


def rename(here: Session, *, old: str, new: str) -> None:
    rename_machine(here.store, here.console, old, new)


def rename_machine(store: Store, console: Console, old: str, new: str) -> None:
    """Rename a machine, and update machines behind it, even removed ones."""
    from machinectl.machines import record
    from machinectl.machines.jump_hosts import MACHINE as BY_MACHINE
    from machinectl.machines.store.machine_store import write_record

    record.check_name(new, "renaming")
    store.check_exists(old)
    with ExitStack() as stack:
        others, removed, held = held_with_those_behind(store, console, stack, old, new)
        store.read(old)
        store.check_free(new, besides=old)
        for machine in store.removed.readable() if new != old else ():
            if machine.name in removed:
                machine.jump = f"{BY_MACHINE}{new}"
                write_record(machine)
        if note := held[old].rename(new):
            console.note(note)
        for other in others if new != old else ():
            held[other].machine.jump = f"{BY_MACHINE}{new}"
            held[other].write()
            console.note(f'"{other}" goes through "{new}" now')
    if new != old:
        for renamed in functions("renamed"):
            for message in renamed(store, old, new):
                console.note(message)
        console.note(f'"{old}" is "{new}" now', Hint("Where a shell points at it", f"eval $(machinectl env {new})"))


def held_with_those_behind(
    store: Store, console: Console, stack: ExitStack, old: str, new: str
) -> tuple[list[str], list[str], dict[str, Held]]:
    """Lock both names and the machines behind; retry if those change.

    Return the machines behind, the removed ones and all locks.
    """
    from machinectl.machines.selection import waiting

    while True:
        others, removed = going_through(store, old)
        # Sorted, so that two renames cannot deadlock. Names that differ only in case share a lock.
        names = {name.lower(): name for name in (*removed, new, old, *others)}
        held = {
            name: stack.enter_context(store.writing(name, waiting(console, name))) for _, name in sorted(names.items())
        }
        if going_through(store, old) == (others, removed):
            return others, removed, held
        stack.close()


def going_through(store: Store, name: str) -> tuple[list[str], list[str]]:
    from machinectl.machines.jump_hosts import MACHINE as BY_MACHINE
    from machinectl.machines.jump_hosts import behind

    removed = [machine.name for machine in store.removed.readable() if machine.jump == f"{BY_MACHINE}{name}"]
    return behind(store.readable()).get(name, []), removed
