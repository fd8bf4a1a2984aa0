"""Find manual changes of an engine's configuration. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from machinectl.doctor.check import Check, broken, failed, ok, unknown
from machinectl.errors import MachineError
from machinectl.host_changes import Change, ConfigMerged, of_kind
from machinectl.masking import without_secret_of
from machinectl.provision import daemon_json
from machinectl.provision.steps import engine_config, restart_risks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.doctor.host_condition import Shell
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Target

TITLE = "Configuration"


def configuration_check(host: Facts, target: Target, changes: Sequence[Change], shell: Shell) -> Check:
    """Compare with the record; lists keys that others set."""
    if not host.dockerd:
        return unknown(TITLE, "not looked at: there is no engine")
    missing = [name for name in engine_config.CERTIFICATES if name not in target.certificates]
    if missing:
        return unknown(TITLE, f"not looked at: the record has no {missing[0]} to compare with the host's")
    try:
        found = list(differences_from(host, target))
        theirs = changed_by_others(host, changes)
    except MachineError as exc:
        return failed(TITLE, exc)
    if found:
        # Units changed on disk are not loaded: a restart would apply them, so provision refuses.
        read = f"Reload the unit: {shell.command('systemctl daemon-reload')}\nThen set" if host.unread else "Set"
        how = "changed by hand since" if is_edited(host, changes) else "different from the record"
        return broken(TITLE, f"{how}: {'; '.join(found)}", f"{read} it up again: machinectl provision {shell.machine}")
    beside = f"; set by others: {', '.join(theirs)}" if theirs else ""
    if restart_risks.is_config_edited(host, target):
        stops = "" if host.info.get("LiveRestoreEnabled") else restart_victims(host)
        return unknown(
            TITLE,
            f"as recorded{beside}; {host.config_path} was changed after the engine was started",
            f"Apply all of it{stops}: {shell.service('restart', host.init)}",
        )
    return ok(TITLE, f"as recorded{beside}")


def restart_victims(host: Facts) -> str:
    """Say how many containers a restart without live-restore stops."""
    count = len(host.containers)
    return f", which stops {count} {'container' if count == 1 else 'containers'}" if count else ""


def differences_from(host: Facts, target: Target) -> Iterator[str]:
    wanted = engine_config.goal(host, target)
    there = daemon_json.read_config(host)
    if host.config is None:
        yield f"{host.config_path} is gone"
    else:
        news = engine_config.changed_keys(host, wanted)
        yield from (key_difference(name, news, there) for name in news)
    for file in engine_config.changed_files(host, target, wanted):
        if file.path not in {host.config_path, f"{host.config_path}.before-machinectl"}:
            known = "another one" if file.path in {*host.sums, *host.files} else "gone"
            yield f"{file.path} is {'there' if file.content is None else known}"


def key_difference(name: str, wanted: dict[str, Any], there: dict[str, Any]) -> str:
    if name not in there:
        return f'"{name}" is not set'
    now = json.dumps(without_secret_of(name, there[name]))
    return f'"{name}" is {now}' + ("" if wanted[name] is not None else ", which the record no longer has")


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
