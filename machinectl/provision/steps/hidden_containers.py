"""Detect a restart that hides containers: another data directory, driver or store.

A restart also applies other people's edits.
"""

from __future__ import annotations

import os.path
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import CheckFailed, Hint
from machinectl.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.provision.facts.docker_unit import DockerdFlag
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed

DATA_ROOT = "/var/lib/docker"
SETTINGS = ("data-root", "storage-driver", "userns-remap")
# DriverStatus (`docker info`) with containerd's image store.
SNAPSHOTTER = "io.containerd.snapshotter"
SNAPSHOTTER_FEATURE = "containerd-snapshotter"
# userns-remap appends UID.GID to the directory.
REMAPPED_ROOT = re.compile(r"/\d+\.\d+$")


class Move(NamedTuple):
    setting: str
    now: str
    then: str

    def __str__(self) -> str:
        return f"{self.setting} is {self.now} now and {self.then} afterwards"


def moves(
    facts: Facts, before: Mapping[str, Any], after: Mapping[str, Any], flags: Sequence[DockerdFlag]
) -> list[Move]:
    """Return the settings that a restart changes; [] without containers."""
    if not container_total(facts):
        return []
    asked = hiding_settings(after, flags)
    # Without the engine, the client prints empty values.
    if not facts.info.get("DockerRootDir"):
        return unasked(hiding_settings(before, flags), asked)
    return [move for move in compared(facts, asked) if move.now != move.then]


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
    # Engines before 29 call containerd's overlayfs overlay2.
    wanted = asked.get("storage-driver", driver)
    if (driver, wanted, asked.get(SNAPSHOTTER_FEATURE)) != ("overlayfs", "overlay2", "true"):
        found.append(Move("storage-driver", driver, wanted))
    return found


def onoff(value: bool) -> str:
    return "on" if value else "off"


def unasked(before: Mapping[str, str], after: Mapping[str, str]) -> list[Move]:
    """Compare the files, if the engine does not answer."""
    return [
        Move(name, before.get(name, "the default"), value) for name, value in after.items() if before.get(name) != value
    ]


def container_total(facts: Facts) -> int:
    """Return the number of containers, running or not."""
    said = facts.info.get("Containers")
    return max(said if isinstance(said, int) else 0, len(facts.containers))


def would_hide(facts: Facts, found: Sequence[Move], allowed: Allowed) -> CheckFailed:
    what = plural(container_total(facts), "container")
    return CheckFailed(
        f"A restart of the host's engine would hide its {what}: {'; '.join(map(str, found))}",
        Hint(f"Undo the change of {found[0].setting}, in {facts.config_path} or docker.service on the host, or here")
        | allowed.or_force,
    )
