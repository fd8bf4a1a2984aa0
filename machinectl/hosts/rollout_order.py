"""Order machines: jump hosts first, engines in use in batches."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

from machinectl.errors import Hint, UsageError, one_line
from machinectl.machines.record import natural

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

Name = TypeVar("Name")
# More machines than anyone has.
MOST = 10**9


class BatchSizes:
    """--batch: 2, 25% of all, or 1,5,20 (the last repeats)."""

    def __init__(self, text: str) -> None:
        """Raise UsageError if invalid."""
        self._sizes = [size.strip() for size in text.split(",")]
        for size in self._sizes:
            number = size.removesuffix("%")
            is_whole = number.isascii() and number.isdigit() and len(number) <= len(str(MOST))
            if not (is_whole and 0 < int(number) <= (100 if size != number else MOST)):
                raise UsageError(
                    f"--batch takes whole numbers from 1 to {MOST:,}, or 1% to 100%, not {one_line(size)!r}",
                    Hint("For example: --batch 2, --batch 25%, or --batch 1,5,20 (the last repeats)"),
                )

    def of(self, count: int, *, after: int = 0) -> list[int]:
        """Return sizes after `after` done engines. Percentages round down, to at least one."""
        whole = after + count
        sizes = [max(1, whole * int(size[:-1]) // 100) if size.endswith("%") else int(size) for size in self._sizes]
        return sizes[len(list(split_batches(range(after), sizes))) :] or sizes[-1:]


ONE_BY_ONE = BatchSizes("1")


def split_batches(names: Sequence[Name], sizes: Sequence[int]) -> Iterator[list[Name]]:
    """The last size repeats."""
    start = 0
    for size in chain(sizes, repeat(sizes[-1])):
        if start >= len(names):
            return
        yield list(names[start : start + size])
        start += size


class RolloutOrder:
    """Start machines after their dependencies, and `rolled` engines in batches.

    `after` maps a name to its dependencies, such as jump hosts. The last batch size repeats. The roll stops after more
    than `max_failures` failures that `counts` accepts.

    `barred` maps skipped machines to the failed one; `stopped` lists those skipped by the end of the roll. ^C adds to
    neither.
    """

    def __init__(
        self,
        names: Iterable[str],
        after: Mapping[str, Collection[str]] | None = None,
        rolled: Collection[str] = (),
        batch: int | Sequence[int] = 1,
        max_failures: int = 0,
        counts: Callable[[str], bool] = lambda _: True,
    ) -> None:
        everybody = set(names)
        self._after = {name: everybody.intersection(before) for name, before in (after or {}).items()}
        self._depths: dict[str, int] = {}
        self._waiting = dict.fromkeys(sorted(everybody, key=lambda name: (self._depth(name), natural(name), name)))
        self.barred: dict[str, str] = {}
        # In the same order as `_waiting`, so that no batch waits for a machine of a later one.
        in_turn = [name for name in self._waiting if name in rolled]
        self._batches = list(split_batches(in_turn, [batch] if isinstance(batch, int) else batch))
        self._rolled = frozenset(in_turn)
        # Below 0, the roll has stopped.
        self.failures_left = max_failures
        self._counts = counts
        self._at_work: set[str] = set()
        self.stopped: list[str] = []

    @property
    def waiting(self) -> list[str]:
        return list(self._waiting)

    def take(self) -> str | None:
        """Return the next machine, or None if none may start now or none is left."""
        for name in self._waiting:
            is_in_later_batch = name in self._rolled and name not in self._batches[0]
            if not is_in_later_batch and not any(map(self._is_under_way, self._after.get(name, ()))):
                del self._waiting[name]
                self._at_work.add(name)
                return name
        return None

    def ended(self, name: str, *, failed: bool) -> None:
        self._at_work.remove(name)
        if failed:
            self._bar_after(name)
            self.failures_left -= name in self._rolled and self._counts(name)
        if self.failures_left < 0:
            self.stopped += [other for other in self._waiting if other in self._rolled]
            for other in self.stopped:
                self._waiting.pop(other, None)
        while self._batches and not any(map(self._is_under_way, self._batches[0])):
            del self._batches[0]

    def _is_under_way(self, name: str) -> bool:
        return name in self._waiting or name in self._at_work

    def _bar_after(self, name: str) -> None:
        lost = {name}
        # Dependencies come first.
        for other in list(self._waiting):
            if not lost.isdisjoint(self._after.get(other, ())):
                lost.add(other)
                self.barred[other] = name
                del self._waiting[other]

    def _depth(self, name: str) -> int:
        """Return the length of the longest chain of dependencies."""
        if name not in self._depths:
            # In a loop, the machine visited first starts first.
            self._depths[name] = 0
            self._depths[name] = 1 + max(map(self._depth, self._after.get(name, ())), default=-1)
        return self._depths[name]
