"""The changes made on a host: how each kind is recorded and undone.

The undo runs as root and records may come from others, so a change that does not match its class is not undone: each
pattern allows only what machinectl writes, installs or starts.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, field, fields, replace
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Kind = TypeVar("Kind", bound="Change")

# These become arguments of shell scripts and lines of their manifests: one line or word each.
PATH = r"/[^\x00-\x1f\x7f]*"
OWN_FILE = (
    r"/etc/docker/machinectl/[A-Za-z0-9_-][A-Za-z0-9_.-]*|"
    r"/etc/systemd/system/docker\.service\.d/z+-machinectl\.conf|/[^\x00-\x1f\x7f]*\.before-machinectl"
)
DIRECTORY = r"/etc/docker|/etc/docker/machinectl|/etc/systemd/system/docker\.service\.d"
UNIT = r"docker\.(?:service|socket)"
# One for each family of distributions.
ENGINE_PACKAGE = r"docker\.io|docker-ce|moby-engine|docker"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.+:~@-]*"
USER = r"[A-Za-z0-9_][A-Za-z0-9_.@-]*"
SHA256 = r"[0-9a-f]{64}"
ZONE_FILE = r"(?:/etc/firewalld/zones/[A-Za-z0-9_-]+\.xml)?"
MODE = r"[0-7]{1,4}"
AUTHORIZED_KEYS = r"/(?:[^\x00-\x1f\x7f]*/)?\.ssh/authorized_keys"
# The base64 must be long enough that no other key's line contains it.
PUBLIC_KEY = r"[a-z0-9@.-]+ [A-Za-z0-9+/]{64,}={0,2}"
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def path_field(pattern: str) -> Any:
    """Declare a field stored in the record's `path`."""
    return field(metadata={"pattern": pattern})


def record_field(*kinds: type, pattern: str = "", default: Any = MISSING, missing: Any = MISSING) -> Any:
    """Declare a field stored under its own key, except the default. A text, or each of a list, matches `pattern`.

    `missing` is for older versions' records.
    """
    missing = default if missing is MISSING else missing
    return field(default=default, metadata={"kinds": kinds, "matches": pattern, "missing": missing})


def checked(value: Any, kinds: Sequence[type], pattern: str) -> Any:
    """Return a recorded value, a list as a tuple. Raises TypeError or ValueError."""
    if type(value) not in kinds:
        raise TypeError(value)
    if isinstance(value, list):
        return tuple(checked(each, [str], pattern) for each in value)
    if isinstance(value, str):
        # JSON may contain half a surrogate pair, which cannot be written.
        value.encode("utf-8", "surrogateescape")
        if pattern and not re.fullmatch(pattern, value):
            raise ValueError(value)
    return value


@dataclass(frozen=True)
class Change:
    """A change that this version can undo, unless an UnknownChange.

    ABOUT formats `path`. `more` holds `when` and other versions' keys.
    """

    KIND: ClassVar[str]
    ABOUT: ClassVar[str] = "{path}"
    DONE: ClassVar[str] = ""
    UNDOING: ClassVar[str] = ""

    more: Mapping[str, Any] = field(default_factory=dict, kw_only=True, compare=False, repr=False)

    @property
    def about(self) -> str:
        """The subject, unique within its kind."""
        return self.ABOUT.format_map(vars(self))

    @property
    def done(self) -> str:
        return self.DONE.format_map(vars(self))

    @property
    def undoing(self) -> str:
        return self.UNDOING.format_map(vars(self))

    @property
    def when(self) -> str:
        """RFC 3339 time; "" before 0.2."""
        value = self.more.get("when")
        return value if isinstance(value, str) and TIME.fullmatch(value) else ""

    def dump(self) -> Any:
        data = {"kind": self.KIND, "path": self.about, **self.more}
        for each in fields(self):
            value = getattr(self, each.name)
            if "kinds" in each.metadata and (each.default is MISSING or value != each.default):
                data[each.name] = list(value) if isinstance(value, tuple) else value
        return data

    def followed_by(self, later: Change) -> Change:  # noqa: ARG002 - overridden where a later change adds to the undo
        """Merge a repetition. The first change knows the state before."""
        return self

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        """Remove the change's keys from `more`. Raises KeyError, TypeError or ValueError."""
        patterns = {each.name: each.metadata["pattern"] for each in fields(cls) if "pattern" in each.metadata}
        groups = {name: f"(?P<{name}>{pattern})" for name, pattern in patterns.items()}
        match = re.fullmatch(cls.ABOUT.format_map(groups), about)
        if match is None:
            raise ValueError(about)
        values = match.groupdict()
        for each in fields(cls):
            if "kinds" in each.metadata:
                kinds, pattern, missing = (each.metadata[key] for key in ("kinds", "matches", "missing"))
                is_known = each.name in more or missing is MISSING
                values[each.name] = checked(more.pop(each.name), kinds, pattern) if is_known else missing
        return cls(**values, more=more)


@dataclass(frozen=True)
class FileCreated(Change):
    KIND = "file"
    DONE = "created the file {path}"
    UNDOING = "removed"

    path: str = path_field(OWN_FILE)


@dataclass(frozen=True)
class DirectoryCreated(Change):
    KIND = "directory"
    DONE = "created the directory {path}"
    UNDOING = "removed if it is empty"

    path: str = path_field(DIRECTORY)


@dataclass(frozen=True)
class CaTrusted(Change):
    """The engine trusts the CA file with this SHA256. Later runs recognise their host by it."""

    KIND = "ca"
    ABOUT = "{sha256}"
    DONE = "made the engine trust the CA with the SHA256 {sha256:.16}…"
    UNDOING = "not trusted once its file is removed"

    sha256: str = path_field(SHA256)


@dataclass(frozen=True)
class ServiceEnabled(Change):
    KIND = "enabled"
    ABOUT = "{unit}"
    DONE = "enabled {unit} at boot"
    UNDOING = "disabled at boot"

    unit: str = path_field(UNIT)


@dataclass(frozen=True)
class ServiceStarted(Change):
    KIND = "started"
    ABOUT = "{unit}"
    DONE = "started {unit}"
    UNDOING = "stopped if it runs no containers then"

    unit: str = path_field(UNIT)


@dataclass(frozen=True)
class PackageInstalled(Change):
    KIND = "package"
    ABOUT = "{package}"
    UNDOING = "stays, unless --purge-engine is given"

    package: str = path_field(ENGINE_PACKAGE)
    along: tuple[str, ...] = record_field(list, pattern=NAME, default=())

    @property
    def done(self) -> str:
        along = f", and with it {' '.join(self.along)}" if self.along else ""
        return f"installed the package {self.package}{along}"

    def followed_by(self, later: Change) -> Change:
        more = later.along if isinstance(later, PackageInstalled) else ()
        return replace(self, along=tuple(dict.fromkeys([*self.along, *more])))


@dataclass(frozen=True)
class PortOpened(Change):
    """`undo` closes the port; `made` is the zone file created for it."""

    KIND = "firewall"
    ABOUT = "{firewall}:{port}"
    DONE = "opened port {port} in {firewall}"
    UNDOING = "closed: {undo}"

    firewall: str = path_field("[^:]*")
    port: str = path_field("[0-9]{1,5}")
    undo: str = record_field(str)
    made: str = record_field(str, pattern=ZONE_FILE, default="")


@dataclass(frozen=True)
class KeyAuthorized(Change):
    """A public key (type and base64) added to `path`.

    `made` is what machinectl created: `line`, `file`, or `directory` (all three).
    """

    KIND = "key"
    ABOUT = "{path} {key}"

    path: str = path_field(AUTHORIZED_KEYS)
    key: str = path_field(PUBLIC_KEY)
    made: str = record_field(str)

    @property
    def done(self) -> str:
        return f"added the key {self.key[:12]}…{self.key[-12:]} to {self.path}"

    @property
    def undoing(self) -> str:
        rest = {"file": ", and the file if it is empty", "directory": ", and the file and directory if they are empty"}
        return f"its line is removed{rest.get(self.made, '')}"


@dataclass(frozen=True)
class GroupJoined(Change):
    KIND = "group"
    ABOUT = "{user} {group}"
    DONE = "made {user} a member of the group {group}, which is root's power there"
    UNDOING = "{user} leaves the group, if the engine's socket belongs to it"

    user: str = path_field(USER)
    group: str = path_field(USER)


@dataclass(frozen=True)
class ConfigMerged(Change):
    """Keys (`ours`) merged into daemon.json.

    `before` is the old text (None: no file), `written` the new file's SHA256.
    """

    KIND = "config"

    path: str = path_field(PATH)
    before: str | None = record_field(str, NoneType)
    mode: str = record_field(str, pattern=MODE, missing="644")
    ours: Mapping[str, Any] = record_field(dict)
    written: str = record_field(str, missing="")

    @property
    def done(self) -> str:
        return f"set {', '.join(self.ours)} in {self.path}" if self.ours else f"rewrote {self.path}"

    @property
    def undoing(self) -> str:
        return "removed" if self.before is None else "restored, with what others have set since"

    @property
    def bytes_before(self) -> bytes | None:
        return None if self.before is None else self.before.encode("utf-8", "surrogateescape")

    def followed_by(self, later: Change) -> Change:
        if not isinstance(later, ConfigMerged):
            return self
        return replace(self, ours={**self.ours, **later.ours}, written=later.written)


@dataclass(frozen=True)
class LiveRestoreChanged(Change):
    """live-restore set for an engine restart.

    `before` is the old value (None: unset), `text` the old file (None: no file).
    """

    KIND = "live-restore"
    DONE = "changed live-restore in {path}, for a restart of the engine"

    path: str = path_field(PATH)
    before: bool | None = record_field(bool, NoneType)
    text: str | None = record_field(str, NoneType, default=None)

    @property
    def undoing(self) -> str:
        return f"set back to {'no value' if self.before is None else 'on' if self.before else 'off'}"


@dataclass(frozen=True)
class UnknownChange(Change):
    KIND = "unknown"

    data: Any

    @property
    def about(self) -> str:
        return str(self.data)

    @property
    def done(self) -> str:
        known = self.data if isinstance(self.data, dict) else {}
        return f"unknown change of another version: {known.get('kind', '?')} {known.get('path', '')}".rstrip()

    @property
    def undoing(self) -> str:
        return "stays: only the version that made it undoes it"

    def dump(self) -> Any:
        return self.data


KINDS: dict[str, type[Change]] = {
    kind.KIND: kind
    for kind in (
        FileCreated,
        DirectoryCreated,
        CaTrusted,
        ServiceEnabled,
        ServiceStarted,
        PackageInstalled,
        PortOpened,
        KeyAuthorized,
        GroupJoined,
        ConfigMerged,
        LiveRestoreChanged,
    )
}


def load_change(data: Any) -> Change:
    """Return a recorded change, or an UnknownChange. Never raises."""
    try:
        more = dict(data)
        return KINDS[more.pop("kind")].load(checked(more.pop("path"), [str], ""), more)
    except (KeyError, TypeError, ValueError):
        return UnknownChange(data)


def merge_changes(recorded: Sequence[Change], new: Iterable[Change], when: str = "") -> tuple[Change, ...]:
    """Add new changes, each once, with the time `when`."""
    result = list(recorded)
    for change in new:
        found = next(
            (at for at, each in enumerate(result) if type(each) is type(change) and each.about == change.about), None
        )
        if found is not None:
            result[found] = result[found].followed_by(change)
        elif when and not isinstance(change, UnknownChange):
            result.append(replace(change, more={"when": when, **change.more}))
        else:
            result.append(change)
    return tuple(result)


def without_rolled_back(before: Iterable[Change], now: Iterable[Change]) -> list[Change]:
    """Return the changes after a failed job whose files were restored.

    Otherwise a later undo would restore an old daemon.json over what its owner has changed since.
    """
    known = {(type(change), change.about): change for change in before}
    return [
        known.get((type(change), change.about), change)
        for change in now
        if (type(change), change.about) in known or not isinstance(change, ConfigMerged | FileCreated | CaTrusted)
    ]


def of_kind(changes: Iterable[Change], kind: type[Kind]) -> list[Kind]:
    return [change for change in changes if isinstance(change, kind)]
