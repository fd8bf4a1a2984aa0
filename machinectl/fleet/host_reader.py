"""Read the hosts of a fleet file: the defaults, their groups' settings, their own. The most specific setting wins."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

from machinectl.errors import MachineError
from machinectl.files.user_files import read_secret
from machinectl.fleet import fleet_keys as keys
from machinectl.fleet.key_values import wrong_kind
from machinectl.fleet.yaml_nodes import START, MapEntry, Place, entries_of, is_null, items_of, kind_of, made_text, place
from machinectl.machines import create_options
from machinectl.machines.addresses import parse_addresses
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, CERTIFICATES, HOST_KEY, LOGIN_SECRETS
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.record import name_fault
from machinectl.machines.spec import NO_CERTIFICATES, CertificateFiles, MachineSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.driver import OptionValue
    from machinectl.fleet.fleet_keys import DriverKeys
    from machinectl.fleet.key_values import KeyValues
    from machinectl.fleet.yaml_nodes import Entries, Node

    Values = Mapping[str, OptionValue]

ENV_FILE = create_options.ENV_FILE.name
JUMP = create_options.JUMP.name
# The beginning of a label's key among a host's settings, which are options otherwise.
OF_LABEL = f"{keys.LABELS} "
OPTION = "option of a host"


@dataclass(frozen=True)
class HostLogin:
    """Login files with secrets, and the host's key."""

    passphrase_file: str = ""
    password_file: str = ""
    sudo_password_file: str = ""
    host_key: str = ""
    strict: bool = False


NO_LOGIN = HostLogin()


class Member(yaml.ScalarNode):
    """The name of a host of a range."""


# Not frozen: for 10,000 hosts that takes 60 ms more.
@dataclass
class FleetHost:
    """A host; paths are absolute.

    `swarm` is "", "manager" or "worker". `typed` has texts to show for values from variables or files; a label's key is
    `labels NAME`.
    """

    name: str
    spec: MachineSpec
    place: Place = START
    certificates: CertificateFiles = NO_CERTIFICATES
    login: HostLogin = NO_LOGIN
    swarm: str = ""
    typed: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(slots=True)
class HostEntry:
    """A host, and where its settings are."""

    host: FleetHost
    driver: DriverKeys
    entries: Entries

    def place(self, key: str) -> Place:
        return place(self.entries[key].value) if key in self.entries else self.host.place


class HostReader:
    """Reads hosts of the file's `parts`, and adds errors."""

    def __init__(self, parts: Entries, known: KeyValues) -> None:
        self.parts = parts
        self.known = known
        self.faults = known.faults
        self.drivers = keys.Drivers()
        self.defaults = self.settings(self.part(keys.DEFAULTS))
        self.groups = {
            name: self.settings(self.mapping(f"The group {name}", entry.value) or {})
            for name, entry in self.part(keys.GROUPS).items()
        }

    def part(self, name: str) -> Entries:
        return (self.mapping(name, self.parts[name].value) if name in self.parts else None) or {}

    def mapping(self, name: str, node: Node) -> Entries | None:
        """Return no entries for null, None after an error."""
        if isinstance(node, yaml.MappingNode) or is_null(node):
            return entries_of(node)
        self.faults.add(place(node), f"{name} needs lines KEY: VALUE, this is {kind_of(node)}")
        return None

    def settings(self, entries: Entries) -> Entries:
        """Return options, and labels by OF_LABEL and their names; LABELS itself stays for null."""
        settings: Entries = {}
        for key, entry in entries.items():
            if key == keys.LABELS and not is_null(entry.value):
                settings |= self.labels(entry.value)
            elif key.startswith(OF_LABEL):
                self.faults.unknown(place(entry.key), key, keys.COMMON, OPTION)
            else:
                # docker-machine's names of generic's options.
                settings[key.removeprefix("generic-")] = entry
        return settings

    def labels(self, node: Node) -> Entries:
        labels: Entries = {}
        if not isinstance(node, yaml.MappingNode):
            self.faults.add(place(node), wrong_kind(keys.COMMON[keys.LABELS], node).why)
        for name, entry in entries_of(node).items():
            if not name.strip() or "=" in name or not name.isprintable():
                self.faults.add(place(entry.key), f"{keys.LABELS}: {name!r} is not a valid label")
            elif not isinstance(entry.value, yaml.ScalarNode):
                self.faults.add(place(entry.value), f"{keys.LABELS}: {name} is a text, this is {kind_of(entry.value)}")
            else:
                labels[OF_LABEL + name] = entry
        return labels

    def check_shared(self) -> None:
        """Add errors of defaults and groups, used or not."""
        for name, group in self.groups.items():
            if keys.GROUPS in group:
                self.faults.add(place(group[keys.GROUPS].key), f"The group {name} cannot be in groups: only hosts can")
        for settings in (self.defaults, *self.groups.values()):
            for name, entry in settings.items():
                key = keys.LABEL if name.startswith(OF_LABEL) else keys.COMMON.get(name)
                if key is None and (driver := self.drivers.having(name)):
                    key = driver.keys[name]
                if key is None:
                    known = dict.fromkeys(name for driver in self.drivers.all() for name in driver.keys)
                    self.faults.unknown(place(entry.key), name, (*keys.COMMON, *known), OPTION)
                elif name not in {keys.LABELS, keys.GROUPS} and not is_null(entry.value):
                    self.known.value(key, entry.value)

    def hosts(self) -> list[HostEntry]:
        return [host for name, entry in self.part(keys.HOSTS).items() if (host := self.host(name, entry))]

    def host(self, name: str, entry: MapEntry) -> HostEntry | None:
        """Return None after an error."""
        if why := name_fault(name):
            self.faults.add(place(entry.key), f"{name!r} cannot be a host's name: {why}")
        entries = self.host_entries(name, entry.value)
        if entries is None:
            return None
        own = self.settings(entries)
        settings = merged(self.defaults, *(self.groups[group] for group in self.groups_of(own)), own)
        driver = self.driver(name, entry, settings)
        if driver is None:
            return None
        self.check_own(name, own, driver)
        if isinstance(entry.key, Member):
            settings = with_address(settings, driver, entry.key)
        if driver.name in create_options.WITHOUT_HOST:
            settings = {key: setting for key, setting in settings.items() if key in own or key not in keys.FOR_HOSTS}
        values = {
            key: self.known.value(declared, setting.value)
            for key, setting in settings.items()
            if key != keys.GROUPS and (declared := keys.COMMON.get(key) or driver.keys.get(key))
        }
        labels = {
            key.removeprefix(OF_LABEL): str(self.known.value(keys.LABEL, setting.value))
            for key, setting in settings.items()
            if key.startswith(OF_LABEL)
        }
        addresses, jump = values.get(ADDRESS.name), keys.typed_jump(str(values.get(JUMP, "")))
        # A shared jump host does not apply to itself.
        if machine_of(jump) == name and JUMP not in own:
            jump = ""
        spec = MachineSpec(
            driver.name,
            self.options(name, entry, driver, settings, values),
            False if values.get(create_options.NO_TLS.name) else None,
            labels,
            self.engine(settings, values),
            not values.get(create_options.NO_PROVISION.name),
            not values.get(create_options.NO_CONTEXT.name),
            jump,
            parse_addresses(addresses) if isinstance(addresses, tuple) else (),
            str(values.get(ACCESS_LIFETIME.name, "")),
        )
        paths = [str(values.get(option.name, "")) for option in CERTIFICATES]
        passphrase, password, sudo, key = (str(values.get(option.name, "")) for option in (*LOGIN_SECRETS, HOST_KEY))
        is_strict = bool(values.get(create_options.STRICT.name))
        host = FleetHost(
            name,
            spec,
            place(entry.key),
            CertificateFiles(*paths) if any(paths) else NO_CERTIFICATES,
            HostLogin(passphrase, password, sudo, key, is_strict),
            str(values.get(keys.SWARM, "")),
            as_written(settings),
        )
        return HostEntry(host, driver, settings)

    def host_entries(self, name: str, node: Node) -> Entries | None:
        """Return a host's options, also of one that is only [USER@]HOST[:PORT] or a URL, as `create` takes it."""
        if not isinstance(node, yaml.ScalarNode) or is_null(node):
            return self.mapping(f"The host {name}", node)
        try:
            driver, options = keys.locate(str(self.known.value(keys.LOCATION, node)))
        except MachineError as exc:
            self.faults.add(place(node), f"{name}: {exc.cause}")
            return None
        return {
            key: MapEntry(node, made_text(str(value), node)) for key, value in {keys.DRIVER: driver, **options}.items()
        }

    def groups_of(self, own: Entries) -> list[str]:
        """Return a host's groups; add unknown ones as errors."""
        entry = own.get(keys.GROUPS) or self.defaults.get(keys.GROUPS)
        value = () if entry is None or is_null(entry.value) else self.known.value(keys.COMMON[keys.GROUPS], entry.value)
        names = value if isinstance(value, tuple) else ()
        for name, node in zip(names, items_of(entry.value) if entry else (), strict=False):
            if name not in self.groups:
                self.faults.unknown(place(node), name, self.groups, "group")
        return [name for name in names if name in self.groups]

    def driver(self, name: str, entry: MapEntry, settings: Entries) -> DriverKeys | None:
        """Return None if missing or broken."""
        if keys.DRIVER not in settings:
            likely = next((driver.name for key in settings if (driver := self.drivers.having(key))), "generic")
            self.faults.add(place(entry.key), f"{name} has no driver: write driver: {likely}, here or in defaults")
            return None
        node = settings[keys.DRIVER].value
        value = str(self.known.value(keys.COMMON[keys.DRIVER], node))
        if self.known.is_wrong(keys.COMMON[keys.DRIVER], node):
            return None
        try:
            return self.drivers.of(value)
        except MachineError as exc:
            self.faults.add(place(node), exc.cause)
            return None

    def check_own(self, name: str, own: Entries, driver: DriverKeys) -> None:
        for key, entry in own.items():
            if key in keys.COMMON or key in driver.keys or key.startswith(OF_LABEL):
                continue
            if other := self.drivers.having(key):
                why = f"{key} is an option of driver {other.name}; the driver of {name} is {driver.name}"
                self.faults.add(place(entry.key), why)
            else:
                self.faults.unknown(place(entry.key), key, (*keys.COMMON, *driver.keys), OPTION)

    def options(
        self, name: str, entry: MapEntry, driver: DriverKeys, settings: Entries, values: Values
    ) -> dict[str, OptionValue]:
        """Return the driver's options; add missing ones as errors."""
        options = dict(driver.defaults)
        for key, option in driver.options.items():
            if option.secret:
                path = str(values.get(key, ""))
                at = place(settings[key].value) if path else START
                secret = self.known.read_or(partial(read_secret, path, key), at) if path else ""
                options[option.name] = secret or self.known.environment.get(option.variable, "")
            elif key in values:
                options[option.name] = values[key]
        for key in driver.required:
            is_wrong = key in settings and self.known.is_wrong(driver.keys[key], settings[key].value)
            if options[driver.options[key].name] in {"", ()} and not is_wrong:
                self.faults.add(place(entry.key), f"{name} has no {key}: driver {driver.name} needs it")
        return options

    def engine(self, settings: Entries, values: Values) -> EngineOptions:
        options: dict[str, Any] = {field: values[key.name] for field, key in keys.ENGINE.items() if key.name in values}
        paths = values.get(ENV_FILE)
        if isinstance(paths, tuple) and paths:
            own = options.get("env", ())
            options["env"] = self.known.variables([*map(str, paths)], place(settings[ENV_FILE].value), own)
        return EngineOptions(**options)


def merged(*layers: Entries) -> Entries:
    """Later settings and labels win; null removes a setting."""
    settings: Entries = {}
    for layer in layers:
        if keys.LABELS in layer:
            settings = {key: entry for key, entry in settings.items() if not key.startswith(OF_LABEL)}
        settings |= layer
    return {key: entry for key, entry in settings.items() if not is_null(entry.value)}


def with_address(settings: Entries, driver: DriverKeys, member: Member) -> Entries:
    """In a range, a host's name is its default address."""
    for key in driver.required:
        option = driver.options[key]
        if option.identity and option.check and key not in settings:
            with suppress(MachineError):
                option.check(member.value)
                settings = {**settings, key: MapEntry(member, member)}
    return settings


def as_written(settings: Entries) -> dict[str, str]:
    """Return the file's texts for values from variables or files."""
    texts = {
        key: ", ".join(item.value for item in items_of(entry.value) if isinstance(item, yaml.ScalarNode))
        for key, entry in settings.items()
    }
    written = {key: text for key, text in texts.items() if "$" in text}
    if ENV_FILE in settings:
        name = keys.ENGINE["env"].name
        written[name] = ", ".join(filter(None, [texts.get(name), f"{ENV_FILE}: {texts[ENV_FILE]}"]))
    return written
