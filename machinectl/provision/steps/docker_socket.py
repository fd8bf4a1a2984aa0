"""docker.socket: systemd's unit that opens the engine's socket, and passes it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed
from machinectl.provision.daemon_json import listed, read_config
from machinectl.provision.facts import docker_unit
from machinectl.quantities import plural

if TYPE_CHECKING:
    from machinectl.provision.facts.host_facts import Facts

UNIT = "docker.socket"
# A socket that was masked has lost what it passes on: unmasking it, and starting the engine, is not enough.
RESTART = f"systemctl restart {UNIT} docker"


def hosts(facts: Facts) -> list[str]:
    """Return the addresses that the engine's flags and daemon.json name, with ours."""
    flags = docker_unit.all_flags(facts.unit, facts.environment, ours=True) if facts.unit else []
    return [*(flag.value for flag in flags if flag.name == "host"), *map(str, listed(read_config(facts), "hosts"))]


def is_needed(facts: Facts) -> bool:
    """Return whether docker.service does not start without docker.socket."""
    required = docker_unit.unit_settings(facts.unit, "Requires", section="[Unit]", ours=True)
    return UNIT in " ".join(required).split() or any(host.startswith("fd://") for host in hosts(facts))


def check_not_masked(facts: Facts) -> None:
    """Refuse to restart an engine that could not start again."""
    if UNIT not in facts.masked or not is_needed(facts):
        return
    hint = f"On the host, as root: systemctl unmask {UNIT}; {RESTART}; then run this again"
    if stopped := containers_stopped(facts):
        first = f'add "live-restore": true to {facts.config_path}, and run: systemctl reload docker'
        hint += f"\nThat stops {stopped}, unless you first {first}"
    raise CheckFailed(f"{UNIT} on the host is masked, and docker.service does not start without it", hint)


def containers_stopped(facts: Facts) -> str:
    """Return how many containers a plain restart stops, or ""."""
    keeps = facts.info.get("LiveRestoreEnabled") or not facts.containers
    return "" if keeps else plural(len(facts.containers), "container")
