"""`apply` and its summary."""

from __future__ import annotations

from collections import Counter

from machinectl.cli.declared_verb import Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import draw, print_json, write_out
from machinectl.cli.own_flags import LOGIN
from machinectl.cli.parsing.go_flags import split_at_verb
from machinectl.errors import Declined, Hint, UsageError
from machinectl.machines.flags import Flag
from machinectl.machines.record import natural
from machinectl.quantities import first_names
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.errors import MachineError
    from machinectl.fleet.rollout.plan_steps import FleetPlan, Result
    from machinectl.hosts.login import Login


FILE_FLAGS = {"-f", "--file"}
VERBS = {
    "apply": Verb(
        "apply",
        more="It does not change what matches. Engines that run containers restart one after the other.",
        examples=("machinectl apply", "machinectl apply -f fleet.yaml --prune"),
        arguments=(shared.NAMES,),
        flags=(
            shared.SELECTOR,
            shared.FLEET_FILE,
            shared.PARALLEL,
            Flag(
                "--batch",
                metavar="N",
                help="How many engines in use restart at once: 2, 25% or 1,5,20, of which the last repeats.",
                default="1",
            ),
            Flag(
                "--max-failures",
                metavar="N",
                help="Stop restarting engines after more than N failures (default 0: at the first).",
                kind=int,
                limits=(0, None),
                default=0,
            ),
            Flag("--refresh", help="Look at the hosts, too, and revert changes that were made by hand."),
            Flag("--prune", help="Remove machines that the file no longer has."),
            Flag("--purge", help="With --prune: undo machinectl's changes on their hosts, too."),
            Flag("--take-over", help="Take over machines from other fleets without asking."),
            Flag("-y", "--yes", help="Do not ask before restarting engines, removing machines or setting up hosts."),
            Flag("--force", help="Replace others' certificates, and restart engines even if that stops containers."),
            shared.RESTART_SWARM,
            shared.OPEN_FIREWALL,
            Flag("--dry-run", help="Look at the hosts and print the changes; make none."),
            shared.JSON,
            *LOGIN,
        ),
        keeps_selector=True,
    ),
}


def apply(
    here: Session,
    *,
    names: list[str],
    login: Login,
    selector: str | None,
    files: list[str],
    parallel: int,
    batch: str,
    max_failures: int,
    refresh: bool,
    prune: bool,
    purge: bool,
    take_over: bool,
    yes: bool,
    force: bool,
    restart_swarm: bool,
    open_firewall: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    import shlex

    from machinectl.cli.login_options import given_authority
    from machinectl.console import confirm
    from machinectl.fleet.rollout.apply import apply_plan
    from machinectl.fleet.rollout.apply_run import ApplyOptions
    from machinectl.fleet.rollout.machine_changes import plan_with_previews
    from machinectl.fleet.rollout.plan import plan
    from machinectl.fleet.rollout.plan_text import needed_flags
    from machinectl.hosts.purging import Purge
    from machinectl.hosts.rollout_order import BatchSizes
    from machinectl.machines.spec import CertificateFiles
    from machinectl.provision.target import Allowed
    from machinectl.verbs.plan import absolute, fleet_command, fleet_file, plan_lines, print_plan

    file, text = fleet_file("apply", files, names)

    def make_plan() -> FleetPlan:
        return plan(here.store, file, names, selector, fleet_command("apply", file), text)

    def approve(planned: FleetPlan) -> None:
        restarting = [step.name for step in planned.steps if step.restarts]
        if restarting and here.console.interactive and not (yes or as_json):
            draw("".join(f"{line}\n" for line in plan_lines(planned, prune=prune)))
            if not confirm(here.console, f"Apply it? The engine restarts on {first_names(restarting)}."):
                raise Declined("Nothing was changed")

    given = tuple(flags_to_repeat(here.arguments))
    words = [fleet_command("apply", file), *given]
    words += [f"-l {shlex.quote(selector)}"] if selector is not None else map(shlex.quote, names)
    command = " ".join(words)
    if purge and not prune:
        raise UsageError(
            "--purge is for the machines that --prune removes", Hint("Give both", with_flags(command, "--prune"))
        )
    options = ApplyOptions(
        absolute(file),
        login,
        Allowed(force=force, restart_swarm=restart_swarm, open_firewall=open_firewall, yes=yes),
        given_authority(here),
        CertificateFiles("", here.tls.ca, here.tls.certificate, here.tls.key),
        parallel=parallel,
        batch=BatchSizes(batch),
        max_failures=max_failures,
        refresh=refresh,
        prune=prune,
        purge=Purge(login, Allowed(forcible=False, restart_swarm=restart_swarm)) if purge else None,
        take_over=take_over,
        yes=yes,
        command=command,
        flags=given,
    )
    if dry_run:
        planned = plan_with_previews(make_plan(), here.store, here.console, options)
        again = " ".join(word for word in command.split(" ") if word != "--dry-run")
        again = with_flags(again, *needed_flags(planned))
        return print_plan(here, planned, again, command, prune=prune, as_json=as_json)
    here.console.prints_total = True
    results = apply_plan(here.store, here.console, make_plan, options, approve)
    return report_rollout(here, results, command, as_json=as_json)


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


def look_hint(again: str) -> Hint:
    """Return the command that looks at the hosts of the same file, and changes nothing."""
    import shlex
    from itertools import pairwise

    words = pairwise(shlex.split(again))
    files = [word for before, word in words if before in FILE_FLAGS or word.partition("=")[0] in FILE_FLAGS]
    return Hint("Look now", "machinectl plan --refresh", *files)


def report_rollout(here: Session, results: Iterator[Result], again: str, *, as_json: bool = False) -> int:
    """Report all results; return the exit code. `again` is the command to continue with."""
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
            in_order = sorted(reported, key=lambda result: natural(result.name))
            print_summary(here, in_order, again, as_json=as_json)
            print_next_step(here, in_order, again, interrupted=is_interrupted)
    return int(any(result.did in {"failed", "not begun", "not finished"} for result in reported))


def print_summary(here: Session, results: Sequence[Result], again: str, *, as_json: bool) -> None:
    """Print summary and failures; with `as_json`, results are already printed."""
    from machinectl.cli.tables.results import last_looks
    from machinectl.fleet.rollout.plan_steps import Did

    count = Counter(result.did for result in results)
    counted = ", ".join(f"{count[did]} {did}" for did in Did if count[did])
    summary = f"Apply: {counted or 'the file has no hosts'}"
    if as_json:
        here.console.note(summary)
        return
    write_out(f"{summary}\n")
    for error in alike(results):
        report(error, here.program)
    unchanged = [result for result in results if result.did is Did.LEFT and not result.seconds]
    if by_record := {result.name: result.looked_at for result in unchanged if result.looked_at}:
        here.console.note(f"Last looked at: {last_looks(by_record)}", look_hint(again))


def alike(results: Iterable[Result]) -> Iterator[MachineError]:
    """Yield the failures; of several that differ only in the hint's commands, the first with all names."""
    same: dict[tuple[str, ...], list[str]] = {}
    first: dict[tuple[str, ...], MachineError] = {}
    for name, error in ((result.name, result.error) for result in results if result.error):
        key = (error.cause, *(text for text, *_ in error.hint.parts))
        same.setdefault(key, []).append(name)
        first.setdefault(key, error)
    yield from (error.named('", "'.join(same[key])) for key, error in first.items())


def print_next_step(here: Session, results: Sequence[Result], again: str, *, interrupted: bool) -> None:
    from machinectl.fleet.rollout.plan_steps import Did

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
