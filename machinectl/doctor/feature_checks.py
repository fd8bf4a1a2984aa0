"""The checks of features, as "module:function". Each is loaded when it is called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.check import Check, Seat
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# Called with the store, the machines that are set up, and the seat.
OF_COMPUTER = (
    "machinectl.tunnels.doctor_checks:checks",
    "machinectl.docker_cli.doctor_checks:checks",
    "machinectl.renewal.doctor_checks:checks",
)
# Called with the store, a machine, a timeout in seconds, and whether the login to its host works.
OF_MACHINE = ("machinectl.docker_cli.doctor_checks:machine_checks",)


def computer_checks(store: Store, machines: Sequence[Machine], seat: Seat) -> Iterator[Check]:
    for place in OF_COMPUTER:
        yield from function_at(place)(store, machines, seat)


def machine_checks(store: Store, machine: Machine, timeout: float, *, logs_in: bool) -> Iterator[Check]:
    for place in OF_MACHINE:
        yield from function_at(place)(store, machine, timeout, logs_in=logs_in)


def function_at(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
