"""`doctor`: check machines or this computer, without changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.check import Verdict
from machinectl.hosts.machine_threads import BackgroundTask
from machinectl.hosts.workers import run_at_once

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

    def fields(self) -> dict[str, Any]:
        checks = [
            {"Title": each.title, "Verdict": str(each.verdict), "Seen": each.seen, "Hint": each.hint}
            for each in self.checks
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


def examine_here(
    store: Store, names: Sequence[str], program: str, *, following: bool, alone: bool
) -> BackgroundTask[DoctorReport]:
    """Begin to check docker, this shell and, without names, the store.

    `following` is whether machinectl keeps docker contexts, `alone` whether no machine is checked.
    """
    from machinectl.check import Seat
    from machinectl.doctor.this_computer import check_computer

    seat = Seat(program, os.environ, following)
    return BackgroundTask(lambda: DoctorReport("", tuple(check_computer(store, names, seat, alone=alone))))
