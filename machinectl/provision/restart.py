"""What a restart of the engine does to what is attached to it, or would be ended with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed
from machinectl.provision import unit

if TYPE_CHECKING:
    from machinectl.provision.facts import Facts
    from machinectl.provision.target import Allowed

# Commands of the docker CLI that may stay attached to containers: a unit that keeps them running starts these anew.
RUNNERS = frozenset({"run", "start", "up", "compose", "attach"})


def harmless(facts: Facts, allowed: Allowed) -> None:
    """Refuse a restart that would restart containers although live-restore is on, unless it is forced."""
    if allowed.force or not facts.running:
        return
    units = sorted({client.unit for client in facts.clients if client.unit and client.verb in RUNNERS})
    if units:
        raise CheckFailed(
            f"A restart of the engine ends the docker commands that {', '.join(units)} consist"
            f"{'s' if len(units) == 1 else ''} of, and so restarts their containers",
            "Allow it with --force, or stop them on the host before: systemctl stop " + " ".join(units),
        )
    # systemd's own default (systemd.kill(5)) is control-group; packages of Docker say process.
    kill_mode = (unit.settings(facts.unit, "KillMode") or ["control-group"])[-1]
    if facts.own_shims and facts.unit and kill_mode not in {"process", "none"}:
        raise CheckFailed(
            f"docker.service says KillMode={kill_mode}, and its containerd is its own: a restart ends all containers",
            "On the host: systemctl edit docker.service, with KillMode=process in [Service]; or allow it: --force",
        )


def cut_off(facts: Facts) -> tuple[str, ...]:
    """A warning about docker commands that are attached to the engine, as their connections end with it."""
    verbs = sorted({client.verb for client in facts.clients})
    if not (verbs and facts.running):
        return ()
    return (f"the engine's restart cuts off the docker commands that are attached to it ({', '.join(verbs)})",)
