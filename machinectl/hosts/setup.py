"""Set up a host: an engine that answers over mutual TLS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.errors import NO_HINT, CheckFailed, Hint, MachineError
from machinectl.hosts import engine_restart, host_owner, shared_hosts
from machinectl.hosts.certificate_files import renewed_identity, with_ca_of_host
from machinectl.hosts.engine_restart import Endings, World
from machinectl.hosts.host_plan import HostPlan, Outcome, host_summary, target_of
from machinectl.hosts.host_run import HostStep, carry_out
from machinectl.hosts.identity import Identity, discard_pending
from machinectl.machines.holders import ACTIVE, holders_of
from machinectl.machines.record import Phase
from machinectl.machines.store.held_machines import record_look
from machinectl.provision import client_cas, preflight
from machinectl.provision.client_cas import ca_digests, cas_on_host
from machinectl.provision.decision import InUse
from machinectl.provision.facts import docker_unit
from machinectl.provision.host_changes import CaTrusted, of_kind
from machinectl.provision.steps import docker_socket, engine_goal
from machinectl.provision.steps.setup_steps import setup_steps, side_effects
from machinectl.provision.target import NOTHING_SPECIAL, Allowed, Target, with_changes
from machinectl.swarm_nodes import draining, leaving

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl import certs
    from machinectl.hosts.host_run import HostRun
    from machinectl.provision.steps.setup_steps import SetupStep


@dataclass(frozen=True)
class Setup:
    """How to set up hosts. `authority` replaces the machine's own CA; `touching` is called before each change.

    With `keeps_ca`, a CA whose key is lost is not replaced, which would lock out its clients.
    """

    allowed: Allowed = NOTHING_SPECIAL
    authority: certs.Pair | None = None
    world: World = field(default_factory=World)
    touching: Callable[[], None] = lambda: None
    keeps_ca: bool = False

    def carry_out(self, run: HostRun) -> HostPlan:
        """Set up the host; a dry run only lists the changes. Raises MachineError.

        Each change is recorded first: the next run can resume, and `purge` can undo it.
        """
        return carry_out(run, HostSetup(self).steps)


class HostSetup:
    """The set-up of one host."""

    target: Target
    identity: Identity | None

    def __init__(self, setup: Setup) -> None:
        self.setup, self.world, self.allowed = setup, setup.world, setup.allowed
        # The engine's certificate, if another computer has given it a new one.
        self.server = b""
        # Whom a new CA locks out.
        self.locked_out = ""

    @property
    def steps(self) -> list[HostStep]:
        endings = Endings()
        return [
            HostStep("Look at the host", self.look),
            HostStep("Find out whether the engine can be reached", self.reach),
            HostStep("Find out whose host it is", self.find_owner),
            HostStep("Make its certificates", self.make_certificates),
            HostStep("Ask about side effects", self.agree),
            HostStep("Keep what fails from lasting", lambda _: None, undo=engine_restart.after_failure),
            HostStep(
                "End the access of those whom a new CA locks out",
                lambda run: endings.begin(run, self.identity.ca if self.identity and self.locked_out else b""),
                endings.undo,
            ),
            *(HostStep(step.title, partial(self.take, step)) for step in setup_steps(self.world.script)),
            HostStep("Warn of what stays", self.warn),
            HostStep("Keep the certificates here", self.keep_certificates),
            HostStep("Ask the engine for its version", self.ask_engine),
            HostStep("Give live-restore back", engine_restart.restore_live_restore),
            HostStep("Prove that the engine works as before", engine_restart.prove),
            HostStep("Record that the machine is ready", record_ready),
            HostStep("Record whose access has ended", endings.finish),
            HostStep("Give a node of a swarm its tasks back", end_drain),
        ]

    def look(self, run: HostRun) -> None:
        """Raise InUse if the engine must wait."""
        if run.held:
            run.held.finish_files()
        host, machine = run.look(), run.machine
        if host.dockerd and not host.version.startswith(machine.engine.version):
            run.console.warn(f"The host keeps its engine {host.version}: --engine-version is for a new installation")
        if host.containers and not self.allowed.in_use:
            raise InUse(machine.name, host.containers)

    def reach(self, run: HostRun) -> None:
        """Raise CheckFailed for an engine that docker does not reach over SSH."""
        if run.url.startswith("tcp://"):
            run.host = engine_restart.with_reachability(run.host, run.machine, run.url, self.world)
        elif run.host.dockerd:
            # As the user who logged in.
            said = docker_socket.ask_over_ssh(getattr(run.remote, "session", run.remote))
            run.host = replace(run.host, docker_over_ssh=said)
            if not said:
                try:
                    self._verify_running(run)
                except MachineError as exc:
                    raise CheckFailed(exc.cause, exc.hint) from exc

    def find_owner(self, run: HostRun) -> None:
        """Adopt what another computer did. Raises CheckFailed if the host is another owner's."""
        host, machine = run.host, run.machine
        if not self.allowed.force:
            host_owner.check_no_other_machine(run.store, machine, host)
        if removed := host_owner.predecessor(run.store, machine, run.url, host):
            run.take_over(removed)
        run.gives_way = self.allowed.take_over
        self.server = run.catch_up()
        shared_hosts.check_known(machine, host, self.allowed)

    def take(self, step: SetupStep, run: HostRun) -> None:
        changed = run.take(
            lambda host, changes: step.decide(host, with_changes(self.target, changes), self.allowed),
            identity=self.identity,
            numbered=step.lasting,
        )
        if not changed:
            run.outcomes.append(Outcome(step.title, changed=False))
        elif step.decide is docker_socket.join_group:
            # Not before: a connection that is kept would lack the group.
            self._verify_running(run)

    def _verify_running(self, run: HostRun) -> None:
        """Ask the engine as docker will, before it changes: what a login prints disturbs docker, not our own SSH."""
        if run.host.running and run.held:
            engine_restart.verify(run, self.world)

    def agree(self, run: HostRun) -> None:
        """Ask about side effects; a dry run only lists them."""
        target, locked_out = self.target, "" if self.setup.authority else self.locked_out
        allowed = self.allowed if run.held else replace(self.allowed, yes=True)
        if locked_out and self.setup.keeps_ca and not allowed.force:
            make = Hint("or make a new CA", "machinectl provision", run.machine.name)
            raise CheckFailed(locked_out, Hint("Restore its files") | make)
        # With SSH only, nobody else's clients are locked out.
        is_taken_over = not target.ssh_only and preflight.is_by_docker_machine(run.host, target)
        try:
            effects = [(effect, NO_HINT) for effect in (locked_out, *side_effects(run.host, target)) if effect]
        except MachineError:
            # An engine that cannot start has a plainer cause.
            preflight.check_all(run.host, target, allowed)
            raise
        if not run.knows_last_change and (back := client_cas.holders_coming_back(run.host, target)):
            end = Hint("To keep one of them out, end it", "machinectl access end", "<WHO>", run.machine.name)
            back_by_record = (
                f"{', '.join(back)} would get it back by the record here, even if another computer has ended it"
            )
            effects.append((f"The host has no list of those who have access to it: {back_by_record}", end))
        if is_taken_over:
            effects.insert(0, host_owner.takeover(run.machine))
        if effects:
            # Do not ask about a set-up that cannot work.
            preflight.check_all(run.host, target, allowed)
        host_owner.agree_to_side_effects(run.console, run.machine, effects, allowed)
        self.allowed = draining.allow_swarm_restart(run.store, run.console, run.machine, run.host, self.allowed)

    def make_certificates(self, run: HostRun) -> None:
        """Compare the certificates with what is here and on the host, before either is changed."""
        self.identity = identity = self._identity(run, self.server)
        self.locked_out = locked_out_by_new_ca(run, identity)
        target = target_of(run.machine, identity, run.url)
        # docker-machine's CA, which the engine still uses.
        recorded = Identity.read(run.machine.directory).ca if run.machine.origin and identity else b""
        self.target = replace(target, replaced_ca=recorded if identity and recorded != identity.ca else b"")
        run.found = host_summary(run.host, run.port, ssh_only=target.ssh_only, allowed=self.allowed)

    def _identity(self, run: HostRun, server: bytes) -> Identity | None:
        """Take over another computer's `server`; replace docker-machine's: all its machines share a CA."""
        machine = run.machine
        if machine.engine.ssh_only:
            return None
        sans = [engine_url.parse_url(run.url).host, *machine.addresses, *machine.engine.tls_sans]
        have = with_ca_of_host(Identity.read(machine.directory), client_cas.cas_on_host(run.host).values())
        have = shared_hosts.with_server(have, server)
        preflight.check_clock_here(run.host, have.certificates)
        if not have.ca_key and (machine.origin or docker_unit.is_by_docker_machine(run.host)):
            have = Identity()
        return renewed_identity(machine, have, sans, self.setup.authority)

    def warn(self, run: HostRun) -> None:
        """Name what the host's own configuration listens on beside SSH."""
        if self.target.ssh_only and (addresses := engine_goal.tcp_addresses(run.host)):
            how = "" if engine_goal.uses_tls(run.host) else " without TLS"
            stays = f"listen on {', '.join(addresses)}{how}, and that stays"
            run.console.warn(f"The host's own configuration makes the engine {stays}")

    def keep_certificates(self, run: HostRun) -> None:
        """Write what differs, even if the host needs nothing."""
        if run.held:
            if self.identity:
                self.identity.keep(run.held)
            discard_pending(run.held)

    def ask_engine(self, run: HostRun) -> None:
        if run.held:
            # Of several addresses, the first that answers is asked.
            at = "" if run.machine.addresses else f" at {run.url}"
            with run.console.step(f"Asking the engine for its version{at}"):
                engine_restart.verify(run, self.world)


def end_drain(run: HostRun) -> None:
    run.drains.close()
    if run.held:
        if run.host.swarm or run.machine.swarm:
            leaving.finish_departure(run.held, run.console)
        draining.restore_availability(run.held, run.console)


def record_ready(run: HostRun) -> None:
    if run.held is None:
        return
    shared_hosts.write_first_revision(run.held, run.remote, run.host)
    machine, before = run.held.machine, run.held.machine.dump()
    machine.phase, machine.pending, machine.tls, machine.url = Phase.READY, "", run.url.startswith("tcp://"), run.url
    # For Wake-on-LAN.
    machine.provision, machine.mac = True, run.host.mac or machine.mac
    if machine.dump() != before:
        run.held.touch()
    machine.applied = {}
    record_look(run.held)


def locked_out_by_new_ca(run: HostRun, identity: Identity | None) -> str:
    """Say whom a new CA locks out, before anything is changed; "" without a new one."""
    machine, before = run.machine, Identity.read(run.machine.directory)
    holders = [holder.who for holder in holders_of(machine) if holder.state == ACTIVE]
    if identity is None or not (holders or any(of_kind(machine.changes, CaTrusted))):
        return ""
    if {*ca_digests(identity.ca)} <= {*ca_digests(before.ca), *cas_on_host(run.host)}:
        return ""
    ends = f", and the access of {', '.join(holders)} ends" if holders else ""
    return (
        f'The CA of "{machine.name}" is lost, damaged or expired ({machine.directory}). A new one locks out every '
        f"other client that was given a certificate{ends}"
    )
