"""An expired or missing certificate is named where one meets it: which, since when, and what to type."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.hosts.certificate_files import signed
from machinectl.machines.record import Machine
from machinectl.machines.tls_warnings import expired_certificate
from machinectl.provision.host_changes import CaTrusted
from tests.hosts.test_pending import serving
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.hosts.identity import Identity
    from machinectl.machines.store import Store

NOW = datetime.now(UTC)
OWN, GRANTED, OTHERS = "own", "granted", "others"
COMMANDS = {
    OWN: "Renew them: machinectl renew --due orion",
    GRANTED: "Ask alice@vega for a new one: machinectl access renew orion",
    OTHERS: "Get its certificates from whoever made them: machinectl certs import orion <DIR>",
}
IMPORT = COMMANDS[OTHERS]


def identity(*, client: int = 0, server: int = 0) -> Identity:
    """Return certificates that were made so many days ago."""
    ca = certs.new_ca("machinectl orion", now=NOW - timedelta(days=1000))
    return signed(
        ca,
        certs.issue_server(ca, ["127.0.0.1"], now=NOW - timedelta(days=server)),
        certs.issue_client(ca, "orion", now=NOW - timedelta(days=client)),
    )


def orion(store: Store, found: Identity, whose: str, port: int = 1) -> Machine:
    machine = Machine("orion", "none", url=f"tcp://127.0.0.1:{port}", tls=True)
    machine.driver_state = f'{{"URL": "{machine.url}"}}'
    files = found.files if whose == OWN else {name: found.files[name] for name in ("ca.pem", "cert.pem", "key.pem")}
    if whose == OWN:
        machine.changes = [CaTrusted("0")]
    elif whose == GRANTED:
        machine.access = {"state": "granted", "by": "alice@vega"}
    return added(store, machine, files)


@pytest.fixture(scope="module")
def expired() -> Identity:
    return identity(client=820 + 9)


@pytest.fixture
def engine(expired: Identity, tmp_path: Path) -> Iterator[int]:
    with serving(expired, tmp_path) as port:
        yield port


DAY = f"{NOW - timedelta(days=9):%Y-%m-%d}"


@pytest.mark.parametrize("whose", COMMANDS)
def test_env_warns_on_stderr_and_prints_the_same_lines(store: Store, expired: Identity, whose: str) -> None:
    orion(store, expired, whose)
    done = machinectl("env", "--shell=sh", "orion", store=store.root)
    assert done.returncode == 0
    assert [line.strip() for line in done.stderr.splitlines()] == [
        f'Warning: Your certificate for "orion" expired on {DAY}',
        COMMANDS[whose],
    ]
    assert done.stdout.startswith('export DOCKER_TLS_VERIFY="1"\n')


@pytest.mark.parametrize(
    ("whose", "lost", "what", "command"),
    [
        (OWN, "key.pem", "no readable key.pem", "Replace them: machinectl provision orion"),
        (OWN, "ca.pem ca-key.pem", "no readable ca.pem", "Replace them: machinectl provision orion"),
        (OWN, "ca.pem cert.pem key.pem", "no certificates", "Replace them: machinectl provision orion"),
        (OWN, "cert.pem ca-key.pem", "no readable cert.pem", IMPORT),
        (GRANTED, "cert.pem key.pem", "no readable cert.pem and key.pem", COMMANDS[GRANTED]),
        (OTHERS, "ca.pem", "no readable ca.pem", IMPORT),
    ],
)
@pytest.mark.parametrize("verb", ["env", "config"])
def test_env_and_config_warn_of_files_that_docker_will_miss(
    store: Store, verb: str, whose: str, lost: str, what: str, command: str
) -> None:
    directory = orion(store, identity(), whose).directory
    whole = machinectl(verb, "orion", store=store.root)
    for file in lost.split():
        Path(directory, file).unlink()
    done = machinectl(verb, "orion", store=store.root)
    assert (whole.stderr, done.stdout, done.returncode) == ("", whole.stdout, 0)
    assert [line.strip() for line in done.stderr.splitlines()] == [
        f'Warning: "orion" has {what}: docker needs ca.pem, cert.pem and key.pem in {directory}',
        command,
    ]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, Path.touch])
def test_env_warns_of_a_file_that_docker_cannot_read(store: Store, make: Callable[[Path], object]) -> None:
    key = Path(orion(store, identity(), OTHERS).directory, "key.pem")
    key.unlink()
    make(key)
    done = machinectl("env", "orion", store=store.root)
    assert [line.strip() for line in done.stderr.splitlines()] == [
        f'Warning: "orion" has no readable key.pem: docker needs ca.pem, cert.pem and key.pem in {key.parent}',
        IMPORT,
    ]


@pytest.mark.parametrize("file", ["key.pem", "ca.pem"])
@pytest.mark.parametrize(
    ("whose", "command"),
    [(OWN, "Replace them: machinectl provision orion"), (GRANTED, COMMANDS[GRANTED]), (OTHERS, IMPORT)],
)
@pytest.mark.parametrize("damage", ["cut", "another's"])
def test_damaged_certificates_are_told_with_what_replaces_them(
    store: Store, whose: str, command: str, file: str, damage: str
) -> None:
    path = Path(orion(store, identity(), whose).directory, file)
    path.write_bytes({"cut": path.read_bytes()[:99], "another's": identity().files[file]}[damage])
    examined = json.loads(machinectl("doctor", "--json", "orion", store=store.root).stdout)
    [found] = [check for one in examined for check in one["Checks"] if check["Title"] == "Certificates"]
    assert found["Hint"].startswith("Renew them: machinectl regenerate-certs" if whose == OWN else command)
    # Only the engine's answer shows that a CA is another one's.
    if (file, damage) != ("ca.pem", "another's"):
        asked = machinectl("version", "orion", store=store.root)
        assert asked.stderr.splitlines()[-1].strip() == command


@pytest.mark.parametrize("whose", COMMANDS)
def test_ls_and_status_say_it_and_what_to_type(store: Store, engine: int, expired: Identity, whose: str) -> None:
    orion(store, expired, whose, engine)
    cause = f'Your certificate for "orion" expired on {DAY}'
    listed = machinectl("ls", "--format", "{{.Error}}", store=store.root)
    assert listed.stdout == f"{cause}. {COMMANDS[whose]}\n"
    shown = machinectl("status", "--json", "orion", store=store.root).stdout
    assert cause.replace('"', '\\"') in shown
    assert COMMANDS[whose] in shown
    assert machinectl("ps", store=store.root).stderr == f"Error: {cause}\n  {COMMANDS[whose]}\n"


def test_a_valid_certificate_is_no_news_however_soon_it_expires(store: Store) -> None:
    orion(store, identity(client=819, server=819), OWN)
    assert machinectl("env", "--shell=sh", "orion", store=store.root).stderr == ""


def test_the_server_and_the_ca_are_named_too(store: Store) -> None:
    machine = orion(store, identity(server=900), OWN)
    found = expired_certificate(machine)
    assert found is not None
    assert found.cause.startswith('The certificate of "orion" expired on ')
    later = expired_certificate(machine, NOW + timedelta(days=certs.CA_DAYS))
    assert later is not None
    assert later.hint == "Renew them: machinectl regenerate-certs --client-certs --new-ca orion"
