"""The kept SSH connection to an engine: dockerd, the docker CLI beside it, and sshd."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from machinectl import engine
from machinectl.engine.dialling import ssh_socket
from machinectl.engine.dialling.ssh_dial import SSHWire
from machinectl.engine.endpoint import Deadline, Endpoint
from machinectl.engine.http import dial
from machinectl.state import State
from machinectl.url import parse_url
from tests.support.sshd import keygen, public

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.dockerd import Dockerd
    from tests.support.sshd import SSHConfig, Sshd

PLENTY = 30.0


class Remote:
    """An engine that sshd leads to, as the user's ssh knows it."""

    def __init__(self, sshd: Sshd, dockerd: Dockerd, known_hosts: Path) -> None:
        self.sshd = sshd
        self.known_hosts = known_hosts
        self.key = sshd.key_path
        known_hosts.write_text(sshd.known())
        self.configure(dockerd.socket)

    def configure(self, socket: Path | str, *lines: str) -> None:
        self.sshd.configure(f"SetEnv SHLVL=2 DOCKER_HOST=unix://{socket}", *lines)

    @property
    def endpoint(self) -> Endpoint:
        options = {
            "IdentityFile": self.key,
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.known_hosts,
        }
        words = tuple(word for name, value in options.items() for word in ("-o", f'{name}="{value}"'))
        url = f"ssh://{self.sshd.user}@{self.sshd.host}:{self.sshd.port}"
        return Endpoint(url, ssh_options=words, name="orionbox")

    def probe(self) -> engine.Probe:
        return engine.probe(self.endpoint, PLENTY)

    def is_kept(self) -> bool:
        with closing(dial(self.endpoint, Deadline(PLENTY))) as wire:
            return not isinstance(wire, SSHWire)

    @property
    def logins(self) -> int:
        return self.sshd.log.count("Accepted publickey")


@pytest.fixture
def remote(sshd: Sshd, dockerd: Dockerd, tmp_path: Path, ssh_config: SSHConfig, runtime: Path) -> Remote:  # noqa: ARG001
    return Remote(sshd, dockerd, tmp_path / "known_hosts")


def test_sixty_at_once_log_in_once_and_are_no_sessions(remote: Remote, dockerd: Dockerd, runtime: Path) -> None:
    remote.configure(dockerd.socket, "MaxSessions 1", "MaxStartups 1")
    found = []
    threads = [threading.Thread(target=lambda: found.append(remote.probe())) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(probe.state, probe.error) for probe in found] == [(State.RUNNING, "")] * 60
    assert remote.logins == 1
    [path] = runtime.glob("*/*.engine")
    for place, mode in ((path, 0o600), (path.parent, 0o700)):
        assert stat.S_IMODE(place.stat().st_mode) == mode


def test_a_connection_that_was_lost_is_replaced(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remote.probe().state is State.RUNNING
    remote.sshd.disconnect()
    assert remote.probe().state is State.RUNNING
    assert (remote.logins, remote.is_kept()) == (2, True)
    # The line is cut: no packet comes back.
    monkeypatch.setattr(ssh_socket, "PATIENCE", 0.5)
    remote.sshd.freeze()
    assert remote.probe().state is State.RUNNING
    assert (remote.logins, remote.is_kept()) == (3, True)


def test_where_sshd_forbids_forwarding_docker_is_run_there_and_forwarding_is_not_tried_again(
    remote: Remote, dockerd: Dockerd
) -> None:
    remote.configure(dockerd.socket, "AllowStreamLocalForwarding no")
    assert [remote.probe().state for _ in range(2)] == [State.RUNNING] * 2
    # One to find out, and one for each request.
    assert remote.logins == 3
    assert not remote.is_kept()


def test_a_host_without_the_docker_command_needs_none(
    remote: Remote, dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = public(remote.sshd.key_path)
    remote.sshd.authorized_keys.write_text(f'command="PATH=/nowhere; docker" {key}')
    monkeypatch.setattr(ssh_socket, "DEFAULT_SOCKET", str(dockerd.socket))
    assert (remote.probe().state, remote.is_kept()) == (State.RUNNING, True)


def test_a_stopped_engine_is_told_as_docker_tells_it(remote: Remote, dockerd: Dockerd) -> None:
    moved = dockerd.socket.with_name("moved.sock")
    os.link(dockerd.socket, moved)
    # What the host says does not count.
    banner = remote.known_hosts.with_name("banner")
    banner.write_text("ops@orion: Permission denied (publickey).\n")
    remote.configure(moved, f"Banner {banner}")
    assert remote.is_kept()
    moved.unlink()
    for _ in range(2):
        probe = remote.probe()
        assert "connect: no such file" in probe.error
        assert probe.hint == "Start the engine on the host: sudo systemctl start docker"


def test_a_host_key_that_is_not_pinned_any_more_is_refused_at_once(remote: Remote, tmp_path: Path) -> None:
    assert remote.probe().state is State.RUNNING
    host, _ = remote.sshd.known().split(" ", 1)
    remote.known_hosts.write_text(f"{host} {public(keygen(tmp_path / 'another'))}")
    probe = remote.probe()
    assert "Host key verification failed" in probe.error
    assert "ssh-keygen" in probe.hint


def test_a_key_that_was_moved_needs_no_login(remote: Remote, tmp_path: Path) -> None:
    assert remote.probe().state is State.RUNNING
    remote.key = remote.key.rename(tmp_path / "moved")
    assert remote.probe().state is State.RUNNING
    assert remote.logins == 1
    remote.key.write_bytes(keygen(tmp_path / "another").read_bytes())
    assert "Permission denied" in remote.probe().error


def test_none_is_kept_if_it_is_turned_off_or_the_users_ssh_keeps_its_own(
    remote: Remote, runtime: Path, ssh_config: SSHConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINECTL_PERSIST", "off")
    assert not remote.is_kept()
    monkeypatch.delenv("MACHINECTL_PERSIST")
    ssh_config.write(f"ControlPath {runtime}/%C\n")
    assert not remote.is_kept()


def test_a_login_that_takes_too_long_is_given_up_at_the_deadline(remote: Remote) -> None:
    """Another process is logging in, and hangs."""
    kept = ssh_socket.kept_connection(remote.endpoint, parse_url(remote.endpoint.url))
    assert kept
    with ssh_socket.locked(kept.control, Deadline(PLENTY)):
        probe = engine.probe(remote.endpoint, 0.2)
    assert probe.state is State.TIMEOUT
    assert "no engine has answered through ssh within 0.2 s" in probe.error
