"""Undo recorded changes of a host; containers and images stay.

Steps depend on current facts, so an interrupted undo can run again.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from machinectl.errors import CheckFailed, Hint, MachineError
from machinectl.provision import daemon_json, firewall, preflight
from machinectl.provision.daemon_json import read_config
from machinectl.provision.decision import Decision, EngineDown, failure, not_applied, tail
from machinectl.provision.facts.host_facts import Facts
from machinectl.provision.host_changes import (
    Change,
    ConfigMerged,
    LiveRestoreChanged,
    ServiceEnabled,
    ServiceStarted,
    of_kind,
)
from machinectl.provision.job import Activation, NewFile, RemoteResult, apply_job, command_job
from machinectl.provision.steps import (
    docker_socket,
    engine_config,
    engine_goal,
    live_restore,
    restart_risks,
)
from machinectl.provision.steps.engine_config import container_count, with_files
from machinectl.provision.steps.engine_goal import readiness_socket, with_live_restore
from machinectl.provision.steps.installation import remove_packages
from machinectl.provision.steps.original_config import (
    config_before,
    deepest_first,
    files_made,
    held_original,
    keeps_containers,
    original_config,
    original_live_restore,
    original_mode,
    own_flags,
    restarts,
    undone_by,
    written,
)
from machinectl.provision.target import NOTHING_SPECIAL, Allowed, Target, with_changes
from machinectl.quantities import plural

Undoing = Callable[[Facts, Sequence[Change]], Decision | None]
NO_TARGET = Target("")


def undo_steps(*, purge_engine: bool, allowed: Allowed = NOTHING_SPECIAL, os: str = "") -> tuple[Undoing, ...]:
    always: tuple[Undoing, ...] = (
        lambda facts, _: engine_config.recover(facts, NO_TARGET),
        lambda facts, changes: check_undoable(facts, changes, allowed),
        stop_engine,
        keep_containers_running,
        remove_config,
        reset_live_restore,
        restore_config,
        disable_service,
        firewall.close_ports,
        docker_socket.leave_group,
    )
    return (*always, lambda facts, changes: remove_packages(facts, changes, os)) if purge_engine else always


def check_undoable(facts: Facts, changes: Sequence[Change], allowed: Allowed) -> None:
    """Raise CheckFailed if undo is impossible, or stops or hides containers."""
    preflight.check_root(facts, NO_TARGET)
    preflight.check_files(facts, NO_TARGET)
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
        docker_socket.check_not_masked(facts)
    restart_risks.refuse_swarm(facts, allowed)
    moves = restart_risks.hiding_moves(
        facts, read_config(facts), original_config(facts, changes), own_flags(facts, changes)
    )
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


def keep_containers_running(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    """Turn live-restore on before a restart."""
    return live_restore.borrow(facts, with_changes(NO_TARGET, changes)) if restarts(facts, changes) else None


def remove_config(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    """Remove our configuration; restart the engine with live-restore."""
    if not restarts(facts, changes):
        return None
    last = original = config_before(facts, changes)
    if keeps_containers(facts, changes) and original_live_restore(facts, changes) is not True:
        # dockerd stops containers if it starts without live-restore.
        last = daemon_json.dump(
            with_live_restore(daemon_json.parse_config(original, facts.config_path), value=True), original
        )
    files = files_made(facts, changes)
    if last != facts.config_content:
        # First: without the drop-in, `hosts` conflicts with the unit's -H.
        files.insert(0, NewFile(facts.config_path, original_mode(facts, changes), last))
    return Decision(
        f"Removing our configuration from the engine{outcome_for_containers(facts)}",
        (*(written(file) for file in files), *(("restart docker.service",) if facts.running else ())),
        apply_job(
            files,
            Activation(
                "restart" if facts.running else "none",
                socket=readiness_socket(facts, original, own_flags(facts, changes)),
                validate=engine_goal.validate_command(facts, own_flags(facts, changes)) if last is not None else "",
                containers=restart_risks.care_for_containers(facts),
            ),
            init=facts.init,
            directories=deepest_first(changes),
        ),
        with_files(facts, files),
        partial(not_taken_out, facts),
        held_original(facts, changes) if last != original else (),
        warnings=restart_risks.warnings(facts, with_changes(NO_TARGET, changes)) if facts.running else (),
        undone=(*undone_by(files, changes), *(of_kind(changes, ConfigMerged) if last == original else ())),
    )


def not_taken_out(facts: Facts, result: RemoteResult) -> MachineError:
    """Explain why the original daemon.json cannot come back: dockerd refuses it, or works with ours only."""
    if result.status not in {3, 7, 8}:
        return not_applied(result, facts.init)
    path = facts.config_path
    return EngineDown(
        f"The engine does not work with the original {path}: machinectl's configuration was restored\n{tail(result)}",
        Hint(f"Remove the option that it names from {path} on the host, and try again; the file then keeps that change")
        | Hint("or if the engine did not run before, stop its containers there", "docker stop $(docker ps -q)"),
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
        undone=(*undone_by(files, changes), *of_kind(changes, ConfigMerged), *of_kind(changes, LiveRestoreChanged)),
    )


def restore_config(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    """Restore daemon.json without a restart; remove its backup."""
    original = config_before(facts, changes)
    files = files_made(facts, changes)
    if original != facts.config_content:
        files.insert(0, NewFile(facts.config_path, original_mode(facts, changes), original))
    if not files:
        return None
    return Decision(
        f"Restoring {facts.config_path}",
        tuple(written(file) for file in files),
        apply_job(files, init=facts.init, directories=deepest_first(changes)),
        with_files(facts, files),
        partial(not_applied, init=facts.init),
        undone=(*undone_by(files, changes), *of_kind(changes, ConfigMerged), *of_kind(changes, LiveRestoreChanged)),
    )


def outcome_for_containers(facts: Facts) -> str:
    """Return the end of a title: ", keeping 3 containers running"."""
    known = len(facts.containers) - facts.forgotten
    if known <= 0 or not facts.running:
        return ""
    if facts.swarm:
        return f"; {container_count(facts)} stopped, as on every Swarm node"
    return f", keeping {plural(known, 'container')} running"


def disable_service(facts: Facts, changes: Sequence[Change]) -> Decision | None:
    """Disable docker.service at boot if we enabled it."""
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
