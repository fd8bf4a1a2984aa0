"""Host keys that the user's ssh trusts by @cert-authority in known_hosts, and by KnownHostsCommand."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import register
from tests.support.sshd import keygen, log_in, public

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.sshd import SSHConfig, Sshd

STRICT = "StrictHostKeyChecking yes"


def certify(sshd: Sshd, authority: Path, *options: str, number: int = 0, sign: tuple[str, ...] = ("-h",)) -> None:
    """Make a server show a certificate for one of its keys, and none of the other keys."""
    key = sshd.directory / "certified"
    key.write_bytes(sshd.host_keys[number].read_bytes())
    key.chmod(0o600)
    key.with_name("certified.pub").write_text(public(sshd.host_keys[number]))
    command = ["ssh-keygen", "-q", "-s", str(authority), *sign, "-I", "id", *options, f"{key}.pub"]
    subprocess.run(command, check=True, capture_output=True)
    sshd.host_keys = [key]
    sshd.configure(f"HostCertificate {key}-cert.pub")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return keygen(tmp_path / "authority")


def trust(ssh_config: SSHConfig, authority: Path, pattern: str = "*", marker: str = "@cert-authority") -> None:
    with ssh_config.known_hosts.open("a") as file:
        file.write(f"{marker} {pattern} {public(authority)}")


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("signer", ["ed25519", "rsa"])
def test_a_host_certified_by_a_trusted_ca_is_accepted(
    sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path, number: int, signer: str
) -> None:
    authority = keygen(tmp_path / signer, signer)
    certify(sshd, authority, "-n", f"other,{sshd.host}", number=number)
    trust(ssh_config, authority, f"[{sshd.host}]:*")
    ssh_config.write(STRICT)
    console = Quiet()
    with log_in(sshd.endpoint, console) as session:
        assert session.known_hosts.decode().split() == ["machinectl", *public(sshd.host_keys[0]).split()[:2]]
    assert console.said == []


def test_ssh_vouches_for_no_key_that_it_does_not_check(sshd: Sshd, ssh_config: SSHConfig, authority: Path) -> None:
    """Behind a tunnel, `localhost` is another computer."""
    ssh_config.write("NoHostAuthenticationForLocalhost yes")
    trust(ssh_config, authority)
    with pytest.raises(HostKeyRefused, match="is not known"):
        log_in(sshd.endpoint, policy=HostKeyPolicy(strict=True))


@pytest.mark.parametrize(
    ("options", "sign"),
    [
        (("-n", "another"), ("-h",)),
        (("-n", "127.0.0.1"), ()),
        (("-V", "20200101:20200102"), ("-h",)),
        (("-V", "20990101:20990102"), ("-h",)),
        # What OpenSSH no longer takes by default.
        (("-t", "ssh-rsa"), ("-h",)),
    ],
)
def test_a_certificate_that_is_not_good_for_the_host_counts_for_nothing(
    sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path, options: tuple[str, ...], sign: tuple[str, ...]
) -> None:
    authority = keygen(tmp_path / "authority", "rsa" if "-t" in options else "ed25519")
    certify(sshd, authority, *options, sign=sign)
    trust(ssh_config, authority)
    ssh_config.write(STRICT)
    with pytest.raises(HostKeyRefused, match="is not known"):
        log_in(sshd.endpoint)
    # Without the certificate, the key still counts.
    ssh_config.known_hosts.write_text(ssh_config.known_hosts.read_text() + sshd.known())
    log_in(sshd.endpoint).close()


def test_an_untrusted_or_revoked_ca_certifies_nothing(
    sshd: Sshd, ssh_config: SSHConfig, authority: Path, tmp_path: Path
) -> None:
    certify(sshd, authority)
    trust(ssh_config, keygen(tmp_path / "another"))
    trust(ssh_config, authority, "elsewhere")
    ssh_config.write(STRICT)
    with pytest.raises(HostKeyRefused, match="is not known"):
        log_in(sshd.endpoint)
    trust(ssh_config, authority)
    log_in(sshd.endpoint).close()
    ssh_config.write(f"{STRICT}\nRevokedHostKeys {authority}.pub")
    with pytest.raises(HostKeyRefused, match="revoked"):
        log_in(sshd.endpoint)
    ssh_config.write(STRICT)
    trust(ssh_config, authority, marker="@revoked")
    with pytest.raises(HostKeyRefused, match="marked as revoked"):
        log_in(sshd.endpoint)


def test_neither_certificate_nor_command_makes_another_key_than_the_pinned_one_good(
    sshd: Sshd, ssh_config: SSHConfig, authority: Path
) -> None:
    pinned = f"machinectl {' '.join(sshd.known(1).split()[1:3])}\n".encode()
    certify(sshd, authority)
    trust(ssh_config, authority)
    ssh_config.write("KnownHostsCommand /bin/echo %H %t %K")
    with pytest.raises(HostKeyRefused, match="has changed"):
        log_in(sshd.endpoint, policy=HostKeyPolicy(pinned=pinned))


def test_keys_from_known_hosts_command_are_known(sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path) -> None:
    kind, key = sshd.known(1).split()[1:3]
    ssh_config.write(f"{STRICT}\nKnownHostsCommand /bin/echo %H {kind} {key}")
    with log_in(sshd.endpoint) as session:
        assert session.known_hosts.decode().split() == ["machinectl", kind, key]
    another = public(keygen(tmp_path / "another")).split()[1]
    ssh_config.write(f'KnownHostsCommand /bin/sh -c "echo %H ssh-ed25519 {another}"')
    with pytest.raises(HostKeyRefused, match="has changed"):
        log_in(sshd.endpoint)
    ssh_config.write("KnownHostsCommand /bin/false")
    with pytest.raises(SSHError, match="KnownHostsCommand failed"):
        log_in(sshd.endpoint)


def test_ssh_pins_a_certified_host_at_the_first_contact(
    store: Store, sshd: Sshd, ssh_config: SSHConfig, authority: Path
) -> None:
    certify(sshd, authority)
    trust(ssh_config, authority)
    ssh_config.write(STRICT)
    register(store, "orion", sshd, pinned=False)
    for _ in range(2):
        done = machinectl("ssh", "orion", "echo in", store=store.root)
        assert (done.returncode, done.stdout) == (0, "in\n")
    known = Path(store.directory("orion"), "known_hosts").read_text()
    assert known.split() == ["machinectl", *public(sshd.host_keys[0]).split()[:2]]


def test_the_hint_about_a_changed_key_takes_it_out_of_the_users_files(
    sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    another = public(keygen(tmp_path / "another"))
    more = tmp_path / "more"
    ssh_config.known_hosts.write_text(f"{sshd.host} {another}")
    more.write_text(f"[{sshd.host}]:{sshd.port} {another}")
    ssh_config.write(f"UserKnownHostsFile {ssh_config.known_hosts} {more}")
    with pytest.raises(HostKeyRefused, match="has changed") as refused:
        log_in(sshd.endpoint)
    commands = "\n".join(command for _, command, _ in refused.value.hint.parts)
    assert shlex.quote(str(more)) in commands
    subprocess.run(["sh", "-c", commands], check=True, capture_output=True, env={**os.environ, "HOME": str(tmp_path)})
    log_in(sshd.endpoint).close()
