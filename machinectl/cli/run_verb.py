"""Run a declared verb, with or without Typer. Imports nothing heavy."""

from __future__ import annotations

import sys

from machinectl.cli.declared_verb import ALL_MACHINES, LOGIN, PRINTS, WORKS
from machinectl.cli.output.exit_status import guarded
from machinectl.cli.output.stdio import set_output_kind
from machinectl.cli.parsing.command_line import check_not_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machinectl.cli.declared_verb import Verb
    from machinectl.cli.verb_session import Session


def run_verb(here: Session, declared: Verb, given: dict[str, Any]) -> int:
    """Run a verb, print its errors, return its exit status. `given` is by parameter."""
    set_output_kind(output_kind(declared, given))
    try:
        if declared.follows and not given.get("dry_run"):
            here.following.catch_up(here.store)
        return guarded(
            lambda: call_verb(here, declared, given), program=here.program, failure_status=declared.failure_status
        )
    finally:
        here.following.follow_answers(here.store)
        if here.following.has_news:
            here.following.report(here.console.warn)


def call_verb(here: Session, declared: Verb, given: dict[str, Any]) -> int | None:
    if declared.refuses_empty:
        check_not_empty(declared.flags, here.arguments)
    lists = [one.parameter for one in declared.arguments if one.many]
    lists += [one.parameter for one in declared.flags if one.many]
    given.update({parameter: [] for parameter in lists if given[parameter] is None})
    if given.get("dry_run"):
        # Print the plan of each machine: a board only shows the work.
        here.console.prints_results = here.console.prints_total = True
        if declared.writes_store:
            from machinectl.machines.store.store_directory import check_store_writable

            # The run itself would be refused.
            check_store_writable(here.store)
    if LOGIN[0] in declared.flags:
        from machinectl.cli.login_options import pop_login

        given["login"] = pop_login(given, here)
    if "selector" in given and not declared.keeps_selector:
        from machinectl.cli.chosen_names import agrees_to_all, chosen_names

        everything = ALL_MACHINES in declared.flags and given.pop("everything")
        names = chosen_names(here, given["names"], given.pop("selector"), everything=everything)
        given["names"] = names
        asks = everything and declared.asks_for_all and not (given["yes"] or given["dry_run"])
        if asks and not agrees_to_all(here, declared.runs, names):
            return 0
    status: int | None = getattr(sys.modules[declared.module], declared.runs)(here, **given)
    return status


def output_kind(declared: Verb, given: dict[str, Any]) -> str:
    if declared.output == PRINTS:
        return WORKS if given.get("write") or given.get("output") else PRINTS
    if declared.output == WORKS:
        return PRINTS if given.get("dry_run") else WORKS
    return declared.output
