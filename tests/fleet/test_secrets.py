from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from machinectl.driver import Option, installed_drivers
from machinectl.errors import Hint, UsageError
from machinectl.fleet import fleet_keys
from machinectl.fleet.host_reader import HostLogin
from machinectl.fleet.yaml_nodes import WrongFile
from tests.support.fleet_file import HOST, fault, fault_of, faults, only, parsed, said

if TYPE_CHECKING:
    from pathlib import Path


def test_files_with_secrets_are_there_and_nobody_elses(tmp_path: Path) -> None:
    names = ("ssh-passphrase-file", "ssh-password-file", "sudo-password-file", "engine-env-file")
    options = ", ".join([HOST, *(f"{name}: {name}" for name in names)])
    name = str(tmp_path / "fleet.yaml")
    text = f"defaults: {{driver: generic}}\nhosts: {{orion: {{{options}}}}}"
    with pytest.raises(WrongFile) as raised:
        parsed(text, name=name)
    assert [line.partition(": ")[2] for line in raised.value.cause.split("\n")[1:]] == [
        f"{each}: there is no file '{each}'" for each in names
    ]
    for each in names:
        (tmp_path / each).write_text("A=geheim\n")
        (tmp_path / each).chmod(0o640)
    with pytest.raises(WrongFile) as raised:
        parsed(text, name=name)
    assert [line.partition(": ")[2] for line in raised.value.cause.split("\n")[1:]] == [
        f"{each}: others can read '{each}': chmod 600 {tmp_path / each}" for each in names
    ]
    for each in names:
        (tmp_path / each).chmod(0o600)
    host = only(text, name=name)
    passphrase, password, sudo_password = (str(tmp_path / each) for each in names[:3])
    assert host.login == HostLogin(passphrase, password, sudo_password)
    assert host.spec.engine.env == ("A=geheim",)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    (tmp_path / "engine-env-file").mkdir()
    with pytest.raises(WrongFile, match="engine-env-file: 'engine-env-file' is not a regular file"):
        parsed(text, name=name)


def test_a_files_name_runs_nothing_where_what_is_said_of_it_is_typed(tmp_path: Path) -> None:
    path = tmp_path / "x; reboot"
    path.write_text("A=1\n")
    path.chmod(0o644)
    text = f"hosts: {{orion: {{driver: generic, {HOST}, engine-env-file: 'x; reboot'}}}}"
    with pytest.raises(WrongFile) as raised:
        parsed(text, name=str(tmp_path / "fleet.yaml"))
    assert f"chmod 600 '{path}'" in raised.value.cause


def test_variables_of_an_engine_come_from_files_and_what_is_written_counts(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("A=1\nB=1\nPORT\n")
    (tmp_path / "two").write_text("# no more\nB=2\nC=2\n")
    (tmp_path / "bad").write_text("geheim\n=geheim\n")
    for each in tmp_path.iterdir():
        each.chmod(0o600)
    text = f"hosts: {{orion: {{driver: generic, {HOST}, engine-env-file: [one, two], engine-env: [C=3, D=3]}}}}"
    host = only(text, name=str(tmp_path / "fleet.yaml"))
    assert host.spec.engine.env == ("A=1", "B=2", "PORT=2222", "C=3", "D=3")
    with pytest.raises(WrongFile, match=r"engine-env-file: line 2 of .*/bad is not a variable") as raised:
        parsed(text.replace("two", "bad"), name=str(tmp_path / "fleet.yaml"))
    assert "geheim" not in raised.value.cause


def refuse(value: object) -> None:
    raise UsageError(f"--cloud-token {value!r} is none", Hint("Give another one"))


def fail(value: object) -> None:
    raise ZeroDivisionError(value)


class Cloud:
    """A driver with a secret among its options, and others of every kind."""

    def options(self) -> list[Option]:
        return [
            Option("cloud-token", "Who pays.", secret=True, required=True, variable="CLOUD_TOKEN", check=refuse),
            Option("cloud-disks", "Disks.", default=("small",), choices=("small", "big")),
            Option("cloud-images", "Files.", default=(), path=True),
            Option("cloud-size", "How many.", default=1),
            Option("swarm", "What every host has already.", default="x"),
            Option("cloud-zone", "Where.", check=fail),
        ]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_keys, "load", lambda name: Cloud() if name == "cloud" else installed_drivers.load(name))


@pytest.mark.usefixtures("cloud")
def test_a_drivers_secret_is_in_a_file_or_its_variable_and_in_no_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("geheim\n")
    (tmp_path / "token").chmod(0o600)
    text, name = "hosts: {orion: {driver: cloud, cloud-token-file: token}}", str(tmp_path / "fleet.yaml")
    host = only(text, name=name)
    assert host.spec.options == {
        "cloud-token": "geheim",
        "cloud-disks": ("small",),
        "cloud-images": (),
        "cloud-size": 1,
        "cloud-zone": "",
        "swarm": "x",
    }
    assert "geheim" not in repr(host)
    assert only("hosts: {a: {driver: cloud}}", environment={"CLOUD_TOKEN": "x"}).spec.options["cloud-token"] == "x"
    assert fault("hosts: {orion: {driver: cloud}}") == "1:9: orion has no cloud-token-file: driver cloud needs it"
    assert faults("hosts: {orion: {driver: cloud, cloud-token: geheim}}") == [
        "1:9: orion has no cloud-token-file: driver cloud needs it",
        "1:32: unknown option of a host 'cloud-token': did you mean cloud-token-file?",
    ]
    (tmp_path / "token").write_text("\n")
    with pytest.raises(WrongFile, match=r"1:50: cloud-token-file: .*/token has nothing on its first line"):
        parsed(text, name=name)


@pytest.mark.usefixtures("cloud")
def test_options_of_a_driver_of_somebody_elses_are_understood_by_what_it_declares() -> None:
    options = "cloud-disks: [big, small], cloud-images: [a, ~/b, /c], cloud-size: -3"
    environment = {"CLOUD_TOKEN": "x"}
    host = said(options, "driver: cloud, ssh-user: ops", environment=environment, name="/srv/fleet.yaml")
    assert host.spec.options == {
        "cloud-token": "x",
        "cloud-disks": ("big", "small"),
        "cloud-images": ("/srv/a", os.path.expanduser("~/b"), "/c"),
        "cloud-size": -3,
        "cloud-zone": "",
        "swarm": "x",
    }
    assert fault_of("cloud-disks: [big, huge]", "driver: cloud", environment=environment) == (
        "cloud-disks: 'huge' is not one of small, big"
    )
    assert fault_of("cloud-zone: here", "driver: cloud", environment=environment).startswith(
        'cloud-zone: Driver "cloud" fails in its check of --cloud-zone: ZeroDivisionError'
    )
