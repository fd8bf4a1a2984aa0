"""Run a relay in a thread, for as long as its socket and its machine exist."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.hosts.present_name import LOOK_SECONDS
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.tunnels.machine_engine import MachineEngine
from machinectl.tunnels.relay import Relay

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.hosts.present_name import PresentName
    from machinectl.tunnels.local_sockets import OpenSocket


class RelayThread:
    def __init__(self, name: PresentName, console: Console, own: OpenSocket, listener: socket.socket) -> None:
        self._name = name
        self._console = console
        self._own = own
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        # A bug is not lost in the thread.
        self._bug: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="relay")
        self._socket = os.lstat(own.path)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        """Wait until the machine or the socket is removed."""
        # Python may miss a signal that comes while a join without a timeout begins to wait.
        while self._thread.is_alive():
            self._thread.join(LOOK_SECONDS)
        if self._bug:
            raise self._bug

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as exc:  # noqa: BLE001 (raised again by `wait`)
            self._bug = exc

    async def _serve(self) -> None:
        console = self._console
        engine = MachineEngine(self._name)
        looking = asyncio.create_task(self._look())
        try:
            await Relay(engine, console.note, console.warn, self._describe).serve(self._listener, self._stop)
        finally:
            looking.cancel()

    def _describe(self) -> dict[str, object]:
        """Return what the socket is for. `rename` may have given the machine another name."""
        try:
            name = self._name.find()
        except NoSuchMachine:
            name = ""
        return {**vars(self._own), "machine": name}

    async def _look(self) -> None:
        while True:
            if why := self._end_reason():
                self._console.warn(why)
                self._stop.set()
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _end_reason(self) -> str:
        path = self._own.path
        try:
            self._name.find()
            if os.path.samestat(self._socket, os.lstat(path)):
                return ""
        except NoSuchMachine as exc:
            return f"{path} is closed: {exc.cause}"
        except OSError:
            pass
        return f"{path} was removed: nothing is served there any more"


@contextmanager
def relayed(name: PresentName, console: Console, own: OpenSocket, listener: socket.socket) -> Iterator[RelayThread]:
    thread = RelayThread(name, console, own, listener)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
