"""Find command lines that ask for help, and answer them without Typer. Light path."""

from __future__ import annotations

from machinectl.cli.catalogue import TOPICS, find_verb
from machinectl.cli.output.stdout import draw
from machinectl.cli.parsing.go_flags import (
    WITH_DRIVER_OPTIONS,
    canonical,
    flags_of,
    is_group,
    named_driver,
    split_at_verb,
)
from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.machines.flags import Flag

HELP_VERBS = ("help", "h")
HELP_OPTION = "--help"


def help_work(words: Sequence[str]) -> Callable[[], int] | None:
    """Return the work of a canonical command line that asks for help, else None."""
    before, rest = split_at_verb(words)
    asks = HELP_OPTION in before
    while rest and rest[0] in HELP_VERBS:
        asks, rest = True, canonical(rest[1:])
    if not rest:
        return (lambda: print_help("")) if asks or all(map(is_before_the_verb, before)) else None
    name = helped_verb(rest, asks=asks)
    return None if name is None else lambda: print_help(name, [*before, *rest])


def helped_verb(words: Sequence[str], *, asks: bool) -> str | None:
    """Return the verb or topic of a command line if it asks for its help; `asks` if that is known."""
    name, *rest = words
    if is_group(name, " ".join(rest[:1])):
        while rest and rest[0] in HELP_VERBS:
            asks, rest = True, rest[1:]
        asks = asks or not rest
        if rest and not rest[0].startswith("-"):
            name = f"{name} {rest.pop(0)}"
    declared = find_verb(name)
    if declared is None:
        return name if name in TOPICS else None
    end = next((at for at, word in enumerate(rest) if word == "--" or (declared.passes_on and word[:1] != "-")), None)
    return name if asks or HELP_OPTION in rest[:end] else None


def is_before_the_verb(word: str) -> bool:
    """Return whether a word is an option that goes before the verb."""
    name, equals, _ = word.removeprefix("--").partition("=")
    known = flags_of("")
    return name in known and known[name][1] == bool(equals) and name != "version"


def print_help(name: str, words: Sequence[str] = ()) -> int:
    """Print the help of a verb, a group or a topic, "" for the first page. `words` may name a driver or a machine."""
    from machinectl.cli.output import help_pages

    if not name:
        page = help_pages.first_page()
    elif name in help_pages.PAGES:
        page = help_pages.PAGES[name]()
    elif is_group(name):
        page = help_pages.group_page(name)
    else:
        page = help_pages.verb_page(name, *flags_and_driver(name, words))
    draw(page)
    return 0


def with_typed_driver(words: Sequence[str]) -> Sequence[str]:
    """Return a command line of `create` with the driver that its options tell, if they tell one."""
    own = flags_of("create")
    if all(word[2:].partition("=")[0] in own for word in split_at_verb(words)[1] if word.startswith("--")):
        return words
    from machinectl.cli.parsing.create_forms import create_in_full

    try:
        return create_in_full(words)
    except MachineError:
        return words


def flags_and_driver(name: str, words: Sequence[str]) -> tuple[Sequence[Flag], str]:
    """Return a verb's flags with those of the named driver, or of the named machine's, and the named driver."""
    declared = find_verb(name)
    if declared is None:
        return (), ""
    if name not in WITH_DRIVER_OPTIONS:
        return declared.flags, ""
    words = with_typed_driver(words) if name == "create" else words
    driver = named_driver(words)
    if name == "create" and not driver:
        return declared.flags, ""
    from machinectl.cli.options.driver_flags import command_flags

    return command_flags(name, declared, words)[0], driver
