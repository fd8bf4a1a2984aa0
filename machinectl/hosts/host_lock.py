"""Lock a host for one machinectl.

A process on the host holds the lock until the SSH connection ends, even after a kill.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import secrets
import shlex
import socket
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.atomic import read_file

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.provision.job import Remote

LOCK = "/run/machinectl.holder"
# Seconds to wait silently: the connection of our own last run may be about to end.
AT_ONCE = 2
# Seconds to wait in total: enough for a change, not for an installation.
PATIENCE = 120
# Identifies this run.
TOKEN = secrets.token_hex(8)
# hold.sh's exit status if the host is locked.
HELD = 75
PROCESS = re.compile(r"[0-9]{1,10}")


def lock_host(remote: Remote, console: Console, name: str, directory: str) -> None:
    """Lock a host. Raises MachineError naming the holder. An earlier holder for `directory` is a dead connection."""
    # Imported here: every login imports this module.
    from machinectl.provision.scripts import resource

    try:
        computer = read_file("/etc/machine-id")
    except OSError:
        computer = b""
    seat = hashlib.sha256(repr((socket.gethostname(), computer, directory)).encode(errors="replace")).hexdigest()[:32]
    variables = {"lock": LOCK, "who": user_at_computer(), "token": TOKEN, "seat": seat}
    assignments = " ".join(f"{variable}={shlex.quote(value)}" for variable, value in variables.items())
    for patience, waits in ((AT_ONCE, True), (PATIENCE, False)):
        script = f"{assignments} patience={patience}\n{resource('hold.sh')}"
        done = remote.run(script, timeout=patience + 60.0, check=False)
        if done.status != HELD:
            return
        who, _, process = done.stdout.decode(errors="replace").strip().partition("\n")
        held = f'The host of "{name}" is held by {one_line(who) or "another machinectl"}'
        if waits:
            console.note(f"{held}; waiting …")
    process = process if PROCESS.fullmatch(process) else "<PID>"
    again = Hint("Run the same command again when that has ended")
    raise MachineError(held, again | Hint("If that computer is off, on the host", f"kill {process}"))


def user_at_computer() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # In a container, the user may have no name.
        user = "unknown"
    return one_line(f"{user}@{socket.gethostname()}")
