"""What a machine shall be: asked on the command line or by a fleet's file, and kept in the machine's record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.machines.engine_options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from machinectl.driver import OptionValue


@dataclass(frozen=True)
class CertificateFiles:
    """Where a new machine's certificates come from: a directory, or the three files that a client needs."""

    directory: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def whole(self) -> bool:
        """Whether all that a client needs is named."""
        return bool(self.directory or (self.ca and self.certificate and self.key))


NO_CERTIFICATES = CertificateFiles()


@dataclass(frozen=True)
class MachineSpec:
    """What a machine shall be.

    `options` are the driver's. `tls` is whether its engine is spoken to over TLS (None: its URL decides). `provision`
    is whether its host is made an engine host, where there is a way to it; if not, the host is left as it is. `context`
    is whether docker has a context of it. `jump` is the host that its SSH goes through: the name of a machine, or
    user@host[:port].
    """

    driver: str
    options: Mapping[str, OptionValue] = field(default_factory=dict, repr=False)
    tls: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    engine: EngineOptions = field(default_factory=EngineOptions)
    provision: bool = True
    context: bool = True
    jump: str = ""

    def without(self, secrets: Collection[str]) -> MachineSpec:
        """The same as a record may hold it: without the driver's options that are secret."""
        return replace(self, options={name: value for name, value in self.options.items() if name not in secrets})
