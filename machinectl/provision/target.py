"""A host's target configuration, and permissions for one run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint
from machinectl.provision.host_changes import ConfigMerged, GroupJoined, LiveRestoreChanged, PortOpened, of_kind
from machinectl.url import TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from machinectl.provision.host_changes import Change

INSTALL_URL = "https://get.docker.com"
PROXIES = {"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"}
# Hint for a Swarm node that we cannot drain before a restart.
DRAIN_BY_HAND = Hint(
    "No machine here can drain it first, or there is no node to drain it to", "machinectl swarm status"
) | Hint("allow it all the same: --restart-swarm")


@dataclass(frozen=True)
class Allowed:
    """Permissions for one run.

    `force`: replace another CA, hide or stop containers; `forcible`: --force is available. `yes`: skip questions.
    `in_use`: restart engines with running containers now, not in turn. `start`: start engines that do not run.
    `take_over`: another computer's settings replace those that were changed here, too.
    `undrained`: the hint for a Swarm node that cannot be drained.
    """

    force: bool = False
    forcible: bool = True
    restart_swarm: bool = False
    open_firewall: bool = False
    yes: bool = False
    in_use: bool = True
    start: bool = True
    take_over: bool = False
    undrained: Hint = DRAIN_BY_HAND

    @property
    def or_force(self) -> Hint:
        return Hint("or allow it all the same: --force") if self.forcible else NO_HINT


NOTHING_SPECIAL = Allowed()


@dataclass(frozen=True)
class Target:
    """The target configuration.

    `address`: for clients. `bind`: listen address, "" for all. `certificates`: by file name. `install`: auto, docker,
    distro or none.
    """

    address: str
    port: int = TLS_PORT
    bind: str = ""
    # The machine that leads to the host by `machinectl ssh`, "" for one that is forgotten if this run fails.
    name: str = ""
    # SSH uses a jump host.
    jump: bool = False
    certificates: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    # SHA256 of each ca.pem we installed.
    own_cas: frozenset[str] = frozenset()
    # The CA (PEM) on record that `certificates` replaces: docker-machine's, which the engine still uses.
    replaced_ca: bytes = field(default=b"", repr=False)
    # CAs (PEM) of the machine's other holders by the record, for a host without clients.pem.
    holders: tuple[bytes, ...] = field(default=(), repr=False)
    # Names of holders with a valid certificate, by the SHA256 of their CA (DER).
    holder_names: Mapping[str, str] = field(default_factory=dict)
    # CAs (PEM) to add to clients.pem.
    new_cas: tuple[bytes, ...] = field(default=(), repr=False)
    # When the certificate expires that the first of them signs.
    new_cas_until: datetime | None = None
    # The SHA256 of CAs (DER) to remove from clients.pem.
    ending: frozenset[str] = frozenset()
    # The holder whose CAs leave clients.pem, also those that another computer has made.
    ending_holder: str = ""
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
    # The engine listens on no port.
    ssh_only: bool = False
    # Our earlier keys in daemon.json, to remove unwanted ones.
    earlier: ConfigMerged | None = field(default=None, repr=False)
    # The host's own live-restore, while ours is set.
    borrowed: LiveRestoreChanged | None = field(default=None, repr=False)
    # Our rules in the host's firewall.
    opened: tuple[PortOpened, ...] = ()
    # The user that we let use the engine.
    joined: GroupJoined | None = None

    @property
    def variables(self) -> dict[str, str]:
        return dict(variable.split("=", 1) for variable in self.env)

    @property
    def proxies(self) -> dict[str, str]:
        """Proxy variables in lower and upper case, also for the installation."""
        found = {name: value for name, value in self.variables.items() if name.lower() in PROXIES}
        return {spelt: value for name, value in found.items() for spelt in (name.lower(), name.upper())}

    def on_host(self, command: str) -> str:
        """Return what to type here to run `command`, a quoted one if it is several, on the host."""
        return f"machinectl ssh {self.name} {command}" if self.name else command.strip("'")

    @property
    def listen(self) -> str:
        every = "[::]" if ":" in self.address else "0.0.0.0"  # noqa: S104 - clients on the LAN connect to it
        bind = self.bind or every
        return f"tcp://{f'[{bind}]' if ':' in bind and not bind.startswith('[') else bind}:{self.port}"


def with_changes(target: Target, changes: Iterable[Change]) -> Target:
    known = tuple(changes)
    return replace(
        target,
        earlier=next(iter(of_kind(known, ConfigMerged)), None),
        borrowed=next(iter(of_kind(known, LiveRestoreChanged)), None),
        opened=tuple(of_kind(known, PortOpened)),
        joined=next(iter(of_kind(known, GroupJoined)), None),
    )
