"""Side effects of provisioning that the user must accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.provision.preflight import rootless
from machinectl.provision.steps.engine_config import plain_sockets

if TYPE_CHECKING:
    from machinectl.provision.facts.host_facts import Facts


def side_effects(facts: Facts) -> tuple[str, ...]:
    found = [
        f"docker.socket makes the engine listen on {address} without TLS: from now on, only clients with the machine's "
        "certificates can connect there"
        for address in plain_sockets(facts)
    ]
    process = rootless(facts)
    if process and facts.service.loaded and not facts.running:
        found.append(
            f"the host's engine is rootless: dockerd runs as user {process.uid} (process {process.pid}). "
            "docker.service does not run: it will be started beside it and at boot, without the rootless containers"
        )
    return tuple(found)
