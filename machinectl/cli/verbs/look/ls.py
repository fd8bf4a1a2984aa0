"""The verb `ls` and its alias `list`."""

from __future__ import annotations

from machinectl.cli.output.stdout import print_lines
from machinectl.errors import Hint, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.verb_session import Session
    from machinectl.console import Console
    from machinectl.machines.store import Store


def ls(
    here: Session,
    *,
    names: list[str],
    selector: str | None,
    quiet: bool,
    filters: list[str],
    timeout: float,
    template: str,
    as_json: bool,
    removed: bool,
    watch: bool,
    interval: float | None,
) -> int:
    only = None
    # As docker prints it.
    template = "" if template.strip() == "table" else template
    if names or selector is not None:
        only = listed_only(here.store, here.console, names, selector, removed=removed)
    if watch or interval is not None:
        check_watch(watch=watch, with_others=quiet or as_json or removed)
        from machinectl.cli.tables.watch_screen import watch_machines

        pause = 2.0 if interval is None else interval
        watch_machines(here.store, filters=filters, only=only, timeout=timeout, template=template, interval=pause)
        return 0
    if quiet and not (names or filters or as_json or removed or template):
        # Selecting by label has read the records already: do not read the names again.
        print_lines(here.store.names() if only is None else only)
        return 0
    from machinectl.cli.tables.machine_table import print_machines, print_removed

    if removed:
        print_removed(here.store, only=only, quiet=quiet, as_json=as_json)
        return 0
    status = print_machines(
        here.store, quiet=quiet, filters=filters, only=only, timeout=timeout, template=template, as_json=as_json
    )
    # docker-machine's scripts may capture both streams: give them only the headings.
    if not (quiet or template or as_json):
        here.note_empty_store()
    return status


def listed_only(
    store: Store, console: Console, names: Sequence[str], selector: str | None, *, removed: bool
) -> Sequence[str] | None:
    """Return the machines to list, None for all.

    docker-machine's `ls` ignored names, and scripts rely on exit status 0: an unknown name is a note.
    """
    from machinectl.machines.selection import matching, selected
    from machinectl.machines.store.removed_machines import removed_machines

    if selector is not None:
        return selected(store, console, names, selector)
    there = [machine.name for machine in removed_machines(store)] if removed else store.names()
    found = matching(names, lambda: there)
    for name in found:
        if name not in there:
            if removed:
                console.note(f'"{name}" was not removed', Hint("List the removed machines", "machinectl ls --removed"))
            else:
                error = store.no_such(name)
                console.note(error.cause, error.hint)
    return found or None


def check_watch(*, watch: bool, with_others: bool) -> None:
    if not watch:
        raise UsageError("--interval says how often --watch draws", Hint("", "machinectl ls --watch --interval 5"))
    if with_others:
        raise UsageError(
            "--watch draws a table: it and --quiet, --json, --removed exclude each other",
            Hint("", "machinectl ls --watch"),
        )
