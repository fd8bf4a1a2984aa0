"""Answer a request: what to give for each of its machines, and the answer with what was given."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.granting import AccessGrant, checked_holder, client_of_holder, expected_end, plan_client
from machinectl.access.messages import AnsweredMachine, new_access_answer
from machinectl.access.requesting import who_asks
from machinectl.errors import Hint, MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.hosts.workers import plan_each, work_in_turns
from machinectl.machines.holders import (
    PERSON,
    check_holder_name,
    ended_with_key,
    holders_with_key,
)
from machinectl.machines.machine_driver import known_hosts_path
from machinectl.machines.store.store_paths import NoSuchMachine
from machinectl.provision.target import NOTHING_SPECIAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from machinectl.access.messages import AccessAnswer, AccessRequest
    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.holders import AccessHolder
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed


@dataclass(frozen=True)
class GrantOrder:
    """`who` is the holder, `lifetime` in seconds; None: each machine's default.

    `renamed` has today's names of machines that the request calls by earlier ones.
    """

    request: AccessRequest
    who: str
    lifetime: int | None = None
    allowed: Allowed = NOTHING_SPECIAL
    renamed: dict[str, str] = field(default_factory=dict)

    def asked_name(self, name: str) -> str:
        """Return the name of a machine in the request."""
        return next((asked for asked, today in self.renamed.items() if today == name), name)

    def on(self, name: str) -> AccessGrant:
        """Return what to give for one machine of the request."""
        asked = self.asked_name(name)
        [key] = [machine.key for machine in self.request.machines if machine.name == asked]
        return AccessGrant(self.who, PERSON, key, self.lifetime, self.request.id)


@dataclass(frozen=True)
class ExpectedGrant:
    """A grant on one machine. `holder` is as before; without a CA and keys, it is new.

    `other` is the machine that has the name in the request today, or "".
    """

    machine: Machine
    until: datetime
    holder: AccessHolder
    has_this_key: bool
    other: str = ""


def grant_order(
    store: Store, request: AccessRequest, who: str | None, lifetime: int | None, allowed: Allowed
) -> GrantOrder:
    """Without `who`, the holder has the sender's name.

    Raises MachineError for an old request, UsageError for a name that cannot be a holder's.
    """
    request.check_age()
    holder = request.sender if who is None else who
    check_holder_name(holder)
    return GrantOrder(request, holder, lifetime, allowed, renamed_machines(store, request))


def renamed_machines(store: Store, request: AccessRequest) -> dict[str, str]:
    """Find the machines that were renamed since they were granted, by the keys on record."""
    machines = store.readable()
    renamed: dict[str, str] = {}
    for asked in request.machines:
        key = asked.key.digest
        names = [machine.name for machine in machines if holders_with_key(machine, key) or ended_with_key(machine, key)]
        taken = {*renamed.values(), *(machine.name for machine in request.machines)}
        if names and taken.isdisjoint(names):
            renamed[asked.name] = names[0]
    return renamed


def expected_grants(store: Store, order: GrantOrder) -> dict[str, ExpectedGrant | MachineError]:
    """Return what would be done for each machine of the request, or why nothing can be."""
    expected: dict[str, ExpectedGrant | MachineError] = {}
    for asked in (machine.name for machine in order.request.machines):
        name = order.renamed.get(asked, asked)
        other = asked if asked != name and store.exists(asked) else ""
        try:
            machine, grant = store.read(name), order.on(name)
            holder = checked_holder(machine, grant)
            has_this_key = any(key.key == grant.public_key.digest for key in holder.keys)
            expected[name] = ExpectedGrant(machine, expected_end(machine, grant), holder, has_this_key, other)
        except NoSuchMachine:
            again = Hint(f"Ask {order.request.sender} for a request with one of these names", "machinectl ls")
            expected[name] = MachineError(f'The request names "{name}", which is no machine here', again)
        except MachineError as exc:
            expected[name] = exc
    return expected


def access_grant(
    store: Store, console: Console, order: GrantOrder, names: Sequence[str], login: Login
) -> Iterator[tuple[str, AnsweredMachine | MachineError]]:
    """Give access to these machines of the request; yield what the answer says about each, or why it does not."""

    def work(held: Held, console: Console, own: Login, in_use: bool) -> AnsweredMachine:
        allowed = replace(order.allowed, in_use=in_use)
        certificate = client_of_holder(held, console, own, order.on(held.name), allowed)
        return answered(held.machine, order.asked_name(held.name), certificate)

    return work_in_turns(store, console, names, login, work)


def plan_grant(
    store: Store, console: Console, order: GrantOrder, names: Sequence[str], login: Login
) -> Iterator[tuple[str, HostPlan | MachineError]]:
    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        return plan_client(store, machine, console, own, order.on(machine.name), order.allowed)

    return plan_each(store, console, names, login, plan)


def answered(machine: Machine, asked: str, certificate: bytes) -> AnsweredMachine:
    """`asked` is the name in the request, by which the other computer finds its machine."""
    return AnsweredMachine(
        asked,
        machine.url,
        certs.describe(certificate).not_after,
        certs.only_certificates(read_regular_file(os.path.join(machine.directory, "ca.pem"))),
        certificate,
        certs.public_key_digest(certificate),
        host_keys(machine),
        tuple(sorted(machine.labels.items())),
        tuple(machine.addresses),
        machine.name if machine.name != asked else "",
    )


def host_keys(machine: Machine) -> tuple[str, ...]:
    """Return the lines of the machine's known_hosts, if its host's key is pinned."""
    path = known_hosts_path(machine)
    text = read_regular_file(path).decode(errors="replace") if os.path.lexists(path) else ""
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def answer_of(order: GrantOrder, machines: Sequence[AnsweredMachine]) -> AccessAnswer:
    """Return the answer with the machines in the request's order."""
    asked = [machine.name for machine in order.request.machines]
    ordered = sorted(machines, key=lambda machine: asked.index(machine.name))
    return new_access_answer(order.request.id, who_asks(), ordered)
