"""What a host shall become, and what may be done to it for that this once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.host_changes import ConfigMerged, LiveRestoreChanged, of_kind
from machinectl.url import TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from machinectl.host_changes import Change

INSTALL_URL = "https://get.docker.com"
PROXIES = {"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"}


@dataclass(frozen=True)
class Allowed:
    """What may be done on a host this once.

    Replace another CA's TLS, hide or harm containers (`force`; `forcible` is whether that can be asked for), restart a
    Swarm node's engine, open its firewall, go on without a question where one would be asked (`yes`), work on an
    engine that runs containers (`in_use`): when many are set up, those wait for their turn.
    """

    force: bool = False
    forcible: bool = True
    restart_swarm: bool = False
    open_firewall: bool = False
    yes: bool = False
    in_use: bool = True

    @property
    def or_force(self) -> str:
        """The end of a hint to a refusal: that it can be overridden, where it can."""
        return "; or allow it all the same: --force" if self.forcible else ""


NOTHING_SPECIAL = Allowed()
# What to do where a Swarm node's engine may not be restarted, as it is not drained.
DRAIN_BY_HAND = (
    "No machine here can drain it first, or there is no node to drain it to (machinectl swarm status); "
    "allow it all the same: --restart-swarm"
)


@dataclass(frozen=True)
class Target:
    """What a host shall become.

    `address` is where it is reached from here and `port` where its engine shall listen; `bind` the address that it
    listens on, "" for all. `certificates` are the files that its engine is given, by their names there (see
    `configuration.CERTIFICATES`). `install` is the way to an engine where there is none: auto, docker, distro or none.
    """

    address: str
    port: int = TLS_PORT
    bind: str = ""
    # Whether its SSH is behind a jump host.
    jump: bool = False
    certificates: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    # SHA256 of each ca.pem that this machine's host was given by us before.
    own_cas: frozenset[str] = frozenset()
    install: str = "auto"
    install_url: str = INSTALL_URL
    version: str = ""
    os: str = ""
    options: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    env: tuple[str, ...] = field(default=(), repr=False)
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    storage_driver: str = ""
    # What was put into daemon.json for this machine so far: of it goes what is not asked any more.
    earlier: ConfigMerged | None = field(default=None, repr=False)
    # The host's own live-restore, while daemon.json has another value.
    borrowed: LiveRestoreChanged | None = field(default=None, repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """The engine's environment."""
        return dict(variable.split("=", 1) for variable in self.env)

    @property
    def proxies(self) -> dict[str, str]:
        """The proxies among it: the installation goes through them too, under both spellings of their names."""
        found = {name: value for name, value in self.variables.items() if name.lower() in PROXIES}
        return {spelt: value for name, value in found.items() for spelt in (name.lower(), name.upper())}

    @property
    def listen(self) -> str:
        """Where the engine listens for us, in dockerd's notation."""
        every = "[::]" if ":" in self.address else "0.0.0.0"  # noqa: S104 - a host on a LAN is reached from it
        bind = self.bind or every
        return f"tcp://{f'[{bind}]' if ':' in bind and not bind.startswith('[') else bind}:{self.port}"


def recorded(target: Target, changes: Iterable[Change]) -> Target:
    """Return the target for a machine with these recorded changes."""
    known = tuple(changes)
    return replace(
        target,
        earlier=next(iter(of_kind(known, ConfigMerged)), None),
        borrowed=next(iter(of_kind(known, LiveRestoreChanged)), None),
    )
