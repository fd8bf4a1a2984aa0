"""Hints for an engine that refuses its configuration."""

from __future__ import annotations

import re
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
    name, engine = machine.name, machine.engine
    errors = "\n".join(line for line in said.split("\n") if "level=info" not in line)
    refused = [each for each in engine.options if is_named(errors, *each.lstrip("-").partition("=")[::2])]
    typed = [("--engine-opt", option) for option in refused]
    typed += [("--engine-registry-mirror", value) for value in engine.registry_mirrors if is_named(errors, value)]
    typed += [("--engine-storage-driver", value) for value in (engine.storage_driver,) if is_named(errors, value)]
    flags = ", ".join(shlex.join(words) for words in typed)
    if host.unread and not flags:
        return (
            f"docker.service was changed on the host, look at it: machinectl ssh {name} systemctl cat docker.service\n"
            f"When it is right: machinectl provision {name}"
        )
    where = f"it on the host, in {host.config_path} or docker.service"
    if machine.phase is not Phase.READY and not machine.changes:
        return f"Correct {f'{flags} or leave it out' if flags else where}, then run the same command again"
    if machine.fleet and flags:
        return f"Correct {flags} in the fleet file, then: machinectl apply {name}"
    if not refused:
        settings = f"machinectl set {name} --help; then machinectl provision {name}"
        return f"Correct {flags}: {settings}" if flags else f"Correct {where}\nOr in its settings: {settings}"
    kept = [option for option in engine.options if option not in refused]
    words = shlex.join([word for option in kept or [""] for word in ("--engine-opt", option)])
    return f"Leave {flags} out: machinectl set {words} {name}\nThen apply it: machinectl provision {name}"


def is_named(errors: str, *words: str) -> bool:
    """Return whether an option, or its value, is in dockerd's errors."""
    names = [word for word in words if word not in {"", "true", "false"} and not word.isdecimal()]
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", errors) for name in names)
