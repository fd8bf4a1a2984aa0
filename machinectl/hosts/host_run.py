"""Work on a host as a list of titled steps: carried out by a real run, only listed by a dry run."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import CheckFailed
from machinectl.hosts import shared_hosts
from machinectl.hosts.host_owner import CA, has_left_no_certificate
from machinectl.hosts.host_plan import HostPlan, Outcome, correction, login_summary, with_diff
from machinectl.hosts.identity import Identity, settle_pending_held, store_pending
from machinectl.hosts.login import logged_in, logged_in_as_root, root_runner
from machinectl.machines.record import PROVISION, Phase
from machinectl.machines.store.store_directory import remove_directory
from machinectl.provision import daemon_json
from machinectl.provision.decision import OptionRefused, RolledBack, tail
from machinectl.provision.facts import host_facts
from machinectl.provision.host_changes import KeyAuthorized, merge_changes, without_rolled_back
from machinectl.provision.revision import Revision
from machinectl.provision.steps import engine_goal
from machinectl.provision.steps.installation import unrecorded_packages
from machinectl.swarm_nodes import draining
from machinectl.url import engine_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.job import Remote
    from machinectl.provision.target import Target

# apply.sh's exit statuses after a restart.
RESTARTED = (0, 3, 4, 8, 10)
# Seconds. Reading takes 0.2 s, or more if the host swaps or an earlier run still works there.
READ_TIMEOUT = host_facts.PATIENCE + 60.0


class HostStep(NamedTuple):
    """`do` decides what is to change, and carries that out; it returns True if nothing is left to do after it.

    `undo` is called with the error if this step or a later one fails, the last step's first.
    """

    title: str
    do: Callable[[HostRun], object]
    undo: Callable[[HostRun, BaseException], object] | None = None


def carry_out(run: HostRun, steps: Iterable[HostStep]) -> HostPlan:
    """Take the steps until one has left nothing to do; return what was found and done, in a dry run what would be."""
    with ExitStack() as undoing, run.drains:
        for step in steps:
            if step.undo:
                undoing.push(undo_after(run, step.undo))
            if step.do(run) is True:
                break
    return HostPlan(run.found, tuple(run.outcomes))


def undo_after(run: HostRun, undo: Callable[[HostRun, BaseException], object]) -> Callable[..., None]:
    def leave(_: object, error: BaseException | None, __: object) -> None:
        if error:
            undo(run, error)

    return leave


@contextmanager
def real_run(
    held: Held,
    console: Console,
    login: Login,
    url: str = "",
    *,
    ssh: SSHEndpoint | None = None,
    touching: Callable[[], None] = lambda: None,
) -> Iterator[RealRun]:
    """Log in, become root and lock the host."""
    with logged_in_as_root(held, console, login, ssh=ssh) as root:
        yield RealRun(held, console, root, url, touching)


def plan_run(
    store: Store,
    machine: Machine,
    console: Console,
    login: Login,
    work: Callable[[HostRun], HostPlan],
    url: str = "",
    *,
    ssh: SSHEndpoint | None = None,
) -> HostPlan:
    """Log in, and list what `work` would do. Lock nothing. Raises MachineError as the work itself would."""
    with logged_in(machine, console, login, ssh=ssh) as session:
        root = root_runner(session, console, login)
        plan = work(DryRun(store, machine, console, root, url))
        return replace(plan, found=(login_summary(session, root), *plan.found))


class HostRun:
    """Carries out decisions for the engine's future `url`. Call `look` first; `host` has the facts after the last.

    A dry run (DryRun) only lists changes: it holds no machine, so it cannot change one, and `machine` is a copy.
    """

    host: Facts
    # The machine's lock; a dry run has none.
    held: Held | None = None

    def __init__(self, store: Store, machine: Machine, console: Console, remote: Remote, url: str = "") -> None:
        self.store = store
        self.machine = machine
        # Asked before the run takes anything over.
        self.is_new = shared_hosts.is_never_set_up(machine)
        # Whether the record gives way to what another computer has done.
        self.gives_way = False
        self.console = console
        self.remote = remote
        # The plan of a dry run: lines about the host, and about each step.
        self.found: tuple[str, ...] = ()
        self.outcomes: list[Outcome] = []
        self.url = url or machine.url
        self.port = engine_port(self.url)
        # The command that finishes an interrupted run.
        self.again = f"machinectl provision {machine.name}"
        # Prints what a job reports about its result.
        self.remark: Callable[[str], None] = console.warn
        # Called before each change.
        self.touching: Callable[[], None] = lambda: None
        # Whether no other computer had changed the host before the first look: it may have ended a holder.
        self.knows_last_change = False
        # The last run of the removed machine whose history this one continues.
        self.own_run = ""
        # The result of the last look before the changes.
        self.before: Facts | None = None
        # Whether a job has changed the host since, and nobody has looked what became of the engine.
        self.has_made = False
        # Ends the draining of a Swarm node.
        self.drains = ExitStack()
        self._is_drained = False
        self._has_looked = False

    def look(self) -> Facts:
        """Read the facts. Only the first look is a step to show."""
        with nullcontext() if self._has_looked else self.console.step("Looking at the host"):
            self.before = self.host = self.read()
        if packages := unrecorded_packages(self.host, self.machine.changes):
            self.keep(merge_changes(self.machine.changes, packages))
        if not self._has_looked:
            self.knows_last_change = shared_hosts.knows_last_change(self.machine, self.host)
        self._has_looked = True
        return self.host

    def read(self) -> Facts:
        result = self.remote.run(host_facts.facts_command(self.port), timeout=READ_TIMEOUT, check=False)
        return host_facts.parse_facts(result.stdout)

    def take(
        self,
        decide: Callable[[Facts, Sequence[Change]], Decision | None],
        *,
        identity: Identity | None = None,
        numbered: bool = True,
    ) -> bool:
        """Carry out a decision; return whether there was one. A Swarm node is drained first."""
        decision = decide(self.host, self.machine.changes)
        if decision is None:
            return False
        for warning in decision.warnings:
            self.console.warn(warning)
        self.rehearse(decision)
        self.touching()
        if decision.job.restarts and self.host.swarm and self.drain():
            decision = decide(self.host, self.machine.changes)
        if decision is None:
            return False
        self.make(decision, identity=identity, numbered=numbered)
        return True

    def drain(self) -> bool:
        """Drain the host until `drains` ends, if it is a Swarm node. Return False if it is drained already."""
        if self._is_drained:
            return False
        self._is_drained = True
        self.drains.callback(setattr, self, "_is_drained", False)
        self.drains.enter_context(self._drained())
        if self.host.swarm:
            # The wait for another node may have been long.
            self.refresh()
        return True

    def with_known_holders(self, target: Target) -> Target:
        """Leave holders out that only the record would let in again, if another computer may have ended them."""
        return target if self.knows_last_change else replace(target, holders=())

    def catch_up(self) -> bytes:
        """Adopt what another computer has done on the host; return the engine's certificate if that is new.

        Raises MachineError for a change that the record does not give way to. A new record, as of an imported machine,
        learns only from its host what was done there.
        """
        machine, host = self.machine, self.host
        revision, known = Revision.parse(host.revision), Revision.of_record(machine.revision)
        has_history = shared_hosts.has_history(machine)
        is_news = revision.is_news_to(known if has_history else Revision())
        is_news = is_news and shared_hosts.trusts_our_ca(machine, host)
        told, server = "", b""
        if is_news:
            is_own = revision.run in {self.own_run, known.run}
            told = "" if is_own else shared_hosts.who_changed(machine.name, revision, known)
            if has_history and not (self.is_new or self.gives_way or is_own):
                raise shared_hosts.ChangedElsewhere(told, machine.name)
            # An imported machine has the settings of that revision, and what was set here since.
            is_known = revision.run == known.run and not self.gives_way
            server = shared_hosts.adopt_settings(machine, self.remote, host, is_new=self.is_new, is_known=is_known)
            machine.revision = dict(revision._asdict())
        # Without a listener, holders were ended before it was closed, or since.
        looks_for_ended = is_news or CA not in host.sums
        ended = list(shared_hosts.end_unlisted(machine, host, known)) if looks_for_ended else []
        if ended and told:
            told += f"; access ended there: {', '.join(ended)}"
        elif ended:
            told = f'Another computer has ended the access of {", ".join(ended)} to "{machine.name}"'
        if told and self.held:
            self.console.warn(told)
        elif told:
            self.outcomes.append(Outcome(told, changed=True))
        if self.held and (is_news or ended):
            shared_hosts.keep_adopted(self.held, server, ended)
        return server

    def refresh(self) -> None:
        """Read the facts again; in a dry run, `host` already has the listed changes."""
        if self.held:
            self.host = self.read()

    def keep(self, changes: Sequence[Change]) -> None:
        """Replace the recorded changes."""
        is_new = tuple(changes) != tuple(self.machine.changes)
        self.machine.changes = changes
        if self.held and is_new:
            self.held.write()

    def take_over(self, removed: Machine) -> None:
        """Continue with a removed machine's history."""
        self.own_run = Revision.of_record(removed.revision).run
        self.machine.changes = merge_changes(removed.changes, self.machine.changes)
        has_certificates = not has_left_no_certificate(removed)
        if self.held:
            self.console.note(f'The host was set up here before, as "{removed.name}": continuing with that')
            self.held.write()
            if has_certificates:
                Identity.read(removed.directory).keep(self.held)
            remove_directory(self.store, removed.directory)
        elif has_certificates:
            self.machine.directory = removed.directory

    def rehearse(self, decision: Decision) -> None:
        """Let dockerd check daemon.json before the first change, without TLS, whose files do not exist yet.

        Raises CheckFailed.
        """
        begun = [change for change in self.machine.changes if not isinstance(change, KeyAuthorized)]
        path = self.host.config_path
        command, new = decision.job.variables.get("validate", ""), decision.job.content_of(path)
        if decision.job.variables.get("action") == "reload":
            # Its job checks nothing: a reload reads no certificates, which may be lost.
            flags = engine_goal.dockerd_flags(self.host, ours=True)
            command = engine_goal.validate_command(
                self.host, [flag for flag in flags if flag.name not in daemon_json.TLS_FLAGS]
            )
        if not (self.before and self.before.dockerd and command and new) or (self.held and begun):
            return
        command = command.replace(f"--config-file={path}", "--config-file=/dev/stdin")
        draft = daemon_json.without_tls(daemon_json.parse_config(new, path))
        result = self.remote.run(command, input=draft, check=False)
        said = tail(result).replace(" with file /dev/stdin", "")
        if result.status and "unknown flag: --validate" not in said:
            raise CheckFailed(f"dockerd would refuse its configuration:\n{said}", correction(self.machine, self.host))

    def make(self, decision: Decision, *, identity: Identity | None = None, numbered: bool = True) -> None:
        """Record the changes, run the job, update `host`; a dry run only lists the changes.

        `identity` is what the host gets. If `numbered`, the change is a new revision on the host.
        """
        if self.held is None:
            self.outcomes.append(Outcome(decision.title, changed=True, details=with_diff(self.host, decision)))
            self.host = decision.after
            self.machine.changes = merge_changes(self.machine.changes, decision.changes)
        else:
            self._make(self.held, decision, identity, numbered=numbered)
        self.keep([change for change in self.machine.changes if change not in decision.undone])

    def _make(self, held: Held, decision: Decision, identity: Identity | None, *, numbered: bool) -> None:
        changes, job = decision.changes, decision.job
        before = self.machine.changes
        locks_swarm = job.restarts and self.host.info.get("SwarmAutolock")
        with self.console.step(decision.title), certificates_stored(held, identity) if identity else nullcontext():
            if numbered and shared_hosts.is_numbered(self.machine, decision):
                changes = (*changes, shared_hosts.begin_revision(self.machine, self.host))
                held.keep_changes(changes)
                job = shared_hosts.with_revision(self.machine, job)
            else:
                held.keep_changes(changes)
            self.has_made = True
            result = job.run(self.remote, self.console.progress)
            if locks_swarm and result.status in RESTARTED:
                self.remark("The swarm's node is locked now. Unlock it, on the host: docker swarm unlock")
            if learned := decision.learned(result):
                held.keep_changes(learned)
                guessed = [change for change in changes if type(change) is type(learned[0])]
                self.keep([each for each in self.machine.changes if each in learned or each not in guessed])
            if result.status != 0:
                error = decision.failure(result)
                if isinstance(error, RolledBack):
                    self.keep(without_rolled_back(before, self.machine.changes))
                if isinstance(error, OptionRefused) or (isinstance(error, RolledBack) and self.host.unread):
                    error.hint = correction(self.machine, self.host)
                raise error
            self.host = self.read() if decision.unforeseen else decision.after
        self.outcomes.append(Outcome(decision.title, changed=True, details=decision.details))
        if remark := decision.remark(result):
            self.remark(remark)

    @contextmanager
    def _drained(self) -> Iterator[None]:
        if self.held:
            with draining.drained_node(self.held, self.console, draining.node_id_of(self.machine, self.host)):
                yield
            return
        if draining.is_to_be_drained(self.store, self.console, self.machine, self.host):
            self.outcomes.append(Outcome(draining.draining_title(self.machine.name), changed=True))
        yield


class RealRun(HostRun):
    def __init__(
        self,
        held: Held,
        console: Console,
        remote: Remote,
        url: str = "",
        touching: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(held.store, held.machine, console, remote, url)
        self.held, self.touching = held, touching


class DryRun(HostRun):
    def __init__(self, store: Store, machine: Machine, console: Console, remote: Remote, url: str = "") -> None:
        super().__init__(store, copy(machine), console, remote, url)


@contextmanager
def certificates_stored(held: Held, identity: Identity) -> Iterator[None]:
    """Store a host's new certificates first, and mark its machine for provisioning.

    A ready machine keeps its current ones until the engine has the new ones. If the host rolls back, so does the
    machine.
    """
    machine = held.machine
    machine.pending = PROVISION
    before = Identity.read(held.directory)
    if machine.phase == Phase.READY and machine.tls:
        if identity != before:
            store_pending(held, identity)
        try:
            yield
        except RolledBack:
            settle_pending_held(held, sure=True)
            raise
        return
    phase, tls = machine.phase, machine.tls
    identity.keep(held)
    if phase != Phase.READY:
        machine.phase, machine.tls = Phase.PROVISIONING, True
    try:
        yield
    except RolledBack:
        if all(before.files.values()):
            before.keep(held)
        machine.phase, machine.tls = phase, tls
        held.write()
        raise
