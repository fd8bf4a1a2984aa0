"""docker's --filter, as the Engine API takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.engine.http import BAD_REQUEST
from machinectl.errors import Hint, UsageError
from machinectl.hosts.status.query_engines import engine_failures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.errors import MachineError
    from machinectl.hosts.status.query_engines import MachineStatus


def docker_filters(filters: Sequence[str], example: str) -> dict[str, dict[str, bool]]:
    """Treat equal keys as alternatives; different keys must all match. `example` is of the verb, for errors."""
    found: dict[str, dict[str, bool]] = {}
    for given in filters:
        key, equals, value = given.partition("=")
        if not equals:
            raise UsageError(
                f"--filter {given!r} is not KEY=VALUE", Hint(f"Write a filter as docker takes it: --filter {example}")
            )
        found.setdefault(key.strip().lower(), {})[value.strip()] = True
    return found


def failures_with_filters(asked: Sequence[MachineStatus], filters: Sequence[str], page: str) -> list[MachineError]:
    """Hint at docker's page on filters: the engine's journal does not explain a bad filter."""
    for one in asked:
        if filters and one.status == BAD_REQUEST:
            one.hint = Hint(f"See docker's filters: https://docs.docker.com/reference/cli/docker/{page}/")
    return engine_failures(asked)
