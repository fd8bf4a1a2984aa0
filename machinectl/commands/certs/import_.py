"""`certs import`: copy certificates made elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.hosts.certificate_files import check_has_certificates, files_of_other_ca, read_tls_dir
from machinectl.hosts.identity import Identity
from machinectl.machines.docker_machine import is_shared
from machinectl.machines.selection import waiting

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Store


def certs_import(store: Store, console: Console, name: str, directory: str, *, force: bool = False) -> list[str]:
    """Write all files or none; return their paths.

    `force` also removes the old CA's key and server files.
    """
    store.check_exists(name)
    new = read_tls_dir(directory)
    with store.writing(name, waiting(console, name)) as held:
        machine = held.machine
        check_has_certificates(machine)
        if machine.url and not machine.url.startswith("tcp://"):
            raise MachineError(
                f"{machine.url} does not use certificates",
                Hint("If the engine listens on TCP", "machinectl set --url tcp://<HOST>:2376", name),
            )
        held.finish_files()
        stale = files_of_other_ca(Identity.read(held.directory), new)
        held.write_files(
            {**new.present, **dict.fromkeys(stale, b"")},
            force=force,
            hint=Hint("Replace them", "machinectl certs import --force", name, directory),
        )
    if is_shared(directory):
        console.note(
            f"The CA's key stays in {directory}: docker-machine's machines share it, and regenerate-certs uses it there"
        )
    if stale:
        console.note(f"Removed what belonged to the CA before: {', '.join(stale)}")
    if not machine.tls:
        console.warn(f'"{name}" is registered without TLS', Hint("Change it", "machinectl set --tls", name))
    return [os.path.join(machine.directory, file) for file in new.present]
