"""Records and certificates; see `docs/store.md`."""

from machinectl.machines.store.machine_store import Held, Store

__all__ = ["Held", "Store"]
