"""Run a command line by Typer, also one that is read without it."""

from __future__ import annotations

import sys


def main() -> int:
    from machinectl.cli.typer_app import run

    return run(sys.argv[1:])
