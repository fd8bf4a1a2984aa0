"""Entries of ssh_config for machines.

For `ssh://` engines, docker's own ssh needs STORE/ssh_config, included in ~/.ssh/config.
"""

from __future__ import annotations

import os
import re

from machinectl import url as engine_url
from machinectl.errors import Hint
from machinectl.files.atomic import read_file
from machinectl.files.fileset import read_regular_file
from machinectl.machines.machine_driver import at_last_address, known_hosts_path, ssh_endpoint
from machinectl.ssh.openssh.config_block import host_block, quote_include

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# A name or address without ssh_config(5) pattern characters.
PLAIN = r"[\w.:-]+"
FILE = "ssh_config"
USERS_OWN = "~/.ssh/config"
LET_SSH_KNOW = Hint("Let your own ssh know the machine", "machinectl ssh-config --write") | Hint(
    f"then put the line that it prints at the top of {USERS_OWN}"
)


def machine_host_block(machine: Machine, endpoint: SSHEndpoint | None = None, control: str = "", log: str = "") -> str:
    """`control` is a ControlPath, `log` that of jump hosts. Raise MachineError without SSH."""
    endpoint = endpoint or at_last_address(machine, ssh_endpoint(machine))
    known_hosts = checked_known_hosts(machine, endpoint)
    # docker gives its ssh only the address of an ssh:// URL.
    aliases = [engine_url.parse_url(url).host for url in machine.urls] if docker_needs_ssh_config(machine) else []
    also = [alias for alias in aliases if re.fullmatch(PLAIN, alias, re.ASCII)]
    return host_block(machine.name, endpoint, known_hosts=known_hosts, also=also, control=control, log=log)


def docker_needs_ssh_config(machine: Machine) -> bool:
    """Return whether docker's own ssh needs the machine's jump host, key or pinned host key."""
    return machine.url.startswith("ssh://") and bool(machine.jump or machine.engine.ssh_only)


def checked_known_hosts(machine: Machine, endpoint: SSHEndpoint) -> str:
    """Return "" without a file. Raises MachineError for files that are not regular: on a pipe, ssh waits forever."""
    path = known_hosts_path(machine)
    known_hosts, files = (path if os.path.exists(path) else ""), [path, endpoint.key]
    while endpoint.jump:
        files += [endpoint.jump.known_hosts, endpoint.jump.endpoint.key]
        endpoint = endpoint.jump.endpoint
    for file in files:
        if file and os.path.exists(file):
            read_regular_file(file)
    return known_hosts


def ssh_config_path(store: Store) -> str:
    return os.path.join(store.root, FILE)


def include_line(store: Store) -> str:
    return f"Include {quote_include(ssh_config_path(store))}"


def is_included(store: Store) -> bool:
    """Return whether the user's own file has the line, before any entry that limits it to some hosts."""
    try:
        text = read_file(os.path.expanduser(USERS_OWN)).decode(errors="replace")
    except OSError:
        return False
    before, line, _ = f"\n{text}\n".partition(f"\n{include_line(store)}\n")
    return bool(line) and not re.search(r"^\s*(host|match)\b", before, re.IGNORECASE | re.MULTILINE)


def is_known_to_ssh(store: Store) -> bool:
    return os.path.exists(ssh_config_path(store)) and is_included(store)


def note_docker_over_ssh(store: Store, console: Console, machine: Machine) -> None:
    """Say how docker's own ssh gets what it needs."""
    if docker_needs_ssh_config(machine) and not is_known_to_ssh(store):
        what = "the jump host" if machine.jump else "the machine's keys"
        console.note(
            f'docker reaches "{machine.name}" through your own ssh, which needs {what} in its configuration',
            LET_SSH_KNOW,
        )
