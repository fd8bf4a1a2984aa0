"""One `apply`: its options, its plan, and what was done so far."""

from __future__ import annotations

import os
import shlex
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.reading.fleet_file import DEFAULT_FILE
from machinectl.hosts.parallel.rollout_order import ONE_BY_ONE
from machinectl.hosts.parallel.workers import LIMIT, run_at_once
from machinectl.machines.spec import NO_CERTIFICATES
from machinectl.rollout.plan_steps import Action
from machinectl.rollout.results import UNTOUCHED, Did, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.fleet.model import FleetHost
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.removal import Purge
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.hosts.parallel.rollout_order import BatchSizes, StartOrder
    from machinectl.machines.spec import CertificateFiles
    from machinectl.machines.store import Store
    from machinectl.provision.target import Allowed
    from machinectl.rollout.plan_steps import FleetPlan
    from machinectl.rollout.swarm_roles import Forming

# The steps of hosts in the file that need work.
WORK = (Action.CREATE, Action.RESUME, Action.CHANGE)


@dataclass(frozen=True)
class ApplyOptions:
    """How to carry out the fleet file at `path`, which is absolute, or "-" for stdin.

    At most `parallel` machines are worked on at once. Engines in use restart in batches of `batch`; no batch begins
    after more than `max_failures` of them failed with their hosts changed. `refresh` looks at hosts that need nothing
    by their records. `prune` removes machines that left the file, and `purge` undoes the set-up of their hosts.
    `take_over` takes machines of other fleets without asking. `authority` is a CA to use instead of each machine's own,
    `spare` are certificates for machines that are given none. `command` is what was typed, for hints; `flags` are its
    flags, quoted, without those that choose machines.
    """

    path: str
    access: Access
    allowed: Allowed
    authority: Pair | None = None
    spare: CertificateFiles = NO_CERTIFICATES
    parallel: int = LIMIT
    batch: BatchSizes = ONE_BY_ONE
    max_failures: int = 0
    refresh: bool = False
    prune: bool = False
    purge: Purge | None = None
    take_over: bool = False
    yes: bool = False
    command: str = "machinectl apply"
    flags: Sequence[str] = ()

    def apply_one(self, name: str) -> str:
        """Return the command that applies one machine, with the flags that were typed."""
        return " ".join(["machinectl apply", *self._file(), *self.flags, name])

    def plan_one(self, name: str) -> str:
        """Return the command that shows the plan for one machine."""
        return " ".join(["machinectl plan", *self._file(), name])

    def _file(self) -> Sequence[str]:
        return () if self.path == os.path.abspath(DEFAULT_FILE) else ("-f", shlex.quote(self.path))


class ApplyRun:
    """One `apply` in progress. The phases read it, and note in it what later phases need."""

    def __init__(self, store: Store, plan: FleetPlan, options: ApplyOptions) -> None:
        self.store = store
        self.options = options
        self.machines = plan.machines
        self.fleet = plan.fleet
        self.unreadable = plan.unreadable
        self.steps = {step.name: step for step in plan.steps}
        # The results so far, by machine.
        self.results: dict[str, Result] = {}
        # The result of the last work on a machine, and how long all work on it took.
        self.did: dict[str, Did] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        # Machines whose record or host may have changed, and those whose host did.
        self.touched: set[str] = set()
        self.changed_hosts: set[str] = set()
        # Machines that may go: they left the file, and the user agreed.
        self.to_remove: list[str] = []
        self.changed_by_hand: list[str] = []
        # Machines whose engines restart, or may.
        self.restarting: set[str] = set()
        # New hosts whose engines run containers, with the IDs of those.
        self.in_use: dict[str, frozenset[str]] = {}
        self.forming: Forming | None = None
        self._accesses: dict[str, Access] = {}

    def names(self, *actions: Action) -> list[str]:
        return [name for name, step in self.steps.items() if step.action in actions]

    def gone(self) -> list[str]:
        """Return the machines that came from the file and are no longer in it."""
        return self.names(Action.REMOVE)

    def host(self, name: str) -> FleetHost:
        host = self.steps[name].host
        if host is None:
            raise KeyError(name)
        return host

    def access(self, name: str) -> Access:
        """Return how to log in at one host, with what the user typed for it.

        Raises MachineError if a file that the fleet file names holds no secret.
        """
        if name not in self._accesses:
            own = self.options.access.with_files(**asdict(self.host(name).login))
            # `provision` would use the recorded address, and the file may have another one.
            self._accesses[name] = replace(own, again=self.options.apply_one(name))
        return self._accesses[name]

    def setup(self, name: str) -> Setup:
        """Return how a machine's host is set up. That the host changed is noted then."""
        # Loaded only if a host is looked at or changed.
        from machinectl.hosts.lifecycle.setup import Setup

        return Setup(self.options.allowed, self.options.authority, touching=lambda: self.changed_hosts.add(name))

    def differs_only_in(self, name: str, *keys: str) -> bool:
        step = self.steps[name]
        return step.action is Action.CHANGE and {each.key for each in step.differences} <= set(keys)

    def at_once(
        self,
        console: Console,
        names: Collection[str],
        work: Callable[[str, Console], Did],
        turns: StartOrder | None = None,
    ) -> Iterator[Result]:
        """Work on many machines, and yield each result (`parallel.workers.run_at_once`)."""

        def timed(name: str, console: Console) -> None:
            began = time.monotonic()
            try:
                self.did[name] = work(name, console)
            finally:
                self.seconds[name] += time.monotonic() - began

        for name, error in run_at_once(console, names, timed, limit=self.options.parallel, order=turns):
            if error:
                self.did[name] = Did.FAILED
            yield Result(name, self.did[name], error, touched=name in self.changed_hosts)

    def recorded(self, result: Result) -> Result:
        """Return a result with its times."""
        looked_at = self._last_look(result.name)
        return result._replace(seconds=round(self.seconds[result.name], 3), looked_at=looked_at)

    def _last_look(self, name: str) -> str:
        machine = self.machines.get(name)
        if name in self.seconds:
            try:
                machine = self.store.read(name)
            except MachineError:
                return ""
        return machine.last_look if machine else ""

    def untouched(self) -> Iterator[Result]:
        """Yield the machines that needed no work, or whose records cannot be read."""
        for name, step in self.steps.items():
            if step.error:
                yield Result(name, Did.FAILED, step.error)
            elif step.action in UNTOUCHED and self.did.get(name, Did.LEFT) is Did.LEFT:
                yield self.recorded(Result(name, UNTOUCHED[step.action]))
