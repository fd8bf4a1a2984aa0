"""A machine's engine, ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts.certificates.pending import settle_pending
from machinectl.machines.machine_driver import endpoint_of

if TYPE_CHECKING:
    from machinectl.engine import Endpoint
    from machinectl.machines.store import Store


def ready_endpoint(store: Store, name: str) -> Endpoint:
    """Return the engine of a finished machine; first finish a renewal of its certificates that was killed."""
    settle_pending(store, name)
    return endpoint_of(store.read_ready(name))
