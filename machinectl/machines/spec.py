"""A machine's settings, from the command line or a fleet file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.machines.engine_options import EngineOptions
from machinectl.quantities import parse_lifetime

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from machinectl.driver import OptionValue


@dataclass(frozen=True)
class CertificateFiles:
    directory: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def whole(self) -> bool:
        return bool(self.directory or (self.ca and self.certificate and self.key))


NO_CERTIFICATES = CertificateFiles()


# Not frozen: for 10,000 hosts of a file that takes 60 ms more.
@dataclass
class MachineSpec:
    """A machine's settings.

    `options` are the driver's. `tls` None: the URL decides. `context`: create a docker context. `jump`: see
    `jump_hosts`. `addresses` are further ones of the host. `lifetime` is of holders' certificates, "" for the
    defaults.
    """

    driver: str
    options: Mapping[str, OptionValue] = field(default_factory=dict, repr=False)
    tls: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    engine: EngineOptions = field(default_factory=EngineOptions)
    provision: bool = True
    context: bool = True
    jump: str = ""
    addresses: tuple[str, ...] = ()
    lifetime: str = ""

    def without(self, secrets: Collection[str]) -> MachineSpec:
        return replace(self, options={name: value for name, value in self.options.items() if name not in secrets})


def check_lifetime(lifetime: str) -> None:
    """Raise UsageError for an invalid lifetime of holders' certificates."""
    if lifetime:
        parse_lifetime(lifetime, "--access-lifetime")
