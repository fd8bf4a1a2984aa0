"""Results of many machines in order, and when hosts were last looked at, as people are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.tables.results import in_order, last_looks

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_hosts_of_the_same_age_are_told_together_the_newest_first() -> None:
    dates = {
        "db1": "2025-12-12T12:00:00Z",
        **{f"web{number}": "2026-01-02T10:00:00Z" for number in range(1, 6)},
        "nas": "yesterday",
        "new": "2026-01-02T11:59:00Z",
    }
    assert last_looks(dates, NOW) == (
        "new about a minute ago; web1, web2, web3 and 2 more 2 hours ago; db1 3 weeks ago; nas at an unknown time"
    )


def test_results_come_in_the_order_of_the_names_each_once_those_before_it_have_come() -> None:
    ended = []

    def results() -> Iterator[tuple[str, int]]:
        for name in ("m10", "m1", "m3", "m2", "other"):
            ended.append(name)
            yield name, len(ended)

    shown = [(name, number, len(ended)) for name, number in in_order(results(), ["m1", "m2", "m1", "m10", "m3"])]
    assert shown == [("m1", 2, 2), ("m2", 4, 4), ("m10", 1, 4), ("m3", 3, 4), ("other", 5, 5)]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_loses_no_result(failure: type[BaseException]) -> None:
    def results() -> Iterator[tuple[str, int]]:
        yield "m2", 2
        raise failure

    shown: list[tuple[str, int]] = []
    with pytest.raises(failure):
        shown.extend(in_order(results(), ["m1", "m2"]))
    assert shown == [("m2", 2)]
