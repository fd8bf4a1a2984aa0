"""Environment variables for the docker CLI and for what uses it. Light path."""

from __future__ import annotations

from machinectl.machines.selection import chosen_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.machines.store import Store

# docker-machine's order; the first three are docker's (docs.docker.com/reference/cli/docker).
VARIABLES = ("DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME")

UNIX = "unix://"
# For Testcontainers: where published ports are reached, and the socket that it mounts into its containers.
PORTS_HOST, MOUNTED_SOCKET = "TESTCONTAINERS_HOST_OVERRIDE", "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE"
# Where containers find the engine's socket on its host.
ENGINE_SOCKET = "/var/run/docker.sock"


def left_in_shell(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that `socket` has set in this shell besides those of `env`."""
    ours = environment.get("DOCKER_HOST", "").startswith(UNIX) and "DOCKER_MACHINE_NAME" in environment
    return [PORTS_HOST, MOUNTED_SOCKET] if ours and environment.get(MOUNTED_SOCKET) == ENGINE_SOCKET else []


def engine_name(store: Store, names: Sequence[str], *, swarm: bool) -> str:
    """Return the named machine or, with `swarm`, a manager that answers."""
    name = chosen_one(store, names)
    if not swarm:
        return name
    from machinectl.swarm_nodes.membership import find_manager

    return find_manager(store, name).machine.name


def docker_variables(store: Store, name: str) -> dict[str, str | None]:
    """Return variables; None unsets one: DOCKER_TLS_VERIFY makes docker want a ca.pem, even for unix and ssh."""
    machine = store.read_ready(name)
    if store.is_unsettled(name):
        from machinectl.hosts.identity import settle_pending

        settle_pending(store, name)
    if machine.tls:
        # Docker would fail. No warning if one expires soon: shells start with `env`.
        from machinectl.machines.tls_warnings import expired_certificate, unusable_certificates

        if problem := unusable_certificates(machine) or expired_certificate(machine):
            store.warn(problem.cause, problem.hint)
    return {
        "DOCKER_TLS_VERIFY": "1" if machine.tls else None,
        "DOCKER_HOST": machine.urls[0],
        "DOCKER_CERT_PATH": store.directory(name) if machine.tls else None,
        "DOCKER_MACHINE_NAME": name,
    }


def machine_at_url(store: Store, url: str) -> str:
    """Return the machine whose engine a feature has brought to a docker URL of this computer, or ""."""
    if not url.startswith(UNIX):
        return ""
    from machinectl.features import functions

    return next(filter(None, (machine_at(store, url) for machine_at in functions("machine_at_url"))), "")
