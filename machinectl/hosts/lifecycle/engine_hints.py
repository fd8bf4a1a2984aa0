"""Hints for an engine that refuses its configuration."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from machinectl.machines.record import Phase

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.provision.facts.host_facts import Facts


def unread_unit(machine: Machine, host: Facts) -> str:
    """Return a warning about a unit that systemd has not read since it was changed, or ""."""
    if not host.unread:
        return ""
    return (
        f'docker.service on the host of "{machine.name}" was changed, and systemd has not read it: '
        f"machinectl ssh {machine.name} sudo systemctl daemon-reload"
    )


def correction(machine: Machine, host: Facts, said: str) -> str:
    """Return the commands that correct what dockerd complains of in `said`."""
    name = machine.name
    options = list(machine.engine.options)
    named = [option for option in options if option.lstrip("-").partition("=")[0] in said]
    if host.unread and not named:
        return (
            f"docker.service was changed on the host, look at it: machinectl ssh {name} systemctl cat docker.service\n"
            f"When it is right: machinectl provision {name}"
        )
    is_new = machine.phase is not Phase.READY and not machine.changes
    if is_new and not named:
        return f"Correct it on the host, in {host.config_path} or docker.service, then run the same command again"
    if not named:
        return (
            f"Correct it on the host, in {host.config_path} or docker.service\n"
            f"Or in its settings: machinectl set {name} --help; then machinectl provision {name}"
        )
    key = named[0].lstrip("-").partition("=")[0]
    if is_new:
        return f"Run the same command with another --engine-opt {key}, or without it"
    kept = [option for option in options if option not in named]
    words = shlex.join([word for option in kept or [""] for word in ("--engine-opt", option)])
    if machine.fleet:
        return f"Correct --engine-opt {key} in the fleet file, then: machinectl apply {name}"
    return f"Leave {key} out: machinectl set {words} {name}\nThen apply it: machinectl provision {name}"
