"""Join machines to a swarm, and make them leave it."""

from __future__ import annotations

import ipaddress
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.console import StateNote
from machinectl.engine import swarm_api
from machinectl.errors import Hint, MachineError
from machinectl.hosts.engine_restart import after_failure, not_restored, restore_live_restore
from machinectl.hosts.host_plan import target_of
from machinectl.hosts.host_run import RealRun, undo_after
from machinectl.hosts.login import logged_in_as_root
from machinectl.machines.machine_driver import endpoint_of, ssh_or_none
from machinectl.machines.record import check_ready
from machinectl.machines.swarm_node import JOINING, LEAVING, MANAGER, MEMBER, SwarmNode, on_record
from machinectl.name_resolution import addresses_of
from machinectl.provision.steps import live_restore
from machinectl.quantities import first_names
from machinectl.swarm_nodes.leaving import HEARD_WITHIN, SwarmDeparture
from machinectl.swarm_nodes.managers import Manager, wait_until
from machinectl.swarm_nodes.membership import retry_during_election, save_node, update_recorded_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.engine.swarm_api import Membership
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held


@dataclass(frozen=True)
class Joining:
    """`advertised` is the address for other nodes, by default the engine's. `own` returns one host's login."""

    login: Login
    advertised: str = ""
    own: Callable[[str, Login], Login] = lambda _, login: login

    def at(self, name: str, login: Login) -> Joining:
        return replace(self, login=self.own(name, login))

    def init(self, held: Held, console: Console) -> None:
        machine = check_ready(held.machine)
        state = swarm_api.membership(endpoint_of(machine))
        begun = on_record(machine)
        if state.is_in:
            known = update_recorded_node(held, state)
            if not (begun and begun.membership == JOINING and known and known.manages):
                raise self._taken(held, state)
        else:
            advertised = self.advertised or address_of(machine)
            if begun:
                leave_old_swarm(held, console, begun, "")
            with prepared_for_swarm(held, console, self.login, state):
                save_node(held, SwarmNode(machine.name, "", "", MANAGER, membership=JOINING))
                with console.step(f'Beginning a swarm on "{machine.name}", which others reach at {advertised}'):
                    make_node(held, lambda: swarm_api.init_swarm(endpoint_of(machine), advertised))
                learn_joined(held, console)
        console.note(
            f'"{machine.name}" is the first node of its swarm',
            Hint("Add other machines to it", "machinectl swarm join", machine.name, "<NAME>"),
        )

    def join(self, held: Held, console: Console, to: Manager, role: str) -> None:
        """Join a manager's swarm."""
        machine = check_ready(held.machine)
        state = swarm_api.membership(endpoint_of(machine))
        known = on_record(machine)
        if known and (state.is_out or known.membership == LEAVING):
            leave_old_swarm(held, console, known, to.cluster)
            state = swarm_api.membership(endpoint_of(machine))
        if state.is_in:
            known = update_recorded_node(held, state, as_manager=role == MANAGER)
            if known is None or known.cluster != to.cluster or known.node != state.node:
                raise self._taken(held, state)
            if known.role != role:
                change = "promote" if role == MANAGER else "demote"
                raise MachineError(
                    f'"{machine.name}" is a {known.role} of that swarm',
                    Hint("Change its role", "docker --context", to.machine.name, "node", change, known.node),
                )
            console.note(StateNote(f'"{machine.name}" is already a {role} of that swarm'))
            return
        advertised = self.advertised or address_of(machine)
        for node in (to.machine, machine):
            if node.url.startswith("tcp://") and not node.tls:
                console.warn(f'"{node.name}" is reached without TLS: others can read the token for joining the swarm')
        with prepared_for_swarm(held, console, self.login, state):
            save_node(held, SwarmNode(to.swarm, to.cluster, "", role, membership=JOINING))
            with console.step(f'Having "{machine.name}" join the swarm of "{to.machine.name}" as a {role}'):
                make_node(held, lambda: join_swarm(machine, to, advertised, role, console))
            learn_joined(held, console, to, known.node if known else "")

    def _taken(self, held: Held, state: Membership) -> MachineError:
        """Record the node; return why it cannot join."""
        name = held.name
        known = update_recorded_node(held, state)
        if known is None or state.node not in {"", known.node}:
            return MachineError(
                f'"{name}" is already in a swarm that no manager known here belongs to ({state.state})',
                Hint("See what it says", "machinectl swarm status", name)
                | Hint("or make it leave", "machinectl swarm leave --force", name),
            )
        return MachineError(
            f'"{name}" is already a {known.role} of the swarm "{known.swarm}"',
            Hint("See it", "machinectl swarm status", name) | Hint("or make it leave", "machinectl swarm leave", name),
        )


def leave_swarm(held: Held, console: Console, login: Login, *, force: bool) -> None:
    """Make a machine leave, and restore its live-restore. `force`: see SwarmDeparture."""
    if not SwarmDeparture(force).carry_out(held, console):
        console.note(StateNote(f'"{held.name}" is in no swarm'))
    ssh = ssh_or_none(held.machine)
    if on_record(held.machine) or not (ssh and live_restore.is_on_record(held.machine.changes)):
        return
    try:
        with logged_in_as_root(held, console, login, ssh=ssh) as root:
            restore_live_restore(RealRun(held, console, root))
    except MachineError as exc:
        console.warn(*not_restored(held.machine, exc.cause))


def join_swarm(machine: Machine, to: Manager, advertised: str, role: str, console: Console) -> None:
    """Join with the manager's token; on a timeout, leave and raise MachineError."""
    managers = [node.manages_at for node in to.nodes if node.manages and node.manages_at]
    tokens = retry_during_election(lambda: swarm_api.tokens(to.endpoint), console.pause)
    token = tokens.manager if role == MANAGER else tokens.worker
    try:
        retry_during_election(
            lambda: swarm_api.join_swarm(endpoint_of(machine), token, managers, advertised), console.pause
        )
    except swarm_api.Refusal as exc:
        if "Timeout was reached" not in exc.said:
            raise
        # Otherwise it retries forever, and cannot join another swarm.
        swarm_api.leave_swarm(endpoint_of(machine), force=True)
        raise MachineError(
            f'The engine of "{machine.name}" does not reach the managers at {first_names(managers)}',
            Hint(f"Open port {swarm_api.PORT}/tcp on their hosts, and in firewalls between"),
        ) from exc


def leave_old_swarm(held: Held, console: Console, node: SwarmNode, cluster: str) -> None:
    """Leave before joining `cluster`. If no old manager answers, only warn: the swarm may be gone."""
    try:
        SwarmDeparture().carry_out(held, console)
    except MachineError as exc:
        if node.cluster == cluster or swarm_api.membership(endpoint_of(held.machine)).is_in:
            raise
        console.warn(exc.cause, Hint("On one of its managers", "docker node rm --force", node.node))


def make_node(held: Held, do: Callable[[], None]) -> None:
    """Call `do`; if the engine refuses, remove the node from the record."""
    try:
        do()
    except swarm_api.Refusal:
        save_node(held, None)
        raise


def learn_joined(held: Held, console: Console, to: Manager | None = None, before: str = "") -> None:
    """Record the new node of a manager's swarm, or of its own; the machine was node `before`."""

    def is_listed() -> bool:
        state = swarm_api.membership(endpoint_of(held.machine))
        # A node listed before is another machine.
        if to and to.node(state.node) is not None and state.node != before:
            return False
        node = update_recorded_node(held, state)
        return node is not None and node.membership == MEMBER and (to is not None or node.manages)

    if not wait_until(console, is_listed, HEARD_WITHIN):
        raise MachineError(
            f'No manager lists "{held.name}" as a new node after {HEARD_WITHIN:.0f} s',
            Hint("See", "machinectl swarm status", to.machine.name if to else held.name),
        )


@contextmanager
def prepared_for_swarm(held: Held, console: Console, login: Login, state: Membership) -> Iterator[None]:
    """Turn live-restore off, undone if the body fails."""
    ssh = ssh_or_none(held.machine)
    if ssh is None:
        if state.live_restore:
            raise MachineError(
                f'The engine of "{held.name}" has live-restore, which Swarm refuses, and no SSH is known',
                Hint('On its host, set "live-restore": false in daemon.json, then', "systemctl reload docker"),
            )
        yield
        return
    with ExitStack() as way:
        root = way.enter_context(logged_in_as_root(held, console, login, ssh=ssh))
        run = RealRun(held, console, root)
        run.look()
        run.catch_up()
        way.push(undo_after(run, after_failure))
        if decision := live_restore.turn_off_for_swarm(run.host, target_of(held.machine)):
            run.make(decision)
        yield


def address_of(machine: Machine) -> str:
    """Return the address for other nodes. Raises MachineError if there is none."""
    host = engine_url.parse_url(machine.url).host
    for each in addresses_of(host) if host else []:
        address = ipaddress.ip_address(each)
        if not address.is_loopback and not address.is_link_local:
            return str(address)
    raise MachineError(
        f'"{machine.name}" has no address that other nodes could reach ({machine.url})',
        Hint("Pass one: --advertise-addr <ADDRESS>. Its addresses", "machinectl ssh", machine.name, "hostname", "-I"),
    )
