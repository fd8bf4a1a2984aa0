"""Renew certificates that are due, unattended: the client's without a restart, the engine's with one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.certificate_dates import validities
from machinectl.console import UnattendedConsole
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError, one_line
from machinectl.hosts.certificate_files import check_engine_clock, new_ca_hint
from machinectl.hosts.certificate_renewal import Renewal, plan_renewal, renew, signing_ca
from machinectl.hosts.expiry import expires_soon
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.identity import Identity
from machinectl.hosts.parallel import run_at_once
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.hosts.workers import locked_machine
from machinectl.machines.record import Phase, waits_for_access
from machinectl.machines.selection import matching
from machinectl.machines.store.store_paths import is_locked
from machinectl.machines.tls_warnings import expiry_words, renewing
from machinectl.provision.decision import EngineDown, EngineStopped
from machinectl.provision.target import Allowed
from machinectl.quantities import parse_duration, rfc3339
from machinectl.ssh.ssh_errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

SKIPPED = "skipped, as another run of machinectl works on it"
NOT_BEGUN = "not begun, as another engine did not come up with its new certificate"
# An engine that somebody has stopped stays so.
UNATTENDED = Renewal(allowed=Allowed(start=False))


@dataclass(frozen=True)
class LifetimeLeft:
    """A certificate is due with less than `share` of its lifetime, or less than `time`, left.

    Renewal at two thirds of the lifetime leaves a third to repair what fails, as Let's Encrypt and kubelet do.
    """

    share: float = 1 / 3
    time: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> LifetimeLeft:
        """Read 1/3, 0.3, 30%, 30d or 12h; "" is the default. Raises UsageError."""
        if not text:
            return cls()
        if seconds := parse_duration(text):
            return cls(time=timedelta(seconds=seconds))
        share = -1.0
        with suppress(ValueError, ZeroDivisionError):
            part, _, divisor = text.removesuffix("%").partition("/")
            share = float(part) / float(divisor or ("100" if text.endswith("%") else 1))
        if not 0 <= share <= 1:
            raise UsageError(
                f"--lifetime-left takes a share of the lifetime or a time, not {one_line(text)!r}",
                Hint("For example: --lifetime-left 1/3, 30%, 30d or 12h"),
            )
        return cls(share)

    def is_due(self, begin: datetime, end: datetime, now: datetime) -> bool:
        return end - now < (self.time if self.time is not None else (end - begin) * self.share)


class Due(NamedTuple):
    """Begin and end of the certificates that are due, None for others; when a machine's first one expires."""

    server: tuple[datetime, datetime] | None = None
    client: tuple[datetime, datetime] | None = None
    until: datetime | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether one has expired or expires soon."""
        return any(expires_soon(*each, datetime.now(UTC)) for each in (self.server, self.client) if each)


def due_certificates(machine: Machine, window: LifetimeLeft) -> Due:
    """Raise MachineError for an unreadable certificate, and for one that its CA, which ends with it, cannot renew."""
    now, identity = datetime.now(UTC), Identity.read(machine.directory) if machine.tls else Identity()
    dates = {}
    for file in ("server.pem", "cert.pem"):
        if pem := identity.files[file]:
            described = certs.describe(pem, file=file)
            dates[file] = (described.not_before, described.not_after)
    due = {file: validity for file, validity in dates.items() if window.is_due(*validity, now)}
    ca = validities(identity.ca) if due and identity.ca_key else ()
    if ca and min(end for _, end in due.values()) >= ca[0][1]:
        raise MachineError(
            f'The CA of "{machine.name}" is valid until {ca[0][1]:%Y-%m-%d}, and no certificate outlasts it',
            new_ca_hint(machine.name),
        )
    return Due(due.get("server.pem"), due.get("cert.pem"), min((end for _, end in dates.values()), default=None))


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

    @property
    def undone(self) -> str:
        return "due" if self.hint else "not due" if self.until else "no certificates"


def all_renewed(machine: Machine) -> RenewalResult:
    """Return the result for a machine whose certificates are all new."""
    return RenewalResult(("server", "client"), first_expiry(machine))


def first_expiry(machine: Machine) -> datetime | None:
    """Return when the first of its certificates ends, None without any. Raises MachineError."""
    return due_certificates(machine, LifetimeLeft(time=timedelta())).until


def result_fields(store: Store, name: str, result: object) -> dict[str, object]:
    """Return the JSON fields of a result, a plan or an error, with an RFC 3339 time."""
    done = result if isinstance(result, RenewalResult) else RenewalResult()
    if done is not result:
        with suppress(MachineError):
            done = RenewalResult(until=first_expiry(store.read(name)))
    fields: dict[str, object] = {
        "Name": name,
        "Result": "waiting" if done.waiting else "renewed" if done.renewed else done.undone,
        "Renewed": list(done.renewed),
        "Expires": done.until and rfc3339(done.until),
        "Reason": done.waiting,
        "Hint": done.hint,
    }
    if isinstance(result, MachineError):
        return fields | {"Result": "failed", "Reason": result.cause, "Hint": result.hint}
    if isinstance(result, HostPlan):
        return fields | {"Result": "planned", "Host": [each.fields() for each in result.outcomes if each.changed]}
    return fields


def unattended(console: Console, machine: Machine) -> UnattendedConsole:
    return UnattendedConsole(console, Hint("Answer it at a terminal", "machinectl renew", machine.name))


def renew_due(held: Held, console: Console, login: Login, window: LifetimeLeft) -> RenewalResult:
    """Renew what is due, without a question. Raises MachineError.

    A host that does not answer and an engine that does not run have time: that is no error before the certificate
    expires soon.
    """
    machine = held.machine
    held.finish_files()
    due = due_certificates(machine, window)
    renewed, waiting, hint = [], "", NO_HINT
    if due.client:
        renew_client(held)
        renewed.append("client")
    if due.server and not machine.has_changes:
        waiting, hint = "the server certificate is due", renewing(machine, ["server.pem"])
    elif due.server:
        try:
            renew(held, unattended(console, machine), login, UNATTENDED)
            renewed.insert(0, "server")
        except (Unreachable, EngineStopped) as exc:
            waiting = why_it_waits(exc, machine, due)
    return RenewalResult(tuple(renewed), due_certificates(machine, window).until, waiting, hint)


def why_it_waits(exc: Unreachable | EngineStopped, machine: Machine, due: Due) -> str:
    """Return why the server certificate has to wait. Raises MachineError if it expires soon."""
    is_stopped = isinstance(exc, EngineStopped)
    if due.server and expires_soon(*due.server, datetime.now(UTC)):
        if is_stopped:
            exc.hint = Hint("Renew its certificate, which starts the engine", "machinectl renew", machine.name)
        raise exc
    until = "the engine runs" if is_stopped else f"the host answers ({exc.cause})"
    return f"the server certificate waits until {until}"


def renew_client(held: Held) -> None:
    """Replace cert.pem by one rename: as its key stays, nobody reads a mix of two pairs."""
    machine, old, now = held.machine, Identity.read(held.directory), datetime.now(UTC)
    ca, key = signing_ca(machine, old, Renewal()), certs.own_public_key(old.client_key)
    until = now + timedelta(days=certs.CLIENT_DAYS)
    check_engine_clock(machine, until)
    # docker's plugins see the name as the user.
    name = certs.certified_name(old.client, file="cert.pem") or machine.name[: certs.COMMON_NAME_BYTES]
    held.write_file("cert.pem", certs.sign_client(ca, key.pem, name, until, now=now))


def plan_due_renewal(store: Store, machine: Machine, console: Console, login: Login, due: Due) -> HostPlan:
    """Raise MachineError as `renew_due` would."""
    signing_ca(machine, Identity.read(machine.directory), Renewal())
    if due.client:
        check_engine_clock(machine, datetime.now(UTC) + timedelta(days=certs.CLIENT_DAYS))
    client = (Outcome("Making a new client certificate", changed=True),) if due.client else ()
    if not (due.server and machine.has_changes):
        return HostPlan(outcomes=client)
    try:
        plan = plan_renewal(store, machine, unattended(console, machine), login, UNATTENDED)
    except (Unreachable, EngineStopped) as exc:
        waiting = why_it_waits(exc, machine, due)
        return HostPlan((f"{waiting[0].upper()}{waiting[1:]}",), client)
    return HostPlan(plan.found, (*client, *plan.outcomes))


def renew_unless_locked(
    store: Store, console: Console, name: str, due: Due, login: Login, window: LifetimeLeft
) -> RenewalResult:
    """Leave a machine that another run has locked, which may wait for an answer."""
    if not is_locked(store.lock_path(name)):
        with locked_machine(store, console, name) as held:
            return renew_due(held, console, login, window)
    if due.is_urgent:
        again = Hint("Run it again later", "machinectl renew --due")
        raise MachineError(f'Another run of machinectl works on "{name}"', again)
    return RenewalResult(until=due.until, waiting=SKIPPED)


def renew_due_certificates(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    window: LifetimeLeft,
    *,
    dry_run: bool = False,
) -> Iterator[tuple[str, RenewalResult | HostPlan | MachineError]]:
    """Renew those of all machines, or of the named ones. Engines restart one at a time.

    If one does not come up, no other restarts in this run. It is the last in the next one, so that it holds up nobody.
    """
    due: dict[str, tuple[Machine, Due]] = {}
    for name in dict.fromkeys(matching(names, store.names) or store.names()):
        try:
            machine = store.read(name)
            own = due_certificates(machine, window)
            if not (own.server or own.client) or machine.phase == Phase.CREATING:
                waiting = "waiting for access" * waits_for_access(machine)
                yield name, RenewalResult(until=own.until, waiting=waiting)
            elif not (machine.has_changes or Identity.read(machine.directory).ca_key):
                # Neither its host was set up from here, nor is the CA's key here. A timer must fail in time.
                others = RenewalResult(until=own.until, hint=renewing(machine, ["cert.pem"]))
                cause = f'The certificate of "{name}" cannot be renewed here: {others.end}'
                yield name, MachineError(cause, others.hint) if own.is_urgent else others
            else:
                due[name] = machine, own
        except MachineError as exc:
            yield name, exc
    down: set[str] = set()

    def renew_one(name: str, console: Console) -> RenewalResult | HostPlan:
        machine, own = due[name]
        if dry_run:
            return plan_due_renewal(store, machine, console, login.for_one_host(), own)
        try:
            return renew_unless_locked(store, console, name, own, login.for_one_host(), window)
        except EngineDown:
            down.add(name)
            raise

    restarting = {name for name, (_, own) in due.items() if own.server} if not dry_run else set()
    again = {name for name, (machine, _) in due.items() if machine.failure}
    for group in (due.keys() - again, again):
        barred = group & restarting if down else set()
        order = RolloutOrder(group - barred, rolled=restarting, counts=down.__contains__)
        yield from run_at_once(console, order.waiting, renew_one, order=order)
        for name in (*barred, *order.stopped):
            yield name, RenewalResult(until=due[name][1].until, waiting=NOT_BEGUN)
