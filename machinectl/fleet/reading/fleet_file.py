"""A fleet's file, read and checked: all that is wrong with it is told in one go."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import shlex
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import MachineError
from machinectl.files.atomic import read_file
from machinectl.files.secret_files import read_secret
from machinectl.fleet.keys import (
    COMMON,
    DEFAULTS,
    DRIVER,
    ENGINE,
    FLEET,
    FLEET_KEY,
    FOR_HOSTS,
    FREE,
    GROUPS,
    HOSTS,
    LABEL,
    LABELS,
    NO_JUMP,
    PARTS,
    SWARM,
    Drivers,
    typed_jump,
)
from machinectl.fleet.model import Fleet, FleetHost, FleetId, Login
from machinectl.fleet.reading.host_checks import Said, advice, check
from machinectl.fleet.reading.host_ranges import each_by_itself
from machinectl.fleet.reading.includes import joined, similar_file
from machinectl.fleet.reading.key_values import Values, Wrong, as_typed, labels_of
from machinectl.fleet.reading.layers import NOTHING_SAID, Layer, is_null, merged, over
from machinectl.fleet.syntax.document import MOST_NODES, NULLS, Listed, MapEntry, Mapped, Scalar, read
from machinectl.fleet.syntax.faults import START, Faults
from machinectl.fleet.syntax.hidden_values import Hidden
from machinectl.fleet.syntax.yaml_errors import LONGEST_FILE
from machinectl.machines import create_options
from machinectl.machines.create_options import CERTIFICATES, HOST_KEY, LOGIN_SECRETS
from machinectl.machines.engine_options import EngineOptions, each_once, read_env_file
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.record import check_name
from machinectl.machines.spec import CertificateFiles, MachineSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any

    from machinectl.driver import OptionValue
    from machinectl.fleet.keys import DriverKeys, Key
    from machinectl.fleet.syntax.document import Node
    from machinectl.fleet.syntax.faults import Place

DEFAULT_FILE = "fleet.yaml"
STDIN = "-"

# Keys that are understood in a way of their own.
WITHOUT_VALUE = frozenset({LABELS, GROUPS})
ENV_FILE = create_options.ENV_FILE.name
JUMP = create_options.JUMP.name
NO_TLS = create_options.NO_TLS.name
NO_PROVISION = create_options.NO_PROVISION.name
NO_CONTEXT = create_options.NO_CONTEXT.name
STRICT = create_options.STRICT.name
# As Login has them.
LOGIN_TEXTS = (*LOGIN_SECRETS, HOST_KEY)
NOTHING_ASKED = EngineOptions()


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage where much is made and kept, nor in that later: it takes a fifth of a large fleet's time."""
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
    """What a fleet's file says; "" is for ./fleet.yaml. `machines` are the names in the store: jump hosts are of them.

    `text` is what the file holds, if that was read already: stdin is read only once. Paths in that are relative to the
    working directory. Raises MachineError: WrongFile with all that is wrong in the file, or that it cannot be read.
    Whether a name is free in the store, or is another driver's machine, is not looked at here: that is for whoever
    compares file and records.
    """
    name = path or DEFAULT_FILE
    return parse_fleet(contents(path) if text is None else text, name, machines, environment)


def called(path: str) -> str:
    """Return what a file is called in messages."""
    return {"": DEFAULT_FILE, STDIN: "stdin"}.get(path, path)


def contents(path: str) -> bytes:
    name = path or DEFAULT_FILE
    try:
        return read_file(name, LONGEST_FILE)
    except FileNotFoundError as exc:
        raise MachineError(f"There is no file {name}", other_file(path)) from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "no file has such a name"
        raise MachineError(f"{name} cannot be read: {reason}", "Name a fleet's file with -f") from exc


def other_file(path: str) -> str:
    """Return the hint for a missing file: a file of a similar name, or how to write one."""
    if near := similar_file(path or DEFAULT_FILE):
        return f"Did you mean -f {shlex.quote(near)}?"
    new = shlex.quote(path or DEFAULT_FILE)
    return f"Name another file with -f, or write one of the existing machines: machinectl fleet init -o {new}"


def parse_fleet(data: bytes, name: str, machines: Collection[str], environment: Mapping[str, str]) -> Fleet:
    """The same of a file's content; `name` is how the user called the file. Raises WrongFile."""
    path = os.path.abspath(name)
    hidden = Hidden()
    faults = Faults(called(name), hidden)
    root = joined(read(data, faults), name, faults)
    hosts = root.entries.get(HOSTS)
    if hosts and isinstance(hosts.value, Mapped):
        hosts.value = each_by_itself(hosts.value, faults)
    reading = Reading(root, Values(os.path.dirname(path), environment, hidden), faults)
    identity = fleet_id(reading.name(), name, faults)
    said = reading.hosts()
    check(said, {*reading.part(HOSTS).entries, *machines}, faults)
    faults.tell()
    return Fleet(identity, tuple(each.host for each in said), tuple(advice(said, machines, faults)), hidden)


def fleet_id(fleet: str, name: str, faults: Faults) -> FleetId:
    """Return the identity of the fleet that calls itself `fleet`, in the file that the user calls `name`."""
    if name == STDIN:
        if not fleet:
            faults.add(START, "A fleet from stdin needs a name, as no path tells it from others: write fleet: NAME")
        return FleetId(fleet)
    real = os.path.realpath(name)
    return FleetId(fleet or real, frozenset({real, os.path.abspath(name)}))


class Common(NamedTuple):
    """What a layer says of a host: values by their keys' names, options of its driver, and the rest of its spec."""

    found: Mapping[str, OptionValue]
    options: dict[str, OptionValue]
    typed: dict[str, str]
    tls: bool | None
    labels: Mapping[str, str]
    engine: EngineOptions
    provision: bool
    context: bool
    certificates: CertificateFiles
    login: Login
    swarm: str


def says_options_alone(own: Layer, driver: DriverKeys) -> bool:
    """Whether a host says nothing itself but its groups and options of its driver that are in no other file."""
    # A loop, as what is called for each host of a large fleet.
    for key, entry in own.entries.items():
        if key != GROUPS and (key not in driver.open_keys or is_null(entry.value)):
            return False
    return True


class Reading:
    """One file on its way to hosts. What stands at one place is understood once, however many hosts it is for."""

    def __init__(self, root: Mapped, values: Values, faults: Faults) -> None:
        self.root = root
        self.values = values
        self.faults = faults
        # By key and node, as a tuple of one; None where it was wrong.
        self.known: dict[tuple[int, int], tuple[OptionValue] | None] = {}
        self.drivers = Drivers()
        # By the node that names one.
        self.driver_of: dict[int, DriverKeys] = {}
        # What files hold, by what is read in them and the path.
        self.files: dict[tuple[str, str], Any] = {}
        self.defaults = NOTHING_SAID
        self.groups: dict[str, Layer] = {}
        # Those whose names mean themselves, wherever they stand.
        self.plain_groups: set[str] = set()
        self.bases: dict[tuple[str, ...], Layer] = {}
        # By groups and driver.
        self.commons: dict[tuple[tuple[str, ...], str], Common] = {}
        # What is known of hosts that say nothing but options of their driver, by their groups and their keys.
        self.shapes: dict[tuple[object, ...], tuple[DriverKeys, Common]] = {}
        # How much hosts were told so far, what defaults and groups say counted for each.
        self.said = 0

    def hosts(self) -> list[Said]:
        """The hosts of the file that can be understood, in its order; what is wrong with the others is noted."""
        for name, entry in self.root.entries.items():
            if name not in PARTS and not name.startswith(FREE):
                self.faults.unknown(entry.place, name, PARTS, "part of a fleet's file")
        if HOSTS not in self.root.entries:
            self.faults.add(self.root.place, "The file has no hosts: write them under hosts")
        self.defaults = self.layer(self.part(DEFAULTS))
        self.groups = {
            name: self.layer(mapped) if (mapped := self.mapping(f"The group {name}", entry.value)) else NOTHING_SAID
            for name, entry in self.part(GROUPS).entries.items()
        }
        self.plain_groups = {
            name for name in self.groups if "$" not in name and name not in NULLS and name.isprintable()
        }
        found = [self.host(name, entry) for name, entry in self.part(HOSTS).entries.items()]
        self.check_layer(self.defaults)
        for name, group in self.groups.items():
            self.check_layer(group)
            if GROUPS in group.entries:
                self.faults.add(group.entries[GROUPS].place, f"The group {name} is in no groups: hosts are")
        return [each for each in found if each]

    def name(self) -> str:
        """The fleet's name, "" if the file has none."""
        entry = self.root.entries.get(FLEET)
        return "" if entry is None or is_null(entry.value) else str(self.value(FLEET_KEY, entry.value))

    def part(self, name: str) -> Mapped:
        entry = self.root.entries.get(name)
        return (self.mapping(name, entry.value) if entry else None) or Mapped(self.root.place)

    def mapping(self, name: str, node: Node) -> Mapped | None:
        """A node that is to be a mapping; one where nothing stands is empty. None where it is none, which is noted."""
        if is_null(node):
            return Mapped(node.place)
        if isinstance(node, Mapped):
            return node
        self.faults.add(node.place, f"{name} is a mapping of options, this is {node.name}")
        return None

    def layer(self, mapped: Mapped) -> Layer:
        entry = mapped.entries.get(LABELS)
        labels: dict[str, Scalar] = {}
        if entry:
            try:
                labels = labels_of(entry.value)
            except Wrong as wrong:
                self.faults.add(wrong.place, wrong.why)
        return Layer(mapped.entries, labels)

    def check_layer(self, layer: Layer) -> None:
        """Note what is wrong in defaults or in a group, whether or not a host is told of it."""
        for name, entry in layer.entries.items():
            key = COMMON.get(name) or self.drivers.key(name)
            if key is None:
                self.faults.unknown(entry.place, name, (*COMMON, *self.drivers.all_keys()), "option of a host")
            elif name not in WITHOUT_VALUE and not is_null(entry.value):
                self.value(key, entry.value)
        for node in layer.labels.values():
            if not node.is_null:
                self.value(LABEL, node)

    def host(self, name: str, entry: MapEntry) -> Said | None:
        if self.said > MOST_NODES:
            return None
        try:
            check_name(name)
        except MachineError as exc:
            self.faults.add(entry.place, f"{name!r} cannot be a host's name: {exc.cause.partition(': ')[2]}")
        mapped = self.mapping(f"The host {name}", entry.value)
        if mapped is None:
            return None
        own = self.layer(mapped)
        groups = self.groups_of(own)
        base = self.base(groups)
        layer = over(base, own)
        self.said += len(layer.entries) + len(layer.labels)
        if self.said > MOST_NODES:
            self.faults.add(
                self.root.place, f"All hosts together are told of more than {MOST_NODES} values: no fleet is"
            )
            return None
        # What hosts before this one said with the same keys is understood: most are alike.
        at = (groups, *own.entries)
        driver, common = self.shapes.get(at, (None, None))
        options = self.plain_options(own, driver, common) if driver and common and not entry.member else None
        if driver and common and options:
            shown = {key: text for key, text in common.typed.items() if key not in own.entries}
        else:
            driver = self.driver(name, entry, layer)
            if driver is None:
                return None
            self.check_own(name, own, driver)
            if entry.member:
                own = with_address(own, layer, driver, entry.member)
                layer = over(base, own)
            if driver.name in create_options.WITHOUT_HOST:
                layer = layer.without(FOR_HOSTS.difference(own.entries))
            elif says_options_alone(own, driver) and not entry.member:
                self.shapes[at] = driver, self.common(groups, base, driver)
            found = self.found(layer, driver)
            common = self.understood(layer, found, driver)
            options, shown = common.options, common.typed
        self.check_required(name, entry, driver, layer, options)
        spec = MachineSpec(
            driver.name,
            options,
            common.tls,
            common.labels,
            common.engine,
            common.provision,
            common.context,
            jump_of(name, own, common.found),
        )
        host = FleetHost(name, spec, entry.place, common.certificates, common.login, common.swarm, shown, groups)
        return Said(host, driver, layer.entries)

    def plain_options(self, own: Layer, driver: DriverKeys, common: Common) -> dict[str, OptionValue] | None:
        """The driver's options of a host that says nothing else; None if a value is more than a text."""
        options = dict(common.options)
        for key, entry in own.entries.items():
            node = entry.value
            if key == GROUPS:
                if "$" in text_of(node):
                    return None
            elif not isinstance(node, Scalar) or node.is_null or "$" in node.text:
                return None
            else:
                options[driver.options[key].name] = self.value(driver.keys[key], node)
        return options

    def found(self, layer: Layer, driver: DriverKeys) -> dict[str, OptionValue]:
        """The values of what a layer says, by the names of their keys."""
        return {
            key.name: self.value(key, each.value)
            for option, each in layer.entries.items()
            if option not in WITHOUT_VALUE and (key := COMMON.get(option) or driver.keys.get(option))
        }

    def common(self, groups: tuple[str, ...], base: Layer, driver: DriverKeys) -> Common:
        """What hosts of the same groups and driver have in common if they say nothing but options of their driver."""
        at = (groups, driver.name)
        if at not in self.commons:
            self.commons[at] = self.understood(base, self.found(base, driver), driver)
        return self.commons[at]

    def understood(self, layer: Layer, found: Mapping[str, OptionValue], driver: DriverKeys) -> Common:
        return Common(
            found,
            self.options(driver, layer, found),
            typed(layer),
            tls=False if found.get(NO_TLS) else None,
            labels={key: str(self.value(LABEL, node)) for key, node in layer.labels.items()},
            engine=self.engine(layer, found),
            provision=not found.get(NO_PROVISION),
            context=not found.get(NO_CONTEXT),
            certificates=CertificateFiles(*(str(found.get(each.name, "")) for each in CERTIFICATES)),
            login=login(found),
            swarm=str(found.get(SWARM, "")),
        )

    def groups_of(self, own: Layer) -> tuple[str, ...]:
        """The groups that a host is in; those that there are not are noted."""
        entry = own.entries.get(GROUPS) or self.defaults.entries.get(GROUPS)
        if entry is None or is_null(entry.value):
            return ()
        nodes = entry.value.items if isinstance(entry.value, Listed) else [entry.value]
        plain = [node.text for node in nodes if isinstance(node, Scalar) and node.text in self.plain_groups]
        if len(plain) == len(nodes):
            return tuple(plain)
        named = self.value(COMMON[GROUPS], entry.value)
        names = named if isinstance(named, tuple) else ()
        for name, node in zip(names, nodes, strict=False):
            if name not in self.groups:
                self.faults.unknown(node.place, as_typed(node, name), self.groups, "group of this file")
        return tuple(name for name in names if name in self.groups)

    def base(self, groups: tuple[str, ...]) -> Layer:
        """What the defaults and groups say, a later one over an earlier one."""
        if groups not in self.bases:
            self.bases[groups] = merged([self.defaults, *(self.groups[group] for group in groups)])
        return self.bases[groups]

    def driver(self, name: str, entry: MapEntry, layer: Layer) -> DriverKeys | None:
        said = layer.entries.get(DRIVER)
        if said is None:
            self.faults.add(
                entry.place, f"{name} has no driver: write driver: generic, or what it is, here or in defaults"
            )
            return None
        if known := self.driver_of.get(id(said.value)):
            return known
        called = self.value(COMMON[DRIVER], said.value)
        if self.is_wrong(COMMON[DRIVER], said.value):
            return None
        try:
            return self.driver_of.setdefault(id(said.value), self.drivers.of(str(called)))
        except MachineError as exc:
            typed = as_typed(said.value, str(called))
            self.faults.add(said.value.place, exc.cause if typed == called else f"There is no driver {typed!r}")
            return None

    def check_own(self, name: str, own: Layer, driver: DriverKeys) -> None:
        """Note what a host says that its driver does not know."""
        for key, entry in own.entries.items():
            if key in COMMON or key in driver.keys:
                continue
            if other := self.drivers.who_has(key):
                self.faults.add(
                    entry.place, f"{key} is an option of driver {other}; the driver of {name} is {driver.name}"
                )
            else:
                self.faults.unknown(entry.place, key, (*COMMON, *driver.keys), "option of a host")

    def value(self, key: Key, node: Node) -> OptionValue:
        """The value that a node gives a key; its default where that is wrong, which is noted."""
        at = (id(key), id(node))
        if at not in self.known:
            try:
                value = self.values.of(key, node)
            except Wrong as wrong:
                self.faults.add(wrong.place, wrong.why)
                self.known[at] = None
            else:
                self.known[at] = (value,)
                return value
        known = self.known[at]
        return known[0] if known else key.default

    def is_wrong(self, key: Key, node: Node) -> bool:
        """Whether a value that was asked for is none."""
        return self.known[id(key), id(node)] is None

    def options(self, driver: DriverKeys, layer: Layer, found: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        """The value of every option of a host's driver, by name."""
        given: dict[str, OptionValue] = {}
        for key, option in driver.options.items():
            if option.secret:
                path = str(found.get(key, ""))
                secret = self.secret(key, path, layer.entries[key].value.place) if path else ""
                given[option.name] = secret or self.values.environment.get(option.variable, "")
            elif key in found:
                given[option.name] = found[key]
        return {**driver.defaults, **given}

    def check_required(
        self, name: str, entry: MapEntry, driver: DriverKeys, layer: Layer, options: Mapping[str, OptionValue]
    ) -> None:
        """Note the options that a host's driver needs and the file lacks."""
        for key in driver.required:
            is_told = key in layer.entries and self.is_wrong(driver.keys[key], layer.entries[key].value)
            if options[driver.options[key].name] in ("", ()) and not is_told:
                self.faults.add(entry.place, f"{name} has no {key}: driver {driver.name} needs it")

    def secret(self, key: str, path: str, place: Place) -> str:
        return str(self.file("secret", path, place, lambda: read_secret(path, key)))

    def engine(self, layer: Layer, found: Mapping[str, OptionValue]) -> EngineOptions:
        """What is asked of a host's engine."""
        asked: dict[str, Any] = {option: found[key.name] for option, key in ENGINE.items() if key.name in found}
        paths = found.get(ENV_FILE)
        if isinstance(paths, tuple) and paths:
            place = layer.entries[ENV_FILE].value.place
            environment = self.values.environment
            lines = [
                self.file(ENV_FILE, path, place, functools.partial(read_env_file, path, environment)) for path in paths
            ]
            asked["env"] = each_once([*itertools.chain.from_iterable(lines), *asked.get("env", ())])
        return EngineOptions(**asked) if asked else NOTHING_ASKED

    def file(self, kind: str, path: str, place: Place, read: Callable[[], Any]) -> Any:
        """What a file holds, read once; nothing where it cannot be, which is noted."""
        if (kind, path) not in self.files:
            try:
                self.files[kind, path] = read()
            except MachineError as exc:
                self.faults.add(place, exc.cause.removeprefix("--"))
                self.files[kind, path] = ""
        return self.files[kind, path]


def with_address(own: Layer, layer: Layer, driver: DriverKeys, member: Scalar) -> Layer:
    """Return what a host of a range says: its name is its address if its layer has none."""
    for key in driver.required:
        option = driver.options[key]
        if option.identity and option.check and key not in layer.entries:
            with suppress(MachineError):
                option.check(member.text)
                own = Layer({**own.entries, key: MapEntry(member.place, member)}, own.labels)
    return own


def jump_of(name: str, own: Layer, found: Mapping[str, OptionValue]) -> str:
    """Return a host's jump host with its type, "" for none."""
    jump = str(found.get(JUMP, ""))
    if not jump or jump.lower() == NO_JUMP:
        return ""
    jump = typed_jump(jump)
    # Who says of all hosts that they are reached by one of them does not mean that one.
    return jump if machine_of(jump) != name or JUMP in own.entries else ""


def typed(layer: Layer) -> dict[str, str]:
    """Return what the file has for the keys of a host whose values come from variables or files."""
    found = {key: text for key, entry in layer.entries.items() if "$" in (text := text_of(entry.value))}
    if layer.labels:
        found |= {f"{LABELS} {name}": node.text for name, node in layer.labels.items() if "$" in node.text}
    if ENV_FILE in layer.entries:
        engine_env = ENGINE["env"].name
        own = layer.entries.get(engine_env)
        found[engine_env] = ", ".join(
            [
                *filter(None, [text_of(own.value) if own else ""]),
                f"{ENV_FILE}: {text_of(layer.entries[ENV_FILE].value)}",
            ]
        )
    return found


def text_of(node: Node) -> str:
    """Return the text of a scalar, or of a list's scalars, as typed."""
    if isinstance(node, Scalar):
        return node.text
    nodes = node.items if isinstance(node, Listed) else []
    return ", ".join(each.text for each in nodes if isinstance(each, Scalar))


def login(found: Mapping[str, OptionValue]) -> Login:
    passphrase, password, sudo_password, host_key = (str(found.get(each.name, "")) for each in LOGIN_TEXTS)
    return Login(passphrase, password, sudo_password, host_key, bool(found.get(STRICT)))
