"""Expected errors, their exit statuses, and one-line text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

# The least similarity of a mistyped word (difflib's ratio).
NEAR = 0.75
# The least length of a word's beginning that stands for it.
SHORTEST_START = 3
# A word of so many letters is close only to words with one letter more or less: eve is not steve.
SHORT = 3
LONGEST_LINE = 200
# Characters to read: an engine or a host could send megabytes, which would take seconds.
LONGEST_TEXT = 1 << 16
# Verbs that hints lead to, where code asks for that.
DOCTOR, IMPORT, PROVISION, RENEW = "doctor", "certs import", "provision", "renew"
CUT = "…"
# The characters that shlex.quote does not quote.
PLAIN_IN_SHELLS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
# How to set a clock, here or on a host. Debian installs no time service.
SET_CLOCK, BY_SERVICE = "timedatectl set-ntp true", "by a time service such as chrony"


def quoted(word: str) -> str:
    """Quote a word of a command for a shell, but not a <PLACEHOLDER>."""
    return word if is_placeholder(word) else shell_word(word)


def shell_word(word: str) -> str:
    """Return shlex.quote's text. shlex loads re, which the light path cannot afford."""
    if word and PLAIN_IN_SHELLS.issuperset(word):
        return word
    import shlex

    return shlex.quote(word)


def is_placeholder(word: str) -> bool:
    """Return whether a word stands for a name, as <NAME>:<PATH> do; a shell would read `<x>; id; <y>`."""
    return word.isascii() and all(
        part[:1] == "<" and part[-1:] == ">" and part[1:-1].replace("-", "").isalpha() and part.isupper()
        for part in word.split(":")
    )


def decapitalized(text: str) -> str:
    """Return a text as it stands within a sentence: "Then" becomes "then", and "SSH" stays."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


class Hint(str):
    """What to do next, and the command to type: `Hint("Set it up first", "machinectl provision", name)`.

    `command` stands as it is; `words` are quoted for a shell, but not <PLACEHOLDERS>. `a | b` offers both. It reads
    as plain text, "TEXT: COMMAND; TEXT: COMMAND", but whoever prints it has `parts`: in a command of ours, how this
    program was called and its store take the place of `machinectl`, except in one for `elsewhere`, another computer.
    """

    __slots__ = ("parts",)
    parts: tuple[tuple[str, str, bool], ...]

    def __new__(cls, text: str, command: str = "", *words: str, elsewhere: bool = False) -> Self:
        line = " ".join([command, *map(quoted, words)])
        return cls.of((text, line, elsewhere))

    @classmethod
    def of(cls, *parts: tuple[str, str, bool]) -> Self:
        clauses = [(decapitalized(text) if at else text, command) for at, (text, command, _) in enumerate(parts)]
        hint = super().__new__(cls, "; ".join(": ".join(filter(None, clause)) for clause in clauses))
        hint.parts = parts
        return hint

    def rewritten(self, rewrite: Callable[[str], str]) -> Hint:
        return Hint.of(*((rewrite(text), rewrite(command), elsewhere) for text, command, elsewhere in self.parts))

    def __or__(self, other: Hint) -> Hint:
        return Hint.of(*self.parts, *other.parts)


NO_HINT = Hint.of()
UPGRADE = Hint("Install a newer machinectl, in the way that you installed this one")
LEAVE_ONE_OUT = Hint("Leave one of them out")


class MachineError(Exception):
    """An expected failure; `hint` is the next command.

    `mistyped` is a word of the command line and what was meant: the hint is then that line, corrected. A line of
    docker-machine's that is `for_scripts` has no label outside of a terminal.
    Library exceptions become MachineError where they occur. Other exceptions are bugs.
    """

    exit_code = 1
    # The rest of docker-machine's line, for scripts; {0} stands for the program.
    more = ""
    # Whether `more` says all that is known.
    unexplained = False
    # Whether the hint names something like what was given.
    guesses = False
    # What is printed before the cause.
    label = "Error: "
    # The verb of the hint's last command, where code asks for it.
    leads_to = ""

    def __init__(
        self, cause: str, hint: Hint = NO_HINT, *, mistyped: tuple[str, str] | None = None, for_scripts: bool = False
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        # Drivers that were written before there were hints give a plain text.
        self.hint = hint if isinstance(hint, Hint) else Hint(hint)  # type: ignore[redundant-expr]
        self.mistyped = mistyped
        self.for_scripts = for_scripts

    def named(self, name: str) -> MachineError:
        """Return an error whose cause names the machine."""
        return self if f'"{name}"' in self.cause else MachineError(f'"{name}": {self.cause}', self.hint)


class NeedsProvisioning(MachineError):
    leads_to = PROVISION

    def __init__(self, cause: str, name: str, how: str = "Set it up first") -> None:
        super().__init__(cause, Hint(how, "machinectl provision", name))


class UsageError(MachineError):
    exit_code = 2


class CheckFailed(MachineError):
    """A check before `create` failed; nothing changed (docker-machine's exit status 3)."""

    exit_code = 3


class Declined(CheckFailed):
    """The user said no, and nothing changed."""

    exit_code = 1
    label = ""


def put_certificates_in(name: str, how: str = "Get its certificates from whoever made them") -> Hint:
    """Return what to type for a machine whose certificates others make."""
    return Hint(how, "machinectl certs import", name, "<DIR>")


def wrong_choice(flag: str, given: str, choices: Sequence[str]) -> UsageError:
    """Return the error for a value that the flag does not take."""
    *first, last = choices
    valid = f"{', '.join(first)} or {last}" if first else last
    near = closest_match(given, choices) or choices[0]
    return UsageError(f"{flag} takes {valid}, not {given!r}", Hint(f"For example: {flag} {near}"))


def closest_match(word: str, known: Iterable[str]) -> str:
    """Return the known word that begins with `word`, else the closest one, or ""."""
    import difflib

    by_lower = {other.lower(): other for other in known}
    begun = [other for other in by_lower if other.startswith(word.lower())] if len(word) >= SHORTEST_START else []
    if len(begun) == 1:
        return by_lower[begun[0]]
    similar = begun or [
        other for other in by_lower if min(len(other), len(word)) > SHORT or abs(len(other) - len(word)) <= 1
    ]
    near = difflib.get_close_matches(word.lower(), similar, n=1, cutoff=NEAR)
    return by_lower[near[0]] if near else ""


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:LONGEST_TEXT]).split())
    return line if len(line) <= limit else line[: limit - 1] + CUT
