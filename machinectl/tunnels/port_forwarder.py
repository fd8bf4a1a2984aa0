"""Forward a machine's ports until the end, whatever becomes of the connection or the engine."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from machinectl.descriptors import fitting_jobs
from machinectl.errors import Hint, MachineError, one_line
from machinectl.hosts.login import logged_in, pin_in_store
from machinectl.hosts.present_name import LOOK_SECONDS
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.ssh.openssh.openssh_session import system_master
from machinectl.ssh.ssh_errors import ConnectionLost, HostKeyRefused
from machinectl.tunnels.open_ports import DistinctWarnings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.hosts.present_name import PresentName
    from machinectl.ssh.openssh.master import Master
    from machinectl.tunnels.open_ports import OpenPorts
    from machinectl.tunnels.published_ports import FollowedContainers, Wish

# Seconds for the connection.
CONNECT_SECONDS = 15.0
# Seconds before each attempt to connect again.
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
# Descriptors of ssh, one for each connection. OpenSSH before 8.9 takes no more (select(2)).
MOST_FILES = 1024
# ssh's message when the host refuses a forwarded connection, and how it begins if sshd's configuration forbids it.
REFUSED = re.compile(r"channel \d+: open failed: (.+)")
PROHIBITED = "administratively prohibited"


class PortForwarder:
    """Forwards ports over one SSH connection, and connects again after a loss. Call `start`, `run`, and `close`."""

    def __init__(
        self,
        name: PresentName,
        console: Console,
        login: Login,
        ports: OpenPorts,
        containers: FollowedContainers | None = None,
    ) -> None:
        self._name = name
        self._console = console
        self._login = login
        self._ports = ports
        self._containers = containers
        self._warnings = DistinctWarnings(console)
        # Work for `run`; None ends it.
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._has_news = False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        # The SSH session.
        self._session = ExitStack()

    def start(self, fixed: Sequence[Wish] = ()) -> None:
        """Return when all ports are open. Raises MachineError."""
        self._connect()
        for wish in fixed:
            self._ports.open(wish)
        if self._containers:
            self._look(self._containers)
            self._containers.follow(self._note_news, self._note_silence)

    def run(self) -> None:
        """Follow the connection and the containers until `close`. Raises NoSuchMachine and HostKeyRefused."""
        name = self._name.name
        while True:
            try:
                work = self._work.get(timeout=LOOK_SECONDS)
            except Empty:
                if (now := self._name.find()) != name:
                    self._console.note(f'"{name}" is "{now}" now: its ports stay open')
                    name = now
                continue
            if work is None:
                return
            work()

    def close(self) -> None:
        """End the connections; idempotent."""
        with self._lock:
            self._stop.set()
        self._work.put(None)
        if self._containers:
            self._containers.close()
        self._session.close()

    def _connect(self) -> None:
        """Raises MachineError."""
        machine, console = self._name.read(), self._console
        # ssh inherits the limit.
        fitting_jobs(MOST_FILES, besides=0)
        with ExitStack() as session:
            pin = pin_in_store(self._name.store, console, machine)
            way = logged_in(machine, console, self._login, quietly=True, timeout=CONNECT_SECONDS, pin=pin)
            master = system_master(session.enter_context(way))
            with self._lock:
                if self._stop.is_set():
                    return
                self._session = session.pop_all()
        threading.Thread(target=self._watch, args=(master,), daemon=True).start()
        self._ports.use(master)

    def _watch(self, master: Master) -> None:
        for line in master.lines():
            if refused := REFUSED.fullmatch(line):
                why, name = refused[1], self._name.name
                text = f'"{name}" refused a forwarded connection: {one_line(why)}'
                hint = Hint("See what its containers publish", "machinectl ps", name)
                if why.startswith(PROHIBITED):
                    text = f'The SSH server of "{name}" forbids forwarding: {one_line(why)}'
                    hint = Hint("See its settings, on the host as root", "sshd -T | grep -i forwarding", elsewhere=True)
                self._work.put(partial(self._warnings.warn, text, hint))
        self._work.put(self._reconnect)

    def _reconnect(self) -> None:
        """Try until it works. Raises HostKeyRefused."""
        if self._stop.is_set():
            return
        self._session.close()
        name = self._name.name
        self._console.warn(f'The connection to "{name}" was lost; connecting again')
        pauses = iter(PAUSES)
        while not self._stop.wait(next(pauses, PAUSES[-1])):
            try:
                self._connect()
            except (HostKeyRefused, NoSuchMachine):
                raise
            except MachineError as exc:
                self._note_silence(exc)
            else:
                self._console.note(f'Connected to "{name}" again')
                self._note_news()
                return

    def _look(self, containers: FollowedContainers) -> None:
        """Raises MachineError."""
        # Before asking: a later event needs another look.
        self._has_news = False
        running = containers.look()
        self._ports.match({wish for container in running for wish in container.ports})
        for container in running:
            for port in sorted(container.others):
                self._warnings.warn(f"{port} of {container.name} is not forwarded: SSH carries only TCP")

    def _look_again(self, containers: FollowedContainers) -> None:
        """Raises NoSuchMachine once the machine is removed."""
        try:
            self._look(containers)
        except NoSuchMachine:
            raise
        except ConnectionLost:
            # It is opened again soon, and then we look again.
            return
        except MachineError as exc:
            self._note_silence(exc)

    def _note_news(self) -> None:
        if self._containers and not self._has_news:
            self._has_news = True
            self._work.put(partial(self._look_again, self._containers))

    def _note_silence(self, error: MachineError) -> None:
        self._warnings.warn(f"{error.cause}; trying again")
