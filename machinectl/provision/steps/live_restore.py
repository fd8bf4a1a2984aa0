"""Turn live-restore on while the engine restarts, to keep containers running.

Swarm refuses it: `docker swarm init` and a node's engine fail. A reload switches it, and keeps options missing from the
file.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from machinectl.errors import CheckFailed, Hint
from machinectl.provision import daemon_json
from machinectl.provision.daemon_json import read_config
from machinectl.provision.decision import Decision, not_applied
from machinectl.provision.host_changes import ConfigMerged, DirectoryCreated, FileCreated, LiveRestoreChanged, of_kind
from machinectl.provision.job import INSTALL_ONLY, Activation, NewFile, apply_job
from machinectl.provision.steps import restart_risks
from machinectl.provision.steps.engine_config import (
    backup,
    config_change,
    container_count,
    missing_directories,
    with_files,
)
from machinectl.provision.steps.engine_goal import (
    LIVE_RESTORE,
    dockerd_flags,
    holds_containers,
    with_live_restore,
    without_live_restore,
    without_unasked,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.target import Target


def borrow(facts: Facts, target: Target) -> Decision | None:
    """Turn it on before a restart with running containers.

    A separate reload: dockerd refuses one that also adds `hosts` while -H is a flag.
    """
    there = read_config(facts)
    if not (facts.dockerd and holds_containers(facts)) or (is_on(facts) and there.get(LIVE_RESTORE) is True):
        return None
    given = flag_value(facts)
    if given == "false":
        raise CheckFailed(
            f"dockerd is started with --{LIVE_RESTORE}=false on the host: a restart stops its containers",
            Hint(f"Remove --{LIVE_RESTORE} from docker.service or its environment on the host, and restart the engine"),
        )
    if given:
        return None
    new = daemon_json.dump(with_live_restore(there, value=True), facts.config_content)
    return set_by_reload(
        facts,
        f"Keeping {container_count(facts)} running: live-restore, by a reload",
        new,
        first=backup(facts),
        changes=(
            *map(DirectoryCreated, missing_directories(facts)),
            *(FileCreated(file.path) for file in backup(facts)),
            held_value(facts, target),
            reloaded_config(facts, target, {}, new),
        ),
    )


def give_back(facts: Facts, target: Target) -> Decision | None:
    """Set the wanted value, if we changed it or --engine-opt sets it."""
    value = wanted_value(facts, target)
    # Also an earlier version of machinectl may have changed it.
    earlier = [each for each in (target.borrowed, target.earlier) if each and each.path == facts.config_path]
    ours = is_on_record(earlier) or value != owners_value(facts, target)
    if not ours or is_settled(facts, value) or is_needed(facts):
        return None
    as_before = "" if is_requested(target) else " (as before)"
    return set_wanted(facts, target, f"Turning live-restore {'on' if value else 'off'}{as_before}")


def turn_off_for_swarm(facts: Facts, target: Target) -> Decision | None:
    """Turn it off for Swarm. Raises CheckFailed if a flag sets it, which no reload changes."""
    if not (is_on(facts) or read_config(facts).get(LIVE_RESTORE)):
        return None
    if flag_value(facts) not in {"", "false"}:
        raise CheckFailed(
            f"dockerd is started with --{LIVE_RESTORE} on the host, and Swarm refuses such an engine",
            Hint(f"Remove --{LIVE_RESTORE} from docker.service or its environment on the host, and restart the engine"),
        )
    node = replace(facts, swarm=True)
    decision = set_wanted(node, target, "Turning live-restore off by a reload, because Swarm refuses it")
    return replace(decision, after=replace(decision.after, swarm=facts.swarm))


def set_wanted(facts: Facts, target: Target, title: str) -> Decision:
    """Set the wanted value; it is recorded first."""
    value, own = wanted_value(facts, target), owners_value(facts, target)
    left = file_with(facts, target, value)
    ours = {LIVE_RESTORE: value} if is_requested(target) else {}
    return set_by_reload(
        facts,
        title,
        left,
        changes=(
            *map(DirectoryCreated, missing_directories(facts)),
            *(() if value == own else (held_value(facts, target),)),
            reloaded_config(facts, target, ours, left or b""),
        ),
    )


def reloaded_config(facts: Facts, target: Target, ours: dict[str, Any], new: bytes) -> ConfigMerged:
    """Return the record of a write; somebody's edit stays foreign until the engine restarts with it."""
    change = config_change(facts, ours, new)
    if not restart_risks.is_config_edited(facts, target):
        return change
    return replace(change, written=target.earlier.written if target.earlier else "")


def set_by_reload(
    facts: Facts,
    title: str,
    left: bytes | None,
    *,
    first: Iterable[NewFile] = (),
    permissions: str = "",
    gone: tuple[str, ...] = (),
    changes: tuple[Change, ...] = (),
    undone: tuple[Change, ...] = (),
) -> Decision:
    """Write `left` as daemon.json, and reload if the value differs.

    Without a value, the file says false until the reload.
    """
    path, permissions = facts.config_path, permissions or facts.config_mode
    config = daemon_json.parse_config(left, path)
    value = config.get(LIVE_RESTORE)
    final = NewFile(path, permissions, left)
    reload = facts.running and not (facts.info and is_on(facts) == bool(value))
    told = final
    if reload and value is None:
        told = NewFile(path, permissions, daemon_json.dump(with_live_restore(config, value=False), left))
    others, activation = [*first], INSTALL_ONLY
    if reload:
        activation = Activation("reload", live_restore=str(bool(value)).lower())
    what = "removed" if value is None else str(value).lower()
    if told is not final:
        what = "false for the reload, then removed"
    return Decision(
        title=title,
        details=(f'{path}: "{LIVE_RESTORE}": {what}', *(("reload docker.service",) if reload else ())),
        job=apply_job(
            [*others, told],
            activation,
            init=facts.init,
            directories=gone or missing_directories(facts),
            afterwards=final if told is not final else None,
        ),
        after=replace(
            with_files(facts, [*others, final]),
            info={**facts.info, "LiveRestoreEnabled": bool(value)} if facts.info else {},
        ),
        failure=partial(not_applied, init=facts.init),
        changes=changes,
        undone=undone,
    )


def is_on(facts: Facts) -> bool:
    """Return the engine's value, or the file's if it does not answer."""
    return bool(facts.info.get("LiveRestoreEnabled") if facts.info else read_config(facts).get(LIVE_RESTORE))


def is_needed(facts: Facts) -> bool:
    """Return whether the start of a stopped engine would end containers without it."""
    return bool(facts.dockerd) and not facts.running and holds_containers(facts) and is_on(facts)


def flag_value(facts: Facts) -> str:
    """Return the value in dockerd's flags, or ""."""
    return next((flag.value or "true" for flag in dockerd_flags(facts, ours=True) if flag.name == LIVE_RESTORE), "")


def is_requested(target: Target) -> bool:
    return LIVE_RESTORE in daemon_json.option_keys(target.options, {})


def owners_value(facts: Facts, target: Target) -> bool | None:
    """Return the host's own value, or None."""
    value = without_unasked(facts, target, read_config(facts)).get(LIVE_RESTORE)
    return value if isinstance(value, bool) else None


def wanted_value(facts: Facts, target: Target) -> Any:
    """Return --engine-opt's value, else the host's own; never true on a Swarm node."""
    value: Any = owners_value(facts, target)
    if is_requested(target) and not flag_value(facts):
        value = daemon_json.option_keys(target.options, {})[LIVE_RESTORE]
    return False if value and facts.swarm else value


def is_on_record(changes: Iterable[Change]) -> bool:
    known = list(changes)
    merges = of_kind(known, ConfigMerged)
    return bool(of_kind(known, LiveRestoreChanged)) or any(LIVE_RESTORE in merge.ours for merge in merges)


def is_settled(facts: Facts, value: Any) -> bool:
    return read_config(facts).get(LIVE_RESTORE) == value and (not facts.running or is_on(facts) == bool(value))


def held_value(facts: Facts, target: Target) -> LiveRestoreChanged:
    """Return the record of the host's own value, to write first."""
    there = facts.config_content
    text = None if there is None else there.decode("utf-8", "surrogateescape")
    return LiveRestoreChanged(facts.config_path, owners_value(facts, target), text)


def file_with(facts: Facts, target: Target, value: Any) -> bytes | None:
    """Return daemon.json with this value, byte for byte the original if possible."""
    config = with_live_restore(read_config(facts), value)
    text = target.borrowed.text if target.borrowed else None
    there = None if text is None else text.encode("utf-8", "surrogateescape")
    if target.borrowed and config == daemon_json.parse_config(there, facts.config_path):
        return there
    if config == read_config(facts):
        return facts.config_content
    return daemon_json.dump(config, facts.config_content)


def without_settled(facts: Facts, target: Target, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes, without live-restore's once the host's own value is back."""
    value = owners_value(facts, target)
    if wanted_value(facts, target) != value or not is_settled(facts, value):
        return tuple(changes)
    left = tuple(
        replace(change, ours=without_live_restore(change.ours)) if isinstance(change, ConfigMerged) else change
        for change in changes
        if not isinstance(change, LiveRestoreChanged)
    )
    return left if facts.config else without_own_file(facts, left)


def without_own_file(facts: Facts, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Return the changes without a daemon.json made only for live-restore, which is gone, and its directories."""
    merges = of_kind(changes, ConfigMerged)
    if not any(merge.path == facts.config_path and merge.before is None and not merge.ours for merge in merges):
        return changes
    gone = set(missing_directories(facts))
    gone -= {each for each in gone for file in of_kind(changes, FileCreated) if file.path.startswith(f"{each}/")}
    return tuple(
        change
        for change in changes
        if not (isinstance(change, ConfigMerged) and change.path == facts.config_path)
        and not (isinstance(change, DirectoryCreated) and change.path in gone)
    )
