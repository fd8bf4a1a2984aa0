"""The containers and services of an engine, and when they change.

https://docs.docker.com/reference/api/engine/ (unversioned)
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from machinectl.engine import request
from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import LONGEST_TOLD, read_answer
from machinectl.errors import Hint, MachineError, closest_match
from machinectl.tunnels.published_ports import find_container, read_containers, read_services

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.engine import Endpoint, Response
    from machinectl.tunnels.published_ports import Container

    FindEndpoint = Callable[[], Endpoint]

# Seconds for a question, and between attempts to follow an engine again.
PATIENCE = 10.0
RETRY = 1.0
FILTERS = {
    "type": ["container", "service"],
    "event": ["start", "die", "stop", "destroy", "rename", "create", "update", "remove"],
}
# Of an engine's answer to a question about services.
NO_MANAGER, WORKER = b"not a swarm manager", b"Worker nodes"


def list_containers(endpoint: Endpoint, *, stopped: bool = False) -> list[Container]:
    """Raises EngineError."""
    path = "/containers/json?all=1" if stopped else "/containers/json"
    with request(endpoint, "GET", path, timeout=PATIENCE) as answer:
        return read_containers(read_answer(endpoint, answer, list))


class Services:
    """The services of the swarm that an engine manages."""

    def __init__(self) -> None:
        self.is_worker = False
        self._known: list[Container] = []

    def look(self, endpoint: Endpoint) -> list[Container]:
        """Return those that publish ports; while the swarm has no leader, the last that were known.

        Raises EngineError.
        """
        with request(endpoint, "GET", "/services", timeout=PATIENCE) as answer:
            if not answer.failed:
                self._known, self.is_worker = read_services(read_answer(endpoint, answer, list)), False
            else:
                reason = answer.read(LONGEST_TOLD)
                if NO_MANAGER in reason:
                    self._known, self.is_worker = [], WORKER in reason
        return self._known


@dataclass(frozen=True)
class FollowedContainers:
    """Running containers and services with these names, or all."""

    endpoint: FindEndpoint
    names: frozenset[str] | None = None
    services: Services = field(default_factory=Services)

    def look(self) -> list[Container]:
        """Raises MachineError."""
        endpoint = self.endpoint()
        listed = [*list_containers(endpoint), *self.services.look(endpoint)]
        return [each for each in listed if each.running and (self.names is None or each.name in self.names)]


def container_names(endpoint: Endpoint, machine: str, words: Sequence[str]) -> frozenset[str]:
    """Return the names of running containers and services that publish ports. Raises MachineError."""
    listed = [*list_containers(endpoint, stopped=True), *Services().look(endpoint)]
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
            raise MachineError(
                f"The container {container.name} is not running",
                Hint("Start it", "machinectl docker", machine, "--", "start", container.name),
            )
        if not container.ports:
            others = f" over TCP, only {', '.join(sorted(container.others))}" if container.others else ""
            raise MachineError(
                f"The container {container.name} publishes no port{others}",
                Hint("Publish one (docker run -p), or forward a port of the host by its number"),
            )
        names.add(container.name)
    return frozenset(names)


class ContainerEvents:
    """Follows an engine in a thread. Calls `changed` after each connection and event, `lost` for each failure."""

    def __init__(
        self, endpoint: FindEndpoint, changed: Callable[[], object], lost: Callable[[MachineError], object]
    ) -> None:
        self._endpoint = endpoint
        self._changed = changed
        self._lost = lost
        self._stop = threading.Event()
        self._answer: Response | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if answer := self._answer:
            # This wakes the thread, which closes the connection.
            with suppress(OSError):
                answer.wire.sock.shutdown(socket.SHUT_RDWR)

    def _follow(self) -> None:
        path = f"/events?{urlencode({'filters': json.dumps(FILTERS)})}"
        while not self._stop.is_set():
            try:
                endpoint = self._endpoint()
                with request(endpoint, "GET", path, timeout=PATIENCE, streams=True) as self._answer:
                    if self._answer.failed:
                        self._answer.wire.deadline = Deadline(PATIENCE)
                        read_answer(endpoint, self._answer, list)
                    self._answer.wire.keep_alive()
                    self._changed()
                    for _ in () if self._stop.is_set() else self._answer:
                        self._changed()
            except MachineError as exc:
                if not self._stop.is_set():
                    self._lost(exc)
            self._answer = None
            self._stop.wait(RETRY)
