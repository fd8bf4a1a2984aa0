"""The fields of `docker ps` and `docker images`, from the engine's lists (docker/cli cli/command/formatter, 28.2)."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from machinectl.cli.go.functions import plain_json
from machinectl.cli.output.style import letter_width
from machinectl.engine.image_names import FAMILIAR, REFERENCE
from machinectl.json_values import as_dict, as_integer, as_list, as_text
from machinectl.quantities import human_duration, human_size

if TYPE_CHECKING:
    from collections.abc import Iterator


# The table's columns, with headings. The others are for templates.
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
RAW = (
    "container_id: {{.ID}}\\nimage: {{.Image}}\\ncommand: {{.Command}}\\ncreated_at: {{.CreatedAt}}\\n"
    "state:{{pad .State 1 0}}\\nstatus:{{pad .Status 1 0}}\\nnames: {{.Names}}\\n"
    "labels:{{pad .Labels 1 0}}\\nports:{{pad .Ports 1 0}}\\n"
)
RAW_SIZE = "size: {{.Size}}\\n"

SHORT_ID = 12
LONGEST_COMMAND, LONGEST_MOUNT = 20, 15
WHOLE_ID = re.compile("[0-9a-f]{64}")


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
            moved.append(f"{address_port(address, str(public))}->{private}/{kind}")
            continue
        first, last = ranges.get((address, kind), (private, private - 1))
        if private != last + 1:
            ended.append(port_range(address, kind, first, last))
            first = private
        ranges[address, kind] = (first, private)
    return ", ".join([*ended, *(port_range(*key, *span) for key, span in ranges.items()), *moved])


def port_range(address: str, kind: str, first: int, last: int) -> str:
    span = str(first) if first == last else f"{first}-{last}"
    return f"{address_port(address, span)}->{span}/{kind}" if address else f"{span}/{kind}"


def address_port(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ellipsis(line: str, width: int) -> str:
    if sum(map(at_least_one, line)) <= width:
        return line
    while sum(map(at_least_one, line)) > width - 1:
        line = line[: min(len(line), width) - 1]
    return f"{line}…"


def at_least_one(letter: str) -> int:
    """Count combining letters as docker does when it cuts."""
    return letter_width(letter) or 1


# The table's columns, with headings. The others are for templates.
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
NONE = "<none>"
NOT_AVAILABLE = "N/A"


def image_fields(told: Any, *, whole: bool, now: float | None = None) -> Iterator[Fields]:
    """Yield a row for each name of an image, one for an image without a name."""
    one = as_dict(told)
    created = as_integer(one.get("Created"))
    labels = {key: as_text(value) for key, value in as_dict(one.get("Labels")).items()}
    identifier = as_text(one.get("Id"))
    digests = dict(text.split("@", 1) for text in map(as_text, as_list(one.get("RepoDigests"))) if "@" in text)
    for repository, tag in names_of(one, list(digests)):
        found = Fields(
            Repository=repository,
            Tag=tag,
            Digest=digests.get(repository, NONE),
            ID=identifier if whole else short_id(identifier),
            CreatedSince=f"{human_duration((time.time() if now is None else now) - created)} ago",
            CreatedAt=local_time(created),
            Size=human_size(as_integer(one.get("Size"))),
            Containers=counted(one.get("Containers"), str),
            SharedSize=counted(one.get("SharedSize"), human_size),
            Labels=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        )
        found.labels = labels
        yield found


def names_of(one: dict[str, Any], repositories: list[str]) -> list[tuple[str, str]]:
    """Return repositories with tags. An image that was pulled by digest has only a repository."""
    told = [text for text in map(as_text, as_list(one.get("RepoTags"))) if text and text != f"{NONE}:{NONE}"]
    # containerd's store lists a name with a digest among the tags, too.
    tags = [text for text in told if "@" not in text]
    named = [(repository, tag) for repository, _, tag in (text.rpartition(":") for text in tags)]
    named += [(repository, NONE) for repository in repositories if repository not in {name for name, _ in named}]
    return sorted(named) or [(NONE, NONE)]


def counted(value: Any, text: Any) -> str:
    """Return N/A for what the engine did not count (-1)."""
    number = as_integer(value) if value is not None else -1
    return NOT_AVAILABLE if number < 0 else str(text(number))
