"""Log in as docker does: its ssh gets only the user, the address and the port of an ssh:// URL."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.doctor.check import Check, broken, failed, ok, unknown
from machinectl.errors import Hint, MachineError, one_line
from machinectl.hosts.connection.docker_over_ssh import LET_SSH_KNOW, ssh_config_path
from machinectl.hosts.connection.openssh_programs import UNVERIFIED
from machinectl.process_streams import find_program
from machinectl.ssh.destination import ssh_command
from machinectl.ssh.openssh.ssh_options import option_words

if TYPE_CHECKING:
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

TITLE = "docker over SSH"
# Ask nothing, and change no known_hosts file.
OPTIONS = {"BatchMode": "yes", "StrictHostKeyChecking": "yes", "UpdateHostKeys": "no", "LogLevel": "ERROR"}
# A factor for the timeout: a jump host takes two connections.
LOGINS = 3


def docker_ssh_check(store: Store, machine: Machine, timeout: float) -> Check:
    """Never raises MachineError."""
    try:
        url = engine_url.parse_url(machine.url)
        options = option_words({**OPTIONS, "ConnectTimeout": str(math.ceil(timeout))})
        command = ssh_command(url.host, ["-T", *options], user=url.user, port=url.port, arguments=["true"])
    except MachineError as exc:
        return failed(TITLE, exc)
    if not find_program("ssh"):
        return unknown(TITLE, "there is no ssh on the PATH")
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=timeout * LOGINS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as exc:
        return unknown(TITLE, f"your own ssh gives no answer: {one_line(str(exc))}")
    if done.returncode == 0:
        return ok(TITLE, f"your own ssh, which docker uses, logs in at {url.host}")
    said = done.stderr.decode(errors="replace").strip()
    reason = one_line(said.splitlines()[-1] if said else "it gives no reason")
    seen = f"docker uses your own ssh, which cannot log in at {url.host}: {reason}"
    if os.path.exists(ssh_config_path(store)) and UNVERIFIED not in said:
        # At a terminal, docker's ssh can ask for a passphrase.
        own = shlex.join(ssh_command(url.host, user=url.user, port=url.port, arguments=["true"]))
        return unknown(TITLE, seen, Hint("See why", own) | LET_SSH_KNOW)
    return broken(TITLE, seen, LET_SSH_KNOW)
