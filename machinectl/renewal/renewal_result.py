"""The result of a renewal, for people and as JSON."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.expiry import LifetimeLeft, due_certificates
from machinectl.hosts.host_plan import HostPlan
from machinectl.machines.tls_warnings import expiry_words
from machinectl.quantities import rfc3339

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


class RenewalResult(NamedTuple):
    """The kinds of certificates that are new, when the machine's first one expires, and why others are not renewed.

    `hint` says who can renew those that are due.
    """

    renewed: tuple[str, ...] = ()
    until: datetime | None = None
    waiting: str = ""
    hint: Hint = NO_HINT

    @property
    def summary(self) -> str:
        kinds = f"{' and '.join(self.renewed)} certificate{'s' * (len(self.renewed) > 1)}"
        done = f"new {kinds}" if self.renewed else "" if self.waiting else self.undone
        return "; ".join(filter(None, (done, self.waiting, self.end)))

    @property
    def end(self) -> str:
        """Say when the first certificate ends, "" without any."""
        if not self.until:
            return ""
        now = datetime.now(UTC)
        day = expiry_words(self.until, now)
        return f"expired on {day}" if self.until <= now else f"valid until {day}"

    def fields(self) -> dict[str, object]:
        """Return JSON fields, with an RFC 3339 time."""
        return {
            "Result": "waiting" if self.waiting else "renewed" if self.renewed else self.undone,
            "Renewed": list(self.renewed),
            "Expires": self.until and rfc3339(self.until),
            "Reason": self.waiting,
            "Hint": self.hint,
        }

    @property
    def undone(self) -> str:
        return "due" if self.hint else "not due" if self.until else "no certificates"


def all_renewed(machine: Machine) -> RenewalResult:
    """Return the result for a machine whose certificates are all new."""
    return RenewalResult(("server", "client"), first_expiry(machine))


def first_expiry(machine: Machine) -> datetime | None:
    """Return when the first of its certificates ends, None without any. Raises MachineError."""
    none_due = LifetimeLeft(time=timedelta())
    return due_certificates(machine, none_due, datetime.now(UTC)).until


def result_fields(store: Store, name: str, result: object) -> dict[str, object]:
    """Return the JSON fields of a result, a plan or an error."""
    if isinstance(result, RenewalResult):
        return {"Name": name, **result.fields()}
    until = None
    with suppress(MachineError):
        until = first_expiry(store.read(name))
    fields = {"Name": name, **RenewalResult(until=until).fields()}
    if isinstance(result, MachineError):
        return fields | {"Result": "failed", "Reason": result.cause, "Hint": result.hint}
    if isinstance(result, HostPlan):
        return fields | {"Result": "planned", "Host": [each.fields() for each in result.outcomes if each.changed]}
    return fields
