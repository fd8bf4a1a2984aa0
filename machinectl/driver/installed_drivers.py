"""Find drivers, and import only the requested one. Only for the core."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from contextlib import suppress

from machinectl.driver.contract import Driver, DriverError
from machinectl.errors import Hint, MachineError, closest_match
from machinectl.value_classes import Frozen, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

GROUP = "machinectl.drivers"


class Installed(Frozen):
    """`origin` names the driver's object, for messages. `make` runs third-party code."""

    name: str
    package: str
    version: str
    origin: str
    make: Callable[[], object] = field(repr=False, compare=False)

    def load(self) -> Driver:
        """Return a new driver; the caller closes it. Raises DriverError."""
        try:
            # It passes each call on.
            return Guarded(self.name, self.make())  # type: ignore[return-value]
        except MachineError:
            raise
        except (Exception, SystemExit) as exc:
            raise DriverError(
                f'Driver "{self.name}" ({self.origin}) cannot be loaded: {first_line(exc)}',
                Hint("Reinstall or remove its package", "machinectl drivers"),
            ) from exc


def packaged_drivers() -> Iterator[Installed]:
    from importlib import metadata

    for package in metadata.distributions():
        try:
            found = package.entry_points.select(group=GROUP)
        except Exception:  # noqa: BLE001, S112 - skip only the broken package
            continue
        for each in found:
            yield Installed(
                each.name, package.name, package.version, each.value, functools.partial(make_driver, each.value)
            )


def make_driver(origin: str) -> object:
    """Create a driver from an entry point, `module:attribute`."""
    module, _, attribute = origin.partition("[")[0].replace(" ", "").partition(":")
    # Not import_module: `status` and `ls` would load importlib and warnings only for it.
    __import__(module)
    found: Any = sys.modules[module]
    return functools.reduce(getattr, attribute.split("."), found)()


# Functions that find drivers; the first driver of a name wins. They may raise any exception.
FINDERS: list[Callable[[], Iterable[Installed]]] = [packaged_drivers]


def search() -> tuple[dict[str, Installed], list[DriverError]]:
    """Return drivers by name, and errors of finders. Loads none."""
    found: dict[str, Installed] = {}
    failed = []
    for finder in FINDERS:
        try:
            for driver in finder():
                found.setdefault(driver.name, driver)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - third-party code
            failed.append(
                DriverError(
                    f"Drivers cannot be looked for in {finder.__module__}: {first_line(exc)}",
                    Hint("See what is installed", "machinectl drivers"),
                )
            )
    return found, failed


def installed() -> list[Installed]:
    """Return all drivers by name. Loads none."""
    found, _ = search()
    return [found[name] for name in sorted(found)]


# Loaded drivers by name. The lock ensures one object for each driver.
in_use: dict[str, Driver] = {}
loading = threading.Lock()


def load(name: str) -> Driver:
    """Return the process's only driver of that name. Raises DriverError."""
    with loading:
        if name not in in_use:
            in_use[name] = find_and_load(name)
        return in_use[name]


def close_all() -> None:
    """Close the drivers in use, at exit or before exec."""
    while in_use:
        close_quietly(in_use.popitem()[1])


atexit.register(close_all)


def find_and_load(name: str) -> Driver:
    # Finds nearly all drivers, without the slower finders.
    if origin := find_origin(GROUP, name):
        return Installed(name, "", "", origin, functools.partial(make_driver, origin)).load()
    found, failed = search()
    if name not in found:
        known = ", ".join(sorted(found)) or "no drivers"
        why = "".join(f"; {error.cause}" for error in failed)
        near = closest_match(name, found)
        raise DriverError(
            f'Driver "{name}" not found. Do you have the plugin installed? (installed: {known}{why})',
            Hint("Did you mean", "machinectl create -d", near, "--help")
            if near
            else Hint("List the drivers", "machinectl drivers"),
            for_scripts=True,
        )
    return found[name].load()


def find_origin(group: str, name: str) -> str:
    """Return the first match as `module:attribute`, "" if none, without importlib.metadata, which takes 10 ms.

    Reads only packages installed as directories. Format: packaging.python.org/specifications/entry-points.
    """
    return next(
        (found for path in entry_point_files() for known, found in entries_in(path, group) if known == name), ""
    )


def entry_point_files() -> Iterator[str]:
    for directory in sys.path:
        try:
            names = os.listdir(directory or os.curdir)
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                yield os.path.join(directory, name, "entry_points.txt")


def entries_in(path: str, group: str) -> Iterator[tuple[str, str]]:
    """Yield a group's names and objects; none for a broken file."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return
    _, _, after = f"\n{text}".partition(f"\n[{group}]\n")
    section, _, _ = after.partition("\n[")
    for line in section.splitlines():
        name, equals, target = line.partition("=")
        if equals and not name.startswith(("#", ";")):
            yield name.strip(), target.strip()


def close_quietly(driver: Driver) -> None:
    """Ignore errors: the process ends."""
    with suppress(MachineError):
        driver.close()


class Guarded:
    """Converts a driver's exceptions to DriverError; passes MachineError on."""

    def __init__(self, name: str, driver: object) -> None:
        self.name = name
        self.driver = driver

    def __getattr__(self, member: str) -> Callable[..., object]:
        def call(*given: object) -> object:
            try:
                return getattr(self.driver, member)(*given)
            except MachineError:
                raise
            except (Exception, SystemExit) as exc:
                raise DriverError(
                    f'Driver "{self.name}" fails in {member}: {first_line(exc)}',
                    Hint("See where it comes from, and tell them", "machinectl drivers"),
                ) from exc

        return call


def first_line(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {str(exc).partition(chr(10))[0]}"
