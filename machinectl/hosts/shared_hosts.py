"""Adopt what other computers did on a shared host: its last change's number and author, settings and history."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from machinectl import certs
from machinectl.errors import PROVISION, CheckFailed, Hint, MachineError, UsageError
from machinectl.files.atomic import LONGEST, remove_tree
from machinectl.hosts import host_lock
from machinectl.hosts.host_owner import CA, SERVER
from machinectl.hosts.identity import Identity
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.holders import ACTIVE, ADDING, end_holder, holder_directory, holders_of
from machinectl.machines.record import Phase
from machinectl.machines.store.store_paths import now
from machinectl.provision import client_cas, daemon_json
from machinectl.provision.host_changes import CaTrusted, FileCreated, load_change, merge_changes, of_kind
from machinectl.provision.job import apply_job
from machinectl.provision.revision import ENGINE, LABELS, MODE, PATH, Revision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held
    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Job, Remote
    from machinectl.provision.target import Allowed

# Each computer's own: settings for installation, and names in certificates, which a host must not get by asking.
OWN_SETTINGS = frozenset({"install", "install_url", "version", "os", "tls_sans"})
KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


class ChangedElsewhere(MachineError):
    """The record does not give way to another computer's change."""

    leads_to = PROVISION

    def __init__(self, cause: str, name: str) -> None:
        hint = "Replace the settings here by the host's"
        super().__init__(cause, Hint(hint, "machinectl provision --take-over", name))


def who_changed(name: str, revision: Revision, known: Revision) -> str:
    another = "another " if known.number == revision.number else ""
    number = f"revision {revision.number}, this record knew {another}{known.number or 'none'}"
    return f'The host of "{name}" was changed by {revision.told} ({number})'


def keep_adopted(held: Held, server: bytes, ended: Sequence[str]) -> None:
    """Write what was adopted: the engine's certificate, and the end of holders."""
    if server:
        with_server(Identity.read(held.directory), server).keep(held)
    # Before they leave the record: the next holder of that name must not get their CA.
    for who in ended:
        remove_tree(holder_directory(held.directory, who))
    held.write()


def adopt_settings(machine: Machine, remote: Remote, host: Facts, *, is_new: bool, is_known: bool) -> bytes:
    """Update the machine, unwritten, to the settings and the history on its host; return a new certificate there.

    What `create` was given stays, and all settings of a record that knows this change of the host (`is_known`).
    """
    # None: it was written by another version or by hand.
    theirs = read_revision(remote) or recorded_settings(machine)
    if is_known:
        theirs |= recorded_settings(machine)
    server, served = str(theirs.get("server", "")).encode(errors="replace"), host.sums.get(SERVER)
    mine = recorded_settings(machine) if is_new else {ENGINE: {}, LABELS: {}}
    own = {key: value for key, value in machine.engine.dump().items() if key in OWN_SETTINGS}
    machine.engine = EngineOptions.load({**theirs[ENGINE], **mine[ENGINE], **own})
    machine.labels, machine.applied = {**theirs[LABELS], **mine[LABELS]}, {}
    changes = theirs.get("changes")
    # `rm --purge` undoes what any computer has done.
    made = map(load_change, changes if isinstance(changes, list) else ())
    machine.changes = merge_changes(machine.changes, list(made))
    return server if served and served.sha256 == hashlib.sha256(server).hexdigest() else b""


def is_never_set_up(machine: Machine) -> bool:
    """Return whether all settings in a record were given here, and none was taken over."""
    is_set_up = machine.phase == Phase.READY and of_kind(machine.changes, CaTrusted)
    return not (is_set_up or machine.revision)


def end_unlisted(machine: Machine, host: Facts, known: Revision) -> Iterator[str]:
    """Yield holders that the host's list lacks, and take them off the record: another computer has ended their access.

    The caller writes the record.
    """
    listed = client_cas.listed_cas(host)
    is_whole = {*client_cas.ca_digests(Identity.read(machine.directory).ca)} <= {*listed}
    if not listed or not is_whole or client_cas.damage(host):
        return
    for holder in holders_of(machine):
        # A grant that was killed after it had begun its revision may have added the holder.
        is_given = holder.state == ACTIVE or (holder.state == ADDING and known.at >= holder.since)
        if is_given and holder.ca and holder.ca not in listed:
            end_holder(machine, holder, now())
            yield holder.who


def knows_last_change(machine: Machine, host: Facts) -> bool:
    """Return whether no other computer has changed the host since this one did, or took over its changes."""
    run = Revision.parse(host.revision).run
    return bool(run) and run == Revision.of_record(machine.revision).run


def has_history(machine: Machine) -> bool:
    """Return whether the record says what was done on the host, besides whose CA it trusts."""
    return any(not isinstance(change, CaTrusted) for change in machine.changes)


def check_known(machine: Machine, host: Facts, allowed: Allowed) -> None:
    """Raise CheckFailed if another computer left no record of its changes."""
    if not (has_history(machine) or allowed.force) and trusts_our_ca(machine, host):
        raise CheckFailed(
            f'Another computer set up the host of "{machine.name}", and left no record of that',
            Hint("On that computer, first run", "machinectl provision", machine.name, elsewhere=True),
        )


def trusts_our_ca(machine: Machine, host: Facts) -> bool:
    """Return whether the engine trusts a CA of this machine."""
    on_host = host.sums.get(CA)
    own = {change.sha256 for change in of_kind(machine.changes, CaTrusted)}
    if on_host and on_host.sha256 not in own and (ca := Identity.read(machine.directory).ca):
        own.add(hashlib.sha256(ca).hexdigest())
    return bool(on_host and on_host.sha256 in own)


def with_server(identity: Identity, server: bytes) -> Identity:
    """Add the engine's certificate and key, if the CA signed them."""
    key = KEY.search(server)
    if key is None:
        return identity
    certificate, key_pem = server[: key.start()], server[key.start() :]
    try:
        certs.server_bundle(identity.ca, certificate, key_pem)
    except MachineError:
        return identity
    return replace(identity, server=certificate, server_key=key_pem)


def read_revision(remote: Remote) -> dict[str, Any] | None:
    """Read the host's newest revision; None if it is invalid or too long."""
    said = remote.run(f"cat {PATH}", check=False, secret=True).stdout
    try:
        state = json.loads(said.partition(b"\n")[2]) if len(said) <= LONGEST else None
        if not isinstance(state, dict):
            return None
        engine, labels = state.get(ENGINE), state.get(LABELS)
        if not (isinstance(engine, dict) and isinstance(labels, dict) and is_printable([engine, labels])):
            return None
        asked = EngineOptions.load(engine)
        # Invalid settings would break later runs.
        asked.check()
        daemon_json.option_keys(asked.options, {})
    except (ValueError, RecursionError, UsageError):
        return None
    texts = {key: value for key, value in labels.items() if isinstance(value, str)}
    return {**state, ENGINE: lasting_settings(asked), LABELS: texts}


def is_printable(value: Any) -> bool:
    """Return whether a JSON value is safe on a terminal."""
    if isinstance(value, dict):
        return all(is_printable(key) and is_printable(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(is_printable, value))
    return not isinstance(value, str) or value.isprintable()


def lasting_settings(engine: EngineOptions) -> dict[str, Any]:
    """Return an engine's settings, without each computer's own."""
    return {key: value for key, value in engine.dump().items() if key not in OWN_SETTINGS}


def recorded_settings(machine: Machine) -> dict[str, Any]:
    return {ENGINE: lasting_settings(machine.engine), LABELS: dict(machine.labels)}


def is_numbered(machine: Machine, decision: Decision) -> bool:
    """Return whether a decision makes a revision: it changes our engine's files."""
    if machine.engine.ssh_only:
        return False
    changes = (*machine.changes, *decision.changes)
    return bool(decision.job.files.get("manifest") and of_kind(changes, CaTrusted))


def is_set_up_here(machine: Machine) -> bool:
    """Return whether this user made the last known change of a set-up host, on this computer."""
    by = Revision.of_record(machine.revision).by
    return any(of_kind(machine.changes, CaTrusted)) and by == host_lock.user_at_computer()


def begin_revision(machine: Machine, host: Facts) -> FileCreated:
    """Record this run's revision; return the change for its file."""
    known = Revision.of_record(machine.revision)
    # With SSH only, a host keeps the number of a change that this computer may not know.
    last = max(known.number, Revision.parse(host.revision).number)
    number = known.number if known.run == host_lock.TOKEN else last + 1
    machine.revision = Revision(number, host_lock.TOKEN, now(), host_lock.user_at_computer())._asdict()
    return FileCreated(PATH)


def write_first_revision(held: Held, remote: Remote, host: Facts) -> None:
    """Write a revision to a host that an earlier version set up."""
    machine = held.machine
    is_left = bool(host.revision) or Revision.of_record(machine.revision).run == host_lock.TOKEN
    if is_left or not of_kind(machine.changes, CaTrusted):
        return
    held.keep_changes([begin_revision(machine, host)])
    with_revision(machine, apply_job([], init=host.init)).run(remote)


def with_revision(machine: Machine, job: Job) -> Job:
    server = job.content_of(SERVER) or Identity.read(machine.directory).on_host.get("server.pem", b"")
    state = {
        **recorded_settings(machine),
        "changes": [change.dump() for change in machine.changes],
        "server": server.decode(),
    }
    text = f"{Revision.of_record(machine.revision).line}\n{json.dumps(state)}\n"
    return job.with_file(PATH, MODE, text.encode())
