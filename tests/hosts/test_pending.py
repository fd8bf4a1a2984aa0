"""New certificates are stored before an engine gets them: whichever set it serves, its owner can log in."""

from __future__ import annotations

import os
import shutil
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.identity import (
    Identity,
    discard_pending,
    pending_sets,
    settle_pending,
    settle_pending_held,
    store_pending,
)
from machinectl.machines.record import Machine
from machinectl.machines.store.store_paths import PENDING
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Held, Store


def identity() -> Identity:
    ca = certs.new_ca("machinectl orion")
    return signed(ca, certs.issue_server(ca, ["127.0.0.1"]), certs.issue_client(ca, "orion"))


OLD, NEW = identity(), identity()


@contextmanager
def serving(identity: Identity, directory: Path) -> Iterator[int]:
    """An engine that takes the clients of one set alone."""
    chain, ca = directory / "chain.pem", directory / "engines-ca.pem"
    chain.write_bytes(identity.server + identity.server_key)
    ca.write_bytes(identity.ca)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain)
    tls.load_verify_locations(ca)
    tls.verify_mode = ssl.CERT_REQUIRED
    with servers.serving(servers.engine, tls) as port:
        yield port


def orion(store: Store, port: int) -> None:
    """A machine with the old set, to whose engine the new one was on its way."""
    machine = Machine("orion", "none", url=f"tcp://127.0.0.1:{port}", tls=True)
    machine.driver_state = f'{{"URL": "{machine.url}"}}'
    added(store, machine, OLD.files)
    with store.writing("orion") as held:
        store_pending(held, NEW)


def own(store: Store) -> Identity:
    return Identity.read(store.directory("orion"))


def kept(store: Store) -> list[Identity]:
    return [Identity.read(path) for path in pending_sets(store.directory("orion"))]


@pytest.mark.parametrize("verb", ["ls", "status", "env", "config"])
def test_the_set_that_the_engine_serves_becomes_current_and_the_other_is_kept(
    store: Store, tmp_path: Path, verb: str
) -> None:
    with serving(NEW, tmp_path) as port:
        orion(store, port)
        done = machinectl(verb, "--shell=sh", "orion", store=store.root) if verb == "env" else None
        done = done or machinectl(verb, *(["orion"] if verb != "ls" else []), store=store.root)
        assert done.returncode == 0, done.stderr
        assert own(store) == NEW
        assert kept(store) == [OLD]
        if verb in {"ls", "status"}:
            assert "Running" in done.stdout
    # A job that was sent before may still end on the host, and bring the old one back.
    with serving(OLD, tmp_path) as port:
        with store.writing("orion") as held:
            held.machine.url = f"tcp://127.0.0.1:{port}"
            held.write()
        settle_pending(store, "orion")
        assert (own(store), kept(store)) == (OLD, [NEW])


def test_an_engine_that_serves_a_new_ca_is_not_called_another_server(store: Store, tmp_path: Path) -> None:
    with serving(NEW, tmp_path) as port:
        orion(store, port)
        with store.writing("orion") as held:
            held.machine.addresses = ["127.0.0.2"]
            held.write()
        listed = machinectl("ls", store=store.root)
    assert "Running" in listed.stdout
    assert listed.stderr == ""


def test_an_engine_that_serves_the_machines_own_changes_nothing(store: Store, tmp_path: Path) -> None:
    with serving(OLD, tmp_path) as port:
        orion(store, port)
        settle_pending(store, "orion")
        assert (own(store), kept(store)) == (OLD, [NEW])
    # Nor does one that does not answer.
    settle_pending(store, "orion")
    assert (own(store), kept(store)) == (OLD, [NEW])


@pytest.mark.parametrize("how", ["sure", "long ago"])
def test_other_sets_are_removed_once_no_job_can_install_them(store: Store, tmp_path: Path, how: str) -> None:
    with serving(NEW, tmp_path) as port:
        orion(store, port)
        with store.writing("orion") as held:
            settle_pending_held(held)
            if how == "long ago":
                os.utime(os.path.join(held.directory, PENDING), (0, 0))
            settle_pending_held(held, sure=how == "sure")
    assert own(store) == NEW
    assert not store.is_unsettled("orion")


def test_a_locked_machine_is_not_waited_for(store: Store, tmp_path: Path) -> None:
    with serving(NEW, tmp_path) as port:
        orion(store, port)
        with store.writing("orion"):
            assert machinectl("env", "--shell=sh", "orion", store=store.root).returncode == 0
        assert own(store) == OLD
        # Nor is a read-only store changed.
        shutil.rmtree(store.locks)
        Path(store.locks).write_text("")
        assert machinectl("env", "--shell=sh", "orion", store=store.root).returncode == 0
    assert own(store) == OLD


def test_a_set_is_complete_and_private_or_absent(store: Store) -> None:
    orion(store, 1)

    def found(held: Held) -> list[str]:
        return sorted(path.name for path in Path(held.directory, PENDING).rglob("*.pem"))

    with store.writing("orion") as held:
        there = store_pending(held, NEW)
        assert Identity.read(there) == NEW
        assert found(held) == sorted(NEW.present)
        for root, directories, files in os.walk(os.path.join(held.directory, PENDING)):
            assert all(os.stat(os.path.join(root, one)).st_mode & 0o777 == 0o700 for one in directories)
            assert all(os.stat(os.path.join(root, one)).st_mode & 0o777 == 0o600 for one in files)
        # What a killed process left of it is none.
        Path(there, "key.pem").unlink()
        assert pending_sets(held.directory) == []
        assert Identity.read(store_pending(held, NEW)) == NEW
        discard_pending(held)
        assert pending_sets(held.directory) == []
    assert not store.is_unsettled("orion")
