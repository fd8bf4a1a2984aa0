"""How a script travels to the host and its output back, whatever the user's login shell is and prints.

The command that the SSH server runs is always LOGIN_COMMAND, which every login shell takes (sh, csh and fish quote it
alike). The script comes after it on standard input as one line of sh, then the script's own input. So nothing that is
sent is ever seen in an argument list, and the answer to the request need not be waited for. What the script prints
stands between two marks on both streams; the noise of a login and sudo's lecture are outside of them. Pure functions.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# `read` takes its line byte by byte (POSIX), and leaves the rest to the commands that follow.
READING_SHELL = """sh -c 'IFS= read -r line && eval "$line"'"""
LOGIN_COMMAND = f"exec {READING_SHELL}"
# As root's shell: what comes before this line is a password that sudo did not need.
BEGIN = "# machinectl: the script follows"
ROOT_COMMAND = f'while IFS= read -r line && [ "$line" != "{BEGIN}" ]; do :; done; IFS= read -r line && eval "$line"'
# Where a system keeps sudo: a password is for no program that the user's own PATH leads to (the last is NixOS's).
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/wrappers/bin"
# Messages in English whatever the host's locale. The system's programs are found even if the user's PATH or sudo's
# secure_path lacks their directories.
ENVIRONMENT = 'LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"'
# How much of what is said before a script's own output is kept, in bytes.
MOST_NOISE = 1 << 16
# The highest exit status of a shell (POSIX), and the longest number that is accepted as one, in bytes.
MOST_STATUS = 255
LONGEST_NUMBER = 20


@dataclass(frozen=True, slots=True)
class Framed:
    """What came back: the script's output between the marks, and what was said outside of them.

    `status` is None where the closing mark is missing: the script was ended from outside, or never ran; `started`
    tells which.
    """

    started: bool
    status: int | None
    stdout: bytes
    stderr: bytes
    noise: bytes


def program(script: str, mark: str) -> str:
    """One line of sh that runs a script between marks, with what is left of standard input as its input.

    The script is sh of any length, without NUL. `mark` is a word that the script's output does not hold. What the
    script leaves of its input is read in the end: the channel then closes after all was sent, never in the middle.
    """
    return f"{ENVIRONMENT}; {marked(f'(eval {as_word(script)})', mark)}; cat >/dev/null"


def followed(script: str, mark: str) -> str:
    """Return lines of sh that run a user's script between marks, where the first line printed is its process number.

    It has the login's environment. Unread input is discarded: nobody waits for the channel to close. The script has a
    shell of its own, so that the outer one can report how it ended. That shell reads the last line, which is sent only
    when the process number is known: until then, the command could not be ended.
    """
    line = f"eval {as_word(script)}" if "\n" in script else script
    return f"{marked(f'echo $$; {READING_SHELL}', mark)}\n{line}"


def parted(lines: str) -> tuple[bytes, bytes]:
    """Split `followed` into the lines that are sent first and the script's own line, which is sent later."""
    first, script = lines.removesuffix("\n").rsplit("\n", 1)
    return f"{first}\n".encode(errors="surrogateescape"), f"{script}\n".encode(errors="surrogateescape")


def followed_as_root(script: str, mark: str) -> str:
    """The same, where English was asked for on the way, for sudo."""
    return f"unset LC_ALL; {followed(script, mark)}"


def marked(command: str, mark: str) -> str:
    """Return a line of sh that runs a command between marks, and prints its exit status."""
    return (
        f"printf '%s\\n' {mark}; printf '%s\\n' {mark} >&2; {command}; "
        f"printf '%s%d\\n' {mark}: $?; printf '%s\\n' {mark}: >&2"
    )


def as_word(script: str) -> str:
    """Return a script of any number of lines as a word of sh on one line."""
    # A script of one line needs no printf.
    return f"\"$(printf '%b' {one_line(script)})\"" if "\n" in script else shlex.quote(script)


def one_line(text: str) -> str:
    r"""A text as one word of sh on one line, for printf's %b (POSIX: \\ and \n)."""
    return shlex.quote(text.replace("\\", "\\\\").replace("\n", "\\n"))


def as_user(script: str, mark: str, runs: Callable[[str, str], str] = program) -> str:
    """What to send to LOGIN_COMMAND, before the script's input; `runs` makes one line of the script."""
    return f"{runs(script, mark)}\n"


def as_root(
    script: str, mark: str, command: str, password: str | None = None, runs: Callable[[str, str], str] = program
) -> str:
    """The same as root: `command` is one of those below, of ROOT_COMMAND; `password` is what it takes, if it does."""
    given = "" if password is None else f"{password}\n"
    becoming = f"LC_ALL=C; export LC_ALL; {system_programs()}; {command}"
    return f"{becoming}\n{given}{BEGIN}\n{runs(script, mark)}\n"


def system_programs() -> str:
    """Sets the PATH for sudo."""
    return f"PATH={SYSTEM_PATH}; export PATH"


def sudo_command(script: str, *, password: bool = False, terminal: bool = False) -> str:
    """Runs a script as root. With `password`, sudo takes one from standard input; else it must need none.

    With `terminal`, sudo finds the terminal that requiretty in its sudoers wants.
    """
    how = "-S -p ''" if password else "-n"
    # secure_path in its sudoers may lead to no sh.
    command = f"sudo -H {how} -- /bin/sh -c {shlex.quote(script)}"
    return at_terminal(command) if terminal else command


def authenticated_command(script: str, *, needed: bool = True, terminal: bool = False) -> str:
    """Runs a script as root once sudo has taken the password that is the first line of standard input.

    The password is all that sudo sees then: sudo-rs reads ahead, and would swallow what follows. For the script it
    needs none, where it remembers that one was given by this shell a moment ago. A script that is not `needed` may
    fail. `printf` is built into the shells of all systems: the password is in no argument list.
    """
    # What follows sudo keeps the shell from becoming it: sudo remembers whose child it was.
    then = f"{sudo_command(script)}{'' if needed else ' || :'}"
    authenticate = sudo_command(":", password=True)
    command = (
        f"unset password; IFS= read -r password; printf '%s\\n' \"$password\" | {authenticate} && {{ {then}; }}; exit"
    )
    return at_terminal(command) if terminal else command


def at_terminal(command: str) -> str:
    """Runs a command at a terminal that script(1) makes; the streams go past it."""
    past = shlex.quote(f"exec <&3 >&4 2>&5; {command}")
    return f"SHELL=/bin/sh script -qec {past} /dev/null 3<&0 4>&1 5>&2 </dev/null >/dev/null 2>&1"


def doas_command(script: str) -> str:
    """Runs a script as root by OpenBSD's doas, which must need no password: it takes one from a terminal alone."""
    return f"doas -n -- sh -c {shlex.quote(script)}"


def unframe(stdout: bytes, stderr: bytes, mark: str) -> Framed:
    """Take the output of a program() apart."""
    out, status, before_out = between(stdout, mark.encode())
    err, _, before_err = between(stderr, mark.encode())
    started = out is not None
    return Framed(started, status, out or b"", err or b"", before_out + before_err)


def between(stream: bytes, mark: bytes) -> tuple[bytes | None, int | None, bytes]:
    """What is between the marks of a stream (None without a first one), the status, and what came before."""
    before, opening, rest = stream.partition(mark + b"\n")
    if not opening:
        return None, None, stream
    inside, closing, after = rest.rpartition(mark + b":")
    if not closing:
        return rest, None, before
    return inside, exit_status(after.partition(b"\n")[0]), before


def exit_status(digits: bytes) -> int | None:
    """Return the exit status that a shell printed, None if it is not a number. A status above 255 becomes 255."""
    return min(int(digits), MOST_STATUS) if digits.isdigit() and len(digits) <= LONGEST_NUMBER else None


def is_complete(stdout: bytes, stderr: bytes, mark: str) -> bool:
    """Whether both closing marks have come."""
    closing = f"{mark}:".encode()
    return closing in stderr and re.search(re.escape(closing) + rb"\d+\n", stdout) is not None


class FramedStream:
    """What is between the marks of one stream, as it comes; what it takes is passed on but for the marks."""

    def __init__(self, mark: str) -> None:
        self._opening = f"{mark}\n".encode()
        self._closing = f"{mark}:".encode()
        self._held = b""
        self.started = False
        self.ended = False
        # Of what came before: the last, bounded.
        self.noise = b""
        # As in Framed; a stream that carries none has None.
        self.status: int | None = None

    def take(self, data: bytes) -> bytes:
        """The part of the script's own output that is certain now."""
        if self.ended:
            return b""
        held = self._held + data
        if not self.started:
            before, opening, held = held.partition(self._opening)
            if not opening:
                self._held = self.noise = before[-MOST_NOISE:]
                return b""
            self.started, self.noise = True, before[-MOST_NOISE:]
        inside, closing, after = held.partition(self._closing)
        if closing:
            digits, end, _ = after.partition(b"\n")
            if end or len(digits) > LONGEST_NUMBER:
                self.ended = True
                self.status = exit_status(digits)
            self._held = closing + after
            return inside
        certain = len(held) - beginning(held, self._closing)
        self._held = held[certain:]
        return held[:certain]

    def rest(self) -> bytes:
        """What was held back, where no closing mark comes any more."""
        return self._held if self.started and not self.ended else b""


def beginning(text: bytes, mark: bytes) -> int:
    """How many bytes at a text's end may be the beginning of a mark."""
    at = text.rfind(mark[:1], max(0, len(text) - len(mark) + 1))
    longest = 0
    while at >= 0:
        if mark.startswith(text[at:]):
            longest = len(text) - at
        at = text.rfind(mark[:1], max(0, len(text) - len(mark) + 1), at)
    return longest
