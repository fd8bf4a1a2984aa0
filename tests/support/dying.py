"""Run a machinectl command line and be killed (SIGKILL) right before its N-th touch of the store.

What only reads is left out where it follows what only reads: who is killed there leaves what is left a touch before.

    python -m tests.support.dying N STORE ARGUMENT…, or `tests.support.program.killed_at`
    python -m tests.support.dying N:PART STORE ARGUMENT…, or `tests.support.program.killed_around_commands`
    python -m tests.support.dying N:engine STORE ARGUMENT…, or `tests.support.program.killed_at_engine`
    python -m tests.support.dying N:microseconds STORE ARGUMENT…, or `tests.support.program.killed_after`

Python's audit events (PEP 578) tell of each open, mkdir, rename and unlink before it happens.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from machinectl.ssh.session import Transfer

# The part that means what is sent to engines.
ENGINE = "engine"
# The part that means a time after the start.
TIME = "microseconds"
TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink"}


def die_at(number: int, *directories: str) -> None:
    """Be killed right before the N-th touch of a directory.

    A touch is what may change something there, and the first after it, whatever that is: what goes on elsewhere in
    between, as on a host, has not begun at the one and has ended at the other.
    """
    left, changed = number, True

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left, changed
        if not (event in TOUCHES and arguments and str(arguments[0]).startswith(directories)):
            return
        changes = may_change(event, *arguments)
        left -= int(changes or changed)
        changed = changes
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


def die_around_commands(number: int, directory: str, part: str) -> None:
    """Be killed right before the N-th moment at which the host, or what the machines' records say of it, is another.

    That is before each command on the host that follows a change, before the first change that follows a command, and
    before each record. Of the other changes only those of paths that contain `part` count: what a kill leaves there is
    tested without a host. A file that is still to be renamed is no change.
    """
    from machinectl.ssh.openssh.openssh_session import SystemSession

    left, changed, commanded = number, False, False

    def moment() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changed, commanded
        if event == "open" or event not in TOUCHES or not str(arguments[0]).startswith(f"{directory}/machines/"):
            return
        if not may_change(event, *arguments):
            return
        is_record = event == "os.rename" and str(arguments[1]).endswith("/machine.json")
        if commanded or is_record or (part and part in str(arguments[0])):
            moment()
        changed, commanded = True, False

    transfer = SystemSession.transfer

    def run(session: SystemSession, given: Transfer) -> int | None:
        nonlocal changed, commanded
        if changed:
            moment()
        changed, commanded = False, True
        return transfer(session, given)

    SystemSession.transfer = run  # type: ignore[assignment,method-assign]
    sys.addaudithook(touched)


def die_at_engine(number: int) -> None:
    """Be killed right before the N-th time that something is sent to an engine."""
    from machinectl.engine.wire import Wire

    left, send = number, Wire.send

    def sent(wire: Wire, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        send(wire, data)

    Wire.send = sent  # type: ignore[assignment,method-assign]


def may_change(event: str, path: str, *more: Any) -> bool:
    """Whether what is about to happen may change something. As os.open, open says its flags last."""
    if event == "open":
        return bool(more[-1] & (os.O_WRONLY | os.O_RDWR))
    if event in {"os.remove", "os.rmdir"}:
        return os.path.lexists(path)
    return event != "os.mkdir" or not os.path.lexists(path)


def main() -> int:
    from machinectl.cli.typer_app import run_with_typer

    number, around_commands, part = sys.argv[1].partition(":")
    if part == ENGINE:
        die_at_engine(int(number))
    elif part == TIME:
        # SIGALRM ends a process that does not handle it as SIGKILL does.
        signal.setitimer(signal.ITIMER_REAL, int(number) / 1e6)
    elif around_commands:
        die_around_commands(int(number), sys.argv[2], part)
    else:
        die_at(int(number), sys.argv[2])
    return run_with_typer(["-s", sys.argv[2], *sys.argv[3:]])


if __name__ == "__main__":
    sys.exit(main())
