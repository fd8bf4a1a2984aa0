"""The verbs `start`, `stop`, `restart` and `kill`."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out
from machinectl.cli.output.style import wrapped
from machinectl.cli.tables.results import is_on_board, report_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from machinectl.cli.options.verb_session import Session
    from machinectl.errors import MachineError
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login

    Result = tuple[str, bool | HostPlan | MachineError]

DONE = {"start": "started", "stop": "stopped", "restart": "restarted", "kill": "killed"}


def printed(verb: str, results: Iterable[Result], is_on_board: Callable[[], bool] = lambda: False) -> Iterator[Result]:
    """Pass results on, with docker-machine's line for each changed machine, unless a board shows it."""
    done = False
    for name, changed in results:
        if changed is True:
            done = True
            if not is_on_board():
                write_out(f'Machine "{name}" was {DONE[verb]}.\n')
        yield name, changed
    if done and verb in {"start", "restart"}:
        may_have_moved = (
            f"{DONE[verb].capitalize()} machines may have new IP addresses. "
            f"You may need to re-run the `{THIS.name} env` command."
        )
        write_out(f"{wrapped(may_have_moved, sys.stdout)}\n")


def change_power(
    verb: str, here: Session, *, names: list[str], login: Login, timeout: float, yes: bool, dry_run: bool
) -> int:
    from machinectl.commands.power import switch_power
    from machinectl.hosts.power_switch import PowerSwitch

    here.console.done = DONE[verb]
    power = PowerSwitch(timeout, yes)
    results = switch_power(here.store, here.console, verb, names, login, power, dry_run=dry_run)
    return report_results(here, printed(verb, results, partial(is_on_board, here)), names)


start, stop, restart, kill = (partial(change_power, verb) for verb in DONE)
