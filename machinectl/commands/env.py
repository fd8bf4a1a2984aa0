"""`env`: the statements that point a shell's docker CLI at a machine's engine, or at none again."""

from __future__ import annotations

import os

from machinectl import url as engine_url
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.exports.docker_environment import VARIABLES, docker_variables
from machinectl.machines.selection import chosen_one
from machinectl.shell import detect, script

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
    """Return the statements in ASCII for a shell, which is detected if none is given.

    `typed` is the command line, for the comment on how to use them. Raises MachineError for a missing or half made
    machine, for a value that the shell cannot hold, and with `swarm` if no manager answers.
    """
    variables = settings(store, names, unset=unset, no_proxy=no_proxy, environment=environment, swarm=swarm)
    return script(shell or detect(environment, os.getppid()), variables, typed, environment.get("PATH", ""))


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
    """Return the variables as the text of a file. Raises UsageError if a file of this form cannot hold them."""
    from machinectl import envfile

    if form not in envfile.FORMS:
        raise UsageError(f"unknown --format {form!r}", f"One of: {', '.join(envfile.FORMS)}")
    variables = settings(store, names, unset=unset, no_proxy=no_proxy, environment=environment, swarm=swarm)
    if unset and form != "json":
        raise UsageError(f"A file of {form} unsets nothing", "Delete the file; or ask for: --format json")
    return envfile.format_variables(form, variables)


def settings(
    store: Store,
    names: Sequence[str],
    *,
    unset: bool,
    no_proxy: bool,
    environment: Mapping[str, str],
    swarm: bool,
) -> dict[str, str | None]:
    """Return docker's variables, None for those to unset.

    The engine is asked only if it may serve other certificates than the machine's: an unreachable host must not leave
    the shell pointed at the machine before.
    """
    variables = without_machine(names) if unset else docker_variables(store, machine_name(store, names, swarm=swarm))
    if no_proxy:
        variable = no_proxy_variable(environment)
        before = environment.get(variable, "")
        if unset:
            hosts = without_host_of(environment.get("DOCKER_HOST", ""), before)
            if hosts != before or not hosts:
                variables[variable] = hosts or None
        elif hosts := with_host_of(variables["DOCKER_HOST"] or "", before):
            variables[variable] = hosts
    return variables


def machine_name(store: Store, names: Sequence[str], *, swarm: bool) -> str:
    """Return the machine named or, with `swarm`, a manager that answers. Raises MachineError."""
    name = chosen_one(store, names)
    if not swarm:
        return name
    from machinectl.hosts.swarm.membership import find_manager

    return find_manager(store, name).machine.name


def without_machine(names: Sequence[str]) -> dict[str, str | None]:
    if names:
        raise MachineError("Error: Expected no machine name when the -u flag is present", "machinectl env -u")
    return dict.fromkeys(VARIABLES)


def no_proxy_variable(environment: Mapping[str, str]) -> str:
    """Return the lower-case name if that is set: curl and Go read both."""
    return "no_proxy" if environment.get("no_proxy") else "NO_PROXY"


def with_host_of(url: str, hosts: str) -> str:
    """Add the URL's host to a list of hosts that need no proxy; a socket's URL has none."""
    host = engine_url.parse(url).host
    if not host or host in [part.strip() for part in hosts.split(",")]:
        return hosts
    return f"{hosts},{host}" if hosts else host


def without_host_of(url: str, hosts: str) -> str:
    """Remove the URL's host from the list."""
    try:
        host = engine_url.parse(url).host
    except MachineError:
        return hosts
    return ",".join(part for part in hosts.split(",") if part.strip() != host)
