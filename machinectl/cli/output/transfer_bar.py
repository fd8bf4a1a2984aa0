"""How far a file is that is on its way, on a terminal: a bar, how much has come, the rate and the time left.

It goes to stdout, as scp's does. Loads rich, and is itself loaded only where there is something to draw.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rich.progress
import rich.table

from machinectl.cli.output.sanitise import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How much of a name is shown, in columns: the figures behind it are the news.
WIDEST_NAME = 24


@contextmanager
def transfer(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """See machinectl.ssh.openssh.copy_commands.CopyProgress."""
    columns = (
        # What it is called is no markup.
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
