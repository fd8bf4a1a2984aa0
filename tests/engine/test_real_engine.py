"""The engine client and the kept SSH connection against what users have: dockerd, the docker CLI beside it, sshd."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl import certs, engine
from machinectl.engine import Endpoint, ssh_wire
from machinectl.engine.endpoint import Deadline
from machinectl.engine.http import dial, get
from machinectl.engine.probe import OK
from machinectl.errors import Hint
from machinectl.state import State
from machinectl.url import parse_url
from tests.engine.test_probe import found
from tests.support.real import need
from tests.support.sshd import keygen, public

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.dockerd import Dockerd
    from tests.support.sshd import SSHConfig, Sshd

LONG_AGO = datetime.now(UTC) - timedelta(days=1000)


def endpoint(dockerd: Dockerd, directory: Path | None = None) -> Endpoint:
    return Endpoint(dockerd.url, tls=True, cert_dir=str(directory or dockerd.directory), name="orionbox")


def version_by_docker(*arguments: str) -> str:
    """What the docker CLI says of the engine that it reaches."""
    need("docker")
    done = subprocess.run(
        ["docker", *arguments, "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class TestARealEngine:
    def test_answers_over_mutual_tls_what_the_docker_cli_hears(self, dockerd: Dockerd) -> None:
        probe = engine.probe(endpoint(dockerd), PLENTY)
        assert (probe.state, probe.error) == (State.RUNNING, "")
        files = (("tlscacert", "ca.pem"), ("tlscert", "cert.pem"), ("tlskey", "key.pem"))
        flags = [f"--{flag}={dockerd.directory / file}" for flag, file in files]
        assert probe.version == version_by_docker(f"-H={dockerd.url}", "--tlsverify", *flags)

    def test_answers_on_its_unix_socket(self, dockerd: Dockerd) -> None:
        probe = engine.probe(Endpoint(f"unix://{dockerd.socket}"), PLENTY)
        assert probe.state is State.RUNNING
        assert probe.version == version_by_docker(f"-H=unix://{dockerd.socket}")

    @pytest.mark.parametrize(
        ("end", "is_of_another_ca", "words"),
        [
            ("access", False, "ann@desk has ended its access | Ask for access again: machinectl rm orionbox"),
            ("access", True, "another server has this address now, or ann@desk has made a new CA"),
            ("date", False, "certificate expired | Ask ann@desk: machinectl access renew orionbox"),
        ],
    )
    def test_refuses_a_client_whose_time_is_over(
        self, dockerd: Dockerd, tmp_path: Path, end: str, is_of_another_ca: bool, words: str
    ) -> None:
        other = certs.new_ca("a holder's CA")
        client = (
            certs.issue_client(dockerd.ca, "test", now=LONG_AGO) if end == "date" else certs.issue_client(other, "test")
        )
        directory = dockerd.client(tmp_path / "client", client, other.certificate if is_of_another_ca else b"")
        given = replace(endpoint(dockerd, directory), given_by="ann@desk", ask_again="machinectl rm orionbox")
        given = replace(given, renewal=Hint("Ask ann@desk", "machinectl access renew orionbox"))
        found(engine.probe(given, PLENTY), State.ERROR, *words.split(" | "))

    def test_that_speaks_tls_says_so_to_who_speaks_plain_http(self, dockerd: Dockerd) -> None:
        plain = replace(endpoint(dockerd), tls=False)
        found(engine.probe(plain, PLENTY), State.ERROR, "speaks TLS", "set --tls orionbox")

    def test_streams_events_while_it_takes_a_body(self, dockerd: Dockerd) -> None:
        with engine.request(
            endpoint(dockerd), "GET", "/events?filters=%7B%22type%22%3A%5B%22volume%22%5D%7D"
        ) as events:
            kind = {"Content-Type": "application/json"}
            with engine.request(endpoint(dockerd), "POST", "/volumes/create", b'{"Name": "seen"}', kind) as made:
                assert made.status == 201
            event = json.loads(next(iter(events)))
        assert (event["Action"], event["Actor"]["ID"]) == ("create", "seen")
        with engine.request(endpoint(dockerd), "DELETE", "/volumes/seen") as gone:
            assert gone.status == 204


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
