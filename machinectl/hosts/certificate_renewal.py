"""Renew certificates; containers keep running."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl import url as engine_url
from machinectl.certificate_dates import validities
from machinectl.console import confirm, decline
from machinectl.engine import Endpoint
from machinectl.errors import BY_SERVICE, SET_CLOCK, Hint, MachineError
from machinectl.hosts import engine_restart
from machinectl.hosts.certificate_files import new_ca_hint, signed, valid_client
from machinectl.hosts.engine_restart import Endings
from machinectl.hosts.holder_cas import unrecorded_cas
from machinectl.hosts.host_plan import HostPlan, host_summary, target_of
from machinectl.hosts.host_run import HostStep, carry_out, plan_run, real_run
from machinectl.hosts.identity import Identity, discard_pending, settle_pending_held, store_pending
from machinectl.hosts.workers import plan_each, work_on_each
from machinectl.machines.holders import holders_of
from machinectl.machines.machine_driver import with_addresses
from machinectl.machines.selection import chosen
from machinectl.provision import preflight
from machinectl.provision.decision import Decision, EngineDown, RolledBack, not_restarted
from machinectl.provision.host_changes import CaTrusted
from machinectl.provision.job import apply_job
from machinectl.provision.steps import engine_config
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.host_run import HostRun
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target


@dataclass(frozen=True)
class Renewal:
    """What to renew besides the engine's certificate.

    `sans` are its extra names. `new_ca` renews everything and locks out other clients. `authority` replaces the
    machine's CA. `unasked` is the command that does the same without a question, but for the names.
    """

    sans: tuple[str, ...] = ()
    client: bool = False
    new_ca: bool = False
    authority: certs.Pair | None = None
    allowed: Allowed = NOTHING_SPECIAL
    unasked: str = "machinectl regenerate-certs -y"


def renew(held: Held, console: Console, login: Login, renewal: Renewal) -> None:
    """Renew certificates, or restore the old ones.

    Saves the new ones before the host gets them. After a kill, the next command finds the set that works.
    """
    engine_restart.check_provisioned(held.machine)
    held.finish_files()
    work = CertificateChange(held.machine, renewal)
    with real_run(held, console, login) as run:
        carry_out(run, work.steps(run))


def plan_renewal(store: Store, machine: Machine, console: Console, login: Login, renewal: Renewal) -> HostPlan:
    engine_restart.check_provisioned(machine)
    work = CertificateChange(machine, renewal)
    return plan_run(store, machine, console, login, lambda run: carry_out(run, work.steps(run)))


class CertificateChange:
    """New certificates for one machine, and its host."""

    def __init__(self, machine: Machine, renewal: Renewal) -> None:
        self.renewal, self.allowed = renewal, renewal.allowed
        self.old = Identity.read(machine.directory)
        self.new = new_identity(machine, self.old, renewal)
        self.target = target_of(machine, self.new)
        # Subjects of the CAs whose clients keep their access under a new CA, and where the new certificates lie here.
        self.unrecorded: list[str] = []
        self.pending = ""

    def steps(self, run: HostRun) -> list[HostStep]:
        endings = Endings()
        return [
            *engine_restart.restart_steps(
                self.target,
                self.allowed,
                lambda host: check_renewable(run.machine, host, self.target),
                HostStep("Drain a node of a swarm", partial(engine_restart.drain, allowed=self.allowed)),
                HostStep(
                    "End the access of those whom a new CA locks out",
                    lambda run: endings.begin(run, self.new.ca),
                    endings.undo,
                ),
                HostStep("Give the engine its new certificates", self.give),
                HostStep("Ask it by them for its version", self.ask),
                HostStep("Replace the old certificates here", self.keep),
                HostStep("Record whose access has ended", endings.finish),
            ),
            HostStep("Warn of other clients", self.warn),
        ]

    def give(self, run: HostRun) -> None:
        """Keep the new certificates here, beside the old ones, before the engine gets them."""
        run.found = host_summary(run.host, self.target.port)
        self.unrecorded = unrecorded_cas(run.machine, run.host) if self.renewal.new_ca else []
        if run.held:
            self.pending = store_pending(run.held, self.new)
        start = "starting" if engine_restart.is_stopped(run.host) else "restarting"
        title = f'Giving the engine of "{run.machine.name}" new certificates, and {start} it'
        change = certificate_change(title, run.host, run.with_known_holders(self.target), self.allowed)
        if self.renewal.new_ca:
            locked_out = "every other client that was given a certificate is locked out"
            ended = [f"the access of {holder.who} ends" for holder in holders_of(run.machine)]
            kept = [f"the clients of {ca} keep their access" for ca in self.unrecorded]
            change = replace(change, details=(*change.details, locked_out, *ended, *kept))
        try:
            run.make(change)
        except RolledBack:
            if run.held:
                settle_pending_held(run.held, sure=True)
            raise

    def ask(self, run: HostRun) -> None:
        """Give the engine its old certificates back if it does not answer by the new ones."""
        machine = run.machine
        if not run.held:
            return
        where = with_addresses(Endpoint(machine.url, tls=True, cert_dir=self.pending, name=machine.name), machine)
        with run.console.step(f"Asking it for its version at {machine.urls[0]}"):
            answer = engine_restart.until_it_answers(where, run.console)
        if answer.state is State.RUNNING:
            return
        cause = f"The engine does not answer from here with its new certificates: {answer.error}"
        old = self.old
        if old.ca and old.server and old.server_key:
            before = replace(self.target, certificates=old.on_host, ending=frozenset())
            run.make(certificate_change("Giving the engine its old certificates back", run.host, before))
            discard_pending(run.held)
            cause += ". It has its old ones back"
        raise EngineDown(cause, answer.hint)

    def keep(self, run: HostRun) -> None:
        if run.held:
            self.new.keep(run.held)
            asked = run.machine.engine
            run.machine.engine = replace(asked, tls_sans=tuple(dict.fromkeys((*asked.tls_sans, *self.renewal.sans))))
            run.held.write()
            discard_pending(run.held)

    def warn(self, run: HostRun) -> None:
        if run.held:
            engine_restart.warn_of_clients(run, self.unrecorded)


def new_identity(machine: Machine, old: Identity, renewal: Renewal) -> Identity:
    ca = signing_ca(machine, old, renewal)
    client = valid_client(machine, ca, Identity() if renewal.client else old)
    names = [engine_url.parse_url(machine.url).host, *machine.addresses, *machine.engine.tls_sans, *renewal.sans]
    with suppress(MachineError):
        names += certs.describe(old.server).sans
    return signed(ca, certs.issue_server(ca, list(dict.fromkeys(names))), client)


def signing_ca(machine: Machine, old: Identity, renewal: Renewal) -> certs.Pair:
    """Return the CA that signs."""
    if renewal.authority is not None:
        return renewal.authority
    if renewal.new_ca:
        return certs.new_ca(f"machinectl {machine.name}")
    another = new_ca_hint(machine.name)
    if not old.ca_key:
        take_over = Hint("Have its host taken over from docker-machine", "machinectl provision", machine.name)
        raise MachineError(
            f'The key of the CA of "{machine.name}" is not here: only who holds it can renew under it',
            take_over if machine.origin else another,
        )
    try:
        return certs.ca_pair(old.ca, old.ca_key)
    except MachineError as exc:
        dates = validities(old.ca)
        if not dates:
            another = Hint("Restore ca.pem from the host", "machinectl provision", machine.name)
        elif any(datetime.now(UTC) < begin for begin, _ in dates):
            another = Hint(f"If the clock here is wrong, set it {BY_SERVICE}", SET_CLOCK) | another
        raise MachineError(f'The CA of "{machine.name}" cannot sign: {exc.cause}', another) from exc


def check_renewable(machine: Machine, host: Facts, target: Target) -> None:
    """Refuse a host that would not load the certificates, or whose engine could not be asked afterwards."""
    own = Identity.read(machine.directory)
    own_cas = target.own_cas | {hashlib.sha256(own.ca).hexdigest()}
    engine_restart.check_certificates_in_use(machine, host, replace(target, own_cas=own_cas))
    preflight.check_clock_here(host, own.certificates)
    preflight.check_clock(host, target)
    host = engine_restart.with_reachability(host, machine, machine.url)
    if host.refused and host.engine_listens:
        # Something between here and the host refuses.
        host = replace(host, refused=False)
    preflight.check_reachable(host, target, NOTHING_SPECIAL)


def certificate_change(title: str, host: Facts, target: Target, allowed: Allowed = NOTHING_SPECIAL) -> Decision:
    """Return the change that restarts the engine with new certificates, or restores the old ones if it fails."""
    files = engine_config.certificate_files(host, target)
    return Decision(
        title=title,
        details=tuple(f"write {file.path}" for file in files),
        job=apply_job(files, engine_restart.restart_activation(host, target, allowed), init=host.init),
        after=host,
        failure=partial(not_restarted, target.name, host.init),
        # Recorded before the host has the CA, to recognise the host after a kill.
        changes=(CaTrusted(hashlib.sha256(target.certificates["ca.pem"]).hexdigest()),),
    )


def renew_now(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    renewal: Renewal,
    *,
    unasked: bool,
    dry_run: bool = False,
) -> Iterator[tuple[str, HostPlan | MachineError | None]]:
    """Ask first unless `unasked`, but not about machines that fail anyway. Containers keep running."""

    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        return plan_renewal(store, machine, console, own, renewal)

    if dry_run:
        yield from plan_each(store, console, names, login, plan)
        return
    wanted = list(dict.fromkeys(chosen(store, names)))
    able = []
    for name in wanted:
        with suppress(MachineError):
            engine_restart.check_provisioned(store.read(name))
            able.append(name)
    if able and not unasked and not confirm_renewal(store, console, able, renewal):
        decline(console, "No certificate was changed")
        return
    yield from work_on_each(
        store, console, wanted, login, lambda held, console, own: renew(held, console, own, renewal)
    )


def confirm_renewal(store: Store, console: Console, names: Sequence[str], renewal: Renewal) -> bool:
    restarts = "the engine restarts" if len(names) == 1 else "their engines restart"
    console.note(f"About to make new certificates for {', '.join(names)}: {restarts}, containers keep running.")
    if renewal.new_ca:
        console.note("A new CA signs them: whoever else has a certificate of the old one is locked out.")
        for name in names:
            if holders := [holder.who for holder in holders_of(store.read(name))]:
                console.note(f'The access of {", ".join(holders)} to "{name}" ends.')
    return confirm(console, "Are you sure?", " ".join([renewal.unasked, *names]))
