"""The engine client against what users have: dockerd, the docker CLI beside it, and sshd."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl import certs, engine
from machinectl.engine import Endpoint, Probe
from machinectl.engine.endpoint import Deadline
from machinectl.engine.ssh_wire import connect_ssh
from machinectl.errors import Hint
from machinectl.state import State
from machinectl.url import parse_url
from tests.support.real import need
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.dockerd import Dockerd


PLENTY = 20.0
LONG_AGO = datetime.now(UTC) - timedelta(days=1000)


def found(probe: Probe, state: State, *words: str) -> None:
    said = f"{probe.error} | {probe.hint}"
    assert probe.state is state, said
    assert all(word in said for word in words), said


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

    def test_refuses_a_client_whose_access_was_ended_and_that_is_said(self, dockerd: Dockerd, tmp_path: Path) -> None:
        ended = certs.issue_client(certs.new_ca("a holder's CA"), "test")
        directory = dockerd.client(tmp_path / "client", ended)
        given = replace(endpoint(dockerd, directory), given_by="ann@desk", ask_again="machinectl rm orionbox")
        words = ["ann@desk has ended its access", "Ask for access again: machinectl rm orionbox"]
        found(engine.probe(given, PLENTY), State.ERROR, *words)

    def test_of_another_ca_may_be_another_server_or_have_a_new_ca(self, dockerd: Dockerd, tmp_path: Path) -> None:
        client = certs.issue_client(certs.new_ca("a holder's CA"), "test")
        directory = dockerd.client(tmp_path / "client", client, certs.new_ca("the engine's CA").certificate)
        given = replace(endpoint(dockerd, directory), given_by="ann@desk", ask_again="machinectl rm orionbox")
        words = [
            "another server has this address now, or ann@desk has made a new CA",
            "machinectl access renew orionbox",
        ]
        found(engine.probe(given, PLENTY), State.ERROR, *words, "ask for access again: machinectl rm orionbox")

    def test_refuses_a_client_whose_certificate_has_expired(self, dockerd: Dockerd, tmp_path: Path) -> None:
        expired = certs.issue_client(dockerd.ca, "test", now=LONG_AGO)
        directory = dockerd.client(tmp_path / "client", expired)
        words = [f"refuses the client certificate in {directory}: certificate expired", "certs import orionbox <DIR>"]
        found(engine.probe(endpoint(dockerd, directory), PLENTY), State.ERROR, *words)
        given = replace(endpoint(dockerd, directory), renewal=Hint("Ask ann@desk", "machinectl access renew orionbox"))
        words = ["certificate expired", given.renewal]
        found(engine.probe(given, PLENTY), State.ERROR, *words)

    def test_that_speaks_tls_says_so_to_who_speaks_plain_http(self, dockerd: Dockerd) -> None:
        plain = replace(endpoint(dockerd), tls=False)
        found(engine.probe(plain, PLENTY), State.ERROR, "speaks TLS", "set --tls orionbox")

    def test_gives_raw_answers(self, dockerd: Dockerd) -> None:
        with engine.request(endpoint(dockerd), "GET", "/info") as response:
            assert json.loads(response.read(1 << 20))["DockerRootDir"]
        with engine.request(endpoint(dockerd), "GET", "/containers/nobody/json") as response:
            assert (response.status, response.failed) == (404, True)
            assert json.loads(response.read(1 << 20)) == {"message": "No such container: nobody"}

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


@dataclass(frozen=True)
class Sshd:
    """An sshd on loopback, and keys for it that lead to an engine, to none, and to a host without docker."""

    url: str
    directory: Path

    def endpoint(self, key: str, known_hosts: str = "known_hosts") -> Endpoint:
        options = {
            "IdentityFile": self.directory / key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.directory / known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
        }
        flags = [flag for option, value in options.items() for flag in ("-o", f"{option}={value}")]
        return Endpoint(self.url, ssh_options=("-F", "/dev/null", *flags), name="orionbox")


@pytest.fixture(scope="module")
def sshd(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    need("sshd", "ssh", "ssh-keygen", "docker", root=True)
    home = tmp_path_factory.mktemp("sshd")
    keys = {
        "good": "",
        "unlucky": "DOCKER_HOST=unix:///nowhere/docker.sock docker system dial-stdio",
        "bare": "PATH=/nowhere; docker system dial-stdio",
        "unknown": None,
        "host": None,
    }
    with (home / "authorized_keys").open("w") as authorized:
        for name, command in keys.items():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True)
            if command is not None:
                forced = f'command="{command}" ' if command else ""
                authorized.write(forced + (home / f"{name}.pub").read_text())
    port = free_port()
    public = (home / "host.pub").read_text()
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (home / "nobody").write_text("")
    (home / "changed").write_text(f"[127.0.0.1]:{port} {(home / 'good.pub').read_text()}")
    (home / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\n"
        f"HostKey {home}/host\n"
        f"AuthorizedKeysFile {home}/authorized_keys\n"
        f"SetEnv DOCKER_HOST=unix://{dockerd.socket}\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
    )
    with listening(home):
        yield Sshd(f"ssh://{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1:{port}", home)


@contextmanager
def listening(home: Path) -> Iterator[None]:
    # OpenSSH's privilege separation wants it; Debian makes it when the service starts.
    os.makedirs("/run/sshd", exist_ok=True)
    sshd = subprocess.run(["sh", "-c", "command -v sshd"], capture_output=True, text=True, check=True).stdout.strip()
    with subprocess.Popen(
        [sshd, "-D", "-e", "-f", home / "sshd_config"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        try:
            said = process.stderr.readline()
            assert "Server listening" in said
            yield
        finally:
            process.terminate()


class TestOverSSH:
    def test_an_engine_answers(self, sshd: Sshd, dockerd: Dockerd) -> None:
        probe = engine.probe(sshd.endpoint("good"), PLENTY)
        assert (probe.state, probe.error) == (State.RUNNING, "")
        assert probe.version == engine.probe(endpoint(dockerd), PLENTY).version

    def test_the_next_address_is_used_where_the_first_refuses(self, sshd: Sshd) -> None:
        there = sshd.endpoint("good")
        first = there.url.replace("127.0.0.1", "127.0.0.3")
        assert engine.probe(replace(there, url=first, others=(there.url,)), PLENTY).state is State.RUNNING

    def test_gives_raw_answers_and_leaves_no_process(self, sshd: Sshd) -> None:
        endpoint = sshd.endpoint("good")
        wire = connect_ssh(endpoint, parse_url(endpoint.url), Deadline(PLENTY))
        wire.close()
        assert wire.process.returncode is not None
        with engine.request(sshd.endpoint("good"), "GET", "/info") as response:
            assert json.loads(response.read(1 << 20))["DockerRootDir"]

    @pytest.mark.parametrize(
        ("key", "known_hosts", "state", "words"),
        [
            ("unknown", "known_hosts", State.ERROR, ["Permission denied (publickey", "ssh-copy-id"]),
            ("good", "nobody", State.ERROR, ["Host key verification failed", "Accept its key once: ssh "]),
            ("good", "changed", State.ERROR, ["Host key verification failed", "changed -R '[127.0.0.1]:"]),
            ("unlucky", "known_hosts", State.ERROR, ["docker.sock", "systemctl start docker"]),
            ("bare", "known_hosts", State.ERROR, ["there is no docker command", "Install the docker CLI"]),
        ],
    )
    def test_what_stands_in_the_way_is_said(
        self, sshd: Sshd, key: str, known_hosts: str, state: State, words: list[str]
    ) -> None:
        found(engine.probe(sshd.endpoint(key, known_hosts), PLENTY), state, *words)
