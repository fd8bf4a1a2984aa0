"""Compare an engine's configuration with the record. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from machinectl.check import Check, broken, failed, ok, unknown
from machinectl.errors import Hint, MachineError
from machinectl.masking import without_secret_of
from machinectl.provision import daemon_json
from machinectl.provision.facts import docker_unit
from machinectl.provision.host_changes import Change, ConfigMerged, FileCreated, of_kind
from machinectl.provision.steps import engine_config, engine_goal, restart_risks
from machinectl.provision.steps.engine_goal import LIVE_RESTORE
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from machinectl.doctor.host_condition import Shell
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import NewFile
    from machinectl.provision.target import Target

TITLE = "Configuration"


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
