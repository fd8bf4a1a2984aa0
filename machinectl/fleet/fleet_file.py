"""Read a fleet file and report all errors at once."""

from __future__ import annotations

import gc
import os
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.files.atomic import read_file
from machinectl.files.new_file import file_error
from machinectl.fleet.cross_checks import check_hosts, fleet_advice
from machinectl.fleet.file_errors import START, Faults
from machinectl.fleet.fleet_keys import FLEET, FLEET_KEY, FREE, HOSTS, PARTS
from machinectl.fleet.fleet_model import Fleet, FleetId
from machinectl.fleet.host_ranges import expand_hosts_part
from machinectl.fleet.host_reader import HostReader
from machinectl.fleet.includes import similar_file, with_includes
from machinectl.fleet.key_values import KeyValues
from machinectl.fleet.yaml_nodes import LONGEST_FILE, MapEntry, entries_of, is_null, made_mapping, place, read_mapping

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

DEFAULT_FILE = "fleet.yaml"
STDIN = "-"


@contextmanager
def uncollected() -> Iterator[None]:
    """Disable garbage collection, which takes a fifth of the time, and exempt the result later."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def read_fleet(
    path: str, machines: Collection[str], environment: Mapping[str, str], text: bytes | None = None
) -> Fleet:
    """Read a file, "" for ./fleet.yaml. `machines` of the store may be jump hosts.

    `text` is the content if already read, as stdin can be read only once. Its paths start at the working directory.
    Raises MachineError, WrongFile with all errors. Ignores conflicts with the store.
    """
    name = path or DEFAULT_FILE
    return parse_fleet(read_contents(name) if text is None else text, name, machines, environment)


def called(path: str) -> str:
    return {"": DEFAULT_FILE, STDIN: "stdin"}.get(path, path)


def read_contents(name: str) -> bytes:
    try:
        return read_file(name, LONGEST_FILE)
    except FileNotFoundError as exc:
        hint = Hint(
            "Name another file with -f, or write one of the existing machines", "machinectl fleet init -o", name
        )
        if near := similar_file(name):
            hint = Hint(f"Did you mean -f {shlex.quote(near)}?")
        raise MachineError(f"There is no file {name}", hint) from exc
    except (OSError, ValueError) as exc:
        raise MachineError(f"{name} cannot be read: {file_error(exc)}", Hint("Name a fleet file with -f")) from exc


def parse_fleet(data: bytes, name: str, machines: Collection[str], environment: Mapping[str, str]) -> Fleet:
    """Parse a file; `name` is the user's name for it. Raises WrongFile."""
    faults = Faults(called(name))
    root = read_mapping(data, faults)
    parts = with_includes(root, name, faults)
    for part, entry in parts.items():
        if part not in PARTS and not part.startswith(FREE):
            faults.unknown(place(entry.key), part, PARTS, "part of a fleet file")
    if HOSTS not in parts:
        faults.add(place(root), "The file has no hosts: write them under hosts")
    elif hosts := entries_of(parts[HOSTS].value):
        key = parts[HOSTS].key
        parts[HOSTS] = MapEntry(key, made_mapping(expand_hosts_part(hosts, faults), key))
    known = KeyValues(os.path.dirname(os.path.abspath(name)), environment, faults)
    named = parts.get(FLEET)
    fleet = "" if named is None or is_null(named.value) else str(known.value(FLEET_KEY, named.value))
    identity = fleet_id(fleet, name, faults)
    reader = HostReader(parts, known)
    entries = reader.hosts()
    reader.check_shared()
    check_hosts(entries, {*reader.part(HOSTS), *machines}, faults)
    faults.tell()
    hosts_read = tuple(entry.host for entry in entries)
    return Fleet(identity, hosts_read, tuple(fleet_advice(entries, machines, faults)), faults.hidden)


def fleet_id(fleet: str, name: str, faults: Faults) -> FleetId:
    if name == STDIN:
        if not fleet:
            faults.add(START, "A fleet from stdin needs a name, as it has no path: write fleet: NAME")
        return FleetId(fleet)
    real = os.path.realpath(name)
    return FleetId(fleet or real, frozenset({real, os.path.abspath(name)}))
