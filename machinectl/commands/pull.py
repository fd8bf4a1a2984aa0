"""`pull`: fetch an image from a machine's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts.image_transfer.transfer import transfer

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.engine import Endpoint
    from machinectl.hosts.image_transfer.transfer import Order
    from machinectl.images.send import Sent


def pull(console: Console, here: Endpoint, order: Order) -> Sent:
    """Fetch the image to the engine `here`. Raises MachineError."""
    [(_, result)] = transfer(console, order, {"": lambda: here})
    if isinstance(result, Exception):
        raise result
    return result
