"""`context import`: read a docker context for `create`."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import DEFAULT, ENDPOINT, Contexts
from machinectl.errors import MachineError, UsageError, closest_match
from machinectl.hosts.exports.docker_contexts import context_mark
from machinectl.machines.record import is_name

if TYPE_CHECKING:
    from machinectl.machines.store import Store


@dataclass(frozen=True)
class ContextSource:
    """`is_ours` is whether this store writes the context. Without TLS, `directory` is ""."""

    url: str
    directory: str
    is_ours: bool


def context_source(store: Store, context: str, machine: str) -> ContextSource:
    """Raise MachineError for a context that `create` cannot use."""
    if context == DEFAULT:
        raise MachineError(
            f'"{DEFAULT}" is not a stored context: it is the value of DOCKER_HOST',
            "Register that engine: machinectl create -d none --url <URL> <NAME>",
        )
    if not is_name(machine):
        raise UsageError(
            f'"{machine}" cannot be the name of a machine: use only 0-9a-zA-Z . -',
            f"Give it another: machinectl context import {shlex.quote(context)} <NAME>",
        )
    docker = Contexts()
    found = docker.read(context)
    if found is None:
        near = closest_match(context, docker.names())
        raise MachineError(
            f'There is no docker context "{context}" in {docker.config}',
            f'Did you mean "{near}"?' if near else "List the contexts: docker context ls",
        )
    if not found.host:
        raise MachineError(
            f'The docker context "{context}" has no host',
            f"Look at it: docker context inspect {shlex.quote(context)}",
        )
    if found.skips_verification:
        raise MachineError(
            f'The docker context "{context}" skips verification; machinectl accepts only certificates of one CA',
            "Register it with that CA: machinectl create -d none "
            f"--url {shlex.quote(found.host)} --tls-dir <DIR> {machine}",
        )
    directory = os.path.join(docker.place("tls", context), ENDPOINT) if found.files else ""
    return ContextSource(found.host, directory, found.mark == context_mark(store, machine))
