"""Find verb, store, machine and driver before the command line is parsed. Light path."""

from __future__ import annotations

import os
from itertools import pairwise

from machinectl.cli.parsing.go_flags import flags_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def split_at_verb(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a canonical command line (`go_flags`) before the verb."""
    position = next((at for at, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    return list(arguments[:position]), list(arguments[position:])


def named_store(arguments: Sequence[str]) -> str:
    before, _ = split_at_verb(arguments)
    named = [word.removeprefix("--storage-path=") for word in before if word.startswith("--storage-path=")]
    return named[-1] if named else ""


def named_machine(arguments: Sequence[str], exists: Callable[[str], bool]) -> str:
    """Return the machine of a verb that takes one name, or "".

    A word after an unknown option may be its value: a surer word wins.
    """
    _, rest = split_at_verb(arguments)
    known = flags_of(rest[0]) if rest else {}
    found = [(word, before) for before, word in pairwise(rest) if not word.startswith("-") and exists(word)]
    sure = [word for word, before in found if not before.startswith("--") or before.removeprefix("--") in known]
    return next(iter([*sure, *(word for word, _ in found)]), "")


def named_driver(arguments: Sequence[str]) -> str:
    _, rest = split_at_verb(arguments)
    if rest[:1] != ["create"]:
        return ""
    options = rest[: rest.index("--")] if "--" in rest else rest
    named = [word.removeprefix("--driver=") for word in options if word.startswith("--driver=")]
    return named[-1] if named else os.environ.get("MACHINE_DRIVER", "")
