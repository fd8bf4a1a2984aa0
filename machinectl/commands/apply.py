"""`apply`: machines become what a fleet's file says, many at once."""

from __future__ import annotations

import os
import shlex
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from machinectl.console import RewritingConsole
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError
from machinectl.fleet.model import FleetId
from machinectl.fleet.reading.fleet_file import DEFAULT_FILE
from machinectl.fleet.syntax.hidden_values import Hidden
from machinectl.hosts.parallel.rollout_order import ONE_BY_ONE, Rolling
from machinectl.hosts.parallel.workers import LIMIT, at_once, at_work_on
from machinectl.machines.engine_options import DECLARED
from machinectl.machines.jump_hosts import loops, machine_of, shown
from machinectl.machines.jump_order import keep_jump_hosts
from machinectl.machines.record import Phase
from machinectl.machines.selection import waiting
from machinectl.machines.spec import NO_CERTIFICATES
from machinectl.provision.decision import InUse
from machinectl.rollout.apply_lock import alone
from machinectl.rollout.plan import differences
from machinectl.rollout.plan_steps import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.fleet.model import FleetHost
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.editing import Edit
    from machinectl.hosts.lifecycle.removal import Purge
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.hosts.parallel.rollout_order import Batches, Turns
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import CertificateFiles
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed
    from machinectl.rollout.plan_steps import Step
    from machinectl.rollout.swarm_roles import Roles

# What is done with machines that are of the file.
WORK = (Action.CREATE, Action.RESUME, Action.CHANGE)
# The keys of a file's options, as `plan` has them.
CERTIFICATES = frozenset({"tls-dir", "tls-client-cert"})
# What is asked of an engine, which another computer may have changed meanwhile.
SETTINGS = frozenset({"labels", *(option.flag.removeprefix("--") for option in DECLARED)})


class Did(StrEnum):
    """What became of a machine, as a summary counts it."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    FAILED = "failed"
    NOT_BEGUN = "not begun"
    UNFINISHED = "not finished"
    LEFT = "as they were"
    GONE = "in the file no more"


# How many machines an error or a question names.
MOST_TOLD = 10
# Why a machine was not begun when another one failed.
REACHED_THROUGH = '"{name}" is reached through "{other}", which failed'
LEADS_TO = '"{other}" is reached through "{name}", and was not removed'
INTERRUPTED, STOPPED = "interrupted", "no engine restarts after one that failed"
DONE = frozenset({Did.CREATED, Did.CHANGED})
LEFT = {Action.LEAVE: Did.LEFT, Action.REMOVE: Did.GONE}


class Result(NamedTuple):
    """The result for a machine: with its error if it failed or was not begun, and how long the work took.

    `touched` is whether its host was changed, `looked_at` when it was last looked at, "" if never,
    `reason` why it was not begun or finished if no error of its own says so.
    """

    name: str
    did: Did
    error: MachineError | None = None
    seconds: float = 0.0
    touched: bool = False
    looked_at: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Manner:
    """How a fleet is brought to what its file says, which is at `path`, absolute, or "-" for stdin.

    `parallel` machines are worked on at once. Engines in use restart in batches of `batch`, and no batch begins when
    more than `max_failures` of them have failed after their hosts were changed. With `refresh` hosts are looked at that
    need nothing by their records. With `prune` machines go that came from the file and are in it no more, and with
    `purge` their hosts are put back.
    With `take_over` nobody is asked about machines of other fleets.
    `authority` is a CA to use instead of each machine's own, `spare` are certificates for where no others are given.
    """

    path: str
    access: Access
    allowed: Allowed
    authority: Pair | None = None
    spare: CertificateFiles = NO_CERTIFICATES
    parallel: int = LIMIT
    batch: Batches = ONE_BY_ONE
    max_failures: int = 0
    refresh: bool = False
    prune: bool = False
    purge: Purge | None = None
    take_over: bool = False
    yes: bool = False
    # The command that was typed, for hints.
    command: str = "machinectl apply"
    # Its flags, quoted, without those that choose machines.
    flags: Sequence[str] = ()

    def again(self, name: str) -> str:
        """The command that does what is to be done with one machine, which may need what was typed for all."""
        return " ".join(["machinectl apply", *self.file(), *self.flags, name])

    def plan(self, name: str) -> str:
        """The command that shows what is to be done with one machine."""
        return " ".join(["machinectl plan", *self.file(), name])

    def file(self) -> Sequence[str]:
        return () if self.path == os.path.abspath(DEFAULT_FILE) else ("-f", shlex.quote(self.path))

    def setup(self, touching: Callable[[], None] = lambda: None) -> Setup:
        # Loaded where a host is to be told something alone.
        from machinectl.hosts.lifecycle.setup import Setup

        return Setup(self.allowed, self.authority, touching=touching)


class Seen(NamedTuple):
    """The steps that the file and the records require, the existing machines, and the values that must not be shown.

    `fleet` is the one that the machines will belong to. `unreadable` are hosts of the file, chosen or not,
    whose records cannot be read.
    """

    steps: Sequence[Step]
    machines: Mapping[str, Machine]
    hidden: Hidden = Hidden()
    fleet: FleetId = FleetId("")
    unreadable: frozenset[str] = frozenset()


def apply(store: Store, console: Console, look: Callable[[], Seen], manner: Manner) -> Iterator[Result]:
    """Bring machines to what a fleet's file says; yield what became of each.

    `look` reads the file and the records; what it refuses ends this before anything is changed. A machine that fails
    stops nobody else, but for those behind it, and for engines in use that were to restart after it. At ^C those that
    are left are yielded before KeyboardInterrupt is raised.
    """
    run = Run(store, look(), manner)
    if run.has_work:
        with alone(store, console):
            # Another one may have done it meanwhile.
            seen = look()
            run = Run(store, seen, manner)
            if run.changes_names:
                keep_jump_hosts(store, console)
            for result in run.carried_out(RewritingConsole(console, seen.hidden.without)):
                if result.error:
                    seen.hidden.conceal(result.error)
                yield result
            store.sweep()
    yield from run.left()


def not_begun(turns: Rolling, why: str) -> Iterator[Result]:
    """Yield the machines that were not begun, after all others. `why` is a format with {name} and {other}."""
    for name, other in turns.barred.items():
        yield Result(name, Did.NOT_BEGUN, MachineError(why.format(name=name, other=other)))
    for name in turns.stopped:
        yield Result(name, Did.NOT_BEGUN, reason=STOPPED)


class Run:
    """One `apply`: what is to be done by the records as they are now, and who does it."""

    def __init__(self, store: Store, seen: Seen, manner: Manner) -> None:
        self.store = store
        self.manner = manner
        self.machines = seen.machines
        self.fleet = seen.fleet
        self.unreadable = seen.unreadable
        self.steps = {step.name: step for step in seen.steps}
        # Engines in use that restart, or may.
        self.rolled: set[str] = set()
        # New hosts whose engines run containers, with the IDs of those.
        self.in_use: dict[str, frozenset[str]] = {}
        self.did: dict[str, Did] = {}
        # Those whose record or host may have been changed, and how long each was worked on.
        self.touched: set[str] = set()
        # Those whose hosts were changed, by a job on them.
        self.hosts_touched: set[str] = set()
        self.accesses: dict[str, Access] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.removed: list[str] = []

    def of(self, *actions: Action) -> list[str]:
        return [name for name, step in self.steps.items() if step.action in actions]

    @property
    def has_work(self) -> bool:
        """Whether a record or a host is to be changed, or a host to be looked at."""
        return bool(self.of(*WORK) or self.unmarked() or self.to_look_at() or (self.manner.prune and self.gone()))

    @property
    def changes_names(self) -> bool:
        """Whether machines are added or removed."""
        return bool(self.of(Action.CREATE) or (self.manner.prune and self.gone()))

    def gone(self) -> list[str]:
        """Machines that came from the file and are in it no more."""
        return self.of(Action.REMOVE)

    def unmarked(self) -> list[str]:
        """Machines that nothing else is done with, whose records do not call the fleet what it is called now."""
        right = [*self.of(*LEFT), *filter(self.is_to_join_alone, self.of(Action.CHANGE))]
        return [name for name in right if self.machines[name].fleet != self.fleet.text]

    def taken_over(self) -> list[str]:
        """Machines of another fleet with which nothing is otherwise but that."""
        return [
            name for name in self.of(Action.CHANGE) if {each.key for each in self.steps[name].differences} == {"fleet"}
        ]

    def of_others(self) -> dict[str, str]:
        """Machines that are another fleet's by their records, each with that fleet."""
        there = {name: self.machines[name].fleet for name in self.of(*WORK) if name in self.machines}
        return {name: fleet for name, fleet in there.items() if fleet and not self.fleet.owns(fleet)}

    def left_to_others(self, console: Console) -> Iterator[Result]:
        """Ask whether machines of other fleets become this one's; yield those that do not, and do nothing with them.

        Raises MachineError if nobody is there to ask.
        """
        others = {} if self.manner.take_over else self.of_others()
        if not others:
            return
        told = [f"{name} ({fleet})" for name, fleet in others.items()]
        more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        cause = f"Machines of other fleets: {', '.join(told[:MOST_TOLD])}{more}"
        if not console.interactive:
            hint = f"Take them over: {self.manner.command} --take-over; or remove them from the file"
            raise MachineError(cause, hint)
        console.note(cause)
        if console.confirm("Take them over?"):
            return
        for name, fleet in others.items():
            del self.steps[name]
            yield Result(name, Did.NOT_BEGUN, MachineError(f'"{name}" still belongs to the fleet {fleet}'))

    def to_look_at(self) -> list[str]:
        """Machines that need nothing by their records, and whose hosts are looked at."""
        if not self.manner.refresh:
            return []
        right = [*self.of(Action.LEAVE), *self.taken_over()]
        return [name for name in right if self.machines[name].provision and self.machines[name].changes]

    def host(self, name: str) -> FleetHost:
        host = self.steps[name].host
        if host is None:
            raise KeyError(name)
        return host

    def access(self, name: str) -> Access:
        """How to log in at one host; what is typed for that is remembered.

        Raises MachineError where a file that the fleet's names holds no secret.
        """
        if name not in self.accesses:
            own = self.manner.access.with_files(**asdict(self.host(name).login))
            # `provision` goes by the record, where the file may have another address for the host.
            self.accesses[name] = replace(own, again=self.manner.again(name))
        return self.accesses[name]

    def carried_out(self, console: Console) -> Iterator[Result]:
        """Do all of it. What is asked is asked first.

        At ^C it yields what became of the others, and raises KeyboardInterrupt.
        """
        told: set[str] = set()
        try:
            for result in self.in_order(console):
                told.add(result.name)
                yield self.timed(result)
        except KeyboardInterrupt:
            yield from (self.timed(self.interrupted(name)) for name in self.steps if name not in told)
            raise

    def timed(self, result: Result) -> Result:
        looked_at = self.last_look(result.name)
        return result._replace(seconds=round(self.seconds[result.name], 3), looked_at=looked_at)

    def last_look(self, name: str) -> str:
        """When a machine's host was last looked at; "" if it never was, or is gone."""
        machine = self.machines.get(name)
        if name in self.seconds:
            try:
                machine = self.store.read(name)
            except MachineError:
                return ""
        return machine.last_look if machine else ""

    def interrupted(self, name: str) -> Result:
        """Return the result of ^C for a machine that has no result yet."""
        action = self.steps[name].action
        if name in self.touched:
            return Result(name, Did.UNFINISHED, reason=INTERRUPTED)
        waits_for_look = name in self.to_look_at() and self.did.get(name) is not Did.LEFT
        to_do = action in WORK or waits_for_look or name in self.removed
        return Result(name, Did.NOT_BEGUN, reason=INTERRUPTED) if to_do else Result(name, LEFT[action])

    def in_order(self, console: Console) -> Iterator[Result]:
        yield from self.left_to_others(console)
        removed = self.removed = self.gone() if self.manner.prune and self.may_remove(console) else []
        for name in self.unmarked():
            self.mark(name, console)
        changed_by_hand: list[str] = []
        looked_at = self.to_look_at()
        yield from (Result(name, Did.CHANGED) for name in self.taken_over() if name not in looked_at)
        for result in self.at_once(console, looked_at, self.look):
            if result.did is Did.CHANGED:
                changed_by_hand.append(result.name)
            elif result.did is Did.LEFT and result.name in self.taken_over():
                yield Result(result.name, Did.CHANGED)
            elif result.did is not Did.LEFT:
                yield result
        to_become = [name for name in self.of(*WORK) if not self.is_to_join_alone(name)]
        names = [*to_become, *changed_by_hand]
        self.rolled = {*filter(self.may_restart, to_become), *changed_by_hand}
        after = {name: [machine_of(self.host(name).spec.jump)] for name in names}
        failed: list[Result] = []
        if len(self.rolled) > 1:
            there = [name for name in to_become if name in self.rolled and self.can_be_reached_before(name)]
            failed = [result for result in self.at_once(console, there, self.reach) if result.error]
        yield from self.in_their_roles(console, chain(failed, self.in_turns(console, names, after, failed)))
        # Whoever is behind another one goes before it: what is undone there goes through that.
        jumps = {name: machine_of(self.machines[name].jump) for name in removed}
        # Each would wait for the next one in the loop.
        staying = {
            name: MachineError(shown(loop), f"Break the loop: machinectl set --ssh-jump none {name}")
            for loop in loops(jumps)
            for name in loop
        }
        staying |= self.needed(removed)
        for name, why in staying.items():
            self.did[name] = Did.FAILED
            yield Result(name, Did.FAILED, why)
        removed = [name for name in removed if name not in staying]
        first = {jump: [name for name in removed if jumps[name] == jump] for jump in removed}
        turns = Rolling(removed, first)
        yield from chain(self.at_once(console, removed, self.remove, turns), not_begun(turns, LEADS_TO))

    def in_turns(
        self, console: Console, names: Sequence[str], after: Mapping[str, Collection[str]], failed: Sequence[Result]
    ) -> Iterator[Result]:
        """Work on machines, on engines in use in batches; `failed` are some that have failed already.

        Which new hosts have engines in use is seen only on them: those take their turns after all others, and so do
        those behind them.
        """
        batch, failures_left = self.manner.batch, self.manner.max_failures
        left, rolled, before = list(names), list(self.rolled), 0
        try:
            while left:
                turns = Rolling(
                    left,
                    after,
                    rolled,
                    batch.of(len(rolled), after=before),
                    failures_left,
                    counts=self.hosts_touched.__contains__,
                    failed=[result.name for result in failed],
                )
                ended = self.at_once(console, turns.waiting, self.become, turns)
                before, left, rolled, failed = before + len(rolled), [], [], ()
                for result in chain(ended, not_begun(turns, REACHED_THROUGH)):
                    if isinstance(result.error, InUse):
                        rolled.append(result.name)
                    if result.name in rolled or turns.barred.get(result.name) in rolled:
                        left.append(result.name)
                    else:
                        yield result
                failures_left = turns.failures_left
                if failures_left < 0:
                    yield from (Result(name, Did.NOT_BEGUN, reason=STOPPED) for name in left)
                    return
        finally:
            for name in self.in_use:
                if name not in self.touched:
                    self.forget(name, console)

    def forget(self, name: str, console: Console) -> None:
        """Forget a new machine whose host was only looked at."""
        with self.store.writing(name, waiting(console, name)) as held:
            if not held.machine.changes and not held.machine.made:
                held.remove()

    def in_their_roles(self, console: Console, ended: Iterable[Result]) -> Iterator[Result]:
        """The same results; those who are to have another role in the swarm have it, too, before they are yielded.

        The roles wait until all of the swarm are ready: nobody begins another one beside one that is there.
        """
        roles = self.roles()
        joining = [] if roles is None else list(roles.differing(self.store))
        held: dict[str, Result] = {}
        bad = False
        try:
            for result in ended:
                has_role = bool(roles and result.name in roles.roles)
                if joining and has_role and result.did in DONE:
                    held[result.name] = result
                    continue
                bad = bad or (has_role and result.did not in DONE)
                yield result
            left = [name for name in joining if name in held or self.is_to_join_alone(name)]
            formed = self.formed(console, roles, left) if roles and left and not bad else ()
            for result in formed:
                yield result if result.error else held.get(result.name, result)
                held.pop(result.name, None)
                left = [name for name in left if name != result.name]
        except KeyboardInterrupt:
            yield from (result for name, result in held.items() if name not in joining)
            raise
        for name in left:
            why = MachineError(f'"{name}" is not in the swarm yet: all of it are to be ready first')
            yield Result(name, Did.UNFINISHED if name in self.touched else Did.NOT_BEGUN, why)
        yield from (result for name, result in held.items() if name not in left)

    def formed(self, console: Console, roles: Roles, left: Sequence[str]) -> Iterator[Result]:
        """Have machines be in one swarm in their roles; of those left to join the first is told why no more can."""
        from machinectl.hosts.lifecycle.swarm_join import Joining

        began: dict[str, float] = {}

        def own(name: str, _: Access) -> Access:
            began[name] = time.monotonic()
            self.touched.add(name)
            return self.access(name)

        try:
            for name, error in roles.form(self.store, console, Joining(self.manner.access, own=own)):
                # One whose record had it in its role, and whose engine had not, is told of, too.
                if name in left or name in began:
                    self.seconds[name] += time.monotonic() - began[name] if name in began else 0
                    self.did[name] = Did.FAILED if error else Did.CHANGED
                    yield Result(name, self.did[name], error)
        except MachineError as exc:
            yield from (Result(name, Did.FAILED, exc) for name in left[:1])

    def roles(self) -> Roles | None:
        """The roles of the chosen machines in the fleet's swarm, beside its other nodes; None for no swarm."""
        wanted = {
            name: step.host.swarm
            for name, step in self.steps.items()
            if step.host and step.host.swarm and not step.error
        }
        if not wanted:
            return None
        from machinectl.machines.swarm_node import node_of
        from machinectl.rollout.swarm_roles import Roles

        others = {
            name: node.role
            for name, machine in self.machines.items()
            if name not in self.steps
            and machine.phase is Phase.READY
            and self.fleet.owns(machine.fleet)
            and (node := node_of(machine))
        }
        return Roles(wanted, others, self.unreadable)

    def is_to_join_alone(self, name: str) -> bool:
        """Whether nothing is otherwise with a machine but its role in the swarm, and whose it is."""
        step = self.steps[name]
        return step.action is Action.CHANGE and {each.key for each in step.differences} <= {"swarm", "fleet"}

    def at_once(
        self, console: Console, names: Collection[str], work: Callable[[str, Console], Did], turns: Turns | None = None
    ) -> Iterator[Result]:
        """Work on many machines; see `each.at_once`."""

        def one(name: str, console: Console) -> None:
            began = time.monotonic()
            try:
                self.did[name] = work(name, console)
            finally:
                self.seconds[name] += time.monotonic() - began

        for name, error in at_once(console, names, one, limit=self.manner.parallel, turns=turns):
            if error:
                self.did[name] = Did.FAILED
            yield Result(name, self.did[name], error, touched=name in self.hosts_touched)

    def left(self) -> Iterator[Result]:
        """Those with which nothing was done: they are what the file says, in it no more, or have no record to go by."""
        for name, step in self.steps.items():
            if step.error:
                yield Result(name, Did.FAILED, step.error)
            if step.action in LEFT and self.did.get(name, Did.LEFT) is Did.LEFT:
                yield self.timed(Result(name, LEFT[step.action]))

    def needed(self, removed: Sequence[str]) -> dict[str, MachineError]:
        """Which machines stay, as their swarms would have no quorum here without them, and why."""
        if not removed:
            return {}
        from machinectl.hosts.swarm.membership import needed_for_a_quorum

        return needed_for_a_quorum(self.store, removed)

    def may_remove(self, console: Console) -> bool:
        """Whether those that are in the file no more go; it is asked where they are some."""
        from machinectl.hosts.lifecycle.removal import confirmed, told_of_swarm

        for name in self.gone():
            told_of_swarm(self.store, console, name)
        if self.manner.yes or not self.gone():
            return True
        return confirmed(self.store, console, self.gone(), self.manner.purge, f"{self.manner.command} --yes")

    def may_restart(self, name: str) -> bool:
        """Whether an engine in use restarts, or may: its host was not told all before, has moved, or is looked at."""
        step, machine = self.steps[name], self.machines.get(name)
        if machine is None or machine.phase is not Phase.READY:
            return False
        options = {option.name for option in load(machine.driver).options()}
        moved = any(each.key in options for each in step.differences)
        unknown = step.action is Action.RESUME or moved or self.manner.refresh
        return step.restarts or (unknown and bool(machine.changes))

    def mark(self, name: str, console: Console) -> None:
        """Have on record whose machine it is, unless that has changed since it was looked at."""
        with self.store.writing(name, waiting(console, name)) as held:
            if held.machine.fleet == self.machines[name].fleet:
                held.machine.fleet = self.fleet.text
                held.write()

    def look(self, name: str, console: Console) -> Did:
        """Whether something on the host was changed by hand."""
        from machinectl.hosts.lifecycle.provisioning import foretold

        found = foretold(self.machines[name], console, self.access(name), self.manner.setup(), self.store)
        if any(each.changed for each in found.outcomes):
            return Did.CHANGED
        with self.store.writing(name, waiting(console, name)) as held:
            held.keep_look()
        return Did.LEFT

    def can_be_reached_before(self, name: str) -> bool:
        """Return whether a host that will be changed can be reached by the way on record, before any other change."""
        machine = self.machines[name]
        if not (machine.changes and self.host(name).spec.provision):
            return False
        way = [name]
        while (jump := machine_of(self.machines[way[-1]].jump)) and jump in self.machines and jump not in way:
            way.append(jump)
        return not any(self.moves(each) for each in way)

    def moves(self, name: str) -> bool:
        """Return whether the plan changes a host's address or the way to it."""
        if name not in self.steps:
            return False
        of_driver = {option.name for option in load(self.machines[name].driver).options()}
        return any(each.key in of_driver or each.key == "ssh-jump" for each in self.steps[name].differences)

    def reach(self, name: str, console: Console) -> Did:
        """Log in at a host and become root there: nobody's engine restarts before all were tried."""
        from machinectl.hosts.connection.login import elevated, keep_host_key, logged_in

        access = self.access(name)
        with at_work_on(self.store, console, name) as held, logged_in(held.machine, console, access) as session:
            keep_host_key(held, session)
            elevated(session, console, access)
        return Did.LEFT

    def become(self, name: str, console: Console) -> Did:
        """Have a machine be what the file says."""
        self.touched.add(name)
        machine = self.machines.get(name)
        if machine and machine.phase is Phase.READY:
            self.change(name, console)
            return Did.CHANGED
        try:
            self.create(name, console)
        except InUse as exc:
            self.in_use[name] = exc.containers
            self.touched.discard(name)
            raise
        return Did.CREATED

    def create(self, name: str, console: Console) -> None:
        """Make a machine, or go on with one that is half made."""
        from machinectl.hosts.lifecycle.creation import Creation
        from machinectl.hosts.lifecycle.onboarding import Onboarding
        from machinectl.machines.tls_warnings import advise
        from machinectl.rollout.container_restart import wait_for

        host, manner = self.host(name), self.manner
        allowed = replace(manner.allowed, in_use=name in self.in_use)
        onboarding = Onboarding(self.access(name), allowed, manner.authority, lambda: self.hosts_touched.add(name))
        driver = load(host.spec.driver)
        creation = Creation(name, host.spec, driver, onboarding, host.certificates, manner.spare, fleet=self.fleet.text)
        made = creation.carry_out(self.store, console)
        if not made.set_up:
            if host.spec.engine.given:
                console.warn("what is asked of its engine is noted only: no engine was set up")
            advise(console, made.machine)
        if before := self.in_use.get(name):
            wait_for(made.machine, {container: container[:12] for container in before}, console)
        if made.set_up:
            self.check_as_asked(host, made.machine)

    def change(self, name: str, console: Console) -> None:
        """Ask something else of a machine, or the same again, and tell its host where there is something to tell."""
        from machinectl.hosts.certificates.certificate_files import has_given
        from machinectl.hosts.lifecycle.provisioning import change
        from machinectl.rollout.container_restart import running, wait_for
        from machinectl.rollout.edits import edit_of

        host = self.host(name)
        with at_work_on(self.store, console, name) as held:
            machine = held.machine
            found = {each.key for each in differences(host, machine, has_given)}
            edit = edit_of(host, machine, found)
            machine.fleet = self.fleet.text
            if CERTIFICATES.intersection(found):
                replace_certificates(held, host)
            if not self.is_to_be_told(machine, edit):
                edit.carry_out(held)
                machine.pending = ""
                held.write()
                return
            before = running(machine) if name in self.rolled else None
            change(held, console, self.access(name), self.manner.setup(lambda: self.hosts_touched.add(name)), edit)
            if name in self.rolled:
                wait_for(machine, before, console)
            self.check_as_asked(host, machine)

    def check_as_asked(self, host: FleetHost, machine: Machine) -> None:
        """Raise MachineError if another computer has changed settings that the file has otherwise."""
        from machinectl.hosts.certificates.certificate_files import has_given

        settings = {each.key for each in differences(host, machine, has_given)}.intersection(SETTINGS)
        if settings:
            raise MachineError(
                f'Another computer changed settings of "{host.name}", and its host keeps them: '
                f"{', '.join(sorted(settings))}",
                f"See the differences: {self.manner.plan(host.name)}; "
                f"apply the file's values: {self.manner.again(host.name)}",
            )

    def is_to_be_told(self, machine: Machine, edit: Edit) -> bool:
        """Whether a machine's host is to be told what is asked of it."""
        name = machine.name
        if not (self.host(name).spec.provision and (machine.changes or edit.provision)):
            return False
        told = edit.engine or edit.labels or edit.unlabel or edit.options or edit.url or edit.provision
        return bool(told or machine.pending or name in self.rolled)

    def remove(self, name: str, console: Console) -> Did:
        self.touched.add(name)
        from machinectl.hosts.lifecycle.removal import check_nobody_behind, remove
        from machinectl.machines.jump_order import behind

        if not self.fleet.owns(self.store.read(name).fleet):
            # While the person was asked, or another one at work.
            raise MachineError(
                f'"{name}" is of this file no more, and stays', "See what is to be done now: machinectl plan"
            )
        others = behind(self.store).get(name, ())
        check_nobody_behind(self.store, console, name, others, force=False)
        remove(self.store, console, name, purge=self.manner.purge)
        return Did.REMOVED


def replace_certificates(held: Held, host: FleetHost) -> None:
    """Give a machine the certificates that the file names, and nothing that belongs to others."""
    from machinectl.hosts.certificates.certificate_files import outdated, read_given
    from machinectl.hosts.certificates.identity import Identity

    given = read_given(host.certificates)
    if given is None:
        return
    held.finish_files()
    stale = outdated(Identity.read(held.directory), given)
    held.write_files({**given.present, **dict.fromkeys(stale, b"")})
