"""What we did on a host: a class for each kind of change, with what undoes it, and its form in a machine's record.

In the record a change is an object with `kind`, `path` (what it is about, told apart within its kind) and what else its
undoing needs.

Undoing is done as root, and a record may be of somebody else's making: what has not the form that we write is Unknown,
and nothing is done for it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Kind = TypeVar("Kind", bound="Change")

# Lines and words that a shell script or its manifest is given must stay one each.
PATH = re.compile(r"/[^\x00-\x1f\x7f]*")
WORD_PATH = re.compile(r"/[^\s\x00-\x1f\x7f*?\[\\]*")
NAME = re.compile(r"[A-Za-z0-9][\w.+:~@-]*", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
PORT = re.compile(r"[0-9]{1,5}")
ZONE_FILE = re.compile(r"(?:/etc/firewalld/zones/[\w-]+\.xml)?", re.ASCII)
MODE = re.compile(r"[0-7]{1,4}")
AUTHORIZED_KEYS = re.compile(r"/(?:[^\x00-\x1f\x7f]*/)?authorized_keys")
# Of a key that is shorter, another one's line could hold the text.
PUBLIC_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/]{64,}={0,2}")


@dataclass(frozen=True)
class Change(ABC):
    """One thing that was done."""

    @property
    @abstractmethod
    def about(self) -> str:
        """What was changed: a second change of the same kind and about the same thing is the same one."""

    @property
    @abstractmethod
    def done(self) -> str:
        """What was done, for a person."""

    @property
    @abstractmethod
    def undoing(self) -> str:
        """What becomes of it when it is undone, for a person."""

    @property
    def when(self) -> str:
        """When it was done, in RFC 3339; "" where the record does not say, as before 0.2."""
        return ""

    @abstractmethod
    def dump(self) -> Any:
        """The change as a record holds it."""

    def followed_by(self, later: Change) -> Change:  # noqa: ARG002 (those whose undoing grows need it)
        """The change with the same one made again: what was there before us is what was there first."""
        return self


@dataclass(frozen=True)
class Known(Change):
    """A change of a kind that this version undoes. `more` is when, and what another version keeps of it besides."""

    KIND: ClassVar[str] = ""

    more: Mapping[str, Any] = field(default_factory=dict, kw_only=True, compare=False, repr=False)

    @property
    def when(self) -> str:
        value = self.more.get("when")
        return value if isinstance(value, str) and MOMENT.fullmatch(value) else ""

    def dump(self) -> dict[str, Any]:
        return {"kind": self.KIND, "path": self.about, **self.more}

    @classmethod
    @abstractmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        """The change of a record; it takes out of `more` what it knows. Raises KeyError, TypeError or ValueError."""


@dataclass(frozen=True)
class About(Known):
    """A change of which nothing need be known but what it is about, which has the form FORM."""

    FORM: ClassVar[re.Pattern[str]] = PATH

    subject: str

    @property
    def about(self) -> str:
        return self.subject

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        return cls(formed(about, cls.FORM), more=more)


class FileMade(About):
    """A file at the path `subject` that was not there before; undone, it is removed."""

    KIND = "file"

    @property
    def done(self) -> str:
        return f"made the file {self.subject}"

    @property
    def undoing(self) -> str:
        return "removed"


class DirectoryMade(About):
    """A directory at the path `subject`; undone, it is removed if it is empty."""

    KIND = "directory"
    FORM = WORD_PATH

    @property
    def done(self) -> str:
        return f"made the directory {self.subject}"

    @property
    def undoing(self) -> str:
        return "removed, if it is empty"


class CaGiven(About):
    """A CA that the engine was told to trust, by the SHA256 of its file: a later run knows by it that it was ours."""

    KIND = "ca"
    FORM = SHA256

    @property
    def done(self) -> str:
        return f"let the engine trust the CA with the SHA256 {self.subject[:16]}…"

    @property
    def undoing(self) -> str:
        return "trusted no more, when its file is gone"


class ServiceEnabled(About):
    """The unit `subject` is started at boot, and was not before."""

    KIND = "enabled"
    FORM = NAME

    @property
    def done(self) -> str:
        return f"had {self.subject} started at boot"

    @property
    def undoing(self) -> str:
        return "not started at boot any more"


class ServiceStarted(About):
    """The unit `subject` runs, and did not before."""

    KIND = "started"
    FORM = NAME

    @property
    def done(self) -> str:
        return f"started {self.subject}"

    @property
    def undoing(self) -> str:
        return "stopped, where no containers run on it by then"


@dataclass(frozen=True)
class PackageInstalled(About):
    """The engine's package `subject`, and those that came `along`; undone where the engine is to go, too."""

    KIND = "package"
    FORM = NAME

    along: tuple[str, ...] = ()

    @property
    def done(self) -> str:
        along = f", and with it {' '.join(self.along)}" if self.along else ""
        return f"installed the package {self.subject}{along}"

    @property
    def undoing(self) -> str:
        return "stays, unless --purge-engine is given"

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), **({"along": list(self.along)} if self.along else {})}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        along = more.pop("along", [])
        if not isinstance(along, list):
            raise TypeError(along)
        return cls(formed(about, cls.FORM), tuple(formed(name, NAME) for name in along), more=more)

    def followed_by(self, later: Change) -> Change:
        more = later.along if isinstance(later, PackageInstalled) else ()
        return replace(self, along=tuple(dict.fromkeys([*self.along, *more])))


@dataclass(frozen=True)
class PortOpened(Known):
    """A TCP port let through by the host's firewall: `undo` closes it, `made` is the file that came with it."""

    KIND = "firewall"

    firewall: str
    port: str
    undo: str
    made: str = ""

    @property
    def about(self) -> str:
        return f"{self.firewall}:{self.port}"

    @property
    def done(self) -> str:
        return f"let port {self.port} through {self.firewall}"

    @property
    def undoing(self) -> str:
        return f"closed: {self.undo}"

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "undo": self.undo, **({"made": self.made} if self.made else {})}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        firewall, _, port = about.partition(":")
        made = formed(more.pop("made", ""), ZONE_FILE)
        return cls(firewall, formed(port, PORT), text(more.pop("undo")), made, more=more)


@dataclass(frozen=True)
class KeyLetIn(Known):
    """A public key (its type and its base64) put into the authorized_keys at `path`.

    `made` is how much of it is ours: the `line`, the `file`, or its `directory`, too.
    """

    KIND = "key"

    path: str
    key: str
    made: str

    @property
    def about(self) -> str:
        return f"{self.path} {self.key}"

    @property
    def done(self) -> str:
        return f"let in the key {self.key[:12]}…{self.key[-12:]}, in {self.path}"

    @property
    def undoing(self) -> str:
        rest = {"file": ", and the file where nothing else is in it", "directory": ", and what was made for it"}
        return f"its line is taken out{rest.get(self.made, '')}"

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "made": self.made}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        path, kind, data = about.rsplit(" ", 2)
        key = formed(f"{kind} {data}", PUBLIC_KEY)
        return cls(formed(path, AUTHORIZED_KEYS), key, text(more.pop("made")), more=more)


@dataclass(frozen=True)
class ConfigMerged(Known):
    """Keys that were put into the daemon.json at `path`.

    `before` is its text before us, None where there was none, and `mode` its mode in octal; `ours` are our keys, and
    `written` the SHA256 of what was written last.
    """

    KIND = "config"

    path: str
    before: str | None
    mode: str
    ours: Mapping[str, Any]
    written: str

    @property
    def about(self) -> str:
        return self.path

    @property
    def done(self) -> str:
        return f"set {', '.join(self.ours)} in {self.path}" if self.ours else f"rewrote {self.path}"

    @property
    def undoing(self) -> str:
        was = "there was no such file" if self.before is None else "what else was set since stays"
        return f"put back as it was: {was}"

    @property
    def bytes_before(self) -> bytes | None:
        """The file before us, byte for byte; None where there was none."""
        return None if self.before is None else self.before.encode("utf-8", "surrogateescape")

    def dump(self) -> dict[str, Any]:
        ours = {"before": self.before, "mode": self.mode, "ours": dict(self.ours), "written": self.written}
        return {**super().dump(), **ours}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        before, ours = more.pop("before"), more.pop("ours")
        if not isinstance(ours, dict):
            raise TypeError(ours)
        before = None if before is None else text(before)
        mode, written = formed(more.pop("mode", "644"), MODE), text(more.pop("written", ""))
        return cls(formed(about, PATH), before, mode, ours, written, more=more)

    def followed_by(self, later: Change) -> Change:
        if not isinstance(later, ConfigMerged):
            return self
        return replace(self, ours={**self.ours, **later.ours}, written=later.written)


@dataclass(frozen=True)
class LiveRestoreHeld(Known):
    """live-restore was changed in the daemon.json at `path`, to keep containers running while the engine restarts.

    `before` is the host's own value, None for none. `text` is the whole file before, None if there was no file.
    """

    KIND = "live-restore"

    path: str
    before: bool | None
    text: str | None = None

    @property
    def about(self) -> str:
        return self.path

    @property
    def done(self) -> str:
        return f"changed live-restore in {self.path}, for a restart of the engine"

    @property
    def undoing(self) -> str:
        return f"{'not set' if self.before is None else 'on' if self.before else 'off'} again"

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "before": self.before, **({} if self.text is None else {"text": self.text})}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        before, there = more.pop("before"), more.pop("text", None)
        if not (before is None or isinstance(before, bool)):
            raise TypeError(before)
        return cls(formed(about, PATH), before, None if there is None else text(there), more=more)


@dataclass(frozen=True)
class Unknown(Change):
    """What this version does not know: a newer one made it. It is kept as it is, and undone by that version alone."""

    data: Any

    @property
    def about(self) -> str:
        return str(self.data)

    @property
    def done(self) -> str:
        known = self.data if isinstance(self.data, dict) else {}
        return f"did what another version knows: {known.get('kind', '?')} {known.get('path', '')}".rstrip()

    @property
    def undoing(self) -> str:
        return "stays: the version that did it undoes it"

    def dump(self) -> Any:
        return self.data


KINDS: dict[str, type[Known]] = {
    kind.KIND: kind
    for kind in (
        FileMade,
        DirectoryMade,
        CaGiven,
        ServiceEnabled,
        ServiceStarted,
        PackageInstalled,
        PortOpened,
        KeyLetIn,
        ConfigMerged,
        LiveRestoreHeld,
    )
}


def load(data: Any) -> Change:
    """A change as a record holds it. Never raises: what is not understood is kept as Unknown."""
    try:
        more = dict(data)
        return KINDS[more.pop("kind")].load(text(more.pop("path")), more)
    except (KeyError, TypeError, ValueError):
        return Unknown(data)


def text(value: Any) -> str:
    """A text that a file can hold. Raises TypeError or ValueError for what is none."""
    if not isinstance(value, str):
        raise TypeError(value)
    # JSON has half surrogate pairs; these cannot be written.
    value.encode("utf-8", "surrogateescape")
    return value


def formed(value: Any, form: re.Pattern[str]) -> str:
    """A text that has a form, whole. Raises TypeError or ValueError for another one."""
    if not form.fullmatch(text(value)):
        raise ValueError(value)
    return text(value)


def merged(recorded: Sequence[Change], new: Iterable[Change], when: str = "") -> tuple[Change, ...]:
    """A record's changes with new ones in it, each once; those that were not there get the time `when`."""
    result = list(recorded)
    for change in new:
        known = next((at for at, each in enumerate(result) if same(each, change)), None)
        if known is None:
            result.append(dated(change, when))
        else:
            result[known] = result[known].followed_by(change)
    return tuple(result)


def dated(change: Change, when: str) -> Change:
    if not when or not isinstance(change, Known):
        return change
    return replace(change, more={"when": when, **change.more})


def same(one: Change, other: Change) -> bool:
    return type(one) is type(other) and one.about == other.about


def of_kind(changes: Iterable[Change], kind: type[Kind]) -> list[Kind]:
    """The changes of one kind, in their order."""
    return [change for change in changes if isinstance(change, kind)]
