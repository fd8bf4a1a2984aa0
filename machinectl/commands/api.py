"""`api`: send a raw request to an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.hosts.query_engines import ready_endpoint

if TYPE_CHECKING:
    from machinectl.machines.store import Store


def api(
    store: Store, name: str, method: str, path: str, body: bytes | None = None, timeout: float | None = 30.0
) -> engine.Response:
    """Return a response, which the caller must close. `timeout` covers its start, not its body."""
    # The engine requires a Content-Type for JSON; tar archives need none.
    kind = "application/json" if (body or b"").lstrip()[:1] in {b"{", b"["} else "application/octet-stream"
    return engine.request(
        ready_endpoint(store, name),
        method,
        path if path.startswith("/") else f"/{path}",
        body,
        {"Content-Type": kind} if body else None,
        timeout=timeout,
        streams=True,
    )
