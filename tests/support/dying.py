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

TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.link"}


def die_at(number: int, directory: str) -> None:
    left = number

    def touched(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in TOUCHES or not arguments or not str(arguments[0]).startswith(directory):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


if __name__ == "__main__":
    die_at(int(sys.argv[1]), sys.argv[2])
    sys.exit(run(["-s", sys.argv[2], *sys.argv[3:]]))
