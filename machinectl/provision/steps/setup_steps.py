"""The steps that make a host an engine host, in their order. Each is a decision over facts; none touches the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from machinectl.provision import checks, firewall
from machinectl.provision.steps import configuration, installation, live_restore

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.provision.decision import Decision
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target


class Step(NamedTuple):
    """A titled step: what it comes to on a host as it is now."""

    title: str
    decide: Callable[[Facts, Target, Allowed], Decision | None]


def steps(script: Callable[[str], bytes | None]) -> tuple[Step, ...]:
    """All of them. `script` downloads Docker's installation script; None where its URL does not answer."""
    return (
        Step("Put back what an interrupted run left", configuration.recover),
        Step("Check the host", checked),
        Step("Install Docker Engine", lambda facts, target, _: installation.decide(facts, target, script)),
        Step("Keep running containers running", containers_kept),
        Step("Configure the engine", configuration.configure),
        Step("Open the firewall", firewall.open_port),
    )


def checked(facts: Facts, target: Target, allowed: Allowed) -> None:
    """Nothing, or CheckFailed. A clash of settings is found here too, before anything is changed."""
    checks.check(facts, target, allowed)
    if facts.dockerd:
        configuration.configure(facts, target, allowed)


def containers_kept(facts: Facts, target: Target, allowed: Allowed) -> Decision | None:
    """Turn live-restore on if the next step restarts the engine."""
    return live_restore.borrow(facts, target) if configuration.configure(facts, target, allowed) else None
