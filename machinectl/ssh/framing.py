"""Send scripts and find their output, whatever the login shell is and prints.

The server runs LOGIN_COMMAND, which sh, csh and fish read alike. Stdin carries the script as one line, then its input:
nothing is in an argument list. Two marks on both streams enclose the output.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.process_streams import WriteOutput

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
        # The final bytes may start a mark.
        sizes = range(min(len(self._closing) - 1, len(held)), 0, -1)
        certain = len(held) - next((size for size in sizes if held.endswith(self._closing[:size])), 0)
        self._held = held[certain:]
        return held[:certain]

    def rest(self) -> bytes:
        """Return what was kept, if no closing mark came."""
        return self._held if self.started and not self.ended else b""


# Most output before the script's own, in bytes: a login may print endlessly; and of a script to keep in memory.
LONGEST_LOGIN = MOST_OUTPUT = 16 << 20


def end_command(process: int) -> str:
    """Return sh that sends SIGTERM to the process group, then SIGKILL."""
    # proc(5): the group is the third word after the name in parentheses, which may contain anything.
    group = f"read -r stat </proc/{process}/stat; IFS=' '; set -f; set -- ${{stat##*) }}; group=$3"
    # A process that has ended stays a zombie (Z) until its parent reaps it, which a container's first process may not.
    alive = 'sub(/.*[)] /, "") && $3 == group && $1 != "Z" { alive++ } END { print alive + 0 }'
    there = (
        'kill -0 "-$group" || exit 0; '
        f'[ "$(cat /proc/[0-9]*/stat | awk -v group="$group" \'{alive}\')" != 0 ] || exit 0'
    )
    return (
        f'{{ {group}; set +f; [ "$group" -gt 1 ] || exit 0; kill -TERM "-$group"; '
        f"for pause in 1 2 3 4 5 6 7 8 9 10; do {there}; sleep 0.2 || sleep 1; done; "
        'kill -KILL "-$group"; } 2>/dev/null'
    )


class ScriptOutput:
    """If `numbered`, the first line is the shell's process number (`framing.streamed`)."""

    def __init__(self, mark: str, write: WriteOutput, *, numbered: bool = True) -> None:
        self._write = write
        self._streams = {False: FramedStream(mark), True: FramedStream(mark)}
        self._before = 0
        # The received part of the first line; None after it.
        self._first: bytes | None = b"" if numbered else None
        # 0 if unknown.
        self.process = 0

    @property
    def started(self) -> bool:
        return self._streams[False].started

    @property
    def is_ready(self) -> bool:
        """Whether to send the script."""
        return self._first is None

    @property
    def status(self) -> int | None:
        return self._streams[False].status

    @property
    def is_complete(self) -> bool:
        """True even without a valid status."""
        return self._streams[False].ended

    @property
    def noise(self) -> str:
        """Output before the script's own."""
        return b"".join(each.noise for each in self._streams.values()).decode(errors="replace")

    def take(self, data: bytes, on_stderr: bool) -> bool:
        """Return whether the output is complete."""
        if not self._streams[on_stderr].started:
            self._before += len(data)
            if self._before > LONGEST_LOGIN:
                return True
        self._pass_on(self._streams[on_stderr].take(data), on_stderr=on_stderr)
        return all(each.ended for each in self._streams.values())

    def finish(self) -> None:
        """Pass on what may have been a mark."""
        for on_stderr, stream in self._streams.items():
            self._pass_on(stream.rest(), on_stderr=on_stderr)

    def _pass_on(self, data: bytes, *, on_stderr: bool) -> None:
        if not on_stderr and self._first is not None:
            self._first += data
            line, end, data = self._first.partition(b"\n")
            if not end and len(line) <= LONGEST_NUMBER:
                return
            self.process = int(line) if line.isdigit() and len(line) <= LONGEST_NUMBER else 0
            self._first = None
        if data:
            self._write(data, on_stderr)


class CollectedOutput(ScriptOutput):
    """Keeps the output, and passes it to `also` as it comes."""

    def __init__(self, mark: str, also: WriteOutput | None = None) -> None:
        super().__init__(mark, self._keep, numbered=False)
        self._also = also
        self._size = 0
        self._kept = {False: bytearray(), True: bytearray()}

    @property
    def stdout(self) -> bytes:
        return bytes(self._kept[False])

    @property
    def stderr(self) -> bytes:
        return bytes(self._kept[True])

    @property
    def is_too_long(self) -> bool:
        return self._size > MOST_OUTPUT

    def take(self, data: bytes, on_stderr: bool) -> bool:
        self._size += len(data)
        return super().take(data, on_stderr) or self.is_too_long

    def _keep(self, data: bytes, on_stderr: bool) -> None:
        self._kept[on_stderr].extend(data)
        if self._also:
            self._also(data, on_stderr)
