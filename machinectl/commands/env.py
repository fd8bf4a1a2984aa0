"""`env`: what a shell evaluates so that its docker CLI talks to a machine's engine, or to none of them again."""

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
    form: str = "",
    swarm: bool = False,
) -> str:
    """The statements for a shell, detected where none is named, as ASCII text; or a file for tools, of a `form`.

    The engine is asked only where it may be serving other certificates than the machine's: an unreachable host must not
    leave the shell pointed at the machine before. With `swarm` it is a manager that answers, of the swarm that the
    machine is in or that is called so. `typed` is the command line, for the hint. Raises MachineError where there is no
    such machine, it is half made, or the shell cannot hold a value, and where no manager answers.
    """
    variables = without_machine(names) if unset else docker_variables(store, meant(store, names, swarm=swarm))
    if no_proxy:
        variable = no_proxy_variable(environment)
        before = environment.get(variable, "")
        if unset:
            hosts = without_host_of(environment.get("DOCKER_HOST", ""), before)
            if hosts != before or not hosts:
                variables[variable] = hosts or None
        elif hosts := with_host_of(variables["DOCKER_HOST"] or "", before):
            variables[variable] = hosts
    if form:
        return in_file(form, variables, unset=unset)
    return script(shell or detect(environment, os.getppid()), variables, typed, environment.get("PATH", ""))


def meant(store: Store, names: Sequence[str], *, swarm: bool) -> str:
    """The machine that docker is pointed at. Raises MachineError."""
    if not swarm:
        return chosen_one(store, names)
    from machinectl.hosts.swarm.membership import find_manager

    return find_manager(store, chosen_one(store, names)).machine.name


def in_file(form: str, variables: Mapping[str, str | None], *, unset: bool) -> str:
    """The variables as a file holds them. Raises UsageError where it cannot say what is to be said."""
    from machinectl import envfile

    if form not in envfile.FORMS:
        raise UsageError(f"env --format {form!r} is not known", f"One of: {', '.join(envfile.FORMS)}")
    if unset and form != "json":
        raise UsageError(f"A file of {form} unsets nothing", "Delete the file; or ask for: --format json")
    return envfile.format_variables(form, variables)


def without_machine(names: Sequence[str]) -> dict[str, str | None]:
    if names:
        raise MachineError("Error: Expected no machine name when the -u flag is present", "machinectl env -u")
    return dict.fromkeys(VARIABLES)


def no_proxy_variable(environment: Mapping[str, str]) -> str:
    """The lower-case variable where it is set, as curl and Go read both."""
    return "no_proxy" if environment.get("no_proxy") else "NO_PROXY"


def with_host_of(url: str, hosts: str) -> str:
    """A list of hosts that are reached without a proxy, and the URL's host once in it; a socket's has none."""
    host = engine_url.parse(url).host
    if not host or host in [part.strip() for part in hosts.split(",")]:
        return hosts
    return f"{hosts},{host}" if hosts else host


def without_host_of(url: str, hosts: str) -> str:
    """The list without the URL's host: what the user had in it stays."""
    try:
        host = engine_url.parse(url).host
    except MachineError:
        return hosts
    return ",".join(part for part in hosts.split(",") if part.strip() != host)
