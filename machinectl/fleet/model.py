"""A fleet's file as values: the fleet and its hosts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from machinectl.fleet.syntax.faults import START
from machinectl.fleet.syntax.hidden_values import Hidden
from machinectl.machines.spec import NO_CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.fleet.syntax.faults import Place
    from machinectl.machines.spec import CertificateFiles, MachineSpec


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
