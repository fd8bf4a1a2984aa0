"""How much room an engine's host has for images, over SSH: the engine's API does not tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.hosts.connection.machine_driver import at_last_address, ssh_endpoint
from machinectl.hosts.connection.openssh_programs import checked_known_hosts
from machinectl.process_streams import query_program
from machinectl.ssh.destination import ssh_command
from machinectl.ssh.openssh.batch import OPTIONS
from machinectl.ssh.openssh.multiplexing import Multiplexing, socket_options
from machinectl.ssh.openssh.ssh_options import identity_arguments, option_words
from machinectl.ssh.ssh_settings import check_endpoint

if TYPE_CHECKING:
    from machinectl.images.write_archive import Known
    from machinectl.machines.store import Store

# Seconds for the login and the answer.
PATIENCE = 3.0
CONTAINERD, CONTAINERD_CONFIG = "/var/lib/containerd", "/etc/containerd/config.toml"
# File systems that do not compress, as stat(1) names them.
UNCOMPRESSED = {"ext2/ext3", "xfs", "tmpfs"}
# Of an engine's directory: the engine may be hostile, and the shell on the host any.
PLAIN_PATH = re.compile(r"/[\w./@+,=-]*", re.ASCII)
BLOCKS = re.compile(r"(\S+) (\d{1,9}) (\d{1,18})", re.ASCII)


def free_bytes(store: Store, name: str, known: Known) -> int | None:
    """Return the room for images on a machine's host, None if that is not certain. Never prompts or fails."""
    if not PLAIN_PATH.fullmatch(known.root_directory):
        return None
    try:
        machine = store.read(name)
        ssh = at_last_address(machine, ssh_endpoint(machine))
        known_hosts = checked_known_hosts(machine, ssh)
        # Use the connection that `run` keeps, if it is open.
        kept = socket_options(Multiplexing().path(machine.directory, ssh, known_hosts), master=False)
        check_endpoint(ssh)
        options = [*identity_arguments(ssh.key, known_hosts, ssh.jump), *option_words({**OPTIONS, **kept}), "-T"]
        command = ssh_command(ssh.host, options, user=ssh.user, port=ssh.port, arguments=[disk_command(known)])
        answer = query_program(command, PATIENCE)
    except MachineError:
        return None
    return parse_free(answer.stdout.decode(errors="replace"), known) if answer else None


def disk_hint(store: Store, name: str, known: Known) -> Hint:
    """Return the command that shows how full the host's disk is, "" for a machine without SSH."""
    try:
        ssh_endpoint(store.read(name))
    except MachineError:
        return NO_HINT
    directories = image_directories(known) if PLAIN_PATH.fullmatch(known.root_directory) else ""
    return Hint("See how full its disk is", "machinectl ssh", name, "df", "-h", *directories.split())


def image_directories(known: Known) -> str:
    return " ".join([known.root_directory, *([CONTAINERD] if known.by_containerd else [])])


def disk_command(known: Known) -> str:
    """Return a command for any shell. The engine's directory must have a plain name."""
    stat = f"stat -f -c '%T %S %f' {image_directories(known)}"
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
