"""A real sshd on loopback for tests of our own, with keys, configuration and log in a directory of the test's.

Each connection gets an `sshd -i` of its own (as inetd started it): the port is ours from the start, nothing is left
running, and a test can cut or delay the line in between.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import getpass
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.files.atomic import replace_file
from machinectl.ssh import ssh_settings
from machinectl.ssh.connect import connect
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from tests.support.openssh_7_4 import install
from tests.support.quiet import Quiet
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.ssh.session import SSHSession

SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# sshd refuses to start where its unprivileged half has no empty directory to live in; its unit makes it.
PRIVILEGE_SEPARATION = Path("/run/sshd")


def keygen(path: Path, kind: str = "ed25519", *, passphrase: str = "", options: tuple[str, ...] = ()) -> Path:
    """Make a key pair; the public half is in PATH.pub. Weaker than its owner would: a strong one takes its time."""
    weak = ["-a", "1", *(["-b", "2048"] if kind == "rsa" else [])]
    own = ["-N", passphrase, "-C", f"{path.name}@tests", "-f", str(path), *options]
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *weak, *own], check=True, stdin=subprocess.DEVNULL)
    return path


def public(path: Path) -> str:
    return path.with_name(f"{path.name}.pub").read_text()


@functools.cache
def host_keys() -> list[Path]:
    """A key of each type for every sshd of this run: an RSA key takes its time."""
    directory = Path(tempfile.mkdtemp(prefix="host-keys-"))
    atexit.register(shutil.rmtree, directory)
    return [keygen(directory / kind, kind) for kind in ("ed25519", "ecdsa", "rsa")]


@functools.cache
def client_key(server: str) -> Path:
    """A key for the users of a server, for all tests of this run; it is another one for another server's name."""
    return keygen(host_keys()[0].with_name(f"{server}-user"))


class Sshd:
    """An SSH server that this test is let in to as the user who runs the tests."""

    def __init__(self, directory: Path, program: str) -> None:
        self.directory = directory
        self.host = "127.0.0.1"
        self.user = getpass.getuser()
        self.authorized_keys = directory / "authorized_keys"
        self.authorized_keys.write_text("")
        self.host_keys = host_keys()
        self.log_path = directory / "log"
        self._program = program
        self._options: list[str] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def key_path(self) -> Path:
        """A key that is let in."""
        path = self.directory / "id_ed25519"
        if not path.exists():
            key = client_key(self.directory.name)
            shutil.copy(key, path)
            shutil.copy(f"{key}.pub", f"{path}.pub")
            self.authorize(path)
        return path

    def known(self, number: int = 0) -> str:
        """One of its host keys as a line of known_hosts; 0 is ed25519, 1 ECDSA, 2 RSA."""
        return f"[{self.host}]:{self.port} {public(self.host_keys[number])}"

    def fingerprint(self, number: int = 0) -> str:
        command = ["ssh-keygen", "-l", "-f", str(self.host_keys[number])]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]

    @property
    def endpoint(self) -> SSHEndpoint:
        """Where it is, with the key that is let in."""
        return SSHEndpoint(self.host, self.user, self.port, str(self.key_path))

    def authorize(self, path: Path) -> None:
        with self.authorized_keys.open("a") as file:
            file.write(public(path))

    def configure(self, *lines: str) -> None:
        """Lines of sshd_config for the connections from now on; they win over ours."""
        self._options = list(lines)

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def config(self) -> str:
        return "\n".join(
            [
                *self._options,
                *(f"HostKey {path}" for path in self.host_keys),
                f"AuthorizedKeysFile {self.authorized_keys}",
                "PidFile none",
                "StrictModes no",
                "UsePAM no",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "PermitRootLogin yes",
                "Subsystem sftp internal-sftp",
                # bash then takes itself for a child and leaves the .bashrc of whoever runs the tests alone.
                "SetEnv SHLVL=2",
                "LogLevel DEBUG1",
            ]
        )

    def freeze(self) -> None:
        """Answer nothing any more over the connections that there are."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGSTOP)

    def disconnect(self) -> None:
        """Cut every connection: the server's processes of each are killed."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, 9)
            child.wait()

    def close(self) -> None:
        """Refuse connections from now on, and cut those that there are; doing it again does nothing."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.disconnect()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            configuration = self.directory / "sshd_config"
            # Another connection's sshd may be reading it now.
            replace_file(str(configuration), self.config().encode())
            with connection:
                self._children.append(
                    subprocess.Popen(
                        [self._program, "-i", "-f", str(configuration), "-E", str(self.log_path)],
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        start_new_session=True,
                    )
                )


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Sshd]:
    need("ssh", "ssh-keygen")
    directory.mkdir()
    program = shutil.which("sshd", path=SBIN)
    if program is None:
        need("sshd")
    if os.geteuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    server = Sshd(directory, str(program))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd of the test's own."""
    with running(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def another_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A second one, for what lies behind the first."""
    with running(tmp_path / "another") as server:
        yield server


class SSHConfig:
    """The user's SSH configuration: the real `ssh` reads this test's file in place of the user's."""

    def __init__(self, directory: Path) -> None:
        self.known_hosts = directory / "known_hosts"
        self.known_hosts.write_text("")
        self._path = directory / "config"
        self._calls = directory / "calls"
        self._calls.write_text("")
        self.write("")
        wrapper = directory / "bin" / "ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\necho "$@" >> {self._calls}\nexec {shutil.which("ssh")} -F {self._path} "$@"\n')
        wrapper.chmod(0o755)
        self.bin = wrapper.parent

    def write(self, text: str) -> None:
        self._path.write_text(
            f"{text}\nHost *\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile none\n"
            "  IdentityFile none\n  IdentityAgent none\n"
        )
        ssh_settings.ANSWERS.clear()

    @property
    def calls(self) -> list[str]:
        """What `ssh` was called with, each time."""
        return self._calls.read_text().splitlines()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's XDG_RUNTIME_DIR, whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="run-") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


@pytest.fixture
def ssh_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SSHConfig:
    need("ssh")
    directory = tmp_path / "client"
    directory.mkdir()
    config = SSHConfig(directory)
    monkeypatch.setenv("PATH", f"{config.bin}:{os.environ['PATH']}")
    return config


@pytest.fixture
def no_ssh(tmp_path: Path) -> dict[str, str]:
    """An environment in which there is neither ssh nor scp."""
    (tmp_path / "empty").mkdir()
    return {"PATH": str(tmp_path / "empty")}


@pytest.fixture
def old_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> SSHConfig:
    """The user's SSH configuration, where this computer's ssh is OpenSSH 7.4's."""
    need("ssh")
    install(tmp_path / "old", str(shutil.which("ssh")))
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:{os.environ['PATH']}")
    config: SSHConfig = request.getfixturevalue("ssh_config")
    return config


@pytest.fixture(params=["system", "native"])
def way(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Run a test over the system's ssh, and again over paramiko, as `--native-ssh` does."""
    if request.param == "native":
        monkeypatch.setenv("MACHINE_NATIVE_SSH", "1")
    return str(request.param)


# For tests of what only one of them does, in a module that uses `way`.
by_system = pytest.mark.parametrize("way", ["system"], indirect=True)
natively = pytest.mark.parametrize("way", ["native"], indirect=True)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Log in over paramiko and over the system's ssh in turn, so that one host of the lab shows both.

    As a parameter, the way of the first login; or of all, for what the other one cannot show in between.
    """
    first = getattr(request, "param", "native first")
    turns = itertools.repeat(first == "native") if first in {"native", "system"} else in_turn(first)
    monkeypatch.setattr("machinectl.ssh.connect.is_native", lambda: next(turns))


def in_turn(first: str) -> Iterator[bool]:
    return itertools.cycle((True, False) if first == "native first" else (False, True))


def log_in(
    endpoint: SSHEndpoint,
    console: Quiet | None = None,
    *,
    credentials: Credentials | None = None,
    policy: HostKeyPolicy | None = None,
    timeout: float = 10,
) -> SSHSession:
    """Connect with what a test does not care about left out: nobody at the terminal, nothing given, nothing pinned."""
    return connect(
        endpoint, credentials or Credentials(), policy or HostKeyPolicy(), console or Quiet(), timeout=timeout
    )
