"""Check that an engine can create containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.provision.decision import tail
from machinectl.provision.job import ENGINE, Job

if TYPE_CHECKING:
    from machinectl.provision.job import Remote


def refusal(remote: Remote) -> str:
    """Return why the engine cannot create a container; "" if it can, or cannot be asked."""
    result = Job("command.sh", {"command": "can_make_containers"}, functions=ENGINE).run(remote)
    return tail(result) if result.status == 1 else ""
