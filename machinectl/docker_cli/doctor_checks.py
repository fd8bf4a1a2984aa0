"""Check for doctor: docker's plugin, contexts and builders, and docker's login over SSH."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.check import OK, Check, broken, failed, ok, unknown, unseen
from machinectl.docker_cli import plugin as docker_plugin
from machinectl.docker_cli.builders import store_builders
from machinectl.docker_cli.buildx import Buildx
from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.followers import is_switched_off
from machinectl.docker_cli.machine_contexts import ContextStatus, SyncStep, context_status
from machinectl.engine.docker_context import (
    DEFAULT,
    ContextError,
    check_docker_directory,
    current_context,
    docker_directory,
)
from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.atomic import read_file
from machinectl.hosts.openssh_programs import UNVERIFIED
from machinectl.hosts.ssh_config import LET_SSH_KNOW, docker_needs_ssh_config, ssh_config_path
from machinectl.quantities import first_names, plural
from machinectl.ssh.destination import ssh_command
from machinectl.ssh.openssh.ssh_options import option_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.check import Seat
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

PLUGIN, CONTEXTS, CURRENT = "docker plugin", "docker contexts", "Current context"
BUILDERS = "docker builders"
CONFIG = "docker config"
INSTALL = "machinectl docker-plugin install"
OVER_SSH = "docker over SSH"
# Ask nothing, and change no known_hosts file.
OPTIONS = {"BatchMode": "yes", "StrictHostKeyChecking": "yes", "UpdateHostKeys": "no", "LogLevel": "ERROR"}
# A factor for the timeout: a jump host takes two connections.
LOGINS = 3


def checks(store: Store, machines: Sequence[Machine], seat: Seat) -> Iterator[Check]:
    """Check docker's configuration, plugin, contexts and builders."""
    environment = seat.environment
    config = docker_directory(environment)
    try:
        check_docker_directory(config)
    except MachineError as exc:
        yield failed(CONFIG, exc)
        return
    yield plugin_check(docker_plugin.plugin_file(environment))
    docker = Contexts(config)
    if not is_switched_off():
        yield from context_checks([context_status(docker, store, machine) for machine in machines])
    else:
        yield Check(
            CONTEXTS, OK, "turned off by MACHINECTL_CONTEXTS", Hint("Turn them on", "unset MACHINECTL_CONTEXTS")
        )
    yield from current_context_check(docker, environment)
    yield from builder_checks(store, environment)


def plugin_check(path: str) -> Check:
    if foreign := docker_plugin.foreign_file(path):
        return unknown(PLUGIN, f"{path} is {foreign}", Hint("Move it away, then install ours", INSTALL))
    if not docker_plugin.is_ours(path):
        return Check(PLUGIN, OK, "`docker machine` is not installed (optional)", Hint("Install it", INSTALL))
    program = started_by(path)
    if not (os.access(path, os.X_OK) and os.access(program, os.X_OK)):
        gone = f"{path}, or its program {program or '?'}, cannot be run"
        return unknown(PLUGIN, gone, Hint("Install it again", INSTALL))
    return ok(PLUGIN, f"`docker machine` is {program}")


def started_by(path: str) -> str:
    try:
        lines = os.fsdecode(read_file(path)).splitlines()
        return next(shlex.split(line.partition("=")[2])[0] for line in lines if line.startswith("program="))
    except (OSError, StopIteration, ValueError, IndexError):
        return ""


def context_checks(statuses: Sequence[ContextStatus]) -> Iterator[Check]:
    wrong: dict[Check, list[str]] = {}
    for status in statuses:
        if status.why:
            wrong.setdefault(out_of_step(status), []).append(status.machine)
    for check, names in wrong.items():
        yield replace(check, seen=f"{first_names(names)}: {check.seen}")
    count = sum(not status.why for status in statuses)
    if count and all(check.verdict is OK for check in wrong):
        yield ok(CONTEXTS, f"{plural(count, 'machine')}: up to date")


def out_of_step(status: ContextStatus) -> Check:
    """Report a wrong context; one that leads elsewhere is worse than none."""
    if status.step is SyncStep.REMOVE:
        remove = Hint("Remove it", "machinectl context sync")
        return broken(CONTEXTS, f"{status.why}, but its context is still there", remove)
    judge = broken if status.is_there and status.step is SyncStep.WRITE else unknown
    return (
        judge(CONTEXTS, status.why, status.hint) if status.is_wanted else Check(CONTEXTS, OK, status.why, status.hint)
    )


def builder_checks(store: Store, environment: Mapping[str, str]) -> Iterator[Check]:
    try:
        found = store_builders(store, Buildx(environment))
    except MachineError as exc:
        yield failed(BUILDERS, exc)
        return
    for builder in found:
        if builder.faults:
            yield unknown(BUILDERS, f"{builder.name}: {builder.state}", builder.hint)
        else:
            yield ok(BUILDERS, f"{builder.name} builds on {', '.join(builder.machines)}")


def current_context_check(docker: Contexts, environment: Mapping[str, str]) -> Iterator[Check]:
    chosen = current_context(docker.config, environment)
    if chosen.name == DEFAULT:
        return
    try:
        there = docker.read(chosen.name)
    except ContextError as exc:
        yield failed(CURRENT, exc)
        return
    if there is None:
        other = "unset DOCKER_CONTEXT" if chosen.by == "DOCKER_CONTEXT" else "docker context use default"
        seen = f'docker uses the context "{chosen.name}", which does not exist'
        yield broken(CURRENT, seen, Hint("Use another one", other))
    else:
        yield ok(CURRENT, f'"{chosen.name}", which leads to {there.host or "nowhere"}')


def machine_checks(store: Store, machine: Machine, timeout: float, *, logs_in: bool) -> Iterator[Check]:
    """Check whether docker's own ssh logs in, which needs a login that works."""
    if docker_needs_ssh_config(machine):
        yield from [docker_ssh_check(store, machine, timeout)] if logs_in else unseen([OVER_SSH], "SSH failed")


def docker_ssh_check(store: Store, machine: Machine, timeout: float) -> Check:
    """Never raises MachineError."""
    try:
        url = engine_url.parse_url(machine.url)
        options = option_words({**OPTIONS, "ConnectTimeout": str(math.ceil(timeout))})
        command = ssh_command(url.host, ["-T", *options], user=url.user, port=url.port, arguments=["true"])
        done = subprocess.run(
            command, capture_output=True, timeout=timeout * LOGINS, check=False, stdin=subprocess.DEVNULL
        )
    except MachineError as exc:
        return failed(OVER_SSH, exc)
    except (OSError, subprocess.SubprocessError) as exc:
        return unknown(OVER_SSH, f"your own ssh does not answer: {one_line(str(exc))}")
    if done.returncode == 0:
        return ok(OVER_SSH, f"your own ssh, which docker uses, logs in at {url.host}")
    said = done.stderr.decode(errors="replace").strip()
    reason = one_line(said.splitlines()[-1] if said else "it gives no reason")
    seen = f"docker uses your own ssh, which cannot log in at {url.host}: {reason}"
    if os.path.exists(ssh_config_path(store)) and UNVERIFIED not in said:
        # At a terminal, docker's ssh can ask for a passphrase.
        own = shlex.join(ssh_command(url.host, user=url.user, port=url.port, arguments=["true"]))
        return unknown(OVER_SSH, seen, Hint("See why", own) | LET_SSH_KNOW)
    return broken(OVER_SSH, seen, LET_SSH_KNOW)
