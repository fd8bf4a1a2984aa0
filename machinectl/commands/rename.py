"""`rename`: give a machine another name, here; its host is not told."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from machinectl.machines import record
from machinectl.machines.behind import behind, keep_jump_hosts
from machinectl.machines.chosen import waiting
from machinectl.machines.jump_hosts import MACHINE

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Store


def rename(store: Store, console: Console, old: str, new: str) -> None:
    """Rename a machine, also as the jump host in other records, those of removed machines included.

    Raises MachineError where the new name cannot be one or is taken.
    """
    record.check_name(new, "renaming")
    store.check_exists(old)
    keep_jump_hosts(store, console)
    with ExitStack() as stack:
        # Always in the same order, so that two renames that cross each other do not wait for each other for ever; names
        # that differ in case only have one lock.
        others = behind(store).get(old, [])
        removed = [machine.name for machine in store.removed() if machine.jump == f"{MACHINE}{old}"]
        names = {name.lower(): name for name in (*removed, new, old, *others)}
        held = {
            name: stack.enter_context(store.writing(name, waiting(console, name))) for _, name in sorted(names.items())
        }
        store.read(old)
        store.check_free(new, besides=old)
        held[old].rename(new)
        for other in others if new != old else ():
            held[other].machine.jump = f"{MACHINE}{new}"
            held[other].write()
            console.note(f'"{other}" goes through "{new}" now')
        for machine in store.removed():
            if machine.name in removed:
                machine.jump = f"{MACHINE}{new}"
                store.write_removed(machine)
    if new != old:
        console.note(f'"{old}" is "{new}" now. Where a shell points at it: eval $(machinectl env {new})')
