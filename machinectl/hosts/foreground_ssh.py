"""A shell or a command on a host, with our terminal: by the system's ssh, or by paramiko."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack

from machinectl.driver.installed_drivers import close_all
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.spool_directory import temporary_directory
from machinectl.foreground_program import end_alike, run_foreground
from machinectl.hosts.login import logged_in, login_endpoint, pin_first_key, pin_in_store
from machinectl.hosts.openssh_programs import raise_login_failure
from machinectl.hosts.ssh_config import checked_known_hosts
from machinectl.machines.selection import chosen_one
from machinectl.process_streams import find_program
from machinectl.ssh.openssh.login_log import read_logs
from machinectl.ssh.openssh.ssh_options import JUMP_LOG, openssh_command, option_words, quote_config_path
from machinectl.ssh.ssh_settings import check_ssh_user, read_settings
from machinectl.url import parse_url
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# ssh's options in getopt's form (ssh.c).
LETTERS = "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy"
# From ssh(1), EXIT STATUS.
SSH_FAILED = 255


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
        elif warning := pin_first_key(store, console, machine, login, endpoint):
            console.warn(warning)
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
