"""A fleet file's JSON Schema, for editors.

It completes keys and their words; `plan` checks values. Format: https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.fleet.fleet_keys import COMMON, DRIVER, FLEET, FLEET_KEY, GROUPS, INCLUDE, INCLUDE_KEY, LOCATION, Kind
from machinectl.machines.record import LONGEST_NAME
from machinectl.ranges import VALUE_RANGE

if TYPE_CHECKING:
    from machinectl.fleet.fleet_keys import Drivers, Key

Schema = dict[str, Any]

# Fleet files read YAML's numbers and booleans as texts.
TEXT: Schema = {"type": ["string", "number", "boolean"]}
NULL: Schema = {"type": "null"}
# A text with ${NAME} or a range may have any value.
REFERENCE: Schema = {"type": "string", "pattern": rf"\$\{{|{VALUE_RANGE.pattern}"}
HOST_NAME = r"^[0-9A-Za-z][0-9A-Za-z.-]*$|^[0-9A-Za-z.\[\]:-]*\[[^\[\]]*:[^\[\]]*\]"


def make_schema(drivers: Drivers) -> Schema:
    installed = list(drivers.all())
    own: dict[str, list[Schema]] = {}
    for driver in installed:
        for name, key in driver.keys.items():
            schema = key_schema(key, f" (driver {driver.name}{', required' if key.required else ''})")
            own.setdefault(name, []).append(schema)
            if (old := driver.options[name].name) != name:
                own[old] = [{**schema, "deprecated": True}]
    keys = {name: key_schema(key) for name, key in COMMON.items()}
    keys[DRIVER] = key_schema(COMMON[DRIVER], choices=tuple(driver.name for driver in installed))
    keys |= {name: schemas[0] if len(schemas) == 1 else {"anyOf": schemas} for name, schemas in own.items()}
    of_group = {name: schema for name, schema in keys.items() if name != GROUPS}
    of_host = settings(keys, "The settings of a machine. They win over groups and defaults.")
    hosts = mapping({"$ref": "#/$defs/host"}, "The hosts, by their machines' names, or as a range: web[01:20].")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A fleet of machinectl",
        "description": "The machines of a fleet. machinectl plan shows what would change.",
        "type": "object",
        "properties": {
            FLEET: key_schema(FLEET_KEY),
            INCLUDE: key_schema(INCLUDE_KEY),
            "defaults": {"$ref": "#/$defs/defaults"},
            "groups": mapping({"$ref": "#/$defs/group"}, "The settings of each group's hosts."),
            "hosts": {**hosts, "propertyNames": {"pattern": HOST_NAME, "maxLength": LONGEST_NAME}},
        },
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
        "anyOf": [{"required": ["hosts"]}, {"required": [INCLUDE]}],
        "$defs": {
            "defaults": settings(keys, "The settings of all hosts whose drivers have them."),
            "group": settings(of_group, "The settings of the group's hosts. They win over the defaults."),
            "host": {"anyOf": [{"description": LOCATION.help, "type": "string"}, of_host]},
        },
    }


def mapping(value: Schema, text: str) -> Schema:
    return {"description": text, "type": ["object", "null"], "additionalProperties": value}


def settings(keys: Schema, text: str) -> Schema:
    return {"description": text, "type": ["object", "null"], "properties": keys, "additionalProperties": False}


def key_schema(key: Key, more: str = "", choices: tuple[str, ...] = ()) -> Schema:
    """Return a value's schema; null removes an inherited setting."""
    choices = choices or key.choices
    texts = [{"enum": list(choices)}, REFERENCE] if choices else [TEXT]
    if key.kind is Kind.TEXTS:
        texts = [{"type": "array", "items": {"anyOf": texts}}, *texts]
    elif key.kind is Kind.LABELS:
        texts = [{"type": "object", "additionalProperties": {"anyOf": [TEXT, NULL]}}]
    return {
        "description": f"{key.help}{more}",
        "anyOf": [*texts, NULL],
        **({"default": key.default} if isinstance(key.default, str | int) and key.default != "" else {}),
    }
