"""Undo recorded changes of a host; containers and images stay.

Steps depend on current facts, so an interrupted undo can run again.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from machinectl.errors import CheckFailed, Hint, MachineError
from machinectl.provision import daemon_json, firewall, preflight, revision
from machinectl.provision.client_cas import CLIENTS, listed_cas
from machinectl.provision.daemon_json import TLS_FLAGS, read_config
from machinectl.provision.decision import Decision, EngineDown, failure, not_applied, tail
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import OWN_DIRECTORY, Facts
from machinectl.provision.host_changes import (
    CaTrusted,
    Change,
    ConfigMerged,
    DirectoryCreated,
    FileCreated,
    LiveRestoreChanged,
    ServiceEnabled,
    ServiceStarted,
    of_kind,
)
from machinectl.provision.job import INSTALL_ONLY, Activation, NewFile, RemoteResult, apply_job, command_job
from machinectl.provision.steps import (
    docker_socket,
    engine_config,
    engine_goal,
    live_restore,
    restart_risks,
)
from machinectl.provision.steps.engine_config import container_count, with_files
from machinectl.provision.steps.engine_goal import (
    LIVE_RESTORE,
    holds_containers,
    with_live_restore,
    without_live_restore,
)
from machinectl.provision.steps.installation import remove_packages
from machinectl.provision.target import NOTHING_SPECIAL, Allowed, Target, with_changes

Undoing = Callable[[Facts, Sequence[Change]], Decision | None]
NO_TARGET = Target("")


def undo_steps(*, purge_engine: bool, allowed: Allowed = NOTHING_SPECIAL, os: str = "") -> tuple[Undoing, ...]:
    always: tuple[Undoing, ...] = (
        lambda facts, _: engine_config.recover(facts, NO_TARGET),
        lambda facts, changes: check_undoable(facts, changes, allowed),
        stop_engine,
        # Live-restore keeps containers running while the engine restarts.
        lambda facts, changes: (
            live_restore.borrow(facts, with_changes(NO_TARGET, changes)) if restarts(facts, changes) else None
        ),
        partial(restore_config, restart=True),
        reset_live_restore,
        partial(restore_config, restart=False),
        disable_service,
        firewall.close_ports,
        docker_socket.leave_group,
    )
    return (*always, lambda facts, changes: remove_packages(facts, changes, os)) if purge_engine else always


def check_undoable(facts: Facts, changes: Sequence[Change], allowed: Allowed) -> None:
    """Raise CheckFailed if undo is impossible, or stops or hides containers."""
    preflight.check_root(facts, NO_TARGET)
    restarted = restarts(facts, changes)
    # Only live-restore may be left of our configuration.
    ends_containers = restarted or (live_restore.is_on(facts) and original_live_restore(facts, changes) is not True)
    if ends_containers and facts.containers and facts.dockerd and not facts.running:
        start = "systemctl start docker.service" if facts.init == "systemd" else "rc-service docker start"
        raise CheckFailed(
            f"The host's engine is stopped but has {container_count(facts)}: without live-restore, its start ends them",
            Hint("Start it first, on the host", start),
        )
    if not restarted:
        return
    if facts.running and stop_engine(facts, changes) is None:
        docker_socket.check_startable(facts)
    restart_risks.refuse_swarm(facts, allowed)
    original = original_config(facts, changes)
    moves = restart_risks.hiding_moves(facts, read_config(facts), original, own_flags(facts, changes))
    if moves and not allowed.force:
        raise restart_risks.would_hide(facts, moves, allowed)
    restart_risks.refuse_harm(facts, allowed)


def stop_engine(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    """Stop an engine that did not run before, unless it runs containers."""
    units = [change.unit for change in of_kind(changes, ServiceStarted)]
    if not (units and facts.running) or facts.containers:
        return None
    command = f"systemctl stop {shlex.join(units)}" if facts.init == "systemd" else "rc-service docker stop"
    return Decision(
        "Stopping the engine: it did not run before",
        (command,),
        command_job(command),
        replace(facts, service=replace(facts.service, active=False)),
        failure("The engine could not be stopped", status_hint(facts)),
    )


def status_hint(facts: Facts) -> Hint:
    return Hint("See on the host", "rc-service docker status" if facts.init == "openrc" else "systemctl status docker")


def restore_config(facts: Facts, changes: Sequence[Change], *, restart: bool) -> Decision | None:
    """Remove our files from the host and our keys from daemon.json, if that needs, or does not need, a restart."""
    if restart != restarts(facts, changes):
        return None
    last = original = config_before(facts, changes)
    if restart and keeps_containers(facts, changes) and original_live_restore(facts, changes) is not True:
        # dockerd stops containers if it starts without live-restore.
        last = daemon_json.dump(
            with_live_restore(daemon_json.parse_config(original, facts.config_path), value=True), original
        )
    files, activation = files_made(facts, changes), INSTALL_ONLY
    if last != facts.config_content:
        # First: without the drop-in, `hosts` conflicts with the unit's -H.
        files.insert(0, NewFile(facts.config_path, original_mode(facts, changes), last))
    if not files:
        return None
    if restart:
        activation = Activation(
            "restart" if facts.running else "none",
            validate=engine_goal.validate_command(facts, own_flags(facts, changes)) if last is not None else "",
            containers=restart_risks.care_for_containers(facts),
        )
    is_last = last == original
    return Decision(
        "Removing our configuration from the engine" if restart else f"Restoring {facts.config_path}",
        (
            *(f"{'remove' if file.content is None else 'restore'} {file.path}" for file in files),
            *(("restart docker.service",) if activation.action == "restart" else ()),
        ),
        apply_job(files, activation, init=facts.init, directories=deepest_first(changes)),
        with_files(facts, files),
        partial(not_taken_out, facts),
        () if is_last else held_original(facts, changes),
        warnings=restart_risks.warnings(facts, with_changes(NO_TARGET, changes)) if restart else (),
        undone=(*undone_by(files, changes), *(everything_in_config(changes) if is_last else ())),
    )


def everything_in_config(changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if isinstance(change, ConfigMerged | LiveRestoreChanged)]


def not_taken_out(facts: Facts, result: RemoteResult) -> MachineError:
    """Explain why the original daemon.json cannot come back: dockerd refuses it, or works with ours only."""
    if result.status not in {3, 7, 8}:
        return not_applied(result, facts.init)
    path = facts.config_path
    return EngineDown(
        f"The engine does not work with the original {path}: machinectl's configuration was restored\n{tail(result)}",
        Hint(
            f"Remove the option that it names from {path} on the host, and try again; the file then keeps that change"
        ),
    )


def reset_live_restore(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    """Restore live-restore and the original daemon.json."""
    original, value = config_before(facts, changes), original_live_restore(facts, changes)
    ours = of_kind(changes, LiveRestoreChanged) or original != facts.config_content
    if not (facts.running and ours) or live_restore.is_on(facts) == bool(value):
        return None
    files = files_made(facts, changes)
    return live_restore.set_by_reload(
        facts,
        f"Turning live-restore {'on' if value else 'off'} (as before)",
        original,
        first=files,
        permissions=original_mode(facts, changes),
        gone=deepest_first(changes),
        changes=held_original(facts, changes),
        undone=(*undone_by(files, changes), *everything_in_config(changes)),
    )


def disable_service(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    if not (of_kind(changes, ServiceEnabled) and facts.service.enabled):
        return None
    command = "systemctl -q disable docker.service" if facts.init == "systemd" else "rc-update -q del docker default"
    return Decision(
        "Disabling docker.service at boot (as before)",
        (command,),
        command_job(command),
        replace(facts, service=replace(facts.service, enabled=False)),
        failure("docker.service could not be disabled at boot", status_hint(facts)),
        undone=tuple(of_kind(changes, ServiceEnabled)),
    )


def remarks_after(facts: Facts, changes: Sequence[Change], *, purge_engine: bool) -> list[str]:
    """Return what is not undone; `changes` are the remaining ones."""
    found = []
    if purge_engine and facts.dockerd:
        found.append("The engine stays on the host: it was there before this machine")
    if of_kind(changes, ServiceStarted) and facts.running and facts.containers:
        found.append(f"The engine, which did not run before, keeps running with {container_count(facts)}")
    return found


# The host's configuration of before machinectl: daemon.json byte for byte if nobody else has changed it.


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
