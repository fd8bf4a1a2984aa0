"""Say when hosts were last looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from machinectl.go.units import human_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

# How many machines to name per age, and how many ages to distinguish.
NAMED, AGES = 3, 4
# The age of an unknown date.
FOREVER = float("inf")


def last_looks(dates: Mapping[str, str], now: datetime | None = None) -> str:
    """Return the age of last looks, newest first. `dates` are ISO 8601, by machine."""
    now = now or datetime.now(UTC)
    by_date: dict[str, list[str]] = {}
    for name, date in dates.items():
        by_date.setdefault(date, []).append(name)
    groups: dict[str, list[str]] = {}
    for seconds, date in sorted((age(date, now), date) for date in by_date):
        groups.setdefault(duration(seconds), []).extend(by_date[date])
    ages = list(groups)
    newer = ages[: 1 - AGES] if len(ages) > AGES else []
    told = (
        [f"{first_names([name for each in newer for name in groups[each]])} in the last {newer[-1]}"] if newer else []
    )
    told += [
        f"{first_names(groups[each])} {f'{each} ago' if each else 'at an unknown time'}" for each in ages[len(newer) :]
    ]
    return "; ".join(told)


def duration(seconds: float) -> str:
    return human_duration(seconds).lower() if seconds < FOREVER else ""


def age(date: str, now: datetime) -> float:
    try:
        return max(0.0, (now - datetime.fromisoformat(date)).total_seconds())
    except (ValueError, TypeError):
        return FOREVER


def first_names(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:NAMED])} and {more} more"
