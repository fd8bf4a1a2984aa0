"""The verbs `scp` and `mount`."""

from __future__ import annotations

import functools
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from machinectl.cli.options.ending_signals import exiting_on_signals
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import is_drawn_on
from machinectl.errors import Hint
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.connection.login import Login


# Columns for a file's name in the progress bar, to leave room for the figures.
WIDEST_NAME = 24
# scp's own exit status if the connection fails.
CONNECTION_FAILED = 255


def connecting(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Return CONNECTION_FAILED for a verb's SSH failures."""

    @functools.wraps(function)
    def run(here: Session, **given: Any) -> int | None:
        try:
            return function(here, **given)
        except SSHError as exc:
            report(exc, here.program)
            return CONNECTION_FAILED

    return run


@connecting
def scp(
    here: Session, *, words: list[str], login: Login, recursive: bool, delta: bool, quiet: bool, preserve: bool
) -> int:
    from machinectl.commands.scp import scp as command
    from machinectl.errors import UsageError
    from machinectl.ssh.openssh.copy_commands import CopyOptions, no_progress

    if len(words) < 2:  # noqa: PLR2004 - source and target
        target = "." if ":" in words[0].partition("/")[0] else "<NAME>:<PATH>"
        raise UsageError("The target is missing", Hint("", "machinectl scp", words[0], target))
    wishes = CopyOptions(recursive, preserve, quiet)
    progress = progress_bar if is_drawn_on(sys.stdout) else no_progress
    with exiting_on_signals():
        return command(
            here.store, here.console, words, wishes, login, delta=delta, native=here.native_ssh, progress=progress
        )


@connecting
def mount(here: Session, *, source: str, target: str, unmount: bool, as_json: bool) -> None:
    from machinectl.cli.tables.text_table import table_text
    from machinectl.commands import mount as commands

    if not (source or unmount):
        rows = commands.mounts(here.store)
        if as_json:
            print_json([{"Source": each, "Directory": directory} for each, directory in rows])
        else:
            write_out(table_text(["SOURCE", "DIRECTORY"], rows))
    elif unmount:
        commands.unmount(here.store, source, target)
    else:
        with exiting_on_signals():
            commands.mount(here.store, here.console, source, target)


@contextmanager
def progress_bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show a transfer's progress on stdout, as scp does (CopyProgress in machinectl.ssh.openssh.copy_commands)."""
    import rich.progress
    import rich.table

    columns = (
        # A file name is not rich markup.
        rich.progress.TextColumn(
            "{task.description}",
            markup=False,
            table_column=rich.table.Column(max_width=WIDEST_NAME, no_wrap=True, overflow="ellipsis"),
        ),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        rich.progress.TransferSpeedColumn(),
        rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    with rich.progress.Progress(*columns) as shown:
        task = shown.add_task(harmless(os.path.basename(name)), total=size)
        yield lambda count: shown.update(task, completed=count)
