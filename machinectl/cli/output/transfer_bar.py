"""Show a transfer's progress on stdout, as scp does. Loads rich: import it only to draw."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rich.progress
import rich.table

from machinectl.cli.output.sanitise import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Columns for the name, to leave room for the figures.
WIDEST_NAME = 24


@contextmanager
def transfer(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """See machinectl.ssh.openssh.copy_commands.CopyProgress."""
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
