"""What `plan` and `apply` share: the file's name, the commands to type next, and how to print plans and results."""

from __future__ import annotations

import os
import sys
from collections import Counter

from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import draw, print_json, write_out
from machinectl.cli.output.style import GREEN, RED, YELLOW, coloured
from machinectl.cli.parsing.go_flags import split_at_verb
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.record import natural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.fleet.plan_steps import FleetPlan, Result

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


def print_plan(here: Session, planned: FleetPlan, command: str, refresh: str, *, prune: bool, as_json: bool) -> int:
    """Print the plan and the commands to apply and to `refresh` it; return the exit code."""
    from machinectl.cli.tables.results import last_looks
    from machinectl.fleet.plan_steps import has_changes, step_as_json

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

    file, *others = dict.fromkeys(files) or [""]
    if others:
        one = Hint("Name one file", fleet_command(verb, file))
        raise UsageError(f"-f was given more than once: {', '.join([file, *others])}", one)
    for name in names:
        if not file and name.endswith((".yaml", ".yml")) and os.path.isfile(name):
            raise UsageError(f'"{name}" is a file, not a host', Hint("Name it with -f", fleet_command(verb, name)))
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
    from machinectl.fleet.plan_steps import step_lines, summary

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


def flags_to_repeat(arguments: Sequence[str]) -> Iterator[str]:
    """Return flags that do not select machines, shell-quoted."""
    import shlex

    _, words = split_at_verb(arguments)
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in {"--", "--file", "--selector"}:
            yield shlex.quote(word)


def with_flags(command: str, *more: str) -> str:
    for flag in more:
        name = flag.partition("=")[0]
        words = [word for word in command.split(" ") if word.partition("=")[0] != name]
        command = " ".join([*words, flag])
    return command


def report_rollout(here: Session, results: Iterator[Result], again: str, look: str, *, as_json: bool) -> int:
    """Report all results; return the exit code. `again` is the command to continue with, `look` to look at hosts."""
    reported: list[Result] = []
    is_interrupted = True
    try:
        for result in results:
            reported.append(result)
            if as_json:
                print_json(result.fields(), indent=None)
        is_interrupted = False
    finally:
        # Also at ^C, unless nothing has begun.
        if reported or not is_interrupted:
            reported.sort(key=lambda result: natural(result.name))
            print_summary(here, reported, look, as_json=as_json)
            print_next_step(here, reported, again, interrupted=is_interrupted)
    return int(any(result.did in {"failed", "not begun", "not finished"} for result in reported))


def print_summary(here: Session, results: Sequence[Result], look: str, *, as_json: bool) -> None:
    """Print summary and failures; with `as_json`, results are already printed."""
    from machinectl.cli.tables.results import last_looks
    from machinectl.fleet.plan_steps import Did

    count = Counter(result.did for result in results)
    counted = ", ".join(f"{count[did]} {did}" for did in Did if count[did])
    summary = f"Apply: {counted or 'the file has no hosts'}"
    if as_json:
        here.console.note(summary)
        return
    write_out(f"{summary}\n")
    for result in results:
        if result.error:
            report(result.error.named(result.name), here.program)
    unchanged = [result for result in results if result.did is Did.LEFT and not result.seconds]
    if by_record := {result.name: result.looked_at for result in unchanged if result.looked_at}:
        here.console.note(f"Last looked at: {last_looks(by_record)}", Hint("Look now", look))


def print_next_step(here: Session, results: Sequence[Result], again: str, *, interrupted: bool) -> None:
    from machinectl.fleet.plan_steps import Did

    count = Counter(result.did for result in results)
    stopped = [result.name for result in results if result.did is Did.NOT_BEGUN and not result.error]
    if stopped and not interrupted:
        here.console.note(f"Not begun, as no engine restarts after one that failed: {', '.join(stopped)}")
    if count[Did.FAILED] or (count[Did.NOT_BEGUN] and not interrupted):
        hint = Hint("Fix that, then continue", again)
        if stopped:
            failed = sum(result.did is Did.FAILED and result.touched for result in results)
            hint |= Hint(f"or continue despite {failed} failed", with_flags(again, f"--max-failures={failed}"))
        here.console.note("Some machines are not done", hint)
    elif count[Did.NOT_BEGUN] + count[Did.UNFINISHED]:
        here.console.note("Some machines are not done", Hint("Continue", again))
    elif set(count) == {Did.LEFT}:
        here.console.note("All is as the file says: nothing to do")
    if gone := [result.name for result in results if result.did is Did.GONE]:
        here.console.note(
            f"No longer in the file: {', '.join(gone)}", Hint("Remove them", with_flags(again, "--prune"))
        )
