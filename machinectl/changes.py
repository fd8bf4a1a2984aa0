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
PORT = re.compile(r"[0-9]{1,5}")
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

    @abstractmethod
    def dump(self) -> Any:
        """The change as a record holds it."""

    def followed_by(self, later: Change) -> Change:  # noqa: ARG002 (those whose undoing grows need it)
        """The change with the same one made again: what was there before us is what was there first."""
        return self


@dataclass(frozen=True)
class Known(Change):
    """A change of a kind that this version undoes. `more` is what another version keeps of it besides."""

    KIND: ClassVar[str] = ""

    more: Mapping[str, Any] = field(default_factory=dict, kw_only=True, compare=False, repr=False)

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


class DirectoryMade(About):
    """A directory at the path `subject`; undone, it is removed if it is empty."""

    KIND = "directory"
    FORM = WORD_PATH


class CaGiven(About):
    """A CA that the engine was told to trust, by the SHA256 of its file: a later run knows by it that it was ours."""

    KIND = "ca"
    FORM = SHA256


class ServiceEnabled(About):
    """The unit `subject` is started at boot, and was not before."""

    KIND = "enabled"
    FORM = NAME


class ServiceStarted(About):
    """The unit `subject` runs, and did not before."""

    KIND = "started"
    FORM = NAME


@dataclass(frozen=True)
class PackageInstalled(About):
    """The engine's package `subject`, and those that came `along`; undone where the engine is to go, too."""

    KIND = "package"
    FORM = NAME

    along: tuple[str, ...] = ()

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
    """A TCP port let through by the host's firewall; `undo` is the command that closes it."""

    KIND = "firewall"

    firewall: str
    port: str
    undo: str

    @property
    def about(self) -> str:
        return f"{self.firewall}:{self.port}"

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "undo": self.undo}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        firewall, _, port = about.partition(":")
        return cls(firewall, formed(port, PORT), text(more.pop("undo")), more=more)


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
    def bytes_before(self) -> bytes | None:
        """The file before us, byte for byte; None where there was none."""
        return None if self.before is None else self.before.encode("utf-8", "surrogateescape")

    def dump(self) -> dict[str, Any]:
        ours = {"before": self.before, "mode": self.mode, "ours": dict(self.ours), "written": self.written}
        return {**super().dump(), **ours}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        before, ours = more.pop("before"), more.pop("ours")
        if not isinstance(ours, dict) or not (before is None or isinstance(before, str)):
            raise TypeError(ours)
        mode, written = formed(more.pop("mode", "644"), MODE), text(more.pop("written", ""))
        return cls(formed(about, PATH), before, mode, ours, written, more=more)

    def followed_by(self, later: Change) -> Change:
        if not isinstance(later, ConfigMerged):
            return self
        return replace(self, ours={**self.ours, **later.ours}, written=later.written)


@dataclass(frozen=True)
class LiveRestoreHeld(Known):
    """An undoing turns live-restore on and off in the daemon.json at `path`, for the sake of running containers.

    Whatever it finds there, it was the one who wrote it; `before` is what it shall be in the end, None for not there.
    """

    KIND = "live-restore"

    path: str
    before: bool | None

    @property
    def about(self) -> str:
        return self.path

    def dump(self) -> dict[str, Any]:
        return {**super().dump(), "before": self.before}

    @classmethod
    def load(cls, about: str, more: dict[str, Any]) -> Self:
        before = more.pop("before")
        if not (before is None or isinstance(before, bool)):
            raise TypeError(before)
        return cls(formed(about, PATH), before, more=more)


@dataclass(frozen=True)
class Unknown(Change):
    """What this version does not know: a newer one made it. It is kept as it is, and undone by that version alone."""

    data: Any

    @property
    def about(self) -> str:
        return str(self.data)

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
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def formed(value: Any, form: re.Pattern[str]) -> str:
    """A text that has a form, whole. Raises TypeError or ValueError for another one."""
    if not form.fullmatch(text(value)):
        raise ValueError(value)
    return text(value)


def merged(recorded: Sequence[Change], new: Iterable[Change]) -> tuple[Change, ...]:
    """A record's changes with new ones in it, each once."""
    result = list(recorded)
    for change in new:
        known = next((at for at, each in enumerate(result) if same(each, change)), None)
        if known is None:
            result.append(change)
        else:
            result[known] = result[known].followed_by(change)
    return tuple(result)


def same(one: Change, other: Change) -> bool:
    return type(one) is type(other) and one.about == other.about


def of_kind(changes: Iterable[Change], kind: type[Kind]) -> list[Kind]:
    """The changes of one kind, in their order."""
    return [change for change in changes if isinstance(change, kind)]
