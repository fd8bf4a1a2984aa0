"""The verbs `start`, `stop`, `restart` and `kill`."""

from __future__ import annotations

import sys
from functools import partial

from machinectl.cli.catalogue import LOGIN, Verb
from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out
from machinectl.cli.output.style import wrapped
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from machinectl.cli.verb_session import Session
    from machinectl.errors import MachineError
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login

    Result = tuple[str, bool | HostPlan | MachineError]


YES_CONTAINERS = Flag("-y", "--yes", help="Do not ask, even if containers run on the host.")


def power_verb(name: str, timeout: str = "", more: str = "") -> Verb:
    """Declare a verb with `timeout`, the help of --timeout; "" hides that flag."""
    limit = shared.TIMEOUT.with_changes(help=timeout, limits=(1, None), default=600, hidden=not timeout)
    return Verb(
        name,
        more=more,
        examples=(f"machinectl {name} orionbox",),
        arguments=(shared.NAMES,),
        asks_for_all=name != "start",
        flags=(limit, YES_CONTAINERS, shared.DRY_RUN, *LOGIN, *shared.CHOICE),
    )


VERBS = {
    "start": power_verb("start", "Timeout for each host to answer."),
    "stop": power_verb("stop", "Timeout for each host to power off."),
    "restart": power_verb("restart", "Timeout for each host to come back."),
    "kill": power_verb(
        "kill",
        more="Only drivers with a power switch can do this; `stop` shuts down over SSH.",
    ),
}


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
    from functools import partial

    from machinectl.cli.tables.results import is_on_board, report_results
    from machinectl.hosts.power import switch_power

    here.console.done = DONE[verb]
    results = switch_power(here.store, here.console, verb, names, login, timeout=timeout, yes=yes, dry_run=dry_run)
    return report_results(here, printed(verb, results, partial(is_on_board, here)), names)


start, stop, restart, kill = (partial(change_power, verb) for verb in DONE)
