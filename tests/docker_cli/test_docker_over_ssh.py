"""Doctor logs in as docker does to a machine whose engine is reached over SSH only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.check import Check, Verdict
from machinectl.docker_cli.doctor_checks import OVER_SSH
from machinectl.doctor.machine_checks import check_machine
from machinectl.hosts.login import Login
from machinectl.hosts.ssh_config import LET_SSH_KNOW
from machinectl.verbs.ssh_config import keep_ssh_config
from tests.support.quiet import Quiet
from tests.support.registered import over_ssh, register

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.sshd import SSHConfig, Sshd

pytestmark = pytest.mark.timeout(60)
OK, BROKEN, UNKNOWN = Verdict


def docker_ssh(store: Store) -> Check:
    return {check.title: check for check in check_machine(store, Quiet(), "orion", Login(), 5)}[OVER_SSH]


def test_dockers_ssh_needs_the_machines_keys(store: Store, sshd: Sshd, ssh_config: SSHConfig) -> None:
    over_ssh(store, sshd)
    found = docker_ssh(store)
    assert (found.verdict, found.hint) == (BROKEN, LET_SSH_KNOW)
    assert found.seen.startswith(f"docker uses your own ssh, which cannot log in at {sshd.host}: ")
    assert not ssh_config.known_hosts.read_text()
    include = keep_ssh_config(store, Quiet(), [])
    # The file alone changes nothing.
    assert docker_ssh(store).verdict is BROKEN
    ssh_config.write(include)
    found = docker_ssh(store)
    assert (found.verdict, found.seen) == (OK, f"your own ssh, which docker uses, logs in at {sshd.host}")


def test_a_login_that_may_ask_for_a_passphrase_is_no_fault(store: Store, sshd: Sshd, ssh_config: SSHConfig) -> None:
    over_ssh(store, sshd)
    keep_ssh_config(store, Quiet(), [])
    ssh_config.write(f"Host {sshd.host}\n  HostKeyAlias machinectl\n  UserKnownHostsFile {known_hosts(store)}")
    found = docker_ssh(store)
    own, _ = found.hint.split("; ", 1)
    assert (found.verdict, own) == (UNKNOWN, f"See why: ssh -l {sshd.user} -p {sshd.port} {sshd.host} true")
    assert found.hint.parts[1:] == LET_SSH_KNOW.parts
    assert "Permission denied" in found.seen


def known_hosts(store: Store) -> Path:
    return Path(store.directory("orion"), "known_hosts")


@pytest.mark.usefixtures("ssh_config")
def test_nothing_is_tried_where_ssh_fails_or_docker_needs_none(store: Store, sshd: Sshd) -> None:
    over_ssh(store, sshd)
    sshd.close()
    assert docker_ssh(store).is_unseen
    register(store, "rigel", sshd)
    assert OVER_SSH not in {check.title for check in check_machine(store, Quiet(), "rigel", Login(), 5)}
