"""Which of many machines begins next: a way goes before who is behind it, and engines in use take turns in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from machinectl.machines.record import natural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Turns(Protocol):
    """In which order machines that are worked on at once begin."""

    # The one that begins now; None where nobody may before another one has ended, or nobody is left.
    def take(self) -> str | None: ...

    # One has ended, as it should or not.
    def ended(self, name: str, *, failed: bool) -> None: ...


class InOrder:
    """One after the other, as many as there is room for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._waiting = list(reversed(list(names)))

    def take(self) -> str | None:
        return self._waiting.pop() if self._waiting else None

    def ended(self, name: str, *, failed: bool) -> None:
        pass


class Rolling:
    """Machines whose hosts are reached through others, and engines in use that must not all be down at once.

    `behind` says of a name which one goes first, where one does: a host that is reached through another. Those that are
    `rolled` go in batches of so many: a batch begins when all of the one before have ended, and none begins any more
    when more than `max_failures` of the rolled have failed. The others wait for no batch.

    `barred` is who does not begin because of another that failed, and that one; `stopped` who stays as it was because
    the roll was ended. Those that were left by ^C are in neither.
    """

    def __init__(
        self,
        names: Iterable[str],
        behind: Mapping[str, str] | None = None,
        rolled: Collection[str] = (),
        batch: int = 1,
        max_failures: int = 0,
    ) -> None:
        everybody = set(names)
        self._behind = {name: way for name, way in (behind or {}).items() if {name, way} <= everybody}
        self._waiting = dict.fromkeys(sorted(everybody, key=lambda name: (self._depth(name), natural(name), name)))
        # In the order in which they wait, so that a batch never waits for one that comes after it.
        in_turn = [name for name in self._waiting if name in rolled]
        self._batches = [in_turn[start : start + batch] for start in range(0, len(in_turn), batch)]
        self._rolled = frozenset(in_turn)
        self._failures_left = max_failures
        self._at_work: set[str] = set()
        self.barred: dict[str, str] = {}
        self.stopped: list[str] = []

    def take(self) -> str | None:
        for name in self._waiting:
            if self._may_begin(name):
                del self._waiting[name]
                self._at_work.add(name)
                return name
        return None

    def ended(self, name: str, *, failed: bool) -> None:
        self._at_work.remove(name)
        if failed:
            self._bar_behind(name)
            self._failures_left -= name in self._rolled
        if self._failures_left < 0:
            self.stopped += [other for other in self._waiting if other in self._rolled]
            for other in self.stopped:
                self._waiting.pop(other, None)
        while self._batches and not any(self._is_under_way(other) for other in self._batches[0]):
            del self._batches[0]

    def _may_begin(self, name: str) -> bool:
        if name in self._rolled and name not in self._batches[0]:
            return False
        return not self._is_under_way(self._behind.get(name, ""))

    def _is_under_way(self, name: str) -> bool:
        """Whether one has yet to end."""
        return name in self._waiting or name in self._at_work

    def _bar_behind(self, name: str) -> None:
        """Have nobody begin whose host is reached through one that failed, by itself or by another one behind it."""
        lost = {name}
        # Whoever goes first waits in front.
        for other in list(self._waiting):
            if self._behind.get(other) in lost:
                lost.add(other)
                self.barred[other] = name
                del self._waiting[other]

    def _depth(self, name: str) -> int:
        """Through how many others a host is reached."""
        depth = 0
        while name in self._behind:
            name = self._behind[name]
            depth += 1
        return depth
