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
class HostLogin:
    """How to log in at a host: the names of files with secrets, and the host's key."""

    passphrase_file: str = ""
    password_file: str = ""
    sudo_password_file: str = ""
    host_key: str = ""
    strict: bool = False


NO_LOGIN = HostLogin()


@dataclass(frozen=True)
class FleetHost:
    """A host of the file: the name and the spec of its machine, and its place in the file. Paths are absolute.

    `swarm` is its role in the fleet's Swarm: "", "manager" or "worker". `typed` has the file's texts for values from
    variables or files, which are shown instead, for a label under `labels NAME`. `groups` are the host's groups.
    """

    name: str
    spec: MachineSpec
    place: Place = START
    certificates: CertificateFiles = NO_CERTIFICATES
    login: HostLogin = NO_LOGIN
    swarm: str = ""
    typed: Mapping[str, str] = field(default_factory=dict, compare=False)
    groups: tuple[str, ...] = ()


class FleetId(NamedTuple):
    """Identifies a fleet in its machines' records. `text` is its name, or else its file's real path.

    `paths` are the paths of its file. A record has one of them if the file had no name then, or was a link.
    """

    text: str
    paths: frozenset[str] = frozenset()

    def owns(self, recorded: str) -> bool:
        """Return whether a machine with this `fleet` on record belongs to this fleet."""
        return recorded == self.text or recorded in self.paths


@dataclass(frozen=True)
class Fleet:
    """A valid file, with its hosts in its order.

    `advice` are lines of the form file:line:column: text, about what is no error but unwise. `hidden` has the values
    of variables.
    """

    id: FleetId
    hosts: tuple[FleetHost, ...]
    advice: tuple[str, ...] = ()
    hidden: Hidden = field(default_factory=Hidden, compare=False)
