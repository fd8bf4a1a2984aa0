"""Risks of restarting the engine."""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, CheckFailed, Hint
from machinectl.provision import preflight
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import DROP_INS, OWN_DIRECTORY
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.provision.facts.host_facts import Facts, Room
    from machinectl.provision.target import Allowed, Target

# Docker commands that stay attached to containers; their unit restarts the containers.
RUNNERS = frozenset({"run", "start", "up", "compose", "attach"})
# Docker commands that fail without the engine.
BUILDERS = frozenset({"build", "buildx"})
# KiB and files. The engine and containerd write a few files for each container, and their databases grow by pages.
ROOM_TO_START = 4 << 10
FILES_TO_START = 64


def refuse_harm(facts: Facts, allowed: Allowed) -> None:
    """Refuse a restart that stops something despite live-restore."""
    refuse_odd_unit(facts, allowed)
    if allowed.force:
        return
    refuse_full_disk(facts, allowed)
    if facts.running and (harm := restart_harm(facts)):
        cause, hint = harm
        raise CheckFailed(cause, hint | Hint("then run this again") | allowed.or_force)


def restart_harm(facts: Facts) -> tuple[str, Hint] | None:
    if facts.unread:
        return (
            "docker.service was changed on the host but not read by systemd: the change takes effect with a restart",
            Hint("On the host, as root", "systemctl daemon-reload"),
        )
    if units := attached_units(facts):
        return (
            f"A restart of the engine ends docker commands, and restarts their containers: {' and '.join(units)}",
            Hint("Stop them first, on the host", "systemctl stop", *units),
        )
    if any(client.verb in BUILDERS for client in facts.clients):
        return (
            "An image is being built on the host: a restart of the engine ends that",
            Hint("Wait until it is done"),
        )
    if facts.swarm and facts.once:
        return (
            f"On a Swarm node, a restart of the engine ends {' '.join(facts.once)} for good: no restart policy",
            Hint("Give each a policy, on the host", "docker update --restart unless-stopped", *facts.once),
        )
    # The default is control-group (systemd.kill(5)); Docker's packages set process.
    kill_mode = (docker_unit.unit_settings(facts.unit, "KillMode") or ["control-group"])[-1]
    if facts.own_shims and facts.unit and kill_mode not in {"process", "none"}:
        return (
            f"docker.service says KillMode={kill_mode}, and its containerd is its own: a restart ends all containers",
            Hint("Set KillMode=process in [Service], on the host", "systemctl edit docker.service"),
        )
    return None


def refuse_odd_unit(facts: Facts, allowed: Allowed) -> None:
    """Refuse a restart that systemd refuses, or that does more than restart the engine: who knows what that ends."""
    refusals = docker_unit.refusals(facts.unit)
    settings = refusals or ([] if allowed.force else docker_unit.owners_commands(facts.unit))
    ours = {facts.config_path, posixpath.dirname(facts.config_path), "/etc/docker", OWN_DIRECTORY, DROP_INS}
    watchers = [unit for unit in facts.path_units if ours & {*map(posixpath.normpath, unit.paths)}]
    watchers = [] if refusals or allowed.force else watchers
    odd = [*map(str, settings), *(f"{unit.name} starts {unit.starts} when our files change" for unit in watchers)]
    if odd:
        ways = [*without_settings(settings), *(f"systemctl stop {shlex.quote(unit.name)}" for unit in watchers)]
        raise CheckFailed(
            f"On the host, systemd refuses to restart the engine, or a restart does more than that: {'; '.join(odd)}",
            Hint("On the host, as root", "; ".join(ways))
            | Hint("then run this again")
            | (NO_HINT if refusals else allowed.or_force),
        )


def without_settings(settings: Sequence[docker_unit.Setting]) -> list[str]:
    """Return the commands that make comments of the settings in their files, and let systemd read them."""
    keys: dict[str, list[str]] = {}
    for setting in settings:
        keys.setdefault(shlex.quote(setting.path), []).append(setting.key)
    commands = [f"sed -i -E 's/^ *({'|'.join(dict.fromkeys(each))}) *=/#&/' {path}" for path, each in keys.items()]
    return [*commands, "systemctl daemon-reload"] if commands else []


def refuse_swarm(facts: Facts, allowed: Allowed) -> None:
    """Refuse to restart a Swarm node that cannot be drained, or that would be locked then."""
    if not (facts.swarm and facts.running) or allowed.restart_swarm:
        return
    if facts.info.get("SwarmAutolock"):
        raise CheckFailed(
            "The host's swarm has autolock: a restart of the engine locks the node, and its services stop there",
            Hint("Have the key at hand, on the host", "docker swarm unlock-key")
            | Hint("then allow the restart: --restart-swarm")
            | Hint("after it, type on the host", "docker swarm unlock"),
        )
    if facts.info.get("Swarm") == "locked":
        raise CheckFailed(
            "The host's swarm is locked",
            Hint("Unlock it, on the host", "docker swarm unlock") | Hint("then run this again"),
        )
    raise CheckFailed(
        "The host is a Swarm node: a restart of its engine stops the tasks on it",
        allowed.undrained,
    )


def refuse_full_disk(facts: Facts, allowed: Allowed) -> None:
    """Refuse a start of the engine on a full disk: it forgets each container that it cannot write about."""
    full = next((each for each in facts.room if is_full(each)), None)
    if not (full and facts.containers):
        return
    left = preflight.format_kib(full.kib) if full.kib < ROOM_TO_START else f"{full.inodes} inodes"
    count = "-h" if full.kib < ROOM_TO_START else "--inodes"
    look = f"du -x {count} {shlex.quote(full.directory)} | sort -h | tail"
    raise CheckFailed(
        f"The host's disk is full: {full.directory} has {left} left. "
        f"A restart of the engine would lose {plural(len(facts.containers), 'running container')}",
        Hint("Make room there. What fills it, on the host", look) | Hint("then run this again") | allowed.or_force,
    )


def is_full(room: Room) -> bool:
    return room.kib < ROOM_TO_START or (room.inodes is not None and room.inodes < FILES_TO_START)


def care_for_containers(facts: Facts, allowed: Allowed = NOTHING_SPECIAL) -> str:
    """Return `Activation.containers`; "" if a restart stops them anyway."""
    return "" if allowed.force or facts.swarm or not facts.containers or attached_units(facts) else "keep"


def attached_units(facts: Facts) -> list[str]:
    """Return units of attached docker commands, whose containers restart."""
    return sorted({client.unit for client in facts.clients if client.unit and client.verb in RUNNERS})


def warnings(facts: Facts, target: Target) -> tuple[str, ...]:
    """Return what a restart does besides."""
    if not facts.running:
        # Somebody may have stopped it.
        containers = plural(facts.stored, "container")
        told = f"the engine does not run: it will be started, with those of its {containers} that start with it"
        return (told,) if facts.dockerd and facts.stored else ()
    found = []
    if facts.forgotten:
        containers = plural(facts.forgotten, "running container")
        found.append(f"the engine does not know {containers} on the host: its restart ends or restarts them")
    if units := attached_units(facts):
        found.append(
            f"the engine's restart ends the docker commands of {' and '.join(units)}: their containers restart"
        )
    if verbs := sorted({client.verb for client in facts.clients}):
        found.append(f"the engine's restart cuts off the docker commands that are attached to it ({', '.join(verbs)})")
    if is_config_edited(facts, target):
        found.append(f"{facts.config_path} was changed since the engine was started, and it reads that now")
    return tuple(found)


def is_config_edited(facts: Facts, target: Target) -> bool:
    """Return whether somebody else edited daemon.json since the engine started."""
    if not (facts.edited and facts.config):
        return False
    written = target.earlier.written if target.earlier else ""
    return hashlib.sha256(facts.config.content).hexdigest() != written
