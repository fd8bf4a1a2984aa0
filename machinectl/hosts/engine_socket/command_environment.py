"""The environment that points a program at a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl import url as engine_url

if TYPE_CHECKING:
    from collections.abc import Mapping

# Others that docker's programs read, and that would lead past the socket.
UNSET = ("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "DOCKER_CONTEXT")
# Where containers find the engine's socket on its host.
SOCKET_THERE = "/var/run/docker.sock"


def socket_variables(path: str, machine: str, url: str, *, forward: bool = False) -> dict[str, str | None]:
    """Return variables for the docker CLI, SDKs and Testcontainers; None unsets one.

    With `forward`, published ports are on this computer.
    """
    return {
        "DOCKER_HOST": f"unix://{path}",
        **dict.fromkeys(UNSET),
        "DOCKER_MACHINE_NAME": machine,
        # Where published ports are reached, and the socket that Testcontainers mounts into its containers.
        "TESTCONTAINERS_HOST_OVERRIDE": ("" if forward else engine_url.parse_url(url).host) or "localhost",
        "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE": SOCKET_THERE,
    }


def with_variables(environment: Mapping[str, str], variables: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**environment, **variables}.items() if value is not None}
