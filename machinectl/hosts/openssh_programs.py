"""Run programs that use OpenSSH (scp, rsync, sshfs) and explain failures."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
from collections import deque
from contextlib import ExitStack, contextmanager

from machinectl import url as engine_url
from machinectl.errors import Hint, MachineError
from machinectl.files.fileset import read_regular_file
from machinectl.files.spool_directory import temporary_directory
from machinectl.hosts.login import (
    add_machine_hints,
    logged_in,
    login_endpoint,
    missing_key,
    pin_first_key,
    pin_in_store,
    pinned_known_hosts,
    set_setting,
)
from machinectl.machines.machine_driver import at_last_address, known_hosts_path, ssh_endpoint
from machinectl.ssh.openssh.config_block import USERS_OWN, host_block, with_user_files
from machinectl.ssh.openssh.login_log import LoginLog, read_logs
from machinectl.ssh.openssh.ssh_options import JUMP_LOG, option_words
from machinectl.value_classes import Frozen, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import IO

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

UNVERIFIED = "Host key verification failed."
# A name or address without ssh_config(5) pattern characters.
PLAIN = r"[\w.:-]+"
# Lines of output to keep, and bytes per line: a host may print anything.
MOST_KEPT, LONGEST_LINE = 100, 1 << 16
# Seconds to keep reading output after a program ends.
LINGER = 1.0


class ProgramResult(Frozen):
    """A shell's exit status, and the last lines of the program and of its ssh."""

    status: int
    said: str
    log: LoginLog


class SSHFiles(Frozen):
    """A config for `ssh -F`, a program that runs ssh with a log, and the log."""

    config: str
    program: str
    log: str


def machine_host_block(machine: Machine, endpoint: SSHEndpoint | None = None, control: str = "", log: str = "") -> str:
    """`control` is a ControlPath, `log` that of jump hosts. Raise MachineError without SSH."""
    own = endpoint or ssh_endpoint(machine)
    endpoint = endpoint or at_last_address(machine, own)
    known_hosts = checked_known_hosts(machine, endpoint)
    # docker gives its ssh only the address of an ssh:// URL.
    aliases = [engine_url.parse_url(url).host for url in machine.urls] if docker_needs_ssh_config(machine) else []
    also = [alias for alias in aliases if re.fullmatch(PLAIN, alias, re.ASCII)]
    block = host_block(machine.name, endpoint, known_hosts=known_hosts, also=also, control=control, log=log)
    others = ", ".join(host for host in dict.fromkeys([own.host, *machine.addresses]) if host != endpoint.host)
    return f"{block}    # Other addresses: {others}\n" if others else block


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


@contextmanager
def temporary_ssh_config(
    store: Store, machines: Iterable[Machine], console: Console, login: Login, logins: Iterable[tuple[str, str]] = ()
) -> Iterator[SSHFiles]:
    """Yield a config with the machines and the user's own. Pin keys that are not known.

    `logins` are machines' names with users. With a password or the like, log in first, and share that connection.
    """
    from machinectl.ssh.openssh.openssh_session import system_master

    with ExitStack() as stack:
        directory = stack.enter_context(temporary_directory())
        blocks, log = [], os.path.join(directory, "log")
        for number, machine in enumerate(machines):
            endpoint = login_endpoint(machine, console, login)
            control = ""
            if login.needs_login:
                for user in [user for name, user in logins if name == machine.name] or [""]:
                    here = replace(endpoint, user=user or endpoint.user)
                    pin = pin_in_store(store, console, machine)
                    way = logged_in(machine, console, login.for_one_host(), ssh=here, quietly=True, pin=pin)
                    session = stack.enter_context(way)
                    control = system_master(session).control
                    os.symlink(control, os.path.join(directory, f"{number}-{session.user}"))
                control = f'"{directory}/{number}-%r"'
            elif warning := pin_first_key(store, console, machine, login, endpoint):
                console.warn(warning)
            blocks.append(machine_host_block(machine, endpoint, control, log))
        path = os.path.join(directory, "ssh_config")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(with_user_files(blocks, [os.path.expanduser(own) for own in USERS_OWN]))
        program = os.path.join(directory, "ssh")
        with open(program, "w", encoding="utf-8", errors="surrogateescape") as file:
            # scp turns these settings off, rsync and sshfs do not.
            options = shlex.join(["-E", log, *option_words({"RemoteCommand": "none", "RequestTTY": "no"})])
            file.write(f'#!/bin/sh\nexec ssh {options} "$@"\n')
        os.chmod(program, 0o700)
        # A file system may forbid programs.
        yield SSHFiles(path, program if os.access(program, os.X_OK) else "ssh", log)


def run_ssh_program(
    command: Sequence[str], files: SSHFiles, machines: Sequence[Machine], console: Console, login: Login
) -> ProgramResult:
    """Print the program's stderr. Raises SSHError for a failed login, MachineError if it cannot start."""
    if login.trace:
        login.trace(shlex.join(command))
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except OSError as exc:
        raise MachineError(f"Cannot start {command[0]}: {exc.strerror}", Hint("Try", f"{command[0]} -V")) from exc
    heard = StderrReader(console)
    listening = threading.Thread(target=heard.listen, args=(process.stderr,), daemon=True)
    listening.start()
    try:
        status = process.wait()
    except (KeyboardInterrupt, SystemExit) as exc:
        # A terminal signals the program, too; `kill` may have signalled only us.
        process.send_signal(signal.SIGINT if isinstance(exc, KeyboardInterrupt) else signal.SIGTERM)
        process.wait()
        raise
    finally:
        # A background process, such as an ssh that keeps a connection, may hold stderr open.
        listening.join(LINGER)
    log = read_logs(files.log, JUMP_LOG)
    if status and machines:
        if log.is_key_changed:
            raise_changed_host_key(machines, console, login)
        failed = next((each for each in machines if ssh_endpoint(each).host in log.text), machines[-1])
        raise_ssh_failure(log, failed, console, login)
    return ProgramResult(status if status >= 0 else 128 - status, "\n".join(heard.said), log)


class StderrReader:
    """Prints the lines, and keeps the last."""

    def __init__(self, console: Console) -> None:
        self.said: deque[str] = deque(maxlen=MOST_KEPT)
        self._console = console

    def listen(self, stream: IO[bytes]) -> None:
        with stream:
            while raw := stream.readline(LONGEST_LINE):
                line = raw.decode(errors="replace").rstrip("\r\n")
                self.said.append(line)
                self._console.note(line)


def raise_ssh_failure(log: LoginLog, machine: Machine, console: Console, login: Login) -> None:
    """Raise SSHError for a login that ssh's log explains."""
    from machinectl.ssh.openssh.login_failures import connection_failure
    from machinectl.ssh.ssh_errors import PORT, USER, SSHError
    from machinectl.ssh.ssh_settings import read_settings

    endpoint, doctor = ssh_endpoint(machine), Hint("See why", "machinectl doctor", machine.name)
    if log.is_key_changed or log.revoked is not None:
        raise_changed_host_key([machine], console, login)
    elif log.is_key_unknown or log.find(f"^{re.escape(UNVERIFIED)}$"):
        raise SSHError(
            f'ssh does not know a host key on the way to "{machine.name}"',
            Hint("See it, and accept it", "machinectl run", machine.name, "--", "true"),
        )
    elif denied := log.find(r"^(?:([^-\s]\S*@\S+): )?Permission denied \((.*)\)\.$"):
        whom, methods = denied[1] or "", denied[2].split(",")
        if whom.rpartition("@")[2] == endpoint.host:
            if endpoint.key and not os.path.lexists(endpoint.key):
                raise missing_key(machine, endpoint.key, whom)
            doctor |= set_setting(machine, USER)
            if "password" in methods and not endpoint.jump:
                # ssh asks only at a terminal.
                port = ["-p", str(endpoint.port)] if endpoint.port else []
                doctor = Hint("Let it accept a key of yours, with the password", "ssh-copy-id", *port, whom) | doctor
        raise SSHError(f"{whom} refuses the login; it accepts {', '.join(methods)}", doctor)
    elif error := connection_failure(read_settings(endpoint), log):
        error.advise(doctor)
        if isinstance(error.__cause__, ConnectionRefusedError):
            error.hint |= set_setting(machine, PORT)
        raise error


def raise_changed_host_key(machines: Iterable[Machine], console: Console, login: Login) -> None:
    """Raise HostKeyRefused for the host with the changed key."""
    from machinectl.ssh.ssh_errors import HostKeyRefused, SSHError

    for machine in machines:
        try:
            verify_host_key(machine, console, login)
        except HostKeyRefused:
            raise
        except SSHError:
            continue


def verify_host_key(machine: Machine, console: Console, login: Login) -> None:
    from machinectl.ssh.connect import check_host_key
    from machinectl.ssh.keys.host_keys import HostKeyPolicy
    from machinectl.ssh.ssh_errors import HostKeyRefused

    policy = HostKeyPolicy(pinned_known_hosts(machine), machine=machine.name)
    there = at_last_address(machine, ssh_endpoint(machine))
    try:
        check_host_key(there, login.credentials, policy, console)
    except HostKeyRefused as exc:
        add_machine_hints(exc, machine, there)
        raise
