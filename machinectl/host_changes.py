"""The changes made on a host: one class per kind, with its form in a machine's record and what undoing it does.

In the record a change is an object: `kind`, `path` (the subject, unique within its kind), and what undoing it needs.

Undoing runs as root, and a record may come from somebody else. A change that does not match its class's forms becomes
an UnknownChange, and nothing is done for it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Kind = TypeVar("Kind", bound="Change")

# Paths and words become arguments of shell scripts and lines of their manifests: one line or word each.
PATH = r"/[^\x00-\x1f\x7f]*"
WORD_PATH = r"/[^\s\x00-\x1f\x7f*?\[\\]*"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.+:~@-]*"
SHA256 = r"[0-9a-f]{64}"
ZONE_FILE = r"(?:/etc/firewalld/zones/[A-Za-z0-9_-]+\.xml)?"
MODE = r"[0-7]{1,4}"
AUTHORIZED_KEYS = r"/(?:[^\x00-\x1f\x7f]*/)?authorized_keys"
# Another key's line could contain the text of a shorter one.
PUBLIC_KEY = r"[a-z0-9@.-]+ [A-Za-z0-9+/]{64,}={0,2}"
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def text(value: Any) -> str:
    """Return a text that a file can hold. Raises TypeError or ValueError for others."""
    if not isinstance(value, str):
        raise TypeError(value)
    # JSON may contain half a surrogate pair, which cannot be written.
    value.encode("utf-8", "surrogateescape")
    return value


def matching(pattern: str) -> Callable[[Any], str]:
    """Return a reader of texts that match a pattern as a whole; it raises TypeError or ValueError for others."""

    def read(value: Any) -> str:
        if not re.fullmatch(pattern, text(value)):
            raise ValueError(value)
        return text(value)

    return read


def names(value: Any) -> tuple[str, ...]:
    return tuple(map(matching(NAME), of_type(list)(value)))


def of_type(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(value)
        return value

    return read


def or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def part(pattern: str) -> Any:
    """Declare a field that is a part of the record's `path`."""
    return field(metadata={"pattern": pattern})


def recorded(read: Callable[[Any], Any], default: Any = MISSING, *, missing: Any = MISSING) -> Any:
    """Declare a field with a key of its own in the record.

    A key with a `default` is left out for that value. `missing` is the value if an older version wrote no such key.
    """
    return field(default=default, metadata={"read": read, "missing": default if missing is MISSING else missing})


@dataclass(frozen=True)
class Change(ABC):
    """One change that was made on a host."""

    @property
    @abstractmethod
    def about(self) -> str:
        """The subject: two changes of the same kind with the same subject are the same change."""

    @property
    @abstractmethod
    def done(self) -> str:
        """What was done, for a person."""

    @property
    @abstractmethod
    def undoing(self) -> str:
        """What undoing does, for a person."""

    @property
    def when(self) -> str:
        """When it was made (RFC 3339), "" if the record does not say, as before 0.2."""
        return ""

    @abstractmethod
    def dump(self) -> Any:
        """Return the change as a record holds it."""

    def followed_by(self, later: Change) -> Change:  # noqa: ARG002 - overridden where a later change adds to the undo
        """Return the change after it was made again: the first one knows what was on the host before."""
        return self


@dataclass(frozen=True)
class KnownChange(Change):
    """A change of a kind that this version can undo.

    ABOUT says which fields make its `path` in the record, DONE and UNDOING are texts with the fields in them. `more`
    holds `when`, and keys of other versions.
    """

    KIND: ClassVar[str]
    ABOUT: ClassVar[str] = "{path}"
    DONE: ClassVar[str] = ""
    UNDOING: ClassVar[str] = ""

    more: Mapping[str, Any] = field(default_factory=dict, kw_only=True, compare=False, repr=False)

    @property
    def about(self) -> str:
        return self.ABOUT.format_map(vars(self))

    @property
    def done(self) -> str:
        return self.DONE.format_map(vars(self))

    @property
    def undoing(self) -> str:
        return self.UNDOING.format_map(vars(self))

    @property
    def when(self) -> str:
        value = self.more.get("when")
        return value if isinstance(value, str) and TIME.fullmatch(value) else ""

    def dump(self) -> dict[str, Any]:
        data = {"kind": self.KIND, "path": self.about, **self.more}
        for each in fields(self):
            value = getattr(self, each.name)
            if "read" in each.metadata and (each.default is MISSING or value != each.default):
                data[each.name] = list(value) if isinstance(value, tuple) else value
        return data

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        """Return a record's change, and remove its keys from `more`. Raises KeyError, TypeError or ValueError."""
        patterns = {each.name: each.metadata["pattern"] for each in fields(cls) if "pattern" in each.metadata}
        groups = {name: f"(?P<{name}>{pattern})" for name, pattern in patterns.items()}
        match = re.fullmatch(cls.ABOUT.format_map(groups), about)
        if match is None:
            raise ValueError(about)
        values = match.groupdict()
        for each in fields(cls):
            if "read" in each.metadata:
                missing = each.metadata["missing"]
                known = each.name in more or missing is MISSING
                values[each.name] = each.metadata["read"](more.pop(each.name)) if known else missing
        return cls(**values, more=more)


@dataclass(frozen=True)
class FileCreated(KnownChange):
    KIND = "file"
    DONE = "created the file {path}"
    UNDOING = "removed"

    path: str = part(PATH)


@dataclass(frozen=True)
class DirectoryCreated(KnownChange):
    KIND = "directory"
    DONE = "created the directory {path}"
    UNDOING = "removed if it is empty"

    path: str = part(WORD_PATH)


@dataclass(frozen=True)
class CaTrusted(KnownChange):
    """The engine trusts a CA; `sha256` is that of its file. A later run recognises the host as its own by it."""

    KIND = "ca"
    ABOUT = "{sha256}"
    DONE = "made the engine trust the CA with the SHA256 {sha256:.16}…"
    UNDOING = "not trusted once its file is removed"

    sha256: str = part(SHA256)


@dataclass(frozen=True)
class ServiceEnabled(KnownChange):
    KIND = "enabled"
    ABOUT = "{unit}"
    DONE = "enabled {unit} at boot"
    UNDOING = "disabled at boot"

    unit: str = part(NAME)


@dataclass(frozen=True)
class ServiceStarted(KnownChange):
    KIND = "started"
    ABOUT = "{unit}"
    DONE = "started {unit}"
    UNDOING = "stopped if it runs no containers then"

    unit: str = part(NAME)


@dataclass(frozen=True)
class PackageInstalled(KnownChange):
    """The engine's package, and those that were installed `along` with it."""

    KIND = "package"
    ABOUT = "{package}"
    UNDOING = "stays, unless --purge-engine is given"

    package: str = part(NAME)
    along: tuple[str, ...] = recorded(names, ())

    @property
    def done(self) -> str:
        along = f", and with it {' '.join(self.along)}" if self.along else ""
        return f"installed the package {self.package}{along}"

    def followed_by(self, later: Change) -> Change:
        more = later.along if isinstance(later, PackageInstalled) else ()
        return replace(self, along=tuple(dict.fromkeys([*self.along, *more])))


@dataclass(frozen=True)
class PortOpened(KnownChange):
    """A TCP port opened in the host's firewall: `undo` closes it, `made` is a file that this created."""

    KIND = "firewall"
    ABOUT = "{firewall}:{port}"
    DONE = "opened port {port} in {firewall}"
    UNDOING = "closed: {undo}"

    firewall: str = part("[^:]*")
    port: str = part("[0-9]{1,5}")
    undo: str = recorded(text)
    made: str = recorded(matching(ZONE_FILE), "")


@dataclass(frozen=True)
class KeyAuthorized(KnownChange):
    """A public key (type and base64) added to the authorized_keys at `path`.

    `made` is how much of it machinectl created: the `line`, the `file`, or also its `directory`.
    """

    KIND = "key"
    ABOUT = "{path} {key}"

    path: str = part(AUTHORIZED_KEYS)
    key: str = part(PUBLIC_KEY)
    made: str = recorded(text)

    @property
    def done(self) -> str:
        return f"added the key {self.key[:12]}…{self.key[-12:]} to {self.path}"

    @property
    def undoing(self) -> str:
        rest = {"file": ", and the file if it is empty", "directory": ", and the file and directory if they are empty"}
        return f"its line is removed{rest.get(self.made, '')}"


@dataclass(frozen=True)
class ConfigMerged(KnownChange):
    """Keys merged into the daemon.json at `path`.

    `before` is its text before that, None if there was no file, and `mode` its octal mode. `ours` are the keys that
    machinectl set, `written` is the SHA256 of the file that it wrote last.
    """

    KIND = "config"

    path: str = part(PATH)
    before: str | None = recorded(or_none(text))
    mode: str = recorded(matching(MODE), missing="644")
    ours: Mapping[str, Any] = recorded(of_type(dict))
    written: str = recorded(text, missing="")

    @property
    def done(self) -> str:
        return f"set {', '.join(self.ours)} in {self.path}" if self.ours else f"rewrote {self.path}"

    @property
    def undoing(self) -> str:
        return "removed" if self.before is None else "restored, with what others have set since"

    @property
    def bytes_before(self) -> bytes | None:
        """The file before, byte for byte; None if there was none."""
        return None if self.before is None else self.before.encode("utf-8", "surrogateescape")

    def followed_by(self, later: Change) -> Change:
        if not isinstance(later, ConfigMerged):
            return self
        return replace(self, ours={**self.ours, **later.ours}, written=later.written)


@dataclass(frozen=True)
class LiveRestoreChanged(KnownChange):
    """live-restore changed in the daemon.json at `path`, to keep containers running through a restart of the engine.

    `before` is the host's own value, None for none. `text` is the whole file before, None if there was no file.
    """

    KIND = "live-restore"
    DONE = "changed live-restore in {path}, for a restart of the engine"

    path: str = part(PATH)
    before: bool | None = recorded(or_none(of_type(bool)))
    text: str | None = recorded(or_none(text), None)

    @property
    def undoing(self) -> str:
        return f"set back to {'no value' if self.before is None else 'on' if self.before else 'off'}"


@dataclass(frozen=True)
class UnknownChange(Change):
    """A change that this version does not understand. It is kept in the record, and undone only by its own version."""

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


KINDS: dict[str, type[KnownChange]] = {
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
        ConfigMerged,
        LiveRestoreChanged,
    )
}


def load(data: Any) -> Change:
    """Return a change from a record. Never raises: whatever it does not understand becomes an UnknownChange."""
    try:
        more = dict(data)
        return KINDS[more.pop("kind")].load(text(more.pop("path")), more)
    except (KeyError, TypeError, ValueError):
        return UnknownChange(data)


def merged(recorded: Sequence[Change], new: Iterable[Change], when: str = "") -> tuple[Change, ...]:
    """Return a record's changes with new ones added, each once. Those added get the time `when`."""
    result = list(recorded)
    for change in new:
        found = next((at for at, each in enumerate(result) if is_same(each, change)), None)
        if found is not None:
            result[found] = result[found].followed_by(change)
        elif when and isinstance(change, KnownChange):
            result.append(replace(change, more={"when": when, **change.more}))
        else:
            result.append(change)
    return tuple(result)


def is_same(one: Change, other: Change) -> bool:
    return type(one) is type(other) and one.about == other.about


def of_kind(changes: Iterable[Change], kind: type[Kind]) -> list[Kind]:
    return [change for change in changes if isinstance(change, kind)]
