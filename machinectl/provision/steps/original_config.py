"""Find a host's configuration of before machinectl: daemon.json byte for byte if nobody else has changed it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from machinectl.errors import MachineError
from machinectl.provision import daemon_json, revision
from machinectl.provision.client_cas import CLIENTS, listed_cas
from machinectl.provision.daemon_json import TLS_FLAGS, read_config
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import OWN_DIRECTORY, Facts
from machinectl.provision.host_changes import (
    CaTrusted,
    Change,
    ConfigMerged,
    DirectoryCreated,
    FileCreated,
    LiveRestoreChanged,
    of_kind,
)
from machinectl.provision.job import NewFile
from machinectl.provision.steps import engine_goal
from machinectl.provision.steps.engine_goal import (
    LIVE_RESTORE,
    holds_containers,
    with_live_restore,
    without_live_restore,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def restarts(facts: Facts, changes: Sequence[Change]) -> bool:
    """Return whether the engine uses more of our configuration than live-restore."""
    # clients.pem counts by the key that names it: with SSH only, the engine does not read it.
    no_configuration = {f"{facts.config_path}.before-machinectl", revision.PATH, CLIENTS}
    if any(file.path not in no_configuration for file in files_made(facts, changes)):
        return True
    return without_live_restore(original_config(facts, changes)) != without_live_restore(read_config(facts))


def keeps_containers(facts: Facts, changes: Sequence[Change]) -> bool:
    """Return whether live-restore in daemon.json keeps containers: not on Swarm nodes, or if a flag sets it."""
    flagged = any(flag.name == LIVE_RESTORE for flag in own_flags(facts, changes))
    return facts.running and holds_containers(facts) and not flagged


def files_made(facts: Facts, changes: Sequence[Change]) -> list[NewFile]:
    there = {*facts.files, *facts.sums, facts.backup}
    paths = [change.path for change in of_kind(changes, FileCreated) if change.path in there]
    # Another computer may have made the list since. With SSH only, nothing else tells.
    own = {change.sha256 for change in of_kind(changes, CaTrusted)}
    if CLIENTS not in paths and own & {hashlib.sha256(pem).hexdigest() for pem in listed_cas(facts).values()}:
        paths.append(CLIENTS)
    return [NewFile(path) for path in paths]


def undone_by(files: Sequence[NewFile], changes: Sequence[Change]) -> list[Change]:
    gone = {file.path for file in files if file.content is None}
    return [change for change in of_kind(changes, FileCreated) if change.path in gone]


def merged_into(facts: Facts, changes: Sequence[Change]) -> ConfigMerged | None:
    return next((change for change in of_kind(changes, ConfigMerged) if change.path == facts.config_path), None)


def held_original(facts: Facts, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the record of the original live-restore, to write first."""
    return (LiveRestoreChanged(facts.config_path, original_live_restore(facts, changes)),)


def original_config(facts: Facts, changes: Sequence[Change]) -> dict[str, Any]:
    return daemon_json.parse_config(config_before(facts, changes), facts.config_path)


def original_live_restore(facts: Facts, changes: Sequence[Change]) -> bool | None:
    value = original_config(facts, changes).get(LIVE_RESTORE)
    return value if isinstance(value, bool) else None


def config_before(facts: Facts, changes: Sequence[Change]) -> bytes | None:
    """Return daemon.json without our keys, byte for byte the original if only we changed it.

    Without a record, a forgotten machine's keys may name our certificates.
    """
    if facts.config is None:
        return None
    change = merged_into(facts, changes)
    borrowed = next((each for each in of_kind(changes, LiveRestoreChanged) if each.path == facts.config_path), None)
    if change is None and borrowed is None and not files_made(facts, changes):
        return facts.config_content
    before_bytes = change.bytes_before if change else None
    before = daemon_json.parse_config(before_bytes, facts.config_path)
    now = read_config(facts)
    result = dict(now)
    if change:
        result = engine_goal.without_hosts_of(change, daemon_json.put_back(now, before, change.ours), before)
    if borrowed is not None:
        result = with_live_restore(result, borrowed.before)
    result = without_earlier(result)
    if facts.swarm and result.get(LIVE_RESTORE) is True:
        # A Swarm node's dockerd would not start with it.
        del result[LIVE_RESTORE]
    if change is not None and result == before:
        return before_bytes
    if result == now:
        return facts.config_content
    return daemon_json.dump(result, facts.config_content)


def without_earlier(config: dict[str, Any]) -> dict[str, Any]:
    """Remove a forgotten machine's keys: the engine would not start without its certificates."""
    if not str(config.get("tlscert", "")).startswith(f"{OWN_DIRECTORY}/"):
        return config
    hosts = [host for host in config.get("hosts", []) if not str(host).startswith("tcp://")]
    rest = {key: value for key, value in config.items() if key not in {*TLS_FLAGS, "hosts"}}
    return {**rest, "hosts": hosts} if hosts else rest


def original_mode(facts: Facts, changes: Sequence[Change]) -> str:
    change = merged_into(facts, changes)
    return change.mode if change else facts.config_mode


def written(file: NewFile) -> str:
    return f"{'remove' if file.content is None else 'restore'} {file.path}"


def deepest_first(changes: Sequence[Change]) -> tuple[str, ...]:
    paths = {change.path for change in of_kind(changes, DirectoryCreated)}
    return tuple(sorted(paths, key=lambda path: -path.count("/")))


def own_flags(facts: Facts, changes: Sequence[Change]) -> list[docker_unit.DockerdFlag]:
    """Return dockerd's flags without our drop-in; [] if the unit is unclear.

    A forgotten machine's drop-in is not recorded and stays.
    """
    stays = not any(docker_unit.is_our_drop_in(change.path) for change in of_kind(changes, FileCreated))
    try:
        return docker_unit.all_flags(facts.unit, facts.environment, ours=stays) if facts.unit else []
    except MachineError:
        return []
