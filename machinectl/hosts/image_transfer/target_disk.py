"""How much room an engine's host has for images, over SSH: the engine's API does not tell."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.connection.machine_driver import at_last_address, ssh_endpoint
from machinectl.hosts.connection.openssh_programs import checked_known_hosts
from machinectl.process_streams import query_program
from machinectl.ssh.openssh.batch import OPTIONS
from machinectl.ssh.openssh.multiplexing import Multiplexing, socket_options
from machinectl.ssh.openssh.ssh_options import openssh_command, option_words

if TYPE_CHECKING:
    from machinectl.images.write_archive import Known
    from machinectl.machines.store import Store

# Seconds for the login and the answer.
PATIENCE = 5.0
CONTAINERD, CONTAINERD_CONFIG = "/var/lib/containerd", "/etc/containerd/config.toml"
# File systems that do not compress, as stat(1) names them.
UNCOMPRESSED = {"ext2/ext3", "xfs", "tmpfs"}
BLOCKS = re.compile(r"(\S+) (\d{1,9}) (\d{1,18})", re.ASCII)


def free_bytes(store: Store, name: str, known: Known) -> int | None:
    """Return the room for images on a machine's host, None if that is not certain. Never prompts or fails."""
    try:
        machine = store.read(name)
        ssh = at_last_address(machine, ssh_endpoint(machine))
        known_hosts = checked_known_hosts(machine, ssh)
        # Use the connection that `run` keeps, if it is open.
        kept = socket_options(Multiplexing().path(machine.directory, ssh, known_hosts), master=False)
        arguments = [*option_words({**OPTIONS, **kept}), "-T", disk_command(known)]
        answer = query_program(openssh_command(ssh, known_hosts=known_hosts, arguments=arguments), PATIENCE)
    except MachineError:
        return None
    return parse_free(answer.stdout.decode(errors="replace"), known) if answer else None


def disk_command(known: Known) -> str:
    """Return a command for any shell: the host's name, a line for each directory, and containerd's own directory."""
    directories = [known.root_directory, *([CONTAINERD] if known.by_containerd else [])]
    stat = f"stat -f -c '%T %S %f' {shlex.join(directories)}"
    moved = f"; grep -s '^root' {CONTAINERD_CONFIG}" if known.by_containerd else ""
    return f"uname -n; {stat}{moved}"


def parse_free(said: str, known: Known) -> int | None:
    """Return None if the engine is on another host, or its images may be on another disk, or are compressed there."""
    host, *lines = said.splitlines() or [""]
    found = [BLOCKS.fullmatch(line) for line in lines]
    if host != known.host or not found:
        return None
    free = [int(each[2]) * int(each[3]) for each in found if each and each[1] in UNCOMPRESSED]
    return max(free) if len(free) == len(found) else None
