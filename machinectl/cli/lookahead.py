"""What must be known of a command line before it can be parsed: its verb, and the driver whose options it takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

# Options that stand before the verb and take a value; what follows one of them is not the verb.
TAKE_VALUES = frozenset(
    {"-s", "--storage-path", "--tls-ca-cert", "--tls-ca-key", "--tls-client-cert", "--tls-client-key"}
)

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
    """The options before the verb, and the verb with what follows it."""
    position = 0
    while position < len(arguments) and arguments[position].startswith("-"):
        option = arguments[position]
        # Of short options in one word, as in -Ds DIR, the last one takes the value.
        takes_value = option in TAKE_VALUES or (not option.startswith("--") and option.endswith("s"))
        position += 2 if takes_value else 1
    return list(arguments[:position]), list(arguments[position:])


def named_store(arguments: Sequence[str]) -> str:
    """The store that a command line names before its verb, "" where it names none."""
    before, _ = split_at_verb(arguments)
    root = ""
    for position, option in enumerate(before):
        if option.startswith("--storage-path="):
            root = option.partition("=")[2]
        elif option == "--storage-path" or (option.endswith("s") and not option.startswith("--")):
            root = before[position + 1] if position + 1 < len(before) else root
    return root


def named_machine(arguments: Sequence[str], take_values: Collection[str], exists: Callable[[str], bool]) -> str:
    """The machine that a verb with one name is about; "" where none of its words is one.

    `take_values` are its options that are followed by a value. Others may be, too: a word counts where it `exists`.
    """
    _, rest = split_at_verb(arguments)
    words = iter(rest[1:])
    for word in words:
        if word in take_values:
            next(words, "")
        elif not word.startswith("-") and exists(word):
            return word
    return ""


def named_driver(arguments: Sequence[str], take_values: Collection[str]) -> str:
    """The driver that a `create` is about; "" where it names none, or is not a `create`.

    `take_values` are the options of `create` that are followed by a value, which may look like an option.
    """
    _, rest = split_at_verb(arguments)
    if rest[:1] != ["create"]:
        return ""
    name = os.environ.get("MACHINE_DRIVER", "")
    words = iter(rest[1:])
    for word in words:
        if word == "--":
            break
        if word in {"-d", "--driver"}:
            name = next(words, "")
        elif word.startswith("--driver="):
            name = word.removeprefix("--driver=")
        elif word.startswith("-d") and not word.startswith("--"):
            name = word.removeprefix("-d")
        elif word in take_values:
            next(words, "")
    return name
