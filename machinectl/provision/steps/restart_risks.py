"""Risks of restarting the engine, what it stops and hides, and the proof that the engine works as before.

A restart also applies other people's edits: of the data directory, the driver or the image store.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import CheckFailed, Hint, MachineError
from machinectl.provision.decision import log_command
from machinectl.provision.facts import docker_unit
from machinectl.provision.facts.host_facts import DROP_INS, OWN_DIRECTORY
from machinectl.provision.steps import docker_socket
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.provision.facts.docker_unit import DockerdFlag
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target

# Docker commands that stay attached to containers; their unit restarts the containers.
RUNNERS = frozenset({"run", "start", "up", "compose", "attach"})
# Docker commands that fail without the engine.
BUILDERS = frozenset({"build", "buildx"})
DATA_ROOT = "/var/lib/docker"
SETTINGS = ("data-root", "storage-driver", "userns-remap")
# DriverStatus (`docker info`) with containerd's image store.
SNAPSHOTTER = "io.containerd.snapshotter"
SNAPSHOTTER_FEATURE = "containerd-snapshotter"
# userns-remap appends UID.GID to the directory.
REMAPPED_ROOT = re.compile(r"/\d+\.\d+$")


def refuse_harm(facts: Facts, allowed: Allowed) -> None:
    """Refuse a restart that systemd refuses, or that stops something despite live-restore."""
    if refusals := docker_unit.refusals(facts.unit):
        cause = f"systemd refuses to restart the engine on the host: {'; '.join(map(str, refusals))}"
        raise CheckFailed(cause, Hint("Change that on the host", "systemctl cat docker.service"))
    for cause, hint in () if allowed.force else harms(facts):
        raise CheckFailed(cause, hint | Hint("then run this again") | allowed.or_force)


def harms(facts: Facts) -> Iterator[tuple[str, Hint]]:
    """Return what a restart of the engine does to others, and how to avoid it."""
    ours = {facts.config_path, posixpath.dirname(facts.config_path), "/etc/docker", OWN_DIRECTORY, DROP_INS}
    watchers = [unit for unit in facts.path_units if ours & {*map(posixpath.normpath, unit.paths)}]
    odd = [*map(str, docker_unit.owners_commands(facts.unit))]
    odd += [f"{unit.name} starts {unit.starts} when our files change" for unit in watchers]
    if odd:
        yield (
            f"On the host, a restart of the engine does more than that: {'; '.join(odd)}",
            Hint("Change that on the host", "systemctl cat docker.service", *(unit.name for unit in watchers)),
        )
    # A starting engine forgets each container that it cannot write about.
    if facts.full and facts.containers:
        lost = plural(len(facts.containers), "running container")
        yield (
            f"The host's disk is full: {facts.full[0]}. A restart of the engine would lose {lost}",
            Hint("Make room there, on the host", f"df -h {(place := shlex.quote(facts.full[0]))}; df -i {place}"),
        )
    if not facts.running:
        return
    if facts.unread:
        yield (
            "docker.service was changed on the host but not read by systemd: the change takes effect with a restart",
            Hint("On the host, as root", "systemctl daemon-reload"),
        )
    if units := attached_units(facts):
        yield (
            f"A restart of the engine ends docker commands, and restarts their containers: {' and '.join(units)}",
            Hint("Stop them first, on the host", "systemctl stop", *units),
        )
    if any(client.verb in BUILDERS for client in facts.clients):
        yield "An image is being built on the host: a restart of the engine ends that", Hint("Wait until it is done")
    if facts.swarm and facts.once:
        yield (
            f"On a Swarm node, a restart of the engine ends {' '.join(facts.once)} for good: no restart policy",
            Hint("Give each a policy, on the host", "docker update --restart unless-stopped", *facts.once),
        )
    # The default is control-group (systemd.kill(5)); Docker's packages set process.
    kill_mode = (docker_unit.unit_settings(facts.unit, "KillMode") or ["control-group"])[-1]
    if facts.own_shims and facts.unit and kill_mode not in {"process", "none"}:
        yield (
            f"docker.service says KillMode={kill_mode}, and its containerd is its own: a restart ends all containers",
            Hint("Set KillMode=process in [Service], on the host", "systemctl edit docker.service"),
        )


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
    raise CheckFailed(
        "The host is a Swarm node: a restart of its engine stops the tasks on it",
        allowed.undrained,
    )


def care_for_containers(facts: Facts, allowed: Allowed = NOTHING_SPECIAL) -> str:
    """Return `Activation.containers`; "" if a restart stops them anyway."""
    return "" if allowed.force or facts.swarm or not facts.containers or attached_units(facts) else "keep"


def attached_units(facts: Facts) -> list[str]:
    """Return units of attached docker commands, whose containers restart."""
    return sorted({client.unit for client in facts.clients if client.unit and client.verb in RUNNERS})


def warnings(facts: Facts, target: Target) -> tuple[str, ...]:
    if not facts.running:
        return ()
    found = []
    if facts.forgotten:
        containers = plural(facts.forgotten, "running container")
        found.append(f"the engine does not know {containers} on the host: its restart ends or restarts them")
    if facts.clients:
        commands = sorted({client.unit or client.verb for client in facts.clients})
        found.append(f"the engine's restart ends the docker commands that are attached to it ({', '.join(commands)})")
    if is_config_edited(facts, target):
        found.append(f"{facts.config_path} was changed since the engine was started, and it reads that now")
    return tuple(found)


def is_config_edited(facts: Facts, target: Target) -> bool:
    """Return whether somebody else edited daemon.json since the engine started."""
    if not (facts.edited and facts.config):
        return False
    written = target.earlier.written if target.earlier else ""
    return hashlib.sha256(facts.config.content).hexdigest() != written


class Move(NamedTuple):
    setting: str
    now: str
    then: str

    def __str__(self) -> str:
        return f"{self.setting} is {self.now} now and {self.then} afterwards"


def hiding_moves(
    facts: Facts, before: Mapping[str, Any], after: Mapping[str, Any], flags: Sequence[DockerdFlag]
) -> list[Move]:
    """Return the settings that a restart changes; [] without containers."""
    if not container_total(facts):
        return []
    asked = hiding_settings(after, flags)
    # Without the engine, the client prints empty values.
    if facts.info.get("DockerRootDir"):
        moves = compared(facts, asked)
    else:
        there = hiding_settings(before, flags)
        moves = [Move(name, there.get(name, "the default"), then) for name, then in asked.items()]
    return [move for move in moves if move.now != move.then]


def hiding_settings(config: Mapping[str, Any], flags: Sequence[DockerdFlag]) -> dict[str, str]:
    said = {name: str(config[name]) for name in SETTINGS if config.get(name)}
    if config.get("graph"):
        said.setdefault("data-root", str(config["graph"]))
    features = config.get("features")
    if isinstance(features, dict) and SNAPSHOTTER_FEATURE in features:
        said[SNAPSHOTTER_FEATURE] = str(features[SNAPSHOTTER_FEATURE]).lower()
    for flag in flags:
        if flag.name in SETTINGS and flag.value:
            said[flag.name] = flag.value
        elif flag.name == "feature" and flag.value.startswith(f"{SNAPSHOTTER_FEATURE}="):
            said[SNAPSHOTTER_FEATURE] = flag.value.partition("=")[2]
    return said


def compared(facts: Facts, asked: Mapping[str, str]) -> list[Move]:
    """Compare the running engine with its next settings; unset ones stay."""
    info, on_off = facts.info, ("off", "on")
    remapped = "name=userns" in [str(option).partition(",")[0] for option in info.get("SecurityOptions") or ()]
    root, driver = str(info["DockerRootDir"]), str(info.get("Driver", ""))
    store = str(SNAPSHOTTER in str(info.get("DriverStatus"))).lower()
    wanted_root = posixpath.normpath(asked.get("data-root", DATA_ROOT))
    found = [
        Move("data-root", REMAPPED_ROOT.sub("", root) if remapped else root, facts.links.get(wanted_root, wanted_root)),
        Move("userns-remap", on_off[remapped], on_off["userns-remap" in asked]),
        Move(SNAPSHOTTER_FEATURE, store, asked.get(SNAPSHOTTER_FEATURE, store)),
    ]
    # Engines before 29 call containerd's overlayfs overlay2.
    wanted = asked.get("storage-driver", driver)
    if (driver, wanted, asked.get(SNAPSHOTTER_FEATURE)) != ("overlayfs", "overlay2", "true"):
        found.append(Move("storage-driver", driver, wanted))
    return found


def container_total(facts: Facts) -> int:
    said = facts.info.get("Containers")
    return max(said if isinstance(said, int) else 0, len(facts.containers))


def would_hide(facts: Facts, found: Sequence[Move], allowed: Allowed) -> CheckFailed:
    what = plural(container_total(facts), "container")
    return CheckFailed(
        f"A restart of the host's engine would hide its {what}: {'; '.join(map(str, found))}",
        Hint(f"Undo the change of {found[0].setting}, in {facts.config_path} or docker.service on the host, or here")
        | allowed.or_force,
    )


def engine_problem(before: Facts, after: Facts) -> MachineError | None:
    """Return what is wrong with an engine that should run."""
    if not after.running:
        return MachineError("The engine has stopped since", Hint("Look on the host", log_command(after.init)))
    # An engine that waits for its Swarm's leader does not answer.
    if before.info and not after.info and not after.swarm:
        restart = docker_socket.RESTART if after.init == "systemd" else "rc-service docker restart"
        return MachineError(
            "The engine runs, and no longer answers on its unix socket",
            Hint("Restart it on the host, which may stop its containers", restart),
        )
    return containers_lost(before, after)


def containers_lost(before: Facts, after: Facts) -> MachineError | None:
    """Name the containers that ended, but for those that ended by themselves or had to."""
    if not before.info or before.swarm or attached_units(before):
        return None
    lost = [*lost_containers(before, after)]
    forgotten = max(0, after.forgotten - before.forgotten - len(before.looping))
    count = len(lost) + forgotten
    hint = Hint("Look on the host", "docker ps -a") | Hint("", log_command(after.init))
    if forgotten:
        lost.append(f"{forgotten} forgotten by the engine")
        restart = "rc-service docker restart" if after.init == "openrc" else "systemctl restart docker"
        hint |= Hint("if its disk is full (df -h), make room, then restart the engine, which finds them again", restart)
    of = f"{count} of {len(before.shims)} containers"
    return MachineError(f"{of} did not keep running on the host: {', '.join(lost)}", hint) if lost else None


def lost_containers(before: Facts, after: Facts) -> Iterator[str]:
    # A restart removes no container. Somebody else has.
    removed = before.names.keys() - after.names.keys() if after.names else set()
    for container, shim in sorted(before.shims.items(), key=lambda each: before.names.get(each[0], "")):
        now = after.shims.get(container)
        if now != shim and container not in before.looping | after.finished | removed:
            yield f"{before.names.get(container, container[:12])} ({'restarted' if now else 'stopped'})"
