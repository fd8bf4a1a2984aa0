"""The verb `images`."""

from __future__ import annotations

from machinectl.cli.catalogue import PRINTS, Verb
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
            shared.FILTERS.with_changes(help="Filter as docker does: dangling, label, reference, before, since."),
            shared.LIST_FORMAT,
            Flag("--digests", help="Show digests, too."),
            shared.NO_TRUNC,
            shared.IDS_ONLY,
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
    from machinectl.cli.go.functions import plain_json
    from machinectl.cli.tables import docker_lists as lists
    from machinectl.hosts.query_engines import docker_filters

    columns = [*lists.IMAGE_COLUMNS[:2], "Digest", *lists.IMAGE_COLUMNS[2:]] if digests else lists.IMAGE_COLUMNS
    layout = lists.parse_format(template, lists.IMAGE_HEADINGS, columns, quiet=quiet, as_json=as_json)
    wanted = docker_filters(filters, "dangling=true")
    query = {"all": "1" if everything else "", "filters": plain_json(wanted) if wanted else ""}
    fits = not (quiet or template or no_trunc)
    listing = lists.Listing(
        layout, lists.IMAGE_HEADINGS, columns, SPARE, lists.image_fields, fits=fits, whole=no_trunc, as_json=as_json
    )
    return lists.print_lists(here, names, timeout, "/images/json", query, listing)
