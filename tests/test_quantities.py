"""Counts and times as people read them."""

from __future__ import annotations

import re

import pytest

from machinectl.errors import UsageError
from machinectl.quantities import (
    duration,
    first_names,
    human_duration,
    human_size,
    parse_lifetime,
    plural,
)


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
    ("names", "expected"), [(["a"], "a"), (["a", "b", "c", "d"], "a, b, c, d"), ([*"abcde"], "a, b, c and 2 more")]
)
def test_of_many_names_the_first_are_shown(names: list[str], expected: str) -> None:
    assert first_names(names) == expected


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
        (97200, "1 day 3 h"),
        (604800, "7 days"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("5m", 300), ("12h", 43200), ("7d", 604800), ("2w", 1209600), ("90d", 7776000)]
)
def test_a_lifetime_is_read_with_its_unit(text: str, seconds: int) -> None:
    assert parse_lifetime(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7D", "7y", "91d", "9" * 99 + "s", "\u0663d"]
)
def test_what_is_no_lifetime_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_lifetime(text)
    assert "--lifetime" in caught.value.cause


# Those of go-units' own tests, and both sides of each step.
AGES = (
    "0.45=Less than a second 1=1 second 59.9=59 seconds 60=About a minute 119=About a minute 120=2 minutes "
    "3599=59 minutes 3600=About an hour 5399=About an hour 5400=2 hours 169200=47 hours 172800=2 days 1123200=13 days "
    "1209600=2 weeks 5097600=8 weeks 5184000=2 months 62985600=24 months 63072000=2 years 94608000=3 years"
)
SIZES = "0=0B 999=999B 1000=1kB 1024=1.02kB 999999=1e+03kB 1000000000=1GB 1000000000000000000000000000=1e+03YB"


def test_ages_and_sizes_are_told_in_dockers_words() -> None:
    ages = re.findall(r"([\d.]+)=(.*?)(?= [\d.]+=|$)", AGES)
    assert [human_duration(float(seconds)) for seconds, _ in ages] == [told for _, told in ages]
    sizes = [pair.split("=") for pair in SIZES.split()]
    assert [human_size(int(size)) for size, _ in sizes] == [told for _, told in sizes]
