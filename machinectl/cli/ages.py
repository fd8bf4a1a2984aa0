"""When hosts were last looked at, for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl.go.units import human_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

# How many machines of one age are named.
NAMED = 3


def last_looks(dates: Mapping[str, str], now: datetime | None = None) -> str:
    """Return when machines' hosts were last looked at, from newest to oldest, by their dates as records have them."""
    now = now or datetime.now(UTC)
    seconds = {name: age(date, now) for name, date in dates.items()}
    groups: dict[str, list[str]] = {}
    for name in sorted(seconds, key=lambda name: seconds[name]):
        ago = f"{human_duration(seconds[name]).lower()} ago" if seconds[name] < FOREVER else "at an unknown time"
        groups.setdefault(ago, []).append(name)
    return "; ".join(f"{some(names)} {ago}" for ago, names in groups.items())


FOREVER = float("inf")


def age(date: str, now: datetime) -> float:
    """Return how long ago a date is, in seconds."""
    try:
        return max(0.0, (now - datetime.fromisoformat(date)).total_seconds())
    except (ValueError, TypeError):
        return FOREVER


def some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:NAMED])} and {more} more"
