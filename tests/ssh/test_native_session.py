"""What only paramiko does, or does not: tests of both ways are in the other modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.destination import Jump, SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.ssh_errors import HostKeyRefused, LoginRefused, NotForwarded, Unsupported
from tests.support.quiet import Quiet
from tests.support.sshd import keygen, log_in, natively, public

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import SSHConfig, Sshd

pytestmark = [pytest.mark.usefixtures("ssh_config", "way"), natively]


def behind(sshd: Sshd, gate: Sshd, *, machine: str = "", known_hosts: str = "") -> SSHEndpoint:
    """A host behind a jump host."""
    jump = Jump(gate.endpoint, known_hosts, machine)
    return SSHEndpoint(sshd.host, sshd.user, sshd.port, str(sshd.key_path), jump=jump)


def test_a_host_behind_a_machine_has_a_pin_of_its_own(sshd: Sshd, another_sshd: Sshd, tmp_path: Path) -> None:
    gate = tmp_path / "known_hosts"
    gate.write_text(f"machinectl {public(another_sshd.host_keys[0])}")
    endpoint = behind(sshd, another_sshd, machine="gate", known_hosts=str(gate))
    with log_in(endpoint) as session:
        assert session.run("cat", input=b"x" * 200_000).stdout == b"x" * 200_000
        pinned = session.known_hosts
    assert pinned.split() == [b"machinectl", *public(sshd.host_keys[0]).encode().split()[:2]]
    assert "direct-tcpip" in another_sshd.log
    another_sshd.log_path.unlink()
    gate.write_text(f"machinectl {public(keygen(tmp_path / 'other'))}")
    with pytest.raises(HostKeyRefused, match="has changed"):
        log_in(endpoint, policy=HostKeyPolicy(pinned=pinned))
    assert "userauth-request" not in another_sshd.log


def test_a_jump_host_that_is_no_machine_is_pinned_with_the_host(sshd: Sshd, another_sshd: Sshd) -> None:
    with log_in(behind(sshd, another_sshd)) as session:
        pinned = session.known_hosts
    names = [line.split()[0].decode() for line in pinned.splitlines()]
    assert names == [f"[127.0.0.1]:{another_sshd.port}", "machinectl"]
    with log_in(behind(sshd, another_sshd), Quiet(), policy=HostKeyPolicy(pinned=pinned, strict=True)):
        pass


def test_a_jump_host_never_gets_the_hosts_password(sshd: Sshd, another_sshd: Sshd, tmp_path: Path) -> None:
    another_sshd.configure("PasswordAuthentication yes")
    endpoint = behind(sshd, another_sshd)
    gate = SSHEndpoint("127.0.0.1", sshd.user, another_sshd.port, str(keygen(tmp_path / "key")))
    endpoint = SSHEndpoint(endpoint.host, endpoint.user, endpoint.port, endpoint.key, jump=Jump(gate))
    with pytest.raises(LoginRefused, match="tried: ") as caught:
        log_in(endpoint, credentials=Credentials(password="geheim"))
    assert caught.value.hint.startswith("It is a jump host. Try: ssh -p ")
    assert "method password" not in another_sshd.log


def test_a_jump_host_that_does_not_lead_on_is_named(sshd: Sshd, another_sshd: Sshd) -> None:
    another_sshd.configure("AllowTcpForwarding no")
    with pytest.raises(NotForwarded, match="forwarding is not allowed there"):
        log_in(behind(sshd, another_sshd))


@pytest.mark.parametrize(
    "line",
    ["ProxyCommand nc %h %p", "ProxyJump jump", "RevokedHostKeys /etc/revoked", "KnownHostsCommand /bin/echo %H"],
)
def test_what_only_ssh_can_do_is_left_to_it(sshd: Sshd, another_sshd: Sshd, ssh_config: SSHConfig, line: str) -> None:
    second = SSHEndpoint(sshd.host, sshd.user, sshd.port, str(sshd.key_path), jump=Jump(behind(sshd, another_sshd)))
    with pytest.raises(Unsupported, match="it supports at most one jump host"):
        log_in(second)
    ssh_config.write(f"Host 127.0.0.1\n  {line}\n")
    with pytest.raises(Unsupported, match="--native-ssh cannot log in at 127") as caught:
        log_in(sshd.endpoint)
    assert caught.value.hint == "Leave out --native-ssh: ssh does it"
    assert sshd.log == ""
