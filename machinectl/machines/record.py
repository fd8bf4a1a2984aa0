"""A machine's record, machine.json. Preserves unknown keys."""

from __future__ import annotations

import os
from itertools import groupby

from machinectl.errors import UPGRADE, Hint, MachineError, one_line
from machinectl.json_values import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from machinectl.driver import OptionValue
    from machinectl.machines.engine_options import EngineOptions
    from machinectl.machines.spec import MachineSpec
    from machinectl.provision.host_changes import Change

# Version 2 has typed jump hosts (`jump_hosts`). Records without a jump host stay readable for version 1.
SCHEMA, WITHOUT_JUMP = 2, 1
# The only verb that may be pending.
PROVISION = "provision"

# RFC 1035 2.3.4: host names have at most 253 characters; file names at most 255 bytes.
LONGEST_NAME = 253
DIGITS = frozenset("0123456789")
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
ADDRESS_CHARACTERS = NAME_CHARACTERS | frozenset("_:")
# Characters of a glob; names have none.
GLOB = frozenset("*?[")


class Phase:
    """Machines before READY can be resumed or removed, but not used. An enum takes longer to import than a record."""

    CREATING = "creating"
    PROVISIONING = "provisioning"
    READY = "ready"
    ALL = (CREATING, PROVISIONING, READY)


class BrokenRecord(MachineError):
    """An invalid or unreadable machine.json, which is never rewritten."""


REQUIRED = ("driver", "url", "tls")
DEFAULTS: Mapping[str, object] = {"phase": Phase.READY, "provision": True, "context": True}
# The states in `access`.
WAITING, GRANTED = "waiting", "granted"
# Of a MachineSpec, what a Machine has, too.
SETTINGS = ("driver", "labels", "engine", "provision", "context", "jump", "lifetime")
# Properties of Machine, stored as JSON: the light path does not load their classes.
AS_JSON = {"engine": "_engine", "changes": "_changes"}


class Machine:
    """A machine's record; only its directory has the name.

    `url` is in docker's notation. `driver_state` is the driver's text, byte for byte; `made`: the driver created the
    host and must remove it. `fleet` is a name or path. `changes` were made on the host, `pending` is an unfinished
    verb, `applied` has the host's settings if `set` has only recorded others, `looked_at` the last time the host
    matched the record. `mac` is the network card's. `origin` is an `config_json.Origin`, `swarm` a
    `swarm_node.SwarmNode`, `revision` the host's last known change (`provision.revision`). `access` is what this
    computer asked another one for; `holders` and `ended` got access here (`machines.holders`), with certificates of
    that `lifetime`. `unknown` has other versions' keys.
    `directory` is absolute, "" without a store.
    """

    # The record's keys in order. Missing ones get the type's empty value, or that of DEFAULTS.
    driver: str
    options: dict[str, Any]
    driver_state: str
    url: str
    tls: bool
    phase: str
    made: bool
    provision: bool
    context: bool
    labels: dict[str, str]
    _engine: dict[str, Any]
    mac: str
    pending: str
    applied: dict[str, Any]
    failure: dict[str, Any]
    _changes: list[Any]
    jump: str
    addresses: list[str]
    fleet: str
    origin: dict[str, Any]
    swarm: dict[str, Any]
    looked_at: str
    revision: dict[str, Any]
    access: dict[str, Any]
    holders: dict[str, Any]
    ended: list[Any]
    lifetime: str

    def __init__(self, name: str, driver: str, *, directory: str = "", **values: Any) -> None:
        self.name = name
        self.directory = directory
        self.unknown: dict[str, Any] = {}
        values["driver"] = driver
        for key, kind in KEYS.items():
            value = values[key] if key in values else DEFAULTS[key] if key in DEFAULTS else kind()
            setattr(self, AS_JSON.get(key, key), value)

    @property
    def engine(self) -> EngineOptions:
        from machinectl.machines.engine_options import EngineOptions

        return EngineOptions.load(self._engine)

    @engine.setter
    def engine(self, options: EngineOptions) -> None:
        self._engine = options.dump()

    def asks_for(self, options: EngineOptions) -> bool:
        return self._engine == options.recorded

    @property
    def has_changes(self) -> bool:
        return bool(self._changes)

    @property
    def changes(self) -> tuple[Change, ...]:
        if not self._changes:
            return ()
        from machinectl.provision.host_changes import load_change

        return tuple(load_change(change) for change in self._changes)

    @changes.setter
    def changes(self, changes: Iterable[Change]) -> None:
        self._changes = [change.dump() for change in changes]

    @property
    def driver_options(self) -> dict[str, OptionValue]:
        return {name: tuple(value) if isinstance(value, list) else value for name, value in self.options.items()}

    @property
    def spec(self) -> MachineSpec:
        from machinectl.machines.spec import MachineSpec

        plain = {name: getattr(self, name) for name in SETTINGS}
        return MachineSpec(**plain, tls=self.tls, options=self.driver_options, addresses=tuple(self.addresses))

    @spec.setter
    def spec(self, spec: MachineSpec) -> None:
        """Replace the settings except TLS, which never changes."""
        for name in SETTINGS:
            setattr(self, name, getattr(spec, name))
        options = spec.options.items()
        self.options = {name: list(value) if isinstance(value, tuple) else value for name, value in options}
        self.labels = dict(spec.labels)
        self.addresses = list(spec.addresses)

    @property
    def urls(self) -> list[str]:
        """The URLs at which the engine may answer: first the last that answered, then the record's and the others."""
        if not self.addresses:
            return [self.url]
        from machinectl.machines.answered_address import last_first

        return last_first(self.directory, self.url, self.addresses)

    @property
    def last_look(self) -> str:
        """A time in RFC 3339. Earlier versions recorded only changes."""
        if self.looked_at:
            return self.looked_at
        return max((str(change.get("when", "")) for change in self._changes if isinstance(change, dict)), default="")

    @property
    def why(self) -> str:
        if waits_for_access(self):
            return f"waiting for access since {str(self.access.get('made', ''))[:10]}"
        cause = str(self.failure.get("cause", "")).strip().partition("\n")[0].rstrip(":")
        return cause or ("its creation was interrupted" if self.phase != Phase.READY else "")

    @property
    def why_unfinished(self) -> str:
        """A ready machine's last failure may be repaired by now."""
        if self.phase != Phase.READY:
            return self.why
        last = f" (last failure: {self.why})" if self.why else ""
        return f"not all changes reached the host{last}"

    def dump(self) -> bytes:
        """Return UTF-8 JSON with keys in fixed order."""
        import json

        values = {key: getattr(self, AS_JSON.get(key, key)) for key in KEYS}
        known = {key: value for key, value in values.items() if value or key not in OPTIONAL}
        data = {"schema": SCHEMA if self.jump else WITHOUT_JUMP, **known, **self.unknown}
        return (json.dumps(data, indent=4) + "\n").encode()


KINDS = {"str": str, "bool": bool, "dict": dict, "list": list}
KEYS = {name.lstrip("_"): KINDS[kind.partition("[")[0]] for name, kind in Machine.__annotations__.items()}
# Omitted if empty: keys that records of the first version did not have.
OPTIONAL = {"applied", *list(KEYS)[list(KEYS).index("jump") :]}


def parse_record(name: str, text: bytes, directory: str = "") -> Machine:
    """Parse machine.json. Raises BrokenRecord."""
    try:
        data = parse_json(text)
    except (ValueError, RecursionError) as exc:
        raise broken_record(name, "is empty" if not text.strip() else f"is not JSON ({exc})") from exc
    if not isinstance(data, dict):
        raise broken_record(name, "is not a JSON object")
    schema = data.pop("schema", None)
    if type(schema) is not int or schema < 1:
        raise broken_record(name, "has no schema version")
    if schema > SCHEMA:
        raise BrokenRecord(
            f'Machine "{name}" was written by a newer machinectl (schema {schema}; this one knows {SCHEMA})',
            UPGRADE,
        )
    values = {key: data.pop(key) for key in KEYS if key in data}
    if fault := type_fault(values) or value_fault(values):
        raise broken_record(name, fault)
    values["labels"] = {str(key): str(value) for key, value in values.get("labels", {}).items()}
    # 0.1 stored the MAC address with the engine's options.
    engine_mac = str(values.get("engine", {}).pop("mac", ""))
    values["mac"] = values.get("mac") or engine_mac
    machine = Machine(name, **values, directory=directory)
    machine.unknown = data
    return machine


def type_fault(values: Mapping[str, Any]) -> str:
    for key, kind in KEYS.items():
        if key in REQUIRED and key not in values:
            return f'has no "{key}"'
        if key in values and not isinstance(values[key], kind):
            return f'has a "{key}" that is not a {kind.__name__}'
    return ""


def value_fault(values: Mapping[str, Any]) -> str:
    """Return what machinectl never writes, such as terminal controls and ssh options; "" without any."""
    for key in ("driver", "url"):
        if not values[key].isprintable():
            return f'has a "{key}" with unprintable characters'
    if "://-" in values["url"] or "@-" in values["url"]:
        # Some readers of docker's variables and contexts do not protect ssh from options.
        return 'has a "url" that ssh could take for an option'
    for address in values.get("addresses", ()):
        if not isinstance(address, str) or not ADDRESS_CHARACTERS.issuperset(address) or address[:1] in {"", "-"}:
            return 'has "addresses" that are no addresses'
    if values.get("phase", Phase.READY) not in Phase.ALL:
        return f"has an unknown phase ({values['phase']!r})"
    if values.get("pending", "") not in {"", PROVISION}:
        # It becomes part of commands to type.
        return 'has an unknown "pending" verb'
    kind, _, jump = values.get("jump", "").partition(":")
    if (kind or jump) and not ((kind == "host" and jump) or (kind == "machine" and is_name(jump))):
        return 'has a "jump" that is neither machine:NAME nor host:NAME'
    return ""


def check_ready(machine: Machine) -> Machine:
    """Raise MachineError if the machine is incomplete."""
    if machine.phase == Phase.READY:
        return machine
    if waits_for_access(machine):
        raise MachineError(f'Machine "{machine.name}" has been {machine.why}', access_hint(machine.name))
    again = Hint("Continue", "machinectl provision", machine.name)
    if machine.phase == Phase.CREATING:
        again = Hint("Create it again")
    raise MachineError(
        f'Machine "{machine.name}" is incomplete: {machine.why}',
        again | Hint("or remove it", removal_command(machine)),
    )


def removal_command(machine: Machine) -> str:
    """Return the command that removes an incomplete machine, and what was done to its host."""
    return f"machinectl rm {'--purge ' if machine.has_changes else ''}{machine.name}"


def waits_for_access(machine: Machine) -> bool:
    """Return whether its owner was asked, and has not answered yet."""
    return machine.phase == Phase.CREATING and machine.access.get("state") == WAITING


def access_hint(name: str) -> Hint:
    return Hint("With the owner's answer", "machinectl access accept") | Hint(
        "see the request", "machinectl access request", name
    )


def owner_of(machine: Machine) -> str:
    """Return who shared the machine with this computer."""
    return one_line(str(machine.access.get("by") or "its owner"))


def owners_name(machine: Machine) -> str:
    """Return what the owner calls a machine that was shared with this computer."""
    return str(machine.access.get("called") or machine.access.get("asked") or machine.name)


def ask_owner(machine: Machine) -> Hint:
    """Return how this computer gets a new certificate for a machine of somebody else, or access if it lost its key."""
    has_key = os.path.isfile(path := os.path.join(machine.directory, "key.pem")) and os.path.getsize(path)
    if not has_key and (again := request_command(machine)):
        return Hint(f"Ask {owner_of(machine)} for access with a new key", again)
    return Hint(f"Ask {owner_of(machine)} for a new one", "machinectl access renew", machine.name)


def request_command(machine: Machine) -> str:
    """Return the commands that ask for a machine of somebody else with a new key, or ""."""
    name, who = machine.name, str(machine.access.get("who", ""))
    if not machine.access.get("asked"):
        return ""
    asked = owners_name(machine)
    wanted = name if asked == name else f"{name}:{asked}"
    return f"machinectl rm {name}; machinectl access request --for {who} {wanted}"


def broken_record(name: str, what: str) -> BrokenRecord:
    return BrokenRecord(
        f'The machine.json of "{name}" {what}',
        Hint("Restore it from a backup, or forget the machine", "machinectl rm -f", name),
    )


def check_name(name: str, doing: str = "creating") -> None:
    """Apply docker-machine's rule: letters, digits, - and . only."""
    if why := name_fault(name):
        error = MachineError(f"Error {doing} machine: {why}", Hint("Choose a name like orionbox"))
        error.label = ""
        raise error


def name_fault(name: str) -> str:
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters, this one has {len(name)}"
    return "" if is_name(name) else "Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -"


def is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and name[0] not in "-." and NAME_CHARACTERS.issuperset(name)


def natural(name: str) -> list[str | int]:
    """Return a sort key: m2 before m10."""
    groups = ((is_number, "".join(letters)) for is_number, letters in groupby(name, DIGITS.__contains__))
    parts = [int(text) if is_number else text for is_number, text in groups]
    return ["", *parts] if name[:1] in DIGITS else [*parts]
