"""What doctor says of the CAs whose clients an engine accepts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from machinectl import certs
from machinectl.check import Check, Verdict
from machinectl.doctor.engine_configuration import accepted_clients_check
from machinectl.doctor.host_condition import Shell
from machinectl.machines.holders import ACTIVE, ADDING, ENDING, AccessHolder
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.facts.host_facts import HostFile, parse_facts

FACTS = Path(__file__).parents[1] / "provision" / "facts"
OWN, ALICE, CI = (certs.new_ca(f"machinectl orion {name}").certificate for name in ("own", "alice", "ci"))
# Where the certificate after OWN begins.
GIVE_UP = "Repeat the grant, or give it up: machinectl access end bob orion"


def holder(who: str, ca: bytes, state: str = ACTIVE) -> AccessHolder:
    return AccessHolder(who, ca=certs.fingerprint(ca) if ca else "", state=state)


def judged(text: bytes, *holders: AccessHolder, edited: bool = False) -> Check | None:
    host = replace(parse_facts((FACTS / "provisioned").read_bytes()), clients_edited=edited)
    if text:
        host = replace(host, files={**host.files, CLIENTS: HostFile("644", 0, 0, text)})
    return accepted_clients_check(host, OWN, holders, Shell("orion", "sudo"))


def test_whom_a_list_of_the_hosts_owner_shuts_out_is_named() -> None:
    host = replace(parse_facts((FACTS / "provisioned").read_bytes()), trusted=OWN + CI)
    host = replace(host, files={**host.files, CLIENTS: HostFile("644", 0, 0, OWN + ALICE)})
    found = accepted_clients_check(host, OWN, [holder("alice", ALICE)], Shell("orion", "sudo"))
    assert found
    assert (found.verdict, found.seen.endswith("and rejects alice")) == (Verdict.BROKEN, True)
    assert found.hint.endswith("machinectl provision orion")


def test_a_host_that_nobody_else_was_let_in_to_needs_no_word() -> None:
    assert judged(b"") is None


@pytest.mark.parametrize(
    ("text", "holders", "edited", "verdict", "seen", "hint"),
    [
        (OWN + ALICE, [holder("alice", ALICE)], False, Verdict.OK, "accepts this computer, alice", ""),
        (OWN + ALICE + ALICE, [holder("alice", ALICE)], False, Verdict.OK, "accepts this computer, alice", ""),
        (OWN + CI, [], False, Verdict.OK, "not on record: CN=machinectl orion ci", ""),
        (
            OWN + ALICE,
            [holder("alice", ALICE, ENDING)],
            False,
            Verdict.BROKEN,
            "the access of alice was ended here",
            "machinectl access end alice orion",
        ),
        (OWN, [holder("alice", ALICE, ENDING)], False, Verdict.OK, "accepts this computer", ""),
        *(
            (text, [holder("alice", ALICE)], False, Verdict.BROKEN, "has no certificates", "machinectl provision orion")
            for text in (b"", b"#")
        ),
        (OWN, [holder("alice", ALICE)], False, Verdict.UNKNOWN, "no longer accepts alice", "access end alice orion"),
        (
            OWN + ALICE[:300] + CI,
            [holder("alice", ALICE), holder("ci", CI)],
            False,
            Verdict.BROKEN,
            "1 certificate in /etc/docker/machinectl/clients.pem cannot be read",
            "then: machinectl provision orion",
        ),
        *(
            (text, [holder("bob", b"", ADDING)], False, Verdict.UNKNOWN, "the access of bob is not added yet", GIVE_UP)
            for text in (b"", OWN)
        ),
        (OWN, [], True, Verdict.UNKNOWN, "changed after the engine started", "machinectl provision orion"),
    ],
)
def test_who_is_accepted_is_held_against_the_record(
    text: bytes, holders: list[AccessHolder], edited: bool, verdict: Verdict, seen: str, hint: str
) -> None:
    check = judged(text, *holders, edited=edited)
    assert check is not None
    assert (check.title, check.verdict) == ("Access", verdict)
    assert seen in check.seen
    assert hint in check.hint
