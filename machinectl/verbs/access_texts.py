"""Take a request or an answer from a file, a pipe or a terminal; hand one to the user, who sends it on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Protocol

from machinectl.cli.output.stdout import print_result, write_file
from machinectl.errors import Hint, MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from machinectl.cli.verb_session import Session


# Why both sides compare fingerprints on the phone.
COMPARE = "a chat is not authenticated"
STDIN = "-"
# Seconds. A terminal delivers a long paste in pieces, and SSH may delay each.
QUIET = 0.5


class Fingerprinted(Protocol):
    """A request or an answer."""

    @property
    def fingerprint(self) -> str: ...

    def text(self) -> str: ...


def utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def file_of(output: str) -> str:
    """Return the file of an option that takes - for stdout, "" for stdout."""
    return "" if output == "-" else output


def hand_over(here: Session, what: str, sent: Fingerprinted, to: str, output: str, again: str) -> None:
    """Print a request or an answer or write it to a new file, and say who gets it.

    `what` is "request" or "answer"; `again` is the command that makes it again.
    """
    from machinectl.files.user_files import write_new_file

    if path := file_of(output):
        try:
            write_new_file(path, sent.text())
        except MachineError as exc:
            hint = Hint(f"Print the same {what}", again)
            raise MachineError(f"{exc.cause}. The {what} is made, only its file is missing", hint) from exc
        here.console.note(f"The {what} is in {path}")
    else:
        print_result(lambda: write_file(sent.text()), again)
    here.console.note(
        f"Send it to {to}: it holds no secret. "
        f"Its fingerprint is {sent.fingerprint}. Read it out on the phone: {COMPARE}."
    )


def read_pasted(here: Session, file: str, what: str) -> bytes:
    """Return at most one line more than is allowed. `what` is "request" or "answer".

    At a terminal, it ends with the END line, so that ^D is not needed. Raises MachineError without any text.
    """
    from machinectl.access.wire_format import LONGEST_TEXT

    command = f"machinectl access {'grant' if what == 'request' else 'accept'}"
    if file not in {"", STDIN}:
        try:
            with open(file, "rb") as opened:
                return opened.read(LONGEST_TEXT + 1)
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else str(exc)
            hint = Hint("See", "ls -l", file) | Hint(f"or paste the {what}", command)
            raise MachineError(f"{file} cannot be read: {reason}", hint) from exc
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
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR)
        os.dup2(terminal, sys.stdin.fileno())
        os.close(terminal)


def read_at_terminal() -> bytes:
    from machinectl.access.wire_format import is_complete

    text = b""
    try:
        while not is_complete(text) and (line := sys.stdin.buffer.readline()):
            text += line
    except OSError:  # the terminal was closed, and SIGHUP is ignored
        return b""
    drop_typed()
    return text


def drop_typed() -> None:
    """Drop what was pasted after the END line, until the terminal is quiet: it must not answer the next question."""
    import select
    import termios

    while select.select([sys.stdin], [], [], QUIET)[0]:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    # select ignores a line without an end.
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
