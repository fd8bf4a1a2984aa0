"""What goes to stdout: data and nothing else."""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def write_out(text: str) -> None:
    """Write text in the locale's encoding, or UTF-8 where that lacks a character; undecodable bytes as they were."""
    try:
        write_bytes(os.fsencode(text))
    except UnicodeEncodeError:
        write_bytes(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_json(data: Any) -> None:
    """Print JSON in UTF-8; half a surrogate pair, which UTF-8 cannot hold, as the escape that JSON has for it."""
    text = json.dumps(data, indent=4, ensure_ascii=False) + "\n"
    write_bytes(text.encode(errors="backslashreplace"))
