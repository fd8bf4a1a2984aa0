"""Suggest another order of operands: `push web1 web:1.2`. Loaded only for errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.invocation import NAME, THIS
from machinectl.cli.typed_words import hidden_values, quoted
from machinectl.errors import Hint
from machinectl.machines.record import GLOB
from machinectl.machines.store.name_errors import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.store import Store


def check_image_first(store: Store, image: str, names: Sequence[str], **_: object) -> None:
    """Raise NoSuchMachine for `push web1 web:1.2`."""
    strange = [name for name in names if not store.exists(name) and not GLOB.intersection(name)]
    if store.exists(image) and len(strange) == 1:
        raise missing(strange[0], Hint("Did you mean", swapped(image, strange[0])))


def check_machine_first(store: Store, name: str, others: Sequence[str]) -> None:
    """Raise NoSuchMachine if one of the words after the name is the machine."""
    known = [] if store.exists(name) else [word for word in others if store.exists(word)]
    if len(known) == 1:
        raise missing(name, Hint("Did you mean", swapped(name, known[0])))


def swapped(first: str, second: str) -> str:
    """Return what was typed with two operands exchanged."""
    words = hidden_values(THIS.typed)
    # The verb, or an option's value, may be the same word: operands come last.
    at, to = (max((at for at, word in enumerate(words) if word == name), default=-1) for name in (first, second))
    words[at], words[to] = words[to], words[at]
    return f"{NAME} {quoted(words)}"
