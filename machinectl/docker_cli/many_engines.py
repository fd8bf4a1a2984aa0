"""Run the docker CLI against many engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import Hint, UsageError
from machinectl.hosts.docker_program import docker_program, engine_environment, stream_docker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.hosts.output_streams import Work
    from machinectl.machines.store import Store
    from machinectl.process_streams import Input, StopEvent, WriteOutput


def run_docker(store: Store, words: Sequence[str], given: Input | None) -> Work:
    """Return what runs `docker WORDS…` against a machine's engine. Raises UsageError without words."""
    if not words:
        raise UsageError(
            "The docker command is missing", Hint("Put it after two dashes", "machinectl docker <NAME> -- ps")
        )
    docker_program()

    def run_on(name: str, _: Console, say: WriteOutput, stop: StopEvent) -> int | None:
        with engine_environment(store, name) as environment:
            return stream_docker(words, environment, say, stop, given)

    return run_on
