"""The driver of a server with SSH: what it is told, what it writes down, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.driver import DriverError, Instance, Request, SSHEndpoint, UsageError
from machinectl.driver.driver_options import complete_options
from machinectl.testing import DriverContract
from machinectl_generic import GenericDriver

if TYPE_CHECKING:
    from pathlib import Path


HERE = "127.0.0.1"


class TestGenericDriver(DriverContract):
    name = "generic"
    wishes = (
        {"generic-ip-address": HERE},
        {"generic-ip-address": "::1", "generic-engine-port": 4243, "generic-ssh-port": 2222},
        {"generic-ip-address": "localhost", "generic-ssh-user": "ops", "generic-mac": "52:54:00:12:34:56"},
        {"generic-ip-address": "ops@localhost:2222"},
    )
    refused = (
        {"generic-ip-address": ""},
        {"generic-ip-address": "ops@192.168.0.29", "generic-ssh-user": "root"},
        {"generic-ip-address": "192.168.0.29:ssh"},
        {"generic-ip-address": "no.such.host.invalid"},
        {"generic-ip-address": HERE, "generic-ssh-port": 65536},
        {"generic-ip-address": HERE, "generic-engine-port": 0},
        {"generic-ip-address": HERE, "generic-mac": "52:54:00"},
        {"generic-ip-address": HERE, "generic-ssh-key": "/"},
        {"generic-ip-address": HERE, "generic-ssh-key": "/no/such/key"},
    )


@pytest.mark.parametrize(
    ("text", "host", "user", "port"),
    [
        ("192.168.0.29", "192.168.0.29", "", 0),
        ("ops@192.168.0.29", "192.168.0.29", "ops", 0),
        ("ops@orion.lan:2222", "orion.lan", "ops", 2222),
        ("my_alias", "my_alias", "", 0),
        ("fd00::1", "fd00::1", "", 0),
        ("ops@fd00::1", "fd00::1", "ops", 0),
        ("ops@[fd00::1]:22", "fd00::1", "ops", 22),
    ],
)
def test_an_address_may_hold_the_user_and_the_port(text: str, host: str, user: str, port: int) -> None:
    given = {"generic-ip-address": text}
    found = complete_options("generic", GenericDriver().options(), given)
    assert (found["generic-ip-address"], found["generic-ssh-user"], found["generic-ssh-port"]) == (host, user, port)


def test_what_is_typed_with_an_address_wins_over_the_environment_and_contradicts_nothing_else_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"generic-ip-address": "ops@orion", "generic-ssh-user": "root"}
    with pytest.raises(UsageError, match="ops@orion and --ssh-user root contradict each other"):
        complete_options("generic", GenericDriver().options(), given)
    monkeypatch.setenv("GENERIC_SSH_USER", "root")
    assert complete_options("generic", GenericDriver().options(), given)["generic-ssh-user"] == "ops"


def request_for(directory: Path, **options: Any) -> Request:
    given = {option.name: option.default for option in GenericDriver().options()}
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Request("orion", str(directory), {**given, "generic-ip-address": HERE, **named})


def made(directory: Path, **options: Any) -> Instance:
    state = GenericDriver().create(request_for(directory, **options), lambda _: None)
    return Instance("orion", str(directory), state)


def ssh_of(instance: Instance) -> SSHEndpoint:
    ssh = GenericDriver().where(instance).ssh
    assert ssh
    return ssh


def test_its_options_are_docker_machines_and_two_more() -> None:
    options = {option.name: option.variable for option in GenericDriver().options()}
    assert options == {
        "generic-ip-address": "GENERIC_IP_ADDRESS",
        "generic-ssh-user": "GENERIC_SSH_USER",
        "generic-ssh-key": "GENERIC_SSH_KEY",
        "generic-ssh-port": "GENERIC_SSH_PORT",
        "generic-engine-port": "GENERIC_ENGINE_PORT",
        "generic-copy-key": "",
        "generic-mac": "GENERIC_MAC",
    }


def test_its_state_has_docker_machines_names_and_root_logs_in_by_default(tmp_path: Path) -> None:
    state = json.loads(made(tmp_path, generic_ssh_user="ops", generic_ssh_port=2222).state)
    names = ("IPAddress", "SSHUser", "SSHPort", "SSHKeyPath", "EnginePort")
    assert [state[name] for name in names] == [HERE, "ops", 2222, "", 2376]
    assert ssh_of(made(tmp_path)) == SSHEndpoint(HERE, "root", 22)


def test_the_key_is_found_in_the_machines_directory_wherever_that_is_moved(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key")
    (tmp_path / "key.pub").write_text("its public half")
    (tmp_path / "key-cert.pub").write_text("its certificate")
    (tmp_path / "machine").mkdir()
    instance = made(tmp_path / "machine", generic_ssh_key=str(tmp_path / "key"))
    assert str(tmp_path) not in instance.state
    assert (tmp_path / "machine/id_ssh").read_text() == "a key"
    assert (tmp_path / "machine/id_ssh").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "machine/id_ssh.pub").read_text() == "its public half"
    assert (tmp_path / "machine/id_ssh-cert.pub").read_text() == "its certificate"
    assert ssh_of(Instance("orion", "/elsewhere", instance.state)).key == "/elsewhere/id_ssh"


def test_while_a_machine_is_made_its_key_is_the_one_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key")
    (tmp_path / "machine").mkdir()
    driver = GenericDriver()
    request = request_for(tmp_path / "machine", generic_ssh_key=str(tmp_path / "key"))
    instance = Instance("orion", request.directory, driver.create(request, lambda _: None))
    here = driver.where(instance).ssh
    assert here
    assert here.key == str(tmp_path / "key")
    assert ssh_of(instance).key == str(tmp_path / "machine/id_ssh")


def test_an_empty_key_goes_back_to_those_of_ssh_and_another_change_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("key")
    instance = made(tmp_path, generic_ssh_key=str(tmp_path / "id"))
    assert ssh_of(instance).key == str(tmp_path / "id_ssh")
    for options, key in (({"generic-ssh-user": "joe"}, str(tmp_path / "id_ssh")), ({"generic-ssh-key": ""}, "")):
        changed = GenericDriver().change(instance, options)
        assert ssh_of(Instance("orion", str(tmp_path), changed)).key == key


def test_a_new_key_leaves_nothing_of_the_former_one(tmp_path: Path) -> None:
    """ssh would offer the former public half, and sign with the new key."""
    for name in ("old", "old.pub", "old-cert.pub", "new"):
        (tmp_path / name).write_text(name)
    instance = made(tmp_path, generic_ssh_key=str(tmp_path / "old"))
    assert sorted(path.name for path in tmp_path.glob("id_ssh*")) == ["id_ssh", "id_ssh-cert.pub", "id_ssh.pub"]
    GenericDriver().change(instance, {"generic-ssh-user": "joe"})
    assert len(list(tmp_path.glob("id_ssh*"))) == 3
    GenericDriver().change(instance, {"generic-ssh-key": str(tmp_path / "new")})
    assert [(path.name, path.read_text()) for path in tmp_path.glob("id_ssh*")] == [("id_ssh", "new")]


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill"])
def test_what_it_cannot_do_says_why_and_what_to_type(tmp_path: Path, verb: str) -> None:
    with pytest.raises(DriverError) as raised:
        getattr(GenericDriver(), verb)(made(tmp_path))
    assert "orion" in raised.value.cause
    assert raised.value.hint
