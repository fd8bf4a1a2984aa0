"""How far a file is that is on its way, on a terminal: a bar, how much has come, the rate and the time left.

It goes to stdout, as scp's does. Loads rich, and is itself loaded only where there is something to draw.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import rich.progress

from machinectl.cli.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def transfer(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """See machinectl.ssh.copying.Following."""
    columns = (
        # What it is called is no markup.
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        rich.progress.TransferSpeedColumn(),
        rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    with rich.progress.Progress(*columns) as shown:
        task = shown.add_task(harmless(name), total=size)
        yield lambda count: shown.update(task, completed=count)
