"""Write data to stdout."""

from __future__ import annotations

import os
import sys

from machinectl.cli.catalogue import PRINTS, WORKS
from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import called, program_with
from machinectl.cli.output.stdio import OutputError, set_output_kind
from machinectl.cli.output.style import harmless
from machinectl.errors import Hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def write_out(text: str) -> None:
    """Write text in the locale's encoding, else UTF-8, with undecodable bytes intact; sanitise it for a terminal."""
    draw(harmless(text) if sys.stdout.isatty() else text)


def write_file(text: str) -> None:
    """Write a file's text, always in UTF-8."""
    if sys.stdout.isatty():
        write_out(text)
    else:
        write_bytes(text.encode())


def draw(text: str) -> None:
    """Write text with control sequences."""
    try:
        write_bytes(os.fsencode(text))
    except UnicodeEncodeError:
        write_bytes(text.encode("utf-8", "surrogateescape"))


def write_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_lines(lines: Iterable[object]) -> None:
    write_out("".join(f"{line}\n" for line in lines))


def print_result(write: Callable[[], None], again: str) -> None:
    """Write what a verb that works was run for. If that fails, raise MachineError with the command to repeat."""
    set_output_kind(PRINTS)
    try:
        write()
    except OutputError as exc:
        if exc.reader_is_gone:
            raise
        from machinectl.errors import MachineError

        raise MachineError(str(exc), Hint("Make room, and print it again", again)) from exc
    finally:
        set_output_kind(WORKS)


def print_value(text: str, fields: Any, *, as_json: bool) -> None:
    """Print a line, or its value as JSON."""
    if as_json:
        print_json(fields)
    else:
        write_out(f"{text}\n")


def with_commands_as_called(data: Any) -> Any:
    """Write the commands of hints in a JSON value as this program was called."""
    if isinstance(data, list):
        return [with_commands_as_called(each) for each in data]
    if isinstance(data, Hint):
        return Hint.of(*((*part, False) for part in called(data, program_with(THIS.root))))
    if isinstance(data, dict):
        return {key: with_commands_as_called(value) for key, value in data.items()}
    return data


def print_json(data: Any, *, indent: int | None = 4) -> None:
    """Print UTF-8 JSON; escape what is not printable."""
    import json

    data = with_commands_as_called(data)
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    if not text.replace("\n", "").isprintable():
        # Escapes lose nothing (RFC 8259 7).
        text = json.dumps(data, indent=indent).replace("\x7f", r"\u007f")
    write_bytes(f"{text}\n".encode())
