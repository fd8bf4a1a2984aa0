"""The verb `ls` and its alias `list`."""

from __future__ import annotations

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.output.stdout import print_lines
from machinectl.errors import Hint, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.machines.store import Store


LS_QUIET = Flag("-q", "--quiet", help="Print names only.")
LS_FLAGS = (
    shared.SELECTOR,
    LS_QUIET,
    Flag(
        "--filter",
        metavar="KEY=VALUE",
        help="Filter by driver, state, name (a regular expression), label or swarm.",
        parameter="filters",
        many=True,
    ),
    shared.TIMEOUT,
    Flag("-f", "--format", metavar="TEMPLATE", help="A Go template; `table …` adds headings.", parameter="template"),
    shared.JSON,
    Flag("--removed", help="List removed machines whose records are kept."),
    Flag("--watch", help="Refresh the table until q or ^C."),
    Flag(
        "--interval",
        metavar="SECONDS",
        help="With --watch: the pause between refreshes (default 2).",
        kind=float,
        limits=(0.1, 86400),
        default=None,
    ),
)

VERBS = {
    "ls": Verb(
        "ls",
        examples=(
            "machinectl ls",
            "machinectl ls --filter state=Running --format 'table {{.Name}}\\t{{.URL}}'",
            "machinectl ls --watch",
        ),
        arguments=(shared.NAMES,),
        flags=LS_FLAGS,
        output=PRINTS,
        keeps_selector=True,
        follows=False,
    ),
    "list": Verb(
        "ls",
        examples=("machinectl list",),
        hidden=True,
        arguments=(shared.NAMES,),
        flags=LS_FLAGS,
        output=PRINTS,
        keeps_selector=True,
    ),
}


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
        if not watch:
            raise UsageError("--interval says how often --watch draws", Hint("", "machinectl ls --watch --interval 5"))
        if quiet or as_json or removed:
            raise UsageError(
                "--watch draws a table: it and --quiet, --json, --removed exclude each other",
                Hint("", "machinectl ls --watch"),
            )
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

    if selector is not None:
        return selected(store, console, names, selector)
    there = [machine.name for machine in store.removed.readable()] if removed else store.names()
    found = matching(names, lambda: there)
    for name in found:
        if name not in there:
            if removed:
                console.note(f'"{name}" was not removed', Hint("List the removed machines", "machinectl ls --removed"))
            else:
                from machinectl.machines.store.missing_machine import no_such_machine

                error = no_such_machine(store, name)
                console.note(error.cause, error.hint)
    return found or None
