"""What docker-machine left on a host: how the engine is started there, and whose clients it takes.

docker-machine v0.16.2, libmachine/provision: systemd.go (the drop-in, /etc/systemd/system/docker.service.d/
10-machine.conf; some distributions have it as the unit itself) and utils.go (the certificates in /etc/docker).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.provision.facts import docker_unit

if TYPE_CHECKING:
    from machinectl.provision.facts.host_facts import Facts

CA = "/etc/docker/ca.pem"
# The label that it gives every engine: the name of its driver follows.
LABEL = "provider="


def set_up(facts: Facts) -> bool:
    """Whether the engine is started as docker-machine set it up: by its command line, with its CA."""
    try:
        flags = docker_unit.all_flags(facts.unit, facts.environment, ours=True) if facts.unit else []
    except MachineError:
        return False
    return ("tlscacert", CA) in {(flag.name, flag.value) for flag in flags} and any(
        flag.name == "label" and flag.value.startswith(LABEL) for flag in flags
    )
