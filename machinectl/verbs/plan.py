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
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from machinectl.cli.options.verb_session import Session
    from machinectl.fleet.rollout.plan_steps import Difference, FleetPlan, PlanStep
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine


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


# The mark before a machine's name, and its colour.
MARKS = {
    "create": ("+", GREEN),
    "resume": ("~", YELLOW),
    "change": ("~", YELLOW),
    "remove": ("-", RED),
    "fail": ("!", RED),
}


DIFFERS = ("!", "35")


INDENT = " " * 6


DIFFERENT, FAILED = "changed on the host", "failed"


# In the summary's order.
COUNTED = {
    "create": "to create",
    "resume": "to finish",
    "change": "to change",
    "remove": "to remove",
    "leave": "unchanged",
    "fail": "unreadable",
}


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

    from machinectl.cli.options.login_options import given_authority
    from machinectl.fleet.rollout.host_choice import plan as command
    from machinectl.fleet.rollout.host_choice import plan_with_previews

    file, text = fleet_file("plan", files, names)
    planned = command(here.store, file, names, selector, fleet_command("plan", file), text)
    if refresh:
        here.console.prints_results = here.console.prints_total = True
        from machinectl.fleet.fleet_file import DEFAULT_FILE, STDIN
        from machinectl.fleet.rollout.apply_run import ApplyOptions
        from machinectl.provision.target import Allowed

        path = file if file == STDIN else os.path.abspath(file or DEFAULT_FILE)
        # A plan restarts nothing: allow restarts so that it shows them.
        allowed = Allowed(restart_swarm=True)
        options = ApplyOptions(path, login, allowed, given_authority(here), parallel=parallel)
        planned = plan_with_previews(planned, here.store, here.console, options)
    chosen = names or ([] if selector is None else ["-l", selector])
    again = " ".join([fleet_command("plan", file), "--refresh", *map(shlex.quote, chosen)])
    command_line = apply_command(planned, file, chosen, prune=prune)
    code = print_fleet_plan(here, planned, command_line, again, prune=prune, as_json=as_json)
    return code or (TO_DO if has_changes(planned, prune=prune) and detailed_exitcode else 0)


def print_fleet_plan(
    here: Session, planned: FleetPlan, command: str, refresh: str, *, prune: bool, as_json: bool
) -> int:
    """Print the plan and the commands to apply and to `refresh` it; return the exit code."""
    from machinectl.cli.tables.results import last_looks

    if as_json:
        for step in planned.steps:
            print_json(step_as_json(step, planned), indent=None)
    else:
        draw("".join(f"{line}\n" for line in plan_lines(planned, prune=prune)))
    for name, error in planned.failed.items():
        report(error.named(name), here.program)
    if not as_json:
        for line in planned.advice:
            here.console.note(line)
        # A refresh looks at hosts of the file only.
        names = [step.name for step in planned.steps if step.host and step.name not in planned.seconds]
        if by_record := {name: date for name in names if (date := planned.last_look(name))}:
            here.console.note(f"Last looked at: {last_looks(by_record)}", Hint("Look now", refresh))
        if has_changes(planned, prune=prune) and not planned.failed:
            here.console.note("Nothing is changed yet", Hint("Do it", command))
    return int(bool(planned.failed))


def fleet_file(verb: str, files: Sequence[str] | None, names: Sequence[str] | None) -> tuple[str, bytes | None]:
    """Return the named file or "", and stdin's content if it is -.

    Raises UsageError for several files, or a file in place of a host.
    """
    from machinectl.fleet.fleet_file import STDIN
    from machinectl.fleet.yaml_nodes import LONGEST_FILE

    several = list(dict.fromkeys(files or []))
    if len(several) > 1:
        raise UsageError(
            f"-f was given more than once: {', '.join(several)}",
            Hint("Name one file", fleet_command(verb, several[0])),
        )
    for name in names or ():
        if not several and name.endswith((".yaml", ".yml")) and os.path.isfile(name):
            raise UsageError(f'"{name}" is a file, not a host', Hint("Name it with -f", fleet_command(verb, name)))
    file = several[0] if several else ""
    if file != STDIN:
        return file, None
    text = sys.stdin.buffer.read(LONGEST_FILE + 1)
    if len(text) > LONGEST_FILE:
        raise MachineError(f"stdin holds more than {LONGEST_FILE >> 20} MB", Hint("Name a fleet's file with -f"))
    return file, text


def fleet_command(verb: str, file: str) -> str:
    import shlex

    return " ".join(["machinectl", verb, *(["-f", shlex.quote(file)] if file else [])])


def has_changes(planned: FleetPlan, *, prune: bool) -> bool:
    """Return whether there is work; removals count only with --prune."""
    from machinectl.fleet.rollout.plan_steps import Action

    left = {Action.LEAVE, Action.FAIL} if prune else {Action.LEAVE, Action.FAIL, Action.REMOVE}
    return bool(planned.previews) or any(step.action not in left for step in planned.steps)


def needed_flags(planned: FleetPlan) -> list[str]:
    """Return the flags without which apply leaves a part of the plan undone."""
    takes_over = any(each.key == "fleet" and each.old for step in planned.steps for each in step.differences)
    # Only a look at a host shows what was changed there by hand.
    has_drift = any(step_result(step, planned) == DIFFERENT for step in planned.steps)
    return [*(["--refresh"] if has_drift else []), *(["--take-over"] if takes_over else [])]


def apply_command(planned: FleetPlan, file: str, chosen: Sequence[str], *, prune: bool) -> str:
    import shlex

    options = [*needed_flags(planned), *(["--prune"] if prune else [])]
    return " ".join([fleet_command("apply", file), *options, *map(shlex.quote, chosen)])


def plan_lines(planned: FleetPlan, *, prune: bool) -> Iterator[str]:
    from machinectl.cli.tables.dry_run import escaped_line, outcome_lines
    from machinectl.fleet.rollout.plan_steps import Action

    for step in planned.steps:
        if step.action is not Action.LEAVE:
            mark, colour = MARKS[step.action]
            first, *more = map(planned.hidden.without, step_lines(step, planned.machines.get(step.name), prune=prune))
            yield f"{coloured(mark, colour, sys.stdout)} {step.name}  {escaped_line(first)}"
            yield from (INDENT + escaped_line(line) for line in more)
        if outcomes := planned.previews.get(step.name):
            if step.action is Action.LEAVE:
                mark, colour = DIFFERS
                yield f"{coloured(mark, colour, sys.stdout)} {step.name}  its host differs:"
            for outcome in outcomes:
                first, *details = outcome_lines(outcome)
                yield INDENT + first
                yield from (INDENT + INDENT + line for line in details)
    yield f"Plan: {summary(planned, prune=prune)}"


def step_lines(step: PlanStep, machine: Machine | None, *, prune: bool) -> list[str]:
    from machinectl.fleet.rollout.host_choice import driver_address
    from machinectl.fleet.rollout.plan_steps import Action

    if step.host and step.action is Action.CREATE:
        return [f"create ({', '.join(filter(None, (step.host.spec.driver, driver_address(step))))})"]
    if step.action is Action.FAIL:
        return ["its record cannot be read"]
    if step.action is Action.REMOVE:
        return ["remove" if prune else "remove (with --prune)"]
    differences = [difference_text(each) for each in step.differences]
    if step.action is Action.RESUME:
        return [f"unfinished: {resume_reason(machine)}", *differences]
    if len(differences) == 1:
        return [f"change: {differences[0]}"]
    return ["change:", *differences]


def resume_reason(machine: Machine | None) -> str:
    return machine.why_unfinished if machine else ""


def difference_text(difference: Difference) -> str:
    key, old, new = difference.key, difference.old, difference.new
    if key == "fleet":
        return f"taken over from {old} (with --take-over)" if old else "taken over by this file"
    if old and new:
        said = f"{key} {old} -> {new}" if old != new else f"{key} {new} (another secret)"
    else:
        said = f"{key} + {new}" if new else f"{key} - {old}"
    restart = "the engine restarts" if difference.restarts else ""
    effects = "; ".join(filter(None, (restart, difference.effect)))
    return said + (f" ({effects})" if effects else "")


def summary(planned: FleetPlan, *, prune: bool) -> str:
    from collections import Counter

    count = Counter(step_result(step, planned) for step in planned.steps)
    seldom = {COUNTED["resume"], COUNTED["fail"], DIFFERENT, FAILED}
    shown = [what for what in (*COUNTED.values(), DIFFERENT, FAILED) if count[what] or what not in seldom]
    parts = [f"{count[what]} {what}" for what in shown]
    if count[COUNTED["remove"]] and not prune:
        parts = [f"{part} with --prune" if part.endswith(COUNTED["remove"]) else part for part in parts]
    return ", ".join(parts)


def step_result(step: PlanStep, planned: FleetPlan) -> str:
    from machinectl.fleet.rollout.plan_steps import Action

    if step.name in planned.failed and not step.error:
        return FAILED
    if step.action is Action.LEAVE and step.name in planned.previews:
        return DIFFERENT
    return COUNTED[step.action]


def step_reason(step: PlanStep, planned: FleetPlan) -> str:
    from machinectl.fleet.rollout.plan_steps import Action

    if step.name in planned.failed:
        return planned.failed[step.name].cause
    because = [difference_text(each) for each in step.differences]
    if step.action is Action.RESUME:
        because.insert(0, resume_reason(planned.machines.get(step.name)))
    if step.action is Action.LEAVE:
        because = [outcome.title for outcome in planned.previews.get(step.name, ())]
    return planned.hidden.without("; ".join(because))


def step_as_json(step: PlanStep, planned: FleetPlan) -> Mapping[str, Any]:
    """Return a step as JSON; `Host` lists the changes that its host needs, if checked."""
    from machinectl.fleet.rollout.host_choice import driver_address

    machine, failed = planned.machines.get(step.name), planned.failed.get(step.name)
    return {
        "Name": step.name,
        "Action": step.action,
        "Result": step_result(step, planned),
        "Reason": step_reason(step, planned),
        "Seconds": round(planned.seconds.get(step.name, 0.0), 3),
        "LookedAt": planned.last_look(step.name),
        "Driver": step.host.spec.driver if step.host else machine.driver if machine else "",
        "Address": driver_address(step),
        "Restarts": step.restarts,
        "Differences": [
            {"Key": each.key, "Old": each.old, "New": each.new, "Restarts": each.restarts, "Effect": each.effect}
            for each in step.differences
        ],
        "Host": [each.fields() for each in planned.previews.get(step.name, ())],
        "Error": failed.cause if failed else "",
    }
