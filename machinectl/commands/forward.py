"""`forward`: reach ports of a host and its containers on this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, UsageError, closest_match
from machinectl.hosts.present_name import present_name
from machinectl.machines.machine_driver import ssh_endpoint
from machinectl.tunnels.container_events import Services, list_containers
from machinectl.tunnels.port_forwarder import FollowedContainers, PortForwarder
from machinectl.tunnels.published_ports import find_container, parse_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console
    from machinectl.engine import Endpoint
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store
    from machinectl.tunnels.open_ports import OpenPorts


def forward(
    store: Store,
    console: Console,
    name: str,
    words: Sequence[str],
    login: Login,
    ports: OpenPorts,
    *,
    auto: bool = False,
) -> None:
    """Forward until it fails or is interrupted. `words` are ports and containers. Raises MachineError."""
    ssh_endpoint(store.read(name))
    parsed = list(dict.fromkeys(parse_word(word) for word in words))
    containers = [word for word in parsed if isinstance(word, str)]
    if not parsed and not auto:
        raise UsageError(
            "No port or container is given",
            Hint("Forward what all containers publish", "machinectl forward --auto", name),
        )
    if containers and auto:
        raise UsageError("--auto and a container exclude each other", Hint(f"Leave out {' '.join(containers)}"))
    with present_name(store, name) as present:
        followed = None
        if auto:
            followed = FollowedContainers(present.endpoint)
        elif containers:
            followed = FollowedContainers(present.endpoint, container_names(present.endpoint, name, containers))
        forwarder = PortForwarder(present, console, login, ports, followed)
        try:
            forwarder.start([word for word in parsed if not isinstance(word, str)])
            forwarder.wait()
        finally:
            forwarder.close()


def container_names(endpoint: Callable[[], Endpoint], machine: str, words: Sequence[str]) -> frozenset[str]:
    """Return the names of running containers and services that publish ports. Raises MachineError."""
    asked = endpoint()
    listed = [*list_containers(asked, stopped=True), *Services().look(asked)]
    names = set()
    for word in words:
        found = find_container(listed, word)
        if found is None:
            near = closest_match(word, [one.name for one in listed])
            raise MachineError(
                f'"{machine}" has no container {word!r}',
                Hint(f'Did you mean "{near}"?') if near else Hint("List them", "machinectl ps -a", machine),
                mistyped=(word, near) if near else None,
            )
        if not found.running:
            raise MachineError(
                f"The container {found.name} is not running",
                Hint("Start it", "machinectl docker", machine, "--", "start", found.name),
            )
        if not found.ports:
            others = f" over TCP, only {', '.join(sorted(found.others))}" if found.others else ""
            raise MachineError(
                f"The container {found.name} publishes no port{others}",
                Hint("Publish one (docker run -p), or forward a port of the host by its number"),
            )
        names.add(found.name)
    return frozenset(names)
