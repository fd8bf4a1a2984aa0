"""Whether a host's engine can make a container (container.sh)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.provision.decision import tail
from machinectl.provision.job import ENGINE, Job

if TYPE_CHECKING:
    from machinectl.provision.job import Remote


def refusal(remote: Remote) -> str:
    """Return why the host's engine can make no container; "" if it can, or nothing there can ask it."""
    result = Job("command.sh", {"command": "can_make_containers"}, functions=ENGINE).run(remote)
    return tail(result) if result.status == 1 else ""
