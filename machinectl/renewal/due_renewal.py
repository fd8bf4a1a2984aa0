"""Renew certificates that are due, unattended: the client's without a restart, the engine's with one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.console import UnattendedConsole
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.certificate_renewal import Renewal, plan_renewal, renew, signing_ca
from machinectl.hosts.expiry import LifetimeLeft, due_certificates, expires_soon
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.identity import Identity
from machinectl.hosts.parallel import run_at_once
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.hosts.signing import check_engine_clock
from machinectl.hosts.workers import locked_machine
from machinectl.machines.record import Phase, waits_for_access
from machinectl.machines.selection import matching
from machinectl.machines.tls_warnings import renewing
from machinectl.provision.decision import EngineDown, EngineStopped
from machinectl.provision.target import Allowed
from machinectl.renewal.renewal_result import RenewalResult
from machinectl.ssh.ssh_errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.expiry import Due
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

SKIPPED = "skipped, as another run of machinectl works on it"
NOT_BEGUN = "not begun, as another engine did not come up with its new certificate"
# An engine that somebody has stopped stays so.
UNATTENDED = Renewal(allowed=Allowed(start=False))


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


class LockedElsewhere(MachineError):
    """Another process has locked a machine, which has time."""


def leave_locked(name: str, due: Due) -> None:
    """Raise LockedElsewhere, or MachineError if a certificate expires soon. The other run may wait for an answer."""
    kind = MachineError if expires_here(due) else LockedElsewhere
    raise kind(f'Another run of machinectl works on "{name}"', Hint("Run it again later", "machinectl renew --due"))


def renew_unless_locked(
    store: Store, console: Console, name: str, due: Due, login: Login, window: LifetimeLeft
) -> RenewalResult:
    try:
        with locked_machine(store, console, name, partial(leave_locked, name, due)) as held:
            return renew_due(held, console, login, window)
    except LockedElsewhere:
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
            found = due_certificates(machine, window, datetime.now(UTC))
            if not found.any or machine.phase == Phase.CREATING:
                waiting = "waiting for access" * waits_for_access(machine)
                yield name, RenewalResult(until=found.until, waiting=waiting)
            elif not (machine.has_changes or Identity.read(machine.directory).ca_key):
                # Neither its host was set up from here, nor is the CA's key here.
                yield name, others_certificates(machine, found)
            else:
                due[name] = machine, found
        except MachineError as exc:
            yield name, exc
    down: set[str] = set()

    def one(name: str, console: Console) -> RenewalResult | HostPlan:
        own = login.for_one_host()
        if dry_run:
            return plan_due_renewal(store, due[name][0], console, own, window)
        try:
            return renew_unless_locked(store, console, name, due[name][1], own, window)
        except EngineDown:
            down.add(name)
            raise

    restarting = {name for name, (_, found) in due.items() if found.server} if not dry_run else set()
    again = {name for name, (machine, _) in due.items() if machine.failure}
    for group in (due.keys() - again, again):
        barred = group & restarting if down else set()
        order = RolloutOrder(group - barred, rolled=restarting, counts=down.__contains__)
        yield from run_at_once(console, order.waiting, one, order=order)
        for name in (*barred, *order.stopped):
            yield name, RenewalResult(until=due[name][1].until, waiting=NOT_BEGUN)
