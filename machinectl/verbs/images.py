"""The verb `images`."""

from __future__ import annotations

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.errors import LEAVE_ONE_OUT, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


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
    from machinectl.cli.go.docker_lists import IMAGE_COLUMNS, IMAGE_HEADINGS, image_fields
    from machinectl.cli.go.functions import plain_json
    from machinectl.cli.tables.docker_table import Form, ask_engines, parse_format, print_answers
    from machinectl.cli.tables.results import report_all
    from machinectl.hosts.query_engines import docker_filters

    if names and not here.store.exists(names[0]):
        from machinectl.cli.parsing.suggestions import check_verb_within

        check_verb_within("images", names, here.store)
    if as_json and (quiet or template):
        raise UsageError("--json, and --quiet or --format, exclude each other", LEAVE_ONE_OUT)
    columns = [*IMAGE_COLUMNS[:2], "Digest", *IMAGE_COLUMNS[2:]] if digests else IMAGE_COLUMNS
    layout = parse_format("{{.ID}}" if quiet else template, IMAGE_HEADINGS, columns, "")
    wanted = docker_filters(filters, "dangling=true")
    query = {"all": "1" if everything else "", "filters": plain_json(wanted) if wanted else ""}
    answers = ask_engines(here.store, names, timeout, "/images/json", query)
    if answers.asked or not answers.failures:
        fits = not (quiet or template or no_trunc)
        print_answers(answers, image_fields, Form(layout, IMAGE_HEADINGS, columns, SPARE, fits, no_trunc, as_json))
        if not (quiet or template or as_json):
            here.note_empty_store()
    return report_all(here, answers.failures)
