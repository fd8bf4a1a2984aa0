"""Run a machinectl command line and be killed (SIGKILL) right before its N-th touch of the store.

    python -m tests.support.dying N STORE ARGUMENT…

Python's audit events (PEP 578) tell of each open, mkdir, rename and unlink before it happens.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from machinectl.cli.app import run

TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink"}


def die_at(number: int, *directories: str, programs: bool = False) -> None:
    """Be killed right before the N-th touch of a directory; with `programs`, starting a program is one, too."""
    left = number

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        is_touch = event in TOUCHES and bool(arguments) and str(arguments[0]).startswith(directories)
        if not is_touch and not (programs and event == "subprocess.Popen"):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


if __name__ == "__main__":
    die_at(int(sys.argv[1]), sys.argv[2])
    sys.exit(run(["-s", sys.argv[2], *sys.argv[3:]]))
