"""docker-machine's store, as it writes it: the commands that register what is in it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machinectl.machines.docker_machine_store import registrations

if TYPE_CHECKING:
    from pathlib import Path

GENERIC: dict[str, Any] = {
    "IPAddress": "192.168.0.29",
    "MachineName": "old1",
    "SSHUser": "ops",
    "SSHPort": 2222,
    "SSHKeyPath": "/home/my ops/.docker/machine/machines/old1/id_rsa",
    "EnginePort": 2376,
    "SSHKey": "",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def add(root: Path, name: str, driver: str, state: Any, *, certificates: bool = True) -> None:
    directory = root / "machines" / name
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({"ConfigVersion": 3, "Driver": state, "DriverName": driver}))
    for file in ("ca.pem", "cert.pem", "key.pem") if certificates else ():
        (directory / file).touch()


def test_a_server_is_registered_with_its_ssh_and_its_certificates(tmp_path: Path) -> None:
    add(tmp_path, "old1", "generic", GENERIC)
    [command] = registrations(str(tmp_path))
    key = GENERIC["SSHKeyPath"]
    words = ["-d", "generic", "--no-provision", "--generic-ip-address", "192.168.0.29", "--generic-ssh-user", "ops"]
    words += ["--generic-ssh-port", "2222", "--generic-ssh-key", key, "--tls-dir", f"{tmp_path}/machines/old1", "old1"]
    assert shlex.split(command) == ["machinectl", "create", *words]


def test_an_engine_is_registered_by_its_url_and_what_opens_it(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    for file in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / "certs" / file).touch()
    add(tmp_path, "old10", "none", {"URL": "tcp://192.168.0.30:2376"}, certificates=False)
    add(tmp_path, "old2", "virtualbox", {"IPAddress": "192.168.99.100"})
    assert registrations(str(tmp_path)) == [
        f"machinectl create -d none --url tcp://192.168.99.100:2376 --tls-dir {tmp_path}/machines/old2 old2",
        f"machinectl create -d none --url tcp://192.168.0.30:2376 --tls-dir {tmp_path}/certs old10",
    ]


@pytest.mark.parametrize("state", [{}, {"IPAddress": ""}, {"URL": "http://x"}, [], None, {"URL": "tcp://a\x1b[2J"}])
@pytest.mark.parametrize("driver", ["none", "generic", 4])
def test_what_says_too_little_is_passed_over(tmp_path: Path, driver: Any, state: Any) -> None:
    add(tmp_path, "old1", driver, state)
    (tmp_path / "machines/.x").mkdir()
    (tmp_path / "machines/empty").mkdir()
    assert registrations(str(tmp_path)) == []
    assert registrations(str(tmp_path / "nowhere")) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(driver=JSON, state=JSON | st.dictionaries(st.sampled_from([*GENERIC, "URL"]), JSON))
def test_whatever_stands_there_is_one_line_or_none(tmp_path_factory: Any, driver: Any, state: Any) -> None:
    root = tmp_path_factory.mktemp("old")
    add(root, "old1", driver, state)
    assert all(command.isprintable() for command in registrations(str(root)))
