"""Compare an engine's configuration, its certificate and the CAs that it accepts with record and disk. Pure."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from machinectl import certs
from machinectl.check import BROKEN, OK, UNKNOWN, Check, broken, failed, first_case, ok, unknown, value_or
from machinectl.errors import NO_HINT, Hint, MachineError, put_certificates_in
from machinectl.hosts.expiry import expires_in, expires_soon
from machinectl.hosts.host_owner import SERVER, after_loss
from machinectl.machines.holders import ACTIVE, ADDING, ENDING
from machinectl.masking import without_secret_of
from machinectl.provision import client_cas, daemon_json, preflight
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.facts import docker_unit
from machinectl.provision.host_changes import Change, ConfigMerged, FileCreated, of_kind
from machinectl.provision.steps import engine_config, engine_goal, restart_risks
from machinectl.provision.steps.engine_goal import LIVE_RESTORE
from machinectl.quantities import first_names, plural

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from machinectl.doctor.host_condition import Shell
    from machinectl.hosts.identity import Identity
    from machinectl.machines.holders import AccessHolder
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import NewFile
    from machinectl.provision.target import Target

TITLE = "Configuration"
SERVED, ACCESS = "Served certificate", "Access"
# States of the host's disk if it does not have the certificate on record.
OTHER, NONE = "another certificate", "no certificate"


def configuration_check(
    host: Facts, target: Target, changes: Sequence[Change], shell: Shell, *, is_unfinished: bool = False, news: str = ""
) -> Check:
    """List what differs from the record, and keys that others set.

    `is_unfinished`: our last run did not finish. `news` says which other computer has changed the host since, and when.
    """
    if not host.dockerd:
        return unknown(TITLE, "not checked: no engine is installed")
    missing = [name for name in engine_config.CERTIFICATES if name not in target.certificates]
    if missing:
        return unknown(TITLE, f"not checked: this store has no {missing[0]}")
    try:
        found = list(differences_from(host, target, changes))
        theirs = changed_by_others(host, changes)
    except MachineError as exc:
        return failed(TITLE, exc)
    if found:
        set_up = f"machinectl provision {shell.machine}"
        if is_unfinished:
            return broken(TITLE, f"not all changes reached the host: {'; '.join(found)}", Hint("Continue", set_up))
        if news:
            return broken(TITLE, f"changed by {news}: {'; '.join(found)}", Hint("Set it up again", set_up))
        again = Hint("Set it up again", set_up)
        if host.unread:
            # Units changed on disk are not loaded: a restart would apply them, so provision refuses.
            reload = Hint("Reload the unit", shell.command("systemctl daemon-reload"))
            again = reload | Hint("then set it up again", set_up)
        how = "changed by hand" if is_edited(host, changes) else "differs from the record"
        return broken(TITLE, f"{how}: {'; '.join(found)}", again)
    beside = f"; set by others: {', '.join(theirs)}" if theirs else ""
    if restart_risks.is_config_edited(host, target):
        count = 0 if host.info.get("LiveRestoreEnabled") else len(host.containers)
        stops = f", which stops {plural(count, 'container')}" if count else ""
        restart = shell.service("restart", host.init)
        apply = Hint(f"Apply it by a restart{stops}", restart)
        if stops and not host.swarm:
            # It checks the configuration first: an engine that refuses it would not start again.
            apply = Hint("Apply it with new certificates", "machinectl regenerate-certs", shell.machine)
            apply |= Hint(f"or by a restart{stops}", restart)
        seen = f"as recorded{beside}; {host.config_path} was changed after the engine started"
        return unknown(TITLE, seen, apply)
    return ok(TITLE, f"as recorded{beside}")


def differences_from(host: Facts, target: Target, changes: Sequence[Change]) -> Iterator[str]:
    wanted = engine_goal.goal(host, target)
    there = daemon_json.read_config(host)
    if host.config is None:
        yield f"{host.config_path} is missing"
    else:
        news = engine_config.changed_keys(host, wanted)
        # A restart borrows live-restore; another check looks at it.
        yield from (key_difference(name, news, there) for name in news if name != LIVE_RESTORE or name in wanted.ours)
    told = {host.config_path, f"{host.config_path}.before-machinectl"}
    drop_ins = [path for path in host.files if docker_unit.is_our_drop_in(path)]
    if wanted.drop_in and drop_ins and wanted.drop_in_path not in drop_ins:
        yield f"{docker_unit.others_drop_ins(host.drop_ins)[-1]} overrides {drop_ins[0]}"
        told |= {wanted.drop_in_path, *drop_ins}
    made = {change.path for change in of_kind(changes, FileCreated)}
    for file in engine_config.changed_files(host, target, wanted):
        if file.path not in told:
            yield f"{file.path} is {file_state(file, host, made)}"


def file_state(file: NewFile, host: Facts, made: Container[str]) -> str:
    if file.content is None:
        return "not removed"
    if file.path in {*host.sums, *host.files}:
        return "not as recorded"
    return "missing" if file.path in made else "not written yet"


def key_difference(name: str, wanted: dict[str, Any], there: dict[str, Any]) -> str:
    if name not in there:
        return f'"{name}" is not set'
    now = json.dumps(without_secret_of(name, there[name]))
    return f'"{name}" is {now}' + ("" if wanted[name] is not None else ", but should not be set")


def is_edited(host: Facts, changes: Sequence[Change]) -> bool:
    """Return whether somebody edited daemon.json; a record with new settings differs, too."""
    ours, there = merge_of(host, changes), host.config
    if ours is None or not ours.written:
        return False
    return there is None or hashlib.sha256(there.content).hexdigest() != ours.written


def merge_of(host: Facts, changes: Sequence[Change]) -> ConfigMerged | None:
    return next((change for change in of_kind(changes, ConfigMerged) if change.path == host.config_path), None)


def changed_by_others(host: Facts, changes: Sequence[Change]) -> list[str]:
    """Return keys that others changed since we wrote daemon.json."""
    ours = merge_of(host, changes)
    if ours is None:
        return []
    try:
        before = daemon_json.parse_config(ours.bytes_before, ours.path)
    except MachineError:
        # The recorded copy is broken, so the original is unknown.
        return []
    written = {**before, **ours.ours}
    there = daemon_json.read_config(host)
    return sorted(name for name in {*written, *there} - {*ours.ours} if written.get(name) != there.get(name))


def served_check(
    shown: bytes,
    identity: Identity,
    host: Facts | None,
    shell: Shell,
    now: datetime | None = None,
    *,
    lost_to: str = "",
) -> Check:
    """Check `shown`, the served certificate (PEM); `host` is None if its disk was not read.

    `lost_to` has set the host up since.
    """
    now = now or datetime.now(UTC)
    try:
        description = certs.describe(shown)
        same = not identity.server or certs.fingerprint(shown) == certs.fingerprint(identity.server, file="server.pem")
    except MachineError as exc:
        return unknown(SERVED, f"it cannot be read: {exc.cause}")
    until = f"{description.subject or 'no name'}, until {description.not_after:%Y-%m-%d}"
    on_disk = "" if host is None or not identity.server else disk_state(identity, host)
    if not same:
        seen = f"the engine serves another certificate than the one on record: {until}, by {description.issuer or '?'}"
        if host and identity.server and not on_disk:
            restart = Hint("Restart the engine", shell.service("restart", host.init))
            return broken(SERVED, f"{seen}; the host's disk has the one on record", restart)
        if lost_to:
            return broken(SERVED, f"{seen}; {lost_to} has set the host up since", after_loss(shell.machine))
        # Only the host knows its present owner: `provision` asks before it takes over.
        again = "machinectl provision --force" if on_disk else "machinectl provision"
        return broken(SERVED, seen, Hint("Send the certificate on record", again, shell.machine))
    renewal = put_certificates_in(shell.machine)
    if identity.server:
        renewal = Hint("Renew it", "machinectl renew --due", shell.machine)
    if description.not_after < now:
        return broken(SERVED, f"it has expired: {until}", renewal)
    if on_disk:
        restore = Hint("Restore it", "machinectl provision", shell.machine)
        return broken(SERVED, f"as recorded ({until}), but the host's disk has {on_disk}", restore)
    if expires_soon(description.not_before, description.not_after, now):
        return unknown(SERVED, f"{until}: {expires_in(description.not_after, now)}", renewal)
    whose = "as recorded" if identity.server else "not made by machinectl"
    return ok(SERVED, f"{whose}: {until}")


def disk_state(identity: Identity, host: Facts) -> str:
    """Return what the host's disk has instead of the certificate on record, "" if it has that."""
    named = value_or("", lambda: preflight.tls_settings(host).get("tlscert", ""))
    on_disk = host.sums.get(named or SERVER)
    if on_disk is None:
        return NONE
    # 0.1 used a separate key file.
    ours = (identity.on_host.get("server.pem", b""), identity.server)
    return "" if on_disk.sha256 in {hashlib.sha256(file).hexdigest() for file in ours} else OTHER


def accepted_clients_check(host: Facts, ca: bytes, holders: Sequence[AccessHolder], shell: Shell) -> Check | None:
    """Return None for a host that accepts only the machine's own CA (PEM), as it should."""
    listed = client_cas.listed_cas(host)
    expected = [holder for holder in holders if holder.state == ACTIVE and holder.ca]
    unfinished = [holder.who for holder in holders if holder.state == ADDING]
    if not (listed or expected or unfinished):
        return None
    staying = [holder.who for holder in holders if holder.state == ENDING and holder.ca in listed]
    by_owner = client_cas.cas_by_digest(host.trusted)
    shut_out = [holder.who for holder in expected if by_owner and holder.ca not in by_owner]
    lost = [holder.who for holder in expected if holder.ca not in listed]
    others = client_cas.unrecorded_cas(host, {*client_cas.ca_digests(ca), *(holder.ca for holder in holders)})
    beside = f", and CAs that are not on record: {first_names(others, client_cas.MOST_NAMED)}" if others else ""
    names = ", ".join(["this computer", *(holder.who for holder in expected)])
    machine, damage = shell.machine, client_cas.damage(host)
    provision = "machinectl provision"
    return first_case(
        ACCESS,
        (
            staying,
            BROKEN,
            f"the access of {', '.join(staying)} was ended here, but the engine still accepts it",
            Hint("End it", "machinectl access end", next(iter(staying), ""), machine),
        ),
        (
            shut_out,
            BROKEN,
            f"the engine does not read {CLIENTS}, but another list of CAs, and rejects {', '.join(shut_out)}",
            Hint("Merge that list into the file", provision, machine),
        ),
        (
            lost and not listed,
            BROKEN,
            f"{CLIENTS} has no certificates, but should have the CAs of {', '.join(lost)}",
            Hint("Write it again", provision, machine),
        ),
        (
            host.clients_edited,
            UNKNOWN,
            f"{CLIENTS} was changed after the engine started: holders who were removed may still have access",
            Hint("Restart the engine; containers keep running", provision, machine),
        ),
        (damage, BROKEN, damage, Hint("Correct that file on the host, then", provision, machine)),
        (
            lost,
            UNKNOWN,
            f"the engine no longer accepts {', '.join(lost)}, who are on record",
            Hint("Remove the record", "machinectl access end", next(iter(lost), ""), machine),
        ),
        (
            unfinished,
            UNKNOWN,
            f"the access of {', '.join(unfinished)} is not added yet: no certificate was given",
            Hint("Repeat the grant, or give it up", "machinectl access end", next(iter(unfinished), ""), machine),
        ),
        (True, OK, f"the engine accepts {names}{beside}", NO_HINT),
    )
