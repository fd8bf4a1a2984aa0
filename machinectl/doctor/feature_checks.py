"""The checks of features (features.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.features import functions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.check import Check, Seat
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


def computer_checks(store: Store, machines: Sequence[Machine], seat: Seat) -> Iterator[Check]:
    """`machines` are those that are set up."""
    for checks in functions("computer_checks"):
        yield from checks(store, machines, seat)


def machine_checks(store: Store, machine: Machine, timeout: float, *, logs_in: bool) -> Iterator[Check]:
    """`timeout` is in seconds; `logs_in` says whether the login to the host works."""
    for checks in functions("machine_checks"):
        yield from checks(store, machine, timeout, logs_in=logs_in)
