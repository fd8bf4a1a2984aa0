"""List what machines' engines have as `docker ps` and `docker images` do, with a machine column, or by template.

The fields are docker's (docker/cli cli/command/formatter, 28.2).
"""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from machinectl.cli.go import template as gotemplate
from machinectl.cli.go.functions import DOCKERS, OF_HEADINGS, plain_json
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import is_terminal, letter_width, text_width
from machinectl.cli.tables.results import report_all
from machinectl.cli.tables.text_table import DOCKERS_NARROWEST, Fitting, RowFormat, table_text, unbroken
from machinectl.engine import EngineQuery
from machinectl.engine.image_names import FAMILIAR, REFERENCE
from machinectl.errors import LEAVE_ONE_OUT, UsageError
from machinectl.hosts.query_engines import MachineStatus, engine_failures, query_engines, recorded_statuses
from machinectl.json_values import as_dict, as_integer, as_list, as_text
from machinectl.quantities import human_duration, human_size
from machinectl.value_classes import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.errors import MachineError


MACHINE = "Machine"
# By field. The columns are the table's; the other fields are for templates.
CONTAINER_HEADINGS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
    "Size": "SIZE",
    "CreatedAt": "CREATED AT",
    "State": "STATE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
}
CONTAINER_COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
IMAGE_HEADINGS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "Labels": "LABELS",
}
IMAGE_COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size")
SHORT_ID = 12
LONGEST_COMMAND, LONGEST_MOUNT = 20, 15
WHOLE_ID = re.compile("[0-9a-f]{64}")
NONE = "<none>"
NOT_AVAILABLE = "N/A"


class Listing(Frozen):
    """How rows are printed. `fields_of` yields an answer's rows; `spare` columns go first on a narrow terminal."""

    layout: RowFormat
    headings: Mapping[str, str]
    columns: Sequence[str]
    spare: Sequence[str]
    fields_of: Callable[..., Iterable[Fields]]
    fits: bool
    whole: bool
    as_json: bool


def print_lists(
    here: Session, names: Sequence[str], timeout: float, path: str, query: Mapping[str, str], listing: Listing
) -> int:
    """Ask the given machines, or all, for a list, and print it; `timeout` is per machine. Return the exit code."""
    asked = urlencode({key: value for key, value in query.items() if value})
    machines, failures = recorded_statuses(here.store, names or here.store.names(), MachineStatus)
    for _ in query_engines(here.store, machines, timeout, EngineQuery(f"{path}?{asked}".rstrip("?"), list)):
        pass
    failures = [*failures, *engine_failures(machines)]
    # As from docker, no headings without an answer.
    has_answer = listing.as_json or any(one.told is not None for one in machines)
    if failures and (not machines or (names and not has_answer)):
        return report_all(here, failures)
    whole = listing.as_json or listing.whole
    answers = ((one.machine.name, row) for one in machines for row in one.told or ())
    rows = ((machine, fields) for machine, row in answers for fields in listing.fields_of(row, whole=whole))
    if listing.as_json:
        print_json([{MACHINE: machine, **fields} for machine, fields in rows])
    elif listing.fits and is_terminal(sys.stdout):
        shown = {MACHINE: "MACHINE", **{name: listing.headings[name] for name in listing.columns}}
        cells = ([fields.get(name, machine) for name in shown] for machine, fields in rows)
        fitting = Fitting(spare=[listing.headings[name] for name in listing.spare])
        write_out(table_text(list(shown.values()), cells, fitting))
    else:
        text, unprintable = rows_text(listing.layout, rows)
        write_out(text)
        failures += unprintable
    if not names:
        here.note_empty_store()
    return report_all(here, failures)


def rows_text(layout: RowFormat, rows: Iterable[tuple[str, Fields]]) -> tuple[str, list[MachineError]]:
    """Return rows by a template, and an error for each that it does not fit."""

    def one_row(machine: str, fields: Fields) -> Fields:
        row = Fields(unbroken({MACHINE: machine, **fields}))
        row.labels = unbroken(fields.labels)
        return row

    cells = ((machine, one_row(machine, fields)) for machine, fields in rows)
    return layout.text(cells, narrowest=DOCKERS_NARROWEST, measure=text_width)


def parse_format(
    text: str, headings: Mapping[str, str], columns: Sequence[str], *, quiet: bool = False, as_json: bool = False
) -> RowFormat:
    """Read --format as docker does: a template, table or json."""
    if as_json and (quiet or text):
        raise UsageError("--json, and --quiet or --format, exclude each other", LEAVE_ONE_OUT)
    text = "{{.ID}}" if quiet else text
    if not text or text.strip() == "table":
        text = "table " + r"\t".join(f"{{{{.{name}}}}}" for name in (MACHINE, *columns))
    headed = text.startswith("table")
    text = text.removeprefix("table").strip(" ")
    headings = {MACHINE: "MACHINE", **headings}
    labels = {"Label": lambda row, key: row.labels.get(str(key), "")}
    row = gotemplate.parse_template(text, fields=[*headings, "Label"], escapes=True, functions=DOCKERS, methods=labels)
    if not headed:
        return RowFormat(row, None)
    # docker's heading of a label is the last part of its key, in words.
    words = {"Label": lambda _, key: str(key).rpartition(".")[2].replace("-", " ").replace("_", " ")}
    above = gotemplate.parse_template(text, escapes=True, functions=OF_HEADINGS, methods=words)
    return RowFormat(row, above.render(headings))


class Fields(dict[str, Any]):
    """Fields by docker's names; `{{.Label "KEY"}}` reads `labels`."""

    labels: dict[str, str]


def container_fields(told: Any, *, whole: bool, now: float | None = None) -> Fields:
    """Unless `whole`, shorten long fields as docker does."""
    one = told if isinstance(told, dict) else {}
    command = as_text(one.get("Command"))
    names = [as_text(name).removeprefix("/") for name in as_list(one.get("Names"))]
    # The others are the container's names in links.
    own = [name for name in names if "/" not in name]
    mounts = [as_dict(mount) for mount in as_list(one.get("Mounts"))]
    sources = [as_text(mount.get("Name")) or as_text(mount.get("Source")) for mount in mounts]
    created = as_integer(one.get("Created"))
    with_image = as_integer(one.get("SizeRootFs"))
    virtual = f" (virtual {human_size(with_image)})" if with_image > 0 else ""
    found = Fields(
        ID=as_text(one.get("Id")) if whole else short_id(as_text(one.get("Id"))),
        Image=familiar_image(as_text(one.get("Image")), as_text(one.get("ImageID")), whole=whole),
        Command=plain_json(command if whole else ellipsis(command, LONGEST_COMMAND)),
        CreatedAt=local_time(created),
        RunningFor=f"{human_duration((time.time() if now is None else now) - created)} ago",
        Status=as_text(one.get("Status")),
        State=as_text(one.get("State")),
        Ports=ports(one.get("Ports")),
        Names=",".join(names if whole or not own else own[:1]),
        Size=human_size(as_integer(one.get("SizeRw"))) + virtual,
        Mounts=",".join(each if whole else ellipsis(each, LONGEST_MOUNT) for each in sources),
        LocalVolumes=str(sum(mount.get("Driver") == "local" for mount in mounts)),
        Networks=",".join(sorted(as_dict(as_dict(one.get("NetworkSettings")).get("Networks")))),
    )
    found.labels = {key: as_text(value) for key, value in as_dict(one.get("Labels")).items()}
    # docker does not sort them; scripts need a fixed order.
    found["Labels"] = ",".join(f"{key}={value}" for key, value in sorted(found.labels.items()))
    return found


def short_id(identity: str) -> str:
    return identity.partition(":")[2][:SHORT_ID] if ":" in identity else identity[:SHORT_ID]


def familiar_image(name: str, identity: str, *, whole: bool) -> str:
    """Unless `whole`, remove digest, default registry and library."""
    if not name:
        return "<no image>"
    if whole:
        return name
    if (short := short_id(identity)) == short_id(name):
        return short
    known = REFERENCE.fullmatch(name)
    if known is None or WHOLE_ID.fullmatch(name):
        return name
    return FAMILIAR.sub("", known["name"]) + (known["tag"] or "")


def local_time(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z %Z")
    except (OverflowError, ValueError, OSError):
        return ""


def ports(given: Any) -> str:
    """Return docker's text: ranges, then ports with another number on the host."""
    known = sorted(
        (
            as_integer(port.get("PrivatePort")),
            as_text(port.get("IP")),
            as_integer(port.get("PublicPort")),
            as_text(port.get("Type")),
        )
        for port in map(as_dict, as_list(given))
    )
    ended: list[str] = []
    moved: list[str] = []
    ranges: dict[tuple[str, str], tuple[int, int]] = {}
    for private, address, public, kind in known:
        if address and public != private:
            moved.append(port_range(address, kind, private, private, public))
            continue
        first, last = ranges.get((address, kind), (private, private - 1))
        if private != last + 1:
            ended.append(port_range(address, kind, first, last))
            first = private
        ranges[address, kind] = (first, private)
    return ", ".join([*ended, *(port_range(*key, *span) for key, span in ranges.items()), *moved])


def port_range(address: str, kind: str, first: int, last: int, public: int | None = None) -> str:
    span = str(first) if first == last else f"{first}-{last}"
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{span if public is None else public}->{span}/{kind}" if address else f"{span}/{kind}"


def ellipsis(line: str, width: int) -> str:
    """Cut a line as docker does: a combining letter counts as one."""

    def columns() -> int:
        return sum(letter_width(letter) or 1 for letter in line)

    if columns() <= width:
        return line
    while columns() > width - 1:
        line = line[: min(len(line), width) - 1]
    return f"{line}…"


def image_fields(told: Any, *, whole: bool, now: float | None = None) -> Iterator[Fields]:
    """Yield a row for each name of an image, one for an image without a name."""
    one = as_dict(told)
    created = as_integer(one.get("Created"))
    labels = {key: as_text(value) for key, value in as_dict(one.get("Labels")).items()}
    identifier = as_text(one.get("Id"))
    containers, shared = (as_integer(one.get(key, -1)) for key in ("Containers", "SharedSize"))
    digests = dict(text.split("@", 1) for text in map(as_text, as_list(one.get("RepoDigests"))) if "@" in text)
    # An image that was pulled by digest has only a repository; containerd's store lists that name among the tags, too.
    told = [text for text in map(as_text, as_list(one.get("RepoTags"))) if text and text != f"{NONE}:{NONE}"]
    named = [(repository, tag) for repository, _, tag in (text.rpartition(":") for text in told if "@" not in text)]
    named += [(repository, NONE) for repository in digests if repository not in {name for name, _ in named}]
    for repository, tag in sorted(named) or [(NONE, NONE)]:
        found = Fields(
            Repository=repository,
            Tag=tag,
            Digest=digests.get(repository, NONE),
            ID=identifier if whole else short_id(identifier),
            CreatedSince=f"{human_duration((time.time() if now is None else now) - created)} ago",
            CreatedAt=local_time(created),
            Size=human_size(as_integer(one.get("Size"))),
            # -1: the engine did not count.
            Containers=str(containers) if containers >= 0 else NOT_AVAILABLE,
            SharedSize=human_size(shared) if shared >= 0 else NOT_AVAILABLE,
            Labels=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        )
        found.labels = labels
        yield found
