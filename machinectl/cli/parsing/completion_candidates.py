"""List completion candidates for shells and for docker, fast enough for a Tab."""

from __future__ import annotations

import re
from contextlib import suppress

from machinectl.cli.catalogue import ALL, GROUPS, TOPICS, VERBS, flags_of_verb
from machinectl.cli.driver_option import driver_flag
from machinectl.errors import MachineError
from machinectl.machines.flags import BUILDER, CONTAINER, MACHINE, Flag
from machinectl.machines.holders import holders_of
from machinectl.machines.record import natural
from machinectl.machines.store import Store

SHELLS = ("bash", "zsh", "fish", "powershell")
HELP = Flag("-h", "--help", help="Show help.")
# Selectors and names that no shell changes.
UNQUOTED = r"[A-Za-z0-9][A-Za-z0-9=._/-]*"
UNQUOTED_NAME = r"[A-Za-z0-9][A-Za-z0-9@:._/-]*"
# Seconds that a Tab may take.
PATIENCE = 2.0


def verb_summaries(group: str = "") -> dict[str, str]:
    return {name: verb.summary for name, verb in (GROUPS[group] if group else VERBS).items() if verb.section}


def helped() -> dict[str, str]:
    """Return what `help` explains: verbs and topics."""
    return {**verb_summaries(), **TOPICS}


def argument_kinds(verb: str) -> tuple[tuple[str | tuple[str, ...], ...], bool]:
    """Return a verb's argument kinds, and whether the last one repeats. `verb` may be `certs ls`."""
    if verb == "help":
        return (), False
    if verb not in ALL:
        return (MACHINE,), True
    declared = ALL[verb].arguments
    return tuple(value for one in declared for value in one.values), any(one.repeats for one in declared)


def flags_for(verb: str = "") -> list[Flag]:
    return [*(flag for flag in flags_of_verb(verb) if not flag.hidden), HELP]


def stored_machines(root: str = "") -> list[str]:
    """Return a store's machines, none if it cannot be read."""
    try:
        return Store(root).names()
    except MachineError:
        return []


def label_selectors(root: str = "") -> list[str]:
    """Return selectors, KEY and KEY=VALUE, for all labels that a shell leaves unchanged."""
    store = Store(root)
    selectors: set[str] = set()
    for name in stored_machines(root):
        with suppress(MachineError):
            selectors.update(word for key, value in store.read(name).labels.items() for word in (key, f"{key}={value}"))
    return sorted(word for word in selectors if re.fullmatch(UNQUOTED, word))


def holder_names(root: str = "") -> list[str]:
    """Return those who have access to a store's machines."""
    store = Store(root)
    holders: set[str] = set()
    for name in stored_machines(root):
        with suppress(MachineError):
            holders.update(holder.who for holder in holders_of(store.read(name)))
    return sorted(holders, key=natural)


def driver_names() -> list[str]:
    """Return the drivers' names without loading them."""
    from machinectl.driver.installed_drivers import installed

    return [driver.name for driver in installed()]


def driver_flags(driver: str) -> list[Flag]:
    """Return a driver's flags, or none if it is missing or fails to load."""
    from machinectl.driver.installed_drivers import load

    try:
        options = load(driver).options()
    except MachineError:
        return []
    return [driver_flag(driver, option).with_changes(help=option.help) for option in options]


def asked_names(kind: str, root: str, machine: str) -> list[str]:
    """Return names of a kind, none if nobody answers. Without a machine, images are those of docker's engine."""
    import os

    from machinectl.engine import EngineQuery, probe_by
    from machinectl.engine.docker_context import current_engine
    from machinectl.engine.endpoint import Deadline
    from machinectl.json_values import as_dict, as_list, as_text
    from machinectl.machines.machine_driver import endpoint_of

    store = Store(root)
    try:
        if kind == BUILDER:
            from machinectl.docker_cli.builders import store_builders
            from machinectl.docker_cli.buildx import Buildx

            names = [builder.name for builder in store_builders(store, Buildx(os.environ))]
        else:
            engine = endpoint_of(store.read_ready(machine)) if machine else current_engine(os.environ)
            path, field = ("/containers/json?all=1", "Names") if kind == CONTAINER else ("/images/json", "RepoTags")
            answer = as_list(probe_by(engine, Deadline(PATIENCE), EngineQuery(path, list)).told)
            names = [as_text(name).removeprefix("/") for row in answer for name in as_list(as_dict(row).get(field))]
    except MachineError:
        return []
    return sorted(name for name in set(names) if re.fullmatch(UNQUOTED_NAME, name))
