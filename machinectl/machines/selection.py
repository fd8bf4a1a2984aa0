"""Choose the machines for a command: by names, by a selector, or the one called default."""

from __future__ import annotations

from machinectl.errors import MachineError, UsageError
from machinectl.machines.record import GLOB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

DEFAULT = "default"
# Interval of looking at another process's lock, in seconds.
LOCK_PAUSE = 0.1
# How many labels a hint names.
MOST_TOLD = 20


def matching(names: Sequence[str], known: Callable[[], Iterable[str]]) -> list[str]:
    """Replace globs (web*) and ranges (web[01:20]) in names.

    A glob becomes the `known` names that it matches; without a match it stays. Raises UsageError for an invalid range.
    """
    if not any(GLOB.intersection(name) for name in names):
        return list(names)
    # Loaded only for patterns: names alone take the light path.
    from fnmatch import fnmatchcase

    there = list(known())
    found: dict[str, None] = {}
    for name in (member for each in names for member in members(each)):
        matched = [each for each in there if fnmatchcase(each, name)] if GLOB.intersection(name) else []
        found |= dict.fromkeys(matched or [name])
    return list(found)


def members(name: str) -> list[str]:
    """Return the names of a range; a name without a range is itself. Raises UsageError."""
    if "[" not in name:
        return [name]
    from machinectl.ranges import VALUE_RANGE, InvalidRange, expanded

    try:
        return expanded(name, VALUE_RANGE)
    except InvalidRange as exc:
        raise UsageError(f"{name!r}: {exc}", "Write a range as 'web[01:20]', or a glob as 'web*'") from exc


def chosen(store: Store, names: Sequence[str]) -> list[str]:
    """Return the given machines (see `matching`), else `default` if it exists (docker-machine's rule)."""
    if names:
        return matching(names, store.names)
    if DEFAULT in store.names():
        return [DEFAULT]
    raise MachineError(
        f'Error: No machine name(s) specified and no "{DEFAULT}" machine exists',
        "Name one of those that machinectl ls lists",
    )


def chosen_one(store: Store, names: Sequence[str]) -> str:
    """Return the one machine for a command. Raises UsageError for several."""
    found = chosen(store, names)
    if len(found) > 1:
        raise UsageError(
            "Error: Expected one machine name as an argument", f"Leave all but one of them out: {' '.join(found)}"
        )
    return found[0]


def selected(store: Store, console: Console, names: Sequence[str], selector: str) -> list[str]:
    """Return the machines whose labels match a selector, in natural order.

    Warns about a machine whose record cannot be read, and leaves it out. Raises UsageError if names are given, too, and
    MachineError if no machine matches.
    """
    from machinectl.machines.label_selectors import parse_selector

    if names:
        raise both_chosen(names, selector)
    wanted = parse_selector(selector)
    labels = {}
    for name in store.names():
        try:
            labels[name] = store.read(name).labels
        except MachineError as exc:
            console.warn(f'"{name}" is left out, as its labels cannot be read: {exc.cause}')
    found = [name for name, own in labels.items() if wanted.selects(own)]
    if not found:
        there = sorted({f"{key}={value}" for own in labels.values() for key, value in own.items()})
        raise MachineError(f"--selector {selector!r} selects no machine", told(there))
    return found


def both_chosen(names: Sequence[str], selector: str) -> UsageError:
    return UsageError(
        "Names and --selector exclude each other", f"Leave one of them out: {' '.join(names)}; or -l {selector}"
    )


def told(labels: Sequence[str]) -> str:
    """Return the existing labels as a hint."""
    if not labels:
        return "No machine has a label. Give it one: machinectl set --label role=web <NAME>"
    more = f" and {len(labels) - MOST_TOLD} more" if len(labels) > MOST_TOLD else ""
    return f"There are: {', '.join(labels[:MOST_TOLD])}{more}"


def waiting(console: Console, name: str) -> Callable[[], None]:
    """Return a function to call while another machinectl holds a machine: it says so once, and pauses."""
    said = False

    def wait() -> None:
        nonlocal said
        if not said:
            console.note(f'Waiting for another machinectl that is working on "{name}" …')
            said = True
        console.pause(LOCK_PAUSE)

    return wait
