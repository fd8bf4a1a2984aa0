"""The verbs `access`, `access end` and `access ls`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, PRINTS, Argument, Verb
from machinectl.cli.output.stdout import write_out
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.flags import HOLDER, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login


WHO = Argument("who", "WHO", HOLDER, required=True, help="A holder of `machinectl access ls`.")

VERBS = {
    "access": Verb(
        "",
        examples=(
            "machinectl access grant request.txt",
            "machinectl access ls",
            "machinectl access end alice orionbox",
        ),
    ),
    "access end": Verb(
        "access_end",
        more=(
            "Each engine restarts once; containers keep running. Engines in use restart one after the other. "
            "A host that is off is finished by the same command later, or by `machinectl provision`."
        ),
        examples=(
            "machinectl access end alice orionbox",
            "machinectl access end ci-runner --all",
            "machinectl access end --dry-run alice orionbox",
        ),
        arguments=(WHO, shared.NAMES),
        flags=(
            shared.SELECTOR,
            Flag("-a", "--all", help="All machines that the holder has access to.", parameter="everything"),
            Flag("-y", "--yes", help="Do not ask."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *LOGIN,
        ),
        keeps_selector=True,
        refuses_empty=True,
    ),
    "access ls": Verb(
        "access_ls",
        more="Without names, it lists all machines. It reads this computer's records and contacts no host.",
        examples=("machinectl access ls", "machinectl access ls orionbox", "machinectl access ls -l role=web --json"),
        arguments=(shared.NAMES,),
        flags=(shared.SELECTOR, shared.JSON),
        output=PRINTS,
    ),
}


def access_end(
    here: Session,
    *,
    who: str,
    names: list[str],
    selector: str | None,
    everything: bool,
    login: Login,
    yes: bool,
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    import shlex

    from machinectl.access import ending
    from machinectl.cli.run_verb import target_names
    from machinectl.cli.tables.results import report_results
    from machinectl.console import confirm, decline
    from machinectl.machines.selection import require_names
    from machinectl.provision.target import Allowed

    if everything and (names or selector is not None):
        raise UsageError("--all, and names or --selector, exclude each other", Hint("Leave one of them out"))
    if names or selector is not None:
        targets = target_names(here, names, selector, everything=False)
    else:
        targets = ending.machines_of(here.store, who)
        require_names(targets if everything else [], f"access end {who}", "--all")
    allowed = Allowed(forcible=False, restart_swarm=restart_swarm)
    if dry_run:
        return report_results(here, ending.plan_end(here.store, here.console, who, targets, login, allowed), targets)
    unable = ending.unendable(here.store, who, targets)
    able = [name for name in targets if name not in unable]
    if able and not yes:
        chosen_by = ["--all"] if everything else able if selector is None else ["--selector", selector]
        again = ["machinectl", "access", "end", "-y", who, *chosen_by, *["--restart-swarm"] * restart_swarm]
        here.console.note(f"About to end the access of {who} to {ending.what_ends(here.store, able)}.")
        if not confirm(here.console, "Are you sure?", shlex.join(again)):
            decline(here.console, "No access was ended")
            return 0
    here.console.done = "ended"
    results = ending.access_end(here.store, here.console, who, targets, login, allowed)
    return report_results(here, ended(here, results), targets)


def ended(here: Session, results: Iterable[tuple[str, str | MachineError]]) -> Iterator[tuple[str, str | MachineError]]:
    """Pass results on, with a line for each machine, unless a board shows it."""
    from machinectl.cli.tables.results import is_on_board

    for name, result in results:
        if isinstance(result, str) and not is_on_board(here):
            write_out(f"{result} has no access to {name} any more\n")
        yield name, result


HEADINGS = ["MACHINE", "HOLDER", "UNTIL (UTC)", "GIVEN BY", "KEY", "STATE"]


def access_ls(here: Session, *, names: list[str], as_json: bool) -> int:
    from machinectl.access.access_rows import list_access
    from machinectl.cli.tables.results import print_listed, report_all
    from machinectl.cli.tables.text_table import Fitting

    fitting = Fitting(spare=("KEY", "GIVEN BY"))
    _, failures = print_listed(here, names, list_access, HEADINGS, fitting, as_json=as_json)
    return report_all(here, failures)
