"""Recognize docker-machine's hosts.

v0.16.2, libmachine/provision: systemd.go writes the unit or 10-machine.conf, utils.go certificates in /etc/docker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.provision.facts import docker_unit

if TYPE_CHECKING:
    from machinectl.provision.facts.host_facts import Facts

CA = "/etc/docker/ca.pem"
# docker-machine labels every engine with provider=<driver>.
LABEL = "provider="


def set_up(facts: Facts) -> bool:
    try:
        flags = docker_unit.all_flags(facts.unit, facts.environment, ours=True) if facts.unit else []
    except MachineError:
        return False
    return ("tlscacert", CA) in {(flag.name, flag.value) for flag in flags} and any(
        flag.name == "label" and flag.value.startswith(LABEL) for flag in flags
    )
