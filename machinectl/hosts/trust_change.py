"""Change whose clients an engine accepts: one restart, in which containers keep running.

`trust_ca` adds a holder's CA to the host's clients.pem, `distrust_cas` removes holders' CAs, and neither applies other
settings. Both return whether the host was changed: a second call finds nothing to do. The caller records a holder as
"adding" or "ending" before the call, and finishes that after it, so that a killed command can be repeated.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, NeedsProvisioning
from machinectl.hosts import engine_restart
from machinectl.hosts.certificate_files import check_has_ca
from machinectl.hosts.holder_cas import unrecorded_cas
from machinectl.hosts.host_owner import SERVER
from machinectl.hosts.host_plan import HostPlan, Outcome, host_summary, target_of
from machinectl.hosts.host_run import HostRun, HostStep, carry_out, plan_run, real_run
from machinectl.hosts.identity import Identity
from machinectl.machines.holders import find_holder, holders_of, is_suspended
from machinectl.machines.tls_warnings import repair_hint
from machinectl.provision import client_cas, daemon_json, preflight
from machinectl.provision.client_cas import CLIENTS, CLIENTS_MODE
from machinectl.provision.decision import Decision, InUse, not_restarted
from machinectl.provision.facts.host_facts import OWN_CA
from machinectl.provision.host_changes import FileCreated
from machinectl.provision.job import INSTALL_ONLY, NewFile, apply_job
from machinectl.provision.revision import Revision
from machinectl.provision.steps import engine_config, restart_risks
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Activation
    from machinectl.provision.target import Allowed, Target


def trust_ca(
    held: Held,
    console: Console,
    login: Login,
    ca_pem: bytes,
    allowed: Allowed = NOTHING_SPECIAL,
    *,
    until: datetime | None = None,
) -> bool:
    """`until` is when the client's certificate is to expire: a host whose clock would refuse it is not changed."""
    held.finish_files()
    return change_trust(held, console, login, with_ca(held.machine, ca_pem, until), allowed)


def distrust_cas(
    held: Held,
    console: Console,
    login: Login,
    cas: AbstractSet[str],
    allowed: Allowed = NOTHING_SPECIAL,
    who: str = "",
) -> bool:
    """`cas` are the SHA256 of their DER in hexadecimal. Those that another computer made for `who` leave, too."""
    held.finish_files()
    return change_trust(held, console, login, without_cas(held.machine, cas, who), allowed)


def with_ca(machine: Machine, ca_pem: bytes, until: datetime | None) -> Target:
    have = Identity.read(machine.directory)
    if have.server_key and not have.server:
        raise MachineError(
            f'The certificate of the engine of "{machine.name}", server.pem, is missing here', repair_hint(machine)
        )
    return replace(own_target(machine), new_cas=(ca_pem,), new_cas_until=until)


def without_cas(machine: Machine, cas: AbstractSet[str], who: str = "") -> Target:
    target = own_target(machine)
    return replace(target, ending=target.ending | cas, ending_holder=who)


def own_target(machine: Machine) -> Target:
    if not is_suspended(machine):
        engine_restart.check_provisioned(machine)
        check_has_ca(machine)
    return target_of(machine, Identity.read(machine.directory))


def change_trust(held: Held, console: Console, login: Login, target: Target, allowed: Allowed) -> bool:
    work = TrustChange(target, allowed)
    with real_run(held, console, login) as run:
        work.carry_out(run)
    return work.is_changed


def plan_trust(
    store: Store, machine: Machine, console: Console, login: Login, target: Target, allowed: Allowed
) -> HostPlan:
    """Raise MachineError as the change itself would."""
    return plan_run(store, machine, console, login, TrustChange(target, allowed).carry_out)


class TrustChange:
    """A change of the list of CAs whose clients one engine accepts."""

    def __init__(self, target: Target, allowed: Allowed) -> None:
        self.target = target
        self.allowed = allowed
        self.is_changed = False
        # The holders on record before the look at the host.
        self.holders: Sequence[AccessHolder] = ()

    def carry_out(self, run: HostRun) -> HostPlan:
        self.holders = holders_of(run.machine)
        carry_out(run, self.steps(run))
        if not run.held and not self.is_changed:
            run.outcomes.append(Outcome(title_of(run.machine, run.host, self.target), changed=False))
        if not is_suspended(run.machine):
            known = {*client_cas.ca_digests(b"".join(self.target.new_cas)), *self.target.ending}
            engine_restart.warn_of_clients(run, unrecorded_cas(run.machine, run.host, known))
        return HostPlan(host_summary(run.host, self.target.port), tuple(run.outcomes))

    def steps(self, run: HostRun) -> list[HostStep]:
        look = HostStep("Look at the host", self.look)
        if is_suspended(run.machine):
            return [look, HostStep("Change the list that the engine does not read now", self.change_unread_list)]
        return [
            look,
            HostStep("End here if the engine has read the list", self.is_up_to_date),
            *engine_restart.restart_steps(
                self.target,
                self.allowed,
                partial(self.check, run),
                HostStep("Change the list, and restart the engine", self.change_list),
            ),
        ]

    def look(self, run: HostRun) -> None:
        """Raise MachineError if the host's clock would refuse a new client. Access ends with any clock."""
        run.look()
        if self.target.new_cas:
            preflight.check_clock(run.host, self.target)

    def change_unread_list(self, run: HostRun) -> None:
        """Take CAs off the list that the engine reads when it listens again; no restart is needed."""
        engine_restart.recover(run, self.target)
        if daemon_json.read_config(run.host).get("tlscacert") == CLIENTS:
            name = run.machine.name
            cause = f'Another computer has made the engine of "{name}" listen with TLS'
            raise NeedsProvisioning(cause, name, "Apply the record here")
        self.is_changed = run.take(lambda host, _: unread_change(run.machine, host, self.target), numbered=False)

    def is_up_to_date(self, run: HostRun) -> bool:
        self.target = run.with_known_holders(self.target)
        # An interrupted run leaves files that the engine has not read.
        if run.host.transaction != "applying" and trust_change(run.machine, run.host, self.target) is None:
            check_accepts_own_ca(run.machine, run.host, self.target)
            # Give back what a killed run borrowed, after its change.
            engine_restart.give_live_restore_back(run)
            if run.held:
                draining.restore_availability(run.held, run.console)
            return True
        if run.host.containers and not self.allowed.in_use:
            raise InUse(run.machine.name, run.host.containers)
        return False

    def check(self, run: HostRun, host: Facts) -> None:
        """Raise MachineError if the host has just shown that another computer ended the access of who is to be added.

        Or if the engine is not configured by this machine's record.
        """
        machine, cas = run.machine, {*client_cas.ca_digests(b"".join(self.target.new_cas))}
        for holder in self.holders:
            if holder.ca in cas and not find_holder(machine, holder.who):
                by = Revision.parse(host.revision).by or "another computer"
                raise MachineError(
                    f'The access of "{holder.who}" to "{machine.name}" was ended by {by}',
                    Hint("Repeat the command to give it again"),
                )
        check_accepts_own_ca(machine, host, self.target)

    def change_list(self, run: HostRun) -> None:
        def decide(host: Facts, _: object) -> Decision | None:
            decision = trust_change(run.machine, host, self.target, self.allowed)
            if decision and host.swarm:
                # The wait for another node may have been long.
                restart_risks.refuse_harm(host, self.allowed)
            return decision

        self.is_changed = run.take(decide)


def check_accepts_own_ca(machine: Machine, host: Facts, target: Target) -> None:
    """Refuse an engine that is not configured by this machine's record."""
    engine_restart.check_certificates_in_use(machine, host, target)
    if daemon_json.read_config(host).get("tlscacert") not in {OWN_CA, CLIENTS}:
        raise NeedsProvisioning(f'The engine of "{machine.name}" reads another list of CAs than ours', machine.name)
    if SERVER not in host.sums:
        cause = f'{SERVER} is missing on the host of "{machine.name}": no engine starts without it'
        raise NeedsProvisioning(cause, machine.name)
    if not client_cas.is_ours(host, target) or client_cas.replaces_ca(host, target):
        by = Revision.parse(host.revision).by or "another computer"
        cause = f'The engine of "{machine.name}" does not accept the CA on record here: {by} has changed it'
        raise NeedsProvisioning(cause, machine.name)


def unread_change(machine: Machine, host: Facts, target: Target) -> Decision | None:
    text = client_cas.unread_clients(host, target)
    if text is None or text == client_cas.file_text(host, CLIENTS):
        return None
    title = f'Taking a CA off the list of those that the engine of "{machine.name}" accepts when it listens again'
    return list_change(title, machine, host, [NewFile(CLIENTS, CLIENTS_MODE, text)])


def trust_change(machine: Machine, host: Facts, target: Target, allowed: Allowed = NOTHING_SPECIAL) -> Decision | None:
    """Return the change of clients.pem, and of daemon.json if the engine does not read it yet; None if all is done."""
    config = daemon_json.read_config(host)
    text = client_cas.wanted_clients(host, target)
    if text is None and config.get("tlscacert") != CLIENTS:
        return None
    # An engine whose clients.pem was deleted keeps what it has read, until its next start fails.
    text = text if text is not None else target.certificates["ca.pem"]
    files = [] if host.files.get(CLIENTS) == (CLIENTS_MODE, 0, 0, text) else [NewFile(CLIENTS, CLIENTS_MODE, text)]
    ours = {"tlscacert": CLIENTS} if config.get("tlscacert") != CLIENTS else {}
    written = daemon_json.dump({**config, **ours}, host.config_content)
    if ours:
        files.append(NewFile(host.config_path, host.config_mode, written))
    if not files and not (host.running and host.clients_edited):
        return None
    activation = (
        INSTALL_ONLY if engine_restart.is_stopped(host) else engine_restart.restart_activation(host, target, allowed)
    )
    change = list_change(title_of(machine, host, target), machine, host, files, activation)
    merged = [engine_config.config_change(host, ours, written)] if ours else []
    return replace(change, changes=(*change.changes, *merged))


def list_change(
    title: str, machine: Machine, host: Facts, files: list[NewFile], activation: Activation = INSTALL_ONLY
) -> Decision:
    restart = ["restart docker.service"] if activation is not INSTALL_ONLY else []
    return Decision(
        title=title,
        details=(*(f"write {file.path}" for file in files), *restart),
        job=apply_job(files, activation, init=host.init),
        after=engine_config.with_files(host, files),
        failure=partial(not_restarted, machine.name, host.init),
        changes=(FileCreated(CLIENTS),),
    )


def title_of(machine: Machine, host: Facts, target: Target) -> str:
    change = "accept a further CA" if target.new_cas else "refuse the clients of a CA"
    then = "from its next start on" if engine_restart.is_stopped(host) else "and restarting it"
    return f'Making the engine of "{machine.name}" {change}, {then}'
