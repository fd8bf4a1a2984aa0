"""Run programs that use OpenSSH (scp, rsync, sshfs) and explain failures."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from contextlib import ExitStack, contextmanager

from machinectl.console import UnattendedConsole
from machinectl.errors import Hint, MachineError
from machinectl.files.spool_directory import temporary_directory
from machinectl.hosts.login import add_machine_hints, logged_in, login_endpoint, pin_first_key, pin_in_store
from machinectl.hosts.ssh_config import machine_host_block
from machinectl.ssh.openssh.config_block import USERS_OWN, with_user_files
from machinectl.ssh.openssh.login_log import read_logs
from machinectl.ssh.openssh.ssh_options import JUMP_LOG, option_words
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.ssh.openssh.login_log import LoginLog

UNVERIFIED = "Host key verification failed."


class SSHFiles(Frozen):
    """A config for `ssh -F`, a program that runs ssh with a log, the log, and the machines in the config."""

    config: str
    program: str
    log: str
    machines: Sequence[tuple[Machine, SSHEndpoint]] = ()


@contextmanager
def temporary_ssh_config(
    store: Store, logins: Sequence[tuple[Machine, str]], console: Console, login: Login
) -> Iterator[SSHFiles]:
    """Yield a config with the machines and the user's own. Pin keys that are not known.

    `logins` are machines with users or "". With a password or the like, log in first, and share that connection.
    """
    from machinectl.ssh.openssh.openssh_session import system_master

    with ExitStack() as stack:
        directory = stack.enter_context(temporary_directory())
        machines, blocks, log = [], [], os.path.join(directory, "log")
        for number, machine in enumerate({machine.name: machine for machine, _ in logins}.values()):
            endpoint, control = login_endpoint(machine, console, login), ""
            if login.needs_login:
                for user in {user or endpoint.user for other, user in logins if other.name == machine.name}:
                    pin, ssh = pin_in_store(store, console, machine), replace(endpoint, user=user)
                    way = logged_in(machine, console, login.for_one_host(), ssh=ssh, quietly=True, pin=pin)
                    session = stack.enter_context(way)
                    os.symlink(system_master(session).control, os.path.join(directory, f"{number}-{session.user}"))
                control = f'"{directory}/{number}-%r"'
            elif warning := pin_first_key(store, console, machine, login, endpoint):
                console.warn(warning)
            machines.append((machine, endpoint))
            blocks.append(machine_host_block(machine, endpoint, control, log))
        config, program = os.path.join(directory, "ssh_config"), os.path.join(directory, "ssh")
        with open(config, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(with_user_files(blocks, [os.path.expanduser(own) for own in USERS_OWN]))
        with open(program, "w", encoding="utf-8", errors="surrogateescape") as file:
            # scp turns these settings off, rsync and sshfs do not.
            options = shlex.join(["-E", log, *option_words({"RemoteCommand": "none", "RequestTTY": "no"})])
            file.write(f'#!/bin/sh\nexec ssh {options} "$@"\n')
        os.chmod(program, 0o700)
        # A file system may forbid programs.
        yield SSHFiles(config, program if os.access(program, os.X_OK) else "ssh", log, machines)


def run_ssh_program(
    command: Sequence[str],
    files: SSHFiles,
    console: Console,
    login: Login,
    *,
    quiet: bool = False,
    stderr: IO[bytes] | None = None,
) -> int:
    """Return a shell's exit status. Raises SSHError for a failed login, MachineError if the program cannot start.

    `quiet` drops stdout, which has scp's progress: ssh, with scp's own -q, would not log why a login fails either.
    """
    if login.trace:
        login.trace(shlex.join(command))
    try:
        stdout = subprocess.DEVNULL if quiet else None
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
    except OSError as exc:
        raise MachineError(f"Cannot start {command[0]}: {exc.strerror}", Hint("Try", f"{command[0]} -V")) from exc
    try:
        status = process.wait()
    except (KeyboardInterrupt, SystemExit) as exc:
        # A terminal signals the program, too; `kill` may have signalled only us.
        process.send_signal(signal.SIGINT if isinstance(exc, KeyboardInterrupt) else signal.SIGTERM)
        process.wait()
        raise
    if status:
        log = read_logs(files.log, JUMP_LOG)
        named = [(machine, ssh) for machine, ssh in files.machines if ssh.host in log.text]
        for machine, endpoint in named or files.machines:
            raise_login_failure(log, machine, endpoint, console, login)
    return status if status >= 0 else 128 - status


def raise_login_failure(log: LoginLog, machine: Machine, endpoint: SSHEndpoint, console: Console, login: Login) -> None:
    """Raise SSHError if ssh's log shows a failed login. To find out why the host refuses it, log in again."""
    from machinectl.ssh.openssh.login_log import connection_failure
    from machinectl.ssh.ssh_errors import SSHError
    from machinectl.ssh.ssh_settings import read_settings

    doctor = Hint("See why", "machinectl doctor", machine.name)
    if error := connection_failure(read_settings(endpoint), log):
        add_machine_hints(error, machine, endpoint)
        error.hint = doctor | error.hint
        raise error
    if log.is_key_changed or log.revoked is not None or log.is_denied:
        with logged_in(machine, UnattendedConsole(console, doctor), login, ssh=endpoint, quietly=True):
            return
    if log.is_key_unknown or log.find(f"^{re.escape(UNVERIFIED)}$"):
        raise SSHError(
            f'ssh does not know a host key on the way to "{machine.name}"',
            Hint("See it, and accept it", "machinectl run", machine.name, "--", "true"),
        )
