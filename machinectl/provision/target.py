"""The target of a host, and the permissions for one run."""

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
    """Permissions for one run on a host.

    `force`: replace another CA's TLS, hide or stop containers; `forcible` is whether the user can pass --force. `yes`:
    answer questions with yes. `in_use`: restart an engine that runs containers; if many hosts are set up, those wait
    for their turn.
    """

    force: bool = False
    forcible: bool = True
    restart_swarm: bool = False
    open_firewall: bool = False
    yes: bool = False
    in_use: bool = True

    @property
    def or_force(self) -> str:
        """The end of a hint that offers --force, if it can be given."""
        return "; or allow it all the same: --force" if self.forcible else ""


NOTHING_SPECIAL = Allowed()
# The hint if a Swarm node's engine may not be restarted because the node cannot be drained.
DRAIN_BY_HAND = (
    "No machine here can drain it first, or there is no node to drain it to (machinectl swarm status); "
    "allow it all the same: --restart-swarm"
)


@dataclass(frozen=True)
class Target:
    """The host as it should become.

    Its engine is reached at `address` and listens at `bind`, "" for all addresses. `certificates` are the engine's
    files by name (see `engine_config.CERTIFICATES`). `install` says how to get a missing engine: auto, docker, distro
    or none.
    """

    address: str
    port: int = TLS_PORT
    bind: str = ""
    # Whether SSH uses a jump host.
    jump: bool = False
    certificates: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    # SHA256 of each ca.pem that we gave the host.
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
    # Our keys in daemon.json so far: those that are no longer wanted are removed.
    earlier: ConfigMerged | None = field(default=None, repr=False)
    # The host's own live-restore, while daemon.json has ours.
    borrowed: LiveRestoreChanged | None = field(default=None, repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """The engine's environment."""
        return dict(variable.split("=", 1) for variable in self.env)

    @property
    def proxies(self) -> dict[str, str]:
        """The proxy variables, in lower and upper case: the installation uses them too."""
        found = {name: value for name, value in self.variables.items() if name.lower() in PROXIES}
        return {spelt: value for name, value in found.items() for spelt in (name.lower(), name.upper())}

    @property
    def listen(self) -> str:
        """The engine's address for us, in dockerd's notation."""
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
