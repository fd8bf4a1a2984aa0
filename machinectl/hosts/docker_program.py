"""Run the docker CLI of this computer against a machine's engine."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from machinectl.engine.endpoint import Deadline
from machinectl.engine.probe import ask_engine, probe
from machinectl.errors import Hint, MachineError
from machinectl.hosts.docker_environment import docker_variables
from machinectl.machines.machine_driver import endpoint_of
from machinectl.process_streams import Stdin, run_streamed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.machines.store import Store
    from machinectl.process_streams import Input, StopEvent, WriteOutput

# How long a login may take.
LOGIN_SECONDS = 30.0
# How long addresses may take to answer.
ANSWER_SECONDS = 10.0


def docker_program() -> str:
    """Return its path. Raises MachineError."""
    if program := shutil.which("docker"):
        return program
    raise MachineError(
        "There is no docker on this computer", Hint("Install the docker CLI: docs.docker.com/engine/install")
    )


@contextmanager
def engine_environment(store: Store, name: str) -> Iterator[dict[str, str]]:
    """Yield the environment that points docker at a machine; over SSH, at a socket, as docker's ssh may lack its keys.

    The context, which would override the machine, and the builder, on which `docker build` would run, are left out.
    Raises MachineError if the engine does not answer over SSH.
    """
    machine = store.read_ready(name)
    if machine.addresses:
        # docker's own client knows one address: find one with an engine that answers.
        probe(endpoint_of(machine), ANSWER_SECONDS)
    variables = docker_variables(store, name)
    if not str(variables["DOCKER_HOST"]).startswith("ssh://"):
        yield docker_environment(os.environ, variables)
        return
    from machinectl.engine.ssh_wire import local_socket

    endpoint = endpoint_of(machine, str(variables["DOCKER_HOST"]))
    ask_engine(endpoint, Deadline(LOGIN_SECONDS), None)
    with local_socket(endpoint) as path:
        yield docker_environment(os.environ, {**variables, "DOCKER_HOST": f"unix://{path}"})


def docker_environment(environment: Mapping[str, str], variables: Mapping[str, str | None]) -> dict[str, str]:
    changed = {**environment, **variables, "DOCKER_CONTEXT": None, "BUILDX_BUILDER": None}
    return {name: value for name, value in changed.items() if value is not None}


def stream_docker(
    words: Sequence[str], environment: Mapping[str, str], say: WriteOutput, stop: StopEvent, given: Input | None
) -> int | None:
    """Run docker, stream its output, and return its exit status, as a shell has it; None after `stop`."""

    def hear(data: bytes, on_stderr: bool) -> bool:
        say(data, on_stderr)
        return False

    command = [docker_program(), *words]
    try:
        status = run_streamed(command, hear, stop, stdin=Stdin(input=given), environment=environment, end=interrupt)
    except OSError as exc:
        raise MachineError(f"docker cannot be started: {exc.strerror}", Hint("Try", "docker --version")) from exc
    return status if status is None or status >= 0 else 128 - status


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Act like ^C, which also ends docker's foreground processes."""
    process.send_signal(signal.SIGINT)
