"""OpenSSH 7.4, and any other ssh that reads the file that we wrote for this one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.engine import ssh_wire
from machinectl.ssh.connect import connect
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.openssh import direct_session, multiplexing, ssh_options
from tests.support.in_process import machinectl
from tests.support.openssh_7_4 import KEYWORDS
from tests.support.quiet import Quiet
from tests.support.registered import register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.sshd import SSHConfig, Sshd

# An admin's, for an option that another computer's ssh has.
OWN = "IgnoreUnknown UseKeychain\nUseKeychain yes\n"


def ssh(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-o", "BatchMode=yes", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def over_ssh(store: Store, name: str, sshd: Sshd) -> None:
    """Add a machine with an ssh:// URL; it needs no engine."""
    register(store, name, sshd)
    with store.writing(name) as held:
        held.machine.url, held.machine.tls = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}", False
        held.write()


def test_each_option_that_we_write_is_one_of_7_4_or_has_its_version() -> None:
    written = {
        *ssh_options.COMMANDS_ONLY,
        *ssh_options.MEETING,
        *ssh_options.WITH_INPUT,
        *direct_session.OPTIONS,
        *ssh_options.BACKGROUND,
    }
    written |= {*multiplexing.socket_options("/socket"), *ssh_wire.OPTIONS}
    written |= {name for name, _ in ssh_options.identity_options("/key", "/known_hosts")}
    assert {name for name in written if name.lower() not in KEYWORDS} == set(ssh_options.NEWER)


@pytest.mark.usefixtures("old_ssh")
def test_everything_over_ssh_works_with_openssh_7_4(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    register(store, "orion", sshd)
    over_ssh(store, "far", sshd)

    def run(*words: str | Path) -> str:
        done = machinectl(*words, store=store.root)
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout

    (tmp_path / "file").write_text("content")
    assert run("ssh", "orion", "echo in") == "in\n"
    assert run("run", "orion", "--", "echo in").endswith("in\n")
    # The scp here is newer, and has options for its ssh that 7.4 lacks.
    run("scp", "-q", "-d", tmp_path / "file", f"orion:{tmp_path / 'synced'}")
    assert (tmp_path / "synced").read_text() == "content"
    for words in (("status", "far"), ("ls", "--filter", "name=far")):
        logins = sshd.log.count("Accepted publickey")
        machinectl(*words, store=store.root)
        assert sshd.log.count("Accepted publickey") > logins
    assert machinectl("ssh-config", "--write", store=store.root).returncode == 0
    assert ssh("-F", f"{store.root}/ssh_config", "-G", "elsewhere").returncode == 0
    done = ssh("-F", f"{store.root}/ssh_config", "-o", "IdentityFile=none", "orion", "echo in")
    assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "")


def test_openssh_7_4_does_what_paramiko_cannot(sshd: Sshd, old_ssh: SSHConfig) -> None:
    sshd.configure("Ciphers chacha20-poly1305@openssh.com")
    # Of the host's keys another one is known than the first.
    old_ssh.known_hosts.write_text(sshd.known(1))
    with connect(sshd.endpoint, Credentials(), HostKeyPolicy(), Quiet()) as session:
        assert session.known_hosts.split()[1] == b"ecdsa-sha2-nistp256"
        assert session.run("echo in").stdout == b"in\n"


@pytest.mark.usefixtures("ssh_config")
def test_no_known_hosts_command_makes_a_changed_key_good(
    store: Store, sshd: Sshd, tmp_path: Path, ssh_config: SSHConfig
) -> None:
    register(store, "orion", sshd)
    over_ssh(store, "far", sshd)
    # It accepts every key.
    command = "KnownHostsCommand /bin/echo %H %t %K\n"
    ssh_config.write(command)
    assert machinectl("ssh-config", "--write", store=store.root).returncode == 0
    ssh_config.write(f"Include {store.root}/ssh_config\n{command}")
    sshd.host_keys = [keygen(sshd.directory / "another")]
    touch = f"touch {tmp_path / 'was-there'}"
    for words in (("ssh", "orion", touch), ("run", "orion", "--", touch)):
        assert machinectl(*words, store=store.root).returncode != 0
    assert machinectl("status", "far", store=store.root).stdout != "Running\n"
    assert "HAS CHANGED" in ssh("orion", touch).stderr
    assert not (tmp_path / "was-there").exists()


@pytest.mark.usefixtures("ssh_config")
def test_the_file_of_a_moved_store_is_rewritten(store: Store, sshd: Sshd, tmp_path: Path) -> None:
    register(store, "orion", sshd)
    machinectl("ssh-config", "--write", store=store.root)
    moved = tmp_path / "moved"
    Path(store.root).rename(moved)
    assert machinectl("inspect", "orion", store=moved).returncode == 0
    text = (moved / "ssh_config").read_text()
    assert store.root not in text
    assert str(moved / "machines" / "orion" / "known_hosts") in text
    # Another path to the same store is no reason to rewrite it.
    (tmp_path / "link").symlink_to(moved)
    machinectl("inspect", "orion", store=tmp_path / "link")
    assert (moved / "ssh_config").read_text() == text
