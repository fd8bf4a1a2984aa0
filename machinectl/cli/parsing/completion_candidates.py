"""What may be typed at each place of a command line: the one source of every completion, of shells and of docker's.

Light, as all that is asked at a Tab: verbs, flags and machines are known without Typer; drivers alone cost what finding
and loading them does.
"""

from __future__ import annotations

from machinectl.cli.catalogue import ALL, GROUPS, VERBS, flags_of_verb
from machinectl.cli.declarations.driver_option import driver_flag
from machinectl.machines.flags import MACHINE, VERB, Flag

SHELLS = ("bash", "zsh", "fish", "powershell")
HELP = Flag("-h", "--help")


def verbs(group: str = "") -> dict[str, str]:
    """The verbs, or those of a group (`certs`), by their names, with what each is for in a sentence."""
    return {name: verb.summary for name, verb in (GROUPS[group] if group else VERBS).items() if verb.section}


def arguments(verb: str) -> tuple[tuple[str, ...], bool]:
    """What the words after a verb stand for, one after the other, and whether the last one may be repeated.

    A verb of a group is named with the group in front: `certs ls`.
    """
    if verb == "help":
        return (VERB,), False
    if verb not in ALL:
        return (MACHINE,), True
    declared = ALL[verb].arguments
    return tuple(value for one in declared for value in one.values), any(one.repeats for one in declared)


def flags(verb: str = "") -> list[Flag]:
    """The flags of a verb, or those before the verb, except hidden ones."""
    return [*(flag for flag in flags_of_verb(verb) if not flag.hidden), HELP]


def machines(root: str = "") -> list[str]:
    """The machines of a store, of the usual one where none is named; none where it cannot be read."""
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

    try:
        return Store(root).names()
    except MachineError:
        return []


def labels(root: str = "") -> list[str]:
    """What machines are labelled with, as selectors: each key, and each with its values.

    What a shell might read otherwise than it stands is left out.
    """
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
    """The installed drivers' names; none is loaded."""
    from machinectl.driver.installed_drivers import installed

    return [driver.name for driver in installed()]


def driver_flags(driver: str) -> list[Flag]:
    """The flags that a driver adds to `create`; none where it is not there, or fails to load."""
    from machinectl.driver.installed_drivers import load
    from machinectl.errors import MachineError

    try:
        options = load(driver).options()
    except MachineError:
        return []
    return [driver_flag(driver, option).with_changes(help=option.help) for option in options]
