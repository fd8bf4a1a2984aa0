"""A fleet file's JSON Schema, for editors.

It completes keys and their words; `plan` checks values. Format: https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.fleet.fleet_keys import (
    COMMON,
    DRIVER,
    FLEET,
    FLEET_KEY,
    GROUPS,
    INCLUDE,
    INCLUDE_KEY,
    LOCATION,
    Drivers,
    Kind,
)
from machinectl.machines.record import LONGEST_NAME
from machinectl.ranges import VALUE_RANGE

if TYPE_CHECKING:
    from machinectl.fleet.fleet_keys import Key

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Fleet files read YAML's numbers and booleans as texts.
SCALAR = ["string", "number", "boolean"]
# A text with ${NAME} or a range may have any value.
REFERENCE = rf"\$\{{|{VALUE_RANGE.pattern}"
TEXT: Schema = {"type": SCALAR}
NULL: Schema = {"type": "null"}


def make_schema(drivers: Drivers) -> Schema:
    installed = drivers.all()
    common = {name: key_schema(key) for name, key in COMMON.items()}
    common[DRIVER] = key_schema(COMMON[DRIVER], choices=tuple(each.name for each in installed))
    own: dict[str, list[Schema]] = {}
    for driver in installed:
        for name, key in driver.keys.items():
            more = f" (driver {driver.name}{', required' if key.required else ''})"
            own.setdefault(name, []).append(key_schema(key, more))
            if (old := driver.options[name].name) != name:
                own[old] = [{**key_schema(key, more), "deprecated": True}]
    told = {**common, **{name: one[0] if len(one) == 1 else {"anyOf": one} for name, one in own.items()}}
    of_group = {name: each for name, each in told.items() if name != GROUPS}
    return {
        "$schema": DIALECT,
        "title": "A fleet of machinectl",
        "description": "The machines of a fleet. machinectl plan shows what would change.",
        "type": "object",
        "properties": {
            FLEET: key_schema(FLEET_KEY),
            INCLUDE: key_schema(INCLUDE_KEY),
            "defaults": {"$ref": "#/$defs/defaults"},
            "groups": mapping({"$ref": "#/$defs/group"}, "The settings of each group's hosts."),
            "hosts": {
                **mapping(
                    {"$ref": "#/$defs/host"},
                    "The hosts, by their machines' names, or as a range: web[01:20].",
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
            "defaults": options(told, "The settings of all hosts whose drivers have them."),
            "group": options(of_group, "The settings of the group's hosts. They win over the defaults."),
            "host": {
                "anyOf": [
                    {"description": LOCATION.help, "type": "string"},
                    options(told, "The settings of a machine. They win over groups and defaults."),
                ]
            },
        },
    }


def mapping(value: Schema, text: str) -> Schema:
    return {"description": text, "type": ["object", "null"], "additionalProperties": value}


def options(told: Schema, text: str) -> Schema:
    return {"description": text, "type": ["object", "null"], "properties": told, "additionalProperties": False}


def key_schema(key: Key, more: str = "", choices: tuple[str, ...] = ()) -> Schema:
    """Return a value's schema; null removes an inherited setting."""
    value = {
        Kind.TEXT: text_schema(choices or key.choices),
        Kind.NUMBER: TEXT,
        Kind.SWITCH: TEXT,
        Kind.TEXTS: {"anyOf": [{"type": "array", "items": text_schema(key.choices)}, text_schema(key.choices)]},
        Kind.LABELS: {"type": "object", "additionalProperties": {"anyOf": [TEXT, NULL]}},
    }[key.kind]
    return {
        "description": f"{key.help}{more}",
        "anyOf": [*value.get("anyOf", [value]), NULL],
        **({"default": key.default} if isinstance(key.default, str | int) and key.default != "" else {}),
    }


def text_schema(choices: tuple[str, ...]) -> Schema:
    if not choices:
        return TEXT
    return {"anyOf": [{"enum": list(choices)}, {"type": "string", "pattern": REFERENCE}]}
