"""The environment that points a program at a socket. Light path."""

from __future__ import annotations

from machinectl import url as engine_url
from machinectl.hosts.docker_environment import ENGINE_SOCKET, MOUNTED_SOCKET, PORTS_HOST, UNIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.machines.store import Store

# Others that docker's programs read, and that would lead past the socket.
UNSET = ("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "BUILDX_BUILDER")


def socket_variables(path: str, machine: str, url: str, *, forward: bool = False) -> dict[str, str | None]:
    """Return variables for the docker CLI, SDKs and Testcontainers; None unsets one.

    With `forward`, published ports are on this computer.
    """
    return {
        "DOCKER_HOST": f"{UNIX}{path}",
        **dict.fromkeys(UNSET),
        "DOCKER_MACHINE_NAME": machine,
        PORTS_HOST: ("" if forward else engine_url.parse_url(url).host) or "localhost",
        MOUNTED_SOCKET: ENGINE_SOCKET,
    }


def with_variables(environment: Mapping[str, str], variables: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**environment, **variables}.items() if value is not None}


def machine_at_socket(store: Store, url: str) -> str:
    """Return the machine whose open socket is at a docker URL, or ""."""
    if not url.startswith(UNIX):
        return ""
    from machinectl.tunnels.local_sockets import ask_socket

    told = ask_socket(url.removeprefix(UNIX))
    return told.machine if told and told.store == store.root and store.exists(told.machine) else ""
