"""`ssh-config`: an OpenSSH configuration for machines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.errors import MachineError, UsageError
from machinectl.files.atomic import read_file
from machinectl.hosts.connection.openssh_programs import machine_host_block
from machinectl.hosts.exports.ssh_config_file import all_blocks, ssh_config_path, write_ssh_config
from machinectl.ssh.openssh.config_block import quote_include

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

USERS_OWN = "~/.ssh/config"


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
        raise UsageError("--write writes a file for all machines, not for some", "machinectl ssh-config --write")
    write_ssh_config(store, console.warn)
    line = f"Include {quote_include(ssh_config_path(store))}"
    if not is_included(line):
        console.note(f"Put this line at the top of {USERS_OWN}, so that ssh knows the machines by name:")
    return line


def is_included(line: str) -> bool:
    """Return False if the line may apply only to some hosts."""
    try:
        text = read_file(os.path.expanduser(USERS_OWN)).decode(errors="replace")
    except OSError:
        return False
    for each in map(str.strip, text.splitlines()):
        if each == line:
            return True
        # ssh_config(5): these limit everything below, an Include, too.
        keyword, *words = each.replace("=", " ").split() or [""]
        if keyword.lower() in ("host", "match") and words not in (["*"], ["all"]):
            return False
        # Only the first IgnoreUnknown counts, and the file needs its own.
        if keyword.lower() == "ignoreunknown":
            return False
    return False
