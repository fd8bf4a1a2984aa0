"""The values that a fleet is spoken of in: the file as it was understood, and the plan that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from machinectl.fleet.hidden import Hidden
from machinectl.machines.spec import NO_CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.errors import MachineError
    from machinectl.machines.spec import CertificateFiles, MachineSpec


class Place(NamedTuple):
    """Where something stands; line and column count from 1. `file` is an included one, "" the fleet's file itself."""

    line: int = 1
    column: int = 1
    file: str = ""


START = Place()


@dataclass(frozen=True)
class Login:
    """How a host is logged in at, as `create` is told: the names of files with secrets, and the host's key."""

    passphrase_file: str = ""
    password_file: str = ""
    sudo_password_file: str = ""
    host_key: str = ""
    strict: bool = False


NO_LOGIN = Login()


@dataclass(frozen=True)
class FleetHost:
    """A host of the file: its machine's name, what that shall be, and where the file begins to say so.

    Paths are absolute. `swarm` is its role in the fleet's Swarm: "", "manager" or "worker". `typed` is what the file
    has for keys whose values come from variables or files, for a label under `labels NAME`: it is shown instead.
    `groups` are the groups of the file that the host is in.
    """

    name: str
    spec: MachineSpec
    place: Place = START
    certificates: CertificateFiles = NO_CERTIFICATES
    login: Login = NO_LOGIN
    swarm: str = ""
    typed: Mapping[str, str] = field(default_factory=dict, compare=False)
    groups: tuple[str, ...] = ()


class FleetId(NamedTuple):
    """Tells a fleet from others, in its machines' records: `text` is its name, or its file's real path if it has none.

    `paths` are those of its file. A record has one of them from before the file had a name, or was a link.
    """

    text: str
    paths: frozenset[str] = frozenset()

    def owns(self, recorded: str) -> bool:
        """Return whether a machine with this `fleet` on record is of this fleet."""
        return recorded == self.text or recorded in self.paths


@dataclass(frozen=True)
class Fleet:
    """A file that is right; its hosts in its order.

    `advice` are lines for the person, file:line:column: text: what is no error and yet not as it should be. `hidden`
    holds the values of variables.
    """

    id: FleetId
    hosts: tuple[FleetHost, ...]
    advice: tuple[str, ...] = ()
    hidden: Hidden = field(default_factory=Hidden, compare=False)


class Action(StrEnum):
    """What is done with a machine: `RESUME` goes on with one that is half made, or whose host was not told all.

    `FAIL`: its record cannot be read, so nothing is.
    """

    CREATE = "create"
    RESUME = "resume"
    CHANGE = "change"
    REMOVE = "remove"
    LEAVE = "leave"
    FAIL = "fail"


@dataclass(frozen=True)
class Difference:
    """An option that shall be another one, under its key in the file; values as texts, without secrets.

    `restarts` is whether the engine restarts for it. The key `fleet` is whose machine it is (`FleetId`).
    """

    key: str
    old: str
    new: str
    restarts: bool = False


@dataclass(frozen=True)
class Step:
    """The planned action for one machine; `host` is as the file has it, None if the file no longer has it.

    `error` is why its record cannot be read.
    """

    name: str
    action: Action
    host: FleetHost | None = None
    differences: tuple[Difference, ...] = ()
    error: MachineError | None = None

    @property
    def restarts(self) -> bool:
        """Whether an engine that is in use restarts."""
        return any(each.restarts for each in self.differences)


@dataclass(frozen=True)
class Plan:
    """What is to be done with each machine that is of the fleet, or was."""

    steps: tuple[Step, ...]

    @property
    def has_work(self) -> bool:
        return any(step.action not in {Action.LEAVE, Action.FAIL} for step in self.steps)
