"""One `apply`: its options, lock, plan and results."""

from __future__ import annotations

import os
import shlex
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.fleet_file import DEFAULT_FILE
from machinectl.fleet.rollout.plan_steps import DONE, UNTOUCHED, Action, Did, Result
from machinectl.hosts.parallel import LIMIT, run_at_once
from machinectl.hosts.rollout_order import ONE_BY_ONE
from machinectl.machines.selection import waiting_with_note
from machinectl.machines.spec import NO_CERTIFICATES
from machinectl.machines.store.lock import Lock
from machinectl.machines.store.store_directory import make_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.fleet.fleet_model import FleetHost
    from machinectl.fleet.rollout.plan_steps import FleetPlan
    from machinectl.hosts.login import Login
    from machinectl.hosts.purging import Purge
    from machinectl.hosts.rollout_order import BatchSizes, RolloutOrder
    from machinectl.hosts.setup import Setup
    from machinectl.machines.spec import CertificateFiles
    from machinectl.machines.store import Store
    from machinectl.provision.target import Allowed
    from machinectl.swarm.swarm_roles import Roles


# Actions that work on hosts in the file.
WORK = (Action.CREATE, Action.RESUME, Action.CHANGE)
# No machine can have this name.
LOCK = ".apply"


@dataclass(frozen=True)
class ApplyOptions:
    """How to carry out the fleet file at `path`: absolute, or "-" for stdin.

    `batch` limits the engines in use that restart together; no batch begins after more than `max_failures` failures
    that changed hosts. `refresh` looks at hosts that need no change by their records. `authority` replaces the
    machines' own CAs; `spare` certificates are for machines without others. `flags` are quoted, without those that
    choose machines.
    """

    path: str
    login: Login
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
        return " ".join(["machinectl apply", *self._file(), *self.flags, name])

    def plan_one(self, name: str) -> str:
        return " ".join(["machinectl plan", *self._file(), name])

    def _file(self) -> Sequence[str]:
        return () if self.path == os.path.abspath(DEFAULT_FILE) else ("-f", shlex.quote(self.path))


@dataclass
class Forming:
    """The roles, the machines that still must join, and the results that wait."""

    roles: Roles
    joining: list[str]
    ready: dict[str, Result] = field(default_factory=dict)
    # Whether a machine of the swarm failed, or did not begin.
    is_blocked: bool = False

    def keeps(self, result: Result) -> bool:
        """Keep a ready machine's result until the swarm is formed."""
        if result.name not in self.roles.roles:
            return False
        if result.did not in DONE:
            self.is_blocked = True
            return False
        if self.joining:
            self.ready[result.name] = result
        return bool(self.joining)


class ApplyRun:
    """One `apply` in progress. Phases note what later phases need."""

    def __init__(self, store: Store, plan: FleetPlan, options: ApplyOptions) -> None:
        self.store = store
        self.options = options
        self.machines = plan.machines
        self.fleet = plan.fleet
        self.unreadable = plan.unreadable
        self.steps = {step.name: step for step in plan.steps}
        self.results: dict[str, Result] = {}
        # By machine: the last result, and the time of all work.
        self.did: dict[str, Did] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        # Machines whose record or host may have changed; machines whose host did.
        self.touched: set[str] = set()
        self.changed_hosts: set[str] = set()
        # Left the file, and the user agreed to remove them.
        self.to_remove: list[str] = []
        self.changed_by_hand: list[str] = []
        # Machines whose engines may restart.
        self.restarting: set[str] = set()
        # New hosts whose engines run containers.
        self.in_use: set[str] = set()
        self.forming: Forming | None = None
        self._logins: dict[str, Login] = {}

    def names(self, *actions: Action) -> list[str]:
        return [name for name, step in self.steps.items() if step.action in actions]

    def gone(self) -> list[str]:
        return self.names(Action.REMOVE)

    def host(self, name: str) -> FleetHost:
        host = self.steps[name].host
        if host is None:
            raise KeyError(name)
        return host

    def login(self, name: str) -> Login:
        """Return one host's login. Raises MachineError if a secret's file holds none."""
        if name not in self._logins:
            own = self.options.login.with_files(**asdict(self.host(name).login))
            self._logins[name] = replace(own, again=self.options.apply_one(name))
        return self._logins[name]

    def setup(self, name: str) -> Setup:
        # Import it only if a host is read or changed.
        from machinectl.hosts.setup import Setup

        return Setup(
            self.options.allowed,
            self.options.authority,
            touching=lambda: self.changed_hosts.add(name),
            keeps_ca=True,
        )

    def differs_only_in(self, name: str, *keys: str) -> bool:
        step = self.steps[name]
        return step.action is Action.CHANGE and {each.key for each in step.differences} <= set(keys)

    def at_once(
        self,
        console: Console,
        names: Collection[str],
        work: Callable[[str, Console], Did],
        turns: RolloutOrder | None = None,
    ) -> Iterator[Result]:
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

    def except_joining(self, results: Iterable[Result]) -> Iterator[Result]:
        """Leave out ready machines that wait for the swarm."""
        return (result for result in results if self.forming is None or not self.forming.keeps(result))

    def recorded(self, result: Result) -> Result:
        """Add the time of all work, and of the last look at the host."""
        machine = self.machines.get(result.name)
        if result.name in self.seconds:
            with suppress(MachineError):
                machine = self.store.read(result.name) if self.store.exists(result.name) else None
        looked_at = machine.last_look if machine else ""
        return result._replace(seconds=round(self.seconds[result.name], 3), looked_at=looked_at)

    def untouched(self) -> Iterator[Result]:
        for name, step in self.steps.items():
            if step.error:
                yield Result(name, Did.FAILED, step.error)
            elif step.action in UNTOUCHED and self.did.get(name, Did.LEFT) is Did.LEFT:
                yield self.recorded(Result(name, UNTOUCHED[step.action]))


def apply_lock(store: Store, console: Console) -> Lock:
    """Return the `apply` lock, which says so if it has to wait."""
    make_directory(store, store.locks)
    return Lock(os.path.join(store.locks, LOCK), waiting_with_note(console, lambda: "Waiting for another apply …"))
