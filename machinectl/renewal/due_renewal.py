"""Renew certificates that are due, unattended: the client's without a restart, the engine's with one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.console import UnattendedConsole
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.certificate_renewal import Renewal, plan_renewal, renew, signing_ca
from machinectl.hosts.engine_clock import check_engine_clock
from machinectl.hosts.expiry import LifetimeLeft, due_certificates, expires_soon
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.identity import Identity
from machinectl.machines.record import Phase
from machinectl.machines.tls_warnings import expiry_words, renewing
from machinectl.provision.decision import EngineStopped
from machinectl.provision.target import Allowed
from machinectl.quantities import rfc3339
from machinectl.ssh.ssh_errors import Unreachable

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.hosts.expiry import Due
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

# An engine that somebody has stopped stays so.
UNATTENDED = Renewal(allowed=Allowed(start=False))


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


def is_renewed_here(machine: Machine) -> bool:
    """Return whether machinectl set up the host, or has the CA's key."""
    return machine.has_changes or bool(Identity.read(machine.directory).ca_key)


def has_due_certificates(machine: Machine) -> bool:
    """Return whether `renew --due` would renew something, or fail. Raises MachineError."""
    if machine.phase == Phase.CREATING:
        return False
    due = due_certificates(machine, LifetimeLeft(), datetime.now(UTC))
    return due.any if is_renewed_here(machine) else expires_here(due)


def expires_here(due: Due) -> bool:
    """Return whether a certificate has expired or expires soon."""
    return any(expires_soon(*each, datetime.now(UTC)) for each in due.validities)


def others_certificates(machine: Machine, due: Due) -> RenewalResult:
    """Say who can renew certificates that others made. Raises MachineError if one expires soon: a timer must fail."""
    found = RenewalResult(until=due.until, hint=renewing(machine, ["cert.pem"]))
    if expires_here(due):
        raise MachineError(f'The certificate of "{machine.name}" cannot be renewed here: {found.end}', found.hint)
    return found


def renew_due(held: Held, console: Console, login: Login, window: LifetimeLeft) -> RenewalResult:
    """Renew what is due, without a question. Raises MachineError.

    A host that does not answer and an engine that does not run have time: that is no error before the certificate
    expires soon.
    """
    machine, now = held.machine, datetime.now(UTC)
    held.finish_files()
    due = due_certificates(machine, window, now)
    renewed, waiting, hint = [], "", NO_HINT
    if due.client:
        renew_client(held, now)
        renewed.append("client")
    if due.server and not machine.has_changes:
        waiting, hint = "the server certificate is due", renewing(machine, ["server.pem"])
    elif due.server:
        try:
            renew(held, UnattendedConsole(console, at_a_terminal(machine)), login, UNATTENDED)
            renewed.insert(0, "server")
        except (Unreachable, EngineStopped) as exc:
            waiting = why_it_waits(exc, machine, due)
    until = due_certificates(machine, window, now).until if due.any else due.until
    return RenewalResult(tuple(renewed), until, waiting, hint)


def why_it_waits(exc: Unreachable | EngineStopped, machine: Machine, due: Due) -> str:
    """Return why the server certificate has to wait. Raises MachineError if it expires soon."""
    is_stopped = isinstance(exc, EngineStopped)
    if due.server and expires_soon(*due.server, datetime.now(UTC)):
        if is_stopped:
            exc.hint = Hint("Renew its certificate, which starts the engine", "machinectl renew", machine.name)
        raise exc
    if is_stopped:
        return "the server certificate waits until the engine runs"
    return f"the server certificate waits until the host answers ({exc.cause})"


def renew_client(held: Held, now: datetime) -> None:
    """Replace cert.pem by one rename: as its key stays, nobody reads a mix of two pairs."""
    old = Identity.read(held.directory)
    ca = signing_ca(held.machine, old, Renewal())
    key = certs.own_public_key(old.client_key)
    until = now + timedelta(days=certs.CLIENT_DAYS)
    check_engine_clock(held.machine, until)
    held.write_file("cert.pem", certs.sign_client(ca, key.pem, client_name(held.machine, old), until, now=now))


def client_name(machine: Machine, identity: Identity) -> str:
    """Return the name in the certificate: docker's plugins see it as the user."""
    return certs.certified_name(identity.client, file="cert.pem") or machine.name[: certs.COMMON_NAME_BYTES]


def plan_due_renewal(
    store: Store, machine: Machine, console: Console, login: Login, window: LifetimeLeft
) -> HostPlan | RenewalResult:
    """Return a result if there is nothing to do. Raises MachineError as `renew_due` would."""
    due = due_certificates(machine, window, datetime.now(UTC))
    if not due.any:
        return RenewalResult(until=due.until)
    signing_ca(machine, Identity.read(machine.directory), Renewal())
    if due.client:
        check_engine_clock(machine, datetime.now(UTC) + timedelta(days=certs.CLIENT_DAYS))
    client = (Outcome("Making a new client certificate", changed=True),) if due.client else ()
    if not (due.server and machine.has_changes):
        return HostPlan(outcomes=client)
    try:
        plan = plan_renewal(store, machine, UnattendedConsole(console, at_a_terminal(machine)), login, UNATTENDED)
    except (Unreachable, EngineStopped) as exc:
        waiting = why_it_waits(exc, machine, due)
        return (
            HostPlan((f"{waiting[0].upper()}{waiting[1:]}",), client)
            if client
            else RenewalResult(until=due.until, waiting=waiting)
        )
    return HostPlan(plan.found, (*client, *plan.outcomes))


def at_a_terminal(machine: Machine) -> Hint:
    return Hint("Answer it at a terminal", "machinectl renew", machine.name)
