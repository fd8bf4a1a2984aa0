"""Machines whose engine is reached over SSH only: the record, the URL, and what excludes it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from machinectl.engine.ssh_wire import docker_error
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.editing import Edit
from machinectl.hosts.engine_restart import check_provisioned
from machinectl.machines.machine_driver import endpoint_of
from machinectl.verbs.certs import create_certificates, list_certificates
from tests.support.in_process import machinectl
from tests.support.registered import over_ssh, register

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd


def test_the_url_is_that_of_its_ssh(store: Store, sshd: Sshd) -> None:
    machine = over_ssh(store, sshd)
    assert machine.url == f"ssh://{sshd.user}@{sshd.host}:{sshd.port}"
    assert machine.engine.ssh_only
    assert (endpoint_of(machine).url, endpoint_of(machine).tls) == (machine.url, False)
    # Converted back, the engine is asked at its future address.
    assert endpoint_of(machine, "tcp://192.168.0.29:2376").tls


def test_set_converts_a_machine_and_back_in_each_spelling(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd)
    for flag, now in (
        ("--ssh-only", True),
        ("--ssh-only=false", False),
        ("--ssh-only=true", True),
        ("--no-ssh-only", False),
    ):
        done = machinectl("set", flag, "orion", store=store.root)
        assert (done.returncode, store.read("orion").engine.ssh_only) == (0, now), done.stderr
        assert f'"orion" now: {"--ssh-only" if now else "--no-ssh-only"}' in done.stderr


def test_it_has_no_other_url_and_no_tls(store: Store, sshd: Sshd) -> None:
    over_ssh(store, sshd)
    with store.writing("orion") as held:
        for change in (Edit(url="tcp://192.168.0.29:2376"), Edit(engine={"bind": "192.168.0.29"})):
            with pytest.raises(UsageError):
                change.carry_out(held)
    with pytest.raises(MachineError, match="has no certificates") as refused:
        check_provisioned(store.read("orion"))
    assert refused.value.hint.endswith("machinectl set --no-ssh-only orion; machinectl provision orion")
    with store.writing("orion") as held:
        # Not applied yet: whoever has access can still be locked out.
        held.machine.url, held.machine.tls = "tcp://192.168.0.29:2376", True
        check_provisioned(held.machine)


def test_certificates_of_a_former_listener_stay_here_and_are_not_used(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    over_ssh(store, sshd)
    create_certificates(str(tmp_path / "certs"), ["192.0.2.9"])
    for path in (tmp_path / "certs").iterdir():
        shutil.copy(path, store.directory("orion"))
    assert list_certificates(store) == []
    for words in (("issue", "orion", "--out", str(tmp_path / "out")), ("import", "orion", str(tmp_path / "certs"))):
        done = machinectl("certs", *words, store=store.root)
        assert (done.returncode, "reached over SSH only" in done.stderr) == (1, True)
    assert not (tmp_path / "out").exists()


def test_docker_is_told_how_its_ssh_finds_the_keys(store: Store, sshd: Sshd) -> None:
    over_ssh(store, sshd)
    done = machinectl("ssh-config", "orion", store=store.root)
    assert done.stdout.startswith(f"Host orion {sshd.host}\n")
    done = machinectl("env", "--shell", "sh", "orion", store=store.root)
    assert f'DOCKER_HOST="ssh://{sshd.user}@{sshd.host}:{sshd.port}"' in done.stdout


@pytest.mark.usefixtures("ssh_config")
@pytest.mark.parametrize(
    ("prints", "told"), [("", ""), ("echo Welcome; ", "a start-up file of the login shell prints 'Welcome'")]
)
def test_a_shell_that_prints_before_docker_answers_is_told(store: Store, sshd: Sshd, prints: str, told: str) -> None:
    sshd.configure(f"ForceCommand {prints}printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'")
    machine = register(store, "orion", sshd)
    endpoint = endpoint_of(machine, f"ssh://{sshd.user}@{sshd.host}:{sshd.port}")
    error = docker_error(endpoint, 10)
    assert told in (error.cause if error else "")
    assert bool(error) is bool(told)
