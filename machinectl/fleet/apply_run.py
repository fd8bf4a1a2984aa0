"""One `apply`: its options, and what its phases know."""

from __future__ import annotations

import os
import shlex
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.fleet_file import DEFAULT_FILE
from machinectl.fleet.plan_steps import UNTOUCHED, Action, Did, Result
from machinectl.hosts.parallel import LIMIT, run_at_once
from machinectl.hosts.rollout_order import ONE_BY_ONE
from machinectl.machines.spec import NO_CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from machinectl.certs import Pair
    from machinectl.console import Console
    from machinectl.fleet.host_reader import FleetHost
    from machinectl.fleet.plan_steps import FleetPlan
    from machinectl.hosts.login import Login
    from machinectl.hosts.purging import Purge
    from machinectl.hosts.rollout_order import BatchSizes, RolloutOrder
    from machinectl.hosts.setup import Setup
    from machinectl.machines.spec import CertificateFiles
    from machinectl.machines.store import Store
    from machinectl.provision.target import Allowed
    from machinectl.swarm.swarm_members import Roles

# Actions that work on hosts in the file.
WORK = (Action.CREATE, Action.RESUME, Action.CHANGE)


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
        file = [] if self.path == os.path.abspath(DEFAULT_FILE) else ["-f", shlex.quote(self.path)]
        return " ".join(["machinectl apply", *file, *self.flags, name])


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
        # The file's roles in a swarm, and the machines that must join it: their results wait for that.
        self.roles: Roles | None = None
        self.joining: list[str] = []
        self._logins: dict[str, Login] = {}

    def names(self, *actions: Action) -> list[str]:
        return [name for name, step in self.steps.items() if step.action in actions]

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

    def gone(self) -> list[str]:
        return self.names(Action.REMOVE)

    def to_change(self) -> list[str]:
        return [name for name in self.names(*WORK) if not self.steps[name].only_joins]

    def with_old_fleet(self) -> list[str]:
        """Return machines that only need the fleet's new name."""
        names = [name for name, step in self.steps.items() if step.action in UNTOUCHED or step.only_joins]
        return [name for name in names if self.machines[name].fleet != self.fleet.text]

    def to_look_at(self) -> list[str]:
        """Return the machines for --refresh: their records need no change."""
        names = self.names(Action.LEAVE) if self.options.refresh else []
        return [name for name in names if self.machines[name].provision and self.machines[name].changes]

    def at_once(
        self,
        console: Console,
        names: Collection[str],
        work: Callable[[ApplyRun, str, Console], Did],
        order: RolloutOrder | None = None,
    ) -> Iterator[Result]:
        def timed(name: str, console: Console) -> Did:
            began = time.monotonic()
            try:
                return work(self, name, console)
            finally:
                self.seconds[name] += time.monotonic() - began

        for name, did in run_at_once(console, names, timed, limit=self.options.parallel, order=order):
            is_touched = name in self.changed_hosts
            if isinstance(did, MachineError):
                yield Result(name, Did.FAILED, did, touched=is_touched)
            else:
                yield Result(name, did, touched=is_touched)

    def recorded(self, result: Result) -> Result:
        """Add the time of all work, and of the last look at the host."""
        machine = self.machines.get(result.name)
        if result.name in self.seconds:
            with suppress(MachineError):
                machine = self.store.read(result.name) if self.store.exists(result.name) else None
        looked_at = machine.last_look if machine else ""
        return result._replace(seconds=round(self.seconds[result.name], 3), looked_at=looked_at)
