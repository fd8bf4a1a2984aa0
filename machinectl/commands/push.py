"""`push`: send an image to machines' engines."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from machinectl.hosts.image_transfer.transfer import transfer
from machinectl.hosts.status.ready_endpoint import ready_endpoint

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.image_transfer.transfer import Order
    from machinectl.images.send import Sent
    from machinectl.machines.store import Store


def push(
    store: Store, console: Console, names: Sequence[str], order: Order
) -> Generator[tuple[str, Sent | MachineError], None, None]:
    """Yield each machine's result or error. Raises MachineError before anything is sent if a machine does not exist."""
    for name in names:
        store.check_exists(name)
    return transfer(console, order, {name: partial(ready_endpoint, store, name) for name in names})
