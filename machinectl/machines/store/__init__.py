"""The directory with records and certificates; `docs/store.md` describes it."""

from machinectl.machines.store.machine_store import Held, Store

__all__ = ["Held", "Store"]
