"""List completion candidates for shells and for docker.

Fast enough for a Tab: only drivers must be found and loaded.
"""

from __future__ import annotations

from machinectl.cli.catalogue import ALL, GROUPS, VERBS, flags_of_verb
from machinectl.cli.declarations.driver_option import driver_flag
from machinectl.machines.flags import MACHINE, VERB, Flag

SHELLS = ("bash", "zsh", "fish", "powershell")
HELP = Flag("-h", "--help")


def verb_summaries(group: str = "") -> dict[str, str]:
    return {name: verb.summary for name, verb in (GROUPS[group] if group else VERBS).items() if verb.section}


def argument_kinds(verb: str) -> tuple[tuple[str, ...], bool]:
    """Return a verb's argument kinds, and whether the last one repeats. `verb` may be `certs ls`."""
    if verb == "help":
        return (VERB,), False
    if verb not in ALL:
        return (MACHINE,), True
    declared = ALL[verb].arguments
    return tuple(value for one in declared for value in one.values), any(one.repeats for one in declared)


def flags_for(verb: str = "") -> list[Flag]:
    return [*(flag for flag in flags_of_verb(verb) if not flag.hidden), HELP]


def stored_machines(root: str = "") -> list[str]:
    """Return a store's machines, none if it cannot be read."""
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

    try:
        return Store(root).names()
    except MachineError:
        return []


def label_selectors(root: str = "") -> list[str]:
    """Return selectors, KEY and KEY=VALUE, for all labels that a shell leaves unchanged."""
    from machinectl.errors import MachineError
    from machinectl.machines.store import Store

    store = Store(root)
    found: set[str] = set()
    for name in stored_machines(root):
        try:
            own = store.read(name).labels
        except MachineError:
            continue
        found.update(word for key, value in own.items() for word in (key, f"{key}={value}"))
    return sorted(word for word in found if needs_no_quotes(word))


def needs_no_quotes(word: str) -> bool:
    return word.isascii() and all(letter.isalnum() or letter in "=._/-" for letter in word) and word[0].isalnum()


def driver_names() -> list[str]:
    """Return the drivers' names without loading them."""
    from machinectl.driver.installed_drivers import installed

    return [driver.name for driver in installed()]


def driver_flags(driver: str) -> list[Flag]:
    """Return a driver's flags, or none if it is missing or fails to load."""
    from machinectl.driver.installed_drivers import load
    from machinectl.errors import MachineError

    try:
        options = load(driver).options()
    except MachineError:
        return []
    return [driver_flag(driver, option).with_changes(help=option.help) for option in options]
