"""Counts and times as people read them."""

from __future__ import annotations

import pytest

from machinectl.quantities import duration, plural


@pytest.mark.parametrize(
    ("count", "words", "expected"),
    [
        (0, ["machine"], "0 machines"),
        (1, ["machine"], "1 machine"),
        (2, ["machine"], "2 machines"),
        (1, ["address", "addresses"], "1 address"),
        (1024, ["address", "addresses"], "1,024 addresses"),
    ],
)
def test_plural(count: int, words: list[str], expected: str) -> None:
    assert plural(count, *words) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (0.38, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.9, "1 min"),
        (125, "2 min 5 s"),
        (3599.9, "1 h"),
        (3 * 3600 + 20 * 60 + 10, "3 h 20 min"),
        (7199, "2 h"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_a_clock_has_no_tenths() -> None:
    assert [duration(seconds, whole=True) for seconds in (0, 9.96, 59.9, 60)] == ["0 s", "9 s", "59 s", "1 min"]
