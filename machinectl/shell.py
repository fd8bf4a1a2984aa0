"""Statements that point docker at a machine, in the syntax of each shell, and which shell is asking.

Ordinary values give docker-machine's lines byte for byte. Any other value must survive the evaluation unchanged and run
nothing. `eval "$(machinectl env NAME)"` passes our text on unchanged, but in the unquoted `eval $(machinectl env NAME)`
that people type, the shell splits it at blanks, expands words with `*`, `?` or `[` to file names, and joins the words
with single blanks. So other values are written in escapes of letters, digits and backslashes, which survive both, and a
prompt where `!` recalls history. The escapes stand for bytes: the text is ASCII in any locale, and a path that is not
UTF-8 is kept.
"""

from __future__ import annotations

import os
import sys

from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Protocol

    class Shell(Protocol):
        """One shell's syntax. Raises ValueError if a shell cannot hold a text."""

        # Begins a comment.
        comment: str

        # Ends each statement if some set and some unset: see Posix.
        mixed_end: str

        # The statement that sets and exports a variable.
        def set(self, name: str, value: str) -> str: ...

        # The statement that removes a variable.
        def unset(self, name: str) -> str: ...

        # A text as one word of a command line.
        def quoted(self, text: str) -> str: ...

        # The line that runs a command line and evaluates what it prints.
        def evaluation(self, command: str) -> str: ...


# Ordinary in every shell, in quotes or not.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=+")
# Ordinary in every shell between double quotes, also after an unquoted eval.
ORDINARY = PLAIN | frozenset(",@ ")
PRINTABLE = frozenset(map(chr, range(0x20, 0x7F)))


def is_plain(text: str) -> bool:
    """Return whether a word needs no quotes; zsh expands =ls to the path of ls."""
    return text != "" and text[0] != "=" and PLAIN.issuperset(text)


def is_ordinary(text: str) -> bool:
    """Return whether double quotes are enough: splitting at blanks and joining again keeps single blanks."""
    return ORDINARY.issuperset(text) and text == text.strip() and "  " not in text


def escaped(text: str, form: str, literal: AbstractSet[str] = PLAIN) -> str:
    """Return a text's bytes, each in `form`, a %-format of its value, except the characters in `literal`."""
    return "".join(chr(byte) if chr(byte) in literal else form % byte for byte in os.fsencode(text))


class Posix:
    """sh and its relatives: bash, zsh, dash, ksh (POSIX.1, XCU: eval, export, unset, printf %b).

    In an unquoted eval the lines become one. `export A="1" export B="2"` and `unset A unset B` still work (and also
    name a variable called export or unset), but `export A="1" unset B` does not: mixed statements end with `;`.
    """

    comment = "#"
    mixed_end = ";"

    def set(self, name: str, value: str) -> str:
        if not value.endswith("\n"):
            return f"export {name}={self.quoted(value)}"
        # $(…) drops newlines at the end: a dot keeps them, and is removed afterwards.
        return f'export {name}={self.quoted(value + ".")}; export {name}="${{{name}%.}}"'

    def unset(self, name: str) -> str:
        return f"unset {name}"

    def quoted(self, text: str) -> str:
        """Return one word; newlines at its end are lost."""
        if is_ordinary(text):
            return f'"{text}"'
        return '"$(printf %b ' + f"'{escaped(text, OCTAL_FOR_PRINTF)}'" + ')"'

    def evaluation(self, command: str) -> str:
        return f"eval $({command})"


# In the argument of %b an octal number starts with a 0 of its own.
OCTAL_FOR_PRINTF = "\\0%03o"
OCTAL = "\\%03o"
POSIX = Posix()


class Fish:
    r"""fish, whose `eval (CMD)` splits at newlines only. `\X5b` is a byte (fish, language, Escaping Characters)."""

    comment = "#"
    mixed_end = ""

    def set(self, name: str, value: str) -> str:
        return f"set -gx {name} {self.quoted(value)};"

    def unset(self, name: str) -> str:
        return f"set -e {name};"

    def quoted(self, text: str) -> str:
        return f'"{text}"' if is_ordinary(text) else escaped(text, "\\X%02x")

    def evaluation(self, command: str) -> str:
        return f"eval ({command})"


class Tcsh:
    r"""tcsh and csh: `!` is history in all quotes, and a comment is a command that does nothing.

    `$'\303'` is a byte in the C locale, and the character of that number in others. So values come from printf, whose
    output is read as bytes, but by lines: a newline is `$'\012'`.
    """

    comment = ":"
    mixed_end = ""

    NEWLINE = "$'\\012'"

    def set(self, name: str, value: str) -> str:
        if is_ordinary(value):
            return f'setenv {name} "{value}";'
        lines = map(self.line, value.split("\n"))
        return f"setenv {name} {self.NEWLINE.join(lines)};"

    def line(self, text: str) -> str:
        return f"\"`printf %b '{escaped(text, OCTAL_FOR_PRINTF)}'`\"" if text else ""

    def unset(self, name: str) -> str:
        return f"unsetenv {name};"

    def quoted(self, text: str) -> str:
        """Return one word that is valid between backquotes; a word that is not ASCII is exact only in the C locale."""
        return f'"{text}"' if is_ordinary(text) else f"$'{escaped(text, OCTAL)}'"

    def evaluation(self, command: str) -> str:
        return f"eval `{command}`"


class PowerShell:
    """PowerShell: `CMD | Invoke-Expression` evaluates each line by itself, decoded as the console is set.

    In double quotes a backquote escapes (about_Quoting_Rules). What is not printable ASCII is written as the number of
    its UTF-16 unit: PowerShell accepts typographic quotes as quotes.
    """

    comment = "#"
    mixed_end = ""

    def set(self, name: str, value: str) -> str:
        return f"$Env:{name} = {self.quoted(value)}"

    def unset(self, name: str) -> str:
        return f"Remove-Item Env:\\\\{name}"

    def quoted(self, text: str) -> str:
        try:
            data = text.encode("utf-16-be")
        except UnicodeEncodeError as exc:
            raise ValueError("it is not UTF-8") from exc
        units = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
        return f'"{"".join(map(self.unit, units))}"'

    def unit(self, number: int) -> str:
        character = chr(number)
        if character not in PRINTABLE:
            return f"$([char]0x{number:x})"
        return f"`{character}" if character in '`$"' else character

    def evaluation(self, command: str) -> str:
        return f"& {command} | Invoke-Expression"


class Cmd:
    """Windows' cmd.exe, which has no escapes: what does not survive both FOR /f and a batch file is refused.

    A quote ends the quotes, % and ! name variables, a newline ends the command, and a program's output is read in the
    console's code page. Between double quotes, & | < > ^ are ordinary.
    """

    comment = "REM"
    mixed_end = ""

    HELD = (PRINTABLE | {"\t"}) - frozenset('"%!')
    BARE = ORDINARY | {"\\"}

    def set(self, name: str, value: str) -> str:
        if self.BARE.issuperset(value) and value == value.strip():
            return f"SET {name}={value}"
        return f"SET {self.quoted(f'{name}={value}')}"

    def unset(self, name: str) -> str:
        return f"SET {name}="

    def quoted(self, text: str) -> str:
        for character in text:
            if character not in self.HELD:
                raise ValueError(f"it has the character {character!r}")
        return f'"{text}"'

    def evaluation(self, command: str) -> str:
        return f"\t@FOR /f \"tokens=*\" %i IN ('{command}') DO @%i"


class Emacs:
    """Emacs Lisp. A string of ASCII and octal escapes is a byte string, which `setenv` keeps unchanged."""

    comment = ";;"
    mixed_end = ""

    def set(self, name: str, value: str) -> str:
        return f'(setenv "{name}" {self.string(value)})'

    def unset(self, name: str) -> str:
        return f'(setenv "{name}" nil)'

    def quoted(self, text: str) -> str:
        """Return one word for the sh that `shell-command` runs."""
        return POSIX.quoted(text)

    def string(self, text: str) -> str:
        return '"' + escaped(text, OCTAL, PRINTABLE - {'"', "\\"}) + '"'

    def evaluation(self, command: str) -> str:
        return f"(with-temp-buffer (shell-command {self.string(command)} (current-buffer)) (eval-buffer))"


TCSH = Tcsh()
POWERSHELL = PowerShell()
SHELLS: Mapping[str, Shell] = {
    **dict.fromkeys(("sh", "bash", "zsh", "dash", "ash", "ksh", "ksh93", "mksh", "busybox"), POSIX),
    "fish": Fish(),
    "tcsh": TCSH,
    "csh": TCSH,
    "powershell": POWERSHELL,
    "pwsh": POWERSHELL,
    "cmd": Cmd(),
    "emacs": Emacs(),
}


# Docker's own program, and what Docker Desktop calls it.
DOCKER = frozenset({"docker", "com.docker.cli"})


def script(shell: str, variables: Mapping[str, str | None], typed: Sequence[str], path: str) -> str:
    """Return what `env` prints: the statements that set variables, or unset those that are None, and a hint.

    An unknown shell gets sh's syntax. `typed` is the command line, as in sys.argv, and `path` the PATH on which it was
    found. The text is ASCII. Raises MachineError if the shell cannot hold a value.
    """
    shell = plain_name(shell)
    syntax = SHELLS.get(shell, POSIX)
    mixed = len({value is None for value in variables.values()}) > 1
    end = syntax.mixed_end if mixed else ""
    lines = [statement(shell, name, value) + end for name, value in variables.items()]
    return "".join(f"{line}\n" for line in [*lines, *hint(shell, typed, path)])


def statement(shell: str, name: str, value: str | None) -> str:
    """Return the statement that sets a variable, or unsets it."""
    syntax = SHELLS.get(shell, POSIX)
    if value is None:
        return syntax.unset(name)
    if "\0" in value:
        raise cannot_hold(shell, name, "it has a NUL")
    try:
        return syntax.set(name, value)
    except ValueError as exc:
        raise cannot_hold(shell, name, reason(exc)) from exc


def hint(shell: str, typed: Sequence[str], path: str) -> list[str]:
    """Return two comments that say how to evaluate the statements, with the command as it was typed."""
    syntax = SHELLS.get(shell, POSIX)
    words = [*program(typed[0], path), *typed[1:]]
    try:
        command = " ".join(word if is_plain(word) else syntax.quoted(word) for word in words)
    except ValueError as exc:
        raise cannot_hold(shell, "the command line", reason(exc)) from exc
    return [
        f"{syntax.comment} Run this command to configure your shell: ",
        f"{syntax.comment} {syntax.evaluation(command)}",
    ]


def cannot_hold(shell: str, what: str, why: str) -> MachineError:
    other = "powershell" if shell == "cmd" else "bash"
    return MachineError(f"{shell} cannot hold {what}: {why}", f"Print it for another shell: --shell {other}")


def reason(exc: ValueError) -> str:
    return "it cannot be encoded" if isinstance(exc, UnicodeError) else str(exc)


def program(path_of_script: str, path: str) -> list[str]:
    """Return what to type to run machinectl: the name of an installed script if PATH leads to it, else its path.

    `python -m machinectl` shows as the path of __main__.py, which must not be run by itself. With -P, Python imports
    nothing from the current directory.
    """
    if os.path.basename(path_of_script) == "__main__.py":
        # The Python of a virtual environment is a link to one without its packages: compare directories.
        python = shortest(sys.executable or "python3", path, same=directory_of)
        return [python, "-P", "-m", "machinectl"]
    return [shortest(path_of_script, path)]


def shortest(file: str, path: str, same: Callable[[str], str] = str) -> str:
    """Return a program's bare name if a shell finds the same file on the PATH, else its path.

    `same` maps both paths to what must be the same file.
    """
    name = os.path.basename(file)
    for directory in path.split(os.pathsep):
        candidate = os.path.join(directory, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return name if os.path.exists(file) and os.path.samefile(same(candidate), same(file)) else file
    return file


def directory_of(file: str) -> str:
    return os.path.dirname(os.path.abspath(file))


def detect(environment: Mapping[str, str], process: int) -> str:
    """Return the shell that asks: the parent process if it is a known shell, else $SHELL, else sh. Never fails.

    If docker started us as its plugin, it is docker's parent. $SHELL comes last: it is the login shell, whatever runs
    now.
    """
    names = process_names(process)
    if DOCKER.intersection(map(plain_name, names)):
        names = process_names(parent_of(process))
    for name in (*names, environment.get("SHELL", "")):
        if plain_name(name) in SHELLS:
            return plain_name(name)
    return "sh"


def plain_name(name: str) -> str:
    r"""Return the shell of a path or process name: /bin/zsh, -zsh of a login shell, C:\…\pwsh.exe."""
    return name.replace("\\", "/").rpartition("/")[2].lower().removeprefix("-").removesuffix(".exe")


def process_names(process: int) -> list[str]:
    """Return a process's program file and its name, as far as the system tells.

    The file comes first: a script's name is its own, but its program is the shell. The name helps if sh is a link to
    another file.
    """
    if os.path.isdir("/proc/self"):
        return [*link_of(process), *comm_of(process)]
    return [] if os.name == "nt" else answer_of_ps(process)


def link_of(process: int) -> list[str]:
    try:
        # Linux adds the suffix if the file was replaced while it runs (proc_pid_exe(5)).
        return [os.readlink(f"/proc/{process}/exe").removesuffix(" (deleted)")]
    except OSError:
        return []


def comm_of(process: int) -> list[str]:
    try:
        with open(f"/proc/{process}/comm", "rb") as file:
            return [os.fsdecode(file.read().rstrip(b"\n"))]
    except OSError:
        return []


def parent_of(process: int) -> int:
    """Return the parent of a process, 0 if it is unknown."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            # proc_pid_stat(5): the name is in parentheses, and may hold some itself.
            told = file.read().rpartition(b")")[2].split()[1:2]
    except OSError:
        told = [] if os.name == "nt" else [os.fsencode(word) for word in answer_of_ps(process, "ppid=")]
    return int(told[0]) if told and told[0].isdigit() else 0


def answer_of_ps(process: int, column: str = "comm=") -> list[str]:
    """Ask ps, on systems without /proc: macOS, BSD."""
    import subprocess

    command = ["ps", "-o", column, "-p", str(process)]
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return []
    return [os.fsdecode(answer.stdout.strip())]
