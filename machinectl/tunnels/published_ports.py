"""The ports that users name, and those that an engine's containers publish, now and later.

https://docs.docker.com/reference/api/engine/ (unversioned): GET /containers/json and /events. Unexpected values are
skipped.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from machinectl.engine import request
from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import read_answer
from machinectl.engine.wire import keep_alive
from machinectl.errors import Hint, MachineError, UsageError, closest_match
from machinectl.json_values import as_list, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from machinectl.engine import Endpoint, Response

    FindEndpoint = Callable[[], Endpoint]

PORTS = re.compile(r"(?:(?P<local>[0-9]{1,11}):)?(?P<port>[0-9]{1,11})(?:/(?P<protocol>[a-z]+))?", re.ASCII)
# docker's rule for names. An ID has 12 or 64 characters, so a shorter number is a port.
CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
HIGHEST = 65535
LOCALHOST = "localhost"
# Published on all addresses.
ANYWHERE = (None, "", "0.0.0.0", "::")  # noqa: S104 - only compared
TCP = "tcp"
PROTOCOLS = {TCP, "udp", "sctp"}
# The names that engines accept (RestrictedNamePattern), and more: those of docker compose are long.
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
ID = re.compile(r"[0-9a-zA-Z]{1,64}")
# Seconds for a question, and between attempts to follow an engine again.
PATIENCE, RETRY = 10.0, 1.0
FILTERS = {"type": ["container"], "event": ["start", "die", "stop", "destroy", "rename"]}


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
    parts = PORTS.fullmatch(word)
    if parts is None:
        if not CONTAINER.fullmatch(word):
            raise UsageError(
                f"{word!r} is neither a port nor a container",
                Hint("Write [LOCAL:]PORT, for example 8080:80; to listen on another address, add --bind <ADDRESS>"),
            )
        return word
    if (parts["protocol"] or TCP) != TCP:
        raise UsageError(
            f"{word} cannot be forwarded: SSH carries only TCP", Hint("Leave it out, and use the host's address for it")
        )
    local, port = None if parts["local"] is None else int(parts["local"]), int(parts["port"])
    for number, lowest in ((local, 0), (port, 1)):
        if number is not None and not lowest <= number <= HIGHEST:
            raise UsageError(f"{number} is not a port: it must be {lowest} to {HIGHEST}", Hint("For example: 8080:80"))
    return Wish(LOCALHOST, port, local)


class Container(NamedTuple):
    """`ports` are those that TCP reaches, `others` the rest as docker writes them: 53/udp."""

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
        port
        for port in as_list(told.get("Ports"))
        if isinstance(port, dict)
        and type(number := port.get("PublicPort")) is int
        and 0 < number <= HIGHEST
        and port.get("Type") in PROTOCOLS
    ]
    targets = ((target_of(port.get("IP")), port["PublicPort"]) for port in published if port["Type"] == TCP)
    return Container(
        identifier,
        name,
        as_text(told.get("State")) in {"running", "paused"},
        frozenset(Wish(target, port, container=name) for target, port in targets if target),
        frozenset(f"{port['PublicPort']}/{port['Type']}" for port in published if port["Type"] != TCP),
    )


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
    exact = [container for container in containers if word in {container.identifier, container.name}]
    begun = [container for container in containers if container.identifier.startswith(word)]
    return exact[0] if exact else begun[0] if len(begun) == 1 else None


def list_containers(endpoint: Endpoint, *, stopped: bool = False) -> list[Container]:
    """Raises EngineError."""
    path = "/containers/json?all=1" if stopped else "/containers/json"
    with request(endpoint, "GET", path, timeout=PATIENCE) as answer:
        return read_containers(read_answer(endpoint, answer, list))


def container_names(endpoint: Endpoint, machine: str, words: Sequence[str]) -> frozenset[str]:
    """Return the names of running containers that publish ports. Raises MachineError."""
    listed = list_containers(endpoint, stopped=True)
    names = set()
    for word in words:
        container = find_container(listed, word)
        if container is None:
            near = closest_match(word, [each.name for each in listed])
            raise MachineError(
                f'"{machine}" has no container {word!r}',
                Hint(f'Did you mean "{near}"?') if near else Hint("List them", "machinectl ps -a", machine),
                mistyped=(word, near) if near else None,
            )
        if not container.running:
            start = Hint("Start it", "machinectl docker", machine, "--", "start", container.name)
            raise MachineError(f"The container {container.name} is not running", start)
        if not container.ports:
            raise MachineError(
                f"The container {container.name} publishes no port over TCP",
                Hint("Publish one (docker run -p), or forward a port of the host by its number"),
            )
        names.add(container.name)
    return frozenset(names)


class FollowedContainers:
    """Running containers with these names, or all."""

    def __init__(self, endpoint: FindEndpoint, names: frozenset[str] | None = None) -> None:
        self._endpoint = endpoint
        self._names = names
        self._stop = threading.Event()
        self._answer: Response | None = None

    def look(self) -> list[Container]:
        """Raises MachineError."""
        listed = list_containers(self._endpoint())
        return [each for each in listed if each.running and (self._names is None or each.name in self._names)]

    def follow(self, changed: Callable[[], object], lost: Callable[[MachineError], object]) -> None:
        """Start a thread that calls `changed` after each connection and event, `lost` for each failure."""
        threading.Thread(target=self._follow, args=(changed, lost), daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        if answer := self._answer:
            # This wakes the thread, which closes the connection.
            with suppress(OSError):
                answer.wire.sock.shutdown(socket.SHUT_RDWR)

    def _follow(self, changed: Callable[[], object], lost: Callable[[MachineError], object]) -> None:
        path = f"/events?{urlencode({'filters': json.dumps(FILTERS)})}"
        while not self._stop.is_set():
            try:
                endpoint = self._endpoint()
                with request(endpoint, "GET", path, timeout=PATIENCE, streams=True) as self._answer:
                    if self._answer.failed:
                        self._answer.wire.deadline = Deadline(PATIENCE)
                        read_answer(endpoint, self._answer, list)
                    keep_alive(self._answer.wire.sock)
                    changed()
                    for _ in () if self._stop.is_set() else self._answer:
                        changed()
            except MachineError as exc:
                if not self._stop.is_set():
                    lost(exc)
            self._answer = None
            self._stop.wait(RETRY)
