"""Write the short forms of `create` in full: `create ops@orion` is `create --driver=… --…=ops@orion orion`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.cli.catalogue import find_verb
from machinectl.cli.invocation import NAME
from machinectl.cli.output.exit_status import warning
from machinectl.cli.output.style import harmless
from machinectl.cli.parsing.command_line import IN_DRIVER, command_flags, driver_flag
from machinectl.cli.parsing.go_flags import (
    WITH_DRIVER_OPTIONS,
    by_names,
    canonical,
    flags_of,
    named_driver,
    split_at_verb,
)
from machinectl.cli.typed_words import shown_value, typed_line
from machinectl.driver import DriverError
from machinectl.driver.driver_options import option_flag, read_location, short_form
from machinectl.driver.installed_drivers import installed, load
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.record import is_name
from machinectl.machines.store.missing_machine import ways_to_create
from machinectl.url import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.driver import Option
    from machinectl.machines.flags import Flag

# A location and the machine's name.
BOTH = 2


def canonical_with_driver(arguments: Sequence[str]) -> list[str]:
    """Return a command line in canonical form, a driver's flags, too, and `create` in full."""
    words = canonical(arguments)
    _, rest = split_at_verb(words)
    name = rest[0] if rest else ""
    verb = find_verb(name) if name in WITH_DRIVER_OPTIONS else None
    if verb is None:
        return words
    typed = create_in_full(arguments) if name == "create" else arguments
    flags = command_flags(name, verb, canonical(typed))
    return canonical(typed, by_names(flag for flag in flags if flag.section.startswith(IN_DRIVER)))


def create_in_full(arguments: Sequence[str]) -> list[str]:
    """Return a command line of `create`, canonical, with the driver that its options or its location tell.

    Raises UsageError.
    """
    words = canonical(arguments)
    end = words.index("--") if "--" in words else len(words)
    # As of an unset variable: it is the same as no --driver.
    words = [word for word in words[:end] if word != "--driver="] + words[end:]
    named = named_driver(words)
    driver = named or driver_of_flags(unknown_flags(words, ()))
    options = load(driver).options() if driver else ()
    own = [driver_flag(driver, option) for option in options]
    before, rest = split_at_verb(canonical(words, by_names(own)))
    flags, names = part_words(rest[1:])
    # Report a wrong flag first: its value may look like a location.
    is_other = "--help" in flags or unknown_flags(rest, own) or is_wrong(flags, own)
    if driver and not (named or names or is_other):
        raise no_name(rest)
    typed = {word.partition("=")[0] for word in flags}
    is_located = any(
        option_flag(option) in typed or os.environ.get(option.variable) for option in options if option.locates
    )
    location = "" if is_other or is_located else location_in(names)
    if location and (found := located_driver(location, driver)):
        driver, flag = found
        names.remove(location)
        rest = ["create", f"{flag}={location}", *flags, "--", *(names or [name_of_host(location, rest)])]
    if driver and not named:
        rest.insert(1, f"--driver={driver}")
    return [*before, *rest]


def part_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the flags and the names of a canonical command line."""
    end = words.index("--") if "--" in words else len(words)
    flags = [word for word in words[:end] if word.startswith("-")]
    return flags, [word for word in words[:end] if not word.startswith("-")] + list(words[end + 1 :])


def unknown_flags(words: Sequence[str], own: Iterable[Flag]) -> set[str]:
    """Return the flags that belong neither to `create` nor to a driver with its `own`."""
    flags, _ = part_words(split_at_verb(words)[1])
    known = {f"--{name}" for name in (*flags_of("create"), *by_names(own))}
    return {word.partition("=")[0] for word in flags if word.startswith("--")} - known


def is_wrong(flags: Sequence[str], own: Iterable[Flag]) -> bool:
    """Return whether a flag lacks its value, or is an unknown letter: known ones are in full here."""
    taking = {name for name, takes_value in flags_of("create").values() if takes_value}
    taking.update(flag.name for flag in own if flag.metavar)
    return any(flag[2:] in taking or not (flag.startswith("--") or flag == "-") for flag in flags)


def driver_of_flags(typed: set[str]) -> str:
    """Return the driver that declares most of these flags, else the one whose name a flag begins with, or ""."""
    if not typed:
        return ""
    names = [driver.name for driver in installed()]
    alike = [name for name in names if any(flag.startswith(f"--{name}-") for flag in typed)]
    declaring: dict[str, int] = {}
    # A driver's options usually begin with its name: load the others only if they do not.
    for name in dict.fromkeys([*alike, *names]):
        own = by_names(driver_flag(name, option) for option in options_of(name))
        declaring[name] = len(typed.intersection(f"--{flag}" for flag in own))
        if declaring[name] == len(typed):
            return name
    return max((name for name in declaring if declaring[name]), key=declaring.__getitem__, default="") or next(
        iter(alike), ""
    )


def flags_of_drivers() -> Iterable[Flag]:
    return [driver_flag(driver.name, option) for driver in installed() for option in options_of(driver.name)]


def options_of(name: str) -> Sequence[Option]:
    """Return a driver's options, none if it is broken."""
    with suppress(MachineError):
        return load(name).options()
    return ()


def location_in(words: Sequence[str]) -> str:
    """Return the word that says where the host is, or "": one that is no name, an address, or the first of two."""
    if not 0 < len(words) <= BOTH:
        return ""
    found = [word for word in words if not is_name(word) or is_address(word)]
    return next(iter(found), words[0] if len(words) == BOTH else "")


def located_driver(location: str, driver: str) -> tuple[str, str] | None:
    """Return the driver for a location, with its flag; None if the chosen driver takes the word as a name.

    Raises UsageError.
    """
    shown = shown_value("", location)
    takers = locating_options(driver, location) if driver else []
    for other in () if driver else installed():
        try:
            takers += locating_options(other.name, location)
        except DriverError as error:
            # A broken driver must not stand in the way of the others.
            print(warning(harmless(f"{error.cause}: skipped")), file=sys.stderr)
    if len(takers) > 1:
        names = ", ".join(name for name, _ in takers)
        raise UsageError(f"Several drivers take {shown!r}: {names}", Hint("Name one with --driver <DRIVER>"))
    if takers:
        return takers[0]
    if not driver:
        raise UsageError(f"{shown!r} is neither a host nor a name", ways_to_create())
    forms = [short_form(driver, option) for option in options_of(driver) if option.locates]
    if not is_name(location) and forms:
        hint = Hint(f"It takes {forms[0]}; for a host of another driver, omit --driver, and unset MACHINE_DRIVER")
        raise UsageError(f"Driver {driver} does not take {shown!r}", hint)
    return None


def locating_options(driver: str, location: str) -> list[tuple[str, str]]:
    """Raises DriverError if the driver fails."""
    return [
        (driver, option_flag(option))
        for option in options_of(driver)
        if read_location(driver, option, location) is not None
    ]


def name_of_host(location: str, typed: Sequence[str]) -> str:
    """Return the host in [SCHEME://][USER@]HOST[:PORT] as the machine's name. Raises UsageError."""
    host = location.rpartition("://")[2].rpartition("@")[2].removesuffix("/")
    host = host.partition(":")[0] if host.count(":") == 1 else host
    if is_name(host) and not is_address(host):
        return host
    raise no_name(typed)


def no_name(typed: Sequence[str]) -> UsageError:
    """`typed` begins with the verb."""
    hint = Hint("Put it at the end", f"{NAME} {typed_line(typed)}", "<NAME>") if typed[1:] else ways_to_create()
    return UsageError("No machine name specified", hint)
