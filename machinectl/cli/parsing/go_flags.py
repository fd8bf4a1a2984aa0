"""Rewrite Go's flag spellings, which docker-machine's scripts use, to one canonical form, and look ahead. Light path.

Go reads `-flag`, `--flag`, `-f=VALUE` and `--flag=false` alike. Typer's `-fVALUE` and joined letters work too. Values
and ssh's words are not flags.
"""

from __future__ import annotations

import os
from itertools import pairwise

from machinectl.cli import catalogue
from machinectl.cli.invocation import FALSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from machinectl.machines.flags import Flag

    # Maps each short or long name to its long name and whether it takes a value.
    Flags = Mapping[str, tuple[str, bool]]

# These take the options of a machine's driver, too.
WITH_DRIVER_OPTIONS = ("create", "set")
# Drivers' options with a letter, which are read before the driver is known.
LETTERS = {"i": "ssh-key", "p": "ssh-port", "u": "ssh-user"}
WITH_LETTER = {name: (long, True) for letter, long in LETTERS.items() for name in (letter, long)}
HELP_VERBS, HELP_OPTION = ("help", "h"), "--help"
TRUE = {"1", "t", "T", "true", "TRUE", "True"}  # strconv.ParseBool


def canonical(arguments: Sequence[str], of_driver: Flags | None = None) -> list[str]:
    """Return each flag as `--name` or `--name=value`, without those set to false.

    Without the flags `of_driver`, only those with a letter are known. Unknown flags and flags without a value stay, for
    Typer to refuse.
    """
    words = list(arguments)
    found = take_flags(words, "", flags_of(""))
    verb = ""
    while words and is_group(verb, words[0]):
        verb = f"{verb} {words[0]}".strip()
        found.append(words.pop(0))
        declared = catalogue.find_verb(verb)
        if declared and not declared.verbs.intersection(words[:1]):
            flags = flags_of(verb)
            if verb in WITH_DRIVER_OPTIONS:
                flags.update(of_driver or WITH_LETTER)
            found += take_flags(words, verb, flags)
    return [*found, *words]


def is_group(verb: str, following: str = "") -> bool:
    """Return whether the word that follows is another verb; "" is the start of the command line."""
    declared = catalogue.find_verb(verb) if verb else None
    return not verb or bool(declared and (not declared.runs or following in declared.verbs))


def values_of_variable(variable: str) -> list[str]:
    """Return a repeatable flag's values from its variable, split at commas."""
    return [value.strip() for value in os.environ.get(variable, "").split(",") if value.strip()]


def flags_of(verb: str) -> dict[str, tuple[str, bool]]:
    return by_names(catalogue.flags_of_verb(verb))


def by_names(declared: Iterable[Flag]) -> dict[str, tuple[str, bool]]:
    """Return flags by each name; a letter maps to its long name."""
    found = {"h": ("help", False), "help": ("help", False)}
    for flag in declared:
        long = ""
        for name in reversed(flag.all_names):
            bare = name.lstrip("-")
            long = bare if name.startswith("--") else long
            found[bare] = (long, bool(flag.metavar))
        if flag.old:
            found[flag.old] = (long, bool(flag.metavar))
    return found


def take_flags(words: list[str], verb: str, flags: Flags) -> list[str]:
    """Take the words that may hold flags off the front, and return them in canonical form."""
    found: list[str] = []
    while words and words[0] != "--":
        word = words[0]
        if word == "-" or not word.startswith("-"):
            if is_group(verb) or verb == "ssh":
                break
            found.append(words.pop(0))
            continue
        del words[0]
        for name, value in split_flags(word, verb, flags):
            if name not in flags:
                found.append(name)
            elif flags[name][1]:
                # By default the next word, even one with a dash.
                following = words.pop(0) if value is None and words else value
                found.append(f"--{name}" if following is None else f"--{name}={following}")
            else:
                add_switch(found, name, value, flags)
    return found


def split_flags(word: str, verb: str, flags: Flags) -> list[tuple[str, str | None]]:
    """Return a word's flags with their values by long name, or an unknown word itself."""
    body = word.removeprefix("-").removeprefix("-")
    name, equals, value = body.partition("=")
    if name in flags:
        return [(flags[name][0], value if equals else None)]
    if word.startswith("--"):
        return [(word, None)]
    # `-digitalocean-token` is a driver's flag, not `-d` with a value.
    of_driver = verb == "create" and "-" in name and name.replace("-", "").isalnum()
    # Nor is `-url` the letter u of another driver's option.
    own = {name: flag for name, flag in flags.items() if name not in LETTERS} if verb in WITH_DRIVER_OPTIONS else flags
    if not of_driver and (in_one := split_letters(body, own)):
        return in_one
    # Report an unknown flag in its long form; pass ssh's flags on unchanged.
    long = len(name) > 1 and name[0].isalpha() and verb != "ssh"
    return [(f"-{word}" if long else word, None)]


def split_letters(body: str, flags: Flags) -> list[tuple[str, str | None]] | None:
    """Return joined letters' flags, the last maybe with a value; None if one is unknown."""
    found: list[tuple[str, str | None]] = []
    for position, letter in enumerate(body, start=1):
        if letter not in flags:
            return None
        name, takes_value = flags[letter]
        if takes_value:
            return [*found, (name, body[position:].removeprefix("=") or None)]
        found.append((name, None))
    return found


def add_switch(found: list[str], name: str, value: str | None, flags: Flags) -> None:
    if value in FALSE:
        found[:] = [word for word in found if word != f"--{name}"]
        opposite = name.removeprefix("no-") if name.startswith("no-") else f"no-{name}"
        if opposite in flags:
            found.append(f"--{opposite}")
    else:
        found.append(f"--{name}" if value is None or value in TRUE else f"--{name}={value}")


def split_at_verb(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a canonical command line (`go_flags`) before the verb."""
    position = next((at for at, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    return list(arguments[:position]), list(arguments[position:])


def take_verb(words: list[str]) -> tuple[str, list[str]]:
    """Return a verb with its group's name, and the words after it."""
    name, rest = " ".join(words[:1]), words[1:]
    return (f"{name} {rest[0]}", rest[1:]) if rest and is_group(name, rest[0]) else (name, rest)


def named_store(arguments: Sequence[str]) -> str:
    before, _ = split_at_verb(arguments)
    named = [word.removeprefix("--storage-path=") for word in before if word.startswith("--storage-path=")]
    return named[-1] if named else ""


def named_machine(arguments: Sequence[str], exists: Callable[[str], bool]) -> str:
    """Return the machine of a verb that takes one name, or "".

    A word after an unknown option may be its value: a surer word wins.
    """
    _, rest = split_at_verb(arguments)
    known = flags_of(rest[0]) if rest else {}
    found = [(word, before) for before, word in pairwise(rest) if not word.startswith("-") and exists(word)]
    sure = [word for word, before in found if not before.startswith("--") or before.removeprefix("--") in known]
    return next(iter([*sure, *(word for word, _ in found)]), "")


def named_driver(arguments: Sequence[str]) -> str:
    _, rest = split_at_verb(arguments)
    if rest[:1] != ["create"]:
        return ""
    options = rest[: rest.index("--")] if "--" in rest else rest
    named = [word.removeprefix("--driver=") for word in options if word.startswith("--driver=")]
    return named[-1] if named else os.environ.get("MACHINE_DRIVER", "")


def helped_verb(words: Sequence[str], *, asks: bool) -> str | None:
    """Return the verb or topic of a command line if it asks for its help; `asks` if that is known."""
    name, *rest = words
    if is_group(name, " ".join(rest[:1])):
        while rest and rest[0] in HELP_VERBS:
            asks, rest = True, rest[1:]
        asks = asks or not rest
        if rest and not rest[0].startswith("-"):
            name = f"{name} {rest.pop(0)}"
    declared = catalogue.find_verb(name)
    if declared is None:
        return name if name in catalogue.TOPICS else None
    end = next((at for at, word in enumerate(rest) if word == "--" or (declared.passes_on and word[:1] != "-")), None)
    return name if asks or HELP_OPTION in rest[:end] else None


def is_before_the_verb(word: str) -> bool:
    """Return whether a word is an option that goes before the verb."""
    name, equals, _ = word.removeprefix("--").partition("=")
    known = flags_of("")
    return name in known and known[name][1] == bool(equals) and name != "version"
