"""Settings that hide containers: with another place, driver or store for them, an engine that restarts finds none.

They need not be ours: what somebody wrote into daemon.json or the unit, and never restarted for, takes effect with us.
"""

from __future__ import annotations

import os.path
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.provision.facts.docker_unit import DockerdFlag
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed

DATA_ROOT = "/var/lib/docker"
SETTINGS = ("data-root", "storage-driver", "userns-remap")
# What `DriverStatus` of `docker info` holds where images are containerd's.
SNAPSHOTTER = "io.containerd.snapshotter"
SNAPSHOTTER_FEATURE = "containerd-snapshotter"
# With a remapped root, the engine adds the first user and group of it to its directory.
REMAPPED_ROOT = re.compile(r"/\d+\.\d+$")


class Move(NamedTuple):
    """A setting whose value a restart changes."""

    setting: str
    now: str
    then: str

    def __str__(self) -> str:
        return f"{self.setting} is {self.now} now and {self.then} after it"


def moves(
    facts: Facts, before: Mapping[str, Any], after: Mapping[str, Any], flags: Sequence[DockerdFlag]
) -> list[Move]:
    """What of it a restart with daemon.json as it shall be would change; nothing where there is nothing to hide."""
    if not containers(facts):
        return []
    asked = settings(after, flags)
    # The client says nothing for everything where no engine answers it.
    if not facts.info.get("DockerRootDir"):
        return unasked(settings(before, flags), asked)
    return [move for move in compared(facts, asked) if move.now != move.then]


def settings(config: Mapping[str, Any], flags: Sequence[DockerdFlag]) -> dict[str, str]:
    """The settings that hide containers, as daemon.json and the command line say them."""
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
    """Each setting as the engine says that it has it now, and as it will have it. What is not said stays as it is."""
    info = facts.info
    remapped = "name=userns" in [str(option).partition(",")[0] for option in info.get("SecurityOptions") or ()]
    root, driver = str(info["DockerRootDir"]), str(info.get("Driver", ""))
    store = str(SNAPSHOTTER in str(info.get("DriverStatus"))).lower()
    wanted_root = os.path.normpath(asked.get("data-root", DATA_ROOT))
    found = [
        Move("data-root", REMAPPED_ROOT.sub("", root) if remapped else root, facts.links.get(wanted_root, wanted_root)),
        Move("userns-remap", onoff(remapped), onoff("userns-remap" in asked)),
        Move(SNAPSHOTTER_FEATURE, store, asked.get(SNAPSHOTTER_FEATURE, store)),
    ]
    # Engines before 29 call containerd's own overlayfs what it was called before.
    wanted = asked.get("storage-driver", driver)
    if (driver, wanted, asked.get(SNAPSHOTTER_FEATURE)) != ("overlayfs", "overlay2", "true"):
        found.append(Move("storage-driver", driver, wanted))
    return found


def onoff(value: bool) -> str:
    return "on" if value else "off"


def unasked(before: Mapping[str, str], after: Mapping[str, str]) -> list[Move]:
    """What we would change, where the engine cannot be asked what it has."""
    return [
        Move(name, before.get(name, "the default"), value) for name, value in after.items() if before.get(name) != value
    ]


def containers(facts: Facts) -> int:
    """How many there are, also of those that do not run."""
    said = facts.info.get("Containers")
    return max(said if isinstance(said, int) else 0, len(facts.containers))


def refused(facts: Facts, found: Sequence[Move], allowed: Allowed) -> CheckFailed:
    """Why the engine is not restarted."""
    number = containers(facts)
    what = f"{number} container{'s' if number != 1 else ''}"
    return CheckFailed(
        f"A restart of the host's engine would hide its {what}: {'; '.join(map(str, found))}",
        f"Take {found[0].setting} back, in {facts.config_path} or docker.service on the host or here{allowed.or_force}",
    )
