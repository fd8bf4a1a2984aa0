"""Engine options: values of create_options.ENGINE_FLAGS by record key."""

from __future__ import annotations

import functools
import os

from machinectl.errors import LEAVE_ONE_OUT, Hint, UsageError, wrong_choice
from machinectl.files.atomic import LONGEST
from machinectl.machines.create_options import ENGINE_FLAGS, ENGINE_INSTALL_WAYS, ENV_FILE
from machinectl.url import is_address
from machinectl.value_classes import Frozen, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


class EngineOptions(Frozen):
    """`others` are unreadable keys, preserved."""

    options: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    tls_sans: tuple[str, ...] = ()
    install: str = ""
    install_url: str = ""
    version: str = ""
    storage_driver: str = ""
    bind: str = ""
    ssh_only: bool = False
    os: str = ""
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> EngineOptions:
        """Never raises: values of a wrong type go to `others`."""
        known: dict[str, Any] = {}
        for option in ENGINE_FLAGS:
            value = data.get(option.key)
            if option.many and isinstance(value, list) and all(isinstance(each, str) for each in value):
                known[option.key] = tuple(value)
            elif not option.many and isinstance(value, str if option.metavar else bool):
                known[option.key] = value
        return cls(**known, others={key: value for key, value in data.items() if key not in known})

    def dump(self) -> dict[str, Any]:
        return dict(self.recorded)

    @functools.cached_property
    def recorded(self) -> Mapping[str, Any]:
        """The record's values; do not modify."""
        given = {option.key: getattr(self, option.key) for option in ENGINE_FLAGS}
        texts = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items() if value}
        return {**texts, **self.others}

    @property
    def given_flags(self) -> list[str]:
        return [option.flag for option in ENGINE_FLAGS if getattr(self, option.key)]

    def check(self) -> None:
        """Raise UsageError for options that no engine accepts."""
        if self.install and self.install not in ENGINE_INSTALL_WAYS:
            raise wrong_choice("--engine-install", self.install, ENGINE_INSTALL_WAYS)
        check_variables(self.env)
        for option in ENGINE_FLAGS:
            value = getattr(self, option.key)
            check_printable(option.flag, value if isinstance(value, tuple) else [str(value)])
        check_address(self.bind)
        check_options(self.options)
        if self.ssh_only and self.bind:
            raise UsageError("--ssh-only and --engine-bind exclude each other", LEAVE_ONE_OUT)


def check_printable(flag: str, texts: Iterable[str]) -> None:
    """Raise UsageError for a text that `import` would refuse. The text after = may be a password."""
    for text in texts:
        if not text.isprintable():
            name = text.partition("=")[0]
            raise UsageError(f"{flag} {name!r} has a character that cannot be printed", Hint("Leave it out"))


def check_options(given: Iterable[str]) -> None:
    """Raise UsageError for an option without a value, or with two values."""
    from machinectl.provision.daemon_json import LISTS, MAPS, option_keys

    given = tuple(given)
    option_keys(given, {})
    seen: dict[str, str] = {}
    for option in given:
        flag, _, value = option.lstrip("-").partition("=")
        if flag in LISTS:
            continue
        if flag in MAPS:
            name, _, value = value.partition("=")
            flag = f"{flag}={name}"
        if flag in seen:
            raise UsageError(f"--engine-opt {flag} is given twice: {seen[flag]!r} and {value!r}", LEAVE_ONE_OUT)
        seen[flag] = value


def is_variable(variable: str) -> bool:
    name, equals, value = variable.partition("=")
    return bool(equals) and name.replace("_", "a").isalnum() and not name[0].isdigit() and value.isprintable()


def check_variables(variables: Iterable[str]) -> None:
    for variable in variables:
        if not is_variable(variable):
            # The value may be a password.
            name = variable.partition("=")[0]
            raise UsageError(f"--engine-env {name!r} is not a variable", Hint("Write --engine-env NAME=VALUE"))


def read_env_file(path: str, environment: Mapping[str, str]) -> list[str]:
    """Read a file like docker's --env-file: NAME=VALUE, or NAME if `environment` has it.

    Skips blank lines and # comments. Errors never quote values: they may be passwords.
    """
    flag = ENV_FILE.flag
    try:
        # Pipes are allowed, for password stores: <(pass show proxy).
        with open(os.path.expanduser(path), "rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as exc:
        raise UsageError(f"{flag}: {path} cannot be read: {exc.strerror}", Hint("See", "ls -l", path)) from exc
    if len(data) > LONGEST:
        raise UsageError(f"{flag}: {path} does not end where variables would", Hint("See", "ls -l", path))
    found = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        variable = line.lstrip()
        if not variable or variable.startswith("#"):
            continue
        if "=" not in variable:
            if variable not in environment:
                continue
            variable = f"{variable}={environment[variable]}"
        if not is_variable(variable):
            raise UsageError(f"{flag}: line {number} of {path} is not a variable", Hint("Write NAME=VALUE"))
        found.append(variable)
    return found


def each_once(variables: Iterable[str]) -> tuple[str, ...]:
    """Keep the last value of each variable, as docker does."""
    return tuple({variable.partition("=")[0]: variable for variable in variables}.values())


def check_address(address: str) -> None:
    """Raise UsageError for an invalid address: dockerd would fail only in its restart."""
    if address and not is_address(address.removeprefix("[").removesuffix("]")):
        raise UsageError(
            f"--engine-bind {address!r} is not an address", Hint("Give one of the host's, as 192.168.0.29 or fd00::1d")
        )
