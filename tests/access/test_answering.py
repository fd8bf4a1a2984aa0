"""`access grant`: what it shows and asks, the answer it prints, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.access import ending, granting
from machinectl.access.ending import end_access
from machinectl.access.messages import (
    AccessAnswer,
    AccessRequest,
    RequestedMachine,
    new_access_request,
    read_access_answer,
)
from machinectl.cli.verb_session import Session
from machinectl.errors import MachineError
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.login import Login
from machinectl.machines.holders import find_holder
from machinectl.machines.record import Machine
from machinectl.verbs.access_grant import access_grant
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from datetime import datetime

    from machinectl.machines.store import Store

STATE = '{"IPAddress": "192.0.2.29", "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376}'
HOST_KEY = "machinectl ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG4iJgmIqI5JhMV2tcQ2E0QX+d1FwO7hE0r3dGmKUKSV"
KEYS = {name: certs.new_key() for name in ("orion", "rigel", "ghost", "oriom")}


class Owner:
    """The owner's computer with the machines orion and rigel; `failing` are those whose engines fail."""

    def __init__(self, store: Store, directory: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        self.store = store
        self.directory = directory
        self.failing: set[str] = set()
        self._captured = capfdbinary

    def trust_ca(self, held: Any, *_: object, **__: object) -> bool:
        if held.name in self.failing:
            raise MachineError(f"port 22 on {held.name} refused the connection")
        return True

    def grant(self, request: AccessRequest | str, *answers: str, code: int = 0, **options: Any) -> Quiet:
        """Run the command, and return what it said; `printed` is its answer."""
        path = self.directory / "request.txt"
        path.write_text(request if isinstance(request, str) else request.text())
        here, console = Session(self.store.root), Quiet(*answers)
        here._console = console  # type: ignore[assignment]
        given: dict[str, Any] = {"who": None, "lifetime": "", "yes": not answers, "output": "", **options}
        flags = {"restart_swarm": False, "dry_run": False}
        assert access_grant(here, file=str(path), login=Login(), **{**flags, **given}) == code
        captured = self._captured.readouterr()
        self.printed, self.errors = captured.out, captured.err.decode()
        return console

    @property
    def answer(self) -> AccessAnswer:
        return read_access_answer(self.printed)


@pytest.fixture
def owner(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Owner:
    found = Owner(store, tmp_path, capfdbinary)
    monkeypatch.setattr(granting, "trust_ca", found.trust_ca)
    monkeypatch.setattr(ending, "distrust_cas", found.trust_ca)
    for name in ("orion", "rigel"):
        ca = certs.new_ca(f"machinectl {name}")
        files = signed(ca, certs.issue_server(ca, ["192.0.2.29"]), certs.issue_client(ca, name)).present
        machine = Machine(name, "generic", url="tcp://192.0.2.29:2376", tls=True, driver_state=STATE)
        machine.labels = {"role": "web"}
        added(store, machine, {**files, "known_hosts": f"{HOST_KEY}\n".encode()})
    return found


def rename(store: Store, name: str, new: str) -> None:
    done = machinectl("rename", name, new, store=store.root)
    assert done.returncode == 0, done.stderr


def request(*names: str, sender: str = "alice@laptop", made: datetime | None = None) -> AccessRequest:
    machines = [RequestedMachine(name, certs.signing_request(KEYS[name], name)) for name in names]
    return new_access_request(sender, machines, made)


def test_the_answer_has_all_that_the_other_computer_needs(owner: Owner) -> None:
    asked = request("orion")
    console = owner.grant(asked)
    [machine] = owner.answer.machines
    own = Path(owner.store.directory("orion"))
    assert owner.answer.request == asked.id
    assert (machine.name, machine.url, machine.known_hosts) == ("orion", "tcp://192.0.2.29:2376", (HOST_KEY,))
    assert (machine.ca, machine.labels) == ((own / "ca.pem").read_bytes(), (("role", "web"),))
    assert machine.key == certs.own_public_key(KEYS["orion"]).digest
    certs.client_bundle((own / "holders/alice@laptop/ca.pem").read_bytes(), machine.certificate, KEYS["orion"])
    assert f"Its fingerprint is {owner.answer.fingerprint}." in console.said[-1]


def test_nobody_gets_access_if_the_answers_file_cannot_be_written(owner: Owner) -> None:
    missing = owner.directory / "missing" / "answer.txt"
    with pytest.raises(MachineError, match=r"missing/answer\.txt cannot be written"):
        owner.grant(request("orion"), output=str(missing))
    assert owner.store.read("orion").holders == {}


def test_if_the_answers_file_fails_after_the_grant_it_says_how_to_get_the_answer(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = owner.directory / "answers"
    directory.mkdir()
    file = directory / "answer.txt"
    with monkeypatch.context() as patched:
        patched.setattr(granting, "trust_ca", lambda *_, **__: directory.rmdir())
        with pytest.raises(MachineError, match="The answer is made, only its file is missing") as caught:
            owner.grant(request("orion"), output=str(file))
    path = owner.directory / "request.txt"
    assert caught.value.hint == f"Print the same answer: machinectl access grant -y {path}"
    owner.grant(request("orion"))
    assert [machine.name for machine in owner.answer.machines] == ["orion"]


def test_a_no_changes_nothing(owner: Owner) -> None:
    with pytest.raises(MachineError, match="No access was given"):
        owner.grant(request("orion"), "n")
    assert owner.store.read("orion").holders == {}


def test_the_same_request_gets_an_answer_again(owner: Owner) -> None:
    asked = request("orion")
    owner.grant(asked)
    first = owner.answer
    console = owner.grant(asked)
    assert (owner.answer.request, owner.answer.machines[0].key) == (first.request, first.machines[0].key)
    assert "a new certificate for its key" in console.notes[0]
    assert "another computer" not in console.notes[0]
    holder = find_holder(owner.store.read("orion"), "alice@laptop")
    assert holder is not None
    assert [key.request for key in holder.keys] == [asked.id]


def test_a_key_of_a_holder_cannot_go_to_another_one(owner: Owner) -> None:
    """Else the end of one would leave the key its access."""
    owner.grant(request("orion"), who="carol")
    owner.grant(request("orion"), who="dave", code=1)
    assert 'This key already belongs to "carol", a holder of "orion"' in owner.errors
    assert "access grant --for carol; or ask for" in owner.errors
    assert list(owner.store.read("orion").holders) == ["carol"]
    owner.grant(request("orion"), who="Carol")
    assert list(owner.store.read("orion").holders) == ["carol"]


def test_one_failure_stops_nobody_else_and_the_answer_has_those_that_worked(owner: Owner) -> None:
    owner.failing = {"orion"}
    owner.grant(request("orion", "rigel", "ghost"), code=1)
    assert [machine.name for machine in owner.answer.machines] == ["rigel"]
    assert '"orion": port 22 on orion refused the connection' in owner.errors
    assert '"ghost", which is no machine here' in owner.errors
    assert owner.store.read("orion").holders == {}


def test_a_renamed_machine_is_found_by_the_key_on_record(owner: Owner) -> None:
    owner.grant(request("orion"))
    rename(owner.store, "orion", "vega")
    console = owner.grant(request("orion"))
    assert "is another machine" not in console.notes[0]
    assert "  vega (asked for as orion, with the key for it) at tcp://192.0.2.29:2376, until" in console.notes[0]
    [machine] = owner.answer.machines
    assert (machine.name, machine.called) == ("orion", "vega")
    assert find_holder(owner.store.read("vega"), "alice@laptop")


def test_a_machine_that_took_an_earlier_name_gets_no_request_of_the_other_one(owner: Owner) -> None:
    owner.grant(request("orion"))
    rename(owner.store, "orion", "vega")
    rename(owner.store, "rigel", "orion")
    console = owner.grant(request("orion"))
    assert "  vega (asked for as orion" in console.notes[0]
    assert "orion is another machine. If alice@laptop means that one, do not give access" in console.notes[0]
    assert owner.store.read("orion").holders == {}


def test_an_end_counts_for_the_old_key_after_the_machine_was_renamed(owner: Owner) -> None:
    asked = request("orion")
    owner.grant(asked)
    with owner.store.writing("orion") as held:
        end_access(held, Quiet(), Login(), "alice@laptop")
    rename(owner.store, "orion", "vega")
    rename(owner.store, "rigel", "orion")
    owner.grant(asked, code=1)
    assert 'The access of "alice@laptop" to "vega" was ended on' in owner.errors
    assert "machinectl rm <NAME>; machinectl access request --for alice@laptop <NAME>:vega\n" in owner.errors
    assert owner.store.read("orion").holders == {}


def test_the_answer_goes_to_a_new_file(owner: Owner, tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    owner.grant(request("orion"), output=str(path))
    first = path.read_bytes()
    assert read_access_answer(first).machines[0].name == "orion"
    assert owner.printed == b""
    with pytest.raises(MachineError, match="exists already"):
        owner.grant(request("rigel"), output=str(path))
    assert path.read_bytes() == first
    assert owner.store.read("rigel").holders == {}


def test_a_machine_without_ssh_is_shared_with_its_own_ca_which_is_said(owner: Owner) -> None:
    ca, url = certs.new_ca("machinectl ghost"), "tcp://192.0.2.2:2376"
    files = signed(ca, certs.issue_server(ca, ["192.0.2.2"]), certs.issue_client(ca, "ghost")).present
    added(owner.store, Machine("ghost", "none", url=url, tls=True, driver_state=f'{{"URL": "{url}"}}'), files)
    console = owner.grant(request("ghost"))
    assert "it can only expire" in console.notes[0]
    [machine] = owner.answer.machines
    certs.client_bundle(ca.certificate, machine.certificate, KEYS["ghost"])
    owner.grant(request("ghost"), dry_run=True)
    assert b"Planned: Signing with the machine's CA" in owner.printed
