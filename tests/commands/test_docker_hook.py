"""After a docker command that failed on one of our machines, a line of ours: what is the matter, and what to type."""

from __future__ import annotations

import json
import os
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.docker_cli.contexts import Context, Contexts, Mark
from machinectl.machines.record import Machine
from tests.support.docker_hooks import hooked, next_steps
from tests.support.registered import added
from tests.support.servers import engine, serving

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.docker_plugged import PluggedDocker
    from tests.support.dockerd import Dockerd

NOW = datetime.now(UTC)
# Nothing listens there: it is refused at once.
URL = "tcp://127.0.0.1:1"
SILENT = f"Cannot connect to the Docker daemon at {URL}. Is the docker daemon running?"


@pytest.fixture
def plugged(docker: PluggedDocker) -> PluggedDocker:
    assert docker.machinectl("docker-plugin", "install").returncode == 0
    return docker


def machine(store: Store, name: str, url: str, mac: str = "", files: dict[str, bytes] | None = None) -> Machine:
    made = Machine(name, "none", url=url, tls=files is not None)
    made.mac = mac
    return added(store, made, files)


def context(docker: PluggedDocker, store: Store, name: str, host: str, marked: str = "") -> None:
    contexts = Contexts(str(docker.directory))
    made = Context(name).pointed(Mark(os.path.realpath(store.root), marked or name), host, {})
    with contexts.writing():
        contexts.put(made)


def test_a_machine_that_does_not_answer_is_woken_where_that_can_be(plugged: PluggedDocker, store: Store) -> None:
    machine(store, "plain", "tcp://127.0.0.1:2")
    machine(store, "orionbox", URL, mac="00:11:22:33:44:55")
    for command in ([f"-H={URL}", "ps"], [f"--host={URL}", "run", "x"], [f"-H={URL}", "system", "df"]):
        assert next_steps(plugged, *command) == [
            '"orionbox" does not answer. If it is asleep, wake it: machinectl start orionbox'
        ]
    assert next_steps(plugged, "ps", DOCKER_HOST="tcp://127.0.0.1:2") == [
        '"plain" does not answer. See why: machinectl status plain'
    ]


def test_a_context_and_its_name_lead_to_the_machine(plugged: PluggedDocker, store: Store) -> None:
    machine(store, "orionbox", URL, mac="00:11:22:33:44:55")
    context(plugged, store, "orionbox", URL)
    expected = ['"orionbox" does not answer. If it is asleep, wake it: machinectl start orionbox']
    assert next_steps(plugged, "ps", DOCKER_CONTEXT="orionbox") == expected
    assert next_steps(plugged, "--context=orionbox", "ps") == expected
    assert plugged("context", "use", "orionbox").returncode == 0
    assert next_steps(plugged, "ps") == expected


def test_an_address_that_changed_is_told_with_what_points_docker_there(plugged: PluggedDocker, store: Store) -> None:
    machine(store, "orionbox", "tcp://192.0.2.7:2376")
    old = {"DOCKER_HOST": URL, "DOCKER_MACHINE_NAME": "orionbox"}
    moved = f'"orionbox" is at tcp://192.0.2.7:2376 now, docker looked at {URL}. Point it there: '
    assert next_steps(plugged, "ps", **old) == [f"{moved}eval $(machinectl env orionbox)"]
    assert next_steps(plugged, "ps", **old, SHELL="/usr/bin/fish") == [f"{moved}eval (machinectl env orionbox)"]
    context(plugged, store, "orionbox", URL)
    assert next_steps(plugged, "--context=orionbox", "ps") == [f"{moved}machinectl context sync"]
    # Whose address it is now, is who was asked.
    machine(store, "heir", URL)
    assert next_steps(plugged, "ps", **old) == ['"heir" does not answer. See why: machinectl status heir']


def test_a_clients_certificate_that_expired_is_told(plugged: PluggedDocker, store: Store, dockerd: Dockerd) -> None:
    old = certs.issue_client(dockerd.ca, "old", now=NOW - timedelta(days=1000))
    files = {"ca.pem": dockerd.ca.certificate, "cert.pem": old.certificate, "key.pem": old.key}
    machine(store, "orionbox", dockerd.url, files=files)
    ended = certs.describe(old.certificate).not_after
    told = plugged.machinectl("env", "--json", "orionbox").stdout
    environment = {name: value for name, value in json.loads(told).items() if value}
    expected = (
        f'Your certificate for "orionbox" expired on {ended:%Y-%m-%d}. Get its certificates from whoever '
        "made them: machinectl certs import orionbox <DIR>"
    )
    assert next_steps(plugged, "ps", **environment) == [expected]
    # What a plugin's command fails with is not told to hooks.
    (said,) = hooked(plugged.directory, ["compose", "ps"], "exit status 1", {**plugged.environment, **environment})
    assert said == expected


@pytest.mark.parametrize("alert", ["certificate required", "unknown certificate authority", "bad certificate"])
def test_a_refusal_by_a_shared_engine_names_its_owner(plugged: PluggedDocker, store: Store, alert: str) -> None:
    shared = Machine("orionbox", "none", url=URL)
    shared.access = {"state": "granted", "by": "bob@desk"}
    added(store, shared)
    machine(store, "own", "tcp://127.0.0.1:2")
    failure = f'error during connect: Get "https://127.0.0.1:1/v1.47/info": remote error: tls: {alert}'
    environment = {**plugged.environment, "DOCKER_HOST": URL}
    (said,) = hooked(plugged.directory, ["ps"], failure, environment)
    assert said == (
        'The engine of "orionbox" refuses this computer: bob@desk may have ended its access. '
        "See why: machinectl status orionbox"
    )
    environment["DOCKER_HOST"] = "tcp://127.0.0.1:2"
    assert hooked(plugged.directory, ["ps"], failure.replace(":1/", ":2/"), environment) == []


def test_an_engine_that_shows_an_expired_certificate_is_told(
    plugged: PluggedDocker, store: Store, tmp_path: Path
) -> None:
    then = NOW - timedelta(days=1500)
    ca = certs.new_ca("old", now=then)
    server, client = certs.issue_server(ca, ["127.0.0.1"], now=then), certs.issue_client(ca, "me")
    (tmp_path / "server.pem").write_bytes(server.certificate + server.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with serving(engine, tls=context) as port:
        url = f"tcp://127.0.0.1:{port}"
        files = {"ca.pem": ca.certificate, "cert.pem": client.certificate, "key.pem": client.key}
        machine(store, "orionbox", url, files=files)
        directory = store.directory("orionbox")
        environment = {"DOCKER_HOST": url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": directory}
        (said,) = next_steps(plugged, "ps", **environment)
    assert said.startswith('The engine of "orionbox" shows a certificate that has expired. Get its certificates')


def test_certificates_that_we_made_are_renewed_by_us(plugged: PluggedDocker, store: Store) -> None:
    ca = certs.new_ca("old", now=NOW - timedelta(days=5000))
    server = certs.issue_server(ca, ["orion"], now=NOW - timedelta(days=5000))
    path = store.directory("orionbox")
    machine(store, "orionbox", URL, files={"ca.pem": ca.certificate, "server.pem": server.certificate})
    with open(f"{path}/machine.json", encoding="utf-8") as file:
        record = json.load(file)
    with open(f"{path}/machine.json", "w", encoding="utf-8") as file:
        json.dump({**record, "changes": [{"kind": "file", "path": "/etc/docker/ca.pem"}]}, file)
    (said,) = hooked(plugged.directory, ["ps"], SILENT, plugged.environment)
    assert said.startswith('The CA of "orionbox" expired on ')
    assert said.endswith(". Renew them: machinectl regenerate-certs --new-ca orionbox")


@pytest.mark.parametrize(
    ("words", "failure"),
    [
        (
            ["run", "x"],
            'docker: Error response from daemon: Get "https://example.com/v2/": dial tcp: no such host',
        ),
        (["ps"], "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"),
        (["build"], "unable to prepare context: unable to git clone https://127.0.0.1:2/x"),
        (["ps"], "unknown flag: --zzz"),
        (["compose", "up"], "exit status 14"),
        (["ps"], ""),
        (["ps"], "{{.Root}}\x1b[2J tcp:// https:// \ud83d"),
        (["login"], SILENT),
        (["machine", "ls"], SILENT),
        (["ps"], 7),
        (["ps"], {"text": SILENT}),
    ],
)
def test_where_there_is_nothing_to_say_nothing_is_said(
    plugged: PluggedDocker, store: Store, words: list[str], failure: object
) -> None:
    machine(store, "orionbox", URL, mac="00:11:22:33:44:55")
    assert hooked(plugged.directory, words, failure, plugged.environment) == []


def test_broken_records_and_contexts_are_passed_over(plugged: PluggedDocker, store: Store) -> None:
    for name, text in (("a", "{"), ("b", ""), ("c", "[]")):
        os.makedirs(store.directory(name))
        with open(f"{store.directory(name)}/machine.json", "w", encoding="utf-8") as file:
            file.write(text)
    machine(store, "orionbox", URL)
    expected = ['"orionbox" does not answer. See why: machinectl status orionbox']
    assert hooked(plugged.directory, ["ps"], SILENT, plugged.environment) == expected
    meta = plugged.directory / "contexts" / "meta" / "x"
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text("{")
    for environment in ({"DOCKER_CONTEXT": "x"}, {"DOCKER_MACHINE_NAME": "../a", "DOCKER_HOST": URL}):
        assert hooked(plugged.directory, ["ps"], SILENT, {**plugged.environment, **environment}) == expected


def test_what_a_record_holds_is_no_template_and_moves_no_cursor(plugged: PluggedDocker, store: Store) -> None:
    machine(store, "orionbox", 'tcp://{{.Root.Name}}"`:1')
    environment = {**plugged.environment, "DOCKER_HOST": URL, "DOCKER_MACHINE_NAME": "orionbox"}
    (said,) = hooked(plugged.directory, ["ps"], SILENT, environment)
    assert said.startswith('"orionbox" is at tcp://{{.Root.Name}}"`:1 now, docker looked at')


def test_without_a_store_nothing_is_said_nor_made(plugged: PluggedDocker, store: Store) -> None:
    assert hooked(plugged.directory, ["ps"], SILENT, plugged.environment) == []
    assert not os.path.exists(store.root)
