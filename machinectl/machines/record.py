"""One machine's record: what its machine.json holds, read with care and written so that nothing is lost."""

from __future__ import annotations

import json
from enum import StrEnum

from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SCHEMA = 1

# RFC 1035 2.3.4: a host name has at most 253 characters; a file name at most 255 bytes.
LONGEST_NAME = 253
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")


class Phase(StrEnum):
    """How far a machine has come; whatever is not READY can be resumed or removed, and is never listed as usable."""

    CREATING = "creating"
    PROVISIONING = "provisioning"
    READY = "ready"


class BrokenRecord(MachineError):
    """A machine.json that is not a record of this schema; it is listed as such and never rewritten."""


class Machine:
    """What is known of one machine. Its name is its directory's name and stands nowhere else.

    `url` is where the engine is (docker's notation) and `tls` whether it is spoken to over TLS: together what `env`
    needs. `driver_state` is the driver's own text, kept byte for byte. `engine` holds the engine options given at
    create, `changes` what was changed on the host. Keys that this version does not know are kept in `unknown`.
    """

    __slots__ = (
        "changes",
        "driver",
        "driver_state",
        "engine",
        "labels",
        "name",
        "phase",
        "tls",
        "unknown",
        "url",
    )

    def __init__(self, name: str, driver: str, *, url: str = "", tls: bool = False) -> None:
        self.name = name
        self.driver = driver
        self.driver_state = ""
        self.url = url
        self.tls = tls
        self.phase = Phase.READY
        self.labels: dict[str, str] = {}
        self.engine: dict[str, Any] = {}
        self.changes: list[dict[str, Any]] = []
        self.unknown: dict[str, Any] = {}

    def dump(self) -> bytes:
        """The record as machine.json holds it: JSON in UTF-8, keys in a fixed order."""
        known = {
            "schema": SCHEMA,
            "driver": self.driver,
            "driver_state": self.driver_state,
            "url": self.url,
            "tls": self.tls,
            "phase": self.phase,
            "labels": self.labels,
            "engine": self.engine,
            "changes": self.changes,
        }
        return (json.dumps({**known, **self.unknown}, indent=4) + "\n").encode()


# What a record must hold to be one, and what each value is.
REQUIRED: Mapping[str, type] = {"driver": str, "url": str, "tls": bool}
OPTIONAL: Mapping[str, type] = {
    "driver_state": str,
    "phase": str,
    "labels": dict,
    "engine": dict,
    "changes": list,
}


def parse(name: str, text: bytes) -> Machine:
    """Read a machine.json. Raises BrokenRecord saying what is wrong with it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as exc:
        what = "is empty" if not text.strip() else f"is not JSON ({exc})"
        raise broken(name, what) from exc
    if not isinstance(data, dict):
        raise broken(name, "is not a JSON object")
    schema = data.pop("schema", None)
    if type(schema) is not int or schema < 1:
        raise broken(name, "has no schema version")
    if schema > SCHEMA:
        raise BrokenRecord(
            f'Machine "{name}" was written by a newer machinectl (schema {schema}; this one knows {SCHEMA})',
            "Upgrade machinectl: pip install --upgrade machinectl",
        )
    for key, kind in {**REQUIRED, **OPTIONAL}.items():
        if key in data and not isinstance(data[key], kind):
            raise broken(name, f'has a "{key}" that is not a {kind.__name__}')
        if key in REQUIRED and key not in data:
            raise broken(name, f'has no "{key}"')
    machine = Machine(name, data.pop("driver"), url=data.pop("url"), tls=data.pop("tls"))
    machine.driver_state = data.pop("driver_state", "")
    try:
        machine.phase = Phase(data.pop("phase", Phase.READY))
    except ValueError as exc:
        raise broken(name, f"has an unknown phase ({exc})") from exc
    machine.labels = {str(key): str(value) for key, value in data.pop("labels", {}).items()}
    machine.engine = data.pop("engine", {})
    machine.changes = data.pop("changes", [])
    machine.unknown = data
    return machine


def broken(name: str, what: str) -> BrokenRecord:
    return BrokenRecord(
        f'The machine.json of "{name}" {what}',
        f"Restore it from a backup, or forget the machine: machinectl rm -f {name}",
    )


def check_name(name: str, doing: str = "creating") -> None:
    """Refuse what cannot name a machine: docker-machine's rule, letters, digits, - and ., for the whole of it."""
    if is_name(name):
        return
    why = "Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -"
    if len(name) > LONGEST_NAME:
        why = f"a name has at most {LONGEST_NAME} characters, this one has {len(name)}"
    raise MachineError(f"Error {doing} machine: {why}", "Choose a name like orionbox")


def is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and name[0] not in "-." and NAME_CHARACTERS.issuperset(name)


def natural(name: str) -> list[tuple[str, int]]:
    """A sort key that puts m2 before m10: pairs of text and the number after it."""
    parts: list[tuple[str, int]] = []
    text = digits = ""
    for character in name:
        if character in "0123456789":
            digits += character
            continue
        if digits:
            parts.append((text, int(digits)))
            text = digits = ""
        text += character
    return [*parts, (text, int(digits or -1))]
