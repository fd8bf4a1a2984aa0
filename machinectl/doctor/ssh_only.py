"""Judge the host of an engine that is reached over SSH only. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.check import BROKEN, OK, UNKNOWN, Check, broken, failed, first_case, ok
from machinectl.errors import NO_HINT, CheckFailed, Hint
from machinectl.provision import daemon_json
from machinectl.provision.steps import docker_group, docker_socket, engine_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.doctor.host_condition import Shell
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Target

GROUP, SOCKET, LISTENER = "Group", "Socket", "Listener"


def ssh_only_checks(found: Facts, target: Target, shell: Shell) -> Iterator[Check]:
    again = f"machinectl provision {shell.machine}"
    yield group_check(found, again)
    try:
        docker_socket.check_reached_over_ssh(found, target)
    except CheckFailed as exc:
        yield failed(SOCKET, exc)
    addresses = ", ".join(engine_config.tcp_addresses(found))
    own = f"the host's own configuration makes the engine listen on {addresses}"
    still = f"the engine still listens on port {target.port}"
    yield first_case(
        LISTENER,
        (found.engine_listens and target.own_cas, BROKEN, still, Hint("Close it", again)),
        (addresses, UNKNOWN, own, Hint("See that configuration", listener_source(found, shell))),
        (True, OK, f"the engine does not listen on port {target.port}", NO_HINT),
    )


def group_check(found: Facts, again: str) -> Check:
    user, group = found.login, found.socket_group
    if not user:
        return ok(GROUP, "root logs in, who may use the engine")
    if not docker_group.is_missing(found):
        return ok(GROUP, f"{user} is in the group {group}, and may use the engine")
    try:
        docker_group.check_group(found)
    except CheckFailed as exc:
        return failed(GROUP, exc)
    return broken(
        GROUP, f"{user} is not in the group {group}, and may not use the engine", Hint("Make it a member", again)
    )


def listener_source(found: Facts, shell: Shell) -> str:
    """Return the command that shows where the host makes the engine listen."""
    if any(map(engine_config.port_of, daemon_json.listed(daemon_json.read_config(found), "hosts"))):
        return shell.command(f"cat {found.config_path}")
    in_socket = any(map(engine_config.port_of, found.socket_listens))
    return shell.command("systemctl cat docker.socket" if in_socket else "systemctl cat docker.service")
