"""The engine's unix socket: docker.socket, systemd's unit that opens it, and where docker looks for it over SSH."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, Hint, one_line
from machinectl.provision.daemon_json import listed, read_config
from machinectl.provision.facts import docker_unit
from machinectl.provision.steps import docker_group
from machinectl.quantities import plural

if TYPE_CHECKING:
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Remote
    from machinectl.provision.target import Target

UNIT = "docker.socket"
# Where docker looks for the engine, unless DOCKER_HOST or a context says otherwise.
DEFAULT = "/var/run/docker.sock"
RESTART = f"systemctl restart {UNIT} docker"
# Ask, as `docker system dial-stdio` does: an engine may hold a socket that systemd opened, and not answer there.
ASK_SECONDS = 10
ASK = f"timeout {ASK_SECONDS} docker version --format '{{{{.Server.Version}}}}'"
TIMED_OUT, TOO_LATE = 124, f"nothing has answered within {ASK_SECONDS} s"


def hosts(facts: Facts) -> list[str]:
    """Return the addresses that the engine's flags and daemon.json name, with ours."""
    flags = docker_unit.all_flags(facts.unit, facts.environment, ours=True) if facts.unit else []
    return [*(flag.value for flag in flags if flag.name == "host"), *map(str, listed(read_config(facts), "hosts"))]


def is_needed(facts: Facts) -> bool:
    """Return whether docker.service does not start without docker.socket."""
    # An empty value resets no dependencies.
    is_required = re.search(rf"^\s*Requires\s*=(.*\s)?{re.escape(UNIT)}(\s|$)", facts.unit, re.MULTILINE)
    return bool(is_required) or any(host.startswith("fd://") for host in hosts(facts))


def check_not_masked(facts: Facts) -> None:
    """Refuse to restart an engine that could not start again."""
    if UNIT not in facts.masked or not is_needed(facts):
        return
    raise CheckFailed(
        f"{UNIT} on the host is masked, and docker.service does not start without it",
        Hint("On the host, as root", f"systemctl unmask {UNIT}") | Hint("then run this again"),
    )


def containers_stopped(facts: Facts) -> str:
    """Return how many containers a plain restart stops, or ""."""
    keeps = facts.info.get("LiveRestoreEnabled") or not facts.containers
    return "" if keeps else plural(len(facts.containers), "container")


def ask_over_ssh(login: Remote) -> str:
    """Return what docker says to the SSH user if it does not reach the engine, else ""."""
    result = login.run(ASK, check=False)
    said = one_line((result.stderr or result.stdout).decode(errors="replace"))
    ended = f"docker ended with status {result.status}"
    return "" if result.status == 0 else TOO_LATE if result.status == TIMED_OUT else said or ended


def moved(facts: Facts) -> list[str]:
    """Return the unix sockets that the engine listens on, if docker does not look for it there."""
    paths = []
    for host in hosts(facts):
        scheme, _, path = host.partition("://")
        if scheme == "unix":
            paths.append(path)
        elif scheme == "fd":
            paths += [path for path in facts.socket_listens if path.startswith("/")] or [DEFAULT]
    is_default = any(posixpath.normpath(path).removeprefix("/var") == "/run/docker.sock" for path in paths)
    return [] if is_default else paths


def check_reached_over_ssh(facts: Facts, target: Target) -> None:
    """Refuse an engine without a listener that docker would not reach over SSH either."""
    said = facts.docker_over_ssh
    paths = moved(facts) if DEFAULT in said or said == TOO_LATE else []
    # Joining the group, or starting the engine, may be all that it needs.
    is_mended = not facts.running or ("permission denied" in said and docker_group.is_missing(facts))
    if not (target.ssh_only and said) or (is_mended and not paths):
        return
    there = "" if target.name else f", on the host as {facts.login or 'root'}"
    hint = Hint(f"See why{there}", target.on_host("docker version"))
    if paths:
        said = f"it looks at {DEFAULT} on the host, and the engine listens on {' and '.join(paths)}"
        context = f"'docker context create engine --docker host=unix://{paths[0]} && docker context use engine'"
        hint = Hint(f"Tell docker{there}", target.on_host(context))
    otherwise = with_listener(target.name) if target.name else Hint("or omit --ssh-only")
    raise CheckFailed(f"docker does not reach the engine over SSH: {said}", hint | otherwise)


def with_listener(name: str) -> Hint:
    return Hint("or let the engine listen", "machinectl set --no-ssh-only", name) | Hint(
        "", "machinectl provision", name
    )
