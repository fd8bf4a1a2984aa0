"""`plan`, and how to print plans."""

from __future__ import annotations

import os
import sys

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import draw, print_json
from machinectl.cli.output.style import GREEN, RED, YELLOW, coloured
from machinectl.cli.own_flags import LOGIN
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.fleet.rollout.plan_steps import FleetPlan
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
# The mark before a machine's name, and its colour, by action.
MARKS = {
    "create": ("+", GREEN),
    "resume": ("~", YELLOW),
    "change": ("~", YELLOW),
    "remove": ("-", RED),
    "fail": ("!", RED),
    "leave": ("!", "35"),
}
INDENT = " " * 6


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

    from machinectl.cli.login_options import given_authority
    from machinectl.fleet.rollout.apply_run import ApplyOptions
    from machinectl.fleet.rollout.machine_changes import plan_with_previews
    from machinectl.fleet.rollout.plan import plan as make_plan
    from machinectl.fleet.rollout.plan_text import has_changes, needed_flags
    from machinectl.provision.target import Allowed

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


def print_plan(here: Session, planned: FleetPlan, command: str, refresh: str, *, prune: bool, as_json: bool) -> int:
    """Print the plan and the commands to apply and to `refresh` it; return the exit code."""
    from machinectl.cli.tables.results import last_looks
    from machinectl.fleet.rollout.plan_text import has_changes, step_as_json

    if as_json:
        for step in planned.steps:
            print_json(step_as_json(step, planned), indent=None)
    else:
        draw("".join(f"{line}\n" for line in plan_lines(planned, prune=prune)))
    for name, error in planned.failed.items():
        report(error.named(name), here.program)
    if not as_json:
        # A refresh looks at hosts of the file only.
        names = [step.name for step in planned.steps if step.host and step.name not in planned.seconds]
        if by_record := {name: date for name in names if (date := planned.last_look(name))}:
            here.console.note(f"Last looked at: {last_looks(by_record)}", Hint("Look now", refresh))
        if has_changes(planned, prune=prune) and not planned.failed:
            here.console.note("Nothing is changed yet", Hint("Do it", command))
    return int(bool(planned.failed))


def fleet_file(verb: str, files: Sequence[str], names: Sequence[str]) -> tuple[str, bytes | None]:
    """Return the named file or "", and stdin's content if it is -. Raises UsageError."""
    from machinectl.fleet.fleet_file import STDIN
    from machinectl.fleet.yaml_nodes import LONGEST_FILE

    several = list(dict.fromkeys(files))
    if len(several) > 1:
        one = Hint("Name one file", fleet_command(verb, several[0]))
        raise UsageError(f"-f was given more than once: {', '.join(several)}", one)
    for name in names:
        if not several and name.endswith((".yaml", ".yml")) and os.path.isfile(name):
            raise UsageError(f'"{name}" is a file, not a host', Hint("Name it with -f", fleet_command(verb, name)))
    file = several[0] if several else ""
    if file != STDIN:
        return file, None
    text = sys.stdin.buffer.read(LONGEST_FILE + 1)
    if len(text) > LONGEST_FILE:
        raise MachineError(f"stdin holds more than {LONGEST_FILE >> 20} MB", Hint("Name a fleet's file with -f"))
    return file, text


def absolute(file: str) -> str:
    from machinectl.fleet.fleet_file import DEFAULT_FILE, STDIN

    return file if file == STDIN else os.path.abspath(file or DEFAULT_FILE)


def fleet_command(verb: str, file: str) -> str:
    import shlex

    return " ".join(["machinectl", verb, *(["-f", shlex.quote(file)] if file else [])])


def plan_lines(planned: FleetPlan, *, prune: bool) -> Iterator[str]:
    from machinectl.cli.tables.results import escaped_line, outcome_lines
    from machinectl.fleet.rollout.plan_text import step_lines, summary

    for step in planned.steps:
        outcomes = planned.previews.get(step.name, ())
        if step.action == "leave" and not outcomes:
            continue
        lines = ["its host differs:"]
        if step.action != "leave":
            lines = [*map(planned.hidden.without, step_lines(step, planned.machines.get(step.name), prune=prune))]
        yield f"{coloured(*MARKS[step.action], sys.stdout)} {step.name}  {escaped_line(lines[0])}"
        yield from (INDENT + escaped_line(line) for line in lines[1:])
        for outcome in outcomes:
            first, *details = outcome_lines(outcome)
            yield INDENT + first
            yield from (INDENT + INDENT + line for line in details)
    yield f"Plan: {summary(planned, prune=prune)}"
