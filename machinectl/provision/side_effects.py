"""What setting a host up changes there besides what was asked for: a person is asked whether that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.provision.checks import rootless
from machinectl.provision.configuration import plain_sockets

if TYPE_CHECKING:
    from machinectl.provision.facts import Facts


def side_effects(facts: Facts) -> tuple[str, ...]:
    """Return a sentence for each."""
    found = [
        f"docker.socket has the engine listen on {address} without TLS: from now on only who has the machine's "
        "certificates is let in there"
        for address in plain_sockets(facts)
    ]
    process = rootless(facts)
    if process and facts.service.loaded and not facts.running:
        found.append(
            f"the host's engine is rootless: dockerd runs as user {process.uid} (process {process.pid}). "
            "docker.service, which does not run, is started beside it and at each boot, and has none of its containers"
        )
    return tuple(found)
