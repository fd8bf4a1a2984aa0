"""`ssh-config`: an OpenSSH configuration for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.docker_cli.ssh_config_file import all_blocks, write_ssh_config
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.docker_over_ssh import USERS_OWN, include_line, is_included
from machinectl.hosts.openssh_programs import machine_host_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store


def ssh_config(store: Store, console: Console, names: Sequence[str]) -> Iterator[tuple[str, str | MachineError]]:
    """Yield each machine's block, or why it has none; without names, only warn."""
    if not names:
        yield from all_blocks(store, console.warn).items()
    for name in dict.fromkeys(names):
        try:
            yield name, machine_host_block(store.read(name))
        except MachineError as exc:
            yield name, exc


def keep_ssh_config(store: Store, console: Console, names: Sequence[str]) -> str:
    """Write a file that the store keeps current; return its Include line."""
    if names:
        raise UsageError(
            "--write writes a file for all machines, not for some", Hint("", "machinectl ssh-config --write")
        )
    write_ssh_config(store, console.warn)
    if not is_included(store):
        console.note(f"Put this line at the top of {USERS_OWN}, so that ssh knows the machines by name:")
    return include_line(store)
