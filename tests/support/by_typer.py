"""Run a command line by Typer, also one that is read without it."""

from __future__ import annotations

import sys


def main() -> int:
    from machinectl.cli.typer_app import run_with_typer

    return run_with_typer(sys.argv[1:])
