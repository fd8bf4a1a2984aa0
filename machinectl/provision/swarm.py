"""live-restore and Swarm, which exclude each other: it goes before an engine becomes a node, and comes back after that.

`docker swarm init` is refused on an engine with live-restore; a node that is told to have it dies at its next start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.changes import ConfigMerged, of_kind
from machinectl.errors import CheckFailed
from machinectl.provision import daemon_json
from machinectl.provision.configuration import (
    LIVE_RESTORE,
    absent,
    backed_up,
    backup,
    config_change,
    content,
    directories,
    flags_now,
    keeps_running,
    mode,
    read,
    validate,
)
from machinectl.provision.decision import Decision, not_applied
from machinectl.provision.facts import File
from machinectl.provision.firewall import blocking
from machinectl.provision.job import NewFile, apply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.changes import Change
    from machinectl.provision.facts import Facts


def let_go(facts: Facts) -> Decision | None:
    """Turn live-restore off by a reload, so that the engine can become a node; nothing where it is off.

    Raises CheckFailed where its command line says it, which no reload changes.
    """
    if not (keeps_running(facts, read(facts)) or read(facts).get(LIVE_RESTORE)):
        return None
    if any(flag.name == LIVE_RESTORE and flag.value != "false" for flag in flags_now(facts)):
        raise CheckFailed(
            f"dockerd is started with --{LIVE_RESTORE} on the host, which Swarm excludes",
            f"Take --{LIVE_RESTORE} out of docker.service or its environment on the host, and restart the engine",
        )
    return reloaded(facts, "Turning live-restore off, which Swarm excludes, by a reload", on=False)


def take_again(facts: Facts, changes: Iterable[Change]) -> Decision | None:
    """Turn live-restore on again where we had turned it off, by the changes on record; nothing on a node."""
    ours = next((each for each in of_kind(changes, ConfigMerged) if each.path == facts.config_path), None)
    if facts.swarm or ours is None or ours.ours.get(LIVE_RESTORE) is not False or read(facts).get(LIVE_RESTORE):
        return None
    return reloaded(facts, "Turning live-restore on again, by a reload", on=True)


def reloaded(facts: Facts, title: str, *, on: bool) -> Decision:
    """Say in daemon.json whether there is live-restore, and have the running engine take that."""
    new = daemon_json.dump(daemon_json.merged(read(facts), {LIVE_RESTORE: on}), content(facts))
    value = str(on).lower()
    return Decision(
        title=title,
        details=(f'{facts.config_path}: "{LIVE_RESTORE}": {value}', "reload docker.service"),
        job=apply(
            [*backup(facts), NewFile(facts.config_path, mode(facts), new)],
            init=facts.init,
            action="reload",
            validate=validate(facts, flags_now(facts)),
            live_restore=value,
            directories=absent(facts),
        ),
        after=replace(
            facts,
            files={**facts.files, facts.config_path: File(mode(facts), 0, 0, new)},
            info={**facts.info, "LiveRestoreEnabled": on},
            backup=facts.backup or (f"{facts.config_path}.before-machinectl" if facts.config else ""),
        ),
        failure=not_applied,
        changes=(*directories(facts), *backed_up(facts), config_change(facts, {LIVE_RESTORE: on}, new)),
    )


def blocked(facts: Facts, ports: Iterable[tuple[int, str]]) -> list[str]:
    """The ports, as 2377/tcp, that the host's firewall keeps other nodes from."""
    return [f"{port}/{protocol}" for port, protocol in ports if blocking(facts, port, protocol)]
