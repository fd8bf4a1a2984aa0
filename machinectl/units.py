"""Times and sizes as docker prints them (github.com/docker/go-units)."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 24
WEEK, MONTH, YEAR = 7 * DAY, 30 * DAY, 365 * DAY
MEMORY_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
# Each is 1000 times the previous one.
SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")


def human_duration(seconds: float) -> str:
    """Return docker's approximation: "47 hours", "2 weeks"."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < MINUTE:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if whole < HOUR:
        return "About a minute" if whole < 2 * MINUTE else f"{whole // MINUTE} minutes"
    return human_hours(int(seconds / HOUR + 0.5), int(seconds / HOUR))


def human_hours(rounded: int, whole: int) -> str:
    if rounded == 1:
        return "About an hour"
    for unit, name in ((1, "hours"), (DAY, "days"), (WEEK, "weeks"), (MONTH, "months")):
        following = {1: DAY, DAY: WEEK, WEEK: MONTH, MONTH: YEAR}[unit]
        if rounded < 2 * following:
            return f"{rounded // unit} {name}"
    return f"{whole // YEAR} years"


def memory_size(size: float) -> str:
    """Return bytes in units of 1024 (BytesSize): 7.565GiB."""
    return in_units(size, 1024, 4, MEMORY_SIZES)


def human_size(size: float) -> str:
    """Return bytes in units of 1000: 12.3kB."""
    return in_units(size, 1000, 3, SIZES)


def in_units(size: float, step: int, digits: int, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if size < step:
            return f"{size:.{digits}g}{unit}"
        size /= step
    return f"{size:.{digits}g}{units[-1]}"
