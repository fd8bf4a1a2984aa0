"""`push` against other ways to get an image to an engine, and against the same bytes through ssh.

Real engines and a real sshd on loopback, which share the processors with us: between two computers, the network takes
the time.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
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

RUNS = 3
# Layers of the base and of the application on it, in MB.
BASE, APP = (30, 30, 30, 30, 30), (20, 20)
STORES = {"classic": b"{}", "containerd": b'{"features": {"containerd-snapshotter": true}}'}
PROGRAMS = ("dockerd", "containerd", "setpriv", "docker", "ssh")
CAT, LOAD, SAVE = "the missing bytes by ssh cat", "docker load of them on the host", "docker save"
BY_SSH, BY_ENGINE = "docker save | ssh docker load", "docker save | docker -H load"
PUSSH, BY_REGISTRY = "docker pussh", "docker push, and docker pull"
FILES = ("ca.pem", "cert.pem", "key.pem")


class Way(NamedTuple):
    name: str
    # Of a shell.
    command: str
    # Against what a push is measured, with its promise: names of other ways.
    against: Mapping[str, str] = {}


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

    def prepare(self, *, base: bool) -> None:
        """Leave the target and the registry with the base only, or with nothing."""
        docker(self.target, "system", "prune", "--all", "--force")
        if base:
            docker(self.target, "load", "-i", str(self.files / "base.tar"))
        if self.registry:
            shutil.rmtree(self.files / "registry" / "data", ignore_errors=True)
            docker(self.source, "tag", "app:1", f"{self.registry}/app:1")
            docker(self.source, "tag", "base:1", f"{self.registry}/base:1")
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
    there = sum(BASE) if base else 0
    what = f"of {sum(BASE) + sum(APP)} MB to {kind}, {there} MB are there, wall"
    rivals, ours = list(by_others(here, base=base)), list(by_push(here))
    took: dict[str, list[float]] = {way.name: [] for way in (*rivals, *ours)}
    for _ in range(RUNS):
        for way in (*rivals, *ours):
            here.prepare(base=base)
            took[way.name].append(shell(way.command))
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    for way in ours:
        for rival, promise in way.against.items():
            if rival in medians:
                yield row(f"{way.name} {what}", medians[way.name], rival, medians[rival], promise)
    # The target has the image now.
    for way in ours:
        again = statistics.median(shell(way.command) for _ in range(RUNS))
        yield row(f"{way.name} again, {what}", again, "the first time", medians[way.name], "-")


def by_push(here: Here) -> Iterator[Way]:
    push = shlex.join(
        ["env", f"DOCKER_HOST=unix://{here.source.socket}", *MACHINECTL, "-s", here.store, "push", "app:1"]
    )
    for name, rivals in (("tls", (SAVE, BY_ENGINE, BY_REGISTRY)), ("ssh", (SAVE, BY_SSH, PUSSH))):
        # docker save is where each push from an engine begins.
        promises = {rival: "-" if rival == SAVE else "1 x" for rival in rivals}
        yield Way(f"push over {name.upper()}", f"{push} {name}", promises)
        from_file = f"{push} --from-file {here.files}/app.tar {name}"
        yield Way(f"push --from-file over {name.upper()}", from_file, {CAT: "1.1 x", LOAD: "-"})


def by_others(here: Here, *, base: bool) -> Iterator[Way]:
    save = f"docker -H unix://{here.source.socket} save app:1"
    directory = here.target.directory
    tls = f"--tlsverify --tlscacert {directory}/ca.pem --tlscert {directory}/cert.pem --tlskey {directory}/key.pem"
    missing, archive = ("missing.bin", "thin.tar") if base else ("all.bin", "app.tar")
    yield Way(CAT, f"{here.ssh} 'cat >/dev/null' <{here.files}/{missing}")
    # No way to this engine can be faster than this.
    load = f"docker -H unix://{here.target.socket} load -q -i {here.files}/{archive}"
    yield Way(LOAD, load)
    yield Way(SAVE, f"{save} >/dev/null")
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


def docker(engine: Dockerd, *arguments: str) -> None:
    subprocess.run(["docker", "-H", f"unix://{engine.socket}", *arguments], check=True, capture_output=True)


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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        rows = list(pushes(Path(directory)))
    print(aligned_table(["WHAT", "MEASURED", "BASELINE", "RATIO", "PROMISE"], rows), end="")
