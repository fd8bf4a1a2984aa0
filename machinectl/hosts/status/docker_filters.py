"""docker's --filter, as the Engine API takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def docker_filters(filters: Sequence[str], example: str) -> dict[str, dict[str, bool]]:
    """Treat equal keys as alternatives; different keys must all match. `example` is of the verb, for errors."""
    found: dict[str, dict[str, bool]] = {}
    for given in filters:
        key, equals, value = given.partition("=")
        if not equals:
            raise UsageError(
                f"--filter {given!r} is not KEY=VALUE", f"Write a filter as docker takes it: --filter {example}"
            )
        found.setdefault(key.strip().lower(), {})[value.strip()] = True
    return found


def explain_filter_error(failure: MachineError, filters: Sequence[str], page: str) -> MachineError:
    """Hint at docker's page on filters: the engine's journal does not explain a bad filter."""
    if filters and " answers 400: " in failure.cause:
        return MachineError(
            failure.cause, f"See docker's filters: https://docs.docker.com/reference/cli/docker/{page}/"
        )
    return failure
