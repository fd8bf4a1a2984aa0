"""`active`: the machine that docker uses in this shell."""

from __future__ import annotations

from machinectl.errors import Hint, MachineError
from machinectl.tunnels.command_environment import machine_at_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.machines.store import Store


def active(store: Store, environment: Mapping[str, str]) -> str:
    """Return the machine at $DOCKER_HOST, or whose socket that is; $DOCKER_MACHINE_NAME decides between several."""
    host = environment.get("DOCKER_HOST", "")
    last = environment.get("DOCKER_MACHINE_NAME", "")
    for name in sorted(store.names(), key=lambda name: name != last) if host else ():
        try:
            if host in store.read(name).urls:
                return name
        except MachineError:
            # The record cannot be read.
            continue
    if name := machine_at_socket(store, host):
        return name
    raise MachineError(
        "No active host found", Hint("Point docker at one", "eval $(machinectl env <NAME>)"), for_scripts=True
    )
