"""Suggest another order of operands: `push web1 web:1.2`. Loaded only for errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.invocation import NAME, THIS
from machinectl.cli.typed_words import hidden_values, quoted
from machinectl.errors import Hint, UsageError
from machinectl.machines.record import GLOB
from machinectl.machines.selection import DEFAULT
from machinectl.machines.store.name_errors import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.machines.store import Store

IMAGE = "<IMAGE>"


def check_image_first(store: Store, image: str, names: Sequence[str], *, is_chosen: bool) -> None:
    """Raise MachineError if a machine stands where the image must. `is_chosen`: an option chooses machines."""
    if not store.exists(image):
        return
    strange = [name for name in names if not store.exists(name) and not GLOB.intersection(name)]
    if strange and is_chosen:
        words = [word for word in hidden_values(THIS.typed) if word != image]
        raise UsageError(
            "Names, and --selector or --all, exclude each other", Hint(f"Leave out {image}", f"{NAME} {quoted(words)}")
        )
    if len(strange) == 1:
        raise missing(strange[0], Hint("Did you mean", moved(strange[0], image)))
    if not (names or is_chosen or store.exists(DEFAULT)):
        raise UsageError(f'The image is missing: "{image}" is a machine', Hint("", moved(IMAGE, image)))


def check_machine_first(store: Store, name: str, others: Sequence[str]) -> None:
    """Raises NoSuchMachine if one of the words after the name is the machine."""
    known = [] if store.exists(name) else [word for word in others if store.exists(word)]
    if len(known) == 1:
        raise missing(name, Hint("Did you mean", moved(known[0], name)))


def moved(word: str, before: str) -> str:
    """Return the command line as it was typed, with `word` moved or put before another."""
    words = hidden_values(THIS.typed)
    # The verb, or an option's value, may be the same word: operands come last.
    if word in words:
        del words[last_index(words, word)]
    words.insert(last_index(words, before), word)
    return f"{NAME} {quoted(words)}"


def last_index(words: Sequence[str], word: str) -> int:
    return max((at for at, each in enumerate(words) if each == word), default=len(words))
