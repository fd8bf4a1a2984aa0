"""What docker's own ssh must know of machines, for `ssh://` engines: STORE/ssh_config, included in ~/.ssh/config."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.errors import Hint, closest_match
from machinectl.files.atomic import read_file
from machinectl.hosts.openssh_programs import docker_needs_ssh_config
from machinectl.machines.jump_hosts import host_of
from machinectl.ssh.openssh.config_block import quote_include

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

FILE = "ssh_config"
USERS_OWN = "~/.ssh/config"
LET_SSH_KNOW = Hint("Let your own ssh know the machine", "machinectl ssh-config --write") | Hint(
    f"then put the line that it prints at the top of {USERS_OWN}"
)


def ssh_config_path(store: Store) -> str:
    return os.path.join(store.root, FILE)


def include_line(store: Store) -> str:
    return f"Include {quote_include(ssh_config_path(store))}"


def is_included(store: Store) -> bool:
    """Return whether the user's own file has the line. Return False if it may apply only to some hosts."""
    line = include_line(store)
    try:
        text = read_file(os.path.expanduser(USERS_OWN)).decode(errors="replace")
    except OSError:
        return False
    for each in map(str.strip, text.splitlines()):
        if each == line:
            return True
        # ssh_config(5): these limit everything below, an Include, too. Only the first IgnoreUnknown counts, and the
        # file needs its own.
        keyword, *words = each.lower().replace("=", " ").split() or [""]
        if keyword == "ignoreunknown" or (keyword in ("host", "match") and words not in (["*"], ["all"])):
            return False
    return False


def is_known_to_ssh(store: Store) -> bool:
    return os.path.exists(ssh_config_path(store)) and is_included(store)


def note_jump_host(store: Store, console: Console, machine: Machine) -> None:
    host = host_of(machine.jump)
    if host and not store.exists(host) and (near := closest_match(host, store.names())):
        console.note(
            f'"{host}" is not a machine: ssh looks it up as a host',
            Hint(f'If you mean the machine "{near}"', "machinectl set --ssh-jump", near, machine.name),
        )
    note_docker_over_ssh(store, console, machine)


def note_docker_over_ssh(store: Store, console: Console, machine: Machine) -> None:
    """Say how docker's own ssh gets what it needs."""
    if docker_needs_ssh_config(machine) and not is_known_to_ssh(store):
        what = "the jump host" if machine.jump else "the machine's keys"
        console.note(
            f'docker reaches "{machine.name}" through your own ssh, which needs {what} in its configuration',
            LET_SSH_KNOW,
        )
