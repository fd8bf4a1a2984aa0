"""A fleet and its hosts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from machinectl.fleet.file_errors import START, Hidden, Place
from machinectl.machines.spec import NO_CERTIFICATES, CertificateFiles, MachineSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class HostLogin:
    """Login files with secrets, and the host's key."""

    passphrase_file: str = ""
    password_file: str = ""
    sudo_password_file: str = ""
    host_key: str = ""
    strict: bool = False


NO_LOGIN = HostLogin()


# Not frozen: for 10,000 hosts that takes 60 ms more.
@dataclass
class FleetHost:
    """A host; paths are absolute.

    `swarm` is "", "manager" or "worker". `typed` has texts to show for values from variables or files; a label's key is
    `labels NAME`.
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
    """Identifies a fleet in records: `text` is its name, or the file's real path.

    `paths` match records from before the file had a name, or was a link.
    """

    text: str
    paths: frozenset[str] = frozenset()

    def owns(self, recorded: str) -> bool:
        return recorded == self.text or recorded in self.paths


@dataclass(frozen=True)
class Fleet:
    """`advice` are warnings, file:line:column: text. `hidden` has the values of variables."""

    id: FleetId
    hosts: tuple[FleetHost, ...]
    advice: tuple[str, ...] = ()
    hidden: Hidden = field(default_factory=Hidden, compare=False)
