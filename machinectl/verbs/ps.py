"""The verb `ps`."""

from __future__ import annotations

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.machines.flags import LABEL, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machinectl.cli.tables.docker_lists import Fields
    from machinectl.cli.verb_session import Session


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
            shared.FILTERS.with_changes(help="Filter as docker does: status, name, label, ancestor, …"),
            shared.LIST_FORMAT,
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
            shared.NO_TRUNC,
            shared.IDS_ONLY,
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
    from machinectl.cli.go.functions import plain_json
    from machinectl.cli.tables import docker_lists as lists
    from machinectl.hosts.query_engines import docker_filters

    columns = (*lists.CONTAINER_COLUMNS, *(["Size"] if size else []))
    layout = lists.parse_format(template, lists.CONTAINER_HEADINGS, columns, quiet=quiet, as_json=as_json)
    sizes = size or "Size" in layout.row.fields

    def fields_of(row: Any, *, whole: bool) -> list[Fields]:
        fields = lists.container_fields(row, whole=whole)
        if not sizes:
            fields["Size"] = ""
        return [fields]

    fits = not (quiet or template or no_trunc)
    listing = lists.Listing(
        layout, lists.CONTAINER_HEADINGS, columns, SPARE, fields_of, fits=fits, whole=no_trunc, as_json=as_json
    )
    last = 1 if latest and last < 0 else last
    query = {
        "all": "1" if everything else "",
        # The newest, even stopped ones; 0 means no limit.
        "limit": str(last) if last > 0 else "",
        # The engine adds up what containers wrote, which is slow.
        "size": "1" if sizes else "",
        "filters": plain_json(docker_filters(filters, "status=exited")) if filters else "",
    }
    return lists.print_lists(here, names, timeout, "/containers/json", query, listing)
