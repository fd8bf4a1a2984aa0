"""Find where the command of `run` and `docker` begins. Light path."""

from __future__ import annotations

from machinectl.cli.invocation import NAME
from machinectl.cli.parsing.go_flags import flags_of, named_store, take_flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

DASHES = "--"
# The verbs that take a command, each with an example.
COMMANDS = {"run": "uptime", "docker": "ps"}
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
    options = take_flags(words, "", known)
    while words and is_machine(store, words[0]):
        names.append(words.pop(0))
        options += take_flags(words, "", known)
    asks_help = not names and HELP.intersection(words)
    if not words or asks_help or any(word[2:].partition("=")[0] not in known for word in options):
        return list(arguments)
    is_chosen = CHOOSING.intersection(word.partition("=")[0] for word in options)
    if not is_chosen and (error := unclear(store, [*before, verb, *options], names, words)):
        raise error
    return [*arguments[: len(arguments) - len(words)], DASHES, *words]


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
    from machinectl.cli.parsing.suggestions import DOCKERS, only_name, with_names_hint
    from machinectl.cli.typed_words import typed_line, typed_order
    from machinectl.errors import Hint, UsageError
    from machinectl.machines.record import is_name
    from machinectl.machines.store.missing_machine import missing

    def line(names: Sequence[str], command: Sequence[str]) -> str:
        return f"{NAME} {typed_line([*start, *names])} {DASHES} {typed_order(command)}"

    verb = next(word for word in start if word in COMMANDS)
    word, rest = command[0], command[1:] or [COMMANDS[verb]]
    absent = store.no_such(word)
    _, near = absent.mistyped or ("", "")
    if not names and "*" in word and is_name(word.replace("*", "")):
        return absent
    if near and not names:
        return missing(word, Hint("Did you mean", line([near], rest)))
    if not names:
        hint = with_names_hint(Hint("", line([only_name(store)], command)), store)
        return UsageError("A machine is missing before the command", hint)
    # docker's commands, and programs of this computer.
    known = (lambda name: name in {*DOCKERS.split(), *VERBS}) if verb == "docker" else shutil.which
    at = next((at for at, name in enumerate(names) if at and known(name)), 0)
    if near and near not in names:
        first, second = line(names, command), line([*names, near], rest)
    elif at:
        word, first, second = names[at], line(names[:at], [*names[at:], *command]), line(names, command)
    else:
        return None
    hint = Hint("For the command", first) | Hint("for the machine", second)
    return UsageError(f"{word!r} may be the command, or a machine", hint)
