"""The report on a machine or this computer, and the examination that makes it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from machinectl.check import Seat, Verdict
from machinectl.errors import NO_HINT
from machinectl.hosts.parallel import BackgroundTask, run_at_once
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.check import Check
    from machinectl.console import Console
    from machinectl.errors import MachineError
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class DoctorReport:
    """`name` is "" for this computer."""

    name: str
    checks: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        return all(check.verdict is not Verdict.BROKEN for check in self.checks)

    @property
    def summary(self) -> str:
        count = Counter("unseen" if check.is_unseen else check.verdict for check in self.checks)
        parts = [
            f"{count[Verdict.BROKEN]} broken",
            f"{count[Verdict.UNKNOWN]} to look at",
            f"{count['unseen']} not checked",
            plural(count[Verdict.OK], "check passed", "checks passed"),
        ]
        return ", ".join(part for part in parts if not part.startswith("0 "))

    def shown(self, *, verbose: bool) -> list[Check]:
        """Return the checks that did not pass, but not those that another one's failure prevented."""
        is_unseen_alone = all(check.is_unseen or check.verdict is Verdict.OK for check in self.checks)
        return [
            check
            for check in self.checks
            if verbose or (is_unseen_alone if check.is_unseen else check.verdict is not Verdict.OK)
        ]

    def told_once(self, told: dict[Check, str]) -> DoctorReport:
        """Refer to the first machine with the same problem; `told` has those so far."""
        checks = [
            check
            if not check.hint or told.setdefault(check, self.name) == self.name
            else replace(check, seen=f"as {told[check]}", hint=NO_HINT)
            for check in self.checks
        ]
        return replace(self, checks=tuple(checks))

    def fields(self) -> dict[str, Any]:
        checks = [
            {"Title": check.title, "Verdict": str(check.verdict), "Seen": check.seen, "Hint": check.hint}
            for check in self.checks
        ]
        return {"Name": self.name, "Well": self.is_well, "Checks": checks}


def examine_machines(
    store: Store, console: Console, names: Sequence[str], login: Login, timeout: float
) -> Iterator[tuple[str, DoctorReport | MachineError]]:
    """Check in parallel, yield in order. `timeout` is per step."""
    from machinectl.doctor.machine_checks import check_machine

    def work(name: str, own: Console) -> DoctorReport:
        return DoctorReport(name, tuple(check_machine(store, own, name, login.for_one_host(), timeout)))

    found = dict(run_at_once(console, names, work))
    yield from ((name, found[name]) for name in dict.fromkeys(names) if name in found)


def examine_here(store: Store, names: Sequence[str], program: str, *, alone: bool) -> BackgroundTask[DoctorReport]:
    """Begin to check docker, this shell and, without names, the store. `alone`: no machine is checked."""
    from machinectl.doctor.this_computer import check_computer

    seat = Seat(program, os.environ)
    return BackgroundTask(lambda: DoctorReport("", tuple(check_computer(store, names, seat, alone=alone))))
