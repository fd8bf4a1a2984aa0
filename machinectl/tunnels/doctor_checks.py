"""What doctor says of a shell that uses one of our sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.check import SHELL, Check, ok
from machinectl.tunnels.local_sockets import machine_at_socket

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.check import Seat
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


def checks(store: Store, _machines: Sequence[Machine], seat: Seat) -> Iterator[Check]:
    if name := machine_at_socket(store, seat.environment.get("DOCKER_HOST", "")):
        yield ok(SHELL, f'docker uses the socket of "{name}"')
