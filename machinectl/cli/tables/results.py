"""Print the results of work on machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.output.exit_status import report
from machinectl.cli.output.sanitise import harmless
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.lifecycle.host_plan import HostPlan


def several(names: Sequence[str] | None) -> bool:
    return len(names or ()) > 1


def report_failures(here: Session, results: Iterable[tuple[str, object]], *, several: bool) -> int:
    failed = False
    for name, result in results:
        if isinstance(result, MachineError):
            report(with_machine_name(result, name) if several else result, here.program)
            failed = True
    return int(failed)


def with_machine_name(error: MachineError, name: str) -> MachineError:
    if f'"{name}"' in error.cause:
        return error
    return MachineError(f'"{name}": {error.cause.removeprefix("Error: ")}', error.hint)


def report_results(here: Session, results: Iterable[tuple[str, object]], names: Sequence[str] | None) -> int:
    """Report failures, print a dry run's plans; return the exit code."""
    return report_failures(here, printing(results, headed=several(names)), several=several(names))


def printing(results: Iterable[tuple[str, object]], *, headed: bool) -> Iterator[tuple[str, object]]:
    from machinectl.hosts.lifecycle.host_plan import HostPlan

    for name, result in results:
        if isinstance(result, HostPlan):
            if headed:
                print(f"{name}:")
            print_plan(result)
        yield name, result


def print_plan(plan: HostPlan) -> None:
    for line in plan.found:
        print(harmless(line))
    changes = [each for each in plan.outcomes if each.changed]
    for change in changes:
        print(f"Would be done: {harmless(change.title)}")
        for detail in change.details:
            print(f"    {harmless(detail)}")
    if plan.outcomes and not changes:
        print("All is as it should be: nothing would be done")
    print("Nothing was changed")
