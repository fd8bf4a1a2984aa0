"""How a script travels to a host and its output back, whatever the user's login shell is and prints. Pure functions.

The SSH server always runs LOGIN_COMMAND, which all login shells read alike (sh, csh, fish). The script follows on
standard input as one line of sh, and then the script's own input: nothing sent is in an argument list, and nobody waits
for the answer to the request. On both streams two marks enclose the script's output. Output of the login and of sudo is
outside of them.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# `read` takes its line byte by byte (POSIX), and leaves the rest to the commands that follow.
READING_SHELL = """sh -c 'IFS= read -r line && eval "$line"'"""
LOGIN_COMMAND = f"exec {READING_SHELL}"
# In root's shell: a line before this one is a password that sudo did not need.
BEGIN = "# machinectl: the script follows"
ROOT_COMMAND = f'while IFS= read -r line && [ "$line" != "{BEGIN}" ]; do :; done; IFS= read -r line && eval "$line"'
# Where a system keeps sudo: a program in the user's own PATH must not get the password (the last is NixOS's).
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/wrappers/bin"
# Messages in English whatever the host's locale, and the system's programs even if the user's PATH or sudo's
# secure_path lacks their directories.
ENVIRONMENT = 'LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"'
# How much output before a script's own is kept, in bytes.
MOST_NOISE = 1 << 16
# The highest exit status of a shell (POSIX), and the longest number that is accepted as one, in bytes.
MOST_STATUS = 255
LONGEST_NUMBER = 20


def collected(script: str, mark: str) -> str:
    """Return a line of sh that runs a script between marks. The script's input follows the line.

    The script must hold no NUL, and its output must not hold the mark. Unread input is read at the end, so that the
    channel closes only after everything was sent.
    """
    return f"{ENVIRONMENT}; {enclosed(f'(eval {shell_word(script)})', mark)}; cat >/dev/null"


def streamed(script: str, mark: str) -> str:
    """Return lines of sh that run a user's script between marks, in the login's environment.

    The first line of output is the process number of the script's shell. That shell reads the last line, which is sent
    only when the number is known: until then, the script could not be stopped. Unread input is discarded.
    """
    line = f"eval {shell_word(script)}" if "\n" in script else script
    return f"{enclosed(f'echo $$; {READING_SHELL}', mark)}\n{line}"


def streamed_as_root(script: str, mark: str) -> str:
    """Return `streamed` without the English locale that was set for sudo."""
    return f"unset LC_ALL; {streamed(script, mark)}"


def split_streamed(lines: str) -> tuple[bytes, bytes]:
    """Split `streamed` into the lines to send first and the script's own line."""
    first, script = lines.removesuffix("\n").rsplit("\n", 1)
    return f"{first}\n".encode(errors="surrogateescape"), f"{script}\n".encode(errors="surrogateescape")


def enclosed(command: str, mark: str) -> str:
    """Return a line of sh that runs a command between marks and prints its exit status."""
    return (
        f"printf '%s\\n' {mark}; printf '%s\\n' {mark} >&2; {command}; "
        f"printf '%s%d\\n' {mark}: $?; printf '%s\\n' {mark}: >&2"
    )


def shell_word(script: str) -> str:
    """Return a script of any number of lines as a word of sh on one line."""
    if "\n" not in script:
        return shlex.quote(script)
    escaped = script.replace("\\", "\\\\").replace("\n", "\\n")
    return f"\"$(printf '%b' {shlex.quote(escaped)})\""


def as_user(script: str, mark: str, form: Callable[[str, str], str] = collected) -> str:
    """Return what to send to LOGIN_COMMAND before the script's input; `form` is `collected` or `streamed`."""
    return f"{form(script, mark)}\n"


def as_root(
    script: str, mark: str, command: str, password: str | None = None, form: Callable[[str, str], str] = collected
) -> str:
    """Return what to send to run a script as root. `command` runs ROOT_COMMAND by one of the functions below."""
    given = "" if password is None else f"{password}\n"
    return f"LC_ALL=C; export LC_ALL; {set_system_path()}; {command}\n{given}{BEGIN}\n{form(script, mark)}\n"


def set_system_path() -> str:
    """Return sh that sets the PATH for sudo."""
    return f"PATH={SYSTEM_PATH}; export PATH"


def sudo_command(script: str, *, password: bool = False, terminal: bool = False) -> str:
    """Return sh that runs a script as root; with `password`, sudo reads one from standard input.

    With `terminal`, sudo gets the terminal that requiretty in its sudoers demands.
    """
    how = "-S -p ''" if password else "-n"
    # secure_path in its sudoers may lead to no sh.
    command = f"sudo -H {how} -- /bin/sh -c {shlex.quote(script)}"
    return at_terminal(command) if terminal else command


def authenticated_command(script: str, *, needed: bool = True, terminal: bool = False) -> str:
    """Return sh that gives sudo the first line of standard input as its password, then runs a script as root.

    sudo sees only the password, because sudo-rs reads ahead and would swallow what follows. For the script, sudo
    remembers that this shell has just given one. Unless `needed`, the script may fail. The shell's own `printf` keeps
    the password out of argument lists.
    """
    # More commands after sudo keep the shell from becoming sudo, which remembers its parent.
    then = f"{sudo_command(script)}{'' if needed else ' || :'}"
    authenticate = sudo_command(":", password=True)
    command = (
        f"unset password; IFS= read -r password; printf '%s\\n' \"$password\" | {authenticate} && {{ {then}; }}; exit"
    )
    return at_terminal(command) if terminal else command


def at_terminal(command: str) -> str:
    """Return sh that runs a command at a terminal of script(1), with its streams led past the terminal."""
    past = shlex.quote(f"exec <&3 >&4 2>&5; {command}")
    return f"SHELL=/bin/sh script -qec {past} /dev/null 3<&0 4>&1 5>&2 </dev/null >/dev/null 2>&1"


def doas_command(script: str) -> str:
    """Return sh that runs a script as root by OpenBSD's doas, which reads passwords only from a terminal."""
    return f"doas -n -- sh -c {shlex.quote(script)}"


def exit_status(digits: bytes) -> int | None:
    """Return the exit status that a shell printed, None if it is not a number. A status above 255 becomes 255."""
    return min(int(digits), MOST_STATUS) if digits.isdigit() and len(digits) <= LONGEST_NUMBER else None


class FramedStream:
    """One stream of a script's output; returns what is between the marks as it comes."""

    def __init__(self, mark: str) -> None:
        self._opening = f"{mark}\n".encode()
        self._closing = f"{mark}:".encode()
        self._held = b""
        self.started = False
        self.ended = False
        # The end of the output before the script's own.
        self.noise = b""
        # Only stdout has one.
        self.status: int | None = None

    def take(self, data: bytes) -> bytes:
        """Return the script's own output as far as it is certain."""
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
        certain = len(held) - partial_mark(held, self._closing)
        self._held = held[certain:]
        return held[:certain]

    def rest(self) -> bytes:
        """Return what was held back, if the stream ends without a closing mark."""
        return self._held if self.started and not self.ended else b""


def partial_mark(text: bytes, mark: bytes) -> int:
    """Return how many bytes at the end of a text may be the beginning of a mark."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)
