"""Read a request for access or an answer: from a file, a pipe, or pasted at a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.files.atomic import quote_word
from machinectl.hosts.access.wire.armor import LONGEST_TEXT, has_end

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session

STDIN = "-"
# Seconds. A terminal delivers a long paste in pieces, and SSH may delay each.
QUIET = 0.5


def read_pasted(here: Session, file: str, what: str) -> bytes:
    """Return at most one byte more than is allowed. `what` is "request" or "answer".

    At a terminal, it ends with the END line, so that ^D is not needed. Raises MachineError without any text.
    """
    if file not in {"", STDIN}:
        return read_given(file, what)
    if not sys.stdin.isatty():
        found = sys.stdin.buffer.read(LONGEST_TEXT + 1)
        if not found.strip():
            raise MachineError(f"stdin holds no {what}", f"Name its file, or paste it at a terminal: {command(what)}")
        ask_at_terminal()
        return found
    here.console.note(f"Paste the {what}, up to its END line (^C to stop):")
    found = b""
    try:
        while not has_end(found) and (line := sys.stdin.buffer.readline()):
            found += line
    except OSError:  # the terminal was closed, and SIGHUP is ignored
        found = b""
    if not found.strip():
        raise MachineError(f"No {what} was pasted", f"Paste it, or name its file: {command(what)} <FILE>")
    drop_typed()
    return found


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


def read_given(file: str, what: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(LONGEST_TEXT + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise MachineError(
            f"{file} cannot be read: {reason}", f"See: ls -l {quote_word(file)}; or paste the {what}: {command(what)}"
        ) from exc


def command(what: str) -> str:
    return f"machinectl access {'grant' if what == 'request' else 'accept'}"


def drop_typed() -> None:
    """Drop what was pasted after the END line, until the terminal is quiet: it must not answer the next question."""
    import select
    import termios

    while select.select([sys.stdin], [], [], QUIET)[0]:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    # select ignores a line without an end.
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
