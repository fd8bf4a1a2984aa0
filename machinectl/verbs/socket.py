"""The verbs `socket`, `socket ls` and `socket rm`."""

from __future__ import annotations

import os
import sys

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.output.stdout import print_lines, write_out
from machinectl.errors import NO_HINT, Hint, UsageError
from machinectl.machines.flags import FILE, MACHINE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.tunnels.local_sockets import OpenSocket


VERBS = {
    "socket": Verb(
        "socket",
        more=(
            "It runs the command, and closes the socket when the command ends. Without a command, it prints the shell "
            "commands to paste into another shell, and serves the socket until ^C. With eval, use --background."
        ),
        examples=(
            "machinectl socket orionbox -- pytest tests",
            "eval $(machinectl socket orionbox --background)",
            "machinectl socket rm orionbox",
        ),
        arguments=(Argument("words", "[NAME] [-- COMMAND…]", MACHINE, many=True),),
        flags=(
            Flag("--path", metavar="FILE", help="The socket's path (default: in a private directory).", value=FILE),
            Flag("--background", help="Serve it until `socket rm`, logout, or the machine's removal."),
            Flag("--forward", help="Forward what containers publish, too, as `forward --auto` does."),
            shared.ENV_SHELL,
            Flag("--log", metavar="FILE", help="The log of --background.", value=FILE, hidden=True),
        ),
    ),
    "socket ls": Verb(
        "socket_ls",
        examples=("machinectl socket ls",),
        flags=(Flag("-q", "--quiet", help="Print paths only."), shared.JSON),
        output=PRINTS,
        follows=False,
    ),
    "socket rm": Verb(
        "socket_rm",
        more="The socket of a running command stays: it ends with its command.",
        examples=("machinectl socket rm orionbox", "machinectl socket rm /run/user/1000/engine.sock"),
        arguments=(Argument("names", "NAME|FILE…", MACHINE, many=True, required=True, repeats=True),),
        follows=False,
    ),
}


# Separates the name from the command.
DASHES = "--"


def socket(
    here: Session, *, words: list[str], path: str, background: bool, forward: bool, shell: str | None, log: str
) -> int:
    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.machines.selection import chosen_one
    from machinectl.shell import POSIX, SHELLS, detect, env_script, statements
    from machinectl.tunnels.socket_service import open_in_background, run_with_socket, serve_socket

    names, command = name_and_command(here, words)
    name = chosen_one(here.store, names)
    if command:
        if background:
            raise UsageError(
                "A command and --background exclude each other", Hint("", "machinectl socket", name, "--background")
            )
        from machinectl.features import functions
        from machinectl.foreground_program import end_alike

        for before_docker in functions("before_docker") if command[0] == "docker" else ():
            before_docker(here.console, [name], command[1:])
        with exiting_on_signals():
            status = run_with_socket(here.store, here.console, name, path, command, os.environ, forward=forward)
        return end_alike(status)
    own_shell = shell or detect(os.environ, os.getppid())
    if background:
        variables = open_in_background(here.store, name, path, forward=forward)
        write_out(env_script(own_shell, variables, sys.argv, os.environ.get("PATH", "")))
        return 0

    def announce(variables: Mapping[str, str | None], other: OpenSocket | None) -> None:
        write_out(statements(own_shell, variables))
        if other:
            here.console.note(
                f"{other.path} is open already, by {other.server}", Hint("Close it", "machinectl socket rm", name)
            )
        elif sys.stderr.isatty():
            evaluated = SHELLS.get(own_shell, POSIX).evaluation(f"machinectl socket {name} --background").strip()
            hint = NO_HINT if sys.stdout.isatty() else Hint("To let this shell read it", evaluated)
            here.console.note(f"{name}'s engine is at this socket until ^C", hint)

    try:
        with exiting_on_signals():
            serve_socket(here.store, here.console, name, path, announce, log=log, forward=forward)
    except KeyboardInterrupt:
        return 0
    return 0


def name_and_command(here: Session, words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Return the names and the command after the dashes, which `words` lack. Raises UsageError for several names."""
    has_dashes = DASHES in here.arguments
    command = here.arguments[here.arguments.index(DASHES) + 1 :] if has_dashes else []
    names = words[: len(words) - len(command)]
    if has_dashes and not command:
        raise UsageError(
            "The command after the dashes is missing", Hint("For example", "machinectl socket <NAME> -- docker ps")
        )
    if len(names) > 1:
        raise UsageError(
            f"socket takes one machine; put the command after {DASHES}",
            Hint("For example", "machinectl socket <NAME> -- docker ps"),
        )
    return names, command


def socket_ls(here: Session, *, quiet: bool, as_json: bool) -> None:
    from machinectl.cli.tables.text_table import print_fields
    from machinectl.tunnels.local_sockets import open_sockets

    if quiet and as_json:
        raise UsageError("--json and --quiet exclude each other", Hint("Leave one of them out"))
    sockets = [each for each in open_sockets() if each.store == here.store.root]
    sockets.sort(key=lambda each: (each.machine, each.path))
    if quiet:
        print_lines(each.path for each in sockets)
    else:
        rows = [
            {
                "Name": own.machine,
                "Socket": own.path,
                "URL": f"unix://{own.path}",
                "PID": own.pid,
                "Command": own.command,
                "Log": own.log,
            }
            for own in sockets
        ]
        columns = {"NAME": "Name", "SOCKET": "Socket", "PID": "PID", "COMMAND": "Command"}
        print_fields(columns, rows, as_json=as_json)


def socket_rm(here: Session, *, names: list[str]) -> None:
    from machinectl.hosts.docker_environment import UNIX
    from machinectl.tunnels.local_sockets import close_sockets

    for what in names:
        for own in close_sockets(here.store, what):
            print_lines([own.path])
            if os.environ.get("DOCKER_HOST") == f"{UNIX}{own.path}":
                here.console.note("This shell points at it", Hint("", "eval $(machinectl env -u)"))
