"""`run` and `docker` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.login_options import with_access
from machinectl.cli.options.typer_verbs import Selecting, seconds, session, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.connection.login import Access

# What parts names from what is to be done.
DASHES = "--"

Words = Annotated[list[str] | None, typer.Argument(metavar="[NAME]… -- COMMAND…", show_default=False)]
DockersWords = Annotated[list[str] | None, typer.Argument(metavar="[NAME]… -- ARGUMENT…", show_default=False)]
All = Annotated[bool, typer.Option("-a", "--all", help="All machines.")]
Group = Annotated[bool, typer.Option("--group", help="Print what each machine says together, when it has ended.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line, when each machine ends.")]
Parallel = Annotated[
    int | None,
    typer.Option("--parallel", min=1, max=1000, metavar="N", help="How many machines at once, at most.  [default: 50]"),
]
WholeTimeout = Annotated[
    float | None,
    typer.Option(
        "-t",
        "--timeout",
        min=0.001,
        max=86400,
        callback=lambda given: given and seconds(given),
        metavar="SECONDS",
        help="End what has not ended by then: status 124.",
    ),
]


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `run` and `docker`; Typer takes the two dashes for its own, which part names from what is to be done."""
    after = list(arguments[arguments.index(DASHES) :]) if DASHES in arguments else []

    def whole(words: list[str] | None) -> list[str]:
        given = words or []
        return [*given[: len(given) - len(after) + 1], *after] if after else given

    @verb(
        app,
        "run",
        "One word is a line of sh, several are a command's words as they are. Stdin is given to all; in a"
        " loop that reads, add </dev/null.",
    )
    @with_access
    def run(
        ctx: typer.Context,
        access: Access,
        words: Words = None,
        selector: Selecting = None,
        everything: All = False,
        group: Group = False,
        as_json: AsJson = False,
        timeout: WholeTimeout = None,
        sudo: Annotated[bool, typer.Option("--sudo", help="As root, by sudo where that is needed.")] = False,
        parallel: Parallel = None,
        no_persist: Annotated[
            bool, typer.Option("--no-persist", help="Keep no SSH connection for the next run.")
        ] = False,
    ) -> int:
        from machinectl.cli.verbs.remote.fan_out import run as command

        here = session(ctx)
        flags = given_flags(
            selector=selector,
            all=everything,
            group=group,
            json=as_json,
            timeout=timeout,
            sudo=sudo,
            parallel=parallel,
            no_persist=no_persist,
        )
        return command(here.store, here.console, whole(words), access, flags, here.program, native=here.native_ssh)

    @verb(
        app, "docker", "Each with what `env` sets for it. Stdin is given to all; in a loop that reads, add </dev/null."
    )
    def docker(
        ctx: typer.Context,
        words: DockersWords = None,
        selector: Selecting = None,
        everything: All = False,
        group: Group = False,
        as_json: AsJson = False,
        timeout: WholeTimeout = None,
        parallel: Parallel = None,
    ) -> int:
        from machinectl.cli.verbs.remote.fan_out import docker as command

        here = session(ctx)
        flags = given_flags(
            selector=selector, all=everything, group=group, json=as_json, timeout=timeout, parallel=parallel
        )
        return command(here.store, here.console, whole(words), flags, here.program)


def given_flags(**options: str | float | bool | None) -> dict[str, str]:
    """Options as the front door hands them on: those that are on, with their values."""
    return {name: str(value) for name, value in options.items() if value is not None and value is not False}
