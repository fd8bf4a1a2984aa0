"""List completion candidates for each place of a command line, for shells and for docker.

Fast enough for a Tab: Typer is not loaded. Only drivers cost time, as they are found and loaded.
"""

from __future__ import annotations

from machinectl.cli.catalogue import ALL, GROUPS, VERBS, flags_of_verb
from machinectl.cli.declarations.driver_option import driver_flag
from machinectl.machines.flags import MACHINE, VERB, Flag

SHELLS = ("bash", "zsh", "fish", "powershell")
HELP = Flag("-h", "--help")


def verbs(group: str = "") -> dict[str, str]:
    """Return the visible verbs, or those of a group, each with its summary."""
    return {name: verb.summary for name, verb in (GROUPS[group] if group else VERBS).items() if verb.section}


def arguments(verb: str) -> tuple[tuple[str, ...], bool]:
    """Return the kinds of a verb's arguments in order, and whether the last one repeats.

    A verb of a group includes the group: `certs ls`.
    """
    if verb == "help":
        return (VERB,), False
    if verb not in ALL:
        return (MACHINE,), True
    declared = ALL[verb].arguments
    return tuple(value for one in declared for value in one.values), any(one.repeats for one in declared)


def flags(verb: str = "") -> list[Flag]:
    """Return the visible flags of a verb, or those before the verb."""
    return [*(flag for flag in flags_of_verb(verb) if not flag.hidden), HELP]


def machines(root: str = "") -> list[str]:
    """Return the machines of a store (by default the usual one); none if it cannot be read."""
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

    try:
        return Store(root).names()
    except MachineError:
        return []


def labels(root: str = "") -> list[str]:
    """Return the machines' labels as selectors, KEY and KEY=VALUE, except those that a shell would expand."""
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

    store = Store(root)
    found: set[str] = set()
    for name in machines(root):
        try:
            own = store.read(name).labels
        except MachineError:
            continue
        found.update(word for key, value in own.items() for word in (key, f"{key}={value}"))
    return sorted(word for word in found if is_plain(word))


def is_plain(word: str) -> bool:
    return word.isascii() and all(letter.isalnum() or letter in "=._/-" for letter in word) and word[0].isalnum()


def drivers() -> list[str]:
    """Return the names of the installed drivers without loading them."""
    from machinectl.driver.installed_drivers import installed

    return [driver.name for driver in installed()]


def driver_flags(driver: str) -> list[Flag]:
    """Return the flags that a driver adds to `create`; none if it is missing or fails to load."""
    from machinectl.driver.installed_drivers import load
    from machinectl.errors import MachineError

    try:
        options = load(driver).options()
    except MachineError:
        return []
    return [driver_flag(driver, option).with_changes(help=option.help) for option in options]
