"""What `make bench` measures on a real host that only SSH leads to: its socket, and published ports here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.url import TLS_PORT
from tests.bench_hosts import NAME, USER, create, fresh
from tests.lab.container import run_container
from tests.lab.lan import Lab
from tests.support.measure import MACHINECTL, measured, median, row
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.lab.host import Host

# The suffixes of docker's flags, and the files that they name.
TLS_FILES = {"cacert": "ca", "cert": "cert", "key": "key"}
PS_RUNS, DATA_RUNS, START_RUNS = 20, 5, 5
# MB that are read.
SIZE = 256
DATA = "bench"
PORT = 8080
# Seconds between attempts to connect, and until a port must answer.
PAUSE, PATIENCE = 0.005, 30.0
SERVER = "httpd -f -p 80 -h /data"


def engines(work: Path) -> Iterator[Sequence[str]]:
    lab = Lab.claim()
    try:
        with fresh(lab, work, ["docker"]) as (host, directory):
            measured(create(host, directory))
            prepare(host)
            yield from socket_rows(host, directory)
            yield from forward_rows(host, directory)
    finally:
        lab.down()


def prepare(host: Host) -> None:
    """Make a file that a container serves, and an image of it."""
    host.run(f"mkdir /data; head -c {SIZE}M /dev/urandom > /data/{DATA}")
    host.run(f"tar -C /data -c {DATA} | docker import - {DATA}; sync")


def socket_rows(host: Host, directory: Path) -> Iterator[Sequence[str]]:
    """The docker CLI over TLS, then through a socket over the kept SSH connection, and over docker's ssh://."""
    ours, path = [*MACHINECTL, "-s", str(directory)], directory / "engine.sock"
    machine = directory / "machines" / NAME
    files = [f"--tls{name}={machine / file}.pem" for name, file in TLS_FILES.items()]
    tls = ["docker", "--tlsverify", *files, "-H", f"tcp://{host.ip}:{TLS_PORT}"]
    questions = ((["ps"], PS_RUNS), (["save", DATA], DATA_RUNS))
    over_tls = [median([measured([*tls, *words]) for _ in range(runs)]).wall for words, runs in questions]
    for words in (
        ["set", "--ssh-only", NAME],
        ["provision", NAME],
        ["ssh-config", "--write"],
        ["socket", NAME, "--background", "--path", str(path)],
    ):
        measured([*ours, *words])
    ssh = directory / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {directory}/ssh_config "$@"\n')
    ssh.chmod(0o755)
    kept = ["docker", "-H", f"unix://{path}"]
    found = f"PATH={ssh.parent}:{os.environ['PATH']}"
    theirs = ["env", found, "docker", "-H", f"ssh://{USER}@{host.ip}"]
    try:
        for (words, runs), base, what, promises in zip(
            questions,
            over_tls,
            ("docker ps", f"{SIZE} MB of docker save"),
            (("2 x", "0.25 x"), ("-", "1.25 x")),
            strict=True,
        ):
            pairs = [(measured([*kept, *words]), measured([*theirs, *words])) for _ in range(runs)]
            own, docker = (median(costs).wall for costs in zip(*pairs, strict=True))
            yield row(f"{what} through a socket, SSH only", own, "over TLS", base, promises[0])
            yield row(f"{what} through a socket, SSH only", own, "over docker's ssh://", docker, promises[1])
    finally:
        measured([*ours, "socket", "rm", NAME])


def forward_rows(host: Host, directory: Path) -> Iterator[Sequence[str]]:
    """How much later than on its host a published port answers here, and how fast data flows through it."""
    run_container(host, "web", f"-p {PORT}:80 -v /data:/data", SERVER)
    free = free_port()
    with (
        running([*MACHINECTL, "-s", str(directory), "forward", "--auto", NAME]) as local,
        running_ssh(host, free),
    ):
        port = int(local.rpartition(":")[2])
        later = []
        for _ in range(START_RUNS):
            host.run("docker stop web")
            until_refused("127.0.0.1", port)
            host.run("docker start web")
            until_answered(host.ip, PORT)
            since = time.monotonic()
            until_answered("127.0.0.1", port)
            later.append(time.monotonic() - since)
        took = f"{max(later):.3f} s later"
        yield ["forward --auto: a published port answers here", took, "than on its host", "-", "1 s"]
        places = (f"127.0.0.1:{port}", f"{host.ip}:{PORT}", f"127.0.0.1:{free}")
        # In turns: others work on the computer, too.
        costs = [[measured(["curl", "-sSf", f"http://{at}/{DATA}"]) for at in places] for _ in range(DATA_RUNS)]
        own, plain, ssh = (median(of_place).wall for of_place in zip(*costs, strict=True))
        yield row(f"{SIZE} MB through a forwarded port", own, "plain TCP", plain, "-")
        yield row(f"{SIZE} MB through a forwarded port", own, "ssh -L", ssh, "1.1 x")


@contextmanager
def running(command: Sequence[str]) -> Iterator[str]:
    """A command until the end of the block. Yields the first word that it prints."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


@contextmanager
def running_ssh(host: Host, port: int) -> Iterator[None]:
    """`ssh -L` to the port of the container."""
    *ssh, login = host.ssh_command(USER)
    with subprocess.Popen([*ssh, "-N", "-L", f"127.0.0.1:{port}:localhost:{PORT}", login]) as process:
        try:
            until_answered("127.0.0.1", port)
            yield
        finally:
            process.terminate()


def until_answered(host: str, port: int) -> None:
    """ssh accepts connections before the host does: only an answer counts."""
    end = time.monotonic() + PATIENCE
    while not answers(host, port):
        if time.monotonic() > end:
            raise AssertionError(f"{host}:{port} does not answer")
        time.sleep(PAUSE)


def until_refused(host: str, port: int) -> None:
    end = time.monotonic() + PATIENCE
    while answers(host, port):
        if time.monotonic() > end:
            raise AssertionError(f"{host}:{port} still answers")
        time.sleep(PAUSE)


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), PATIENCE) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False
