"""The verb `ps`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import is_terminal
from machinectl.cli.tables.results import report_all
from machinectl.errors import LEAVE_ONE_OUT, Hint, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.verb_session import Session

# Characters of selectors that no name, glob or range has.
SELECTS = frozenset("=!(")
# The columns that a narrow terminal leaves out first.
SPARE = ("RunningFor", "Command", "Ports", "Image")


def ps(
    here: Session,
    *,
    names: list[str],
    everything: bool,
    filters: list[str],
    template: str,
    last: int,
    latest: bool,
    no_trunc: bool,
    quiet: bool,
    size: bool,
    timeout: float,
    as_json: bool,
) -> int:
    from machinectl.cli.go.docker_ps import COLUMNS, HEADINGS, RAW, RAW_SIZE
    from machinectl.cli.tables.docker_table import fitted_text, parse_format, rows_text
    from machinectl.commands.ps import ContainerQuery
    from machinectl.commands.ps import ps as command

    check_latest(names, latest=latest)
    if as_json and (quiet or template):
        raise UsageError("--json, and --quiet or --format, exclude each other", LEAVE_ONE_OUT)
    columns, raw = (*COLUMNS, *(["Size"] if size else [])), RAW + (RAW_SIZE if size else "")
    printed = parse_format("{{.ID}}" if quiet else template, HEADINGS, columns, raw)
    newest = 1 if latest and last < 0 else last
    wanted = ContainerQuery(everything, newest, size or "Size" in printed.row.fields, filters)
    found = command(here.store, names, wanted, timeout)
    if found.failures and not found.asked:
        return report_all(here, found.failures)
    if names and found.failures and not (found.answered or as_json):
        # As from docker, no headings without an answer.
        return report_all(here, found.failures)
    if as_json:
        unasked = {} if wanted.size else {"Size": ""}
        print_json([{"Machine": machine, **fields, **unasked} for machine, fields in found.rows(whole=True)])
    elif is_terminal(sys.stdout) and not (quiet or template or no_trunc):
        write_out(fitted_text(found.rows(whole=False), HEADINGS, columns, SPARE))
    else:
        text, unprintable = rows_text(printed, found.rows(whole=no_trunc))
        write_out(text)
        found.failures.extend(unprintable)
    if not names:
        here.note_empty_store()
    return report_all(here, found.failures)


def check_latest(names: Sequence[str], *, latest: bool) -> None:
    """Refuse -l with a selector, which it takes for the other verbs."""
    selector = next((name for name in names if latest and SELECTS.intersection(name)), "")
    if selector:
        raise UsageError(
            f"-l is --latest, as in docker ps, and takes no selector {selector!r}",
            Hint("", "machinectl ps --selector", selector),
        )
