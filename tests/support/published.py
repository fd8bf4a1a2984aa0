"""An engine whose containers come and go as a test says.

It lists them, and reports each change to who follows it.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.servers import answer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Connection


class PublishingEngine:
    """`port` is its own, over plain TCP."""

    def __init__(self) -> None:
        self.port = 0
        self._containers: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._changes = 0
        self._following: list[Connection] = []

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def run(
        self, name: str, *ports: int, address: str = "127.0.0.1", kind: str = "tcp", state: str = "running"
    ) -> None:
        """Start a container that publishes ports."""
        published = [{"IP": address, "PrivatePort": 80, "PublicPort": port, "Type": kind} for port in ports]
        self._change(name, {"Id": name * 9, "Names": [f"/{name}"], "State": state, "Ports": published})

    def remove(self, name: str) -> None:
        self._change(name, None)

    def disconnect(self) -> None:
        """Cut off all who follow."""
        with self._changed:
            for connection in self._following:
                connection.sock.shutdown(2)

    def _change(self, name: str, container: dict[str, Any] | None) -> None:
        with self._changed:
            if container:
                self._containers[name] = container
            else:
                del self._containers[name]
            self._changes += 1
            self._changed.notify_all()

    def serve(self, connection: Connection) -> None:
        while request := connection.request():
            path = request.split()[1].decode()
            if path.startswith("/events"):
                self._report(connection)
                return
            every = "all=1" in path
            with self._changed:
                listed = [each for each in self._containers.values() if every or each["State"] == "running"]
            connection.send(answer(json.dumps(listed).encode()))

    def _report(self, connection: Connection) -> None:
        with self._changed:
            # What changes once the head is sent is an event.
            seen = self._changes
        connection.send(b"HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\nTransfer-Encoding: chunked\r\n\r\n")
        with self._changed:
            self._following.append(connection)
            while not connection.stopping.is_set():
                if self._changes > seen:
                    seen = self._changes
                    connection.send(b"2\r\n{}\r\n")
                self._changed.wait(0.05)


@contextmanager
def publishing() -> Iterator[PublishingEngine]:
    engine = PublishingEngine()
    with serving(engine.serve) as engine.port:
        yield engine
