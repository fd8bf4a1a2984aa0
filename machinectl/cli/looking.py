"""The verbs that look: what is known of machines, and what their engines say."""

from __future__ import annotations

import codecs
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl import __version__
from machinectl.cli import answers
from machinectl.cli.exits import report
from machinectl.cli.output import print_json, write_bytes, write_out
from machinectl.cli.verbs import (
    OWN_DIRECTORY,
    AsJson,
    Names,
    OneName,
    Selecting,
    Timeout,
    own_version,
    seconds,
    session,
    verb,
    with_selector,
)
from machinectl.errors import MachineError, UsageError
from machinectl.machines.selection import chosen, chosen_one, matching, selected
from machinectl.machines.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the verbs that tell what is known of machines, and what their engines say."""
    add_where(app)
    add_asking(app)
    add_inspecting(app)
    for name in ("ls", "list"):
        add_listing(app, name)


def add_where(app: typer.Typer) -> None:
    @verb(app, "active")
    def active(ctx: typer.Context, timeout: Timeout = answers.USUAL_TIMEOUT, as_json: AsJson = False) -> None:
        here = session(ctx)
        if as_json:
            from machinectl.commands.active import active as command

            print_json({"Name": command(here.store, os.environ), "URL": os.environ["DOCKER_HOST"]})
        else:
            answers.active(here.store, {}, [], here.program)

    @verb(app, "url")
    def url(ctx: typer.Context, names: OneName = None, as_json: AsJson = False) -> None:
        here = session(ctx)
        if as_json:
            from machinectl.commands.url import url as command

            name = chosen_one(here.store, names or [])
            print_json({"Name": name, "URL": command(here.store, [name])})
        else:
            answers.url(here.store, {}, names or [], here.program)

    @verb(app, "ip")
    @with_selector
    def ip(ctx: typer.Context, names: Names = None, as_json: AsJson = False) -> None:
        here = session(ctx)
        if as_json:
            from machinectl.commands.url import ip as command

            wanted = chosen(here.store, names or [])
            addresses = command(here.store, wanted)
            print_json([{"Name": name, "IPAddress": address} for name, address in zip(wanted, addresses, strict=True)])
        else:
            answers.ip(here.store, {}, names or [], here.program)


def add_asking(app: typer.Typer) -> None:
    @verb(app, "status")
    def status(
        ctx: typer.Context, names: OneName = None, timeout: Timeout = answers.USUAL_TIMEOUT, as_json: AsJson = False
    ) -> None:
        from machinectl.commands.status import fields
        from machinectl.commands.status import status as command

        name, found = command(session(ctx).store, names or [], timeout)
        if as_json:
            print_json(fields(name, found))
        else:
            answers.tell_status(found, session(ctx).program)

    @verb(app, "version")
    def version(ctx: typer.Context, names: OneName = None, timeout: Timeout = 10, as_json: AsJson = False) -> None:
        if not names:
            print_own_version(as_json=as_json)
            return
        from machinectl.commands.status import engine_version

        name, found = engine_version(session(ctx).store, names, timeout)
        if as_json:
            print_json({"Name": name, "Version": found.version, "APIVersion": found.api_version})
        else:
            write_out(f"{found.version}\n")

    @verb(app, "api")
    def api(
        ctx: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME")],
        request: Annotated[list[str], typer.Argument(metavar="[METHOD] PATH")],
        body: Annotated[
            str, typer.Option("-d", "--data", metavar="JSON|@FILE", help="What to send: JSON, @FILE, or @- for stdin.")
        ] = "",
        timeout: Timeout = 30,
    ) -> int:
        return print_answer(session(ctx).store, name, request, body, timeout)


def add_inspecting(app: typer.Typer) -> None:
    @verb(app, "inspect")
    def inspect(
        ctx: typer.Context,
        names: OneName = None,
        template: Annotated[str, typer.Option("-f", "--format", metavar="TEMPLATE", help="A Go template.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print machinectl's own record as JSON.")] = False,
    ) -> None:
        here = session(ctx)
        if template and as_json:
            raise UsageError("--format and --json exclude each other", "Leave one of them out")
        if as_json:
            from machinectl.commands.inspect import ours

            machine = here.store.read(chosen_one(here.store, names or []))
            print_json(ours(machine, machine.directory))
        elif template:
            from machinectl.go import template as gotemplate
            from machinectl.machines.docker_machine.config_json import config_json

            parsed = gotemplate.parse(template)
            machine = here.store.read(chosen_one(here.store, names or []))
            write_out(parsed.render(config_json(machine, machine.directory)) + "\n")
        else:
            answers.inspect(here.store, {}, names or [], here.program)

    @verb(app, "changes")
    def changes(ctx: typer.Context, names: OneName = None, as_json: AsJson = False) -> None:
        from machinectl.commands.changes import changes as command
        from machinectl.go.tabwriter import table

        here = session(ctx)
        name, rows = command(here.store, names or [])
        if as_json:
            print_json([row.fields() for row in rows])
            return
        write_out(table(["WHEN (UTC)", "DONE", "UNDONE"], (row.cells() for row in rows)))
        undone = f"Undo it, and forget the machine: machinectl rm --purge {name}"
        here.console.note(undone if rows else f'Nothing was changed on the host of "{name}"')


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
            from machinectl.cli.watching import watch as keep_watching

            pause = 2.0 if interval is None else interval
            keep_watching(
                here.store, filters=filters or [], only=only, timeout=timeout, template=template, interval=pause
            )
            return
        from machinectl.cli.listing import print_machines, print_removed

        if removed:
            print_removed(here.store, only=only, quiet=quiet, as_json=as_json)
            return
        if quiet and selector is not None and only is not None and not (filters or as_json):
            # Their records were read for their labels, and are not read again for their names.
            answers.print_names(only)
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
    there = [machine.name for machine in store.removed()] if removed else store.names()
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


def print_own_version(*, as_json: bool) -> None:
    if as_json:
        print_json({"Version": __version__, "Directory": OWN_DIRECTORY})
    else:
        write_out(f"{own_version()}\n")


def print_answer(store: Store, name: str, request: list[str], body: str, timeout: float) -> int:
    """Stream an engine's answer to stdout as it comes; exit code 1 where its status says that it failed."""
    from machinectl.commands.api import api

    *method, path = request
    if len(method) > 1:
        raise UsageError("Too many arguments", "See what it takes: machinectl api --help")
    piece = b""
    with api(store, name, (method or ["GET"])[0], path, read_body(body), timeout) as answer:
        write = on_terminal() if sys.stdout.isatty() else write_bytes
        for piece in answer:
            write(piece)
    if sys.stdout.isatty() and not piece.endswith(b"\n"):
        write_out("\n")
    if answer.status < 300:  # noqa: PLR2004 (RFC 9110 15: from here on, it is not what was asked for)
        return 0
    where = f", at {answer.headers['Location']}" if "Location" in answer.headers else ""
    report(MachineError(f"The engine answered {answer.status} {answer.reason}{where}"))
    return 1


def on_terminal() -> Callable[[bytes], None]:
    """Writes what an engine says as it comes, where a person reads it: a letter may be cut by a piece's end."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    return lambda piece: write_out(decoder.decode(piece))


def read_body(given: str) -> bytes | None:
    """What is to be sent, as curl's --data takes it."""
    if not given.startswith("@"):
        return given.encode() or None
    if given == "@-":
        return sys.stdin.buffer.read()
    try:
        with open(given[1:], "rb") as file:
            return file.read()
    except OSError as exc:
        raise UsageError(f"Cannot read {given[1:]}: {exc.strerror}", "Give JSON, @FILE, or @- for stdin") from exc
