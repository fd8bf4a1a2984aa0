"""The ports that users name, and what containers and services publish, from GET /containers/json and /services.

Unexpected values are skipped.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import Hint, UsageError
from machinectl.json_values import as_dict, as_list, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PORTS = re.compile(r"(?:(?P<local>[0-9]{1,11}):)?(?P<port>[0-9]{1,11})(?:/(?P<protocol>[a-z]+))?", re.ASCII)
# docker's rule for names. An ID has 12 or 64 characters, so a shorter number is a port.
CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
HIGHEST = 65535
LOCALHOST = "localhost"
# Published on all addresses.
ANYWHERE = (None, "", "0.0.0.0", "::")  # noqa: S104 - only compared
TCP = "tcp"
# Published on each node of the swarm. In the mode "host", the container of a task publishes the port.
INGRESS = "ingress"
PROTOCOLS = {TCP, "udp", "sctp"}
# The names that engines accept (RestrictedNamePattern), and more: those of docker compose are long.
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
ID = re.compile(r"[0-9a-zA-Z]{1,64}")


class Wish(NamedTuple):
    """A port of a host, at `target` as the host sees it.

    `local` is its number here: 0 is a free one, and None prefers the same number. `container` publishes it, if any.
    """

    target: str
    port: int
    local: int | None = None
    container: str = ""


def parse_word(word: str) -> Wish | str:
    """Return a port, or a container's name or ID. Raises UsageError."""
    found = PORTS.fullmatch(word)
    if found is None:
        if not CONTAINER.fullmatch(word):
            raise UsageError(
                f"{word!r} is neither a port nor a container",
                Hint("Write [LOCAL:]PORT, for example 8080:80; to listen on another address, add --bind <ADDRESS>"),
            )
        return word
    if (found["protocol"] or "tcp") != "tcp":
        raise UsageError(
            f"{word} cannot be forwarded: SSH carries only TCP", Hint("Leave it out, and use the host's address for it")
        )
    local, port = None if found["local"] is None else int(found["local"]), int(found["port"])
    for number, lowest in ((local, 0), (port, 1)):
        if number is not None and not lowest <= number <= HIGHEST:
            raise UsageError(f"{number} is not a port: it must be {lowest} to {HIGHEST}", Hint("For example: 8080:80"))
    return Wish(LOCALHOST, port, local)


class Container(NamedTuple):
    """A container, or a service of a swarm.

    `ports` are those that TCP reaches, `others` the rest as docker writes them: 53/udp.
    """

    identifier: str
    name: str
    running: bool
    ports: frozenset[Wish]
    others: frozenset[str]


def read_containers(listed: Iterable[Any]) -> list[Container]:
    return [read_container(each) for each in listed if isinstance(each, dict) and ID.fullmatch(as_text(each.get("Id")))]


def read_container(told: dict[str, Any]) -> Container:
    identifier = as_text(told.get("Id"))
    names = [name.removeprefix("/") for name in as_list(told.get("Names")) if isinstance(name, str)]
    # A link's name has a slash inside.
    name = next(filter(NAME.fullmatch, names), identifier[:12])
    published = [
        each
        for each in as_list(told.get("Ports"))
        if isinstance(each, dict) and is_port(each.get("PublicPort")) and each.get("Type") in PROTOCOLS
    ]
    targets = ((target_of(each.get("IP")), each["PublicPort"]) for each in published if each.get("Type") == TCP)
    return Container(
        identifier,
        name,
        as_text(told.get("State")) in {"running", "paused"},
        frozenset(Wish(target, port, container=name) for target, port in targets if target),
        frozenset(f"{each['PublicPort']}/{each.get('Type')}" for each in published if each.get("Type") != TCP),
    )


def read_services(listed: Iterable[Any]) -> list[Container]:
    """Return the services that publish ports on each node."""
    told = [each for each in listed if isinstance(each, dict) and ID.fullmatch(as_text(each.get("ID")))]
    return [service for service in map(read_service, told) if service.ports or service.others]


def read_service(told: dict[str, Any]) -> Container:
    given = as_text(as_dict(told.get("Spec")).get("Name"))
    name = given if NAME.fullmatch(given) else as_text(told.get("ID"))[:12]
    published = [
        (each["PublishedPort"], as_text(each.get("Protocol")))
        for each in as_list(as_dict(told.get("Endpoint")).get("Ports"))
        if isinstance(each, dict) and is_port(each.get("PublishedPort")) and each.get("PublishMode") == INGRESS
    ]
    return Container(
        as_text(told.get("ID")),
        name,
        True,
        frozenset(Wish(LOCALHOST, port, container=name) for port, protocol in published if protocol == TCP),
        frozenset(f"{port}/{protocol}" for port, protocol in published if protocol in PROTOCOLS - {TCP}),
    )


def is_port(value: Any) -> bool:
    return type(value) is int and 0 < value <= HIGHEST


def target_of(address: Any) -> str:
    """Return where the host reaches it, "" if that is no address."""
    if address in ANYWHERE:
        return LOCALHOST
    try:
        # An address of the host with a zone (fe80::1%eth0) would be a name to ssh.
        return "" if "%" in as_text(address) else str(ipaddress.ip_address(as_text(address)))
    except ValueError:
        return ""


def find_container(containers: Sequence[Container], word: str) -> Container | None:
    """Find it by ID, name or unique beginning of an ID, as docker does."""
    for one in containers:
        if word in {one.identifier, one.name}:
            return one
    begun = [one for one in containers if one.identifier.startswith(word)]
    return begun[0] if len(begun) == 1 else None
