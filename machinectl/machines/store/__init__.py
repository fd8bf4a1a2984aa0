"""The store: one directory with all records and certificates. `docs/store.md` says what is in it."""

from machinectl.machines.store.machine_store import Held, Store

__all__ = ["Held", "Store"]
