"""The engine client against what users have: dockerd, the docker CLI beside it, and sshd."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl import certs, engine
from machinectl.engine import Endpoint
from machinectl.errors import Hint
from machinectl.state import State
from tests.engine.test_probe import found
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.dockerd import Dockerd


PLENTY = 20.0
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
