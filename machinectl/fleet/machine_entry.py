"""Convert a machine's record to a fleet file's entry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.errors import UsageError
from machinectl.fleet.draft import Described
from machinectl.fleet.key_values import CONTROLS
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, ENGINE_FLAGS
from machinectl.masking import without_secret_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.driver import Option, OptionValue
    from machinectl.fleet.draft import Value
    from machinectl.machines.record import Machine

# The option that `set --url` changes, for all drivers.
URL = "url"


class EntryBuilder:
    """Collects keys, and remarks on missing ones."""

    def __init__(self, machine: Machine, options: Sequence[Option]) -> None:
        self.machine = machine
        self.options = options
        self.keys: dict[str, Value] = {}
        self.remarks: list[str] = []

    def whole(self) -> Described:
        for option in self.options:
            self.of_driver(option)
        self.labels()
        for asked in ENGINE_FLAGS:
            self.of_engine(asked.flag.removeprefix("--"), getattr(self.machine.engine, asked.key))
        self.switches()
        if self.machine.addresses:
            self.set(ADDRESS.name, tuple(self.machine.addresses))
        if self.machine.lifetime:
            self.set(ACCESS_LIFETIME.name, self.machine.lifetime)
        if self.machine.jump:
            self.set("ssh-jump", self.machine.jump)
        return Described(self.machine.name, self.machine.driver, self.keys, tuple(self.remarks))

    def of_driver(self, option: Option) -> None:
        if option.secret:
            self.remarks.append(f"{option.shown}-file is needed to create it again")
            return
        value = self.machine.spec.options.get(option.name, option.default)
        if option.name == URL and self.machine.url:
            value = self.machine.url
        if type(value) is not type(option.default):
            self.remarks.append(f"{option.shown} is left out: it has another type on record: {one_word(value)}")
        elif value != option.default:
            self.set(option.shown, from_home(value) if option.path else value)

    def labels(self) -> None:
        found = {}
        for key, value in self.machine.labels.items():
            if not key.strip() or "=" in key or not key.isprintable() or CONTROLS.search(value):
                self.remarks.append(f"a label is left out, which no file can have: {key!r}")
            elif without_secret_of(key, value) != value:
                self.remarks.append(f"a secret is left out: the label {key}")
            else:
                found[key] = value
        if found:
            self.keys["labels"] = found

    def of_engine(self, key: str, value: str | bool | tuple[str, ...]) -> None:
        if isinstance(value, str | bool):
            if value:
                self.set(key, value)
            return
        secret = [each for each in value if without_secrets(each) != each]
        for each in secret:
            hint = ": put it into a file, engine-env-file" if key == "engine-env" else ""
            self.remarks.append(f"a secret is left out{hint}: {key} {without_secrets(each)}")
        if kept := tuple(each for each in value if each not in secret):
            self.set(key, kept)

    def switches(self) -> None:
        machine = self.machine
        if not machine.tls and implies_tls(machine.url):
            self.keys["no-tls"] = True
        if not machine.provision:
            self.keys["no-provision"] = True
        if not machine.context:
            self.keys["no-context"] = True

    def set(self, key: str, value: OptionValue) -> None:
        texts = value if isinstance(value, tuple) else (value,)
        if any(CONTROLS.search(each) for each in texts if isinstance(each, str)):
            self.remarks.append(f"{key} is left out: it contains a control character: {one_word(value)}")
        else:
            self.keys[key] = value


def machine_entry(machine: Machine, options: Sequence[Option]) -> Described:
    """Return the entry for which `plan` has nothing to do.

    `options` are the driver's. Only remarks name secrets.
    """
    return EntryBuilder(machine, options).whole()


def one_word(value: object) -> str:
    return repr(value)[:80]


def from_home(value: OptionValue) -> OptionValue:
    """Use ~, so that others can use the path, too."""
    home = os.path.join(os.path.expanduser("~"), "")
    return f"~/{value.removeprefix(home)}" if isinstance(value, str) and value.startswith(home) else value


def implies_tls(url: str) -> bool:
    """Return whether the URL implies TLS."""
    try:
        return engine_url.uses_tls(url)
    except UsageError:
        return False
