"""`push` against other ways to get an image to an engine, and against the same bytes through ssh.

Real engines and a real sshd, which share the processors with us. The first rows are of loopback, which takes no time.
The others are of a loopback that is as fast as the cable of a LAN, in a network namespace of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.go.tabwriter import aligned_table
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.archives import Made, layer, saved
from tests.support.dockerd import running_with
from tests.support.measure import MACHINECTL, measured, row
from tests.support.registered import added
from tests.support.registry import PROGRAM, running_registry
from tests.support.sshds import sshds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.support.dockerd import Dockerd
    from tests.support.sshds import Host

# On loopback, and on a line that takes most of the time itself.
RUNS, RUNS_ON_LAN = 3, 2
# Layers of the base and of the application on it, in MB.
BASE, APP = (30, 30, 30, 30, 30), (20, 20)
STORES = {"classic": b"{}", "containerd": b'{"features": {"containerd-snapshotter": true}}'}
PROGRAMS = ("dockerd", "containerd", "setpriv", "docker", "ssh", "unshare", "ip", "tc")
CAT, LOAD, SAVE = "the missing bytes by ssh cat", "docker load of them on the host", "docker save"
THIN, AFTER_SAVE = "the missing bytes by ssh docker load", "docker save, then the missing bytes by ssh cat"
BY_SSH, BY_ENGINE = "docker save | ssh docker load", "docker save | docker -H load"
PUSSH, BY_REGISTRY = "docker pussh", "docker push, and docker pull"
FILES = ("ca.pem", "cert.pem", "key.pem")
TLS, SSH = "push over TLS", "push over SSH"
TLS_FILE, SSH_FILE = "push --from-file over TLS", "push --from-file over SSH"


class Line(NamedTuple):
    """What is measured on a line: its speed, as tc takes it, "" for loopback's own; whether the target has the base."""

    speed: str
    base: bool
    # The names of ways, none for all.
    ways: Sequence[str] = ()


# On a LAN, what is missing takes 1.6 s and 3.4 s.
LINES = (
    Line("", base=True),
    Line("1gbit", base=False, ways=(CAT, THIN, BY_ENGINE, TLS, TLS_FILE, SSH_FILE)),
    Line("100mbit", base=True, ways=(CAT, AFTER_SAVE, TLS, TLS_FILE, SSH_FILE)),
)


class Way(NamedTuple):
    name: str
    # Of a shell.
    command: str
    # Against what a push is measured, with its promise: names of other ways.
    against: Mapping[str, str] = {}
    # Whether it brings the image to the target.
    sends: bool = True


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
        if not way.sends:
            return
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
    # Nobody else's loopback gets slow.
    command = ["unshare", "--net", sys.executable, "-m", "tests.bench_push", str(work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield from map(json.loads, process.stdout or ())
    if process.returncode:
        sys.exit(f"{shlex.join(command)} exits {process.returncode}")


def in_own_network(work: Path) -> Iterator[Sequence[str]]:
    tool("ip", "link", "set", "lo", "up")
    for kind in STORES:
        with engines(work / f"push-{kind}", kind) as here:
            for line in LINES:
                yield from compared(here, kind, line)


@contextmanager
def limited_loopback(speed: str) -> Iterator[None]:
    if not speed:
        yield
        return
    # A burst below the largest packet of loopback stops it.
    tool("tc", "qdisc", "replace", "dev", "lo", "root", "tbf", "rate", speed, "burst", "128kb", "latency", "100ms")
    yield
    tool("tc", "qdisc", "del", "dev", "lo", "root")


def compared(here: Here, kind: str, line: Line) -> Iterator[Sequence[str]]:
    there = sum(BASE) if line.base else 0
    what = f"of {sum(BASE) + sum(APP)} MB to {kind}, {there} MB are there, {line.speed or 'loopback'}, wall"
    every = [*by_others(here, base=line.base), *by_push(here)]
    ways = [way for way in every if not line.ways or way.name in line.ways]
    took: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(RUNS_ON_LAN if line.speed else RUNS):
        for way in ways:
            here.prepare(way, base=line.base)
            with limited_loopback(line.speed):
                took[way.name].append(shell(way.command))
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    for way in ways:
        for rival, promise in way.against.items():
            if rival in medians:
                yield row(f"{way.name} {what}", medians[way.name], rival, medians[rival], promise)
    if line.speed:
        return
    # The target has the image now.
    for way in by_push(here):
        again = statistics.median(shell(way.command) for _ in range(RUNS))
        yield row(f"{way.name} again, {what}", again, "the first time", medians[way.name], "-")


def by_push(here: Here) -> Iterator[Way]:
    push = shlex.join(
        ["env", f"DOCKER_HOST=unix://{here.source.socket}", *MACHINECTL, "-s", here.store, "push", "app:1"]
    )
    from_file = f"{push} --from-file {here.files}/app.tar"
    for machine, way, way_from_file, rivals in (
        ("tls", TLS, TLS_FILE, (SAVE, BY_ENGINE, BY_REGISTRY)),
        ("ssh", SSH, SSH_FILE, (SAVE, BY_SSH, PUSSH)),
    ):
        # docker save is where each push from an engine begins.
        promises = {rival: "-" if rival == SAVE else "1 x" for rival in rivals} | {CAT: "-", AFTER_SAVE: "1.1 x"}
        yield Way(way, f"{push} {machine}", promises)
        yield Way(way_from_file, f"{from_file} {machine}", {CAT: "1.1 x", THIN: "1.1 x", LOAD: "-"})


def by_others(here: Here, *, base: bool) -> Iterator[Way]:
    save = f"docker -H unix://{here.source.socket} save app:1"
    directory = here.target.directory
    tls = f"--tlsverify --tlscacert {directory}/ca.pem --tlscert {directory}/cert.pem --tlskey {directory}/key.pem"
    missing, archive = ("missing.bin", "thin.tar") if base else ("all.bin", "app.tar")
    cat = f"{here.ssh} 'cat >/dev/null' <{here.files}/{missing}"
    yield Way(CAT, cat, sends=False)
    # An engine packs all layers before it sends the first byte.
    yield Way(AFTER_SAVE, f"{save} >/dev/null && {cat}", sends=False)
    # No way to this engine can be faster than these.
    yield Way(THIN, f"{here.ssh} docker load -q <{here.files}/{archive}")
    load = f"docker -H unix://{here.target.socket} load -q -i {here.files}/{archive}"
    yield Way(LOAD, load)
    yield Way(SAVE, f"{save} >/dev/null", sends=False)
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
    """Write archives and the bytes of their layers. The engines of one benchmark have never seen these layers."""
    low, high = (
        [layer(f"file{number}", os.urandom(size << 20)) for number, size in enumerate(sizes)] for sizes in (BASE, APP)
    )
    app, thin = Made([*low, *high]), Made([*low, *high])
    for digest in app.layer_digests[: len(low)]:
        del thin.blobs[digest]
    for name, made in (("base", Made(low)), ("app", app), ("thin", thin)):
        (work / f"{name}.tar").write_bytes(saved({"base:1" if name == "base" else "app:1": made}))
    (work / "missing.bin").write_bytes(b"".join(high))
    (work / "all.bin").write_bytes(b"".join([*low, *high]))


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


def main() -> None:
    if len(sys.argv) > 1:
        for each in in_own_network(Path(sys.argv[1])):
            print(json.dumps(each), flush=True)
        return
    with tempfile.TemporaryDirectory() as directory:
        rows = list(pushes(Path(directory)))
    print(aligned_table(["WHAT", "MEASURED", "BASELINE", "RATIO", "PROMISE"], rows), end="")


if __name__ == "__main__":
    main()
