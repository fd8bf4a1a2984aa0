"""An image's fields in `docker images`, from GET /images/json.

Source: docker/cli cli/command/formatter/image.go (28.2). Unexpected values become empty fields.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from machinectl.cli.go.docker_ps import Fields, local_time, short_id
from machinectl.json_values import as_dict, as_integer, as_list, as_text
from machinectl.quantities import human_duration, human_size

if TYPE_CHECKING:
    from collections.abc import Iterator

# The table's columns, with headings. The others are for templates.
HEADINGS = {
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
COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size")
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
