"""What work on the engine of a host in use has in common: a host at a time, and containers that keep running."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.access import ssh_endpoint
from machinectl.hosts.setup import VERIFY_TIMEOUT, carry_out, read
from machinectl.machines.chosen import chosen, waiting
from machinectl.machines.record import Phase
from machinectl.provision import checks, configuration
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.engine import Endpoint, Probe
    from machinectl.hosts.access import Access
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.provision.facts import Facts
    from machinectl.provision.job import Remote
    from machinectl.provision.wish import Wish


def each(
    store: Store, console: Console, names: Sequence[str], access: Access, work: Callable[[Machine, Access], None]
) -> Iterator[tuple[str, MachineError | None]]:
    """Do something to one machine after the other, under its lock; yield each with the reason why it failed, or None.

    The rest goes on: one host that is down does not keep the others waiting.
    """
    for name in dict.fromkeys(chosen(store, names)):
        try:
            store.check_exists(name)
            with store.lock(name, waiting(console, name)):
                work(store.read(name), access.for_one_host())
        except MachineError as exc:
            yield name, exc
        else:
            yield name, None


def check_provisioned(store: Store, machine: Machine) -> None:
    """Refuse a machine whose engine machinectl did not set up. Raises MachineError."""
    ssh_endpoint(store, machine)
    if machine.phase is Phase.PROVISIONING:
        raise MachineError(
            f'"{machine.name}" is half provisioned', f"Finish that first: machinectl provision {machine.name}"
        )
    if not (machine.tls and machine.url.startswith("tcp://")):
        raise MachineError(
            f'"{machine.name}" is not spoken to over TLS ({machine.url or "it has no URL"})',
            f"Set its engine up for it: machinectl provision {machine.name}",
        )


def ready_to_restart(store: Store, console: Console, machine: Machine, remote: Remote, wish: Wish) -> Facts:
    """What a host is like, once its engine can be restarted without an end to its containers.

    What an interrupted run left half done is put back first. A Swarm node has no live-restore: it is not restarted
    without leave. Raises MachineError, CheckFailed.
    """
    host = read(remote, wish.port)
    checks.root(host, wish)
    checks.files(host, wish)
    if not host.dockerd:
        raise CheckFailed(
            f'There is no Docker Engine on the host of "{machine.name}"',
            f"Install it: machinectl provision {machine.name}",
        )
    if host.swarm and not wish.restart_swarm:
        raise CheckFailed(
            f'The host of "{machine.name}" is a Swarm node: a restart of its engine stops the tasks on it',
            "Drain it (docker node update --availability drain), and allow it: --restart-swarm",
        )
    for decide in (configuration.recover, configuration.keep_containers):
        decision = decide(host, wish)
        if decision is None:
            continue
        with console.step(decision.title):
            carry_out(store, machine, remote, decision)
        host = read(remote, wish.port) if decision.unforeseen else decision.after
    return host


def until_it_answers(where: Endpoint) -> Probe:
    """Ask once more where nothing listens: OpenRC says that the engine was started, not that it is ready."""
    end = time.monotonic() + VERIFY_TIMEOUT
    found = engine.probe(where, VERIFY_TIMEOUT)
    while found.state is State.STOPPED and time.monotonic() < end:
        time.sleep(0.5)
        found = engine.probe(where, VERIFY_TIMEOUT)
    return found
