"""The flags that `create` and `set` take from a machine's driver. Light path."""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import find_verb
from machinectl.cli.parsing.go_flags import WITH_DRIVER_OPTIONS, by_names, canonical, split_at_verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from machinectl.cli.declared_verb import Verb
    from machinectl.machines.flags import Flag


def command_flags(name: str, declared: Verb, arguments: Sequence[str]) -> tuple[Sequence[Flag], dict[str, Any]]:
    """Return a verb's flags with those of the driver, and Typer's settings. `arguments` are canonical."""
    if name not in WITH_DRIVER_OPTIONS:
        return declared.flags, {}
    flags, settings = sys.modules[declared.module].flags_with_driver(arguments, declared)
    return flags, settings


def canonical_with_driver(arguments: Sequence[str]) -> list[str]:
    """Return a command line in canonical form, a driver's flags, too, and `create` in full."""
    words = canonical(arguments)
    _, rest = split_at_verb(words)
    name = rest[0] if rest else ""
    verb = find_verb(name) if name in WITH_DRIVER_OPTIONS else None
    if verb is None:
        return words
    from machinectl.cli.driver_option import IN_DRIVER
    from machinectl.cli.parsing.create_forms import create_in_full

    typed = create_in_full(arguments) if name == "create" else arguments
    flags, _ = command_flags(name, verb, canonical(typed))
    return canonical(typed, by_names(flag for flag in flags if flag.section.startswith(IN_DRIVER)))
