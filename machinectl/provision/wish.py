"""What is wanted of a host's engine, and where that stands in a machine's record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.machines.record import Machine

INSTALL_URL = "https://get.docker.com"
WAYS = ("auto", "docker", "distro", "none")
PROXIES = {"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"}


@dataclass(frozen=True)
class Leave:
    """What may be done on a host this once: replace another CA's TLS, restart a Swarm node's engine, open its firewall.

    `dry_run` allows nothing at all.
    """

    force: bool = False
    restart_swarm: bool = False
    open_firewall: bool = False
    dry_run: bool = False

    def wish(self, machine: Machine) -> Wish:
        """What a machine's record says, with this leave."""
        return Wish.of(machine, force=self.force, restart_swarm=self.restart_swarm, open_firewall=self.open_firewall)


@dataclass(frozen=True)
class Wish:
    """What a host shall become.

    `address` is where it is reached from here and `port` where its engine shall listen; `bind` the address that it
    listens on, "" for all. `certificates` are ca.pem, server.pem and server-key.pem. The last three: see Leave.
    """

    address: str
    port: int = engine_url.TLS_PORT
    bind: str = ""
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
    force: bool = False
    restart_swarm: bool = False
    open_firewall: bool = False

    def __post_init__(self) -> None:
        if self.install not in WAYS:
            raise UsageError(f"--engine-install {self.install!r} is not known", f"One of: {' '.join(WAYS)}")
        for variable in self.env:
            name, equals, value = variable.partition("=")
            if not equals or not name.replace("_", "a").isalnum() or name[0].isdigit() or not value.isprintable():
                raise UsageError(
                    f"--engine-env {name!r} is not a variable of one line", "Write --engine-env NAME=VALUE"
                )

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

    @classmethod
    def of(cls, machine: Machine, **this_run: Any) -> Wish:
        """What a machine's record says, and what was asked for this once."""
        url = engine_url.parse(machine.url)
        said = machine.engine
        return cls(
            address=url.host,
            port=url.port or engine_url.TLS_PORT,
            bind=said.get("bind", ""),
            install=said.get("install", "auto"),
            install_url=said.get("install_url", "") or INSTALL_URL,
            version=said.get("version", ""),
            os=said.get("os", ""),
            options=tuple(said.get("options", ())),
            labels=machine.labels,
            env=tuple(said.get("env", ())),
            insecure_registries=tuple(said.get("insecure_registries", ())),
            registry_mirrors=tuple(said.get("registry_mirrors", ())),
            storage_driver=said.get("storage_driver", ""),
            **this_run,
        )
