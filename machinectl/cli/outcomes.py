"""What became of work on machines' hosts, as it is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.exits import report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.cli.verbs import Session
    from machinectl.errors import MachineError
    from machinectl.hosts.setup import Outcome


def outcome(here: Session, results: Iterable[tuple[str, MachineError | None]]) -> int:
    """Report what failed as it fails; the exit code."""
    failed = False
    for _, error in results:
        if error:
            report(error, here.program)
            failed = True
    return int(failed)


def print_decisions(decisions: Iterable[Outcome]) -> None:
    for decision in (each for each in decisions if each.changed):
        print(decision.title)
        for detail in decision.details:
            print(f"    {detail}")
