"""`run`: a command on the hosts of many machines at once, over SSH."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from machinectl.errors import UsageError
from machinectl.hosts.connection.remote_command import RemoteScript, run_remote_script
from machinectl.hosts.parallel.output_streams import LIMIT, stream_output
from machinectl.ssh.openssh.multiplexing import Multiplexing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.parallel.output_streams import Events
    from machinectl.machines.store import Store
    from machinectl.process_streams import Input, StopEvent, WriteOutput


def run(
    store: Store,
    console: Console,
    names: Iterable[str],
    words: Sequence[str],
    access: Access,
    *,
    sudo: bool = False,
    native: bool = False,
    input: Input | None = None,  # noqa: A002 - subprocess.run's name for it
    timeout: float | None = None,
    parallel: int = LIMIT,
    persist: bool = True,
) -> Events:
    """Run a command on each host, and yield what it says as it comes, and each machine when it has ended there.

    `words` are one, a line of sh, or several, each a word of the command as it is. `input` is given to all. `timeout`
    in seconds is for all of it; see `followed`. With `persist`, the system's ssh keeps the connections for the next run
    (ControlPersist). Raises UsageError where there is no command.
    """
    connections = Multiplexing(enabled=persist)
    order = RemoteScript(script(words), sudo=sudo, input=input, native=native, connections=connections)

    def one(name: str, own: Console, say: WriteOutput, over: StopEvent) -> int | None:
        return run_remote_script(store, own, name, access.for_one_host(), order, say, over)

    return stream_output(console, names, one, limit=parallel, timeout=timeout, input=input)


def script(words: Sequence[str]) -> str:
    """The command as sh reads it."""
    if not words or not words[0].strip():
        raise UsageError("There is no command to run", "It follows two dashes: machinectl run <NAME> -- uptime")
    return words[0] if len(words) == 1 else shlex.join(words)
