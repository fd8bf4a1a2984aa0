"""Warnings about missing certificates and unprotected ports."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.machines.record import GRANTED

if TYPE_CHECKING:
    from collections.abc import Collection

    from machinectl.console import Console
    from machinectl.machines.record import Machine


def renewing(machine: Machine, files: Collection[str], *, due: bool = True) -> str:
    """Return the command that renews `files`; not only when they are `due`, if they are damaged."""
    name = machine.name
    if machine.access.get("state") == GRANTED:
        return f"Get a new one from {machine.access.get('by') or 'its owner'}: machinectl access renew {name}"
    has_ca_key = set(files) == {"cert.pem"} and os.path.lexists(os.path.join(machine.directory, "ca-key.pem"))
    if not (machine.has_changes or has_ca_key):
        return f"Get new ones from whoever made them, and put them in: machinectl certs import {name} <DIR>"
    flags = [flag for file, flag in (("cert.pem", "--client-certs"), ("ca.pem", "--new-ca")) if file in files]
    if due and "--new-ca" not in flags:
        return f"Renew them: machinectl renew --due {name}"
    return " ".join(["Renew them: machinectl regenerate-certs", *flags, name])


def advise(console: Console, machine: Machine) -> None:
    directory = machine.directory
    if machine.tls and not os.path.lexists(os.path.join(directory, "ca.pem")):
        console.warn(
            f'"{machine.name}" has no certificates yet: put ca.pem, cert.pem and key.pem into {directory},\n'
            f"or let them be checked and put there: machinectl certs import {machine.name} <DIR>"
        )
    if warning := unprotected(machine):
        console.warn(warning)


def unprotected(machine: Machine) -> str:
    if machine.tls or not machine.url.startswith("tcp://"):
        return ""
    return f"{machine.url} is not protected by TLS: whoever reaches that port is root on the host"
