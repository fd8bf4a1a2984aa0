"""Write counts and times for people."""

from __future__ import annotations

MINUTE, HOUR = 60, 3600
# Show tenths below this. Seconds.
FINE = 10


def plural(count: int, noun: str, several: str = "") -> str:
    """Return "1 machine", "3 machines"; `several` is the plural if it does not end in s."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def duration(seconds: float, *, whole: bool = False) -> str:
    """Return "0.4 s", "12 s", "2 min 5 s", "3 h 20 min"; without tenths if `whole`, for a clock that runs."""
    if round(seconds, 1) < FINE and not whole:
        return f"{max(seconds, 0):.1f} s"
    passed = int(seconds) if whole else round(seconds)
    if passed < MINUTE:
        return f"{passed} s"
    if passed < HOUR:
        return two_units(passed, "min", "s")
    return two_units(round(passed / MINUTE), "h", "min")


def two_units(count: int, large: str, small: str) -> str:
    """Return sixtieths as "2 min 5 s", without a zero at the end."""
    many, rest = divmod(count, 60)
    return f"{many} {large} {rest} {small}" if rest else f"{many} {large}"
