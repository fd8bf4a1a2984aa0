"""The kept SSH connection to an engine: dockerd, the docker CLI beside it, and sshd."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from machinectl import engine
from machinectl.engine import ssh_wire
from machinectl.engine.endpoint import Deadline, Endpoint
from machinectl.engine.http import dial, get
from machinectl.engine.probe import OK
from machinectl.state import State
from machinectl.url import parse_url
from machinectl.value_classes import replace
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

    @property
    def logins(self) -> int:
        return self.sshd.log.count("Accepted publickey")


@pytest.fixture
def remote(sshd: Sshd, dockerd: Dockerd, tmp_path: Path, ssh_config: SSHConfig, runtime: Path) -> Remote:  # noqa: ARG001
    return Remote(sshd, dockerd, tmp_path / "known_hosts")


def test_many_at_once_use_one_connection_and_more_of_their_own_where_sshd_opens_no_more(
    remote: Remote, dockerd: Dockerd, runtime: Path
) -> None:
    remote.configure(dockerd.socket, "MaxSessions 2")
    assert [remote.probe().state for _ in range(2)] == [State.RUNNING] * 2
    assert remote.logins == 1
    [control] = runtime.glob("*/*")
    for place, mode in ((control, 0o600), (control.parent, 0o700)):
        assert stat.S_IMODE(place.stat().st_mode) == mode
    with ExitStack() as stack:
        for _ in range(5):
            wire = stack.enter_context(dial(remote.endpoint, Deadline(PLENTY)))
            assert get(wire, "/_ping").status == OK
    assert remote.logins > 1


def test_a_connection_that_was_lost_is_replaced(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remote.probe().state is State.RUNNING
    remote.sshd.disconnect()
    assert remote.probe().state is State.RUNNING
    assert remote.logins == 2
    # The line is cut: no packet comes back.
    monkeypatch.setattr(ssh_wire, "PATIENCE", 0.5)
    remote.sshd.freeze()
    assert remote.probe().state is State.RUNNING
    assert remote.logins == 3


def test_a_stopped_engine_is_told_as_docker_tells_it(remote: Remote, dockerd: Dockerd) -> None:
    moved = dockerd.socket.with_name("moved.sock")
    os.link(dockerd.socket, moved)
    # What the host says does not count.
    banner = remote.known_hosts.with_name("banner")
    banner.write_text("ops@orion: Permission denied (publickey).\n")
    remote.configure(moved, f"Banner {banner}")
    assert remote.probe().state is State.RUNNING
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
    assert remote.probe().state is State.RUNNING
    monkeypatch.delenv("MACHINECTL_PERSIST")
    ssh_config.write(f"ControlPath {runtime}/%C\n")
    assert remote.probe().state is State.RUNNING
    assert not list(runtime.glob("*/*"))


def test_dockers_own_client_is_given_a_socket(remote: Remote) -> None:
    with ssh_wire.local_socket(remote.endpoint) as path:
        here = Endpoint(f"unix://{path}")
        with dial(here, Deadline(PLENTY)) as idle:
            assert engine.probe(here, PLENTY).state is State.RUNNING
        assert not idle.broken
    assert engine.probe(here, PLENTY).state is not State.RUNNING


def test_the_next_address_is_used_where_the_first_refuses_and_no_process_is_left(remote: Remote) -> None:
    there = remote.endpoint
    first = there.url.replace("127.0.0.1", "127.0.0.3")
    assert engine.probe(replace(there, url=first, others=(there.url,)), PLENTY).state is State.RUNNING
    wire = ssh_wire.connect_ssh(there, parse_url(there.url), Deadline(PLENTY))
    wire.close()
    assert wire.process.returncode is not None


def test_what_stands_in_the_way_is_said(remote: Remote, tmp_path: Path) -> None:
    key = public(remote.sshd.key_path)
    remote.sshd.authorized_keys.write_text(f'command="PATH=/nowhere; docker" {key}')
    probe = remote.probe()
    assert "there is no docker command" in probe.error
    assert "Install the docker CLI" in probe.hint
    remote.key = keygen(tmp_path / "unknown")
    probe = remote.probe()
    assert "Permission denied (publickey" in probe.error
    assert "ssh-copy-id" in probe.hint
    remote.known_hosts.write_text("")
    probe = remote.probe()
    assert "Host key verification failed" in probe.error
    assert probe.hint.startswith("Accept its key once: ssh ")
