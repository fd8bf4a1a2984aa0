"""A real Docker Engine: dockerd and its containerd, as root, with everything they keep in one directory.

It listens with --tlsverify on 127.0.0.1 and 127.0.0.2 (its certificate is for the first only), and on a unix socket.
The benchmark, which has no pytest, uses it, too.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.real import need
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl import certs

START_SECONDS = 30
STOP_SECONDS = 15


@dataclass(frozen=True)
class Dockerd:
    """A running engine and its CA. `directory` holds ca.pem, cert.pem and key.pem of a client that it takes."""

    port: int
    socket: Path
    ca: certs.Pair
    directory: Path

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def client(self, directory: Path, client: certs.Pair | None, ca: bytes = b"") -> Path:
        """Make a directory as DOCKER_CERT_PATH names one; the CA is the engine's where no other is given."""
        directory.mkdir()
        (directory / "ca.pem").write_bytes(ca or self.ca.certificate)
        if client:
            (directory / "cert.pem").write_bytes(client.certificate)
            (directory / "key.pem").write_bytes(client.key)
        return directory


@contextmanager
def running_with(
    ca: certs.Pair, server: certs.Pair, configuration: bytes = b"{}", *, disk: int = 0
) -> Iterator[Dockerd]:
    """An engine with a certificate of the test's own, that takes a CA's clients; `configuration` is daemon.json.

    Its images are on a disk of so many MB, if one is given.
    """
    need("dockerd", "containerd", "setpriv", root=True)
    # Not pytest's directory, nor the test's $TMPDIR: the path of a socket has at most 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="dockerd-", dir="/tmp"))
    try:
        for name, data in (
            ("ca.pem", ca.certificate),
            ("server.pem", server.certificate),
            ("server-key.pem", server.key),
            ("daemon.json", configuration),
        ):
            (home / name).write_bytes(data)
        if disk:
            mount_disk(home, disk)
        engine = Dockerd(free_port(), home / "docker.sock", ca, home / "client")
        with (
            process(containerd_command(home), home / "containerd.log"),
            process(command(home, engine), home / "dockerd.log"),
        ):
            yield engine
    finally:
        unmount(home)
        shutil.rmtree(home)


def containerd_command(home: Path) -> list[str]:
    """A containerd of the test's own: the one that dockerd would start is waited for in steps of a second."""
    (home / "containerd.toml").write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    return [
        "containerd",
        f"--config={home}/containerd.toml",
        f"--address={home}/containerd.sock",
        f"--root={home}/containerd",
        f"--state={home}/containerd-state",
    ]


def command(home: Path, engine: Dockerd) -> list[str]:
    return [
        "dockerd",
        f"--config-file={home}/daemon.json",
        f"--containerd={home}/containerd.sock",
        f"--data-root={home}/data",
        f"--exec-root={home}/exec",
        f"--pidfile={home}/dockerd.pid",
        f"--host=unix://{engine.socket}",
        f"--host=tcp://127.0.0.1:{engine.port}",
        f"--host=tcp://127.0.0.2:{engine.port}",
        "--tlsverify",
        f"--tlscacert={home}/ca.pem",
        f"--tlscert={home}/server.pem",
        f"--tlskey={home}/server-key.pem",
        # This machine's network stays as it is.
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
    ]


@contextmanager
def process(arguments: Sequence[str], log: Path) -> Iterator[None]:
    """A daemon, from the moment it says that it is ready (sd_notify(3)). It ends with the test run, also by kill -9."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, log.open("wb") as output:
        notify = log.with_suffix(".notify")
        ready.bind(str(notify))
        daemon = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "NOTIFY_SOCKET": str(notify)},
        )
        try:
            wait_until_ready(daemon, ready, log)
            yield
        finally:
            end(daemon)


def wait_until_ready(daemon: subprocess.Popen[bytes], ready: socket.socket, log: Path) -> None:
    end_of_wait = time.monotonic() + START_SECONDS
    ended = os.pidfd_open(daemon.pid)
    try:
        while left := max(0.0, end_of_wait - time.monotonic()):
            events, _, _ = select.select([ready.fileno(), ended], [], [], left)
            if ready.fileno() in events and b"READY=1" in ready.recv(4096):
                return
            if ended in events:
                break
    finally:
        os.close(ended)
    raise AssertionError(f"{daemon.args!r} did not start:\n{log.read_text()[-2000:]}")


def end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def mount_disk(home: Path, size: int) -> None:
    """Mount a disk of so many MB where dockerd and containerd keep their files."""
    (home / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", f"{home}/disk"], check=True)
    for name in ("data", "containerd"):
        (home / "disk" / name).mkdir()
        (home / name).symlink_to(home / "disk" / name)


def unmount(home: Path) -> None:
    """Detach what a killed engine left mounted below its directory, the innermost first."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{home}/"):
            subprocess.run(["umount", "--lazy", mount], check=False)
