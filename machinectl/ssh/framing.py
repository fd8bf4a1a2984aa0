"""Send scripts and find their output, whatever the login shell is and prints.

The server runs LOGIN_COMMAND, which sh, csh and fish read alike. Stdin carries the script as one line, then its input:
nothing is in an argument list. Two marks on both streams enclose the output.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# `read` takes its line byte by byte (POSIX), and leaves the rest to the next commands.
READING_SHELL = """sh -c 'IFS= read -r line && eval "$line"'"""
LOGIN_COMMAND = f"exec {READING_SHELL}"
# In root's shell: a line before this one is a password that sudo did not need.
BEGIN = "# machinectl: the script follows"
ROOT_COMMAND = f'while IFS= read -r line && [ "$line" != "{BEGIN}" ]; do :; done; IFS= read -r line && eval "$line"'
# Directories of sudo (the last is NixOS's): a program in the user's PATH must not get the password.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/wrappers/bin"
# English messages, and the system's programs even if PATH or sudo's secure_path lacks their directories.
ENVIRONMENT = 'LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"'
# How much output before the script's own to keep, in bytes.
MOST_NOISE = 1 << 16
# A shell's highest exit status (POSIX), and its longest number, in bytes.
MOST_STATUS = 255
LONGEST_NUMBER = 20


def collected(script: str, mark: str) -> str:
    """Return a line of sh; the script's input follows.

    The script must not contain NUL, nor its output the mark. `cat` keeps the channel open until all input is sent.
    """
    return f"{ENVIRONMENT}; {enclosed(f'(eval {shell_word(script)})', mark)}; cat >/dev/null"


def streamed(script: str, mark: str) -> str:
    """Return lines of sh that run a script in the login's environment.

    The first output is the shell's process number. Send the last line only after it: without it, nobody can stop the
    script.
    """
    line = f"eval {shell_word(script)}" if "\n" in script else script
    return f"{enclosed(f'echo $$; {READING_SHELL}', mark)}\n{line}"


def streamed_as_root(script: str, mark: str) -> str:
    """Drop the locale set for sudo."""
    return f"unset LC_ALL; {streamed(script, mark)}"


def split_streamed(lines: str) -> tuple[bytes, bytes]:
    """Return the lines to send first, and the script's line."""
    first, script = lines.removesuffix("\n").rsplit("\n", 1)
    return f"{first}\n".encode(errors="surrogateescape"), f"{script}\n".encode(errors="surrogateescape")


def enclosed(command: str, mark: str) -> str:
    """Return sh that runs a command between marks, and prints its status."""
    return (
        f"printf '%s\\n' {mark}; printf '%s\\n' {mark} >&2; {command}; "
        f"printf '%s%d\\n' {mark}: $?; printf '%s\\n' {mark}: >&2"
    )


def shell_word(script: str) -> str:
    """Quote a script as one line of sh."""
    if "\n" not in script:
        return shlex.quote(script)
    escaped = script.replace("\\", "\\\\").replace("\n", "\\n")
    return f"\"$(printf '%b' {shlex.quote(escaped)})\""


def as_user(script: str, mark: str, form: Callable[[str, str], str] = collected) -> str:
    """Return the text before the script's input; `form` is `collected` or `streamed`."""
    return f"{form(script, mark)}\n"


def as_root(
    script: str, mark: str, command: str, password: str | None = None, form: Callable[[str, str], str] = collected
) -> str:
    """`command` must run ROOT_COMMAND."""
    given = "" if password is None else f"{password}\n"
    return f"LC_ALL=C; export LC_ALL; {set_system_path()}; {command}\n{given}{BEGIN}\n{form(script, mark)}\n"


def set_system_path() -> str:
    return f"PATH={SYSTEM_PATH}; export PATH"


def sudo_command(script: str, *, password: bool = False) -> str:
    """With `password`, read one from stdin."""
    how = "-S -p ''" if password else "-n"
    # secure_path in the sudoers may not contain sh.
    return f"sudo -H {how} -- /bin/sh -c {shlex.quote(script)}"


def authenticated_command(script: str, *, needed: bool = True) -> str:
    """Return sh that runs a script as root, after a password line on stdin.

    Only the password goes to sudo, because sudo-rs reads ahead; sudo then remembers this shell. Unless `needed`, the
    script may fail. The built-in `printf` hides the password.
    """
    # sudo remembers its parent, so the shell must not exec it: add a command after it.
    then = f"{sudo_command(script)}{'' if needed else ' || :'}"
    authenticate = sudo_command(":", password=True)
    return (
        f"unset password; IFS= read -r password; printf '%s\\n' \"$password\" | {authenticate} && {{ {then}; }}; exit"
    )


def doas_command(script: str) -> str:
    """OpenBSD's doas reads passwords only from a terminal."""
    return f"doas -n -- sh -c {shlex.quote(script)}"


def exit_status(digits: bytes) -> int | None:
    """Return at most 255; None if invalid."""
    return min(int(digits), MOST_STATUS) if digits.isdigit() and len(digits) <= LONGEST_NUMBER else None


class FramedStream:
    def __init__(self, mark: str) -> None:
        self._opening = f"{mark}\n".encode()
        self._closing = f"{mark}:".encode()
        self._held = b""
        self.started = False
        self.ended = False
        # The end of the output before the opening mark.
        self.noise = b""
        # Only on stdout.
        self.status: int | None = None

    def take(self, data: bytes) -> bytes:
        """Keep back what may be part of a mark."""
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
        """Return what was kept, if no closing mark came."""
        return self._held if self.started and not self.ended else b""


def partial_mark(text: bytes, mark: bytes) -> int:
    """Return how many final bytes may start a mark."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)
