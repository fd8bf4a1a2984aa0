"""Hints for an engine that refuses its configuration."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.machines.record import Phase

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.provision.facts.host_facts import Facts


def unread_unit(machine: Machine) -> tuple[str, Hint]:
    """Return a warning about a unit that systemd has not read since it was changed."""
    return (
        f'docker.service on the host of "{machine.name}" was changed, and systemd has not read it',
        Hint("Reload it", f"machinectl ssh {machine.name} sudo systemctl daemon-reload"),
    )


def correction(machine: Machine, host: Facts, said: str) -> Hint:
    """Return the commands that correct what dockerd complains of in `said`."""
    name, engine = machine.name, machine.engine
    errors = "\n".join(line for line in said.split("\n") if "level=info" not in line)
    refused = [each for each in engine.options if is_named(errors, *each.lstrip("-").partition("=")[::2])]
    typed = [("--engine-opt", option) for option in refused]
    typed += [("--engine-registry-mirror", value) for value in engine.registry_mirrors if is_named(errors, value)]
    typed += [("--engine-storage-driver", value) for value in (engine.storage_driver,) if is_named(errors, value)]
    flags = ", ".join(shlex.join(words) for words in typed)
    if host.unread and not flags:
        look = f"machinectl ssh {name} systemctl cat docker.service"
        return Hint("docker.service was changed on the host, look at it", look) | Hint(
            "when it is right", "machinectl provision", name
        )
    where = f"it on the host, in {host.config_path} or docker.service"
    if machine.phase is not Phase.READY and not machine.changes:
        return Hint(f"Correct {f'{flags} or leave it out' if flags else where}, then run the same command again")
    if machine.fleet and flags:
        # A fleet without a name has its file's path.
        file = machine.fleet if os.path.isabs(machine.fleet) else "<FILE>"
        return Hint(f"Correct {flags} in the fleet file, then", "machinectl apply -f", file, name)
    if not refused:
        settings = f"machinectl set {name} --help"
        correct = Hint(f"Correct {flags}", settings)
        if not flags:
            correct = Hint(f"Correct {where}") | Hint("or in its settings", settings)
        return correct | Hint("then apply it", "machinectl provision", name)
    kept = [option for option in engine.options if option not in refused]
    words = shlex.join([word for option in kept or [""] for word in ("--engine-opt", option)])
    return Hint(f"Leave {flags} out", f"machinectl set {words} {name}") | Hint(
        "then apply it", "machinectl provision", name
    )


def is_named(errors: str, *words: str) -> bool:
    """Return whether an option, or its value, is in dockerd's errors."""
    names = [word for word in words if word not in {"", "true", "false"} and not word.isdecimal()]
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", errors) for name in names)
