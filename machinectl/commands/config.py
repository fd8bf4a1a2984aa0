"""`config`: docker's flags for a machine."""

from __future__ import annotations

import os

from machinectl.machines.selection import chosen_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

# They make an unquoted word a glob (POSIX shell, 2.14).
PATTERN = frozenset("*?[\\")


def config(
    store: Store, console: Console, names: Sequence[str], environment: Mapping[str, str], *, swarm: bool = False
) -> list[str]:
    """Return one flag per line, unquoted: shells keep quotes in command output, and so does docker from 29 on."""
    name = chosen_one(store, names)
    if swarm:
        from machinectl.hosts.swarm.membership import find_manager

        name = find_manager(store, name).machine.name
    machine = store.read_ready(name)
    if store.is_unsettled(machine.name):
        from machinectl.hosts.certificates.pending import settle_pending

        settle_pending(store, machine.name)
    host = f"-H={machine.url}"
    directory = store.directory(machine.name)
    if not machine.tls:
        if environment.get("DOCKER_TLS_VERIFY"):
            console.warn("DOCKER_TLS_VERIFY is set here, and no flag turns it off: env -u DOCKER_TLS_VERIFY docker …")
        return [host]
    if any(letter.isspace() or letter in PATTERN for letter in directory + machine.url):
        console.warn(
            "a shell takes these flags apart, or for a pattern, as they hold a blank or a bracket: "
            f"eval $(machinectl env {machine.name})"
        )
    files = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
    return ["--tlsverify", *(f"--{flag}={os.path.join(directory, file)}" for flag, file in files.items()), host]
