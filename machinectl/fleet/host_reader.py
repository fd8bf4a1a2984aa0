"""Read the hosts of a fleet file: the defaults, their groups' settings, their own. The most specific setting wins."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import yaml

from machinectl.errors import MachineError
from machinectl.fleet.cross_checks import HostEntry
from machinectl.fleet.fleet_keys import (
    COMMON,
    DEFAULTS,
    DRIVER,
    ENGINE,
    FOR_HOSTS,
    GROUPS,
    HOSTS,
    LABEL,
    LABELS,
    LOCATION,
    NO_JUMP,
    SWARM,
    DriverKeys,
    Drivers,
    locate,
    short_key,
    typed_jump,
)
from machinectl.fleet.host_ranges import Member
from machinectl.fleet.key_values import as_typed, wrong_kind
from machinectl.fleet.model import NO_LOGIN, FleetHost, HostLogin
from machinectl.fleet.yaml_nodes import (
    MOST_NODES,
    MapEntry,
    entries_of,
    is_null,
    items_of,
    kind_of,
    made_text,
    place,
)
from machinectl.machines import create_options
from machinectl.machines.addresses import parse_addresses
from machinectl.machines.create_options import ACCESS_LIFETIME, CERTIFICATES, HOST_KEY, LOGIN_SECRETS
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.record import name_fault
from machinectl.machines.spec import NO_CERTIFICATES, CertificateFiles, MachineSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.driver import OptionValue
    from machinectl.fleet.key_values import KeyValues
    from machinectl.fleet.yaml_nodes import Entries, Node

ENV_FILE = create_options.ENV_FILE.name
JUMP = create_options.JUMP.name
NO_TLS = create_options.NO_TLS.name
NO_PROVISION = create_options.NO_PROVISION.name
NO_CONTEXT = create_options.NO_CONTEXT.name
STRICT = create_options.STRICT.name
# Keys by HostLogin's fields.
LOGIN_TEXTS = dict(
    zip(
        ("passphrase_file", "password_file", "sudo_password_file", "host_key"),
        (option.name for option in (*LOGIN_SECRETS, HOST_KEY)),
        strict=True,
    )
)
LOGIN_KEYS = (*LOGIN_TEXTS.values(), STRICT)
CERTIFICATE_KEYS = tuple(option.name for option in CERTIFICATES)
ENGINE_KEYS = frozenset({ENV_FILE, *(key.name for key in ENGINE.values())})
NOTHING_ASKED = EngineOptions()
# The beginning of a label's key among a host's settings, which are options otherwise.
OF_LABEL = f"{LABELS} "


class HostReader:
    """Reads hosts and adds errors. `root` has the parts of the file."""

    def __init__(self, root: yaml.MappingNode, parts: Entries, known: KeyValues) -> None:
        self.root = root
        self.parts = parts
        self.known = known
        self.faults = known.faults
        self.drivers = Drivers()
        self.defaults = self.settings(self.part(DEFAULTS))
        self.groups = {
            name: self.settings(self.mapping(f"The group {name}", entry.value) or {})
            for name, entry in self.part(GROUPS).items()
        }
        # Of defaults and groups, merged.
        self._bases: dict[tuple[str, ...], Entries] = {}
        # Many hosts share these: by the ids of their nodes.
        self._drivers: dict[int, DriverKeys] = {}
        self._engines: dict[tuple[tuple[str, int], ...], EngineOptions] = {}
        # The number of settings of all hosts, including inherited ones.
        self._size = 0

    def part(self, name: str) -> Entries:
        return (self.mapping(name, self.parts[name].value) if name in self.parts else None) or {}

    def mapping(self, name: str, node: Node) -> Entries | None:
        """Return no entries for null, None after an error."""
        if isinstance(node, yaml.MappingNode):
            return entries_of(node)
        if is_null(node):
            return {}
        self.faults.add(place(node), f"{name} needs lines KEY: VALUE, this is {kind_of(node)}")
        return None

    def settings(self, entries: Entries) -> Entries:
        """Return options, and labels by OF_LABEL and their names; LABELS itself stays for null."""
        found: Entries = {}
        for key, entry in entries.items():
            if key == LABELS and not is_null(entry.value):
                found |= self.labels(entry.value)
            elif key.startswith(OF_LABEL):
                self.faults.unknown(place(entry.key), key, COMMON, "option of a host")
            else:
                found[short_key(key)] = entry
        return found

    def labels(self, node: Node) -> Entries:
        found: Entries = {}
        if not isinstance(node, yaml.MappingNode):
            wrong = wrong_kind(COMMON[LABELS], node)
            self.faults.add(wrong.place, wrong.why)
            return found
        for name, entry in entries_of(node).items():
            if not name.strip() or "=" in name or not name.isprintable():
                self.faults.add(place(entry.key), f"{LABELS}: {name!r} is not a valid label")
            elif not isinstance(entry.value, yaml.ScalarNode):
                self.faults.add(place(entry.value), f"{LABELS}: {name} is a text, this is {kind_of(entry.value)}")
            else:
                found[OF_LABEL + name] = entry
        return found

    def check_shared(self) -> None:
        """Add errors of defaults and groups, used or not."""
        for name, group in self.groups.items():
            if GROUPS in group:
                self.faults.add(place(group[GROUPS].key), f"The group {name} cannot be in groups: only hosts can")
        for settings in (self.defaults, *self.groups.values()):
            for name, entry in settings.items():
                key = LABEL if name.startswith(OF_LABEL) else COMMON.get(name) or self.drivers.key(name)
                if key is None:
                    known = dict.fromkeys(name for each in self.drivers.all() for name in each.keys)
                    self.faults.unknown(place(entry.key), name, (*COMMON, *known), "option of a host")
                elif name not in {LABELS, GROUPS} and not is_null(entry.value):
                    self.known.value(key, entry.value)

    def hosts(self) -> list[HostEntry]:
        found = [self.host(name, entry) for name, entry in self.part(HOSTS).items()]
        return [each for each in found if each]

    def host(self, name: str, entry: MapEntry) -> HostEntry | None:
        if self._size > MOST_NODES:
            return None
        if why := name_fault(name):
            self.faults.add(place(entry.key), f"{name!r} cannot be a host's name: {why}")
        entries = self.host_entries(name, entry.value)
        if entries is None:
            return None
        own = self.settings(entries)
        groups = self.groups_of(own)
        if groups not in self._bases:
            self._bases[groups] = merged(self.defaults, *(self.groups[group] for group in groups))
        settings = merged(self._bases[groups], own)
        self._size += len(settings)
        if self._size > MOST_NODES:
            self.faults.add(place(self.root), f"All hosts together have more than {MOST_NODES} settings")
            return None
        driver = self.driver(name, entry, settings)
        if driver is None:
            return None
        self.check_own(name, own, driver)
        if isinstance(entry.key, Member):
            settings = with_address(settings, driver, entry.key)
        if driver.name in create_options.WITHOUT_HOST:
            settings = {key: each for key, each in settings.items() if key in own or key not in FOR_HOSTS}
        return HostEntry(self.fleet_host(name, entry, settings, own, driver, groups), driver, settings)

    def fleet_host(
        self, name: str, entry: MapEntry, settings: Entries, own: Entries, driver: DriverKeys, groups: tuple[str, ...]
    ) -> FleetHost:
        value = self.known.value
        found: dict[str, OptionValue] = {}
        labels: dict[str, str] = {}
        for key, each in settings.items():
            if key.startswith(OF_LABEL):
                labels[key.removeprefix(OF_LABEL)] = str(value(LABEL, each.value))
            elif key != GROUPS and (declared := COMMON.get(key) or driver.keys.get(key)):
                found[key] = value(declared, each.value)
        options = self.options(name, entry, driver, settings, found)
        spec = MachineSpec(
            driver.name,
            options,
            False if found.get(NO_TLS) else None,
            labels,
            self.engine(settings, found),
            not found.get(NO_PROVISION),
            not found.get(NO_CONTEXT),
            jump_of(name, own, found),
            addresses_of(found),
            str(found.get(ACCESS_LIFETIME.name, "")),
        )
        files = [str(found.get(key, "")) for key in CERTIFICATE_KEYS]
        login = NO_LOGIN
        if not found.keys().isdisjoint(LOGIN_KEYS):
            texts = {field: str(found.get(key, "")) for field, key in LOGIN_TEXTS.items()}
            login = HostLogin(**texts, strict=bool(found.get(STRICT)))
        certificates = CertificateFiles(*files) if any(files) else NO_CERTIFICATES
        swarm = str(found.get(SWARM, ""))
        return FleetHost(name, spec, place(entry.key), certificates, login, swarm, as_written(settings), groups)

    def host_entries(self, name: str, node: Node) -> Entries | None:
        """Return a host's options, also of one that is only [USER@]HOST[:PORT] or a URL, as `create` takes it."""
        if not isinstance(node, yaml.ScalarNode) or is_null(node):
            return self.mapping(f"The host {name}", node)
        text = str(self.known.value(LOCATION, node))
        try:
            driver, options = locate(text)
        except MachineError as exc:
            self.faults.add(place(node), f"{name}: {exc.cause}")
            return None
        return {key: MapEntry(node, made_text(str(value), node)) for key, value in {DRIVER: driver, **options}.items()}

    def groups_of(self, own: Entries) -> tuple[str, ...]:
        """Return a host's groups; add unknown ones as errors."""
        entry = own.get(GROUPS) or self.defaults.get(GROUPS)
        if entry is None or is_null(entry.value):
            return ()
        value = self.known.value(COMMON[GROUPS], entry.value)
        names = value if isinstance(value, tuple) else ()
        for name, node in zip(names, items_of(entry.value), strict=False):
            if name not in self.groups:
                self.faults.unknown(place(node), as_typed(node, name), self.groups, "group")
        return tuple(name for name in names if name in self.groups)

    def driver(self, name: str, entry: MapEntry, settings: Entries) -> DriverKeys | None:
        """Return None if missing or broken."""
        at = settings.get(DRIVER)
        if at is None:
            likely = next(filter(None, map(self.drivers.who_has, settings)), "generic")
            self.faults.add(place(entry.key), f"{name} has no driver: write driver: {likely}, here or in defaults")
            return None
        if known := self._drivers.get(id(at.value)):
            return known
        value = str(self.known.value(COMMON[DRIVER], at.value))
        if self.known.is_wrong(COMMON[DRIVER], at.value):
            return None
        try:
            return self._drivers.setdefault(id(at.value), self.drivers.of(value))
        except MachineError as exc:
            typed = as_typed(at.value, value)
            self.faults.add(place(at.value), exc.cause if typed == value else f"There is no driver {typed!r}")
            return None

    def check_own(self, name: str, own: Entries, driver: DriverKeys) -> None:
        for key, entry in own.items():
            if key in COMMON or key in driver.keys or key.startswith(OF_LABEL):
                continue
            if other := self.drivers.who_has(key):
                why = f"{key} is an option of driver {other}; the driver of {name} is {driver.name}"
                self.faults.add(place(entry.key), why)
            else:
                self.faults.unknown(place(entry.key), key, (*COMMON, *driver.keys), "option of a host")

    def options(
        self, name: str, entry: MapEntry, driver: DriverKeys, settings: Entries, found: Mapping[str, OptionValue]
    ) -> dict[str, OptionValue]:
        """Return the driver's options; add missing ones as errors."""
        options = dict(driver.defaults)
        for key, option in driver.options.items():
            if option.secret:
                path = str(found.get(key, ""))
                secret = self.known.secret(key, path, place(settings[key].value)) if path else ""
                options[option.name] = secret or self.known.environment.get(option.variable, "")
            elif key in found:
                options[option.name] = found[key]
        for key in driver.required:
            is_wrong = key in settings and self.known.is_wrong(driver.keys[key], settings[key].value)
            if options[driver.options[key].name] in {"", ()} and not is_wrong:
                self.faults.add(place(entry.key), f"{name} has no {key}: driver {driver.name} needs it")
        return options

    def engine(self, settings: Entries, found: Mapping[str, OptionValue]) -> EngineOptions:
        asked = {key: settings[key].value for key in ENGINE_KEYS.intersection(settings)}
        if not asked:
            return NOTHING_ASKED
        shared = tuple((key, id(node)) for key, node in sorted(asked.items()))
        if shared not in self._engines:
            options: dict[str, Any] = {option: found[key.name] for option, key in ENGINE.items() if key.name in found}
            paths = found.get(ENV_FILE)
            if isinstance(paths, tuple) and paths:
                files = [str(path) for path in paths]
                options["env"] = self.known.variables(files, place(asked[ENV_FILE]), options.get("env", ()))
            self._engines[shared] = EngineOptions(**options)
        return self._engines[shared]


def merged(*layers: Entries) -> Entries:
    """Later settings and labels win; null removes a setting."""
    found: Entries = {}
    for layer in layers:
        if LABELS in layer:
            found = {key: entry for key, entry in found.items() if not key.startswith(OF_LABEL)}
        found |= layer
    return {key: entry for key, entry in found.items() if not is_null(entry.value)}


def with_address(settings: Entries, driver: DriverKeys, member: Member) -> Entries:
    """In a range, a host's name is its default address."""
    for key in driver.required:
        option = driver.options[key]
        if option.identity and option.check and key not in settings:
            with suppress(MachineError):
                option.check(member.value)
                settings = {**settings, key: MapEntry(member, member)}
    return settings


def jump_of(name: str, own: Entries, found: Mapping[str, OptionValue]) -> str:
    """Return a jump host with its type, or ""."""
    jump = str(found.get(JUMP, ""))
    if not jump or jump.lower() == NO_JUMP:
        return ""
    jump = typed_jump(jump)
    # A shared jump host does not apply to itself.
    return jump if machine_of(jump) != name or JUMP in own else ""


def addresses_of(found: Mapping[str, OptionValue]) -> tuple[str, ...]:
    given = found.get(create_options.ADDRESS.name)
    return parse_addresses(given) if isinstance(given, tuple) else ()


def as_written(settings: Entries) -> dict[str, str]:
    """Return the file's texts for values from variables or files."""
    found = {key: text for key, entry in settings.items() if "$" in (text := text_of(entry.value))}
    if ENV_FILE in settings:
        engine_env = ENGINE["env"].name
        own = settings.get(engine_env)
        texts = [text_of(own.value) if own else "", f"{ENV_FILE}: {text_of(settings[ENV_FILE].value)}"]
        found[engine_env] = ", ".join(filter(None, texts))
    return found


def text_of(node: Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    return ", ".join(each.value for each in items_of(node) if isinstance(each, yaml.ScalarNode))
