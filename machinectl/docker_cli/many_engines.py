"""Run the docker CLI against many engines."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.docker_cli.buildx import docker_program
from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import ask_engine, probe
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.docker_environment import docker_variables
from machinectl.machines.machine_driver import endpoint_of
from machinectl.process_streams import Stdin, run_streamed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.output_streams import Work
    from machinectl.machines.store import Store
    from machinectl.process_streams import Input, StopEvent, WriteOutput

# How long a login may take.
LOGIN_SECONDS = 30.0
# How long addresses may take to answer.
ANSWER_SECONDS = 10.0


def run_docker(store: Store, words: Sequence[str], given: Input | None) -> Work:
    """Return what runs `docker WORDS…` against a machine's engine. Raises UsageError without words."""
    if not words:
        raise UsageError(
            "The docker command is missing", Hint("Put it after two dashes", "machinectl docker <NAME> -- ps")
        )
    program = docker_program()

    def run_on(name: str, _: Console, say: WriteOutput, over: StopEvent) -> int | None:
        def hear(data: bytes, on_stderr: bool) -> bool:
            say(data, on_stderr)
            return False

        stdin = Stdin(input=given)
        try:
            with engine_variables(store, name) as variables:
                environment = docker_environment(os.environ, variables)
                status = run_streamed(
                    [program, *words], hear, over, stdin=stdin, environment=environment, end=interrupt
                )
        except OSError as exc:
            raise MachineError(f"docker cannot be started: {exc.strerror}", Hint("Try", "docker --version")) from exc
        return status if status is None or status >= 0 else 128 - status

    return run_on


@contextmanager
def engine_variables(store: Store, name: str) -> Iterator[Mapping[str, str | None]]:
    """Over SSH, yield a socket: docker's own ssh may not know the machine's keys.

    Raises MachineError if the engine does not answer over SSH.
    """
    machine = store.read_ready(name)
    if machine.addresses:
        # docker's own client knows one address: find one with an engine that answers.
        probe(endpoint_of(machine), ANSWER_SECONDS)
    variables = docker_variables(store, name)
    if not str(variables["DOCKER_HOST"]).startswith("ssh://"):
        yield variables
        return
    from machinectl.engine.ssh_wire import local_socket

    endpoint = endpoint_of(machine, str(variables["DOCKER_HOST"]))
    ask_engine(endpoint, Deadline(LOGIN_SECONDS), None)
    with local_socket(endpoint) as path:
        yield {**variables, "DOCKER_HOST": f"unix://{path}"}


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Act like ^C, which also ends docker's foreground processes."""
    process.send_signal(signal.SIGINT)


def docker_environment(environment: Mapping[str, str], variables: Mapping[str, str | None]) -> dict[str, str]:
    """Drop the context, which would override the machine, and the builder, on which `docker build` would run."""
    found = {**environment, **variables, "DOCKER_CONTEXT": None, "BUILDX_BUILDER": None}
    return {name: value for name, value in found.items() if value is not None}
