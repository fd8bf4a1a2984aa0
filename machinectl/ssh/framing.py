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

# `read` takes its line byte by byte (POSIX), and leaves the rest to the commands that follow.
LOGIN_COMMAND = """exec sh -c 'IFS= read -r line && eval "$line"'"""
# As root's shell: what comes before this line is a password that sudo did not need.
BEGIN = "# machinectl: the script follows"
ROOT_COMMAND = f'while IFS= read -r line && [ "$line" != "{BEGIN}" ]; do :; done; IFS= read -r line && eval "$line"'
# Where a system keeps sudo: a password is for no program that the user's own PATH leads to (the last is NixOS's).
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/wrappers/bin"
# Messages in English whatever the host's locale; the system's programs also for those who log in without them.
ENVIRONMENT = 'LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"'


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
    return (
        f"{ENVIRONMENT}; printf '%s\\n' {mark}; printf '%s\\n' {mark} >&2; "
        f"""(eval "$(printf '%b' {one_line(script)})"); """
        f"printf '%s%d\\n' {mark}: $?; printf '%s\\n' {mark}: >&2; cat >/dev/null"
    )


def one_line(text: str) -> str:
    r"""A text as one word of sh on one line, for printf's %b (POSIX: \\ and \n)."""
    return shlex.quote(text.replace("\\", "\\\\").replace("\n", "\\n"))


def as_user(script: str, mark: str) -> str:
    """What to send to LOGIN_COMMAND, before the script's input."""
    return f"{program(script, mark)}\n"


def as_root(script: str, mark: str, command: str, password: str | None = None) -> str:
    """The same as root: `command` is one of those below, of ROOT_COMMAND; `password` is what it takes, if it does."""
    given = "" if password is None else f"{password}\n"
    return f"LC_ALL=C; export LC_ALL; {system_programs()}; {command}\n{given}{BEGIN}\n{program(script, mark)}\n"


def system_programs() -> str:
    """Sets the PATH for sudo."""
    return f"PATH={SYSTEM_PATH}; export PATH"


def sudo_command(script: str, *, password: bool = False, terminal: bool = False) -> str:
    """Runs a script as root. With `password`, sudo takes one from standard input; else it must need none.

    With `terminal`, sudo finds the terminal that requiretty in its sudoers wants.
    """
    how = "-S -p ''" if password else "-n"
    command = f"sudo -H {how} -- sh -c {shlex.quote(script)}"
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
    match = re.match(rb"\d+", after)
    return inside, int(match[0]) if match else None, before


def is_complete(stdout: bytes, stderr: bytes, mark: str) -> bool:
    """Whether both closing marks have come."""
    closing = f"{mark}:".encode()
    return closing in stderr and re.search(re.escape(closing) + rb"\d+\n", stdout) is not None
