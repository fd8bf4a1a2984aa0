"""Run a machinectl command line and be killed (SIGKILL) right before its N-th touch of the store.

What only reads is left out where it follows what only reads: who is killed there leaves what is left a touch before.

    python -m tests.support.dying N STORE ARGUMENT…, or `tests.support.program.killed_at`

Python's audit events (PEP 578) tell of each open, mkdir, rename and unlink before it happens.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink"}


def die_at(number: int, *directories: str, programs: bool = False) -> None:
    """Be killed right before the N-th touch of a directory; with `programs`, starting a program is one, too.

    A touch is what may change something there, and the first after it, whatever that is: what goes on elsewhere in
    between, as on a host, has not begun at the one and has ended at the other.
    """
    left, changed = number, True

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left, changed
        is_program = programs and event == "subprocess.Popen"
        if not is_program and not (event in TOUCHES and arguments and str(arguments[0]).startswith(directories)):
            return
        changes = is_program or may_change(event, *arguments)
        left -= int(changes or changed)
        changed = changes
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


def may_change(event: str, path: str, *more: Any) -> bool:
    """Whether what is about to happen may change something. As os.open, open says its flags last."""
    if event == "open":
        return bool(more[-1] & (os.O_WRONLY | os.O_RDWR))
    if event in {"os.remove", "os.rmdir"}:
        return os.path.lexists(path)
    return event != "os.mkdir" or not os.path.lexists(path)


def main() -> int:
    from machinectl.cli.app import run

    die_at(int(sys.argv[1]), sys.argv[2])
    return run(["-s", sys.argv[2], *sys.argv[3:]])


if __name__ == "__main__":
    sys.exit(main())
