"""The verb `plan`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, PRINTS, Verb
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
    "plan": Verb(
        "plan",
        more="It compares the fleet file with this computer's records, contacts no host, and changes nothing.",
        examples=("machinectl plan", "machinectl plan -f fleet.yaml --refresh"),
        arguments=(shared.NAMES,),
        flags=(
            shared.SELECTOR,
            shared.FLEET_FILE,
            Flag("--refresh", help="Look at the hosts, too, and show changes that were made by hand."),
            Flag("--prune", help="Include the removal of machines that the file no longer has."),
            Flag("--detailed-exitcode", help="Exit with 4 if there are changes."),
            shared.PARALLEL,
            shared.JSON,
            *LOGIN,
        ),
        output=PRINTS,
        keeps_selector=True,
    ),
}


# --detailed-exitcode's exit code if there is work; 2 is a usage error.
TO_DO = 4


def plan(
    here: Session,
    *,
    names: list[str],
    login: Login,
    selector: str | None,
    files: list[str],
    refresh: bool,
    prune: bool,
    detailed_exitcode: bool,
    parallel: int,
    as_json: bool,
) -> int:
    import shlex

    from machinectl.cli.run_verb import given_authority
    from machinectl.fleet.apply_run import ApplyOptions
    from machinectl.fleet.machine_changes import plan_with_previews
    from machinectl.fleet.plan import plan as make_plan
    from machinectl.fleet.plan_steps import has_changes, needed_flags
    from machinectl.provision.target import Allowed
    from machinectl.verbs.fleet_texts import absolute, fleet_command, fleet_file, print_plan

    file, text = fleet_file("plan", files, names)
    planned = make_plan(here.store, file, names, selector, fleet_command("plan", file), text)
    if refresh:
        here.console.prints_results = here.console.prints_total = True
        # A plan restarts nothing: allow restarts so that it shows them.
        options = ApplyOptions(
            absolute(file), login, Allowed(restart_swarm=True), given_authority(here), parallel=parallel
        )
        planned = plan_with_previews(planned, here.store, here.console, options)
    chosen = [*map(shlex.quote, names or ([] if selector is None else ["-l", selector]))]
    again = " ".join([fleet_command("plan", file), "--refresh", *chosen])
    flags = [*needed_flags(planned), *(["--prune"] if prune else [])]
    command = " ".join([fleet_command("apply", file), *flags, *chosen])
    code = print_plan(here, planned, command, again, prune=prune, as_json=as_json)
    return code or (TO_DO if has_changes(planned, prune=prune) and detailed_exitcode else 0)
