"""Print the results of work on machines and dry runs, and when hosts were last looked at."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import draw, print_json
from machinectl.cli.output.style import BOLD, GREEN, RED, coloured, harmless, is_terminal, wrapped
from machinectl.cli.tables.text_table import print_rows
from machinectl.errors import MachineError
from machinectl.machines.selection import listed_for_each
from machinectl.quantities import first_names, human_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from machinectl.cli.tables.text_table import Fitting, TableRow
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.host_plan import HostPlan, Outcome
    from machinectl.machines.store import Store


# By a diff line's beginning; the file names are bold.
DIFF_COLOURS = {"--- ": BOLD, "+++ ": BOLD, "@@ ": "36", "+": GREEN, "-": RED}
INDENT = "    "


NOTHING = "Nothing was changed"


def print_plan(plan: HostPlan) -> None:
    draw("".join(f"{line}\n" for line in (*plan_report(plan), NOTHING)))


def plan_report(plan: HostPlan) -> Iterator[str]:
    yield from (wrapped(harmless(line), sys.stdout) for line in plan.found)
    changes = [each for each in plan.outcomes if each.changed]
    for change in changes:
        first, *details = outcome_lines(change)
        yield wrapped(f"Planned: {first}", sys.stdout)
        yield from (INDENT + line for line in details)
    if plan.outcomes and not changes:
        yield "All is as it should be: nothing would be done"


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Return "Installing Docker Engine", and the details."""
    yield escaped_line(outcome.title)
    for detail in outcome.details:
        colour = next((colour for begin, colour in DIFF_COLOURS.items() if detail.startswith(begin)), "")
        yield coloured(escaped_line(detail), colour, sys.stdout)


def escaped_line(text: str) -> str:
    """Sanitise foreign text on one line: it must not pass for a line of ours."""
    return harmless(text).replace("\n", "\\n")


# The age of an unknown date.
FOREVER = float("inf")

T = TypeVar("T")
Row = TypeVar("Row", bound="TableRow")


def is_on_board(here: Session) -> bool:
    """Return whether the user has seen each machine's result on a board, so that it need not be printed."""
    return here.console.has_drawn and is_terminal(sys.stdout)


def in_order(results: Iterable[tuple[str, T]], names: Iterable[str]) -> Iterator[tuple[str, T]]:
    """Yield results in the order of `names`, each once those before it have come; at an interruption, the rest."""
    held: dict[str, T] = {}
    left = list(dict.fromkeys(names))
    try:
        for name, result in results:
            held[name] = result
            while left and left[0] in held:
                yield left[0], held.pop(left.pop(0))
    except (KeyboardInterrupt, Exception):
        yield from held.items()
        raise
    yield from held.items()


def report_all(here: Session, failures: Iterable[MachineError]) -> int:
    """Report errors; return the exit code."""
    code = 0
    for failure in failures:
        report(failure, here.program)
        code = 1
    return code


def print_listed(
    here: Session,
    names: Sequence[str],
    listed: Callable[[Store, Sequence[str]], list[Row]],
    headings: Sequence[str],
    fitting: Fitting,
    *,
    as_json: bool,
) -> tuple[list[Row], list[MachineError]]:
    """Print the rows of machines, in JSON a list in any case; return them, and the errors of those that fail."""
    try:
        rows, failures = listed_for_each(here.store, names, listed)
    except MachineError:
        if as_json:
            print_json([])
        raise
    if as_json or rows or not failures:
        print_rows(headings, rows, fitting, as_json=as_json)
    here.note_empty_store()
    return rows, failures


def report_results(here: Session, results: Iterable[tuple[str, object]], names: Sequence[str]) -> int:
    """Report failures, with names if there are several; print a dry run's plans; return the exit code."""
    return report_all(here, print_plans(results, several=len(names) > 1))


def print_plans(results: Iterable[tuple[str, object]], *, several: bool) -> Iterator[MachineError]:
    """Print plans and yield errors, in the order of the results."""
    from machinectl.hosts.host_plan import HostPlan

    is_dry = False
    for name, result in results:
        if isinstance(result, MachineError):
            yield result.named(name) if several else result
        elif isinstance(result, HostPlan):
            lines = [f"{name}:"] if several else []
            draw("".join(f"{line}\n" for line in [*lines, *plan_report(result)]))
            is_dry = True
    if is_dry:
        # Written now: at the end of the program, a closed pipe would be a traceback.
        draw(f"{NOTHING}\n")


def last_looks(dates: Mapping[str, str], now: datetime | None = None) -> str:
    """Return the age of last looks, newest first. `dates` are ISO 8601, by machine."""
    now = now or datetime.now(UTC)
    groups: dict[str, list[str]] = {}
    for seconds, name in sorted((age(date, now), name) for name, date in dates.items()):
        known = seconds < FOREVER
        groups.setdefault(f"{human_duration(seconds).lower()} ago" if known else "at an unknown time", []).append(name)
    return "; ".join(f"{first_names(names)} {ago}" for ago, names in groups.items())


def age(date: str, now: datetime) -> float:
    try:
        return max(0.0, (now - datetime.fromisoformat(date)).total_seconds())
    except (ValueError, TypeError):
        return FOREVER
