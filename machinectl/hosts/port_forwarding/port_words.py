"""What the user names to forward: ports and containers."""

from __future__ import annotations

import re
from typing import NamedTuple

from machinectl.errors import UsageError

PORTS = re.compile(r"(?:(?P<local>[0-9]{1,11}):)?(?P<port>[0-9]{1,11})(?:/(?P<protocol>[a-z]+))?", re.ASCII)
# docker's rule for names. An ID has 12 or 64 characters, so a shorter number is a port.
CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
# kubectl's word for a container, and a container's port.
OTHERS = re.compile(rf"(?:(?:po|pod|pods|container)/)?(?P<name>{CONTAINER.pattern})(?::[0-9]+)?", re.ASCII)
HIGHEST = 65535
LOCALHOST = "localhost"


class Wish(NamedTuple):
    """A port of a host, at `target` as the host sees it.

    `local` is its number here: 0 is a free one, and None prefers the same number. `container` publishes it, if any.
    """

    target: str
    port: int
    local: int | None = None
    container: str = ""


def parse_word(word: str, machine: str = "<NAME>") -> Wish | str:
    """Return a port, or a container's name or ID. Raises UsageError."""
    found = PORTS.fullmatch(word)
    if found is None:
        other = OTHERS.fullmatch(word)
        if other and other["name"] != word:
            raise UsageError(
                f"{word!r} is neither a port nor a container",
                f"Forward the ports that the container publishes: machinectl forward {machine} {other['name']}",
            )
        if not CONTAINER.fullmatch(word):
            raise UsageError(
                f"{word!r} is neither a port nor a container",
                "Write [LOCAL:]PORT, for example 8080:80; to listen on another address, add --bind <ADDRESS>",
            )
        return word
    if (found["protocol"] or "tcp") != "tcp":
        raise UsageError(
            f"{word} cannot be forwarded: SSH carries only TCP", "Leave it out, and use the host's address for it"
        )
    local, port = None if found["local"] is None else int(found["local"]), int(found["port"])
    for number, lowest in ((local, 0), (port, 1)):
        if number is not None and not lowest <= number <= HIGHEST:
            raise UsageError(f"{number} is not a port: it must be {lowest} to {HIGHEST}", "For example: 8080:80")
    return Wish(LOCALHOST, port, local)
