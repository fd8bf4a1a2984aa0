"""Machines' sockets on this computer, as `machinectl socket` opens them."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.machines.record import Machine
from tests.support.program import started
from tests.support.registered import added, register

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.sshd import Sshd


# The suffixes of what `socket` must remove.
LEFT = {".sock", ".json", ".log"}


def left_open(runtime: Path) -> list[str]:
    """Return the sockets, notes and logs that are there. Kept SSH connections stay for a minute."""
    return sorted(path.name for path in runtime.glob("machinectl-*/*") if path.suffix in LEFT)


def register_engine(store: Store, name: str, engine: Dockerd) -> Machine:
    """A machine of the driver none that speaks TLS to an engine."""
    files = {name: (engine.directory / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    return added(store, Machine(name, "none", url=engine.url, tls=True), files)


def register_ssh_engine(store: Store, name: str, sshd: Sshd, engine: Dockerd) -> None:
    """A machine whose host has that sshd, and whose engine only SSH leads to."""
    sshd.configure(f"SetEnv SHLVL=2 DOCKER_HOST=unix://{engine.socket}")
    register(store, name, sshd)
    with store.writing(name) as held:
        held.machine.url, held.machine.tls = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}", False
        held.write()


@contextmanager
def socket_process(store: Store, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`machinectl socket …` without a command, once it serves. Yields its process and the socket's path."""
    with started(
        *("-s", store.root, "socket", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        try:
            first = process.stdout.readline()
            assert first.startswith('export DOCKER_HOST="unix://'), process.stderr and process.stderr.read()
            yield process, first.split('"')[1].removeprefix("unix://")
        finally:
            process.terminate()
