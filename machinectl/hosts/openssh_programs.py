"""Run the system's ssh in our terminal (or paramiko), and programs that use ssh: scp, rsync and sshfs."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

from machinectl.console import UnattendedConsole
from machinectl.driver.installed_drivers import close_all
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.spool_directory import temporary_directory
from machinectl.foreground_program import end_alike, run_foreground
from machinectl.hosts.login import add_machine_hints, logged_in, login_endpoint, pin_first_key, pin_in_store
from machinectl.hosts.ssh_config import checked_known_hosts, machine_host_block
from machinectl.machines.selection import chosen_one
from machinectl.process_streams import find_program
from machinectl.ssh.openssh.config_block import USERS_OWN, with_user_files
from machinectl.ssh.openssh.login_log import read_logs
from machinectl.ssh.openssh.ssh_options import JUMP_LOG, openssh_command, option_words, quote_config_path
from machinectl.ssh.ssh_settings import check_ssh_user, read_settings
from machinectl.url import parse_url
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

# ssh's options in getopt's form (ssh.c).
LETTERS = "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy"
# From ssh(1), EXIT STATUS.
SSH_FAILED = 255
UNVERIFIED = "Host key verification failed."


def ssh(store: Store, console: Console, words: Sequence[str], login: Login, *, native: bool = False) -> int:
    """Return the remote exit status; pin a new host's key.

    `words` are the machine (NAME or USER@NAME) or none, and ssh's arguments. paramiko is for `native`, and for
    computers without ssh.
    """
    if words and words[0].startswith("-"):
        raise UsageError(
            f"{words[0]} is not an option of ours; put options of ssh after the machine's name",
            Hint("", "machinectl ssh <NAME>", words[0]),
        )
    user, _, name = "".join(words[:1]).rpartition("@")
    if user:
        check_ssh_user(user)
    machine = store.read(machine_at(store, name) or chosen_one(store, [name] if words else []))
    endpoint = login_endpoint(machine, console, login)
    endpoint = replace(endpoint, user=user or endpoint.user)
    arguments = list(words[1:])
    has_options = bool(arguments) and arguments[0].startswith("-")
    by_system = bool(find_program("ssh")) and (has_options or not native)
    if has_options and not by_system:
        raise UsageError(
            f"There is no ssh on this computer, and machinectl's own takes a command, not {arguments[0]}",
            Hint("Install the OpenSSH client"),
        )
    pin = pin_in_store(store, console, machine)
    if not by_system:
        from machinectl.ssh.native.native_session import run_shell

        with logged_in(machine, console, login, ssh=endpoint, quietly=True, native=True, pin=pin) as session:
            return run_shell(session, arguments)
    if not arguments and not sys.stdin.isatty():
        # Without -T, ssh warns that stdin is not a terminal.
        arguments = ["-T"]
    with ExitStack() as stack:
        if login.needs_login and not native:
            session = stack.enter_context(logged_in(machine, console, login, ssh=endpoint, quietly=True, pin=pin))
            arguments = [
                "-o",
                f"ControlPath={quote_config_path(session.control)}",
                "-o",
                "ControlMaster=no",
                *arguments,
            ]
        else:
            pin_first_key(store, console, machine, login, endpoint)
        return run_ssh(machine, endpoint, arguments, console, login)


def machine_at(store: Store, address: str) -> str:
    """Return the only machine whose host has this address, "" for a machine's name and if there is none."""
    if not address or store.exists(address):
        return ""
    names = [
        machine.name for machine in store.readable() if address in {parse_url(url).host for url in machine.urls if url}
    ]
    return names[0] if len(names) == 1 else ""


def run_ssh(machine: Machine, endpoint: SSHEndpoint, arguments: Sequence[str], console: Console, login: Login) -> int:
    """Raise SSHError if ssh does not connect."""
    import getopt

    known_hosts = checked_known_hosts(machine, endpoint)
    try:
        pairs, command = getopt.getopt(list(arguments), LETTERS)
        typed = [letter + value for letter, value in pairs]
    except getopt.GetoptError:
        # ssh reports it.
        typed, command = list(arguments), []
    # For ssh, the first value of an option counts: the pinned key, then what was typed, then these.
    defaults = {
        # Without this, ssh waits for minutes for a host that is off, and forever for a silent one.
        "ConnectTimeout": f"{read_settings(endpoint).connect_timeout:.0f}",
        # ssh takes no command beside one of the configuration.
        **({"RemoteCommand": "none"} if command else {}),
        **({"User": endpoint.user} if endpoint.user else {}),
        **({"Port": str(endpoint.port)} if endpoint.port else {}),
    }
    close_all()
    sys.stdout.flush()
    sys.stderr.flush()
    with temporary_directory() as directory:
        # ssh's own messages go to a file: a remote command cannot write to it.
        log = os.path.join(directory, "log")
        *pinned, host = openssh_command(
            replace(endpoint, user="", port=0), known_hosts=known_hosts, log="" if "-v" in typed else log
        )
        line = [*pinned, *typed, *option_words(defaults), host, *command]
        if login.trace:
            login.trace(shlex.join(line))
        try:
            status = run_foreground(line, os.environ)
        except OSError as exc:
            raise MachineError(f"ssh cannot be started: {exc.strerror}", Hint("Try: ssh -V")) from exc
        said = read_logs(log, JUMP_LOG)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == SSH_FAILED:
        raise_login_failure(said, machine, endpoint, console, login)
    if said.text:
        console.note(said.text.rstrip("\n"))
    return end_alike(status)


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
            else:
                pin_first_key(store, console, machine, login, endpoint)
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
        if log.text:
            console.note(log.text.rstrip("\n"))
    return status if status >= 0 else 128 - status


def raise_login_failure(log: LoginLog, machine: Machine, endpoint: SSHEndpoint, console: Console, login: Login) -> None:
    """Raise SSHError if ssh's log shows a failed login. To find out why the host refuses it, log in again."""
    from machinectl.ssh.openssh.login_log import connection_failure
    from machinectl.ssh.ssh_errors import SSHError

    doctor = Hint("See why", "machinectl doctor", machine.name)
    if error := connection_failure(read_settings(endpoint), log):
        add_machine_hints(error, machine, endpoint)
        error.hint = doctor | error.hint
        raise error
    if log.is_key_changed or log.is_denied or log.revoked is not None:
        with logged_in(machine, UnattendedConsole(console, doctor), login, ssh=endpoint, quietly=True):
            return
    if log.is_key_unknown or f"{UNVERIFIED}\n" in log.text:
        raise SSHError(
            f'ssh does not know a host key on the way to "{machine.name}"',
            Hint("See it, and accept it", "machinectl run", machine.name, "--", "true"),
        )
