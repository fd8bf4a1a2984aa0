"""`import`: copy machines from a docker-machine store, which is only read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.exports.old_machines import old_machine_names, usual_root
from machinectl.exports.store_import import StoreImport
from machinectl.machines.docker_machine import is_store
from machinectl.machines.jump_order import keep_jump_hosts
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.store.store_paths import into_own_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.engine import Endpoint, Probe
    from machinectl.exports.store_import import ImportedMachine
    from machinectl.machines.store import Store


def import_docker_machine(
    store: Store,
    console: Console,
    directory: str,
    *,
    context: bool = True,
    dry_run: bool = False,
    probe: Callable[[Endpoint, float], Probe] = engine.probe,
) -> Iterator[tuple[str, ImportedMachine | MachineError]]:
    """Import each machine completely or not at all. Existing machines stay unchanged."""
    root = os.path.abspath(os.path.expanduser(directory)) if directory else usual_root()
    check_separate_stores(store, root)
    if not dry_run:
        keep_jump_hosts(store, console)
    run = StoreImport(store, console, root, probe, context, dry_run)
    for name in old_machine_names(root):
        try:
            result: ImportedMachine | MachineError = run.import_machine(name)
        except MachineError as exc:
            result = exc
        yield name, result
    if not dry_run:
        sweep(store)


def check_separate_stores(store: Store, root: str) -> None:
    """Raise UsageError for one store inside the other."""
    theirs, ours = os.path.realpath(root), os.path.realpath(store.root)
    if is_store(root) and (ours == theirs or ours.startswith(f"{theirs}{os.sep}")):
        raise UsageError(
            f"{root} is docker-machine's store, and machinectl would keep its machines there, too; it needs a "
            "store of its own",
            Hint("Import them into it", into_own_store(root)),
        )
