"""One machine's record: what its machine.json holds, read with care and written so that nothing is lost."""

from __future__ import annotations

from enum import StrEnum

from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from machinectl.driver import OptionValue
    from machinectl.host_changes import Change
    from machinectl.machines.engine_options import EngineOptions
    from machinectl.machines.spec import MachineSpec

# Version 2 has typed jump hosts (`jump_hosts`). A record without a jump host is written as version 1, which earlier
# releases read.
SCHEMA, WITHOUT_JUMP = 2, 1
# The verb that may be pending.
PROVISION = "provision"

# RFC 1035 2.3.4: a host name has at most 253 characters; a file name at most 255 bytes.
LONGEST_NAME = 253
DIGITS = frozenset("0123456789")
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
# The characters that make a glob of a word; no name has them.
GLOB = frozenset("*?[")


class Phase(StrEnum):
    """How far a machine has come; whatever is not READY can be resumed or removed, and is never listed as usable."""

    CREATING = "creating"
    PROVISIONING = "provisioning"
    READY = "ready"


class BrokenRecord(MachineError):
    """A machine.json that is not a record of this schema, or files beside it that cannot be read.

    It is listed as such and never rewritten.
    """


class Machine:
    """What is known of one machine. Its name is its directory's name and stands nowhere else.

    `url` is where the engine is (docker's notation) and `tls` whether it is spoken to over TLS: together what `env`
    needs. `driver_state` is the driver's own text, kept byte for byte, and `made` whether the driver has made a
    host that it must give back. `spec` is what the machine shall be (`provision`, `context` and `jump` are of it),
    `fleet` the fleet that says so, its name or its file's absolute path, where one does. `changes` is what was done
    on its host, `pending` the verb that was begun there and not finished, `looked_at` when the host was last found,
    or made, as the record has it, `failure` what failed last and when, `mac` the address of its network card where
    that is known, `origin` whose it was before (`origin.Origin`), `swarm` what its engine is in Docker's Swarm
    (`swarm_node.SwarmNode`), `revision` the last change of the host that is known here, and what it asked
    (`hosts.revisions`). Keys that this version does not know are kept in `unknown`. `directory` is the machine's,
    absolute, if it was read from a store. `untyped_jump` is true if an earlier version wrote the record's `jump`.
    """

    __slots__ = (
        "_changes",
        "_engine",
        "context",
        "directory",
        "driver",
        "driver_state",
        "failure",
        "fleet",
        "jump",
        "labels",
        "looked_at",
        "mac",
        "made",
        "name",
        "options",
        "origin",
        "pending",
        "phase",
        "provision",
        "revision",
        "swarm",
        "tls",
        "unknown",
        "untyped_jump",
        "url",
    )

    def __init__(self, name: str, driver: str, *, url: str = "", tls: bool = False, directory: str = "") -> None:
        self.name = name
        self.directory = directory
        self.driver = driver
        self.driver_state = ""
        self.url = url
        self.tls = tls
        self.phase = Phase.READY
        self.labels: dict[str, str] = {}
        self.options: dict[str, Any] = {}
        self.provision = True
        self.context = True
        self.jump = ""
        self.untyped_jump = False
        self.fleet = ""
        self.made = False
        self.mac = ""
        self.pending = ""
        self.looked_at = ""
        self.failure: dict[str, Any] = {}
        self.origin: dict[str, Any] = {}
        self.swarm: dict[str, Any] = {}
        self.revision: dict[str, Any] = {}
        self.unknown: dict[str, Any] = {}
        # As the record has them: few need them as values, and the light path does without what makes these.
        self._engine: dict[str, Any] = {}
        self._changes: list[Any] = []

    @property
    def engine(self) -> EngineOptions:
        """What is asked of the machine's engine."""
        from machinectl.machines.engine_options import EngineOptions

        return EngineOptions.load(self._engine)

    @engine.setter
    def engine(self, options: EngineOptions) -> None:
        self._engine = options.dump()

    def asks_for(self, options: EngineOptions) -> bool:
        """Whether the record asks for these options of the engine and no others."""
        return self._engine == options.recorded

    @property
    def has_changes(self) -> bool:
        """Whether anything was done on the machine's host."""
        return bool(self._changes)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was done on the machine's host, in its order."""
        if not self._changes:
            return ()
        from machinectl.host_changes import load

        return tuple(load(change) for change in self._changes)

    @changes.setter
    def changes(self, changes: Iterable[Change]) -> None:
        self._changes = [change.dump() for change in changes]

    @property
    def driver_options(self) -> dict[str, OptionValue]:
        """The driver's options as a spec has them."""
        return {name: tuple(value) if isinstance(value, list) else value for name, value in self.options.items()}

    @property
    def spec(self) -> MachineSpec:
        """What the machine shall be."""
        from machinectl.machines.spec import MachineSpec

        return MachineSpec(
            self.driver,
            self.driver_options,
            self.tls,
            self.labels,
            self.engine,
            self.provision,
            self.context,
            self.jump,
        )

    @spec.setter
    def spec(self, spec: MachineSpec) -> None:
        """Keep what the machine shall be; whether it speaks TLS is settled when it is made."""
        self.driver = spec.driver
        self.options = {
            name: list(value) if isinstance(value, tuple) else value for name, value in spec.options.items()
        }
        self.labels = dict(spec.labels)
        self.engine = spec.engine
        self.provision = spec.provision
        self.context = spec.context
        self.jump = spec.jump

    @property
    def last_look(self) -> str:
        """When the host was last looked at, as records have times: records of earlier versions tell by its changes."""
        if self.looked_at:
            return self.looked_at
        return max((str(change.get("when", "")) for change in self._changes if isinstance(change, dict)), default="")

    @property
    def why(self) -> str:
        """In a line, why the machine is not as it should be: what failed last."""
        cause = str(self.failure.get("cause", "")).strip().partition("\n")[0].rstrip(":")
        return cause or ("its creation was interrupted" if self.phase is not Phase.READY else "")

    def keep(self, engine: dict[str, Any], changes: list[Any], unknown: dict[str, Any]) -> None:
        """Take over what a record holds, as it holds it."""
        self._engine, self._changes, self.unknown = engine, changes, unknown

    def dump(self) -> bytes:
        """The record as machine.json holds it: JSON in UTF-8, keys in a fixed order."""
        import json

        known = {
            "schema": SCHEMA if self.jump else WITHOUT_JUMP,
            "driver": self.driver,
            "options": self.options,
            "driver_state": self.driver_state,
            "url": self.url,
            "tls": self.tls,
            "phase": self.phase,
            "made": self.made,
            "provision": self.provision,
            "context": self.context,
            "labels": self.labels,
            "engine": self._engine,
            "mac": self.mac,
            "pending": self.pending,
            "failure": self.failure,
            "changes": self._changes,
            **({"jump": self.jump} if self.jump else {}),
            **({"fleet": self.fleet} if self.fleet else {}),
            **({"origin": self.origin} if self.origin else {}),
            **({"swarm": self.swarm} if self.swarm else {}),
            **({"looked_at": self.looked_at} if self.looked_at else {}),
            **({"revision": self.revision} if self.revision else {}),
        }
        return (json.dumps({**known, **self.unknown}, indent=4) + "\n").encode()


# What a record must hold to be one, and what each value is.
REQUIRED: Mapping[str, type] = {"driver": str, "url": str, "tls": bool}
OPTIONAL: Mapping[str, type] = {
    "options": dict,
    "driver_state": str,
    "phase": str,
    "made": bool,
    "provision": bool,
    "context": bool,
    "mac": str,
    "pending": str,
    "failure": dict,
    "labels": dict,
    "engine": dict,
    "changes": list,
    "jump": str,
    "fleet": str,
    "origin": dict,
    "swarm": dict,
    "looked_at": str,
    "revision": dict,
}
KINDS = tuple({**REQUIRED, **OPTIONAL}.items())


def parse(name: str, text: bytes, directory: str = "", is_machine: Callable[[str], bool] = lambda _: False) -> Machine:
    """Read a machine.json of the machine in `directory`. Raises BrokenRecord saying what is wrong with it.

    `is_machine` decides what a jump host of an earlier version is, which had one name for machines and other hosts.
    """
    import json

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
    for key, kind in KINDS:
        if key in data:
            if not isinstance(data[key], kind):
                raise broken(name, f'has a "{key}" that is not a {kind.__name__}')
        elif key in REQUIRED:
            raise broken(name, f'has no "{key}"')
    for key in ("driver", "url"):
        # No machinectl has written such a one: whoever did means a terminal, or who reads line by line.
        if not data[key].isprintable():
            raise broken(name, f'has a "{key}" with characters that none has')
    if "://-" in data["url"] or "@-" in data["url"]:
        # Not all that docker's variables and contexts are read by tells ssh where its options end.
        raise broken(name, 'has a "url" that ssh could take for an option')
    machine = Machine(name, data.pop("driver"), url=data.pop("url"), tls=data.pop("tls"), directory=directory)
    machine.driver_state = data.pop("driver_state", "")
    try:
        machine.phase = Phase(data.pop("phase", Phase.READY))
    except ValueError as exc:
        raise broken(name, f"has an unknown phase ({exc})") from exc
    machine.labels = {str(key): str(value) for key, value in data.pop("labels", {}).items()}
    machine.options = data.pop("options", {})
    machine.provision = data.pop("provision", True)
    machine.context = data.pop("context", True)
    if jump := data.pop("jump", ""):
        from machinectl.machines.jump_hosts import host_of, machine_of, resolved

        machine.untyped_jump = schema < SCHEMA
        if not (machine.untyped_jump or host_of(jump) or is_name(machine_of(jump))):
            raise broken(name, 'has a "jump" that is neither machine:NAME nor host:NAME')
        machine.jump = resolved(jump, is_machine) if machine.untyped_jump else jump
    machine.fleet = data.pop("fleet", "")
    machine.made = data.pop("made", False)
    machine.pending = data.pop("pending", "")
    machine.failure = data.pop("failure", {})
    machine.origin = data.pop("origin", {})
    machine.swarm = data.pop("swarm", {})
    machine.looked_at = data.pop("looked_at", "")
    machine.revision = data.pop("revision", {})
    engine = data.pop("engine", {})
    # 0.1 kept it among what was asked of the engine.
    machine.mac = data.pop("mac", "") or str(engine.pop("mac", ""))
    machine.keep(engine, data.pop("changes", []), data)
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


def natural(name: str) -> list[str | int]:
    """A sort key that puts m2 before m10: texts, each followed by the number after it."""
    start = name.rstrip("0123456789")
    if DIGITS.isdisjoint(start):
        return [start, int(name[len(start) :] or -1)]
    parts: list[str | int] = []
    text = digits = ""
    for character in name:
        if character in DIGITS:
            digits += character
            continue
        if digits:
            parts += text, int(digits)
            text = digits = ""
        text += character
    return [*parts, text, int(digits or -1)]
