"""A JSON Schema of a fleet's file, for editors: made of the declarations that the file is read by.

It accepts whatever is right by itself; what only several hosts together show (groups that are not there, an option that
neither the host nor the defaults give) is the reader's. The format: https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.fleet.keys import COMMON, DRIVER, FLEET, FLEET_KEY, GROUPS, INCLUDE, INCLUDE_KEY, Drivers, Kind
from machinectl.machines.record import LONGEST_NAME
from machinectl.ranges import VALUE_RANGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.fleet.keys import DriverKeys, Key

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# What YAML takes for a number or a truth value is a text here, as it was typed.
SCALAR = ["string", "number", "boolean"]
# A text that holds ${NAME}, or a range, may come to anything.
REFERENCE = rf"\$\{{|{VALUE_RANGE.pattern}"
TEXT: Schema = {"type": SCALAR}
NULL: Schema = {"type": "null"}
WHOLE_NUMBER: Schema = {
    "anyOf": [{"type": "integer"}, {"type": "string", "pattern": rf"^-?(0|[1-9][0-9]*)$|{REFERENCE}"}]
}
SWITCH: Schema = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "string", "pattern": rf"^([Tt]rue|[Ff]alse|[Yy]es|[Nn]o|[Oo]n|[Oo]ff)$|{REFERENCE}"},
    ]
}


def schema(drivers: Drivers) -> Schema:
    """The schema, for the drivers that are installed and work."""
    installed = drivers.all()
    common = {name: described(key) for name, key in COMMON.items()}
    common[DRIVER] = described(COMMON[DRIVER], choices=tuple(each.name for each in installed))
    own = by_key(installed)
    told = {**common, **{name: of_drivers(keys) for name, keys in own.items()}}
    of_group = {name: each for name, each in told.items() if name != GROUPS}
    return {
        "$schema": DIALECT,
        "title": "A fleet of machinectl",
        "description": "What machines shall be: machinectl plan shows what is to be done for that.",
        "type": "object",
        "properties": {
            FLEET: described(FLEET_KEY),
            INCLUDE: described(INCLUDE_KEY),
            "defaults": {"$ref": "#/$defs/defaults"},
            "groups": mapping({"$ref": "#/$defs/group"}, "What the hosts of a group have in common, by its name."),
            "hosts": {
                **mapping(
                    {"$ref": "#/$defs/host"}, "The hosts, each by its machine's name, or many as a range: web[01:20]."
                ),
                "propertyNames": {
                    "pattern": r"^[0-9A-Za-z][0-9A-Za-z.-]*$|^[0-9A-Za-z.\[\]:-]*\[[^\[\]]*:[^\[\]]*\]",
                    "maxLength": LONGEST_NAME,
                },
            },
        },
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
        "anyOf": [{"required": ["hosts"]}, {"required": [INCLUDE]}],
        "$defs": {
            "defaults": options(told, "What all hosts have in common, as far as their drivers have it."),
            "group": options(of_group, "What its hosts have in common: it counts more than the defaults."),
            "host": {
                **options(told, "What a machine shall be: what is said here counts most."),
                "allOf": [only_own(each, own) for each in installed],
            },
        },
    }


def mapping(value: Schema, text: str) -> Schema:
    return {"description": text, "type": ["object", "null"], "additionalProperties": value}


def options(told: Schema, text: str) -> Schema:
    return {"description": text, "type": ["object", "null"], "properties": told, "additionalProperties": False}


def by_key(drivers: Iterable[DriverKeys]) -> dict[str, list[tuple[str, Key]]]:
    """The keys that are drivers', each with those that have it."""
    found: dict[str, list[tuple[str, Key]]] = {}
    for driver in drivers:
        for name, key in driver.keys.items():
            found.setdefault(name, []).append((driver.name, key))
    return found


def of_drivers(keys: Sequence[tuple[str, Key]]) -> Schema:
    """What may be said under a key that one driver has, or several."""
    made = [described(key, f" (driver {name}{', which needs it' if key.required else ''})") for name, key in keys]
    return made[0] if len(made) == 1 else {"anyOf": made}


def described(key: Key, more: str = "", choices: tuple[str, ...] = ()) -> Schema:
    """What may be said under a key: null takes back what was said further away."""
    value = {
        Kind.TEXT: text(choices or key.choices),
        Kind.NUMBER: WHOLE_NUMBER,
        Kind.SWITCH: SWITCH,
        Kind.TEXTS: {"anyOf": [{"type": "array", "items": text(key.choices)}, text(key.choices)]},
        Kind.LABELS: {"type": "object", "additionalProperties": {"anyOf": [TEXT, NULL]}},
    }[key.kind]
    return {
        "description": f"{key.help}{more}",
        "anyOf": [*value.get("anyOf", [value]), NULL],
        **({"default": key.default} if isinstance(key.default, str | int) and key.default != "" else {}),
    }


def text(choices: tuple[str, ...]) -> Schema:
    if not choices:
        return TEXT
    return {"anyOf": [{"enum": list(choices)}, {"type": "string", "pattern": REFERENCE}]}


def only_own(driver: DriverKeys, keys: Iterable[str]) -> Schema:
    """A host that names this driver has no option that only others have."""
    return {
        "if": {"properties": {DRIVER: {"const": driver.name}}, "required": [DRIVER]},
        "then": {"properties": {name: False for name in keys if name not in driver.keys}},
    }
