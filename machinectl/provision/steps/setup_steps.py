"""The steps that provision a host, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from machinectl.provision import firewall, preflight
from machinectl.provision.steps import (
    docker_socket,
    engine_config,
    engine_goal,
    installation,
    live_restore,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target


class SetupStep(NamedTuple):
    """A decision over current facts. `lasting`: its effect outlives the run, so other computers record it."""

    title: str
    decide: Callable[[Facts, Target, Allowed], Decision | None]
    lasting: bool = True


def setup_steps(script: Callable[[str], bytes | None]) -> tuple[SetupStep, ...]:
    """Return the steps. `script` downloads Docker's script, or returns None."""
    return (
        SetupStep("Restore what an interrupted run left", engine_config.recover),
        SetupStep("Check the host", check_host),
        SetupStep("Install Docker Engine", lambda facts, target, _: installation.decide(facts, target, script)),
        SetupStep("Let the SSH user use the engine", docker_socket.join_group),
        SetupStep("Keep running containers running", keep_containers, lasting=False),
        SetupStep("Configure the engine", engine_config.configure),
        SetupStep("Open the firewall", firewall.open_port),
        SetupStep("End the SSH user's way to the engine, if it is not needed", docker_socket.leave_unused_group),
    )


def check_host(facts: Facts, target: Target, allowed: Allowed) -> None:
    preflight.check_all(facts, target, allowed)
    docker_socket.check_reached_over_ssh(facts, target)
    if facts.dockerd:
        docker_socket.join_group(facts, target)
        engine_config.configure(facts, target, allowed)


def keep_containers(facts: Facts, target: Target, allowed: Allowed) -> Decision | None:
    return live_restore.borrow(facts, target) if engine_config.configure(facts, target, allowed) else None


def side_effects(facts: Facts, target: Target) -> tuple[str, ...]:
    """Return the side effects that the user must accept."""
    if target.ssh_only or not facts.dockerd:
        return ()
    return tuple(
        f"The host's own configuration makes the engine listen on {address} without TLS: from now on, "
        "only clients with the machine's certificates can connect there"
        for address in (*engine_goal.plain_sockets(facts), *engine_goal.goal(facts, target).secured)
    )
