"""Names of images, such as `web:1.2`, and of platforms, such as linux/arm64, as docker understands them."""

from __future__ import annotations

import re
from typing import NamedTuple

from machinectl.engine.image_names import ARCHITECTURES, FAMILIAR, PLATFORM, REFERENCE
from machinectl.errors import Hint, UsageError, one_line

IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")
# Characters of a name (distribution/reference: NameTotalLengthMax), and of a tag and a digest.
LONGEST = 512
SYSTEMS = {"linux", "windows", "darwin", "freebsd"}


class Reference(NamedTuple):
    """`tag` is "" if only a digest was given."""

    repository: str
    tag: str
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.repository}:{self.tag}" if self.tag else ""


def parse_reference(text: str) -> Reference:
    """Return docker's short form of a reference, by default with the tag `latest`. Raises UsageError."""
    found = REFERENCE.fullmatch(text) if len(text) <= LONGEST else None
    if not found:
        raise UsageError(
            f"{one_line(repr(text))} is not an image name", Hint("Write it as docker does, such as web:1.2")
        )
    tag = (found["tag"] or "").removeprefix(":") or ("" if found["digest"] else "latest")
    return Reference(FAMILIAR.sub("", found["name"]), tag, found["digest"] or "")


def several_images(text: str, place: str, count: int, listing: str) -> UsageError:
    """Return the error for the start of an ID that fits several images."""
    return UsageError(
        f"{count} images of {place} have an ID that begins with {one_line(text)}",
        Hint("Give more of the ID", listing),
    )


def is_image_id(text: str) -> bool:
    """Return whether a text can be an image's ID or the start of one, which can be a name as well."""
    return bool(IMAGE_ID.fullmatch(text))


def parse_platform(text: str) -> str:
    """Return OS/ARCHITECTURE[/VARIANT]; the system is linux if only an architecture is given. Raises UsageError."""
    name = text.lower()
    if not PLATFORM.fullmatch(name) or name in SYSTEMS:
        raise UsageError(
            f"{one_line(repr(text))} is not a platform", Hint("Write it as docker does, such as linux/arm64")
        )
    system, architecture, *variant = name.split("/") if "/" in name else ("linux", name)
    found = "/".join([system, ARCHITECTURES.get(architecture, architecture), *variant])
    # Every arm64 is v8.
    return found.removesuffix("/v8") if found.endswith("/arm64/v8") else found
