"""machinectl on the command line against hosts of the lab: what its user types, sees, and has in the store."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from machinectl.state import State
from tests.lab.place import KEY
from tests.support.program import COMMAND, machinectl
from tests.support.real import need

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.host import Host
    from tests.support.sshd import SSHConfig

# How long work on a host may take, in seconds.
MINUTES = 600
Done = subprocess.CompletedProcess[str]
# What comes before an error: a step with its time, a key that is new, a warning.
_NOTE = re.compile(r".* \(((failed|interrupted) after )?[0-9.]+ s\)|The key of .* is trusted|Warning: .*")


class Command:
    """A machinectl that runs: what it says can be waited for, and it can be ended."""

    def __init__(self, *arguments: str | Path, store: Path, environment: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env={**os.environ, "MACHINE_STORAGE_PATH": str(store), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = in_background(self._listen)

    def _listen(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._said.append(line)
            self._lines.put(line)
        self._lines.put("")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def until(self, text: str) -> None:
        """Until it has said that on stderr."""
        while line := self._lines.get():
            if text in line:
                return
        pytest.fail(f"it never says {text!r}: {''.join(self._said)}")

    def kill(self, signum: signal.Signals) -> Done:
        self._process.send_signal(signum)
        return self.end()

    def end(self) -> Done:
        """Wait until it ends."""
        assert self._process.stdout
        with self._process:
            stdout = self._process.stdout.read()
            self._listener.join()
            status = self._process.wait()
        return plain(subprocess.CompletedProcess(self._process.args, status, stdout, "".join(self._said)))


class Cli:
    """A user's command line, with a store of its own."""

    def __init__(self, store: Path, config: SSHConfig) -> None:
        self.store = store
        self.config = config

    def run(self, *arguments: str | Path, **environment: str) -> Done:
        return plain(machinectl(*arguments, store=self.store, environment=environment, seconds=MINUTES))

    def start(self, *arguments: str | Path, **environment: str) -> Command:
        return Command(*arguments, store=self.store, environment=environment)

    def ok(self, *arguments: str | Path, **environment: str) -> Done:
        """Run what has to succeed."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done

    def refused(self, *arguments: str | Path, **environment: str) -> str:
        """Run what has to fail with a cause and a next command, and give both."""
        return error(self.run(*arguments, **environment))

    def shell(self, name: str, script: str) -> str:
        """What a POSIX shell prints that docker was pointed at a machine in, as docs/shells.md has it."""
        need("docker")
        done = subprocess.run(
            ["sh", "-c", f'eval "$1"; {script}', "sh", self.ok("env", name).stdout],
            env={**os.environ, "MACHINE_STORAGE_PATH": str(self.store)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def is_running(self, name: str = "orion") -> bool:
        """As ls and the docker CLI have it."""
        listed = self.ok("ls", "--format", "{{.State}}", "--filter", f"name={name}").stdout.strip()
        return listed == State.RUNNING and bool(self.shell(name, "docker version --format '{{.Server.Version}}'"))

    @property
    def machines(self) -> list[str]:
        return self.ok("ls", "-q").stdout.split()


def generic(
    host: Host, *options: str | Path, user: str = "ops", key: str | Path = KEY, name: str = "orion"
) -> list[str]:
    """The command line that takes a host on."""
    words = ["create", "--driver", "generic", "--generic-ip-address", host.ip, "--generic-ssh-user", user]
    words += ["--generic-ssh-key", str(key)] if key else []
    words += ["--generic-ssh-port", str(host.port)] if host.port != 22 else []
    return [*words, *map(str, options), name]


def plain(done: Done) -> Done:
    """Whatever happens, no user sees a traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    assert "bug in machinectl" not in done.stderr, done.stderr
    return done


def error(done: Done) -> str:
    """What it failed with: a cause and what to do next, in at most three lines."""
    assert done.returncode in {1, 2, 3}, done.stderr
    lines = [line for line in done.stderr.splitlines() if not _NOTE.fullmatch(line)]
    assert 2 <= len(lines) <= 3, done.stderr
    return "\n".join(lines)


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def cli(tmp_path: Path, ssh_config: SSHConfig) -> Cli:
    return Cli(tmp_path / "store", ssh_config)
