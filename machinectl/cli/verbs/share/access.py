"""The verbs `access …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.options.chosen_names import target_names
from machinectl.cli.output.stdout import write_out
from machinectl.cli.tables.fitted_table import Fitting
from machinectl.cli.tables.results import is_on_board, report_results
from machinectl.cli.tables.text_table import print_rows
from machinectl.errors import UsageError
from machinectl.machines.selection import require_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.cli.options.verb_session import Session
    from machinectl.errors import MachineError
    from machinectl.hosts.connection.login import Access

HEADINGS = ["MACHINE", "HOLDER", "UNTIL (UTC)", "GIVEN BY", "KEY", "STATE"]
FITTING = Fitting(spare=("KEY", "GIVEN BY"))


def access_ls(here: Session, *, names: list[str], as_json: bool) -> None:
    from machinectl.commands.access.ls import access_ls as command

    print_rows(HEADINGS, command(here.store, names), FITTING, as_json=as_json)
    here.note_empty_store()


def access_end(
    here: Session,
    *,
    who: str,
    names: list[str],
    selector: str | None,
    everything: bool,
    access: Access,
    yes: bool,
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    from machinectl.commands.access.end import EndOrder, access_end, machines_of, plan_end
    from machinectl.provision.target import Allowed

    if everything:
        if names or selector is not None:
            raise UsageError("--all, and names or --selector, exclude each other", "Leave one of them out")
        targets = machines_of(here.store, who)
    elif selector is None:
        require_names(names, f"access end {who}")
        targets = target_names(here, names, None, everything=False)
    else:
        targets = target_names(here, names, selector, everything=False)
    allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
    order = EndOrder(who, targets, allowed, yes, ("--restart-swarm",) if restart_swarm else ())
    if dry_run:
        return report_results(here, plan_end(here.store, here.console, order, access), targets)
    here.console.done = "ended"
    return report_results(here, ended(here, access_end(here.store, here.console, order, access)), targets)


def ended(here: Session, results: Iterable[tuple[str, str | MachineError]]) -> Iterator[tuple[str, str | MachineError]]:
    """Pass results on, with a line for each machine, unless a board shows it."""
    for name, result in results:
        if isinstance(result, str) and not is_on_board(here):
            write_out(f"{result} has no access to {name} any more\n")
        yield name, result
