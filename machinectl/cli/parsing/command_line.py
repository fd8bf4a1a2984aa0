"""Read a command line's values from the declarations, without Typer, which words the errors. Light path."""

from __future__ import annotations

import os
import sys

from machinectl.cli.invocation import NAME
from machinectl.cli.parsing.go_flags import WITH_DRIVER_OPTIONS, flags_of, named_store, take_flags, values_of_variable
from machinectl.errors import Hint, UsageError
from machinectl.machines.flags import FILE, TEXT, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from machinectl.cli.catalogue import Argument, Verb
    from machinectl.cli.parsing.go_flags import Flags
    from machinectl.driver import Option
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store


class NotReadError(Exception):
    """Typer must read this command line: it has an error, or asks for help."""


def read_values(
    words: Sequence[str], flags: Sequence[Flag], arguments: Sequence[Argument] = (), *, passes_on: bool = False
) -> dict[str, Any]:
    """Return values by parameter. `words` are canonical.

    If the verb `passes_on`, all words from the first name on are arguments. Raises NotReadError, or UsageError for a
    wrong number.
    """
    known = {name: flag for flag in flags for name in flag.all_names}
    given: dict[str, Any] = {}
    rest: list[str] = []
    for position, word in enumerate(words):
        if word == "--":
            rest += words[position + 1 :]
            break
        if word.startswith("-") and word != "-":
            take_flag(word, known, given)
            continue
        if passes_on:
            rest += words[position:]
            break
        rest.append(word)
    given.update({flag.parameter: unset_value(flag) for flag in flags if flag.parameter not in given})
    return {**given, **argument_values(rest, arguments)}


def take_flag(word: str, known: Mapping[str, Flag], given: dict[str, Any]) -> None:
    name, equals, text = word.partition("=")
    flag = known.get(name)
    if flag is None or bool(flag.metavar) != bool(equals):
        raise NotReadError
    if flag.many:
        given.setdefault(flag.parameter, []).append(text)
    else:
        given[flag.parameter] = converted(flag, text) if equals else name != flag.off


def converted(flag: Flag, text: str) -> Any:
    return read_number(flag, text) if flag.kind in {int, float} else text


def unset_value(flag: Flag) -> Any:
    """Return the value of a flag that was not typed: from its variable, else its default."""
    # A secret's variable holds the secret, not a file name.
    text = os.environ.get(flag.variable, "") if flag.variable and not flag.secret else ""
    if text and flag.metavar:
        return values_of_variable(flag.variable) if flag.many else converted(flag, text)
    if text or flag.required:
        raise NotReadError
    if flag.many:
        return list(flag.default) if isinstance(flag.default, list) else []
    return flag.kind(flag.default) if flag.kind is float and flag.default is not None else flag.default


def argument_values(words: Sequence[str], arguments: Sequence[Argument]) -> dict[str, Any]:
    """Share words out to the arguments, in order; a repeated one takes the rest."""
    left = list(words)
    given: dict[str, Any] = {}
    for argument in arguments:
        if argument.required and not left:
            raise NotReadError
        if argument.many:
            given[argument.parameter], left = left, []
        else:
            given[argument.parameter] = left.pop(0) if left else ""
    if left:
        raise NotReadError
    return given


# By metavar.
UNITS = {"SECONDS": "seconds", "PORT": "a port number", "DAYS": "days"}


def read_number(flag: Flag, given: str | float) -> int | float:
    """Return the value of a flag of kind int or float. Raises UsageError for an invalid one."""
    import math

    low, high = flag.limits
    try:
        number: int | float = flag.kind(given)
    except ValueError:
        number = math.nan
    if math.isfinite(number) and (low is None or number >= low) and (high is None or number <= high):
        return number
    raise UsageError(f"{typed_name(flag, given)} takes {valid_values(flag)}, not {given!r}")


def check_not_empty(flags: Sequence[Flag], words: Sequence[str]) -> None:
    """Raise UsageError for a flag with an empty value. `words` are canonical."""
    for flag in flags:
        if any(f"{name}=" in words for name in flag.all_names):
            instead = "" if flag.required else ", or leave it out"
            raise UsageError(
                f"{flag.flag} is empty: is a variable not set?",
                Hint(f"Pass {flag.flag} <{without_options(flag.metavar)}>{instead}"),
            )


def typed_name(flag: Flag, given: object) -> str:
    """Return the flag, or its environment variable if that has the value."""
    return flag.variable if flag.variable and os.environ.get(flag.variable) == given else flag.flag


def without_options(metavar: str) -> str:
    """Remove the parts in brackets, which may be left out."""
    import re

    while (shorter := re.sub(r"\[[^\[\]]*\]", "", metavar)) != metavar:
        metavar = shorter
    return metavar.strip()


def valid_values(flag: Flag) -> str:
    """Return what a flag takes, in words; else its metavar."""
    low, high = flag.limits
    if flag.kind not in {int, float}:
        return without_options(flag.metavar)
    number = UNITS.get(flag.metavar, "a whole number" if flag.kind is int else "a number")
    if low is None:
        return number
    return f"{number} from {low} to {high}" if high is not None else f"{number}, {low} or more"


# The section in --help; the driver's name follows.
IN_DRIVER = "Options of driver "
# Prefix of their parameter names.
PREFIX = "driver_option_"


def driver_flag(driver_name: str, option: Option) -> Flag:
    """Return a driver's option as a flag of its default's type; a secret is a file name.

    Raises DriverError for other types.
    """
    from machinectl.driver import DriverError
    from machinectl.driver.driver_options import option_flag

    many = isinstance(option.default, tuple)
    if not (many or type(option.default) in {str, int, bool}):
        raise DriverError(
            f"The driver's option --{option.name} has a default of type {type(option.default).__name__}",
            Hint("A driver's options are str, int, bool or tuple: report it to the driver's author"),
        )
    secret = f" In a file{f', else in ${option.variable}' if option.variable else ''}." if option.secret else ""
    metavar = "|".join(option.choices) or option.name.rpartition("-")[2].upper()
    return Flag(
        *([f"-{option.letter}"] if option.letter else []),
        option_flag(option),
        help=with_note(option.help + secret, "required" if option.required else ""),
        metavar="" if isinstance(option.default, bool) else "FILE" if option.secret else metavar,
        old=option.name if option.short else "",
        parameter=parameter_of(option),
        value=FILE if option.secret or option.path else option.choices or TEXT,
        kind=type(option.default),
        many=many,
        default=list(option.default) if isinstance(option.default, tuple) else option.default,
        # A secret's variable holds the secret, not a file name.
        variable="" if option.secret else option.variable,
        section=f"{IN_DRIVER}{driver_name}",
    )


def with_note(text: str, note: str) -> str:
    """Add a note in brackets to a sentence, before its period."""
    return f"{text.removesuffix('.')} ({note})." if note else text


def parameter_of(option: Option) -> str:
    return f"{PREFIX}{option.name.replace('-', '_')}"


def command_flags(name: str, declared: Verb, arguments: Sequence[str]) -> Sequence[Flag]:
    """Return a verb's flags with those of the driver. `arguments` are canonical."""
    if name not in WITH_DRIVER_OPTIONS:
        return declared.flags
    flags: Sequence[Flag] = sys.modules[declared.module].flags_with_driver(arguments, declared)
    return flags


DASHES = "--"
# The verbs that take a command, each with an example.
COMMANDS = {"run": "uptime", "docker": "ps", "compose": "ps"}
# The one whose command may begin with flags, as `-f FILE up` does.
WITH_FLAGS = "compose"
CHOOSING = {"--all", "--selector"}
HELP = {"-h", "--help"}


def with_dashes(arguments: Sequence[str]) -> list[str]:
    """Return a command line of `run` and `docker` with two dashes before the command: what follows known machines.

    Raises MachineError if that is not clear.
    """
    words = list(arguments)
    before = take_flags(words, "", flags_of(""))
    if not words or words[0] not in COMMANDS or DASHES in words:
        return list(arguments)
    from machinectl.machines.store import Store

    verb, store = words.pop(0), Store(named_store(before))
    known = flags_of(verb)
    names: list[str] = []
    begins = len(words) if verb != WITH_FLAGS else first_unknown_flag(words, known)
    words, rest = words[:begins], words[begins:]
    options = take_flags(words, "", known)
    while words and is_machine(store, words[0]):
        names.append(words.pop(0))
        options += take_flags(words, "", known)
    words += rest
    asks_help = not names and HELP.intersection(words)
    if not words or asks_help or any(word[2:].partition("=")[0] not in known for word in options):
        return list(arguments)
    is_chosen = CHOOSING.intersection(word.partition("=")[0] for word in options)
    if not is_chosen and (error := unclear(store, [*before, verb, *options], names, words)):
        raise error
    return [*arguments[: len(arguments) - len(words)], DASHES, *words]


def first_unknown_flag(words: Sequence[str], known: Flags) -> int:
    """Return its position, the number of words if there is none."""
    flags = (word.startswith("-") and word.lstrip("-").partition("=")[0] not in known for word in words)
    return next((at for at, is_unknown in enumerate(flags) if is_unknown), len(words))


def is_machine(store: Store, word: str) -> bool:
    """Return whether a word is the name of a machine, or a glob or a range with one."""
    if store.exists(word):
        return True
    from machinectl.errors import UsageError
    from machinectl.machines.selection import matching

    try:
        return any(map(store.exists, matching([word], store.names)))
    except UsageError:
        return False


def unclear(store: Store, start: Sequence[str], names: Sequence[str], command: Sequence[str]) -> MachineError | None:
    """Return an error if it is not clear where the command begins, with the line that says it."""
    import shutil

    from machinectl.cli.catalogue import VERBS
    from machinectl.cli.parsing.suggestions import DOCKERS, PLACEHOLDER, only_name, with_names_hint
    from machinectl.cli.typed_words import typed_line, typed_order
    from machinectl.errors import Hint, UsageError
    from machinectl.machines.record import is_name
    from machinectl.machines.store.missing_machine import missing

    def line(names: Sequence[str], command: Sequence[str]) -> str:
        return f"{NAME} {typed_line([*start, *names])} {DASHES} {typed_order(command)}"

    verb = next(word for word in start if word in COMMANDS)
    word, rest = command[0], command[1:] or [COMMANDS[verb]]
    from machinectl.machines.store.missing_machine import no_such_machine

    absent = no_such_machine(store, word)
    _, near = absent.mistyped or ("", "")
    if not names and "*" in word and is_name(word.replace("*", "")):
        return absent
    if near and not names:
        return missing(word, Hint("Did you mean", line([near], rest)))
    # docker's commands, and programs of this computer.
    known = shutil.which if verb == "run" else (lambda name: name in {*DOCKERS.split(), *VERBS})
    if not names and command[1:] and not known(word):
        return missing(word, Hint("If it is the command, name a machine first", line([PLACEHOLDER], command)))
    if not names:
        hint = with_names_hint(Hint("", line([only_name(store)], command)), store)
        return UsageError("A machine is missing before the command", hint)
    word = word if near and near not in names else next(filter(known, names[1:]), "")
    if not word:
        return None
    example = line([*names[:1], "…"], [COMMANDS[verb]])
    return UsageError(f"{word!r} may be the command, or a machine", Hint("Put dashes before the command", example))
