from __future__ import annotations

import base64
import json
import os
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage
import pytest

from machinectl import certs
from machinectl.access.access_rows import list_access
from machinectl.errors import MachineError
from machinectl.exports import age
from machinectl.exports.docker_machine_import import ImportedMachine
from machinectl.exports.export_document import (
    ExportDocument,
    parse_document,
    read_export,
)
from machinectl.exports.exporting import Encryption, Secrets, export
from machinectl.exports.restoring import import_export
from machinectl.hosts.identity import Identity, store_pending
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store
from machinectl.provision.host_changes import CaTrusted
from tests.support.in_process import machinectl
from tests.support.program import killed_at
from tests.support.quiet import Quiet
from tests.support.real import small_disk
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Mapping


SSH_KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nof machine\n-----END OPENSSH PRIVATE KEY-----\n"
KEYS = Secrets(ca_key=True, ssh_key=True)
NO_KEYS = Secrets()
SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def identity() -> Identity:
    ca = certs.new_ca("machinectl orion")
    server, client = certs.issue_server(ca, ["192.0.2.1"]), certs.issue_client(ca, "me")
    return Identity(ca.certificate, client.certificate, client.key, ca.key, server.certificate, server.key)


@pytest.fixture
def there(tmp_path: Path) -> Store:
    """The store of the second computer."""
    return Store(str(tmp_path / "there"))


def recipient(key: Path) -> str:
    return str(pyrage.x25519.Identity.from_str(key.read_text().strip()).to_public())


def add_server(store: Store, name: str, identity: Identity, *, address: str = "192.0.2.1", **values: Any) -> Machine:
    """A machine of the generic driver, with an SSH key of its own."""
    state = {"IPAddress": address, "SSHUser": "ops", "SSHPort": 22, "SSHKeyPath": "id_ssh", "EnginePort": 2376}
    machine = Machine(name, "generic", url=f"tcp://{address}:2376", tls=True, driver_state=json.dumps(state), **values)
    machine.options = {"generic-ip-address": address, "generic-ssh-key": "/home/me/.ssh/id_orion"}
    known = {"known_hosts": b"machinectl ssh-ed25519 AAAA\n", "id_ssh": SSH_KEY, "id_ssh.pub": b"pub\n"}
    return added(store, machine, {**identity.present, **known})


def import_all(store: Store, document: ExportDocument, *words: str) -> dict[str, ImportedMachine | MachineError]:
    return dict(import_export(store, Quiet(), document, words))


def imported(store: Store, document: ExportDocument, *words: str, **more: Any) -> dict[str, ImportedMachine]:
    results = dict(import_export(store, Quiet(), document, words, **more))
    machines = {name: result for name, result in results.items() if not isinstance(result, MachineError)}
    assert machines.keys() == results.keys(), results
    return machines


class Trip:
    """Two computers: `store` is that of the first one, `there` that of the second; `key` opens the export `file`."""

    def __init__(self, store: Store, identity: Identity, directory: Path) -> None:
        self.store, self.there = store, Store(str(directory / "there"))
        self.identity, self.file = identity, str(directory / "laptop.age")
        self.key = directory / "identity.txt"
        self.key.write_text(f"{pyrage.x25519.Identity.generate()}\n")

    def add(self, name: str, **values: Any) -> Machine:
        return add_server(self.store, name, self.identity, **values)

    def write(self, names: list[str], secrets: Secrets = NO_KEYS, *, to: str = "", force: bool = False) -> Quiet:
        console, encryption = Quiet(), Encryption([recipient(self.key)])
        export(self.store, console, names, to or self.file, encryption, secrets, force=force)
        return console

    def read(self, file: str = "") -> ExportDocument:
        return read_export(file or self.file, Quiet(), [str(self.key)])

    def imported(self, *words: str, **more: Any) -> dict[str, ImportedMachine]:
        return imported(self.there, self.read(), *words, **more)


@pytest.fixture
def trip(store: Store, identity: Identity, tmp_path: Path) -> Trip:
    return Trip(store, identity, tmp_path)


def contents(store: Store, name: str) -> dict[str, bytes]:
    root = Path(store.directory(name))
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_second_computer_has_the_same_machine(trip: Trip) -> None:
    revision = {"number": 4, "run": "abc", "at": "2026-11-01T00:00:00Z", "by": "me@desk", "engine": {}, "labels": {}}
    trip.add("orion", labels={"role": "web"}, revision=revision, fleet="lab", swarm={"id": "x"})
    trip.write(["orion"], KEYS)
    result = trip.imported()
    assert result["orion"].new
    # No fleet trip.file here may change or remove it unasked.
    with trip.store.writing("orion") as held:
        held.machine.fleet = ""
        held.write()
    assert contents(trip.there, "orion") == contents(trip.store, "orion")
    # What the other computer changes on the host after this is news here, and the other way round.
    assert trip.there.read("orion").revision == revision
    for path in Path(trip.there.root, "machines").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_the_file_is_the_owners_alone_and_holds_nothing_readable(trip: Trip) -> None:
    trip.add("orion")
    before = os.umask(0)
    try:
        trip.write(["orion"], KEYS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(trip.file).st_mode) == 0o600
    text = Path(trip.file).read_bytes()
    assert age.is_age_file(text)
    assert not any(word in text for word in (b"orion", b"PRIVATE", b"192.0.2.1"))


def test_keys_that_give_more_than_the_engine_stay_unless_asked_for(trip: Trip) -> None:
    trip.add("orion")
    trip.write(["orion"])
    exported = trip.read().machines["orion"]
    assert exported.left_out == ("ca-key.pem", "id_ssh", "id_ssh.pub")
    assert trip.identity.ca_key not in exported.files.values()
    assert SSH_KEY not in exported.files.values()
    remarks = trip.imported()["orion"].remarks
    assert [hint.partition(": ")[2] for _, hint in remarks] == ["machinectl set --ssh-key <FILE> orion"]


def test_holders_go_along_and_their_keys_on_request(trip: Trip) -> None:
    holders = {"alice": {"kind": "person", "ca": "00", "state": "", "by": "me@desk", "since": "", "keys": []}}
    trip.add("orion", holders=holders)
    ca = certs.new_ca("machinectl orion alice")
    os.makedirs(os.path.join(trip.store.directory("orion"), "holders", "alice"))
    with trip.store.writing("orion") as held:
        held.write_file("holders/alice/ca.pem", ca.certificate)
        held.write_file("holders/alice/ca-key.pem", ca.key)
    trip.write(["orion"])
    trip.imported()
    assert trip.there.read("orion").holders == holders
    assert "holders/alice/ca.pem" in contents(trip.there, "orion")
    assert "holders/alice/ca-key.pem" not in contents(trip.there, "orion")


def test_jump_hosts_go_along_and_keep_their_new_names(trip: Trip) -> None:
    trip.add("gate", address="192.0.2.1")
    trip.add("inner", address="192.0.2.2", jump="machine:gate")
    trip.add("web", address="192.0.2.3", jump="machine:inner")
    trip.add("other", address="192.0.2.4")
    console = trip.write(["web"])
    assert "Jump hosts go along: gate, inner" in console.notes
    assert list(trip.read().machines) == ["gate", "inner", "web"]
    assert [result.new for result in trip.imported(dry_run=True).values()] == [True] * 3
    assert trip.there.names() == []
    assert list(trip.imported("web", "bastion:gate")) == ["bastion", "inner", "web"]
    assert trip.there.names() == ["bastion", "inner", "web"]
    assert trip.there.read("inner").jump == "machine:bastion"
    assert trip.there.read("web").jump == "machine:inner"
    again = trip.imported()
    assert again["gate"].here.name == "bastion"
    assert not again["gate"].new
    assert trip.there.read("inner").jump == "machine:bastion"


def test_a_machine_behind_a_jump_host_that_is_refused_is_refused_too(trip: Trip) -> None:
    trip.add("gate")
    trip.add("web", address="192.0.2.3", jump="machine:gate")
    trip.add("single", address="192.0.2.4")
    added(trip.there, Machine("gate", "none", url="tcp://198.51.100.1:2376", tls=False))
    trip.write(["web", "single"])
    found = import_all(trip.there, trip.read())
    assert isinstance(found["gate"], MachineError)
    assert isinstance(found["web"], MachineError)
    assert 'its jump host "gate" is not' in found["web"].cause
    assert trip.there.names() == ["gate", "single"]


def test_importing_again_changes_nothing(trip: Trip) -> None:
    trip.add("orion")
    trip.write(["orion"], KEYS)
    trip.imported()
    with trip.there.writing("orion") as held:
        held.machine.labels = {"role": "mine"}
        held.write()
    before = contents(trip.there, "orion")
    result = trip.imported()["orion"]
    assert (result.new, result.remarks) == (False, ())
    assert contents(trip.there, "orion") == before


def test_another_machine_of_that_name_stays_and_the_import_takes_another_one(trip: Trip) -> None:
    trip.add("orion")
    other = Identity(ca=certs.new_ca("another").certificate)
    add_server(trip.there, "Orion", other)
    before = contents(trip.there, "Orion")
    trip.write(["orion"])
    refused = import_all(trip.there, trip.read())["orion"]
    assert isinstance(refused, MachineError)
    assert 'there is another machine "Orion" here' in refused.cause
    assert "machinectl rename Orion <NEW-NAME>" in refused.hint
    assert contents(trip.there, "Orion") == before
    assert trip.imported("laptops:orion")["laptops"].new


def test_an_incomplete_machine_is_refused_and_no_file_is_written(trip: Trip) -> None:
    trip.add("orion")
    trip.add("half", phase=Phase.PROVISIONING)
    with pytest.raises(MachineError, match='"half" is incomplete'):
        trip.write(["orion", "half"])
    assert not os.path.lexists(trip.file)


def test_a_machine_that_has_lost_a_file_is_refused_with_what_brings_it_back(trip: Trip) -> None:
    trip.add("orion")
    os.unlink(os.path.join(trip.store.directory("orion"), "key.pem"))
    with pytest.raises(MachineError, match=r'"orion" has no readable key\.pem') as refused:
        trip.write(["orion"])
    assert "machinectl " in refused.value.hint
    assert not os.path.lexists(trip.file)


def test_a_machine_whose_certificates_are_uncertain_is_refused(trip: Trip) -> None:
    trip.add("orion", address="127.0.0.1")
    with trip.store.writing("orion") as held:
        store_pending(held, Identity(ca=certs.new_ca("next").certificate, client=b"x", client_key=b"y"))
    with pytest.raises(MachineError, match="may get other certificates") as refused:
        trip.write(["orion"])
    assert refused.value.hint == "Finish that first: machinectl provision orion"
    assert not os.path.lexists(trip.file)


def test_an_existing_file_is_kept_without_force(trip: Trip) -> None:
    trip.add("orion")
    users = Path(trip.file).with_name(f".{Path(trip.file).name}.tmp")
    users.write_text("the user's own")
    Path(trip.file).write_text("mine")
    with pytest.raises(MachineError, match="exists already, and was not changed"):
        trip.write(["orion"])
    assert Path(trip.file).read_text() == "mine"
    trip.write(["orion"], force=True)
    assert age.is_age_file(Path(trip.file).read_bytes())
    assert users.read_text() == "the user's own"
    with pytest.raises(MachineError, match="is not a regular file"):
        trip.write(["orion"], to=str(trip.key.parent), force=True)
    with pytest.raises(MachineError, match="cannot be written: No such file"):
        trip.write(["orion"], to=str(trip.key.parent / "none" / "x.age"))


@pytest.mark.usefixtures("little_work")
def test_the_passphrase_is_typed_twice(trip: Trip) -> None:
    trip.add("orion")
    for answers, why in (([""], "protects nothing"), ([SECRET, "another"], "differ, and nothing was written")):
        with pytest.raises(MachineError, match=why):
            export(trip.store, Quiet(*answers), ["orion"], trip.file, Encryption(), NO_KEYS)
    console = Quiet(SECRET, SECRET)
    export(trip.store, console, ["orion"], trip.file, Encryption(), NO_KEYS)
    assert len(console.asked) == 2
    assert imported(trip.there, read_export(trip.file, Quiet(SECRET)))["orion"].new


@pytest.mark.usefixtures("little_work")
def test_without_a_terminal_a_passphrase_comes_from_a_file(trip: Trip, tmp_path: Path) -> None:
    trip.add("orion")
    with pytest.raises(MachineError, match="no terminal to ask") as refused:
        export(trip.store, Quiet(), ["orion"], trip.file, Encryption(), NO_KEYS)
    assert "--passphrase-file FILE" in refused.value.hint
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    export(trip.store, Quiet(), ["orion"], trip.file, Encryption(passphrase_file=str(secret)), NO_KEYS)
    with pytest.raises(MachineError, match="no terminal to ask"):
        read_export(trip.file, Quiet(), can_ask=False)
    with pytest.raises(MachineError, match="--identity does not open it"):
        read_export(trip.file, Quiet(), ["identity"])
    assert imported(trip.there, read_export(trip.file, Quiet(), passphrase_file=str(secret)))["orion"].new
    secret.write_text("another\n")
    with pytest.raises(age.NotDecrypted, match="The passphrase is wrong"):
        read_export(trip.file, Quiet(), passphrase_file=str(secret))


def encrypted(content: bytes, key: Path, file: str) -> str:
    Path(file).write_bytes(age.encrypt_for(content, [recipient(key)], armored=True))
    return file


RECORD = {"schema": 1, "driver": "none", "url": "tcp://192.0.2.1:2376", "tls": True, "driver_state": '{"URL": "x"}'}
MACHINE = {"record": RECORD, "files": {"ca.pem": base64.b64encode(b"ca").decode()}, "left_out": []}
DOCUMENT = {"machinectl": "export", "version": 1, "made": "", "by": "", "machines": {"orion": MACHINE}}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"machinectl": "export"},
        {**DOCUMENT, "machinectl": "request"},
        {**DOCUMENT, "version": "1"},
        {**DOCUMENT, "machines": []},
        *({**DOCUMENT, "machines": {name: MACHINE}} for name in ("", "..", "../x", "a/b", "-o", "a\n", "ä", "x" * 300)),
        {**DOCUMENT, "machines": {"orion": MACHINE, "ORION": MACHINE}},
        {**DOCUMENT, "machines": {"orion": {}}},
        {**DOCUMENT, "machines": {"orion": None}},
        {**DOCUMENT, "machines": {"orion": {**MACHINE, "record": "text"}}},
        {**DOCUMENT, "machines": {"orion": {**MACHINE, "files": {"ca.pem": "***"}}}},
        {**DOCUMENT, "machines": {"orion": {**MACHINE, "files": {"ca.pem": 7}}}},
        {**DOCUMENT, "machines": {"orion": {**MACHINE, "files": {"ca.pem": "A" * (2 << 20)}}}},
        {**DOCUMENT, "machines": {"orion": {**MACHINE, "left_out": "none"}}},
    ],
)
def test_a_document_of_another_kind_is_refused(document: Any) -> None:
    for text in (json.dumps(document).encode(), b"\xff", b"[" * 100_000, b'{"machinectl": "export", "version": 1'):
        with pytest.raises(MachineError, match="holds no machines that machinectl exported"):
            parse_document(text)
    with pytest.raises(MachineError, match="written by a newer machinectl"):
        parse_document(json.dumps({**DOCUMENT, "version": 2}).encode())


GENERIC = {**RECORD, "driver": "generic"}


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJrwTXSUsyOyAGUOvQk0kuk1iUl8UsJJAl1mIm7bCzBt"


SHARED = {"asked": "web1", "who": "alice", "request": "0" * 16, "made": "2026-11-28T12:00:00Z", "state": "granted"}
FORGED_ACCESS: list[dict[str, Any]] = [
    {"asked": "web1; touch pwned"},
    {"called": "vega; touch pwned"},
    {"who": "$(touch pwned)"},
    {"state": "owner"},
    {"until": "2026-11-28"},
    {"by": "root, or run `touch pwned` as"},
]
FORGED_HOLDERS: list[Any] = [
    "text",
    {"kind": "owner"},
    {"by": "me\x1b[2J"},
    {"keys": [{"key": "00", "until": "never"}]},
]


def generic(**given: str) -> dict[str, Any]:
    state = {"IPAddress": "192.0.2.1", "EnginePort": 2376, **given}
    return {**GENERIC, "driver_state": json.dumps(state)}


@pytest.mark.parametrize(
    ("record", "files", "why"),
    [
        (RECORD, {"../../authorized_keys": b"x"}, "an export has no"),
        (RECORD, {"/etc/passwd": b"x"}, "an export has no"),
        (RECORD, {"machine.json": b"{}"}, "an export has no"),
        (RECORD, {"holders/alice/ca.pem": b"x"}, "an export has no"),
        ({**RECORD, "holders": {"..": {"kind": "person"}}}, {"holders/../ca.pem": b"x"}, "an export has no"),
        ({**RECORD, "holders": {"a/b": {"kind": "person"}}}, {"holders/a/b/ca.pem": b"x"}, "an export has no"),
        (generic(SSHKeyPath="../../.ssh/id"), {"../../.ssh/id": b"x"}, "outside of the machine's directory"),
        (generic(SSHKeyPath="machine.json"), {"machine.json": b"x"}, "an export has no"),
        ({**GENERIC, "driver_state": "text"}, {}, 'its "driver_state" is invalid'),
        *(
            ({**RECORD, "driver_state": state}, {}, 'its "driver_state" is invalid')
            for state in ("{}", "7", "[" * 9999)
        ),
        # A driver's state may name somebody's server.
        ({**RECORD, "driver": "cloud"}, {}, "its driver is cloud, not none or generic"),
        ({**RECORD, "schema": 99}, {}, "written by a newer machinectl"),
        ({**RECORD, "schema": "1"}, {}, "has no schema version"),
        ({**RECORD, "url": "ssh://-oProxyCommand=x"}, {}, "could take for an option"),
        ({**RECORD, "url": "tcp://\x1b[2J"}, {}, "unprintable"),
        ({**RECORD, "phase": "creating"}, {}, "is incomplete"),
        ({**RECORD, "labels": 7}, {}, "labels"),
        ({**RECORD, "pending": "provision; touch pwned #"}, {}, 'has an unknown "pending" verb'),
        ({**RECORD, "lifetime": "$(touch pwned)"}, {}, "--access-lifetime takes"),
        ({**RECORD, "addresses": [":"]}, {}, "is not an address or a name alone"),
        ({**RECORD, "addresses": [f"10.8.0.{number}" for number in range(17)]}, {}, "has at most 16 addresses"),
        *(({**RECORD, "access": {**SHARED, **forged}}, {}, 'its "access" is invalid') for forged in FORGED_ACCESS),
        *(({**RECORD, "holders": {"bob": forged}}, {}, 'its "holders" are invalid') for forged in FORGED_HOLDERS),
        ({**RECORD, "ended": [{"who": "$(touch pwned)", "keys": []}]}, {}, 'its "ended" is invalid'),
        ({**RECORD, "engine": {"bind": "nowhere"}}, {}, "is not an address"),
        ({**RECORD, "labels": {"role": "\x1b[2J"}}, {}, "its label 'role'"),
        ({**RECORD, "labels": {" ": "web"}}, {}, "its label '' is empty"),
        ({**RECORD, "engine": {"options": ["label=a\nExecStartPre=/bin/sh"]}}, {}, "--engine-opt 'label'"),
        ({**RECORD, "engine": {"options": ["host=tcp://0.0.0.0"]}}, {}, "machinectl sets it"),
        ({**RECORD, "engine": {"env": ["A=b\nExecStartPre=/bin/sh"]}}, {}, "is not a variable"),
        ({**RECORD, "engine": {"registry_mirrors": ["a\nb"]}}, {}, "--engine-registry-mirror 'a"),
        ({**RECORD, "engine": {"later": ["a\nb"]}}, {}, 'the "later" of its engine'),
        (RECORD, {"known_hosts": f"@cert-authority * {HOST_KEY}\n".encode()}, "its known_hosts trusts a CA"),
        (RECORD, {"known_hosts": f"web {HOST_KEY}\n \t* {HOST_KEY}".encode()}, "hosts that it does not name"),
        (RECORD, {"known_hosts": f"a\x1f,* {HOST_KEY}\n".encode()}, "hosts that it does not name"),
        (generic(SSHUser="-oProxyCommand=x"), {}, "is not a user's name"),
        (generic(IPAddress="-oProxyCommand=x"), {}, "is not a host's name"),
        ({**generic(), "url": "unix:///var/run/docker.sock"}, {}, "an engine of this computer"),
        ({**RECORD, "schema": 2, "jump": "machine:orion"}, {}, 'its jump host "orion" is not'),
        ({**RECORD, "schema": 2, "jump": "machine:../x"}, {}, "neither machine:NAME nor host:NAME"),
        ({**RECORD, "schema": 2, "jump": "host:-oProxyCommand=x"}, {}, "-oProxyCommand=x"),
        ({**RECORD, "schema": 2, "jump": "host:a\u202eb"}, {}, "is not a host's name"),
    ],
)
def test_hostile_machines_are_refused(
    there: Store, record: Mapping[str, Any], files: Mapping[str, bytes], why: str
) -> None:
    packed = {name: base64.b64encode(data).decode() for name, data in files.items()}
    machines = {"orion": {"record": record, "files": packed, "left_out": []}}
    found = import_all(there, parse_document(json.dumps({**DOCUMENT, "machines": machines}).encode()))["orion"]
    assert isinstance(found, MachineError)
    assert why in found.cause
    assert there.names() == []
    assert [path for path in Path(there.root).rglob("*") if path.is_file() and path.parent.name != "locks"] == []


def test_who_has_access_to_a_machine_is_imported(there: Store) -> None:
    key = {"key": "00", "until": "2026-12-05T12:00:00Z", "request": "0" * 16}
    holders = {"bob": {"kind": "person", "by": "me@desk", "since": "2026-11-28T12:00:00Z", "keys": [key]}}
    ended = [{"who": "carol", "keys": ["00"], "when": "2026-11-28T12:00:00Z"}]
    machine = {**MACHINE, "record": {**RECORD, "access": SHARED, "holders": holders, "ended": ended}}
    document = parse_document(json.dumps({**DOCUMENT, "machines": {"orion": machine}}).encode())
    assert isinstance(import_all(there, document)["orion"], ImportedMachine)
    assert [(row.holder, row.until) for row in list_access(there, ["orion"])] == [("alice", ""), ("bob", key["until"])]


def test_no_export_decides_what_is_undone_on_the_host(there: Store) -> None:
    ours, group = {"kind": "ca", "path": "ab" * 32}, {"kind": "group", "path": "ops sudo"}
    machines = {
        name: {**MACHINE, "record": {**RECORD, "url": f"tcp://{name}:2376", "changes": changes}}
        for name, changes in (("orion", [group, ours, {"kind": "teleported"}]), ("vega", [group]))
    }
    found = imported(there, parse_document(json.dumps({**DOCUMENT, "machines": machines}).encode()))
    assert (there.read("orion").changes, there.read("vega").changes) == ((CaTrusted("ab" * 32),), ())
    assert found["orion"].remarks == ()
    [(text, hint)] = found["vega"].remarks
    assert text == "only the other computer knows what was done on its host, and can undo that"
    assert hint == "There: machinectl rm --purge vega"


@pytest.mark.parametrize(("cluster", "membership"), [("prod", "member"), ("", "joining"), ("mine", "leaving")])
def test_no_export_decides_whom_a_swarm_here_believes(there: Store, cluster: str, membership: str) -> None:
    """A recorded manager is asked who is in the swarm, and new nodes join where it says."""
    node = {"swarm": "gate", "cluster": "prod", "node": "a", "role": "manager"}
    added(there, Machine("gate", "none", url="tcp://192.0.2.9:2376", tls=False, swarm=node))
    record = {**RECORD, "swarm": {**node, "cluster": cluster, "node": "b", "membership": membership}}
    machines = {"orion": {**MACHINE, "record": record}}
    found = imported(there, parse_document(json.dumps({**DOCUMENT, "machines": machines}).encode()))["orion"]
    assert there.read("orion").swarm == {}
    assert [hint for _, hint in found.remarks] == [
        "If it is a node of that swarm, record it: machinectl swarm join <MANAGER> orion"
    ]


def test_no_export_decides_who_signs_prunes_or_deletes(there: Store) -> None:
    """docker-machine's machines share a CA: its certificate for a stranger's host would be good for all their names.

    A fleet file here would remove a machine that claims to be of it, and a driver would delete what the state names.
    """
    origin = {"store": "/home/me/.docker/machine", "name": "web", "driver": "generic"}
    forged = {"origin": origin, "fleet": "lab", "made": True, "applied": {"labels": {"role": "web"}}}
    machines = {"orion": {**MACHINE, "record": {**RECORD, **forged, "pending": "provision"}}}
    imported(there, parse_document(json.dumps({**DOCUMENT, "machines": machines}).encode()))
    machine = there.read("orion")
    assert (machine.origin, machine.fleet, machine.made, machine.applied) == ({}, "", False, {})
    assert machine.pending == "provision"


def test_a_full_disk_leaves_no_file(trip: Trip, tmp_path: Path) -> None:
    for number in range(8):
        trip.add(f"m{number}", address=f"192.0.2.{number + 1}")
    with small_disk(tmp_path / "tiny", "size=8k") as disk:
        with pytest.raises(MachineError, match="No space left on device") as refused:
            trip.write(trip.store.names(), to=str(disk / "x.age"))
        assert "df -h" in refused.value.hint
        assert os.listdir(disk) == []


def test_an_import_that_is_killed_anywhere_leaves_no_half_machine(trip: Trip, tmp_path: Path) -> None:
    trip.add("gate")
    trip.add("web", address="192.0.2.3", jump="machine:gate")
    trip.write(["web"], KEYS)
    number, died = 1, True
    while died:
        there = Store(str(tmp_path / f"store{number}"))
        done = killed_at(number, there.root, "import", trip.file, "--identity", trip.key, "--no-context")
        died = done.returncode == -signal.SIGKILL
        assert died or done.returncode == 0
        for name in there.names():
            assert set(contents(there, name)) == set(contents(trip.store, name))
        assert imported(there, trip.read()).keys() == {"gate", "web"}
        assert not os.path.exists(there.staging) or os.listdir(there.staging) == []
        number += 9
    assert number > 20


def test_an_export_that_is_killed_anywhere_leaves_nothing_readable(trip: Trip) -> None:
    """The content never exists unencrypted on disk."""
    trip.add("orion")
    number, died = 1, True
    while died:
        # In the trip.store, so that what is written there counts as a touch.
        directory = Path(trip.store.root, f"out{number}")
        directory.mkdir()
        file = directory / "x.age"
        done = killed_at(
            number, trip.store.root, "export", "orion", "-o", file, "-r", recipient(trip.key), "--with-ca-key"
        )
        died = done.returncode == -signal.SIGKILL
        for path in directory.iterdir():
            data = path.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert b"PRIVATE" not in data
            assert b"orion" not in data
        if file.exists():
            assert trip.read(str(file)).machines
        number += 1
    assert done.returncode == 0, done.stderr


def test_stdout_and_stdin_carry_text(trip: Trip) -> None:
    trip.add("orion")
    done = machinectl("export", "orion", "-o", "-", "-r", recipient(trip.key), store=trip.store.root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert "machinectl import <FILE>" in done.stderr
    pasted = f"\n{done.stdout}\n".replace("\n", "\r\n")
    took = machinectl("import", "-", "--identity", trip.key, store=trip.there.root, stdin=pasted)
    assert took.stdout == "orion: imported (driver generic, tcp://192.0.2.1:2376)\n", took.stderr
    assert took.returncode == 0
