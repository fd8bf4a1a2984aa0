"""`ls`, and its alias `list`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.typer_verbs import (
    AsJson,
    Names,
    Selecting,
    Timeout,
    seconds,
    session,
    verb,
)
from machinectl.cli.verbs import light_verbs
from machinectl.errors import UsageError
from machinectl.machines.selection import matching, selected
from machinectl.machines.store import Store
from machinectl.machines.store.removed_machines import removed_machines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    for name in ("ls", "list"):
        add_listing(app, name)


def add_listing(app: typer.Typer, name: str) -> None:
    @verb(app, name)
    def ls(
        ctx: typer.Context,
        names: Names = None,
        selector: Selecting = None,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print names only.")] = False,
        filters: Annotated[
            list[str] | None,
            typer.Option(
                "--filter", metavar="KEY=VALUE", help="By driver, state, name (a regular expression), label or swarm."
            ),
        ] = None,
        timeout: Timeout = 10,
        template: Annotated[
            str, typer.Option("-f", "--format", metavar="TEMPLATE", help="A Go template; `table …` adds headings.")
        ] = "",
        as_json: AsJson = False,
        removed: Annotated[
            bool, typer.Option("--removed", help="List what is kept of machines that were removed, instead.")
        ] = False,
        watch: Annotated[bool, typer.Option("--watch", help="Draw the table again and again, until ^C.")] = False,
        interval: Annotated[
            float | None,
            typer.Option(
                "--interval",
                min=0.1,
                max=86400,
                callback=lambda given: given and seconds(given),
                metavar="SECONDS",
                help="With --watch, the pause between two rounds.  [default: 2]",
            ),
        ] = None,
    ) -> None:
        here = session(ctx)
        only = listed_only(here.store, here.console, names or [], selector, removed=removed)
        if watch or interval is not None:
            check_watch(watch=watch, with_others=quiet or as_json or removed)
            from machinectl.cli.tables.watch_screen import watch as keep_watching

            pause = 2.0 if interval is None else interval
            keep_watching(
                here.store, filters=filters or [], only=only, timeout=timeout, template=template, interval=pause
            )
            return
        from machinectl.cli.tables.machine_table import print_machines, print_removed

        if removed:
            print_removed(here.store, only=only, quiet=quiet, as_json=as_json)
            return
        if quiet and selector is not None and only is not None and not (filters or as_json):
            # Their records were read for their labels, and are not read again for their names.
            light_verbs.print_names(only)
            return
        print_machines(
            here.store,
            quiet=quiet,
            filters=filters or [],
            only=only,
            timeout=timeout,
            template=template,
            as_json=as_json,
        )
        # Scripts that keep both streams, as docker-machine's do, get the headings alone.
        if not (quiet or template or as_json) and sys.stderr.isatty() and not here.store.names():
            from machinectl.commands.ls import first_steps

            here.console.note(first_steps())


def listed_only(
    store: Store, console: Console, names: Sequence[str], selector: str | None, *, removed: bool
) -> Sequence[str] | None:
    """The machines that `ls` is restricted to, None for all.

    docker-machine's `ls` took names and ignored them, with exit status 0, which scripts rely on: a wrong one is a note.
    """
    if selector is not None:
        return selected(store, console, names, selector)
    there = [machine.name for machine in removed_machines(store)] if removed else store.names()
    found = matching(names, lambda: there)
    for name in found:
        if name not in there:
            console.note(store.no_such(name).cause if not removed else f'"{name}" was not removed')
    return found or None


def check_watch(*, watch: bool, with_others: bool) -> None:
    if not watch:
        raise UsageError("--interval says how often --watch draws", "machinectl ls --watch --interval 5")
    if with_others:
        raise UsageError(
            "--watch draws a table: it and --quiet, --json, --removed exclude each other", "machinectl ls --watch"
        )
