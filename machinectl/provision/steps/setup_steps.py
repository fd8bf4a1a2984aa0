"""The steps that set up a host, in order. Each is a decision over facts; none touches the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from machinectl.provision import firewall, preflight
from machinectl.provision.steps import engine_config, installation, live_restore

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target


class SetupStep(NamedTuple):
    """A step, as a decision over the current facts of a host.

    `lasting` is False for a step whose effect does not outlive the run, and so is not for other computers to take over.
    """

    title: str
    decide: Callable[[Facts, Target, Allowed], Decision | None]
    lasting: bool = True


def steps(script: Callable[[str], bytes | None]) -> tuple[SetupStep, ...]:
    """Return the steps. `script` downloads Docker's installation script, None if its URL does not answer."""
    return (
        SetupStep("Restore what an interrupted run left", engine_config.recover),
        SetupStep("Check the host", check_host),
        SetupStep("Install Docker Engine", lambda facts, target, _: installation.decide(facts, target, script)),
        SetupStep("Keep running containers running", keep_containers, lasting=False),
        SetupStep("Configure the engine", engine_config.configure),
        SetupStep("Open the firewall", firewall.open_port),
    )


def check_host(facts: Facts, target: Target, allowed: Allowed) -> None:
    """Raise CheckFailed for a host that cannot be set up, clashing settings included."""
    preflight.check_all(facts, target, allowed)
    if facts.dockerd:
        engine_config.configure(facts, target, allowed)


def keep_containers(facts: Facts, target: Target, allowed: Allowed) -> Decision | None:
    """Turn live-restore on if the next step restarts the engine."""
    return live_restore.borrow(facts, target) if engine_config.configure(facts, target, allowed) else None
