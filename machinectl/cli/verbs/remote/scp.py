"""`scp` and `mount` on the command line."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.ending_signals import leaving_when_told
from machinectl.cli.options.login_options import with_access
from machinectl.cli.options.typer_verbs import session, verb
from machinectl.cli.output.colours import is_drawn_on
from machinectl.cli.verbs.remote.ssh import SSH_FAILED, failing_with
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.connection.login import Access

SOURCE = "[[USER@]NAME:]PATH"


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add `scp` and `mount`."""
    add_scp(app)
    add_mount(app)


def add_scp(app: typer.Typer) -> None:
    @verb(
        app,
        "scp",
        "A path without NAME: is here; so is ./a:b, and what localhost: stands before. The last one is the target.",
    )
    # What fails on a host, or here, is scp's 1.
    @failing_with(SSH_FAILED, SSHError)
    @with_access
    def scp(
        ctx: typer.Context,
        access: Access,
        words: Annotated[list[str], typer.Argument(metavar=f"{SOURCE}… {SOURCE}", show_default=False)],
        recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Directories, with all in them.")] = False,
        delta: Annotated[
            bool, typer.Option("-d", "--delta", help="By rsync: what has changed alone, and links as links.")
        ] = False,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
        preserve: Annotated[bool, typer.Option("-p", "--preserve", help="Keep modes and times.")] = False,
    ) -> int:
        from machinectl.commands.scp import scp as command
        from machinectl.errors import UsageError
        from machinectl.ssh.openssh.copy_commands import CopyOptions, no_progress

        here = session(ctx)
        if len(words) < 2:  # noqa: PLR2004 - from somewhere to somewhere
            raise UsageError(
                "Where it is to be copied to is missing", f"machinectl scp {shlex.quote(words[0])} <NAME>:<PATH>"
            )
        wishes = CopyOptions(recursive, preserve, quiet)
        progress = no_progress
        if is_drawn_on(sys.stdout):
            from machinectl.cli.output.transfer_bar import transfer as progress
        with leaving_when_told():
            return command(
                here.store,
                here.console,
                words,
                wishes,
                access,
                delta=delta,
                native=here.native_ssh,
                progress=progress,
            )


def add_mount(app: typer.Typer) -> None:
    @verb(
        app, "mount", "By sshfs. Without DIR it is on the directory of the same path. With -u, DIR alone will do, too."
    )
    @failing_with(SSH_FAILED, SSHError)
    def mount(
        ctx: typer.Context,
        source: Annotated[str, typer.Argument(metavar="[USER@]NAME:PATH", show_default=False)],
        target: Annotated[str, typer.Argument(metavar="[DIR]", show_default=False)] = "",
        unmount: Annotated[bool, typer.Option("-u", "--unmount", help="End it.")] = False,
    ) -> None:
        from machinectl.commands import mount as commands

        here = session(ctx)
        if unmount:
            commands.unmount(here.store, source, target)
        else:
            with leaving_when_told():
                commands.mount(here.store, here.console, source, target)
