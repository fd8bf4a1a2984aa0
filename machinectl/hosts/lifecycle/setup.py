"""How a host becomes an engine host, and how that is taken back: the steps carried out, and kept on record."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl import certs, engine
from machinectl import url as engine_url
from machinectl.engine import Endpoint
from machinectl.errors import MachineError
from machinectl.host_changes import (
    CaTrusted,
    KeyAuthorized,
    LiveRestoreChanged,
    PackageInstalled,
    PortOpened,
    UnknownChange,
    merged,
    of_kind,
)
from machinectl.hosts.certificates.identity import Identity
from machinectl.hosts.certificates.pending import drop, propose, settle_held
from machinectl.hosts.certificates.signing import made_good
from machinectl.hosts.lifecycle import shared_hosts
from machinectl.hosts.lifecycle.ownership import (
    agree_to_side_effects,
    check_alone,
    check_not_lost,
    go_on_with,
    predecessor,
    take_over,
    told_of_takeover,
)
from machinectl.hosts.lifecycle.preview import described, diff, rehearse
from machinectl.hosts.swarm import draining, leaving
from machinectl.machines.record import PROVISION, Phase
from machinectl.provision import firewall, host_checks
from machinectl.provision.decision import EngineDown, InUse
from machinectl.provision.facts import docker_machine_host, host_facts
from machinectl.provision.steps import installation, live_restore, undo_steps
from machinectl.provision.steps.install_script import script
from machinectl.provision.steps.setup_steps import steps
from machinectl.provision.steps.side_effects import side_effects
from machinectl.provision.target import INSTALL_URL, NOTHING_SPECIAL, Allowed, Target, recorded
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.engine import EngineError, Probe
    from machinectl.host_changes import Change
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Remote, RemoteResult
    from machinectl.provision.steps.setup_steps import SetupStep

# The facts are read in 0.2 s; a host that swaps takes longer, and so does one where an earlier run is at work.
READ_TIMEOUT = host_facts.PATIENCE + 60.0
# The engine answers at once after its restart; what lets a packet through or not takes this long to be sure of.
VERIFY_TIMEOUT = 10.0
# What an engine may take from its start until it listens: 16 s and more go by for each port without TLS, of which it
# warns so. As in apply.sh. Seconds.
LISTENS_WITHIN = 60.0


@dataclass(frozen=True)
class Outcome:
    """What a step came to: nothing to do (`changed` False), or what was done, or with --dry-run would be."""

    title: str
    changed: bool
    details: tuple[str, ...] = ()

    @classmethod
    def of(cls, step: SetupStep, decision: Decision | None) -> Outcome:
        return (
            cls(decision.title, changed=True, details=decision.details) if decision else cls(step.title, changed=False)
        )


@dataclass(frozen=True)
class HostPlan:
    """What was found on a host, and what its steps would come to."""

    found: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class World:
    """What provisioning needs of the world besides the host: Docker's script, and the engine seen from here."""

    script: Callable[[str], bytes | None] = script
    probe: Callable[[Endpoint, float], Probe] = field(default=engine.probe)
    reach: Callable[[Endpoint, float], EngineError | None] = field(default=engine.reach)


@dataclass(frozen=True)
class Setup:
    """How a machine's host is made an engine host that answers over mutual TLS.

    `allowed` is what may be done on it this once; `authority` is a CA to use instead of one of the machine's own. `url`
    is where its engine will be, where that is not where it is now: the machine is pointed there when it answers.
    `touching` is called before the host is changed.
    """

    allowed: Allowed = NOTHING_SPECIAL
    authority: certs.Pair | None = None
    world: World = field(default_factory=World)
    url: str = ""
    touching: Callable[[], None] = lambda: None

    def plan(self, machine: Machine, console: Console, remote: Remote, store: Store) -> HostPlan:
        """What `carry_out` would do, as far as that can be told now; neither host nor store is changed."""
        # What a dry run finds out is on no record.
        machine = copy(machine)
        host = self.looked_at(machine, console, remote)
        if not self.allowed.force:
            check_alone(store, machine, host)
        news = shared_hosts.caught_up(machine, remote, host)
        shared_hosts.check_known(machine, host, self.allowed)
        if removed := predecessor(store, machine, host):
            # It is known by what it was given, and its certificates are where they were kept.
            machine.changes, machine.directory = removed.changes, removed.directory
        identity = self.identity(machine, host, news.server if news else b"")
        target = target_of(machine, identity, self.url)
        if docker_machine_host.set_up(host):
            told_of_takeover(console, machine)
        for effect in side_effects(host):
            console.warn(effect)
        there = described(host, target.port)
        has_engine, changes = bool(host.dockerd), machine.changes
        allowed = draining.allowed(store, machine, host, self.allowed)
        outcomes = [Outcome(news.told(machine.name), changed=True)] if news else []
        for step in steps(self.world.script):
            decision = step.decide(host, target, allowed)
            warned(console, decision)
            outcome = Outcome.of(step, decision)
            if decision:
                outcomes += drained(store, machine, host, decision)
                if has_engine:
                    rehearse(remote, host, decision)
                if rehearsal := decision.rehearsal:
                    rehearsal.judge(remote.run(rehearsal.command, check=False))
                outcome = replace(outcome, details=(*outcome.details, *diff(host, decision)))
                host, changes = decision.after, merged(changes, decision.changes)
                target = recorded(target, changes)
            outcomes.append(outcome)
        return HostPlan(there, (*outcomes, *given_back(host, target)))

    def carry_out(self, held: Held, console: Console, remote: Remote) -> list[Outcome]:
        """Make the machine's host an engine host, or raise MachineError.

        Steps that find everything right do nothing. Each change is in the machine's record before it is made, so that
        whatever ends the run, the next one resumes and `purge` undoes it.
        """
        held.finish_files()
        host = self.owned(held, console, remote)
        identity = self.identity(held.machine, host)
        target = target_of(held.machine, identity, self.url)
        self.agree(held.machine, console, host, target)
        allowed = draining.allowed(held.store, held.machine, host, self.allowed)
        outcomes = []
        is_drained = False
        with borrowing(held, console, remote), ExitStack() as meanwhile:
            for step in steps(self.world.script):
                decision = step.decide(host, target, allowed)
                warned(console, decision)
                outcomes.append(Outcome.of(step, decision))
                if decision is None:
                    continue
                holders = installation.waited_for(host)
                if holders and decision.job.script == "install.sh":
                    console.note(f"The package manager is busy: waiting for {holders}")
                if rehearsal := decision.rehearsal:
                    with console.step(rehearsal.title):
                        rehearsal.judge(rehearsal.job.run(remote))
                self.touching()
                if decision.job.restarts and host.swarm and not is_drained:
                    meanwhile.enter_context(draining.drained(held, console, draining.node_id_of(host)))
                    is_drained = True
                    # Other nodes had their turn, maybe for minutes: what runs here now may be harmed by a restart.
                    host = read(remote, target.port)
                    decision = step.decide(host, target, allowed)
                    if decision is None:
                        continue
                with console.step(decision.title), kept(held, identity):
                    # Borrowing asks nothing of the engine that lasts, and is no revision: one that is left before what
                    # is asked has worked would tell everybody to ask that.
                    lasts = not of_kind(decision.changes, LiveRestoreChanged)
                    result = make_change(held, remote, decision, numbered=lasts)
                    host = read(remote, target.port) if decision.unforeseen else decision.after
                if remark := decision.remark(result):
                    console.warn(remark)
                target = recorded(target, held.machine.changes)
            identity.keep(held)
            drop(held)
            url = self.url or held.machine.url
            with console.step(f"Asking the engine for its version at {url}"):
                verify(held.machine, url, console, host, target, self.world)
            # While it is borrowed, the machine is not ready.
            outcomes += give_back(held, console, remote, host)
            shared_hosts.leave(held, remote, host)
            learn(held, host, url)
        if host.swarm or held.machine.swarm:
            leaving.finish(held, console)
        draining.put_back(held, console)
        return outcomes

    def agree(self, machine: Machine, console: Console, host: Facts, target: Target) -> None:
        """Ask about what is not to happen unasked. Raises CheckFailed for a no."""
        if docker_machine_host.set_up(host):
            # What cannot be done is said before it is asked about.
            host_checks.check(host, target, self.allowed)
            take_over(console, machine, self.allowed)
        if side_effects(host):
            host_checks.check(host, target, self.allowed)
            agree_to_side_effects(console, machine, host, self.allowed)

    def owned(self, held: Held, console: Console, remote: Remote) -> Facts:
        """Read a host's facts, and have on record what others did there. Raises CheckFailed if it is theirs."""
        host = self.looked_at(held.machine, console, remote)
        if not self.allowed.force:
            check_alone(held.store, held.machine, host)
        if removed := predecessor(held.store, held.machine, host):
            go_on_with(held, console, removed)
        shared_hosts.catch_up(held, console, remote, host)
        shared_hosts.check_known(held.machine, host, self.allowed)
        return host

    def looked_at(self, machine: Machine, console: Console, remote: Remote) -> Facts:
        """Read the facts of a host, and whether its engine's port can be reached from here.

        Raises InUse if its engine runs containers, and may not be worked on now.
        """
        host = looked_at(remote, target_of(machine, Identity(), self.url), console)
        if host.containers and not self.allowed.in_use:
            raise InUse(machine.name, host.containers)
        error = self.world.reach(Endpoint(self.url or machine.url, tls=True, name=machine.name), VERIFY_TIMEOUT)
        return replace(host, no_way=error.cause, refused=error.state is State.STOPPED) if error else host

    def identity(self, machine: Machine, host: Facts, server: bytes = b"") -> Identity:
        """The machine's certificates as they shall be; `server` is the engine's if another computer gave it that.

        docker-machine's are of a CA for all its machines, whose key is not ours: none of them stays.
        """
        sans = [engine_url.parse(self.url or machine.url).host, *machine.engine.tls_sans]
        have = shared_hosts.with_server(Identity.read(machine.directory), server)
        if not have.ca_key and (machine.origin or docker_machine_host.set_up(host)):
            have = Identity()
        return made_good(machine, have, sans, self.authority)


def drained(store: Store, machine: Machine, host: Facts, decision: Decision) -> list[Outcome]:
    """What would come before a restart of the engine, where it is a node of a swarm."""
    by = draining.foretold(store, machine, host) if decision.job.restarts and host.swarm else ""
    return [Outcome(draining.title(machine.name), changed=True, details=(by,))] if by else []


def target_of(machine: Machine, identity: Identity, at: str = "") -> Target:
    """What a machine's host shall become, by its record; its engine `at` a URL, or where it is.

    Raises UsageError where its engine options cannot be.
    """
    url = engine_url.parse(at or machine.url)
    asked = machine.engine
    asked.check()
    target = Target(
        address=url.host,
        port=url.port or engine_url.TLS_PORT,
        bind=asked.bind,
        jump=bool(machine.jump),
        certificates=identity.on_host,
        own_cas=frozenset(change.sha256 for change in of_kind(machine.changes, CaTrusted)),
        install=asked.install or "auto",
        install_url=asked.install_url or INSTALL_URL,
        version=asked.version,
        os=asked.os,
        options=asked.options,
        labels=machine.labels,
        env=asked.env,
        insecure_registries=asked.insecure_registries,
        registry_mirrors=asked.registry_mirrors,
        storage_driver=asked.storage_driver,
    )
    return recorded(target, machine.changes)


def looked_at(remote: Remote, target: Target, console: Console) -> Facts:
    """What the host is like now, and what of it is worth a word."""
    host = look(remote, target.port, console)
    for warning in (host_checks.wrong_clock(host, host_facts.now()), host_checks.open_configuration(host)):
        if warning:
            console.warn(warning)
    if host.dockerd and target.version and not host.version.startswith(target.version):
        console.warn(f"The engine that is there, {host.version}, is kept: --engine-version is for one to be installed")
    return host


def warned(console: Console, decision: Decision | None) -> None:
    """Say what a person may want to know before it is done."""
    for warning in decision.warnings if decision else ():
        console.warn(warning)


def purge(
    held: Held, console: Console, remote: Remote, *, purge_engine: bool = False, allowed: Allowed = NOTHING_SPECIAL
) -> list[Outcome]:
    """Undo on the host what the machine's record says was changed.

    Containers and images stay, and so does the engine's package without `purge_engine`. What the undoing itself changes
    is on record before it does, so that whatever ends it, the next one goes on.
    """
    machine = held.machine
    target = target_of(machine, Identity())
    host = look(remote, target.port, console)
    check_not_lost(held.store, machine, host)
    allowed = draining.allowed(held.store, machine, host, allowed)
    outcomes = []
    with borrowing(held, console, remote):
        for step in undo_steps.steps(purge_engine=purge_engine, allowed=allowed, os=target.os):
            decision = step(host, machine.changes)
            if decision is None:
                continue
            warned(console, decision)
            node = draining.node_id_of(host) if decision.job.restarts else ""
            with draining.drained(held, console, node):
                # Other nodes had their turn, maybe for minutes.
                decision = step(read(remote, target.port), machine.changes) if node else decision
                if decision is None:
                    continue
                with console.step(decision.title):
                    result = make_change(held, remote, decision, numbered=False)
                # Read anew: a container may have been started meanwhile.
                host = read(remote, target.port)
            if remark := decision.remark(result):
                console.note(remark)
            outcomes.append(Outcome(decision.title, changed=True, details=decision.details))
            left_out = [change for change in machine.changes if change not in decision.undone]
            if left_out != list(machine.changes):
                machine.changes = left_out
                held.write()
    for remark in undo_steps.left(host, machine.changes, purge_engine=purge_engine):
        console.note(remark)
    machine.changes = staying(machine.changes, purge_engine=purge_engine)
    held.write()
    return outcomes


def staying(changes: Sequence[Change], *, purge_engine: bool) -> tuple[Change, ...]:
    """What is not undone by `purge`: what is the logged-in user's (see let_in), and what nothing of ours wrote."""
    kinds = (KeyAuthorized, UnknownChange) if purge_engine else (KeyAuthorized, UnknownChange, PackageInstalled)
    strange = [change for change in of_kind(changes, PortOpened) if not firewall.is_ours(change)]
    return tuple(change for change in changes if isinstance(change, kinds) or change in strange)


def purge_plan(
    machine: Machine,
    console: Console,
    remote: Remote,
    store: Store,
    *,
    purge_engine: bool = False,
    allowed: Allowed = NOTHING_SPECIAL,
) -> list[Outcome]:
    """What `purge` would do, as far as that can be told now; neither host nor store is changed."""
    target = target_of(machine, Identity())
    host = look(remote, target.port, console)
    check_not_lost(store, machine, host)
    allowed = draining.allowed(store, machine, host, allowed)
    decisions = undo_steps.undo(host, machine.changes, purge_engine=purge_engine, allowed=allowed, os=target.os)
    outcomes = []
    for decision in decisions:
        warned(console, decision)
        outcomes += drained(store, machine, host, decision)
        outcomes.append(Outcome(decision.title, changed=True, details=decision.details))
    return outcomes


@contextmanager
def kept(held: Held, identity: Identity) -> Iterator[None]:
    """While a host is changed, what opens it is here, and its machine says that it is being changed.

    One that is ready stays so, with the certificates that it uses: the host's are pending until they are there. Another
    one has at once those that the host is given, and where that gets its old configuration back, so does the machine.
    """
    machine = held.machine
    machine.pending = PROVISION
    if machine.phase is Phase.READY and machine.tls:
        if identity != Identity.read(held.directory):
            propose(held, identity)
        try:
            yield
        except EngineDown:
            settle_held(held, sure=True)
            raise
        return
    phase, tls, before = machine.phase, machine.tls, Identity.read(held.directory)
    identity.keep(held)
    if phase is not Phase.READY:
        machine.phase, machine.tls = Phase.PROVISIONING, True
    try:
        yield
    except EngineDown:
        if all(before.files.values()):
            before.keep(held)
        machine.phase, machine.tls = phase, tls
        held.write()
        raise


def look(remote: Remote, port: int, console: Console) -> Facts:
    """What the host is like now, as a step of its own."""
    with console.step("Looking at the host"):
        return read(remote, port)


def read(remote: Remote, port: int) -> Facts:
    """What the host is like now."""
    result = remote.run(host_facts.command(port), timeout=READ_TIMEOUT, check=False)
    return host_facts.parse(result.stdout)


@contextmanager
def borrowing(held: Held, console: Console, remote: Remote) -> Iterator[None]:
    """Restore live-restore's previous value if the body fails. After success, the caller does (`give_back`)."""
    try:
        yield
    except MachineError:
        if of_kind(held.machine.changes, LiveRestoreChanged):
            # The record may still ask what has just failed.
            give_back(held, console, remote, numbered=False)
        raise
    except KeyboardInterrupt:
        if of_kind(held.machine.changes, LiveRestoreChanged):
            console.warn(
                f'The previous value of live-restore was not restored on the host of "{held.name}"\n'
                f"Restore it: machinectl provision {held.name}"
            )
        raise


def give_back(
    held: Held, console: Console, remote: Remote, host: Facts | None = None, *, numbered: bool = True
) -> list[Outcome]:
    """Set live-restore to --engine-opt's value, else to the host's own. A failure is a warning.

    `host` holds the known facts; they are read again if the record says that the value has to be restored.
    """
    machine = held.machine
    target = target_of(machine, Identity())
    try:
        if live_restore.is_on_record(machine.changes):
            host = read(remote, target.port)
        if host is None:
            return []
        decision = live_restore.give_back(host, target)
        if decision:
            with console.step(decision.title):
                make_change(held, remote, decision, numbered=numbered)
            host, target = decision.after, recorded(target, machine.changes)
        changes = live_restore.settled(host, target, machine.changes)
    except MachineError as exc:
        console.warn(
            f'The previous value of live-restore was not restored on the host of "{machine.name}": {exc.cause}\n'
            f"Try again: machinectl provision {machine.name}"
        )
        return []
    if changes != tuple(machine.changes):
        machine.changes = changes
        held.write()
    return [Outcome(decision.title, changed=True, details=decision.details)] if decision else []


def given_back(host: Facts, target: Target) -> list[Outcome]:
    """Return what `give_back` would do, for --dry-run."""
    decision = live_restore.give_back(host, target)
    if decision is None:
        return []
    return [Outcome(decision.title, changed=True, details=(*decision.details, *diff(host, decision)))]


def make_change(held: Held, remote: Remote, decision: Decision, *, numbered: bool = True) -> RemoteResult:
    """Record what will be changed, and change it. If it is `numbered`, the host keeps which change was the last."""
    changes, job = decision.changes, decision.job
    numbered = numbered and shared_hosts.is_numbered(held.machine, decision)
    if numbered:
        changes = (*changes, shared_hosts.begin(held.machine))
    held.keep_changes(changes)
    result = (shared_hosts.numbered(held.machine, job) if numbered else job).run(remote)
    learned = decision.learned(result)
    if learned:
        held.keep_changes(learned)
    return well_done(decision, result)


def run(remote: Remote, decision: Decision) -> None:
    well_done(decision, decision.job.run(remote))


def well_done(decision: Decision, result: RemoteResult) -> RemoteResult:
    if result.status != 0:
        raise decision.failure(result)
    return result


def verify(machine: Machine, url: str, console: Console, host: Facts, target: Target, world: World) -> None:
    """The engine answers over TLS from here, nothing less; where SSH works and it does not, something is between."""
    endpoint = Endpoint(url, tls=True, cert_dir=machine.directory, name=machine.name)
    if host.init == "openrc":
        found = until_it_answers(endpoint, console, world.probe)
    else:
        found = world.probe(endpoint, VERIFY_TIMEOUT)
    if found.state is State.RUNNING:
        return
    # A firewall that rejects may also be heard as "no route to host".
    if found.state in {State.TIMEOUT, State.STOPPED} or firewall.blocking(host, target.port):
        advice = firewall.advice(host, target.port)
        if machine.jump:
            advice += (
                "\nIts jump host leads to its SSH alone. Where that is the one way there, have docker go by SSH, too: "
                f"machinectl rm {machine.name}, and create it with --no-provision"
            )
        raise MachineError(f"The engine runs on the host, but {url} cannot be reached from here: {found.error}", advice)
    raise MachineError(f"The engine at {url} does not answer as it should: {found.error}", found.hint)


def until_it_answers(
    where: Endpoint, console: Console, probe: Callable[[Endpoint, float], Probe] = engine.probe
) -> Probe:
    """Ask again while nothing listens: OpenRC says that the engine was started, not that it is ready."""
    end = time.monotonic() + LISTENS_WITHIN
    found = probe(where, VERIFY_TIMEOUT)
    while found.state is State.STOPPED and time.monotonic() < end:
        console.pause(0.5)
        found = probe(where, VERIFY_TIMEOUT)
    return found


def learn(held: Held, host: Facts, url: str) -> None:
    """The machine is ready, with its engine at a URL; its host's MAC address is kept, for Wake-on-LAN."""
    machine = held.machine
    mac = host.mac or machine.mac
    known = (machine.phase, machine.pending, machine.tls, machine.url, machine.provision, machine.mac)
    if known != (Phase.READY, "", True, url, True, mac):
        held.touch()
        machine.phase, machine.pending, machine.tls, machine.url = Phase.READY, "", True, url
        machine.provision, machine.mac = True, mac
    held.keep_look()
