"""`ssh` and `ssh-config` on the command line."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from machinectl.cli.options.login_options import with_access
from machinectl.cli.options.typer_verbs import Names, session, verb, with_selector
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.hosts.connection.login import Access

# OpenSSH's own, for a failure that is not the remote command's (ssh(1), EXIT STATUS).
SSH_FAILED = 255


def failing_with(
    code: int, kind: type[MachineError] = MachineError
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Have a verb's own failures of a kind end in one exit code, whatever they are."""

    def change(function: Callable[..., int | None]) -> Callable[..., int | None]:
        @functools.wraps(function)
        def run(ctx: typer.Context, *given: Any, **options: Any) -> int | None:
            try:
                return function(ctx, *given, **options)
            except kind as exc:
                report(exc, session(ctx).program)
                return code

        return run

    return change


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    @verb(
        app,
        "ssh",
        "What follows the name is ssh's: options, a command.",
        # What follows the name is taken as it is; an unknown option before it is answered by the command.
        context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    )
    @failing_with(SSH_FAILED)
    @with_access
    def ssh(
        ctx: typer.Context,
        access: Access,
        words: Annotated[list[str] | None, typer.Argument(metavar="[NAME] [ARGUMENT]…", show_default=False)] = None,
    ) -> int:
        from machinectl.commands.ssh import ssh as command

        here = session(ctx)
        return command(here.store, here.console, words or [], access, native=here.native_ssh)

    @verb(app, "ssh-config", "Without names, of all that have SSH.")
    @with_selector
    def ssh_config(
        ctx: typer.Context,
        names: Names = None,
        write: Annotated[
            bool,
            typer.Option(
                "--write", help="Keep it in a file that follows the machines, and print the line that includes it."
            ),
        ] = False,
    ) -> None:
        from machinectl.commands import ssh_config as commands

        here = session(ctx)
        if write:
            write_out(commands.keep_ssh_config(here.store, here.console, names or []) + "\n")
        else:
            write_out(commands.ssh_config(here.store, here.console, names or []))
