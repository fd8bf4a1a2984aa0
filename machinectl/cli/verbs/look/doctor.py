"""The verb `doctor`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from machinectl.cli.options.store_followers import is_switched_off
from machinectl.cli.output.exit_status import report, user_text
from machinectl.cli.output.stdout import draw, print_json
from machinectl.cli.output.style import BOLD, FAILED, OK, UNKNOWN, coloured, mark
from machinectl.errors import MachineError
from machinectl.go.tabwriter import align

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.cli.options.verb_session import Session
    from machinectl.commands.doctor import DoctorReport
    from machinectl.doctor.check import Check
    from machinectl.hosts.connection.login import Access

SIGNS = {"ok": OK, "broken": FAILED, "unknown": UNKNOWN}
HERE = "This computer"


def doctor(here: Session, *, names: list[str], access: Access, timeout: float, as_json: bool) -> int:
    from machinectl.commands.doctor import examine_here, examine_machines

    computer = examine_here(here.store, names, sys.argv[0], following=not is_switched_off())
    reports: list[DoctorReport] = []
    failed = False
    for name, found in examine_machines(here.store, here.console, names, access, timeout):
        if isinstance(found, MachineError):
            report(found, here.program)
            failed = True
            continue
        reports.append(found)
        if not as_json:
            print_report(found, name, here.program)
    if (reports or not failed) and (own := computer.found()):
        reports.append(own)
        if not as_json:
            print_report(reports[-1], HERE, here.program)
    if as_json and reports:
        print_json([each.fields() for each in reports])
    return int(failed or not all(each.is_well for each in reports))


def print_report(found: DoctorReport, heading: str, program: str) -> None:
    # On one line, so that no line of it passes for one of ours.
    seen = (user_text(check.seen, program).replace("\n", " ").replace("\t", " ") for check in found.checks)
    rows = align([f"{check.title}\t{text}" for check, text in zip(found.checks, seen, strict=True)], padding=2)
    lines = [coloured(heading, BOLD, sys.stdout)]
    for check, row in zip(found.checks, rows, strict=True):
        lines.append(f"  {mark(SIGNS[check.verdict], sys.stdout)} {row}")
        lines += [f"      {user_text(line, program)}" for line in check.hint.split("\n") if line]
    lines.append(f"  {verdict_summary(found.checks)}")
    draw("".join(f"{line}\n" for line in lines))


def verdict_summary(checks: Iterable[Check]) -> str:
    verdicts = [str(check.verdict) for check in checks]
    broken, unknown = verdicts.count("broken"), verdicts.count("unknown")
    parts = [f"{broken} broken" if broken else "", f"{unknown} to look at" if unknown else ""]
    return ", ".join([part for part in parts if part] or ["All is well"])
