"""Write counts, times and sizes, and read them."""

from __future__ import annotations

from itertools import pairwise

from machinectl.errors import Hint, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MINUTE, HOUR, DAY = 60, 3600, 86400
# Seconds of the units in which lifetimes are typed.
UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
# Seconds. Then access ends, even if nobody thinks of ending it.
LONGEST_LIFETIME = 90 * DAY
MOST_DIGITS = len(str(LONGEST_LIFETIME))
# Of many names, those to show.
NAMED = 3
# Show tenths below this. Seconds.
FINE = 10
# docker prints these (github.com/docker/go-units).
MEMORY_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
# Each is 1000 times the previous one.
SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")


def plural(count: int, noun: str, several: str = "") -> str:
    """Return "1 machine", "3 machines"; `several` is the plural if it does not end in s."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def first_names(names: Sequence[str], most: int = NAMED) -> str:
    """Join names with commas; of many, only the first."""
    more = len(names) - most
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:most])} and {more} more"


def rfc3339(moment: datetime) -> str:
    """Return the form of our times in records and in JSON, which jq reads with fromdate."""
    from datetime import UTC

    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(seconds: float, *, whole: bool = False) -> str:
    """Return "0.4 s", "12 s", "2 min 5 s", "3 h 20 min", "1 day 3 h"; without tenths if `whole`."""
    if round(seconds, 1) < FINE and not whole:
        return f"{max(seconds, 0):.1f} s"
    passed = int(seconds) if whole else round(seconds)
    if passed < MINUTE:
        return f"{passed} s"
    if passed < HOUR:
        return two_units(passed, "min", "s")
    if passed < DAY:
        return two_units(round(passed / MINUTE), "h", "min")
    days, rest = divmod(passed, DAY)
    return plural(days, "day") + (f" {rest // HOUR} h" if rest >= HOUR else "")


def two_units(count: int, large: str, small: str) -> str:
    """Return sixtieths as "2 min 5 s", without a zero at the end."""
    many, rest = divmod(count, 60)
    return f"{many} {large} {rest} {small}" if rest else f"{many} {large}"


def parse_duration(text: str) -> int:
    """Return the seconds of 60s, 5m, 12h, 7d or 2w, and 0 for other texts."""
    number, unit = text[:-1], text[-1:]
    is_number = number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS
    return int(number) * UNITS.get(unit, 0) if is_number else 0


def parse_lifetime(text: str, flag: str = "--lifetime") -> int:
    """Return the seconds of 60s, 12h, 7d or 2w. Raises UsageError."""
    seconds = parse_duration(text)
    if not seconds:
        raise UsageError(
            f"{flag} takes a number with a unit, not {text!r}", Hint(f"For example: {flag} 12h, 7d, 2w or 60s")
        )
    if seconds > LONGEST_LIFETIME:
        raise UsageError(
            f"{flag} is at most 90d, not {text}", Hint("Renewing a certificate needs no restart of the engine")
        )
    return seconds


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
    hours = {"hours": 1, "days": 24, "weeks": 7 * 24, "months": 30 * 24, "years": 365 * 24}
    for name, following in pairwise(hours):
        if rounded < 2 * hours[following]:
            return f"{rounded // hours[name]} {name}"
    return f"{whole // hours['years']} years"


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
