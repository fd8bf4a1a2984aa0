"""The verb `doctor`."""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import LOGIN, PRINTS, Verb
from machinectl.cli.output.exit_status import called, report
from machinectl.cli.output.stdout import draw, print_json
from machinectl.cli.output.style import BOLD, FAILED, OK, UNKNOWN, coloured, columns, harmless, is_terminal, mark
from machinectl.errors import LEAVE_ONE_OUT, MachineError, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.check import Check
    from machinectl.cli.verb_session import Session
    from machinectl.doctor.machine_checks import DoctorReport
    from machinectl.hosts.login import Login


VERBS = {
    "doctor": Verb(
        "doctor",
        more="Without a name, it checks all machines. It changes nothing. The exit status is 1 if a check fails.",
        examples=("machinectl doctor orionbox", "machinectl doctor --here"),
        arguments=(shared.NAMES,),
        flags=(
            shared.TIMEOUT.with_changes(help="Timeout for each step.", limits=(0.1, 86400), default=5),
            Flag("--here", help="Check this computer only.", parameter="only_here"),
            Flag("-v", "--verbose", help="Print the checks that passed, too."),
            shared.JSON,
            *LOGIN,
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
}


# By verdict, the worst first.
SIGNS = {"broken": FAILED, "unknown": UNKNOWN, "ok": OK}
# Columns: before a hint, between a title and its text; the least for a text beside its title, the most of a line.
INDENT, GAP, NARROWEST, MOST_COLUMNS = 4, 2, 30, 1 << 20


HERE = "This computer"


def doctor(
    here: Session, *, names: list[str], login: Login, timeout: float, only_here: bool, verbose: bool, as_json: bool
) -> int:
    from contextlib import suppress

    from machinectl.doctor.machine_checks import examine_here, examine_machines

    if only_here and names:
        raise UsageError("Names and --here exclude each other", LEAVE_ONE_OUT)
    here.console.prints_results = not as_json
    computer = examine_here(here.store, names, sys.argv[0], alone=only_here)
    machines = names
    if not (names or only_here):
        # An unreadable store is a check of this computer.
        with suppress(MachineError):
            machines = here.store.names()
    reports: list[DoctorReport] = []
    failed = False
    for name, found in examine_machines(here.store, here.console, machines, login, timeout):
        if isinstance(found, MachineError):
            report(found, here.program)
            failed = True
            continue
        reports.append(found)
        if not as_json:
            print_report(found, name, here.program, verbose=verbose)
    if (reports or not failed) and (own := computer.answer()):
        reports.append(own)
        if not as_json:
            print_report(reports[-1], HERE, here.program, verbose=verbose)
    if not as_json:
        here.note_empty_store()
    if as_json and reports:
        print_json([each.fields() for each in reports])
    return int(failed or not all(each.is_well for each in reports))


def print_report(found: DoctorReport, heading: str, program: str, *, verbose: bool) -> None:
    """Print the verdict and the problems; with `verbose`, all checks."""
    from machinectl.cli.output.style import text_width

    # A pipe's lines are not wrapped: they are for grep.
    width = columns(sys.stdout) if is_terminal(sys.stdout) else MOST_COLUMNS
    shown = found.shown(verbose=verbose)
    column = max((text_width(check.title) for check in shown), default=0)
    verdicts = {check.verdict for check in found.checks}
    sign = next((sign for verdict, sign in SIGNS.items() if verdict in verdicts), OK)
    first, *more = wrap(f"{heading}: {found.summary}", width - GAP)
    lines = [f"{mark(sign, sys.stdout)} {coloured(heading, BOLD, sys.stdout)}{first.removeprefix(heading)}"]
    lines += [" " * GAP + line for line in more]
    for check in shown:
        lines += check_lines(check, column, width, program)
    draw("".join(f"{line}\n" for line in lines))


def check_lines(check: Check, column: int, width: int, program: str) -> Iterator[str]:
    from machinectl.cli.output.style import text_width

    # On one line first, so that no line of it passes for one of ours.
    seen = harmless(check.seen).replace("\n", " ").replace("\t", " ")
    sign = mark(SIGNS[check.verdict], sys.stdout)
    start = INDENT + column + GAP
    if width - start < NARROWEST:
        yield f"  {sign} {check.title}"
        start = INDENT
        yield from (" " * start + line for line in wrap(seen, width - start))
    else:
        title = check.title + " " * (column - text_width(check.title))
        first, *more = wrap(seen, width - start) or [""]
        yield f"  {sign} {title}{' ' * GAP}{first}".rstrip()
        yield from (" " * start + line for line in more)
    for text, command in called(check.hint, program):
        words = f"{text[:1].upper()}{text[1:]}{':' * bool(command)}"
        yield from (" " * INDENT + line for line in wrap(harmless(words), width - INDENT))
        # Never wrapped: it runs as it stands.
        if command:
            yield " " * (INDENT + GAP) + coloured(harmless(command), BOLD, sys.stdout)


def wrap(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
