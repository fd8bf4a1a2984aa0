"""Read the hosts of a fleet file from its layers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import MachineError
from machinectl.fleet.fleet_keys import (
    COMMON,
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
    typed_jump,
)
from machinectl.fleet.model import FleetHost, HostLogin
from machinectl.fleet.reading.cross_checks import HostEntry
from machinectl.fleet.reading.key_values import as_typed
from machinectl.fleet.reading.layers import WITHOUT_VALUE, Layer, Layers, is_null, over
from machinectl.fleet.syntax.document import MOST_NODES, Listed, MapEntry, Mapped, Node, Scalar
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

ENV_FILE = create_options.ENV_FILE.name
JUMP = create_options.JUMP.name
NO_TLS = create_options.NO_TLS.name
NO_PROVISION = create_options.NO_PROVISION.name
NO_CONTEXT = create_options.NO_CONTEXT.name
STRICT = create_options.STRICT.name
# In the order of HostLogin's fields.
LOGIN_TEXTS = (*LOGIN_SECRETS, HOST_KEY)
NOTHING_ASKED = EngineOptions()


class HostSettings(NamedTuple):
    found: Mapping[str, OptionValue]
    options: dict[str, OptionValue]
    typed: dict[str, str]
    tls: bool | None
    labels: Mapping[str, str]
    engine: EngineOptions
    provision: bool
    context: bool
    certificates: CertificateFiles
    login: HostLogin
    swarm: str


class HostReader:
    """Reads hosts and adds errors.

    Most hosts of a large file set only an address: shared settings are read once.
    """

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.known = layers.known
        self.faults = layers.faults
        self.drivers = Drivers()
        # By id of the node with the driver's name.
        self._driver_of: dict[int, DriverKeys] = {}
        # By groups and driver.
        self._shared: dict[tuple[tuple[str, ...], str], HostSettings] = {}
        # For hosts that set only driver options: by groups and keys.
        self._shapes: dict[tuple[object, ...], tuple[DriverKeys, HostSettings]] = {}
        # The number of settings of all hosts, including inherited ones.
        self._size = 0

    def hosts(self) -> list[HostEntry]:
        found = [self.host(name, entry) for name, entry in self.layers.part(HOSTS).entries.items()]
        return [each for each in found if each]

    def host(self, name: str, entry: MapEntry) -> HostEntry | None:
        if self._size > MOST_NODES:
            return None
        if why := name_fault(name):
            self.faults.add(entry.place, f"{name!r} cannot be a host's name: {why}")
        mapped = self.mapping(name, entry.value)
        if mapped is None:
            return None
        own = self.layers.layer(mapped)
        groups = self.layers.groups_of(own)
        base = self.layers.base(groups)
        layer = over(base, own)
        self._size += len(layer.entries) + len(layer.labels)
        if self._size > MOST_NODES:
            self.faults.add(self.layers.root.place, f"All hosts together have more than {MOST_NODES} settings")
            return None
        # Most hosts set the same keys: reuse their shared settings.
        shape = (groups, *own.entries)
        driver, settings = self._shapes.get(shape, (None, None))
        options = self.plain_options(own, driver, settings) if driver and settings and not entry.member else None
        if driver and settings and options:
            typed = settings.typed and {key: text for key, text in settings.typed.items() if key not in own.entries}
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
            elif sets_options_only(own, driver) and not entry.member:
                self._shapes[shape] = driver, self.shared(groups, base, driver)
            settings = self.settings(layer, driver)
            options, typed = settings.options, settings.typed
        self.check_required(name, entry, driver, layer, options)
        spec = MachineSpec(
            driver.name,
            options,
            settings.tls,
            settings.labels,
            settings.engine,
            settings.provision,
            settings.context,
            jump_of(name, own, settings.found),
            addresses_of(settings.found),
            str(settings.found.get(ACCESS_LIFETIME.name, "")),
        )
        certificates, login, swarm = settings.certificates, settings.login, settings.swarm
        host = FleetHost(name, spec, entry.place, certificates, login, swarm, typed, groups)
        return HostEntry(host, driver, layer.entries)

    def mapping(self, name: str, node: Node) -> Mapped | None:
        """Return a host's options, also of one that is only [USER@]HOST[:PORT] or a URL, as `create` takes it."""
        if not isinstance(node, Scalar) or is_null(node):
            return self.layers.mapping(f"The host {name}", node)
        text = str(self.known.value(LOCATION, node))
        try:
            driver, options = locate(text)
        except MachineError as exc:
            self.faults.add(node.place, f"{name}: {exc.cause}")
            return None
        entries = {option: MapEntry(node.place, Scalar(node.place, str(value))) for option, value in options.items()}
        return Mapped(node.place, {DRIVER: MapEntry(node.place, Scalar(node.place, driver)), **entries})

    def plain_options(self, own: Layer, driver: DriverKeys, shared: HostSettings) -> dict[str, OptionValue] | None:
        """Return the options of a host that sets nothing else; None if one is no plain text."""
        options = dict(shared.options)
        for key, entry in own.entries.items():
            node = entry.value
            if key == GROUPS:
                if "$" in text_of(node):
                    return None
            elif not isinstance(node, Scalar) or node.is_null or "$" in node.text:
                return None
            else:
                options[driver.options[key].name] = self.known.value(driver.keys[key], node)
        return options

    def shared(self, groups: tuple[str, ...], base: Layer, driver: DriverKeys) -> HostSettings:
        if (groups, driver.name) not in self._shared:
            self._shared[groups, driver.name] = self.settings(base, driver)
        return self._shared[groups, driver.name]

    def settings(self, layer: Layer, driver: DriverKeys) -> HostSettings:
        found = {
            key.name: self.known.value(key, each.value)
            for name, each in layer.entries.items()
            if name not in WITHOUT_VALUE and (key := COMMON.get(name) or driver.keys.get(name))
        }
        files = [str(found.get(each.name, "")) for each in CERTIFICATES]
        passphrase, password, sudo_password, host_key = (str(found.get(each.name, "")) for each in LOGIN_TEXTS)
        return HostSettings(
            found,
            self.options(driver, layer, found),
            as_written(layer),
            tls=False if found.get(NO_TLS) else None,
            labels={key: str(self.known.value(LABEL, node)) for key, node in layer.labels.items()},
            engine=self.engine(layer, found),
            provision=not found.get(NO_PROVISION),
            context=not found.get(NO_CONTEXT),
            certificates=CertificateFiles(*files) if any(files) else NO_CERTIFICATES,
            login=HostLogin(passphrase, password, sudo_password, host_key, bool(found.get(STRICT))),
            swarm=str(found.get(SWARM, "")),
        )

    def driver(self, name: str, entry: MapEntry, layer: Layer) -> DriverKeys | None:
        """Return None if missing or broken."""
        at = layer.entries.get(DRIVER)
        if at is None:
            self.faults.add(entry.place, f"{name} has no driver: write driver: generic, here or in defaults")
            return None
        if known := self._driver_of.get(id(at.value)):
            return known
        value = str(self.known.value(COMMON[DRIVER], at.value))
        if self.known.is_wrong(COMMON[DRIVER], at.value):
            return None
        try:
            return self._driver_of.setdefault(id(at.value), self.drivers.of(value))
        except MachineError as exc:
            typed = as_typed(at.value, value)
            self.faults.add(at.value.place, exc.cause if typed == value else f"There is no driver {typed!r}")
            return None

    def check_own(self, name: str, own: Layer, driver: DriverKeys) -> None:
        for key, entry in own.entries.items():
            if key in COMMON or key in driver.keys:
                continue
            if other := self.drivers.who_has(key):
                why = f"{key} is an option of driver {other}; the driver of {name} is {driver.name}"
                self.faults.add(entry.place, why)
            else:
                self.faults.unknown(entry.place, key, (*COMMON, *driver.keys), "option of a host")

    def options(self, driver: DriverKeys, layer: Layer, found: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
        given: dict[str, OptionValue] = {}
        for key, option in driver.options.items():
            if option.secret:
                path = str(found.get(key, ""))
                secret = self.known.secret(key, path, layer.entries[key].value.place) if path else ""
                given[option.name] = secret or self.known.environment.get(option.variable, "")
            elif key in found:
                given[option.name] = found[key]
        return {**driver.defaults, **given}

    def check_required(
        self, name: str, entry: MapEntry, driver: DriverKeys, layer: Layer, options: Mapping[str, OptionValue]
    ) -> None:
        for key in driver.required:
            if options[driver.options[key].name] in ("", ()) and not (
                key in layer.entries and self.known.is_wrong(driver.keys[key], layer.entries[key].value)
            ):
                self.faults.add(entry.place, f"{name} has no {key}: driver {driver.name} needs it")

    def engine(self, layer: Layer, found: Mapping[str, OptionValue]) -> EngineOptions:
        asked: dict[str, Any] = {option: found[key.name] for option, key in ENGINE.items() if key.name in found}
        paths = found.get(ENV_FILE)
        if isinstance(paths, tuple) and paths:
            place = layer.entries[ENV_FILE].value.place
            asked["env"] = self.known.variables([str(path) for path in paths], place, asked.get("env", ()))
        return EngineOptions(**asked) if asked else NOTHING_ASKED


def sets_options_only(own: Layer, driver: DriverKeys) -> bool:
    # A loop is faster than all() in large fleets.
    for key, entry in own.entries.items():
        if key != GROUPS and (key not in driver.open_keys or is_null(entry.value)):
            return False
    return True


def with_address(own: Layer, layer: Layer, driver: DriverKeys, member: Scalar) -> Layer:
    """In a range, a host's name is its default address."""
    for key in driver.required:
        option = driver.options[key]
        if option.identity and option.check and key not in layer.entries:
            with suppress(MachineError):
                option.check(member.text)
                own = Layer({**own.entries, key: MapEntry(member.place, member)}, own.labels)
    return own


def jump_of(name: str, own: Layer, found: Mapping[str, OptionValue]) -> str:
    """Return a jump host with its type, or ""."""
    jump = str(found.get(JUMP, ""))
    if not jump or jump.lower() == NO_JUMP:
        return ""
    jump = typed_jump(jump)
    # A shared jump host does not apply to itself.
    return jump if machine_of(jump) != name or JUMP in own.entries else ""


def addresses_of(found: Mapping[str, OptionValue]) -> tuple[str, ...]:
    given = found.get(create_options.ADDRESS.name)
    return parse_addresses(given) if isinstance(given, tuple) else ()


def as_written(layer: Layer) -> dict[str, str]:
    """Return the file's texts for values from variables or files."""
    found = {key: text for key, entry in layer.entries.items() if "$" in (text := text_of(entry.value))}
    if layer.labels:
        found |= {f"{LABELS} {name}": node.text for name, node in layer.labels.items() if "$" in node.text}
    if ENV_FILE in layer.entries:
        engine_env = ENGINE["env"].name
        own = layer.entries.get(engine_env)
        texts = [text_of(own.value) if own else "", f"{ENV_FILE}: {text_of(layer.entries[ENV_FILE].value)}"]
        found[engine_env] = ", ".join(filter(None, texts))
    return found


def text_of(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    nodes = node.items if isinstance(node, Listed) else []
    return ", ".join(each.text for each in nodes if isinstance(each, Scalar))
