"""Read a request for access or an answer: from a file, a pipe, or pasted at a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from machinectl.access.wire.pem_block import LONGEST_TEXT, is_complete
from machinectl.errors import Hint, MachineError

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session

STDIN = "-"
# Seconds. A terminal delivers a long paste in pieces, and SSH may delay each.
QUIET = 0.5


def read_pasted(here: Session, file: str, what: str) -> bytes:
    """Return at most one line more than is allowed. `what` is "request" or "answer".

    At a terminal, it ends with the END line, so that ^D is not needed. Raises MachineError without any text.
    """
    command = f"machinectl access {'grant' if what == 'request' else 'accept'}"
    if file not in {"", STDIN}:
        return read_given(file, Hint("See", "ls -l", file) | Hint(f"or paste the {what}", command))
    if not sys.stdin.isatty():
        text = sys.stdin.buffer.read(LONGEST_TEXT + 1)
        ask_at_terminal()
    else:
        here.console.note(f"Paste the {what}, up to its END line (^C to stop):")
        text = read_at_terminal()
    if not text.strip():
        raise MachineError(f"stdin holds no {what}", Hint("Paste it, or name its file", command, "<FILE>"))
    return text


def ask_at_terminal() -> None:
    """Make the terminal stdin, if there is one: `xclip -o | machinectl access grant` has to be asked, as by ssh."""
    if not sys.stderr.isatty():
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return
    os.dup2(terminal, sys.stdin.fileno())
    os.close(terminal)


def read_at_terminal() -> bytes:
    text = b""
    try:
        while not is_complete(text) and (line := sys.stdin.buffer.readline()):
            text += line
    except OSError:  # the terminal was closed, and SIGHUP is ignored
        return b""
    drop_typed()
    return text


def read_given(file: str, hint: Hint) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(LONGEST_TEXT + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise MachineError(f"{file} cannot be read: {reason}", hint) from exc


def drop_typed() -> None:
    """Drop what was pasted after the END line, until the terminal is quiet: it must not answer the next question."""
    import select
    import termios

    while select.select([sys.stdin], [], [], QUIET)[0]:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    # select ignores a line without an end.
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
