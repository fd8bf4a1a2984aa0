"""The scripts that need no server of their own, on a real engine. Each runs as it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from machinectl import certs
from tests.support.dockerd import running_with
from tests.support.example import EXAMPLES
from tests.support.openssl import scripts_certificates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.example import Example


def test_an_engine_with_the_certificates_of_a_script_is_registered_and_used(example: Example, tmp_path: Path) -> None:
    scripts_certificates(tmp_path, address="127.0.0.1")
    ca, server = (pair(tmp_path, *names) for names in (("ca.pem", "ca-key.pem"), ("server.pem", "server-key.pem")))
    with running_with(ca, server) as engine:
        told = example.run("existing-tls-host.sh", engine.url, tmp_path, "orionbox")
    _, version, *_ = told.splitlines()
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", version)
    assert f'"ServerVersion":"{version}"' in told
    assert "orionbox   ca.pem " in told
    assert told.splitlines()[-1].startswith("CONTAINER ID")


def pair(directory: Path, certificate: str, key: str) -> certs.Pair:
    return certs.Pair((directory / certificate).read_bytes(), (directory / key).read_bytes())


def test_each_example_is_in_the_list_and_each_in_the_list_is_there() -> None:
    listed = {name for line in text("README.md").splitlines() for name in re.findall(r"^\| \[[^]]*\]\(([^)]*)\)", line)}
    there = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert {name.split("/")[0] for name in listed} == there
    assert all((EXAMPLES / name).exists() for name in listed)


def test_no_project_starts_on_this_computer_where_there_is_no_such_machine(example: Example) -> None:
    done = example.end("compose/up.sh", "nosuch")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('Docker machine "nosuch" does not exist. Use "machinectl ls"')


def text(name: str) -> str:
    return (EXAMPLES / name).read_text()
