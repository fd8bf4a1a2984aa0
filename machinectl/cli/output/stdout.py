"""What goes to stdout: data and nothing else."""

from __future__ import annotations

import os
import sys

from machinectl.cli.output.sanitise import harmless, harmless_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def write_out(text: str) -> None:
    """Write text in the locale's encoding, or UTF-8 where that lacks a character; undecodable bytes as they were.

    A program gets what there is; a terminal nothing that it would take for a command.
    """
    draw(harmless(text) if sys.stdout.isatty() else text)


def write_file(text: str) -> None:
    """Write a text that is to be a file in UTF-8, whatever the locale is."""
    if sys.stdout.isatty():
        write_out(text)
    else:
        write_bytes(text.encode())


def draw(text: str) -> None:
    """Write our own text, control sequences and all."""
    try:
        write_bytes(os.fsencode(text))
    except UnicodeEncodeError:
        write_bytes(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_json(data: Any, *, indent: int | None = 4) -> None:
    """Print JSON in UTF-8; what is not printable, or half a surrogate pair, as the escape that JSON has for it.

    Without an `indent` it is one line.
    """
    import json

    write_bytes(harmless_json(json.dumps(data, indent=indent, ensure_ascii=False) + "\n").encode())
