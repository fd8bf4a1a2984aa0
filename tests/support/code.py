"""What `python -c` runs, for a fork: `Forked(["-c", code, …], module="tests.support.code")`."""

from __future__ import annotations

import sys


def main() -> int:
    code = sys.argv.pop(1)
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    return 0
