"""The order of a rollout: jump hosts first, engines in use in batches, and what a failure stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError, UsageError
from machinectl.hosts.parallel import run_at_once
from machinectl.hosts.rollout_order import BatchSizes, RolloutOrder, split_batches
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from machinectl.console import Console


def taken(turns: RolloutOrder) -> list[str]:
    """All who may begin now."""
    found = []
    while name := turns.take():
        found.append(name)
    return found


def test_machines_without_a_restart_wait_for_no_batch() -> None:
    turns = RolloutOrder(["m10", "m2", "m1", "new"], rolled=["m10", "m2", "m1"])
    assert taken(turns) == ["m1", "new"]


def test_max_failures_are_tolerated() -> None:
    turns = RolloutOrder(["a", "b", "c"], rolled=["a", "b", "c"], max_failures=1)
    assert taken(turns) == ["a"]
    turns.ended("a", failed=True)
    assert taken(turns) == ["b"]
    turns.ended("b", failed=True)
    assert (taken(turns), turns.stopped) == ([], ["c"])


def test_no_machine_starts_after_one_that_failed() -> None:
    turns = RolloutOrder(["a", "gate", "inner", "z"], after={"a": ["inner"], "inner": ["gate"]})
    assert taken(turns) == ["gate", "z"]
    turns.ended("gate", failed=True)
    assert taken(turns) == []
    assert turns.barred == {"inner": "gate", "a": "gate"}


NAMES = [f"m{number}" for number in range(8)]


@given(
    after=st.dictionaries(st.integers(1, 7), st.sets(st.integers(0, 6), max_size=3)),
    rolled=st.sets(st.sampled_from(NAMES)),
    batch=st.integers(1, 4),
    max_failures=st.integers(0, 3),
    failing=st.sets(st.sampled_from(NAMES)),
    limit=st.integers(1, 4),
    data=st.data(),
)
def test_every_machine_ends_is_barred_or_stopped_and_batches_never_overlap(
    after: dict[int, set[int]],
    rolled: set[str],
    batch: int,
    max_failures: int,
    failing: set[str],
    limit: int,
    data: st.DataObject,
) -> None:
    # Nobody comes after one of a higher number: no circles, which a file is refused for.
    ways = {f"m{name}": {f"m{way}" for way in before if way < name} for name, before in after.items()}
    turns = RolloutOrder(NAMES, ways, rolled, batch, max_failures)
    at_work: list[str] = []
    ended: list[str] = []
    while True:
        while len(at_work) < limit and (name := turns.take()):
            assert ways.get(name, set()).isdisjoint({*at_work, *failing.intersection(ended)})
            at_work.append(name)
        assert len(rolled.intersection(at_work)) <= batch
        if not at_work:
            break
        name = data.draw(st.sampled_from(at_work))
        at_work.remove(name)
        ended.append(name)
        turns.ended(name, failed=name in failing)
    assert sorted([*ended, *turns.barred, *turns.stopped]) == NAMES
    if turns.stopped:
        assert len(rolled & failing & set(ended)) > max_failures


def test_run_at_once_follows_the_order() -> None:
    console, began = Quiet(), []

    def work(name: str, _: Console) -> None:
        began.append(name)
        if name == "b":
            raise MachineError("it is down")

    turns = RolloutOrder(["a", "b", "c"], rolled=["a", "b", "c"])
    results = dict(run_at_once(console, ["a", "b", "c"], work, order=turns))
    assert (began, turns.stopped) == (["a", "b"], ["c"])
    assert results["a"] is None
    assert "down" in str(results["b"])


@pytest.mark.parametrize(
    ("typed", "batches"),
    [
        ("2", ["ab", "cd", "ef", "gh", "i"]),
        ("1,3", ["a", "bcd", "efg", "hi"]),
        ("1,50%", ["a", "bcde", "fghi"]),
        ("5%", list("abcdefghi")),
        ("1, 20", ["a", "bcdefghi"]),
    ],
)
def test_batch_sizes_are_used_in_turn_and_the_last_repeats(typed: str, batches: list[str]) -> None:
    names = list("abcdefghi")
    assert ["".join(batch) for batch in split_batches(names, BatchSizes(typed).of(len(names)))] == batches
    turns = RolloutOrder(names, rolled=names, batch=BatchSizes(typed).of(len(names)))
    for batch in batches:
        begun = "".join(taken(turns))
        assert begun == batch
        for name in begun:
            turns.ended(name, failed=False)


@pytest.mark.parametrize("typed", ["", "0", "-1", "1,,2", "101%", "0%", "half", "1.5", "²", "9" * 5000])
def test_invalid_batch_sizes_are_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="--batch"):
        BatchSizes(typed)
