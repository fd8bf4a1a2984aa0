"""Flags as Go's flag package takes them, docker-machine's too, rewritten to the one form that is understood here.

`-flag`, `--flag`, `-f=VALUE`, `--flag=false` are all the same to Go, on one letter too. What Typer takes beside them
stays: `-fVALUE`, and several letters in one word. Neither a value nor what is ssh's is taken for a flag. Part of the
light path: nothing heavy is imported here.
"""

from __future__ import annotations

import os

from machinectl.cli import catalogue
from machinectl.cli.invocation import FALSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.machines.flags import Flag

    # The names of flags, one letter or long, each to its long name and whether a value follows it.
    Flags = Mapping[str, tuple[str, bool]]

TRUE = {"1", "t", "T", "true", "TRUE", "True"}  # strconv.ParseBool


def canonical(arguments: Sequence[str], of_driver: Mapping[str, bool] | None = None) -> list[str]:
    """The same command line with each flag as `--name`, or `--name=value`; one that is set to false is left out.

    `of_driver` are the options that `create` and `set` have of a driver, each with whether a value follows it. What is
    no flag of its verb, or lacks its value, stays what it is, for Typer to refuse by name.
    """
    words = list(arguments)
    found = rewritten(words, "", flags_of(""))
    verb = ""
    while words and is_group(verb):
        verb = f"{verb} {words[0]}".strip()
        found.append(words.pop(0))
        if catalogue.find(verb):
            flags = flags_of(verb)
            if verb in {"create", "set"}:
                flags.update({option: (option, takes_value) for option, takes_value in (of_driver or {}).items()})
            found += rewritten(words, verb, flags)
    return [*found, *words]


def is_group(verb: str) -> bool:
    """Whether another verb follows; "" is what stands before the verb."""
    declared = catalogue.find(verb) if verb else None
    return not verb or bool(declared and not declared.runs)


def listed(variable: str) -> list[str]:
    """The values in an environment variable that stands in for a flag which may be repeated: commas part them."""
    return [value.strip() for value in os.environ.get(variable, "").split(",") if value.strip()]


def flags_of(verb: str) -> dict[str, tuple[str, bool]]:
    """The flags of a verb, or "" for those before the verb."""
    return by_names(catalogue.flags_of_verb(verb))


def by_names(declared: Iterable[Flag]) -> dict[str, tuple[str, bool]]:
    """Return flags by each of their names; a letter stands for the long name behind it."""
    found = {"h": ("help", False), "help": ("help", False)}
    for flag in declared:
        long = ""
        for name in reversed(flag.all_names):
            bare = name.lstrip("-")
            long = bare if name.startswith("--") else long
            found[bare] = (long, bool(flag.metavar))
    return found


def rewritten(words: list[str], verb: str, flags: Flags) -> list[str]:
    """Take words off the front as far as flags of a verb may go, and return them in the canonical form."""
    found: list[str] = []
    while words and words[0] != "--":
        word = words[0]
        if word == "-" or not word.startswith("-"):
            if is_group(verb) or verb == "ssh":
                break
            found.append(words.pop(0))
            continue
        del words[0]
        for name, value in taken_apart(word, verb, flags):
            if name not in flags:
                found.append(name)
            elif flags[name][1]:
                add_value(found, name, value, words)
            else:
                switch(found, name, value, flags)
    return found


def taken_apart(word: str, verb: str, flags: Flags) -> list[tuple[str, str | None]]:
    """The flags in one word, by their long names, each with the value that stands there too; or the word alone."""
    body = word.removeprefix("-").removeprefix("-")
    name, equals, value = body.partition("=")
    if name in flags:
        return [(flags[name][0], value if equals else None)]
    if word.startswith("--"):
        return [(word, None)]
    # `-digitalocean-token` is a driver's flag, and names no driver.
    of_driver = verb == "create" and "-" in name and name.replace("-", "").isalnum()
    if not of_driver and (in_one := letters(body, flags)):
        return in_one
    # What is unknown is told as it was meant; what is ssh's, as it is.
    long = len(name) > 1 and name[0].isalpha() and verb != "ssh"
    return [(f"-{word}" if long else word, None)]


def letters(body: str, flags: Flags) -> list[tuple[str, str | None]] | None:
    """Flags of one letter in one word, the last one maybe with its value; None where a letter is no flag."""
    found: list[tuple[str, str | None]] = []
    for position, letter in enumerate(body, start=1):
        if letter not in flags:
            return None
        name, takes_value = flags[letter]
        if takes_value:
            return [*found, (name, body[position:].removeprefix("=") or None)]
        found.append((name, None))
    return found


def add_value(found: list[str], name: str, value: str | None, words: list[str]) -> None:
    """Add a flag with its value, which is the next word where none was given with it, whatever that looks like."""
    if value is None and words:
        value = words.pop(0)
    found.append(f"--{name}" if value is None else f"--{name}={value}")


def switch(found: list[str], name: str, value: str | None, flags: Flags) -> None:
    """Add a flag that is on or off; the last one counts."""
    if value in FALSE:
        found[:] = [word for word in found if word != f"--{name}"]
        opposite = name.removeprefix("no-") if name.startswith("no-") else f"no-{name}"
        if opposite in flags:
            found.append(f"--{opposite}")
    else:
        found.append(f"--{name}" if value is None or value in TRUE else f"--{name}={value}")
