"""The verb `images`."""

from __future__ import annotations

import sys

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import is_terminal
from machinectl.errors import LEAVE_ONE_OUT, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


VERBS = {
    "images": Verb(
        "images",
        more="Without a name, it lists those of all machines.",
        examples=("machinectl images", "machinectl images orionbox --filter dangling=true"),
        arguments=(shared.NAMES,),
        flags=(
            shared.SELECTOR,
            Flag("-a", "--all", help="List intermediate images, too.", parameter="everything"),
            Flag(
                "-f",
                "--filter",
                metavar="KEY=VALUE",
                help="Filter as docker does: dangling, label, reference, before, since.",
                parameter="filters",
                many=True,
            ),
            Flag(
                "--format",
                metavar="TEMPLATE",
                help="json or a Go template; `table …` adds headings.",
                parameter="template",
            ),
            Flag("--digests", help="Show digests, too."),
            Flag("--no-trunc", help="Do not truncate output."),
            Flag("-q", "--quiet", help="Print IDs only."),
            shared.TIMEOUT,
            shared.JSON,
        ),
        output=PRINTS,
    ),
}


# The columns that a narrow terminal leaves out first.
SPARE = ("CreatedSince", "ID")


def images(
    here: Session,
    *,
    names: list[str],
    everything: bool,
    filters: list[str],
    template: str,
    digests: bool,
    no_trunc: bool,
    quiet: bool,
    timeout: float,
    as_json: bool,
) -> int:
    from machinectl.cli.go.docker_images import COLUMNS, HEADINGS
    from machinectl.cli.tables.docker_table import fitted_text, parse_format, rows_text
    from machinectl.cli.tables.results import report_all
    from machinectl.commands.images import images as command

    if names and not here.store.exists(names[0]):
        from machinectl.cli.parsing.suggestions import check_verb_within

        check_verb_within("images", names, here.store)
    if as_json and (quiet or template):
        raise UsageError("--json, and --quiet or --format, exclude each other", LEAVE_ONE_OUT)
    columns = [*COLUMNS[:2], "Digest", *COLUMNS[2:]] if digests else COLUMNS
    printed = parse_format("{{.ID}}" if quiet else template, HEADINGS, columns, "")
    found = command(here.store, names, timeout, everything=everything, filters=filters)
    if found.failures and not found.asked:
        return report_all(here, found.failures)
    if as_json:
        print_json([{"Machine": machine, **fields} for machine, fields in found.rows(whole=True)])
    elif is_terminal(sys.stdout) and not (quiet or template or no_trunc):
        write_out(fitted_text(found.rows(whole=False), HEADINGS, columns, SPARE))
    else:
        text, unprintable = rows_text(printed, found.rows(whole=no_trunc))
        write_out(text)
        found.failures.extend(unprintable)
    if not (quiet or template or as_json):
        here.note_empty_store()
    return report_all(here, found.failures)
