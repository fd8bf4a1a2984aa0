"""How machines become nodes of a swarm, and nodes no longer: what `swarm` and a fleet's roles are carried out by."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.changes import LiveRestoreHeld, of_kind
from machinectl.engine import swarm
from machinectl.errors import MachineError
from machinectl.hosts import draining
from machinectl.hosts.access import as_root
from machinectl.hosts.driven import where
from machinectl.hosts.endpoint import endpoint
from machinectl.hosts.identity import Identity
from machinectl.hosts.setup import give_back, look, make_change, target_of
from machinectl.hosts.swarm import Manager, Quorum, answering, keep, learn, until
from machinectl.machines.swarm_node import MANAGER, SwarmNode, node_of
from machinectl.machines.swarms import nodes_of
from machinectl.provision import live_restore
from machinectl.provision.firewall import blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.engine.swarm import Membership
    from machinectl.hosts.access import Access
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held
    from machinectl.provision.facts import Facts

# How long a node is given to be heard of as what it has become. Seconds.
HEARD_WITHIN = 30.0


@dataclass(frozen=True)
class Joining:
    """How machines become nodes: how their hosts are logged in at, and the address that one is reached at by others.

    Without one that is where the machine's engine is reached from here. `own` is how one host is logged in at, by its
    machine's name, where that is another way than the others'.
    """

    access: Access
    advertised: str = ""
    own: Callable[[str, Access], Access] = lambda _, access: access

    def at(self, name: str, access: Access) -> Joining:
        """The same for one machine."""
        return replace(self, access=self.own(name, access))

    def init(self, held: Held, console: Console) -> None:
        """Have a machine begin a swarm, which is called as it is. Raises MachineError."""
        machine = held.store.ready(held.machine)
        state = swarm.membership(endpoint(machine))
        if state.is_in:
            raise self._taken(held, state)
        advertised = self.advertised or address_of(machine)
        with ready_to_be_a_node(held, console, self.access, state):
            with console.step(f'Beginning a swarm on "{machine.name}", which others reach at {advertised}'):
                swarm.init(endpoint(machine), advertised)
            state = swarm.membership(endpoint(machine))
            keep(held, SwarmNode(machine.name, state.cluster, state.node, state.role))
        console.note(f"Have others join it: machinectl swarm join {machine.name} <NAME>")

    def join(self, held: Held, console: Console, to: Manager, role: str) -> None:
        """Have a machine join a manager's swarm, or change its role where it is in it. Raises MachineError."""
        machine = held.store.ready(held.machine)
        state = swarm.membership(endpoint(machine))
        if state.is_in and to.node(state.node):
            change_role(held, console, to, state, role)
            return
        if state.is_in:
            raise self._taken(held, state)
        advertised = self.advertised or address_of(machine)
        managers = swarm.membership(to.endpoint).managers
        for each in (to.machine, machine):
            if not is_private(each):
                console.warn(
                    f'"{each.name}" is spoken to without TLS: the token that lets others join is seen by others'
                )
        with ready_to_be_a_node(held, console, self.access, state):
            with console.step(f'Having "{machine.name}" join the swarm of "{to.machine.name}" as a {role}'):
                enter(machine, to, managers, advertised, role)
            learn_joined(held, to, role)

    def _taken(self, held: Held, state: Membership) -> MachineError:
        """Why a machine whose engine is a node already cannot become one; that is on record from now on."""
        name = held.name
        known = learn(held, state, held.store)
        if state.state == "locked":
            return MachineError(
                f'The engine of "{name}" is a node of a swarm that is locked',
                f"Unlock it: docker --context {name} swarm unlock",
            )
        if state.state != "active":
            why = f": {state.error}" if state.error else ""
            return MachineError(
                f'The engine of "{name}" is on its way into a swarm ({state.state}{why})',
                f"Have it leave: machinectl swarm leave --force {name}",
            )
        called = f'the swarm "{known.swarm}"' if known and known.swarm else "a swarm that is not known here"
        return MachineError(
            f'"{name}" is a {state.role} of {called} already',
            f"See it: machinectl swarm status {name}; or have it leave: machinectl swarm leave {name}",
        )


@dataclass(frozen=True)
class Leaving:
    """How machines are nodes no longer. With `force` the last manager leaves, and one whom nobody can help to."""

    access: Access
    force: bool = False

    def leave(self, held: Held, console: Console) -> None:
        """Have a machine leave its swarm: drained, no manager any more, and forgotten by the others.

        Where live-restore was on before it came in, it is on again. Raises MachineError.
        """
        machine = held.store.ready(held.machine)
        try:
            state = swarm.membership(endpoint(machine))
        except MachineError as exc:
            self._forget_silent(held, console, exc)
            return
        node = learn(held, state, held.store)
        if node is None:
            console.note(f'"{machine.name}" is in no swarm')
        else:
            self._take_out(held, console, node)
            keep(held, None)
        self._live_restore_back(held, console)

    def _take_out(self, held: Held, console: Console, node: SwarmNode) -> None:
        """Have a node leave, and be forgotten by the others."""
        machine = held.machine
        other = another_manager(held, node)
        if other is None:
            self._leave_alone(held, console, node)
            return
        if other.node(node.node) is None:
            # Its swarm has forgotten it already.
            swarm.leave(endpoint(machine), force=True)
            return
        if node.manages:
            self._check_quorum(held, other)
        way = draining.Way(other, node.node)
        try:
            if way.leads_anywhere:
                with draining.one_at_a_time(held, console, node):
                    draining.drain(held, console, way)
            self._demote(held, console, other, node)
            with console.step(f'Having "{machine.name}" leave the swarm "{node.swarm}"'):
                swarm.leave(endpoint(machine), force=self.force)
        except MachineError:
            draining.put_back(held, console)
            raise
        forget_node(console, other, node, machine.name)

    def _leave_alone(self, held: Held, console: Console, node: SwarmNode) -> None:
        """Have a node leave for which no manager can do anything. Raises MachineError where that is not allowed."""
        name = held.name
        if not self.force:
            raise why_not_alone(held, node)
        with console.step(f'Having "{name}" leave the swarm "{node.swarm}"'):
            swarm.leave(endpoint(held.machine), force=True)
        if node.node and not node.manages:
            console.warn(f'The managers still list "{name}": docker node rm {node.node}')

    def _check_quorum(self, held: Held, other: Manager) -> None:
        """Refuse to take a manager out without which the others cannot decide. Raises MachineError."""
        quorum = Quorum.of(other.nodes)
        own = next((each for each in other.managers if each.id == (node_of(held.machine) or NOBODY).node), None)
        left = quorum.reachable - (own is not None and own.reachability == "reachable")
        needed = (quorum.managers - 1) // 2 + 1
        if left < needed and not self.force:
            raise MachineError(
                f'Without "{held.name}" the swarm has no quorum: {left} of its {quorum.managers - 1} other managers '
                f"can be reached, and {needed} must be",
                f"See them: machinectl swarm status {held.name}; or all the same: "
                f"machinectl swarm leave --force {held.name}",
            )

    def _demote(self, held: Held, console: Console, other: Manager, node: SwarmNode) -> None:
        if not node.manages:
            return
        with console.step(f'Making "{held.name}" a worker, which another manager is left for'):
            swarm.update(other.endpoint, node.node, Role="worker")
            where_it_is = endpoint(held.machine)
            if not until(console, lambda: not swarm.membership(where_it_is).manages, HEARD_WITHIN) and not self.force:
                raise MachineError(
                    f'"{held.name}" is to be a worker, and still is a manager after {HEARD_WITHIN:.0f} s',
                    f"Try again, or leave all the same: machinectl swarm leave --force {held.name}",
                )

    def _forget_silent(self, held: Held, console: Console, why: MachineError) -> None:
        """Have the others forget a node whose engine cannot be asked. Raises MachineError."""
        name, node = held.name, node_of(held.machine)
        if node is None or not self.force:
            if node:
                why.hint += f"\nOr have the others forget it: machinectl swarm leave --force {name}"
            raise why
        other = another_manager(held, node)
        if other is None:
            raise why_not_alone(held, node) from why
        console.warn(
            f"{why.cause}; the others forget it\n"
            f"When it is back, it still takes itself for a node: machinectl swarm leave --force {name}"
        )
        if node.manages:
            swarm.update(other.endpoint, node.node, Role="worker")
        forget_node(console, other, node, name)
        keep(held, None)

    def _live_restore_back(self, held: Held, console: Console) -> None:
        """Turn live-restore on again if it was turned off for the swarm. A failure is a warning."""
        ssh = ssh_of(held.machine)
        if not held.machine.changes or ssh is None:
            return
        try:
            with as_root(held, console, self.access, ssh=ssh) as root:
                give_back(held, console, root)
        except MachineError as exc:
            console.warn(
                f'The previous value of live-restore was not restored on the host of "{held.name}": {exc.cause}\n'
                f"Restore it: machinectl provision {held.name}"
            )


NOBODY = SwarmNode("", "", "", "")


def another_manager(held: Held, node: SwarmNode) -> Manager | None:
    """A manager of a node's swarm that is another machine and answers; None where there is none."""
    others = [
        (machine, each.node)
        for machine, each in nodes_of(held.store, node.cluster)
        if node.cluster and each.manages and machine.name != held.name
    ]
    found = answering(others)
    return found if isinstance(found, Manager) else None


def why_not_alone(held: Held, node: SwarmNode) -> MachineError:
    """Why a node does not leave where no other machine is a manager that answers."""
    name = held.name
    all_the_same = f"or leave all the same: machinectl swarm leave --force {name}"
    if not node.manages:
        return MachineError(
            f'No manager of its swarm is a machine here that answers: "{name}" would leave undrained, and stay listed',
            f"See: machinectl swarm status {name}; {all_the_same}",
        )
    try:
        nodes = swarm.nodes(endpoint(held.machine))
    except MachineError:
        nodes = None
    if nodes is None or Quorum.of(nodes).managers > 1:
        return MachineError(
            f'No other manager of its swarm is a machine here that answers: "{name}" would leave as a manager',
            f"See: machinectl swarm status {name}; {all_the_same}",
        )
    if len(nodes) > 1:
        return MachineError(
            f'"{name}" is the last manager of the swarm "{node.swarm}", which ends with it',
            f"Make another machine one: machinectl swarm join --manager {name} <NAME>; {all_the_same}",
        )
    return MachineError(
        f'"{name}" is the last node of the swarm "{node.swarm}", which ends with it, and its services and secrets',
        f"End it: machinectl swarm leave --force {name}",
    )


def enter(machine: Machine, to: Manager, managers: tuple[str, ...], advertised: str, role: str) -> None:
    """Have an engine join, by a token that goes from the one engine to the other. Raises MachineError."""
    tokens = swarm.tokens(to.endpoint)
    token = tokens.manager if role == MANAGER else tokens.worker
    try:
        swarm.join(endpoint(machine), token, managers, advertised)
    except swarm.Refusal as exc:
        if "Timeout was reached" not in exc.cause:
            raise
        # It would go on trying for ever, and be refused everywhere else.
        swarm.leave(endpoint(machine), force=True)
        raise MachineError(
            f'The engine of "{machine.name}" does not reach the managers at {", ".join(managers)}',
            f"Let port {swarm.PORT}/tcp through on their hosts, and in what is between",
        ) from exc


def is_private(machine: Machine) -> bool:
    """Whether nobody on the way reads what is said to a machine's engine."""
    return machine.tls or not machine.url.startswith("tcp://")


def learn_joined(held: Held, to: Manager, role: str) -> None:
    """Have on record that a machine has joined a manager's swarm."""
    state = swarm.membership(endpoint(held.machine))
    own = node_of(to.machine)
    if own is None:
        own = SwarmNode(to.machine.name, swarm.membership(to.endpoint).cluster, "", MANAGER)
    keep(held, SwarmNode(own.swarm, own.cluster, state.node, role))


def change_role(held: Held, console: Console, to: Manager, state: Membership, role: str) -> None:
    """Have a node get another role in the swarm that it is in; a note where it has it."""
    name = held.name
    if state.role == role:
        learn_joined(held, to, role)
        console.note(f'"{name}" is a {role} of that swarm already')
        return
    if role != MANAGER and to.machine.name == name:
        raise MachineError(
            f'"{name}" cannot be made a worker by itself',
            f"Name another manager: machinectl swarm join <MANAGER> {name}",
        )
    with console.step(f'Making "{name}" a {role}'):
        swarm.update(to.endpoint, state.node, Role=role)
        where_it_is = endpoint(held.machine)
        if not until(console, lambda: swarm.membership(where_it_is).role == role, HEARD_WITHIN):
            raise MachineError(
                f'"{name}" is to be a {role}, and is none after {HEARD_WITHIN:.0f} s',
                f"See what keeps it: machinectl swarm status {name}",
            )
    learn_joined(held, to, role)


def forget_node(console: Console, other: Manager, node: SwarmNode, name: str) -> None:
    """Have the managers forget a node that has left; they hear of that in ten seconds only, which nobody waits for."""
    with console.step(f'Having the swarm forget "{name}"'):
        swarm.remove(other.endpoint, node.node, force=True)


@contextmanager
def ready_to_be_a_node(held: Held, console: Console, access: Access, state: Membership) -> Iterator[None]:
    """Have a host such that its engine can become a node meanwhile; where it does not, it is put back.

    live-restore is turned off, and what keeps other nodes from its ports is said. Raises MachineError.
    """
    ssh = ssh_of(held.machine)
    if ssh is None:
        if state.live_restore:
            raise without_ssh(held.machine)
        yield
        return
    with ExitStack() as way:
        try:
            root = way.enter_context(as_root(held, console, access, ssh=ssh))
        except MachineError as exc:
            if state.live_restore:
                raise
            console.warn(f'The firewall of the host of "{held.name}" was not looked at: {exc.cause}')
            root = None
        if root is None:
            yield
            return
        target = target_of(held.machine, Identity())
        host = look(root, target.port, console)
        if ports := blocked(host):
            console.warn(
                f'A firewall on the host of "{held.name}" keeps other nodes from {", ".join(ports)}: let them through'
            )
        decision = live_restore.let_go(host, target)
        if decision:
            with console.step(decision.title):
                make_change(held, root, decision)
        try:
            yield
        except MachineError:
            if decision:
                give_back(held, console, root)
            raise
        except KeyboardInterrupt:
            if of_kind(held.machine.changes, LiveRestoreHeld):
                console.warn(
                    f'live-restore is off on the host of "{held.name}"\n'
                    f"Turn it on again: machinectl provision {held.name}"
                )
            raise


def blocked(host: Facts) -> list[str]:
    """Return the ports, such as 2377/tcp, that a host's firewall closes to other nodes."""
    return [f"{port}/{protocol}" for port, protocol in swarm.PORTS if blocking(host, port, protocol)]


def ssh_of(machine: Machine) -> SSHEndpoint | None:
    try:
        return where(machine).ssh
    except MachineError:
        return None


def without_ssh(machine: Machine) -> MachineError:
    return MachineError(
        f'The engine of "{machine.name}" has live-restore, which Swarm excludes, and there is no SSH to turn it off by',
        'On its host: "live-restore": false in /etc/docker/daemon.json; systemctl reload docker; and again',
    )


def address_of(machine: Machine) -> str:
    """The address at which other nodes reach a machine's host: the one at which its engine is reached from here.

    Raises MachineError where that is none of the network's.
    """
    host = engine_url.parse(machine.url).host
    try:
        found = [each[4][0] for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)] if host else []
    except (OSError, UnicodeError):
        found = []
    for each in found:
        address = ipaddress.ip_address(str(each).partition("%")[0])
        if not address.is_loopback and not address.is_link_local:
            return str(address)
    raise MachineError(
        f'"{machine.name}" is known by no address at which other nodes could reach it ({machine.url})',
        "Say at which: --advertise-addr <ADDRESS>",
    )
