"""Take over what other computers changed on a shared host."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl import certs
from machinectl.errors import PROVISION, CheckFailed, Hint, MachineError, UsageError, one_line
from machinectl.files.atomic import LONGEST, remove_tree
from machinectl.hosts import host_lock
from machinectl.hosts.host_owner import CA, SERVER
from machinectl.hosts.identity import Identity
from machinectl.machines.create_options import ENGINE_FLAGS
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.holders import ACTIVE, ADDING, end_holder, holder_directory, holders_of
from machinectl.machines.record import Phase
from machinectl.machines.store.store_paths import now
from machinectl.provision import client_cas, daemon_json
from machinectl.provision.host_changes import CaTrusted, FileCreated, load_change, merge_changes, of_kind
from machinectl.provision.job import apply_job
from machinectl.provision.revision import ENGINE, LABELS, MODE, PATH, Revision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held
    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Job, Remote
    from machinectl.provision.target import Allowed

SANS = "tls_sans"
# Settings for installation only.
INSTALLING = frozenset({"install", "install_url", "version", "os"})
FLAGS = {option.key: option.flag.removeprefix("--") for option in ENGINE_FLAGS}
KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


class News(NamedTuple):
    """Another computer's changes, and the settings that differed here."""

    revision: Revision
    known: Revision
    settings: tuple[str, ...]
    # The engine's certificate with its key, if new.
    server: bytes
    # Holders on record here whose access was ended there.
    ended: tuple[str, ...] = ()

    def is_by_others(self, own_run: str) -> bool:
        return self.revision.run not in {own_run, self.known.run}

    def summary(self, name: str) -> str:
        taken = f"; taken over: {one_line(', '.join(self.settings))}" if self.settings else ""
        taken += f"; access ended there: {', '.join(self.ended)}" if self.ended else ""
        another = "another " if self.known.number == self.revision.number else ""
        number = f"revision {self.revision.number}, this record knew {another}{self.known.number or 'none'}"
        return f'The host of "{name}" was changed by {self.revision.told} ({number}){taken}'


def catch_up(
    held: Held,
    console: Console,
    remote: Remote,
    host: Facts,
    *,
    is_new: bool = False,
    gives_way: bool = False,
    own_run: str = "",
) -> News | None:
    """`own_run` is the last run of a removed machine whose history this one continues."""
    news = take_over_news(held.machine, remote, host, is_new=is_new, gives_way=gives_way)
    if news:
        if news.is_by_others(own_run):
            console.warn(news.summary(held.name))
        elif news.settings:
            console.note(f"Settings from then: {one_line(', '.join(news.settings))}")
        if news.server:
            with_server(Identity.read(held.directory), news.server).keep(held)
        # Before they leave the record: the next holder of that name must not get their CA.
        forget_ended(held, news.ended)
    elif ended := end_suspended(held.machine, host):
        console.warn(ended_elsewhere(held.machine, ended))
        forget_ended(held, ended)
    return news


def forget_ended(held: Held, names: Sequence[str]) -> None:
    for who in names:
        remove_tree(holder_directory(held.directory, who))
    held.write()


def end_suspended(machine: Machine, host: Facts) -> tuple[str, ...]:
    """Take the holders off the record, unwritten, that were ended before the engine stopped listening, or since."""
    known = Revision.of_record(machine.revision)
    return () if CA in host.sums else tuple(end_unlisted(machine, host, known))


def ended_elsewhere(machine: Machine, names: Sequence[str]) -> str:
    return f'Another computer has ended the access of {", ".join(names)} to "{machine.name}"'


def is_never_set_up(machine: Machine) -> bool:
    """Return whether all settings in a record were given here, and none was taken over."""
    is_set_up = machine.phase == Phase.READY and of_kind(machine.changes, CaTrusted)
    return not (is_set_up or machine.revision)


def take_over_news(
    machine: Machine, remote: Remote, host: Facts, *, is_new: bool = False, gives_way: bool = False
) -> News | None:
    """Update a machine, unwritten, to its host's newest revision; raise MachineError if both changed settings.

    Settings of a machine that `gives_way` are replaced. If it `is_new`, what `create` was given stays. An imported
    machine learns only from its host what was done there.
    """
    revision, known = Revision.parse(host.revision), Revision.of_record(machine.revision)
    is_news = revision.is_news_to(known if has_history(machine) else Revision())
    if not (is_news and trusts_our_ca(machine, host)):
        return None
    # None: it was written by another version or by hand.
    theirs = read_revision(remote) or recorded_settings(machine)
    server, there = str(theirs.get("server", "")).encode(errors="replace"), host.sums.get(SERVER)
    is_there = there is not None and there.sha256 == hashlib.sha256(server).hexdigest()
    own = Identity.read(machine.directory)
    signed = with_server(own, server) if is_there else own
    if sans := [*signed_for(theirs[ENGINE].pop(SANS, None), signed.server, machine)]:
        theirs[ENGINE][SANS] = sans
    mine, then = recorded_settings(machine), dict(theirs)
    if is_new:
        then = {key: {**theirs[key], **mine[key]} for key in (ENGINE, LABELS)}
    elif not gives_way:
        check_not_changed_here(machine, revision, mine, theirs)
    installing = {key: value for key, value in machine.engine.dump().items() if key in INSTALLING}
    machine.engine = EngineOptions.load({**installing, **then[ENGINE]})
    machine.labels, machine.applied = dict(then[LABELS]), {}
    changes = theirs.get("changes")
    found = map(load_change, changes if isinstance(changes, list) else ())
    # `rm --purge` undoes what any computer has done.
    machine.changes = merge_changes(machine.changes, list(found))
    machine.revision = {**revision._asdict(), ENGINE: theirs[ENGINE], LABELS: theirs[LABELS]}
    ended = tuple(end_unlisted(machine, host, known))
    return News(revision, known, tuple(differences(mine, then)), server if is_there else b"", ended)


def check_not_changed_here(
    machine: Machine, revision: Revision, mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> None:
    """Raise MachineError for a machine whose settings were changed here, too, since they were last on the host."""
    before = {key: machine.revision.get(key, mine[key]) for key in (ENGINE, LABELS)}
    lost = [*differences(mine, before)]
    if not lost or not [*differences(mine, theirs)]:
        return
    error = MachineError(
        f'{revision.told} changed the host of "{machine.name}" (revision {revision.number}), and its settings were '
        f"changed here, too: {one_line(', '.join(lost))}",
        Hint("Take the host's settings over, then set yours again", "machinectl provision --take-over", machine.name),
    )
    error.leads_to = PROVISION
    raise error


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the flags of engine settings, and the labels, that are not the same."""
    for kind in (ENGINE, LABELS):
        # The record may have been edited.
        there = theirs[kind] if isinstance(theirs[kind], dict) else {}
        for key in dict.fromkeys([*mine[kind], *there]):
            if mine[kind].get(key) != there.get(key):
                yield FLAGS.get(key, key) if kind == ENGINE else f"label {key}"


def end_unlisted(machine: Machine, host: Facts, known: Revision) -> Iterator[str]:
    """Yield holders that the host's list lacks, and take them off the record: another computer has ended their access.

    The caller writes the record.
    """
    listed = client_cas.listed_cas(host)
    is_whole = {*client_cas.ca_digests(Identity.read(machine.directory).ca)} <= {*listed}
    if not listed or not is_whole or client_cas.damage(host):
        return
    for holder in holders_of(machine):
        if holder.ca and holder.ca not in listed and may_have_been_listed(holder, known):
            end_holder(machine, holder, now())
            yield holder.who


def may_have_been_listed(holder: AccessHolder, known: Revision) -> bool:
    """Return whether a run has added a holder's CA, or may have: it was killed after it had begun its revision."""
    return holder.state == ACTIVE or (holder.state == ADDING and known.at >= holder.since)


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
    there = host.sums.get(CA)
    own = {change.sha256 for change in of_kind(machine.changes, CaTrusted)}
    if there and there.sha256 not in own and (ca := Identity.read(machine.directory).ca):
        own.add(hashlib.sha256(ca).hexdigest())
    return bool(there and there.sha256 in own)


def signed_for(sans: object, server: bytes, machine: Machine) -> Iterator[str]:
    """Yield names requested here or signed before: a host must not get a certificate for another name by asking."""
    try:
        there = {name.lower() for name in certs.describe(server).sans} if server else set()
    except MachineError:
        there = set()
    for san in sans if isinstance(sans, list) else ():
        if san in machine.engine.tls_sans or str(san).lower() in there:
            yield san


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
        found = json.loads(said.partition(b"\n")[2]) if len(said) <= LONGEST else None
        if not isinstance(found, dict):
            return None
        engine, labels = found.get(ENGINE), found.get(LABELS)
        if not (isinstance(engine, dict) and isinstance(labels, dict) and is_printable([engine, labels])):
            return None
        asked = EngineOptions.load(engine)
        # Invalid settings would break later runs.
        asked.check()
        daemon_json.option_keys(asked.options, {})
    except (ValueError, RecursionError, UsageError):
        return None
    texts = {key: value for key, value in labels.items() if isinstance(value, str)}
    return {**found, ENGINE: lasting_settings(asked), LABELS: texts}


def is_printable(value: Any) -> bool:
    """Return whether a JSON value is safe on a terminal."""
    if isinstance(value, dict):
        return all(is_printable(key) and is_printable(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(is_printable, value))
    return not isinstance(value, str) or value.isprintable()


def lasting_settings(engine: EngineOptions) -> dict[str, Any]:
    """Return an engine's settings, without those for installation."""
    return {key: value for key, value in engine.dump().items() if key not in INSTALLING}


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
    machine.revision = {
        **Revision(number, host_lock.TOKEN, now(), host_lock.user_at_computer())._asdict(),
        **recorded_settings(machine),
    }
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
