"""Find command lines that ask for help, and answer them without Typer. Light path."""

from __future__ import annotations

from machinectl.cli.catalogue import find_verb
from machinectl.cli.output.stdout import draw
from machinectl.cli.parsing.go_flags import flags_of, is_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.machines.flags import Flag

HELP_VERBS = ("help", "h")
HELP_OPTION = "--help"


def help_work(words: Sequence[str]) -> Callable[[], int] | None:
    """Return the work of a canonical command line that asks for help, else None."""
    name = helped_verb(words)
    return None if name is None else lambda: print_help(name, words)


def helped_verb(words: Sequence[str]) -> str | None:
    """Return the verb or topic that a canonical command line asks help for, "" for the overview; None if for none."""
    start = next((at for at, word in enumerate(words) if not word.startswith("-")), len(words))
    before, rest = words[:start], list(words[start:])
    asks = HELP_OPTION in before
    while rest and rest[0] in HELP_VERBS:
        asks = True
        del rest[0]
    if not rest:
        return "" if asks or all(map(is_before_the_verb, before)) else None
    name, *rest = rest
    if is_group(name):
        asks = asks or not rest
        if rest and not rest[0].startswith("-"):
            name = f"{name} {rest.pop(0)}"
    declared = find_verb(name)
    if declared is None:
        from machinectl.cli.output.help_pages import TOPICS

        return name if asks and name in TOPICS else None
    end = next((at for at, word in enumerate(rest) if word == "--" or (declared.passes_on and word[:1] != "-")), None)
    return name if asks or HELP_OPTION in rest[:end] else None


def is_before_the_verb(word: str) -> bool:
    """Return whether a word is an option that may stand alone without a verb."""
    name, equals, _ = word.removeprefix("--").partition("=")
    known = flags_of("")
    return name in known and known[name][1] == bool(equals) and name != "version"


def print_help(name: str, words: Sequence[str]) -> int:
    from machinectl.cli.output import help_pages

    if not name:
        page = help_pages.overview_page()
    elif name in help_pages.TOPICS:
        page = help_pages.topic_page(name)
    else:
        page = help_pages.verb_page(name, help_flags(name, words))
    draw(page)
    return 0


def help_flags(name: str, words: Sequence[str]) -> Sequence[Flag]:
    """Return a verb's flags; with a named driver or machine, also those of the driver."""
    declared = find_verb(name)
    if declared is None or name not in ("create", "set"):
        return declared.flags if declared else ()
    from machinectl.cli.parsing.lookahead import named_driver

    if name == "create" and not named_driver(words):
        return [*declared.driver_flags, *declared.flags]
    from machinectl.cli.options.driver_flags import command_flags

    return command_flags(name, declared, words)[0]
