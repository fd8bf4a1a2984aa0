"""`env`: shell statements that point docker at an engine."""

from __future__ import annotations

import os

from machinectl import url as engine_url
from machinectl.docker_cli.docker_environment import VARIABLES, docker_variables, engine_name
from machinectl.errors import Hint, MachineError, UsageError, wrong_choice
from machinectl.shell import detect, env_script
from machinectl.tunnels.command_environment import left_in_shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.machines.store import Store


def env(
    store: Store,
    names: Sequence[str],
    *,
    shell: str | None,
    unset: bool,
    no_proxy: bool,
    typed: Sequence[str],
    environment: Mapping[str, str],
    swarm: bool = False,
) -> str:
    """Return ASCII statements; detect the shell if None.

    `typed` is the command line, for the usage comment. Raises MachineError if the shell cannot hold a value.
    """
    variables = docker_settings(store, names, unset=unset, no_proxy=no_proxy, environment=environment, swarm=swarm)
    # They would lead Testcontainers to the machine of the socket.
    variables.update(dict.fromkeys(left_in_shell(environment)))
    return env_script(shell or detect(environment, os.getppid()), variables, typed, environment.get("PATH", ""))


def env_file(
    store: Store,
    names: Sequence[str],
    form: str,
    *,
    unset: bool,
    no_proxy: bool,
    environment: Mapping[str, str],
    swarm: bool = False,
) -> str:
    """Raise UsageError if the format cannot hold a value."""
    from machinectl.files import env_file

    if form not in env_file.FORMS:
        raise wrong_choice("--format", form, tuple(env_file.FORMS))
    variables = docker_settings(store, names, unset=unset, no_proxy=no_proxy, environment=environment, swarm=swarm)
    if unset and form != "json":
        raise UsageError(f"A file of {form} unsets nothing", Hint("Delete the file; or ask for: --format json"))
    return env_file.format_variables(form, variables)


def docker_settings(
    store: Store,
    names: Sequence[str],
    *,
    unset: bool,
    no_proxy: bool,
    environment: Mapping[str, str],
    swarm: bool,
) -> dict[str, str | None]:
    """Return docker's variables; None unsets one.

    Queries the engine only if its certificates may differ. If an unreachable host were an error here, the shell would
    keep the previous machine.
    """
    if unset and names:
        raise MachineError("Expected no machine name when the -u flag is present", Hint("", "machinectl env -u"))
    variables: dict[str, str | None] = dict.fromkeys(VARIABLES)
    if not unset:
        variables = docker_variables(store, engine_name(store, names, swarm=swarm))
    if no_proxy:
        # curl and Go read both; the lower-case name wins.
        variable = "no_proxy" if environment.get("no_proxy") else "NO_PROXY"
        before = environment.get(variable, "")
        if unset:
            hosts = without_host_of(environment.get("DOCKER_HOST", ""), before)
            if hosts != before or not hosts:
                variables[variable] = hosts or None
        elif hosts := with_host_of(variables["DOCKER_HOST"] or "", before):
            variables[variable] = hosts
    return variables


def with_host_of(url: str, hosts: str) -> str:
    host = engine_url.parse_url(url).host
    if not host or host in [part.strip() for part in hosts.split(",")]:
        return hosts
    return f"{hosts},{host}" if hosts else host


def without_host_of(url: str, hosts: str) -> str:
    try:
        host = engine_url.parse_url(url).host
    except MachineError:
        return hosts
    return ",".join(part for part in hosts.split(",") if part.strip() != host)
