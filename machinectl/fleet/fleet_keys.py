"""Keys of a fleet file, common and of drivers, made from the options of `create`."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from machinectl import url
from machinectl.driver.driver_options import option_flag, read_location, run_check
from machinectl.driver.installed_drivers import installed, load
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines import addresses, create_options, engine_options, jump_hosts
from machinectl.machines.spec import check_lifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from machinectl.driver import Driver, Option, OptionValue
    from machinectl.machines.engine_options import EngineOptions
    from machinectl.machines.flags import Flag
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import MachineSpec

DRIVER, GROUPS, LABELS, SWARM = "driver", "groups", "labels", "swarm"
# `groups` is both a part and a host's key.
FLEET, INCLUDE, DEFAULTS, HOSTS = "fleet", "include", "defaults", "hosts"
PARTS = (FLEET, INCLUDE, DEFAULTS, GROUPS, HOSTS)
# Parts for anchors, as in compose files.
FREE = "x-"
ROLES = ("manager", "worker")
LONGEST_FLEET_NAME = 63
FLEET_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_FLEET_NAME - 1}}}")
# ProxyJump's word for no jump host.
NO_JUMP = "none"


class Kind(StrEnum):
    TEXT = "a text"
    NUMBER = "a whole number"
    SWITCH = "true or false"
    TEXTS = "a list of texts"
    LABELS = "a mapping of texts"


@dataclass(frozen=True, eq=False)
class Key:
    """`check` raises UsageError. `is_path`: its texts are paths. `is_secret`: it names a private file."""

    name: str
    kind: Kind
    help: str
    choices: tuple[str, ...] = ()
    is_path: bool = False
    is_secret: bool = False
    required: bool = False
    default: OptionValue = ""
    check: Callable[[OptionValue], object] | None = None


@dataclass(frozen=True, eq=False)
class DriverKeys:
    """A driver's keys, and its options by key. Options named like a common key cannot be set."""

    name: str
    keys: Mapping[str, Key]
    options: Mapping[str, Option]
    # By option name.
    defaults: Mapping[str, OptionValue]
    # Keys of required options; keys of identity options, with the options' names.
    required: tuple[str, ...]
    identity: Mapping[str, str]


def typed_jump(text: str) -> str:
    """Return a jump host with its type, "" for none; bare names are hosts of the file or machines."""
    return "" if text.lower() == NO_JUMP else jump_hosts.with_type(text, lambda name: "@" not in name)


def check_jump(value: OptionValue) -> None:
    """Raise UsageError unless it is a machine's name or [user@]host[:port]."""
    text = str(value)
    if jump_hosts.machine_of(typed_jump(text)):
        return
    host = text.removeprefix(jump_hosts.HOST)
    # ssh -J takes a bare IPv6 address only without a port.
    is_bare_v6 = host.count(":") > 1 and "[" not in host
    try:
        url.parse_url(f"ssh://{f'[{host}]' if is_bare_v6 else host}")
    except UsageError as exc:
        raise UsageError(f"{text!r} is not a jump host", Hint("Write the name of a host, or user@host[:port]")) from exc


def check_fleet_name(value: OptionValue) -> None:
    """Raise UsageError for a name that could be a path."""
    if not FLEET_NAME.fullmatch(str(value)):
        raise UsageError(
            f"{value!r} is not a valid name for a fleet",
            Hint(f"Use letters, digits, -, _ and ., at most {LONGEST_FLEET_NAME}, and begin with a letter or a digit"),
        )


# Checks that do not depend on the machine.
CHECKS: Mapping[str, Callable[[Any], object]] = {
    "engine-opt": engine_options.check_options,
    "engine-env": engine_options.check_variables,
    "engine-bind": engine_options.check_address,
    "engine-install-url": url.check_install_url,
    create_options.ADDRESS.name: addresses.parse_addresses,
    create_options.ACCESS_LIFETIME.name: check_lifetime,
    create_options.JUMP.name: check_jump,
}
# Not for drivers without hosts.
HOST_FLAGS = (
    *create_options.ENGINE_FLAGS,
    create_options.ENV_FILE,
    create_options.NO_PROVISION,
    create_options.JUMP,
    create_options.STRICT,
    *create_options.LOGIN_SECRETS,
    create_options.HOST_KEY,
)
FOR_HOSTS = frozenset(flag.name for flag in HOST_FLAGS)
FLAGS = (
    *create_options.CERTIFICATES,
    create_options.NO_TLS,
    create_options.NO_CONTEXT,
    create_options.ADDRESS,
    create_options.ACCESS_LIFETIME,
    *HOST_FLAGS,
)


def of_flag(flag: Flag) -> Key:
    empty: OptionValue = () if flag.many else ""
    return Key(
        flag.name,
        Kind.SWITCH if not flag.metavar else Kind.TEXTS if flag.many else Kind.TEXT,
        flag.help if flag.help.endswith(".") else f"{flag.help}.",
        choices=flag.value if isinstance(flag.value, tuple) else (),
        is_path=flag.is_path,
        is_secret=flag.secret,
        default=empty if flag.metavar else False,
        check=CHECKS.get(flag.name),
    )


FLEET_KEY = Key(
    FLEET,
    Kind.TEXT,
    "The fleet's name. Machines belong to the name, or to the file's path if it has no name.",
    check=check_fleet_name,
)
INCLUDE_KEY = Key(INCLUDE, Kind.TEXTS, "Files to read together with this one; paths are relative to it.", is_path=True)
LABEL = Key("label", Kind.TEXT, create_options.LABEL.help)
COMMON: Mapping[str, Key] = {
    key.name: key
    for key in (
        Key(DRIVER, Kind.TEXT, "Where the host comes from."),
        Key(GROUPS, Kind.TEXTS, "The host's groups. The settings of a later group win.", default=()),
        Key(
            LABELS, Kind.LABELS, "Labels of the machine and its engine; those of its groups and the defaults are added."
        ),
        Key(SWARM, Kind.TEXT, "The host's role in the fleet's Swarm.", choices=ROLES),
        *map(of_flag, FLAGS),
    )
}
# By field of EngineOptions.
ENGINE = {flag.key: COMMON[flag.name] for flag in create_options.ENGINE_FLAGS}


def of_option(driver: str, option: Option) -> Key:
    if option.secret:
        text = f"{option.help} In a file{f', or else in ${option.variable}' if option.variable else ''}."
        # A check's error would show the secret.
        return Key(option_flag(option).removeprefix("--"), Kind.TEXT, text, is_path=True, is_secret=True)
    kind = {int: Kind.NUMBER, bool: Kind.SWITCH, tuple: Kind.TEXTS}.get(type(option.default), Kind.TEXT)
    return Key(
        option.shown,
        kind,
        option.help,
        choices=option.choices,
        is_path=option.path,
        required=option.required,
        default=option.default,
        check=partial(run_check, driver, option) if option.check else None,
    )


LOCATION = Key("host", Kind.TEXT, "Where the host is: [USER@]HOST[:PORT], or the URL of an engine.")


def locate(text: str) -> tuple[str, dict[str, OptionValue]]:
    """Return the driver that takes a location, and its options by their keys. Raises MachineError."""
    for driver in installed():
        options = load(driver.name).options()
        for option in options:
            if (values := read_location(driver.name, option, text)) is not None:
                return driver.name, {other.shown: values[other.name] for other in options if other.name in values}
    raise UsageError(f"{text!r} is neither a host nor a URL", Hint("Write [USER@]HOST[:PORT], or options"))


def normal(value: OptionValue) -> OptionValue:
    """Normalize for comparison: lower case, URLs with ports."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        return url.with_port(text).lower() if "://" in text else text.lower()
    except MachineError:
        return text


def settings_of(machine: Machine | MachineSpec, engine: EngineOptions) -> dict[str, OptionValue]:
    """Return settings by their keys, without labels, TLS and the driver's options."""
    return {
        **{key.name: getattr(engine, field) for field, key in ENGINE.items()},
        create_options.NO_PROVISION.name: not machine.provision,
        create_options.NO_CONTEXT.name: not machine.context,
        create_options.ADDRESS.name: tuple(machine.addresses),
        create_options.ACCESS_LIFETIME.name: machine.lifetime,
        create_options.JUMP.name: machine.jump,
    }


class Drivers:
    """Drivers' keys. Loads unused drivers only for otherwise unknown keys."""

    def __init__(self) -> None:
        self._known: dict[str, DriverKeys | MachineError] = {}

    def of(self, name: str) -> DriverKeys:
        """Return a driver's keys. Raises DriverError."""
        if name not in self._known:
            try:
                self._known[name] = driver_keys(name, load(name))
            except MachineError as exc:
                self._known[name] = exc
        driver = self._known[name]
        if isinstance(driver, MachineError):
            raise driver
        return driver

    def broken(self) -> list[MachineError]:
        return [error for error in self._known.values() if isinstance(error, MachineError)]

    def all(self) -> Iterator[DriverKeys]:
        """Yield those that were used first."""
        for name in dict.fromkeys((*self._known, *(driver.name for driver in installed()))):
            with suppress(MachineError):
                yield self.of(name)

    def having(self, key: str) -> DriverKeys | None:
        """Return the first driver with a key."""
        return next((driver for driver in self.all() if key in driver.keys), None)


def driver_keys(name: str, driver: Driver) -> DriverKeys:
    declared = tuple(driver.options())
    made = [(of_option(name, option), option) for option in declared]
    options = {key.name: option for key, option in made if key.name not in COMMON}
    return DriverKeys(
        name,
        {key.name: key for key, option in made if key.name in options},
        options,
        {option.name: option.default for option in declared},
        tuple(key for key, option in options.items() if option.required),
        {key: option.name for key, option in options.items() if option.identity},
    )
