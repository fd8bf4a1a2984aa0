"""What must be known of a command line before it can be parsed: its verb, and the driver whose options it takes."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

from machinectl.cli.parsing.go_flags import flags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# machinectl(1) of systemd, but for those that we have too (list, start, kill, rename).
SYSTEMDS_VERBS = frozenset(
    [
        "list-images",
        "show",
        "login",
        "shell",
        "enable",
        "disable",
        "poweroff",
        "reboot",
        "terminate",
        "copy-to",
        "copy-from",
        "bind",
        "image-status",
        "show-image",
        "clone",
        "remove",
        "set-limit",
        "clean",
        "pull-tar",
        "pull-raw",
        "import-tar",
        "import-raw",
        "import-fs",
        "export-tar",
        "export-raw",
        "list-transfers",
        "cancel-transfer",
    ]
)


def split_at_verb(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options before the verb, and the verb with what follows it, of a canonical command line (`go_flags`)."""
    position = next((at for at, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    return list(arguments[:position]), list(arguments[position:])


def named_store(arguments: Sequence[str]) -> str:
    """The store that a canonical command line names before its verb, "" where it names none."""
    before, _ = split_at_verb(arguments)
    named = [word.removeprefix("--storage-path=") for word in before if word.startswith("--storage-path=")]
    return named[-1] if named else ""


def named_machine(arguments: Sequence[str], exists: Callable[[str], bool]) -> str:
    """The machine that a verb with one name is about; "" where none of its words is one.

    A word may be the value of an option before it that is not known yet: one that surely is none goes first.
    """
    _, rest = split_at_verb(arguments)
    known = flags_of(rest[0]) if rest else {}
    found = [(word, before) for before, word in pairwise(rest) if not word.startswith("-") and exists(word)]
    sure = [word for word, before in found if not before.startswith("--") or before.removeprefix("--") in known]
    return next(iter([*sure, *(word for word, _ in found)]), "")


def named_driver(arguments: Sequence[str]) -> str:
    """The driver that a canonical `create` is about; "" where it names none, or is not a `create`."""
    _, rest = split_at_verb(arguments)
    if rest[:1] != ["create"]:
        return ""
    options = rest[: rest.index("--")] if "--" in rest else rest
    named = [word.removeprefix("--driver=") for word in options if word.startswith("--driver=")]
    return named[-1] if named else os.environ.get("MACHINE_DRIVER", "")
