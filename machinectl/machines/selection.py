"""Choose machines by name, by selector, or `default`."""

from __future__ import annotations

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.record import GLOB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    from machinectl.console import Console
    from machinectl.machines.store import Store

    Row = TypeVar("Row")

DEFAULT = "default"
# Seconds between looks at another process's lock.
LOCK_PAUSE = 0.1
# Names in a hint.
MOST_NAMES = 5


def matching(names: Sequence[str], known: Callable[[], Iterable[str]]) -> list[str]:
    """Expand globs (web*) and ranges (web[01:20]).

    A glob without a match stays. Raises UsageError for an invalid range.
    """
    if not any(GLOB.intersection(name) for name in names):
        return list(names)
    # Names without patterns take the light path.
    from fnmatch import fnmatchcase

    there = list(known())
    found: dict[str, None] = {}
    for name in (member for each in names for member in expand_range(each)):
        matched = [each for each in there if fnmatchcase(each, name)] if GLOB.intersection(name) else []
        found |= dict.fromkeys(matched or [name])
    return list(found)


def expand_range(name: str) -> list[str]:
    """Expand a range. Raises UsageError."""
    if "[" not in name:
        return [name]
    from machinectl.ranges import VALUE_RANGE, InvalidRange, expand_ranges

    try:
        return expand_ranges(name, VALUE_RANGE)
    except InvalidRange as exc:
        raise UsageError(f"{name!r}: {exc}", Hint("Write a range as 'web[01:20]', or a glob as 'web*'")) from exc


def listed_for_each(
    store: Store, names: Sequence[str], listed: Callable[[Store, Sequence[str]], list[Row]]
) -> tuple[list[Row], list[MachineError]]:
    """Return the rows of all machines, and the errors of those that fail. With one machine, raise the error."""
    found = matching(names, store.names)
    if len(found) <= 1:
        return listed(store, found), []
    rows: list[Row] = []
    failures = []
    for name in found:
        try:
            rows += listed(store, [name])
        except MachineError as exc:
            failures.append(exc)
    return rows, failures


def require_names(names: Sequence[str], verb: str, flag: str = "") -> None:
    """Raise UsageError without any: there is no default. `flag` takes the place of names."""
    if not names:
        how = Hint("Name them", f"machinectl {verb} <NAME>")
        if flag:
            how |= Hint("or all of them", f"machinectl {verb} {flag}")
        raise UsageError("Expected to get one or more machine names as arguments", how)


def chosen(store: Store, names: Sequence[str]) -> list[str]:
    """Expand names; without names, choose `default`, like docker-machine."""
    if names:
        return matching(names, store.names)
    if DEFAULT in store.names():
        return [DEFAULT]
    from machinectl.machines.store.missing_machine import first_steps

    known = store.names()
    hint = Hint(f"Name one: {', '.join(known)}") if known else first_steps()
    if len(known) > MOST_NAMES:
        hint = Hint("Name one; list the machines", "machinectl ls")
    raise MachineError(f'No machine name(s) specified and no "{DEFAULT}" machine exists', hint)


def chosen_one(store: Store, names: Sequence[str]) -> str:
    """Return one machine. Raises UsageError for several."""
    found = chosen(store, names)
    if len(found) > 1:
        raise UsageError(
            "Expected one machine name as an argument", Hint(f"Leave all but one of them out: {' '.join(found)}")
        )
    return found[0]


def selected(store: Store, console: Console, names: Sequence[str], selector: str) -> list[str]:
    """Return machines that match a selector, in natural order.

    Warns about unreadable records. Raises UsageError if names are given, too; MachineError without a match.
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
        from machinectl.machines.store.missing_machine import first_steps

        hint = Hint("See the machines' labels", "machinectl ls --json") if labels else first_steps()
        raise MachineError(f"--selector {selector!r} selects no machine", hint)
    return found


def both_chosen(names: Sequence[str], selector: str) -> UsageError:
    return UsageError("Names and --selector exclude each other", Hint(f"Leave out {' '.join(names)}, or -l {selector}"))


def waiting(console: Console, name: str) -> Callable[[], None]:
    """Return a function that pauses for another run of machinectl, and says so once."""
    return waiting_with_note(console, lambda: f'Waiting for another run on "{name}" …')


def waiting_with_note(console: Console, note: Callable[[], str]) -> Callable[[], None]:
    """Return a function that pauses, and shows `note` the first time."""
    said = False

    def wait() -> None:
        nonlocal said
        if not said:
            console.note(note())
            said = True
        console.pause(LOCK_PAUSE)

    return wait
