"""Compare an engine's clock with the validity of a certificate, without logging in to its host."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.engine.dialling.tls import ClocksDiffer
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.http import dial, get
from machinectl.machines.machine_driver import endpoint_of
from machinectl.provision.preflight import check_valid_there

if TYPE_CHECKING:
    from machinectl.machines.record import Machine

# Seconds. An engine that is off holds nobody up for long.
TIMEOUT = 5.0


def check_engine_clock(machine: Machine, until: datetime) -> None:
    """Raise MachineError if the engine would refuse a certificate that is made now and expires at `until`.

    It passes an engine that does not answer.
    """
    now = engine_time(machine)
    if now:
        check_valid_there(now, datetime.now(UTC) - certs.BACKDATED, until)


def engine_time(machine: Machine) -> datetime | None:
    """Return the time in the engine's answer (Date, RFC 9110 6.6.1, whole seconds); None without one.

    Only an engine that reads certificates is asked. Raises ClocksDiffer.
    """
    if not machine.url.startswith("tcp://"):
        return None
    try:
        with dial(endpoint_of(machine), Deadline(TIMEOUT)) as wire:
            date = get(wire, "/_ping").headers.get("Date", "")
        return parsedate_to_datetime(date).astimezone(UTC)
    except ClocksDiffer:
        raise
    except (EngineError, OSError, ValueError, OverflowError):
        return None
