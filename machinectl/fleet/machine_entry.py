"""Convert a machine's record to a fleet file's entry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.errors import UsageError
from machinectl.fleet.draft import Described
from machinectl.fleet.fleet_keys import ENGINE, settings_of
from machinectl.fleet.key_values import CONTROLS
from machinectl.machines.create_options import ENV_FILE, NO_TLS
from machinectl.masking import without_secret_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.driver import Option, OptionValue
    from machinectl.fleet.draft import Value
    from machinectl.machines.record import Machine

# The option that `set --url` changes, for all drivers.
URL = "url"


def machine_entry(machine: Machine, options: Sequence[Option]) -> Described:
    """Return the entry for which `plan` has nothing to do.

    `options` are the driver's. Only remarks name secrets.
    """
    keys: dict[str, Value] = {}
    remarks: list[str] = []
    for key, value in (*driver_settings(machine, options, remarks), *other_settings(machine, remarks)):
        texts = value if isinstance(value, tuple) else (value,)
        if any(CONTROLS.search(text) for text in texts if isinstance(text, str)):
            remarks.append(f"{key} is left out: it contains a control character: {shortened(value)}")
        else:
            keys[key] = value
    if labels := labels_to_write(machine, remarks):
        keys["labels"] = labels
    return Described(machine.name, machine.driver, keys, tuple(remarks))


def driver_settings(
    machine: Machine, options: Sequence[Option], remarks: list[str]
) -> Iterator[tuple[str, OptionValue]]:
    for option in options:
        value = machine.spec.options.get(option.name, option.default)
        if option.name == URL and machine.url:
            value = machine.url
        if option.secret:
            remarks.append(f"{option.shown}-file is needed to create it again")
        elif type(value) is not type(option.default):
            remarks.append(f"{option.shown} is left out: it has another type on record: {shortened(value)}")
        elif value != option.default:
            yield option.shown, from_home(value) if option.path else value


def other_settings(machine: Machine, remarks: list[str]) -> Iterator[tuple[str, OptionValue]]:
    """Yield settings that differ from their defaults, which are all empty."""
    engine = {key.name for key in ENGINE.values()}
    settings = {NO_TLS.name: not machine.tls and implies_tls(machine.url), **settings_of(machine, machine.engine)}
    for key, value in settings.items():
        if kept := without_secret_items(key, value, remarks) if key in engine else value:
            yield key, kept


def labels_to_write(machine: Machine, remarks: list[str]) -> dict[str, str]:
    labels = {}
    for key, value in machine.labels.items():
        if not key.strip() or "=" in key or not key.isprintable() or CONTROLS.search(value):
            remarks.append(f"a label is left out, which no file can have: {key!r}")
        elif without_secret_of(key, value) != value:
            remarks.append(f"a secret is left out: the label {key}")
        else:
            labels[key] = value
    return labels


def without_secret_items(key: str, value: OptionValue, remarks: list[str]) -> OptionValue:
    if not isinstance(value, tuple):
        return value
    hint = f": put it into a file, {ENV_FILE.name}" if key == "engine-env" else ""
    shown = {item: without_secrets(item) for item in value}
    remarks += [f"a secret is left out{hint}: {key} {text}" for item, text in shown.items() if text != item]
    return tuple(item for item in value if shown[item] == item)


def shortened(value: object) -> str:
    return repr(value)[:80]


def from_home(value: OptionValue) -> OptionValue:
    """Use ~, so that others can use the path, too."""
    home = os.path.join(os.path.expanduser("~"), "")
    return f"~/{value.removeprefix(home)}" if isinstance(value, str) and value.startswith(home) else value


def implies_tls(url: str) -> bool:
    try:
        return engine_url.uses_tls(url)
    except UsageError:
        return False
