"""Complete `docker machine …` for cobra's scripts (github.com/spf13/cobra completions.go).

Output: candidates as NAME, tab, DESCRIPTION; then `:` and the shell's directive. Light: it runs at each Tab.
"""

from __future__ import annotations

import os

from machinectl.cli.catalogue import GROUPS
from machinectl.cli.parsing import completion_candidates
from machinectl.cli.parsing.command_start import COMMANDS
from machinectl.cli.parsing.completion_candidates import SHELLS
from machinectl.cli.parsing.go_flags import is_group
from machinectl.machines.flags import ASKED, DIRECTORY, DRIVER, FILE, HOLDER, LABEL, MACHINE, PLACE, REMOTE, SHELL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.machines.flags import Flag

    # Candidates with their descriptions, and cobra's ShellCompDirective.
    Offer = tuple[Mapping[str, str], int]

# cobra's ShellCompDirective: files if there are no candidates, no files, only directories; no space after.
FILES, NOTHING_ELSE, DIRECTORIES = 0, 4, 16
# After two dashes they take another program's command line.
ORDERS = ("run", "docker", "socket")
NO_BLANK = 2


class TypedWords:
    """The command line before the word to complete.

    `verb` is the verb so far, `words` its arguments, `values` flags' values by long name, `open` the flag whose value
    comes next. After `--` no word is a flag.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.verb = ""
        self.words: list[str] = []
        self.values: dict[str, str] = {}
        self.open: Flag | None = None
        self.only_words = False
        for word in words:
            self.take(word)

    def take(self, word: str) -> None:
        if self.open:
            self.values[self.open.names[-1]] = word
            self.open = None
        elif word == "--":
            self.only_words = True
        elif word.startswith("-") and word != "-" and not self.only_words:
            name, equals, value = word.partition("=")
            flag = self.flag(name)
            if flag and equals:
                self.values[flag.names[-1]] = value
            elif flag and flag.offers:
                self.open = flag
        elif not self.words and is_group(self.verb, word):
            self.verb = f"{self.verb} {word}".strip()
        else:
            self.words.append(word)
            # The command follows the names of machines.
            is_command = self.verb in COMMANDS and word not in completion_candidates.stored_machines(self.root)
            self.only_words = self.only_words or is_command

    @property
    def root(self) -> str:
        return self.values.get("--storage-path", "")

    def flags(self) -> list[Flag]:
        return [*self.flags_of_drivers(), *completion_candidates.flags_for(self.verb)]

    def flags_of_drivers(self) -> list[Flag]:
        """Return those of the driver for `create`: of all drivers, if none is named."""
        if self.verb != "create":
            return []
        named = self.values.get("--driver") or os.environ.get("MACHINE_DRIVER", "")
        drivers = [named] if named else completion_candidates.driver_names()
        return [flag for driver in drivers for flag in completion_candidates.driver_flags(driver)]

    def flag(self, name: str) -> Flag | None:
        """Return a flag; like Go, accept one dash for two."""
        return next((flag for flag in self.flags() if {name, f"-{name}"}.intersection(flag.all_names)), None)


def cobra_lines(words: Sequence[str]) -> str:
    """Return cobra's lines for the last of `words`, which follow `docker machine`."""
    *before, word = words or [""]
    typed = TypedWords(before)
    if typed.open is None and "=" in word and word.startswith("-") and not typed.only_words:
        name, _, word = word.partition("=")
        typed.open = typed.flag(name)
    offered, directive = candidates(typed, word)
    lines = [f"{name}\t{about}" if about else name for name, about in offered.items() if name.startswith(word)]
    return "".join(f"{line}\n" for line in [*lines, f":{directive}"])


def candidates(typed: TypedWords, word: str) -> Offer:
    if typed.open:
        return value_candidates(typed, typed.open.offers, word)
    # Words after the machine's name go to the host.
    if word.startswith("-") and not typed.only_words and not (typed.verb == "ssh" and typed.words):
        return {name: flag.help for flag in typed.flags() for name in flag.all_names}, NOTHING_ELSE
    if typed.verb == "help":
        return ({} if typed.words else completion_candidates.helped()), NOTHING_ELSE
    if is_group(typed.verb):
        return completion_candidates.verb_summaries(typed.verb), NOTHING_ELSE
    if not typed.words and not typed.only_words and typed.verb in GROUPS:
        own = completion_candidates.verb_summaries(typed.verb)
        return {**own, **argument_candidates(typed, word)[0]}, NOTHING_ELSE
    if typed.only_words and typed.verb in ORDERS:
        # The command's own arguments are unknown here.
        return {}, FILES
    return argument_candidates(typed, word)


def argument_candidates(typed: TypedWords, word: str) -> Offer:
    kinds, many = completion_candidates.argument_kinds(typed.verb)
    place = len(typed.words)
    if place < len(kinds):
        return value_candidates(typed, kinds[place], word)
    return value_candidates(typed, kinds[-1], word) if many else ({}, NOTHING_ELSE)


def value_candidates(typed: TypedWords, kind: str | tuple[str, ...], word: str) -> Offer:
    if kind in {FILE, DIRECTORY}:
        return {}, FILES if kind == FILE else DIRECTORIES
    if kind in {PLACE, REMOTE}:
        return place_candidates(typed, word, NOTHING_ELSE if kind == REMOTE else FILES)
    if kind == LABEL:
        # After the selectors that are complete.
        before = word[: word.rfind(",") + 1]
        labels = completion_candidates.label_selectors(typed.root)
        return plain_candidates(f"{before}{label}" for label in labels), NO_BLANK | NOTHING_ELSE
    return plain_candidates(values_of(kind, typed)), NOTHING_ELSE


def values_of(kind: str | tuple[str, ...], typed: TypedWords) -> Iterable[str]:
    if isinstance(kind, tuple):
        return kind
    if kind == HOLDER:
        return completion_candidates.holder_names(typed.root)
    if kind == DRIVER:
        return completion_candidates.driver_names()
    if kind == SHELL:
        return SHELLS
    if kind == MACHINE:
        names = completion_candidates.stored_machines(typed.root)
    elif kind in ASKED:
        machine = typed.values.get("--from") or next(iter(typed.words), "")
        names = completion_candidates.asked_names(kind, typed.root, machine)
    else:
        names = []
    return [name for name in names if name not in typed.words]


def place_candidates(typed: TypedWords, word: str, otherwise: int) -> Offer:
    """Return `[USER@]MACHINE:` for each machine, or `otherwise` if none matches.

    Hosts' paths are unknown. A colon after a slash belongs to a local path.
    """
    before, colon, _ = word.partition(":")
    if colon and "/" not in before:
        return {}, NOTHING_ELSE
    user = word[: word.rfind("@") + 1]
    found = plain_candidates(f"{user}{name}:" for name in completion_candidates.stored_machines(typed.root))
    return (found, NO_BLANK | NOTHING_ELSE) if any(name.startswith(word) for name in found) else ({}, otherwise)


def plain_candidates(names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, "")
