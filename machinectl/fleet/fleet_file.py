"""Read a fleet file and those that it includes, and report all errors at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import yaml

from machinectl.errors import Hint, MachineError, closest_match
from machinectl.files.atomic import read_file
from machinectl.files.user_files import file_error
from machinectl.fleet.fleet_keys import DEFAULTS, FLEET, FLEET_KEY, FREE, GROUPS, HOSTS, INCLUDE, PARTS, SWARM, normal
from machinectl.fleet.host_reader import HostReader, Member
from machinectl.fleet.key_values import KeyValues
from machinectl.fleet.yaml_nodes import (
    LONGEST_FILE,
    START,
    Faults,
    Hidden,
    MapEntry,
    Wrong,
    entries_of,
    inner_nodes,
    is_null,
    items_of,
    kind_of,
    made_mapping,
    made_text,
    place,
    read_mapping,
)
from machinectl.machines import create_options, jump_hosts
from machinectl.machines.create_options import CERTIFICATES, NO_PROVISION, NO_TLS
from machinectl.machines.spec import NO_CERTIFICATES
from machinectl.ranges import VALUE_RANGE, InvalidRange, expand_names, expand_ranges

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from machinectl.fleet.host_reader import FleetHost, HostEntry
    from machinectl.fleet.yaml_nodes import Entries, Node, Place


DEFAULT_FILE = "fleet.yaml"
STDIN = "-"
# Parts that several files may have.
SHARED = (DEFAULTS, GROUPS, HOSTS)
# Only these: errors quote fleet files, and other files may hold secrets.
SUFFIXES = (".yaml", ".yml")
JUMP = create_options.JUMP.name


class FleetId(NamedTuple):
    """Identifies a fleet in records: `text` is its name, or the file's real path.

    `paths` match records from before the file had a name, or was a link.
    """

    text: str
    paths: frozenset[str] = frozenset()

    def owns(self, recorded: str) -> bool:
        return recorded == self.text or recorded in self.paths


@dataclass(frozen=True)
class Fleet:
    """`hidden` has the values of variables."""

    id: FleetId
    hosts: tuple[FleetHost, ...]
    hidden: Hidden = field(default_factory=Hidden, compare=False)


def called(path: str) -> str:
    return {"": DEFAULT_FILE, STDIN: "stdin"}.get(path, path)


def read_fleet(
    path: str, machines: Collection[str], environment: Mapping[str, str], text: bytes | None = None
) -> Fleet:
    """Read a file, "" for ./fleet.yaml. `machines` of the store may be jump hosts.

    `text` is the content if already read, as stdin can be read only once. Its paths start at the working directory.
    Raises MachineError, WrongFile with all errors. Ignores conflicts with the store.
    """
    name = path or DEFAULT_FILE
    if text is None:
        try:
            text = read_file(name, LONGEST_FILE)
        except FileNotFoundError as exc:
            hint = "Name another file with -f, or write one of the existing machines"
            raise MachineError(f"There is no file {name}", Hint(hint, "machinectl fleet init -o", name)) from exc
        except (OSError, ValueError) as exc:
            raise MachineError(f"{name} cannot be read: {file_error(exc)}", Hint("Name a fleet file with -f")) from exc
    return parse_fleet(text, name, machines, environment)


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
    values = KeyValues(os.path.dirname(os.path.abspath(name)), environment, faults)
    named = parts.get(FLEET)
    fleet = "" if named is None or is_null(named.value) else str(values.value(FLEET_KEY, named.value))
    if name == STDIN and not fleet:
        faults.add(START, "A fleet from stdin needs a name, as it has no path: write fleet: NAME")
    reader = HostReader(parts, values)
    entries = reader.hosts()
    reader.check_shared()
    check_hosts(entries, {*reader.part(HOSTS), *machines}, faults)
    faults.tell()
    real = os.path.realpath(name)
    paths = frozenset() if name == STDIN else frozenset({real, os.path.abspath(name)})
    return Fleet(FleetId(fleet or real, paths), tuple(entry.host for entry in entries), faults.hidden)


def with_includes(root: yaml.MappingNode, name: str, faults: Faults) -> Entries:
    """Return the parts of a file and of those that it includes, each once; `name` is the user's name for the file.

    They have the entries of all files, at the place of the first file that has the part. Adds errors. Raises WrongFile
    if a file is not YAML.
    """
    parts: Entries = {}
    join_parts(parts, root, faults)
    files = {os.path.realpath(name)}
    pending = list(included_files(root, name, faults))
    while pending:
        file, at = pending.pop(0)
        if os.path.realpath(file) in files:
            continue
        files.add(os.path.realpath(file))
        try:
            data = read_file(file, LONGEST_FILE)
        except (OSError, ValueError) as exc:
            faults.add(at, f"{INCLUDE}: {file} cannot be read: {file_error(exc)}")
            continue
        included = read_mapping(data, faults, file)
        if fleet := entries_of(included).pop(FLEET, None):
            faults.add(place(fleet.key), f"{FLEET}: only the file that includes this one can name the fleet")
        join_parts(parts, included, faults)
        pending = [*included_files(included, file, faults), *pending]
    return {**entries_of(root), **parts}


def join_parts(parts: Entries, root: yaml.MappingNode, faults: Faults) -> None:
    """Add a file's parts, a duplicate key as an error."""
    for part, entry in entries_of(root).items():
        if part not in SHARED:
            parts.setdefault(part, entry)
        elif isinstance(entry.value, yaml.MappingNode):
            joined = entries_of(parts.setdefault(part, MapEntry(entry.key, made_mapping({}, entry.value))).value)
            for key, added in entries_of(entry.value).items():
                before = joined.setdefault(key, added)
                if before is not added:
                    faults.twice(place(added.key), key, place(before.key))
        elif not is_null(entry.value):
            faults.add(place(entry.value), f"{part} needs lines KEY: VALUE, this is {kind_of(entry.value)}")


def included_files(root: yaml.MappingNode, file: str, faults: Faults) -> Iterator[tuple[str, Place]]:
    """Yield the paths of the files that a file includes, with their places."""
    include = entries_of(root).get(INCLUDE)
    for node in items_of(include.value) if include and not is_null(include.value) else ():
        if not isinstance(node, yaml.ScalarNode) or is_null(node) or not node.value:
            faults.add(place(node), f"{INCLUDE} is a list of files, this is {kind_of(node)}")
        elif "${" in node.value or not node.value.endswith(SUFFIXES):
            faults.add(place(node), f"{INCLUDE}: {node.value!r} is not a file named *.yaml or *.yml")
        else:
            yield os.path.normpath(os.path.join(os.path.dirname(file), os.path.expanduser(node.value))), place(node)


def expand_hosts_part(hosts: Entries, faults: Faults) -> Entries:
    """Expand ranges; add errors."""
    expanded: Entries = {}
    for name, entry in hosts.items():
        members: list[yaml.ScalarNode] = [entry.key]
        values = [entry.value]
        try:
            if "[" in name:
                members = [Member("", member, entry.key.start_mark) for member in expand_names(name)]
                values = spread(entry.value, name, len(members))
        except InvalidRange as exc:
            faults.add(place(entry.key), f"{name!r}: {exc}")
            continue
        except Wrong as wrong:
            faults.add(wrong.place, wrong.why)
            continue
        for key, value in zip(members, values, strict=True):
            before = expanded.setdefault(key.value, MapEntry(key, value))
            if before.key is not key:
                faults.twice(place(key), key.value, place(before.key))
    return expanded


def has_range(node: Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return VALUE_RANGE.search(node.value) is not None
    return any(map(has_range, inner_nodes(node)))


def spread(node: Node, name: str, count: int) -> list[Node]:
    """Return a node for each host; without a range, it is the same. Raises Wrong."""
    if not has_range(node):
        return [node] * count
    if isinstance(node, yaml.ScalarNode):
        try:
            texts = expand_ranges(node.value, VALUE_RANGE)
        except InvalidRange as exc:
            raise Wrong(place(node), f"{node.value!r}: {exc}") from exc
        if len(texts) != count:
            raise Wrong(place(node), f"{node.value!r} has {len(texts)} values for the {count} hosts of {name!r}")
        return [made_text(text, node) for text in texts]
    rows = zip(*(spread(inner, name, count) for inner in inner_nodes(node)), strict=True)
    if isinstance(node, yaml.SequenceNode):
        return [yaml.SequenceNode("", list(row), node.start_mark) for row in rows]
    keys = {key: entry.key for key, entry in entries_of(node).items()}
    return [
        made_mapping({text: MapEntry(key, value) for (text, key), value in zip(keys.items(), row, strict=True)}, node)
        for row in rows
    ]


def check_hosts(hosts: Sequence[HostEntry], names: Collection[str], faults: Faults) -> None:
    """Add errors. `names` are the file's hosts and the store's machines."""
    seen: dict[tuple[object, ...], HostEntry] = {}
    for entry in hosts:
        if entry.host.certificates is not NO_CERTIFICATES:
            check_certificates(entry, faults)
        if entry.host.swarm and not entry.host.spec.provision:
            why = f"has {NO_PROVISION.name}, so that it cannot be a {entry.host.swarm}"
            faults.add(entry.place(SWARM), f"{entry.host.name} {why}")
        options = entry.driver.identity
        values = [entry.host.spec.options[name] for name in options.values()]
        first = seen.setdefault((entry.driver.name, *map(normal, values)), entry) if any(values) else entry
        if first is not entry:
            same = f"{entry.host.name} has the same {' and '.join(options)} as {first.host.name}: they are one host"
            faults.add(entry.place(next(iter(options))), same)
    check_jumps(hosts, names, faults)


def check_certificates(entry: HostEntry, faults: Faults) -> None:
    files = entry.host.certificates
    paths = (files.directory, files.ca, files.certificate, files.key)
    given = [key.name for key, path in zip(CERTIFICATES, paths, strict=True) if path]
    at, name = entry.place(given[0]), entry.host.name
    if entry.host.spec.tls is False:
        faults.add(at, f"{name} has {given[0]} and {NO_TLS.name}: remove one")
    if files.directory and len(given) > 1:
        faults.add(at, f"{name} has {given[0]} and {given[1]}: remove one")
    if not files.whole:
        missing = [key.name for key in CERTIFICATES[1:] if key.name not in given]
        faults.add(at, f"{name} lacks {' and '.join(missing)}, or {CERTIFICATES[0].name} in their place")


def check_jumps(hosts: Sequence[HostEntry], names: Collection[str], faults: Faults) -> None:
    jumping = {entry.host.name: entry for entry in hosts if entry.host.spec.jump}
    jumps = {name: jump_hosts.machine_of(entry.host.spec.jump) for name, entry in jumping.items()}
    for name, entry in jumping.items():
        if entry.driver.name in create_options.WITHOUT_HOST:
            faults.add(entry.place(JUMP), f"{JUMP} is for SSH, which driver {entry.driver.name} does not use")
        if (machine := jumps[name]) and machine not in names:
            near = closest_match(machine, names)
            other = f"; write another host as user@host[:port] or {jump_hosts.HOST}NAME"
            more = f": did you mean {near}?" if near else other
            faults.add(entry.place(JUMP), f"{JUMP}: {machine!r} is neither a host of this file nor a machine{more}")
    for loop in jump_hosts.loops(jumps):
        faults.add(jumping[loop[0]].place(JUMP), f"{JUMP}: {jump_hosts.loop_text(loop)}")
