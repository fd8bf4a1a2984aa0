"""Statements that point docker at a machine, in each shell's syntax.

Ordinary values give docker-machine's lines. Others must survive the unquoted `eval $(machinectl env NAME)`, where the
shell splits words, expands `*`, `?` and `[`, and joins with single blanks. Escapes of letters, digits and backslashes
survive it, in any locale and for any bytes.
"""

from __future__ import annotations

import os
import sys

from machinectl.errors import Hint, MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet


# Ordinary in every shell, quoted or not.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=+")
# Ordinary in every shell in double quotes, also after an unquoted eval.
ORDINARY = PLAIN | frozenset(",@ ")
PRINTABLE = frozenset(map(chr, range(0x20, 0x7F)))


def is_plain(text: str) -> bool:
    """Return whether a word needs no quotes. zsh expands =ls to a path."""
    return text != "" and text[0] != "=" and PLAIN.issuperset(text)


def is_ordinary(text: str) -> bool:
    """Return whether double quotes are enough."""
    return ORDINARY.issuperset(text) and text == text.strip() and "  " not in text


def escape_bytes(text: str, form: str, literal: AbstractSet[str] = PLAIN) -> str:
    return "".join(chr(byte) if chr(byte) in literal else form % byte for byte in os.fsencode(text))


class Posix:
    """sh, bash, zsh, dash, ksh (POSIX.1, XCU: eval, export, unset, printf %b); the base of other shells.

    An unquoted eval joins lines: `export A="1" export B="2"` works, `export A="1" unset B` needs `;`. Methods raise
    ValueError if the shell cannot hold a text.
    """

    # Begins a comment.
    comment = "#"
    # Ends each statement if some set and some unset variables.
    mixed_end = ";"
    # Unset a variable; and run a command and evaluate its output.
    unset = "unset {}"
    evaluating = "eval $({})"

    def set(self, name: str, value: str) -> str:
        """Return the statement that sets and exports a variable."""
        if not value.endswith("\n"):
            return f"export {name}={self.quoted(value)}"
        # $(…) drops newlines at the end: a dot keeps them and is removed afterwards.
        return f'export {name}={self.quoted(value + ".")}; export {name}="${{{name}%.}}"'

    def quoted(self, text: str) -> str:
        """Quote a text as one word. Loses newlines at the end."""
        if is_ordinary(text):
            return f'"{text}"'
        return '"$(printf %b ' + f"'{escape_bytes(text, OCTAL_FOR_PRINTF)}'" + ')"'

    def evaluation(self, command: str) -> str:
        """Return the line that runs a command and evaluates its output."""
        return self.evaluating.format(command)


# For %b, an octal number starts with an extra 0.
OCTAL_FOR_PRINTF = "\\0%03o"
OCTAL = "\\%03o"
POSIX = Posix()


class Fish(Posix):
    r"""`eval (CMD)` splits at newlines only. `\X5b` is a byte (fish, language, Escaping Characters)."""

    mixed_end = ""
    unset = "set -e {};"
    evaluating = "eval ({})"

    def set(self, name: str, value: str) -> str:
        return f"set -gx {name} {self.quoted(value)};"

    def quoted(self, text: str) -> str:
        return f'"{text}"' if is_ordinary(text) else escape_bytes(text, "\\X%02x")


class Tcsh(Posix):
    r"""`!` is history in all quotes.

    `$'\303'` is a byte only in the C locale, so printf makes the values. Its output is split into lines: a newline is
    `$'\012'`.
    """

    comment = ":"
    mixed_end = ""
    unset = "unsetenv {};"
    evaluating = "eval `{}`"
    NEWLINE = "$'\\012'"

    def set(self, name: str, value: str) -> str:
        if is_ordinary(value):
            return f'setenv {name} "{value}";'
        lines = map(self.line, value.split("\n"))
        return f"setenv {name} {self.NEWLINE.join(lines)};"

    def line(self, text: str) -> str:
        return f"\"`printf %b '{escape_bytes(text, OCTAL_FOR_PRINTF)}'`\"" if text else ""

    def quoted(self, text: str) -> str:
        """Non-ASCII is exact only in the C locale."""
        return f'"{text}"' if is_ordinary(text) else f"$'{escape_bytes(text, OCTAL)}'"


class PowerShell(Posix):
    """`CMD | Invoke-Expression` evaluates each line separately.

    A backquote escapes (about_Quoting_Rules). Typographic quotes count as quotes: refuse what is not printable ASCII.
    """

    mixed_end = ""
    unset = "Remove-Item Env:\\\\{}"
    evaluating = "& {} | Invoke-Expression"

    def set(self, name: str, value: str) -> str:
        return f"$Env:{name} = {self.quoted(value)}"

    def quoted(self, text: str) -> str:
        check_characters(text, PRINTABLE)
        return '"' + "".join(f"`{character}" if character in '`$"' else character for character in text) + '"'


class Cmd(Posix):
    """Refuse text that FOR /f or a batch file would change: cmd.exe has no escapes.

    In double quotes, % and ! name variables; & | < > ^ are ordinary. Output is read in the console's code page.
    """

    comment = "REM"
    mixed_end = ""
    unset = "SET {}="
    evaluating = "\t@FOR /f \"tokens=*\" %i IN ('{}') DO @%i"

    def set(self, name: str, value: str) -> str:
        if (ORDINARY | {"\\"}).issuperset(value) and value == value.strip():
            return f"SET {name}={value}"
        return f"SET {self.quoted(f'{name}={value}')}"

    def quoted(self, text: str) -> str:
        check_characters(text, (PRINTABLE | {"\t"}) - frozenset('"%!'))
        return f'"{text}"'


def check_characters(text: str, allowed: AbstractSet[str]) -> None:
    for character in text:
        if character not in allowed:
            raise ValueError(f"it has the character {character!r}")


class Emacs(Posix):
    """`setenv` keeps a byte string: ASCII and octal escapes."""

    comment = ";;"
    mixed_end = ""
    unset = '(setenv "{}" nil)'
    evaluating = "(with-temp-buffer (shell-command {} (current-buffer)) (eval-buffer))"

    def set(self, name: str, value: str) -> str:
        return f'(setenv "{name}" {self.string(value)})'

    def quoted(self, text: str) -> str:
        """Quote for the sh that `shell-command` runs."""
        return POSIX.quoted(text)

    def evaluation(self, command: str) -> str:
        return super().evaluation(self.string(command))

    def string(self, text: str) -> str:
        return '"' + escape_bytes(text, OCTAL, PRINTABLE - {'"', "\\"}) + '"'


SHELLS: Mapping[str, Posix] = {
    **dict.fromkeys(("sh", "bash", "zsh", "dash", "ash", "ksh", "ksh93", "mksh", "busybox"), POSIX),
    "fish": Fish(),
    **dict.fromkeys(("tcsh", "csh"), Tcsh()),
    **dict.fromkeys(("powershell", "pwsh"), PowerShell()),
    "cmd": Cmd(),
    "emacs": Emacs(),
}


def env_script(shell: str, variables: Mapping[str, str | None], typed: Sequence[str], path: str) -> str:
    """Return the output of `env`: statements (None unsets) and a hint, in ASCII.

    An unknown shell gets sh's syntax. Raises MachineError if the shell cannot hold a value.
    """
    return statements(shell, variables) + "".join(f"{line}\n" for line in hint(plain_name(shell), typed, path))


def statements(shell: str, variables: Mapping[str, str | None]) -> str:
    shell = plain_name(shell)
    syntax = SHELLS.get(shell, POSIX)
    mixed = len({value is None for value in variables.values()}) > 1
    end = syntax.mixed_end if mixed else ""
    lines = [statement(shell, name, value) + end for name, value in variables.items()]
    return "".join(f"{line}\n" for line in lines)


def statement(shell: str, name: str, value: str | None) -> str:
    syntax = SHELLS.get(shell, POSIX)
    if value is None:
        return syntax.unset.format(name)
    if "\0" in value:
        raise cannot_hold(shell, name, ValueError("it has a NUL"))
    try:
        return syntax.set(name, value)
    except ValueError as exc:
        raise cannot_hold(shell, name, exc) from exc


def hint(shell: str, typed: Sequence[str], path: str) -> list[str]:
    syntax = SHELLS.get(shell, POSIX)
    words = [*program(typed[0], path), *typed[1:]]
    try:
        command = " ".join(word if is_plain(word) else syntax.quoted(word) for word in words)
    except ValueError as exc:
        raise cannot_hold(shell, "the command line", exc) from exc
    return [
        f"{syntax.comment} Run this command to configure your shell: ",
        f"{syntax.comment} {syntax.evaluation(command)}",
    ]


def cannot_hold(shell: str, what: str, exc: ValueError) -> MachineError:
    why = "it cannot be encoded" if isinstance(exc, UnicodeError) else str(exc)
    return MachineError(f"{shell} cannot hold {what}: {why}", Hint("Print it for another shell: --shell bash"))


def program(path_of_script: str, path: str) -> list[str]:
    """Return the words that run machinectl.

    `python -m machinectl` shows as __main__.py, which must not be run itself. -P ignores the current directory.
    """
    if os.path.basename(path_of_script) == "__main__.py":
        # A virtual environment's Python links to one without its packages: compare directories.
        python = shortest(sys.executable or "python3", path, same=directory_of)
        return [python, "-P", "-m", "machinectl"]
    return [shortest(path_of_script, path)]


def shortest(file: str, path: str, same: Callable[[str], str] = str) -> str:
    """Return a bare name if PATH finds the same file, else the path. `same` maps both paths first."""
    name = os.path.basename(file)
    for directory in path.split(os.pathsep):
        candidate = os.path.join(directory, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return name if os.path.exists(file) and os.path.samefile(same(candidate), same(file)) else file
    return file


def directory_of(file: str) -> str:
    return os.path.dirname(os.path.abspath(file))


def detect(environment: Mapping[str, str], process: int) -> str:
    """Return the shell that the process, our parent, runs; else $SHELL (the login shell), else sh."""
    for name in (program_of(process), environment.get("SHELL", "")):
        if plain_name(name) in SHELLS:
            return plain_name(name)
    return "sh"


def plain_name(name: str) -> str:
    r"""Accept /bin/zsh, -zsh (login shell) or C:\…\pwsh.exe."""
    return name.replace("\\", "/").rpartition("/")[2].lower().removeprefix("-").removesuffix(".exe")


def program_of(process: int) -> str:
    """Return a process's program file, "" if unknown."""
    if os.path.isdir("/proc/self"):
        try:
            # Linux adds the suffix if the file was replaced while it runs (proc_pid_exe(5)).
            return os.readlink(f"/proc/{process}/exe").removesuffix(" (deleted)")
        except OSError:
            return ""
    # macOS, BSD
    import subprocess

    command = ["ps", "-o", "comm=", "-p", str(process)]
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    return os.fsdecode(answer.stdout.strip())
