"""What work on the engine of a host in use has in common: a host at a time, and containers that keep running."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.errors import CheckFailed, MachineError
from machinectl.hosts.driven import ssh_endpoint
from machinectl.hosts.setup import VERIFY_TIMEOUT, carry_out, read
from machinectl.machines.record import Phase
from machinectl.provision import checks, configuration, hiding
from machinectl.state import State

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.engine import Endpoint, Probe
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held
    from machinectl.provision.facts import Facts
    from machinectl.provision.job import Remote
    from machinectl.provision.target import Allowed, Target


def check_provisioned(machine: Machine) -> None:
    """Refuse a machine whose engine machinectl did not set up. Raises MachineError."""
    ssh_endpoint(machine)
    if machine.phase is Phase.PROVISIONING:
        raise MachineError(
            f'"{machine.name}" is half provisioned', f"Finish that first: machinectl provision {machine.name}"
        )
    if not (machine.tls and machine.url.startswith("tcp://")):
        raise MachineError(
            f'"{machine.name}" is not spoken to over TLS ({machine.url or "it has no URL"})',
            f"Set its engine up for it: machinectl provision {machine.name}",
        )


def ready_to_restart(held: Held, console: Console, remote: Remote, target: Target, allowed: Allowed) -> Facts:
    """What a host is like, once its engine can be restarted without an end to its containers.

    What an interrupted run left half done is put back first. A Swarm node has no live-restore: it is not restarted
    unless that is allowed. Raises MachineError, CheckFailed.
    """
    name = held.machine.name
    host = read(remote, target.port)
    checks.root(host, target)
    checks.files(host, target)
    if not host.dockerd:
        raise CheckFailed(
            f'There is no Docker Engine on the host of "{name}"', f"Install it: machinectl provision {name}"
        )
    if host.swarm and not allowed.restart_swarm:
        raise CheckFailed(
            f'The host of "{name}" is a Swarm node: a restart of its engine stops the tasks on it',
            "Drain it (docker node update --availability drain), and allow it: --restart-swarm",
        )
    moves = configuration.pending(host)
    if moves:
        raise hiding.refused(host, moves, "or restart it yourself: systemctl restart docker.service")
    for decide in (configuration.recover, configuration.keep_containers):
        decision = decide(host, target)
        if decision is None:
            continue
        with console.step(decision.title):
            carry_out(held, remote, decision)
        host = read(remote, target.port) if decision.unforeseen else decision.after
    return host


def until_it_answers(where: Endpoint, console: Console) -> Probe:
    """Ask once more where nothing listens: OpenRC says that the engine was started, not that it is ready."""
    end = time.monotonic() + VERIFY_TIMEOUT
    found = engine.probe(where, VERIFY_TIMEOUT)
    while found.state is State.STOPPED and time.monotonic() < end:
        console.pause(0.5)
        found = engine.probe(where, VERIFY_TIMEOUT)
    return found
