"""clients.pem, the CAs whose clients an engine accepts: what becomes of it on a host, and what never does."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.errors import CheckFailed
from machinectl.provision import client_cas, preflight
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.facts.host_facts import (
    OWN_CA,
    OWN_DIRECTORY,
    Facts,
    HostFile,
    Sum,
    facts_command,
    parse_facts,
)
from machinectl.provision.host_changes import CaTrusted, FileCreated, merge_changes
from machinectl.provision.steps import engine_config, undo_steps
from machinectl.provision.target import NOTHING_SPECIAL, Allowed, Target, with_changes

if TYPE_CHECKING:
    from machinectl.provision.decision import Decision
    from machinectl.provision.host_changes import Change

OWNERS_LIST = "/etc/docker/our-cas.pem"
FACTS = Path(__file__).parent / "facts"
DAEMON_JSON = "/etc/docker/daemon.json"
OWN, ALICE, CI, STRANGER, OTHER = (certs.new_ca(f"machinectl orion {name}") for name in ("", "alice", "ci", "x", "y"))
SERVER = certs.issue_server(OWN, ["192.168.0.29"])
FILES = {"ca.pem": OWN.certificate, "server.pem": SERVER.certificate + SERVER.key}
BY_HAND = b"# Bob's laptop\r\n" + STRANGER.certificate.replace(b"\n", b"\r\n") + b"  # the end\n\n"


def digest(ca: certs.Pair) -> str:
    return certs.fingerprint(ca.certificate)


def target(**asked: Any) -> Target:
    return Target("192.168.0.29", certificates=FILES, **asked)


def provisioned(asked: Target | None = None) -> tuple[Facts, tuple[Change, ...]]:
    """A host that was set up, and what is on record of it."""
    bare = parse_facts((FACTS / "docker").read_bytes())
    decision = engine_config.configure(bare, asked or target())
    assert decision
    host = after(bare, decision)
    return replace(host, service=replace(host.service, enabled=True)), merge_changes((), decision.changes)


def after(host: Facts, decision: Decision) -> Facts:
    """A host as facts.sh would find it after a job."""
    files, sums = dict(host.files), dict(host.sums)
    for line in decision.job.files["manifest"].decode().splitlines():
        mode, path = line.split(" ", 1)
        content = decision.job.content_of(path) or b""
        sums.pop(path, None)
        files.pop(path, None)
        if mode == "-":
            continue
        if not path.startswith(f"{OWN_DIRECTORY}/") or path == CLIENTS:
            files[path] = HostFile(mode, 0, 0, content)
        if path.startswith(f"{OWN_DIRECTORY}/"):
            sums[path] = Sum(mode, 0, 0, hashlib.sha256(content).hexdigest())
        if path == OWN_CA and CLIENTS in {*files}:
            files[path] = HostFile(mode, 0, 0, content)
    return replace(host, files=files, sums=sums)


def with_clients(host: Facts, text: bytes) -> Facts:
    own = HostFile("644", 0, 0, OWN.certificate)
    return replace(host, files={**host.files, CLIENTS: HostFile("644", 0, 0, text), OWN_CA: own})


def configured(host: Facts, asked: Target, changes: tuple[Change, ...]) -> Decision | None:
    return engine_config.configure(listening(host), with_changes(known(asked, changes), changes))


def known(asked: Target, changes: tuple[Change, ...]) -> Target:
    return replace(asked, own_cas=frozenset(change.sha256 for change in changes if isinstance(change, CaTrusted)))


def listening(host: Facts) -> Facts:
    return replace(host, listeners=tuple(host.engines))


def trusted_by(config: bytes | None) -> str:
    return str(json.loads(config or b"{}").get("tlscacert"))


def test_a_host_without_other_holders_has_only_the_machines_own_ca() -> None:
    host, changes = provisioned()
    assert trusted_by(host.config_content) == OWN_CA
    assert CLIENTS not in host.files
    assert configured(host, target(), changes) is None


def test_holders_on_record_are_let_in_again_on_a_host_that_lost_its_list() -> None:
    host, changes = provisioned()
    decision = configured(host, target(holders=(ALICE.certificate, CI.certificate)), changes)
    assert decision
    assert decision.job.content_of(CLIENTS) == OWN.certificate + ALICE.certificate + CI.certificate
    assert trusted_by(decision.job.content_of(DAEMON_JSON)) == CLIENTS
    assert FileCreated(CLIENTS) in decision.changes
    after_it = after(host, decision)
    assert configured(after_it, target(holders=(ALICE.certificate,)), merge_changes(changes, decision.changes)) is None


@pytest.mark.parametrize("text", [b"", b"# Those who have access\n"])
def test_a_list_without_any_certificate_is_lost(text: bytes) -> None:
    names = {digest(ALICE): "alice"}
    asked = target(holders=(ALICE.certificate,), holder_names=names)
    host, changes = provisioned(asked)
    host = with_clients(host, text)
    # Another computer may have ended them: who does not know the host's last change is asked.
    assert client_cas.holders_coming_back(host, asked) == ["alice"]
    decision = configured(host, asked, changes)
    assert decision
    assert decision.job.content_of(CLIENTS) == OWN.certificate + text + ALICE.certificate
    assert decision.warnings[0] == f"{CLIENTS} is written: that gives access back to alice"


def test_whose_access_ends_or_comes_back_with_the_list_is_said_by_name() -> None:
    names = {digest(ALICE): "alice"}
    host, changes = provisioned()
    back = configured(host, target(holders=(ALICE.certificate, CI.certificate), holder_names=names), changes)
    assert back
    gives_back = f"{CLIENTS} is written: that gives access back to alice"
    assert back.warnings[0] == gives_back
    changes = merge_changes(changes, back.changes)
    host = with_clients(after(host, back), back.job.content_of(CLIENTS) or b"")
    only = known(target(ssh_only=True, holder_names=names), changes)
    closed = configured(host, only, changes)
    assert closed
    assert closed.warnings[0].endswith("suspends the access of: alice, CN=machinectl orion ci")


def test_the_list_on_the_host_counts_more_than_the_record() -> None:
    host, changes = provisioned(target(holders=(ALICE.certificate,)))
    # A holder that this record does not know stays, and one that another computer has ended does not come back.
    assert configured(host, target(), changes) is None
    host = with_clients(host, OWN.certificate)
    assert configured(host, target(holders=(ALICE.certificate,)), changes) is None


@pytest.mark.parametrize("others", [(), (CI,)], ids=["the last one", "one of two"])
def test_an_ending_holder_is_taken_out_by_every_provisioning(others: tuple[certs.Pair, ...]) -> None:
    left = tuple(ca.certificate for ca in others)
    host, changes = provisioned(target(holders=(ALICE.certificate, *left)))
    decision = configured(host, target(ending=frozenset({digest(ALICE)})), changes)
    assert decision
    assert decision.job.content_of(CLIENTS) == b"".join((OWN.certificate, *left))
    assert decision.job.content_of(DAEMON_JSON) is None
    assert configured(after(host, decision), target(), changes) is None


@pytest.mark.parametrize(
    ("text", "asked", "wanted"),
    [
        # What was added by hand stays byte for byte.
        (
            OWN.certificate + ALICE.certificate + BY_HAND + CI.certificate,
            {"ending": frozenset({digest(ALICE)}), "new_cas": (OTHER.certificate,)},
            OWN.certificate + BY_HAND + CI.certificate + OTHER.certificate,
        ),
        (OWN.certificate + BY_HAND, {}, OWN.certificate + BY_HAND),
        # The machine's own CA is always in it, and first.
        (b"", {"ending": frozenset({digest(OWN)})}, OWN.certificate),
        (ALICE.certificate, {}, OWN.certificate + ALICE.certificate),
        (b"-----BEGIN CERTIFICATE-----\nx", {}, OWN.certificate + b"-----BEGIN CERTIFICATE-----\nx"),
        # A last line without an end is not joined to the next certificate.
        (
            OWN.certificate + b"# bob",
            {"new_cas": (ALICE.certificate.rstrip(),)},
            OWN.certificate + b"# bob\n" + ALICE.certificate,
        ),
        # Nobody is let in twice, or let in and ended at once.
        (
            OWN.certificate + ALICE.certificate,
            {"new_cas": (ALICE.certificate,), "holders": (ALICE.certificate,)},
            OWN.certificate + ALICE.certificate,
        ),
        (
            OWN.certificate,
            {"ending": frozenset({digest(ALICE)}), "new_cas": (ALICE.certificate, CI.certificate)},
            OWN.certificate + CI.certificate,
        ),
    ],
)
def test_the_list_gets_what_is_asked_and_keeps_everything_else(
    text: bytes, asked: dict[str, Any], wanted: bytes
) -> None:
    assert client_cas.wanted_clients(with_clients(provisioned()[0], text), target(**asked)) == wanted


def test_a_new_ca_ends_the_holders_on_record_and_leaves_what_was_added_by_hand() -> None:
    new = {"ca.pem": OTHER.certificate, "server.pem": FILES["server.pem"]}
    host, changes = provisioned()
    host = with_clients(host, OWN.certificate + ALICE.certificate + BY_HAND)
    asked = replace(known(target(holders=(ALICE.certificate,)), changes), certificates=new)
    assert client_cas.wanted_clients(host, asked) == OTHER.certificate + BY_HAND


def test_another_computers_list_is_not_taken_over_with_its_host() -> None:
    host, _ = provisioned(target(holders=(ALICE.certificate,)))
    mine = replace(target(), certificates={"ca.pem": OTHER.certificate, "server.pem": FILES["server.pem"]})
    with pytest.raises(CheckFailed, match="another computer's CA") as raised:
        preflight.check_tls(host, mine, NOTHING_SPECIAL)
    assert "for access: machinectl access request <NAME>; or" in raised.value.hint
    decision = engine_config.configure(host, mine, Allowed(force=True))
    assert decision
    assert trusted_by(decision.job.content_of(DAEMON_JSON)) == OWN_CA
    assert f"- {CLIENTS}" in decision.job.files["manifest"].decode().splitlines()


def with_owners_list(host: Facts, *cas: certs.Pair) -> Facts:
    """The host's owner has given the engine a list of their own."""
    config = json.loads(host.config_content or b"") | {"tlscacert": OWNERS_LIST}
    files = {**host.files, DAEMON_JSON: HostFile("644", 0, 0, json.dumps(config).encode())}
    return replace(host, files=files, trusted=b"".join(ca.certificate for ca in cas))


@pytest.mark.parametrize("holders", [(), (ALICE,)], ids=["alone", "with a holder"])
def test_what_the_owner_of_a_host_lists_beside_our_ca_joins_our_list(holders: tuple[certs.Pair, ...]) -> None:
    granted = tuple(ca.certificate for ca in holders)
    host, changes = provisioned(target(holders=granted))
    if holders:
        host = with_clients(host, OWN.certificate + ALICE.certificate)
    host = with_owners_list(host, OWN, STRANGER)
    asked = known(target(holders=granted, holder_names={digest(ALICE): "alice"}), changes)
    preflight.check_tls(host, asked, NOTHING_SPECIAL)
    decision = configured(host, asked, changes)
    assert decision
    assert decision.job.content_of(CLIENTS) == b"".join((OWN.certificate, *granted, STRANGER.certificate))
    assert trusted_by(decision.job.content_of(DAEMON_JSON)) == CLIENTS


def test_whom_the_owner_of_a_host_lists_without_our_ca_is_not_locked_out_unasked() -> None:
    host, changes = provisioned()
    host, asked = with_owners_list(host, STRANGER), known(target(), changes)
    with pytest.raises(CheckFailed, match=f"another CA \\({OWNERS_LIST}\\)"):
        preflight.check_tls(host, asked, NOTHING_SPECIAL)


def test_with_ssh_only_the_list_stays_for_every_computer_that_makes_the_engine_listen_again() -> None:
    host, changes = provisioned(target(holders=(ALICE.certificate, CI.certificate)))
    host = with_clients(host, OWN.certificate + ALICE.certificate + CI.certificate + BY_HAND)
    names = {digest(ALICE): "alice", digest(CI): "ci"}
    only = Target("192.168.0.29", ssh_only=True, holder_names=names, ending=frozenset({digest(CI)}))
    closed = engine_config.configure(host, with_changes(known(only, changes), changes))
    assert closed
    suspended = "The engine stops listening, which suspends the access of: alice, CN=machinectl orion x"
    assert closed.warnings[0] == suspended
    assert FileCreated(CLIENTS) not in closed.undone
    kept = closed.job.content_of(CLIENTS)
    assert kept == OWN.certificate + ALICE.certificate + BY_HAND
    host = after(host, closed)
    assert OWN_CA not in host.sums
    # The other computer knows nothing of that, and has a holder on record that was ended.
    back = configured(host, target(holders=(ALICE.certificate, CI.certificate), holder_names=names), changes)
    assert back
    assert back.job.content_of(CLIENTS) is None
    assert trusted_by(back.job.content_of(DAEMON_JSON)) == CLIENTS
    assert back.warnings[0] == f"{CLIENTS} is read again: that gives access back to alice"
    assert client_cas.holders_coming_back(host, target(holders=(CI.certificate,), holder_names=names)) == []


def test_with_ssh_only_another_machines_list_is_not_taken_over() -> None:
    host, changes = provisioned()
    theirs = HostFile("644", 0, 0, OTHER.certificate + ALICE.certificate)
    host = replace(host, files={**host.files, CLIENTS: theirs}, sums={})
    asked = target(holders=(CI.certificate,), holder_names={digest(CI): "ci"})
    back = configured(host, asked, changes)
    assert back
    assert back.job.content_of(CLIENTS) == OWN.certificate + CI.certificate
    assert client_cas.holders_coming_back(host, asked) == ["ci"]


@pytest.mark.parametrize(("first", "goes"), [(OWN, True), (OTHER, False)])
def test_a_list_that_another_computer_made_goes_with_its_machine(first: certs.Pair, goes: bool) -> None:
    host, changes = provisioned()
    assert FileCreated(CLIENTS) not in changes
    host = replace(with_clients(host, first.certificate + ALICE.certificate), sums={})
    assert (CLIENTS in [file.path for file in undo_steps.files_made(host, changes)]) is goes


def test_undone_the_host_keeps_no_list_and_no_key_that_names_it() -> None:
    host, changes = provisioned(target(holders=(ALICE.certificate,)))
    decisions = [step(host, changes) for step in undo_steps.undo_steps(purge_engine=False)]
    lines = [line for each in decisions if each for line in each.job.files.get("manifest", b"").decode().splitlines()]
    assert f"- {CLIENTS}" in lines
    assert f"- {DAEMON_JSON}" in lines


def test_the_list_is_read_with_the_hosts_own_ca_and_whether_the_engine_has_read_it() -> None:
    said = (FACTS / "provisioned").read_bytes()
    assert not parse_facts(said).clients_edited
    assert parse_facts(said.replace(b"@end", b"@clients-edited\n@end")).clients_edited
    assert CLIENTS in facts_command(2376)
    theirs = said.replace(b"@end", b"@trusted\n|" + base64.b64encode(STRANGER.certificate) + b"\n\n@end")
    assert parse_facts(theirs).trusted == STRANGER.certificate


def renewed(host: Facts, asked: Target) -> bytes | None:
    """What a renewal of certificates, which restarts the engine, writes."""
    return next((file.content for file in engine_config.certificate_files(host, asked) if file.path == CLIENTS), None)


def test_renewed_certificates_of_the_same_ca_end_nobody() -> None:
    host, changes = provisioned(target(holders=(ALICE.certificate,)))
    host = with_clients(host, OWN.certificate + ALICE.certificate + BY_HAND)
    asked = known(target(holders=(ALICE.certificate,)), changes)
    assert renewed(host, asked) == OWN.certificate + ALICE.certificate + BY_HAND
    new = replace(asked, certificates={**FILES, "ca.pem": OTHER.certificate})
    assert renewed(host, new) == OTHER.certificate + BY_HAND


def test_a_renewal_writes_a_list_that_was_deleted_as_the_engine_does_not_start_without_it() -> None:
    host, changes = provisioned(target(holders=(ALICE.certificate,)))
    host = replace(host, files={path: file for path, file in host.files.items() if path != CLIENTS})
    assert renewed(host, known(target(), changes)) == OWN.certificate
    assert renewed(host, known(target(holders=(ALICE.certificate,)), changes)) == OWN.certificate + ALICE.certificate
    assert renewed(provisioned()[0], target()) is None


def test_an_engine_that_has_not_read_its_list_is_restarted() -> None:
    host, changes = provisioned(target(holders=(ALICE.certificate,)))
    host = with_clients(host, OWN.certificate)
    assert configured(host, target(), changes) is None
    host = replace(host, clients_edited=True)
    for ending in (frozenset(), frozenset({digest(ALICE)})):
        decision = configured(host, target(ending=ending), changes)
        assert decision
        assert decision.title == f"Restarting the engine, which has not read {CLIENTS}"
        assert configured(decision.after, target(), changes) is None
