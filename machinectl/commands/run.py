"""`run`: run a command on many hosts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.hosts.output_streams import LIMIT, stream_output
from machinectl.hosts.remote_script import run_remote_script
from machinectl.machines.machine_driver import endpoints_of
from machinectl.machines.store.machine_store import read_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.hosts.output_streams import Events
    from machinectl.hosts.remote_script import RemoteScript
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from machinectl.process_streams import StopEvent, WriteOutput


def run(
    store: Store,
    console: Console,
    names: Iterable[str],
    order: RemoteScript,
    login: Login,
    *,
    timeout: float | None = None,
    parallel: int = LIMIT,
) -> Events:
    """Yield output as it arrives; `timeout` covers all hosts together."""

    def one(name: str, own: Console, say: WriteOutput, over: StopEvent) -> int | None:
        return run_remote_script(store, own, name, login.for_one_host(), order, say, over)

    return stream_output(console, names, one, limit=parallel, timeout=timeout, input=order.input)


def without_ssh(store: Store, names: Iterable[str]) -> list[str]:
    """Return the machines whose driver gives no SSH address; others' errors come when the command runs."""
    return [name for name in names if (machine := read_or_none(store.read, name)) and not may_have_ssh(machine)]


def may_have_ssh(machine: Machine) -> bool:
    try:
        return endpoints_of(machine).ssh is not None
    except MachineError:
        return True


def remote_command_line(words: Sequence[str]) -> str:
    """Treat one word as a line of sh; quote several. Raises UsageError for none."""
    if not words or not words[0].strip():
        raise UsageError("The command is missing", Hint("Put it after two dashes", "machinectl run <NAME> -- uptime"))
    return words[0] if len(words) == 1 else shlex.join(words)
