"""`config`: what it prints is what docker's command line takes, after a shell has split it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd

# Docker's CLI from 29 on where it cannot be had: a flag's value is the file's name as it is, quotes and all.
CLI_29 = f"""#!{sys.executable}
import sys
flags = dict(argument.partition("=")[::2] for argument in sys.argv[1:] if "=" in argument)
for flag in ("--tlscacert", "--tlscert", "--tlskey"):
    open(flags[flag]).close()
print(*[argument for argument in sys.argv[1:] if "=" not in argument], flags["-H"])
"""


def registered(store: Store, dockerd: Dockerd) -> None:
    """The machine orionbox, whose engine is a real one."""
    files = {name: (dockerd.directory / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    added(store, Machine("orionbox", "none", url=dockerd.url, tls=True), files)


def docker(store: Store, words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """What docker says to the flags of `config` and to some words more, both split by a shell."""
    return subprocess.run(
        ["sh", "-c", f"docker $({' '.join(COMMAND)} config orionbox) {words}"],
        env={**os.environ, "MACHINE_STORAGE_PATH": store.root, "PATH": path + os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_docker_reaches_the_engine_by_what_is_printed(store: Store, dockerd: Dockerd) -> None:
    need("docker")
    registered(store, dockerd)
    answer = docker(store, "version --format '{{.Server.Version}}'")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout[0].isdigit()


def test_a_docker_that_takes_no_quotes_finds_the_files(store: Store, tmp_path: Path) -> None:
    added(store, Machine("orionbox", "none", url="tcp://127.0.0.1:1", tls=True))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / "store" / "machines" / "orionbox" / name).write_bytes(b"\n")
    (tmp_path / "docker").write_text(CLI_29)
    (tmp_path / "docker").chmod(0o755)
    answer = docker(store, "ps", f"{tmp_path}:")
    assert (answer.stdout, answer.stderr) == ("--tlsverify ps tcp://127.0.0.1:1\n", "")


@pytest.mark.parametrize("url", ["tcp://[::1]:2376", "tcp://127.0.0.1:2376"])
def test_only_a_url_with_brackets_is_warned_of(store: Store, url: str) -> None:
    added(store, Machine("orionbox", "none", url=url, tls=True))
    answer = machinectl("-s", store.root, "config", "orionbox")
    assert ("eval $(machinectl -s" in answer.stderr) is ("[" in url)
