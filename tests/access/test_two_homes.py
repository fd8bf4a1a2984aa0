"""Two homes and one engine: a machine is asked for, granted, accepted and used; its private key stays in its place."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from machinectl.access.messages import read_access_answer, read_access_request
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.dockerd import Dockerd


@dataclass
class Home:
    """A user's computer: a store, docker's configuration, and all that commands printed there."""

    directory: Path
    printed: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(str(self.directory / "store"))

    @property
    def environment(self) -> dict[str, str]:
        own = {"MACHINE_STORAGE_PATH": self.store.root, "DOCKER_CONFIG": f"{self.directory}/docker"}
        return {**os.environ, "HOME": str(self.directory), **own}

    def run(self, *words: str, stdin: str = "", code: int = 0) -> str:
        done = machinectl(*words, environment=self.environment, stdin=stdin)
        return self.ended(done.stdout, done.stderr, done.returncode, code)

    def start(self, *words: str, stdin: str = "", code: int = 0, before: Callable[[], object] = lambda: None) -> str:
        """Run a process of its own, whose arguments all can see. `before` is called while it waits for stdin."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [*COMMAND, *words], env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        ) as process:
            before()
            output, errors = process.communicate(stdin, timeout=60)
        return self.ended(output, errors, process.returncode, code)

    def ended(self, output: str, errors: str, status: int, expected: int) -> str:
        self.printed += [output, errors]
        assert status == expected, errors
        return output

    def files(self) -> list[Path]:
        return [path for path in self.directory.rglob("*") if path.is_file() and not path.is_symlink()]


@pytest.fixture
def homes(tmp_path: Path, dockerd: Dockerd) -> dict[str, Home]:
    return owner_and_colleague(tmp_path, dockerd)


def owner_and_colleague(directory: Path, dockerd: Dockerd) -> dict[str, Home]:
    """The owner bob has the engine's CA, but no SSH; alice has nothing."""
    found = {}
    for name in ("bob", "alice"):
        found[name] = Home(directory / name)
        found[name].directory.mkdir(mode=0o700)
    files = {name: (dockerd.directory / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    machine = Machine("orionbox", "none", url=dockerd.url, tls=True, driver_state=f'{{"URL": "{dockerd.url}"}}')
    added(found["bob"].store, machine, {**files, "ca-key.pem": dockerd.ca.key})
    return found


class CommandLines:
    """Collects the command lines of all processes as often as possible."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.over = threading.Event()
        self._swept = threading.Condition()

    def watch(self) -> None:
        while not self.over.is_set():
            for process in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    self.seen.add(Path("/proc", process, "cmdline").read_bytes())
            with self._swept:
                self._swept.notify_all()

    def wait_for(self, words: bytes) -> None:
        with self._swept:
            assert self._swept.wait_for(lambda: any(words in line for line in list(self.seen)), 60)


@contextlib.contextmanager
def command_lines() -> Iterator[CommandLines]:
    lines = CommandLines()
    thread = threading.Thread(target=lines.watch)
    thread.start()
    try:
        yield lines
    finally:
        lines.over.set()
        thread.join()


def forms_of(key: bytes) -> list[bytes]:
    """Return what a private key can look like: bytes, hexadecimal, base64 and its PEM's lines."""
    private = load_pem_private_key(key, None)
    assert isinstance(private, EllipticCurvePrivateKey)
    secret = private.private_numbers().private_value.to_bytes(32, "big")
    return [secret, secret.hex().encode(), base64.b64encode(secret)[:40], *key.splitlines()[1:-1]]


def test_a_machine_is_shared_and_its_key_stays_where_it_was_made(homes: dict[str, Home]) -> None:
    need("docker")
    bob, alice = homes["bob"], homes["alice"]
    with command_lines() as lines:
        request = alice.start("access", "request", "work:orionbox", "--for", "alice")
        answer = bob.start("access", "grant", "-y", "--lifetime", "12h", stdin=request)
        seen = partial(lines.wait_for, b"access\0accept")
        assert alice.start("access", "accept", "-y", stdin=answer, before=seen).startswith("work: ready")
        alice.start("docker", "work", "--", "ps")
        again = bob.start("access", "grant", "-y", stdin=alice.start("access", "renew"))
        assert alice.start("access", "accept", "-y", stdin=again).startswith("work: renewed")
        docker = ["docker", "--context", "work", "version", "--format", "{{.Server.Version}}"]
        done = subprocess.run(docker, env=alice.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout[:1].isdigit(), done.stderr
    own = Path(alice.store.directory("work"), "key.pem")
    key = own.read_bytes()
    copies = [path for path in alice.files() if path.read_bytes() == key]
    assert {path.relative_to(alice.directory).parts[:2] for path in copies} == {
        ("store", "machines"),
        ("docker", "contexts"),
    }
    assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}
    contents = [read_access_request(request.encode()).content, read_access_answer(answer.encode()).content]
    texts = [text.encode() for home in homes.values() for text in home.printed]
    files = [path.read_bytes() for home in homes.values() for path in home.files() if path not in copies]
    for form in forms_of(key):
        assert not any(form in data for data in (*contents, *texts, *files, *lines.seen))
