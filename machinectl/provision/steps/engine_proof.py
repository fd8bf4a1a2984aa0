"""Prove that the engine works as before: compare a host after the last step with what it was like before the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.provision.decision import log_command
from machinectl.provision.steps import docker_socket, restart_risks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.provision.facts.host_facts import Facts


def problem(before: Facts, after: Facts) -> MachineError | None:
    """Return what is wrong with an engine that should run."""
    if not after.running:
        return MachineError("The engine has stopped since", Hint("Look on the host", log_command(after.init)))
    # An engine that waits for its Swarm's leader does not answer.
    if before.info and not after.info and not after.swarm:
        restart = docker_socket.RESTART if after.init == "systemd" else "rc-service docker restart"
        stops = docker_socket.containers_stopped(before)
        return MachineError(
            "The engine runs, and no longer answers on its unix socket",
            Hint(f"On the host, as root{stops and f' (that stops {stops})'}", restart),
        )
    return containers_lost(before, after)


def containers_lost(before: Facts, after: Facts) -> MachineError | None:
    """Name the containers that ended, but for those that ended by themselves or had to."""
    if not before.info or before.swarm or restart_risks.attached_units(before):
        return None
    lost = [*lost_containers(before, after)]
    forgotten = max(0, after.forgotten - before.forgotten - len(before.looping))
    count = len(lost) + forgotten
    hint = Hint("Look on the host", "docker ps -a") | Hint("", log_command(after.init))
    if forgotten:
        lost.append(f"{forgotten} forgotten by the engine")
        restart = "rc-service docker restart" if after.init == "openrc" else "systemctl restart docker"
        hint |= Hint("if its disk is full (df -h), make room, then restart the engine, which finds them again", restart)
    of = f"{count} of {len(before.shims)} containers"
    return MachineError(f"{of} did not keep running on the host: {', '.join(lost)}", hint) if lost else None


def lost_containers(before: Facts, after: Facts) -> Iterator[str]:
    # A restart removes no container. Somebody else has.
    removed = before.names.keys() - after.names.keys() if after.names else set()
    for container, shim in sorted(before.shims.items(), key=lambda each: before.names.get(each[0], "")):
        now = after.shims.get(container)
        if now != shim and container not in before.looping | after.finished | removed:
            yield f"{before.names.get(container, container[:12])} ({'restarted' if now else 'stopped'})"
