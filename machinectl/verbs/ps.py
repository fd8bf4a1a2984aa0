"""The verb `ps`."""

from __future__ import annotations

import sys

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import is_terminal
from machinectl.errors import LEAVE_ONE_OUT, Hint, UsageError
from machinectl.machines.flags import LABEL, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.verb_session import Session


VERBS = {
    "ps": Verb(
        "ps",
        more="Without a name, it asks all machines.",
        examples=(
            "machinectl ps",
            "machinectl ps -a --filter status=exited orionbox",
            "machinectl ps --format 'table {{.Machine}}\\t{{.Names}}\\t{{.Status}}'",
        ),
        arguments=(shared.NAMES,),
        flags=(
            Flag("-a", "--all", help="List stopped containers, too.", parameter="everything"),
            Flag(
                "-f",
                "--filter",
                metavar="KEY=VALUE",
                help="Filter as docker does: status, name, label, ancestor, …",
                parameter="filters",
                many=True,
            ),
            Flag(
                "--format",
                metavar="TEMPLATE",
                help="raw, json or a Go template; `table …` adds headings.",
                parameter="template",
            ),
            Flag(
                "-n",
                "--last",
                metavar="N",
                help="List the N newest containers of each machine, in any state.",
                kind=int,
                default=-1,
                show_default=False,
            ),
            Flag("-l", "--latest", help="List the newest container of each machine, in any state."),
            Flag("--no-trunc", help="Do not truncate output."),
            Flag("-q", "--quiet", help="Print IDs only."),
            Flag("-s", "--size", help="Show sizes, too."),
            shared.TIMEOUT,
            shared.JSON,
            Flag(
                "--selector",
                metavar="SELECTOR",
                help="Select machines by label: role=web, 'role in (a,b)'.",
                value=LABEL,
                default=None,
            ),
        ),
        output=PRINTS,
    ),
}


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
    from machinectl.cli.tables.results import report_all
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
