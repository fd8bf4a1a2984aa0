"""`push` against other ways to get an image to an engine, over loopback, which takes no time.

Real engines and a real sshd, which share the processors with us.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.archives import Made, layer, saved
from tests.support.dockerd import running_with
from tests.support.measure import MACHINECTL, measured, row
from tests.support.registered import added
from tests.support.registry import PROGRAM, running_registry
from tests.support.sshds import sshds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.dockerd import Dockerd
    from tests.support.sshds import Host

RUNS = 3
# Layers of the base and of the application on it, in MB.
BASE, APP = (30, 30, 30, 30, 30), (20, 20)
STORES = {"classic": b"{}", "containerd": b'{"features": {"containerd-snapshotter": true}}'}
PROGRAMS = ("dockerd", "containerd", "setpriv", "docker", "ssh")
BY_SSH, BY_ENGINE = "docker save | ssh docker load", "docker save | docker -H load"
PUSSH, BY_REGISTRY = "docker pussh", "docker push, and docker pull"
FILES = ("ca.pem", "cert.pem", "key.pem")
TLS, SSH = "push over TLS", "push over SSH"


class Way(NamedTuple):
    name: str
    # Of a shell.
    command: str
    # Names of the ways against which a push is measured.
    against: Sequence[str] = ()


class Here(NamedTuple):
    """A source and a target, reached by TLS and by SSH; `files` holds archives."""

    source: Dockerd
    target: Dockerd
    files: Path
    store: str
    # Runs a command on the target's host.
    ssh: str
    # Of a registry, or "".
    registry: str

    def prepare(self, way: Way, *, base: bool) -> None:
        """Leave the target, and the registry if it is the way, with the base only, or with nothing."""
        names = docker(self.target, "images", "--format", "{{.Repository}}:{{.Tag}}").split()
        if unwanted := [name for name in names if not (base and name == "base:1")]:
            docker(self.target, "rmi", "--force", *unwanted)
        if base and "base:1" not in names:
            docker(self.target, "load", "-i", str(self.files / "base.tar"))
        if way.name == BY_REGISTRY:
            shutil.rmtree(self.files / "registry" / "data", ignore_errors=True)
            for name in ("app:1", "base:1"):
                docker(self.source, "tag", name, f"{self.registry}/{name}")
            if base:
                docker(self.source, "push", f"{self.registry}/base:1")


def pushes(work: Path) -> Iterator[Sequence[str]]:
    """Every way in turn, to an engine that has the base, and to one that has nothing."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing or os.geteuid():
        yield ["push", f"not measured: it needs {', '.join([*missing, 'root'])}", "-", "-", "-"]
        return
    for kind in STORES:
        with engines(work / f"push-{kind}", kind) as here:
            for base in (True, False):
                yield from compared(here, kind, base=base)


def compared(here: Here, kind: str, *, base: bool) -> Iterator[Sequence[str]]:
    what = f"of {sum(BASE) + sum(APP)} MB to {kind}, {sum(BASE) if base else 0} MB are there, wall"
    ways = [*by_others(here), *by_push(here)]
    took: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(RUNS):
        for way in ways:
            here.prepare(way, base=base)
            took[way.name].append(shell(way.command))
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    for way in ways:
        for rival in way.against:
            if rival in medians:
                yield row(f"{way.name} {what}", medians[way.name], rival, medians[rival], "1 x")


def by_push(here: Here) -> Iterator[Way]:
    push = shlex.join(
        ["env", f"DOCKER_HOST=unix://{here.source.socket}", *MACHINECTL, "-s", here.store, "push", "app:1"]
    )
    yield Way(TLS, f"{push} tls", (BY_ENGINE, BY_REGISTRY))
    yield Way(SSH, f"{push} ssh", (BY_SSH, PUSSH))


def by_others(here: Here) -> Iterator[Way]:
    save = f"docker -H unix://{here.source.socket} save app:1"
    directory = here.target.directory
    tls = f"--tlsverify --tlscacert {directory}/ca.pem --tlscert {directory}/cert.pem --tlskey {directory}/key.pem"
    yield Way(BY_SSH, f"{save} | {here.ssh} docker load -q")
    yield Way(BY_ENGINE, f"{save} | docker -H {here.target.url} {tls} load -q")
    if pussh := shutil.which("docker-pussh"):
        *_, port, login = here.ssh.split()
        yield Way(PUSSH, f"DOCKER_HOST=unix://{here.source.socket} {pussh} pussh app:1 {login}:{port}")
    if here.registry:
        image = f"{here.registry}/app:1"
        push = f"docker -H unix://{here.source.socket} push -q {image}"
        yield Way(BY_REGISTRY, f"{push} && {here.ssh} docker pull -q {image}")


def shell(command: str) -> float:
    return measured(["sh", "-c", command]).wall


def docker(engine: Dockerd, *arguments: str) -> str:
    return tool("docker", "-H", f"unix://{engine.socket}", *arguments)


def tool(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def engines(work: Path, kind: str) -> Iterator[Here]:
    work.mkdir()
    write_images(work)
    ca = certs.new_ca("the engine's CA")
    server = certs.issue_server(ca, ["orion.local"])
    with ExitStack() as stack:
        source = stack.enter_context(running_with(ca, server))
        target = stack.enter_context(running_with(ca, server, STORES[kind]))
        target.client(target.directory, certs.issue_client(ca, "bench"))
        [host] = stack.enter_context(sshds(work / "sshd", 1, f"DOCKER_HOST=unix://{target.socket}"))
        for name in ("base", "app"):
            docker(source, "load", "-i", str(work / f"{name}.tar"))
        ssh = write_ssh(work, host)
        # machinectl and docker run the ssh of the PATH.
        stack.enter_context(patched_environment("PATH", f"{os.path.dirname(ssh)}:{os.environ['PATH']}"))
        store = Store(str(work / "store"))
        files = {name: (target.directory / name).read_bytes() for name in FILES}
        login = f"{host.user}@{host.host}"
        for name, url in (("tls", target.url), ("ssh", f"ssh://{login}:{host.port}")):
            machine = Machine(name, "none", url=url, tls=name == "tls")
            machine.driver_state = json.dumps({"URL": url})
            added(store, machine, files if machine.tls else None)
        has_registry = shutil.which(PROGRAM)
        registry = stack.enter_context(running_registry(work / "registry")).address if has_registry else ""
        yield Here(source, target, work, store.root, f"{ssh} -p {host.port} {login}", registry)


def write_images(work: Path) -> None:
    """Write archives. The engines of one benchmark have never seen their layers."""
    low, high = (
        [layer(f"file{number}", os.urandom(size << 20)) for number, size in enumerate(sizes)] for sizes in (BASE, APP)
    )
    for name, made in (("base", Made(low)), ("app", Made([*low, *high]))):
        (work / f"{name}.tar").write_bytes(saved({f"{name}:1": made}))


def write_ssh(work: Path, host: Host) -> str:
    """Write an `ssh` that knows the host and its key, whatever the user has configured."""
    known, wrapper = work / "known_hosts", work / "bin" / "ssh"
    known.write_text(f"{host.known()}\n")
    wrapper.parent.mkdir()
    options = f"-F none -i {host.key_path} -o UserKnownHostsFile={known}"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


@contextmanager
def patched_environment(name: str, value: str) -> Iterator[None]:
    before, os.environ[name] = os.environ[name], value
    try:
        yield
    finally:
        os.environ[name] = before
