"""`access request`, `accept` and `renew`: the computer that asks for access to machines of somebody else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from machinectl import certs
from machinectl.access.accepting import acceptance
from machinectl.access.access_rows import list_access
from machinectl.access.messages import (
    AccessAnswer,
    AnsweredMachine,
    new_access_answer,
    read_access_answer,
    read_access_request,
)
from machinectl.certs import issuing
from machinectl.errors import MachineError
from machinectl.machines.record import Phase
from tests.support.in_process import machinectl
from tests.support.program import at_terminal, everything, killed_at

if TYPE_CHECKING:
    import subprocess

    from machinectl.access.messages import RequestedMachine
    from machinectl.machines.store import Store

WAITS = re.compile(r'Machine "(\S+)" has been waiting for access since \d{4}-\d\d-\d\d')
HOST_KEY = "machinectl ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS"
# The CAs are older than each certificate of a test.
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Owner:
    """Answers requests. `ca` verifies the engines; `holder` signs clients, as after `access grant --for WHO`."""

    url: str = "tcp://192.0.2.29:2376"
    name: str = "bob@desk"
    who: str = ""
    ca: certs.Pair = field(default_factory=lambda: certs.new_ca("machinectl orionbox", now=LONG_AGO))
    holder: certs.Pair = field(default_factory=lambda: certs.new_ca("machinectl orionbox alice", now=LONG_AGO))

    def answer(
        self, request: str, *, lifetime: timedelta = timedelta(days=7), now: datetime | None = None, **other: Any
    ) -> AccessAnswer:
        """Answer a request; `other` replaces fields of its machines."""
        asked = read_access_request(request.encode())
        moment = now or datetime.now(UTC)
        machines = [
            replace(self.granted(each, self.who or asked.sender, moment + lifetime, moment), **other)
            for each in asked.machines
        ]
        return new_access_answer(asked.id, self.name, machines, moment)

    def text(self, request: str, *, lifetime: timedelta = timedelta(days=7), **other: Any) -> str:
        return self.answer(request, lifetime=lifetime, **other).text()

    def granted(self, machine: RequestedMachine, who: str, until: datetime, now: datetime) -> AnsweredMachine:
        certificate = self.signed(machine.csr, until, now, who) + self.holder.certificate
        labels = (("role", "web"),)
        return AnsweredMachine(
            machine.name, self.url, until, self.ca.certificate, certificate, machine.key.digest, (HOST_KEY,), labels
        )

    def signed(self, csr: bytes, until: datetime, now: datetime, who: str = "alice") -> bytes:
        return certs.sign_client(self.holder, certs.requested_key(csr).pem, who, until, now=now)


@pytest.fixture
def owner() -> Owner:
    return Owner()


def asked(store: Store, *words: str) -> str:
    done = machinectl("access", "request", *words, store=store.root)
    assert done.returncode == 0, done.stderr
    return done.stdout


def accepted(store: Store, answer: str, *words: str) -> subprocess.CompletedProcess[str]:
    return machinectl("access", "accept", "-y", *words, store=store.root, stdin=answer)


def content(store: Store, name: str, file: str) -> bytes:
    return Path(store.directory(name), file).read_bytes()


def test_request_and_answer_make_a_ready_machine(store: Store, owner: Owner) -> None:
    request = asked(store, "orionbox")
    done = accepted(store, owner.text(request))
    assert done.returncode == 0
    assert re.fullmatch(r"orionbox: ready, until \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", done.stdout)
    assert done.stderr.endswith("Use it: eval $(machinectl env orionbox)\n")
    machine = store.read_ready("orionbox")
    assert (machine.driver, machine.url, machine.tls, machine.labels) == (
        "none",
        "tcp://192.0.2.29:2376",
        True,
        {"role": "web"},
    )
    assert content(store, "orionbox", "ca.pem") == owner.ca.certificate
    assert content(store, "orionbox", "known_hosts").decode() == f"{HOST_KEY}\n"
    assert not os.path.lexists(os.path.join(machine.directory, "access-request.txt"))
    assert "DOCKER_HOST" in machinectl("env", "orionbox", store=store.root).stdout


def test_a_repeated_request_is_the_same(store: Store) -> None:
    first = asked(store, "work:orionbox", "web1")
    assert asked(store, "work:orionbox", "web1") == first
    assert asked(store, "web1", "work") == first
    assert store.names() == ["web1", "work"]


@pytest.mark.parametrize("words", [("web1", "web2"), ("web1", "--for", "carol")])
def test_a_request_with_something_new_replaces_it(store: Store, owner: Owner, words: tuple[str, ...]) -> None:
    first = asked(store, "work:orionbox", "web1", "--for", "alice")
    done = machinectl("access", "request", *words, store=store.root)
    assert done.stdout != first
    accept = accepted(store, owner.text(first))
    assert accept.stdout.startswith("work: ready")
    assert '"web1" was removed here, or asked for again, and is left out' in accept.stderr


def test_the_answer_to_the_earlier_request_of_all_its_machines_is_refused(store: Store, owner: Owner) -> None:
    answer = owner.answer(asked(store, "orionbox", "web1"))
    asked(store, "web1", "web2")
    text = new_access_answer(answer.request, answer.sender, answer.machines[1:]).text()
    error = refused(store, text)
    assert error.cause == "The machines of this answer were removed here, or asked for again: web1"
    assert error.hint == "See the last request, or make one: machinectl access request web1"


def test_the_owners_name_of_this_computer_is_shown_and_kept(store: Store, owner: Owner) -> None:
    owner.who = "dave+ci"
    done = accepted(store, owner.text(asked(store, "orionbox", "web1", "--for", "alice")))
    assert "  orionbox as dave+ci at tcp://192.0.2.29:2376, until" in done.stderr
    assert [row.holder for row in list_access(store, [])] == ["dave+ci", "dave+ci"]
    ended = machinectl("access", "end", "-y", "dave+ci", "orionbox", store=store.root)
    assert "Ask bob@desk to type: machinectl access end dave+ci orionbox" in ended.stderr
    owner.who = "carol"
    renewal = machinectl("access", "renew", "web1", store=store.root).stdout
    assert read_access_request(renewal.encode()).sender == "dave+ci"
    accepted(store, owner.text(renewal))
    machinectl("access", "renew", store=store.root)
    assert [row.holder for row in list_access(store, [])] == ["dave+ci", "carol"]


@pytest.mark.parametrize(
    "words",
    [
        ("env", "orionbox"),
        ("url", "orionbox"),
        ("docker", "orionbox", "--", "ps"),
        ("ssh", "orionbox"),
        ("provision", "orionbox"),
        ("set", "--label", "role=web", "orionbox"),
        ("access", "renew", "orionbox"),
    ],
)
def test_commands_say_that_a_machine_waits(store: Store, words: tuple[str, ...]) -> None:
    asked(store, "orionbox")
    done = machinectl(*words, store=store.root)
    assert WAITS.search(done.stderr), done.stderr
    assert "With the owner's answer: machinectl access accept; see" in done.stderr
    assert "see the request: machinectl access request orionbox\n" in done.stderr
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("web1", "web1"), '"web1" is named twice'),
        (("a:web1", "b:web1"), '"web1" is named twice'),
        (("a:web1", "A:web2"), "is named twice"),
        (("../etc",), "Invalid hostname"),
        (("a:",), "Invalid hostname"),
        ((), "one or more machine names"),
        (("web1", "--for", "owner"), "the access of this computer"),
        (("web1", "--for", ""), "--for is empty"),
        (("web1", "--for", "al ice"), "cannot be a holder's name"),
        (("web1", "--for", "a" * 52), "at most 51 characters"),
    ],
)
def test_wrong_requests_make_nothing(store: Store, words: tuple[str, ...], why: str) -> None:
    done = machinectl("access", "request", *words, store=store.root)
    assert done.returncode != 0
    assert why in done.stderr
    assert store.names() == []


def test_a_request_is_written_to_a_new_file_only(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "request.txt"
    done = machinectl("access", "request", "orionbox", "-o", file, store=store.root)
    assert (done.returncode, done.stdout) == (0, "")
    assert read_access_request(file.read_bytes()).machines[0].name == "orionbox"
    file.write_text("mine")
    done = machinectl("access", "request", "orionbox", "-o", file, store=store.root)
    assert (done.returncode, file.read_text()) == (1, "mine")
    assert done.stderr.endswith("Print the same request: machinectl access request orionbox\n")


def test_a_pipe_needs_the_option_that_does_not_ask(store: Store, owner: Owner) -> None:
    done = machinectl("access", "accept", store=store.root, stdin=owner.text(asked(store, "orionbox")))
    assert done.returncode == 1
    assert "machinectl access accept -y <FILE>" in done.stderr
    assert store.read("orionbox").phase == Phase.CREATING


def test_an_answer_is_accepted_once(store: Store, owner: Owner) -> None:
    answer = owner.text(asked(store, "orionbox"))
    accepted(store, answer)
    again = accepted(store, answer)
    assert (again.returncode, again.stdout) == (0, "")
    assert "This answer was accepted already: orionbox" in again.stderr


def typed(store: Store, text: str, *answers: str) -> str:
    """Paste text at a terminal, without ^D, and answer what is asked then."""
    with at_terminal("access", "accept", store=store.root, environment={"NO_COLOR": "1"}) as (process, ours):
        said = b""
        while b"END line" not in said:
            said += os.read(ours, 1 << 16)
        os.write(ours, text.encode())
        for answer in answers:
            while b"Are the fingerprints the same? [y/N]" not in said:
                said += os.read(ours, 1 << 16)
            os.write(ours, f"{answer}\n".encode())
        rest = everything(ours)
        process.wait(60)
    return said.decode() + rest


def test_a_pasted_answer_ends_with_its_end_line(store: Store, owner: Owner) -> None:
    answer = owner.answer(asked(store, "orionbox"))
    said = typed(store, f"```\n{answer.text()}", "y")
    assert "Paste the answer, up to its END line" in said
    assert f"The answer's fingerprint is {answer.fingerprint}. Compare it with bob@desk on the phone" in said
    assert "Anyone with access is root on the hosts" in said
    assert store.read("orionbox").phase == Phase.READY


def test_other_fingerprints_change_nothing(store: Store, owner: Owner) -> None:
    said = typed(store, owner.text(asked(store, "orionbox")), "n")
    assert "Nothing was accepted" in said
    assert store.read("orionbox").phase == Phase.CREATING


def refused(store: Store, answer: str) -> MachineError:
    """Return why an answer is refused; it changes nothing."""
    before = {path: path.read_bytes() for path in Path(store.machines).rglob("*") if path.is_file()}
    with pytest.raises(MachineError) as found:
        acceptance(store, read_access_answer(answer.encode()))
    done = accepted(store, answer)
    assert (done.returncode, done.stdout) == (1, "")
    assert found.value.cause in done.stderr.replace("\n", " ")
    assert before == {path: path.read_bytes() for path in Path(store.machines).rglob("*") if path.is_file()}
    return found.value


def test_an_answer_for_another_computer_is_refused(store: Store, owner: Owner, tmp_path: Path) -> None:
    from machinectl.machines.store import Store

    other = Store(str(tmp_path / "other"))
    answer = owner.text(asked(other, "orionbox"))
    assert "No machine here has asked for this answer" in refused(store, answer).cause
    asked(store, "orionbox")
    assert "No machine here has asked for this answer" in refused(store, answer).cause


def test_an_answer_for_another_key_is_refused(store: Store, owner: Owner) -> None:
    request = asked(store, "orionbox")
    public = certs.own_public_key(certs.new_key())
    assert 'another key than that of "orionbox"' in refused(store, owner.text(request, key=public.digest)).cause
    csr = certs.signing_request(certs.new_key(), "eve")
    certificate = owner.signed(csr, datetime.now(UTC) + timedelta(days=1), datetime.now(UTC))
    text = owner.text(request, certificate=certificate, until=certs.describe(certificate).not_after)
    assert 'another key than that of "orionbox"' in refused(store, text).cause


def test_only_a_clients_certificate_is_accepted(store: Store, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(store, "orionbox")
    plain = owner.text(request)
    for extensions in ((), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),)):
        with monkeypatch.context() as patched:
            patched.setattr(issuing, "CLIENT_EXTENSIONS", extensions)
            text = owner.text(request)
        assert "is not a client's" in refused(store, text).cause
    assert accepted(store, plain).returncode == 0


def test_an_older_answer_does_not_replace_a_newer_one(store: Store, owner: Owner) -> None:
    request = asked(store, "orionbox")
    older = owner.answer(request, now=datetime.now(UTC) - timedelta(minutes=5)).text()
    accepted(store, owner.text(request))
    assert refused(store, older).cause == 'A newer answer to this request was accepted already for "orionbox"'


@pytest.mark.parametrize("words", ["abcd-efgh-2345-wxyz", "ABCD EFGH 2345 WXYZ", "\u0430bcd-efgh-2345-wxyz"])
def test_labels_show_no_other_fingerprint(store: Store, owner: Owner, words: str) -> None:
    answer = owner.answer(asked(store, "orionbox"), labels=(("role", "web"), ("the fingerprint is", words)))
    said = accepted(store, answer.text()).stderr
    assert "; labels: role=web the fingerprint is=" in said
    assert words not in said
    assert answer.fingerprint in said
    assert store.read("orionbox").labels["the fingerprint is"] == words


def test_a_url_shows_no_other_fingerprint(store: Store, owner: Owner) -> None:
    owner.url = "tcp://fingerprint-abcd-efgh-2345-wxyz.example:2376"
    said = accepted(store, owner.text(asked(store, "orionbox"))).stderr
    assert "orionbox at tcp://fingerp\u2026.example:2376, until" in said


def test_a_name_like_a_fingerprint_is_refused(store: Store) -> None:
    done = machinectl("access", "request", "web1", "--for", "abcd-efgh-2345-wxyz", store=store.root)
    assert done.returncode == 2
    assert "'abcd-efgh-2345-wxyz' could be taken for a fingerprint" in done.stderr
    assert store.names() == []


def test_an_answer_with_other_machines_is_refused(store: Store, owner: Owner) -> None:
    request = asked(store, "orionbox")
    answer = owner.answer(request)
    more = [*answer.machines, replace(answer.machines[0], name="web1")]
    text = new_access_answer(answer.request, answer.sender, more).text()
    assert refused(store, text).cause == "The answer names machines that you did not ask for: web1"


def test_an_answer_for_a_part_leaves_the_others_waiting(store: Store, owner: Owner) -> None:
    answer = owner.answer(asked(store, "orionbox", "web1"))
    text = new_access_answer(answer.request, answer.sender, answer.machines[1:]).text()
    assert accepted(store, text).stdout.startswith("web1: ready")
    assert store.read("orionbox").phase == Phase.CREATING
    assert asked(store, "orionbox")


def test_an_answer_for_a_removed_machine_is_left_out_or_refused(store: Store, owner: Owner) -> None:
    answer = owner.text(asked(store, "orionbox", "web1"))
    machinectl("rm", "-y", "web1", store=store.root)
    done = accepted(store, answer)
    assert done.stdout.startswith("orionbox: ready")
    assert '"web1" was removed here, or asked for again, and is left out' in done.stderr
    machinectl("rm", "-y", "orionbox", store=store.root)
    assert "or the machine was removed" in refused(store, answer).cause


def test_a_renewal_keeps_the_key_and_replaces_the_certificate(store: Store, owner: Owner) -> None:
    accepted(store, owner.text(asked(store, "work:orionbox")))
    key, before = content(store, "work", "key.pem"), content(store, "work", "cert.pem")
    done = machinectl("access", "renew", store=store.root)
    assert machinectl("access", "renew", "work", store=store.root).stdout == done.stdout
    assert content(store, "work", "cert.pem") == before
    again = accepted(store, owner.text(done.stdout, lifetime=timedelta(days=30)))
    assert again.stdout.startswith("work: renewed, until")
    assert ", a new certificate" in again.stderr
    assert content(store, "work", "key.pem") == key
    assert content(store, "work", "cert.pem") != before
    assert content(store, "work", "ca.pem") == owner.ca.certificate


def test_a_renewal_changes_nothing_but_certificates_and_names_a_new_url(store: Store, owner: Owner) -> None:
    accepted(store, owner.text(asked(store, "orionbox"), addresses=("10.8.0.29",)))
    machinectl("set", "--url", "tcp://198.51.100.7:2376", "--label", "vpn=yes", "orionbox", store=store.root)

    def renewed() -> str:
        text = owner.text(machinectl("access", "renew", store=store.root).stdout, addresses=("10.8.0.30",))
        return accepted(store, text).stderr

    assert "another URL" not in renewed()
    owner.url = "tcp://192.0.2.30:2376"
    said = renewed()
    assert 'Warning: The owner has another URL for "orionbox" now: tcp://192.0.2.30:2376\n' in said
    assert "machinectl set --url tcp://192.0.2.30:2376 orionbox\n" in said
    assert "another URL" not in renewed()
    machine = store.read("orionbox")
    assert (machine.url, machine.addresses) == ("tcp://198.51.100.7:2376", ["10.8.0.29"])
    assert machine.labels["vpn"] == "yes"


def test_a_renewal_with_another_ca_gets_a_warning(store: Store, owner: Owner) -> None:
    def renewed() -> str:
        return accepted(store, owner.text(machinectl("access", "renew", store=store.root).stdout)).stderr

    accepted(store, owner.text(asked(store, "orionbox")))
    assert "another CA" not in renewed()
    owner.ca = certs.new_ca("machinectl orionbox")
    assert 'Warning: The answer gives "orionbox" another CA than the one here: it may be another engine\n' in renewed()
    assert "another CA" not in renewed()


@pytest.mark.parametrize("lost", ["ca.pem", "cert.pem"])
def test_a_certificate_that_was_lost_comes_with_a_renewal(store: Store, owner: Owner, lost: str) -> None:
    accepted(store, owner.text(asked(store, "orionbox")))
    before = content(store, "orionbox", lost)
    Path(store.directory("orionbox"), lost).unlink()
    said = machinectl("env", "orionbox", store=store.root).stderr
    assert "machinectl access renew orionbox" in said
    done = accepted(store, owner.text(machinectl("access", "renew", store=store.root).stdout))
    assert (done.returncode, done.stdout.partition(",")[0]) == (0, "orionbox: renewed")
    # Somebody else's engine may be behind an answer that fits.
    assert ("a CA, and none is here" in done.stderr) is (lost == "ca.pem")
    if lost == "ca.pem":
        assert content(store, "orionbox", lost) == before


def test_the_answer_before_a_renewal_is_refused(store: Store, owner: Owner) -> None:
    answer = owner.text(asked(store, "orionbox"))
    accepted(store, answer)
    machinectl("access", "renew", store=store.root)
    assert refused(store, answer).cause == 'This answer is to an earlier request for "orionbox"'


def test_killed_at_any_touch_a_request_is_whole_or_can_be_repeated(store: Store) -> None:
    for moment in range(1, 200, 3):
        done = killed_at(moment, store.root, "access", "request", "work:orionbox", "web1")
        for name in store.names():
            assert Path(store.directory(name), "key.pem").stat().st_mode & 0o777 == 0o600
            assert store.read(name).phase == Phase.CREATING
        if done.returncode == 0:
            break
        asked(store, "work:orionbox", "web1")
        machinectl("rm", "-y", "work", "web1", store=store.root)
    assert done.returncode == 0


@pytest.mark.parametrize("verb", ["request", "renew"])
def test_killed_at_any_touch_an_answer_can_be_accepted_again(
    store: Store, owner: Owner, tmp_path: Path, verb: str
) -> None:
    file = tmp_path / "answer.txt"
    if verb == "renew":
        accepted(store, owner.text(asked(store, "orionbox")))
    for moment in range(1, 200, 3):
        file.write_text(owner.text(machinectl("access", verb, "orionbox", store=store.root).stdout))
        done = killed_at(moment, store.root, "access", "accept", "-y", file)
        if store.read("orionbox").phase == Phase.READY:
            certs.client_bundle(*(content(store, "orionbox", file) for file in ("ca.pem", "cert.pem", "key.pem")))
        else:
            assert verb == "request"
        assert machinectl("access", "accept", "-y", file, store=store.root).returncode == 0
        assert store.read_ready("orionbox").access["state"] == "granted"
        if verb == "request":
            machinectl("rm", "-y", "orionbox", store=store.root)
        if done.returncode == 0:
            break
    assert done.returncode == 0
