"""The phases of `apply`, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.rollout import pruning, refresh, restarts, swarm_phase, takeovers
from machinectl.rollout.apply_run import WORK
from machinectl.rollout.plan_steps import Action
from machinectl.rollout.results import UNTOUCHED, Did, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.rollout.apply_run import ApplyRun

    # Yields the machines whose last phase it was.
    Phase = Callable[[ApplyRun, Console], Iterable[Result]]

PHASES: Sequence[tuple[str, Phase]] = (
    ("Ask about machines of other fleets", takeovers.ask_about_takeover),
    ("Ask before machines are removed", pruning.ask_about_removal),
    ("Record the fleet of machines that need no other change", takeovers.record_fleet),
    ("Look for changes made by hand on hosts", refresh.look_for_changes),
    ("Find out which machines join the swarm", swarm_phase.choose_roles),
    ("Log in at hosts before engines restart", restarts.log_in_before_restarts),
    ("Create and change machines", restarts.create_and_change),
    ("Form the swarm", swarm_phase.form_swarm),
    ("Remove machines that left the file", pruning.remove_gone_machines),
)


def has_work(run: ApplyRun) -> bool:
    pruned = run.options.prune and run.gone()
    return bool(run.names(*WORK) or takeovers.with_old_fleet(run) or refresh.to_look_at(run) or pruned)


def changes_names(run: ApplyRun) -> bool:
    return bool(run.names(Action.CREATE) or (run.options.prune and run.gone()))


def carry_out(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Run all phases. At ^C, yield the remaining machines, and raise KeyboardInterrupt."""
    try:
        for _, phase in PHASES:
            for result in phase(run, console):
                run.results[result.name] = result
                yield run.recorded(result)
    except KeyboardInterrupt:
        yield from (run.recorded(interrupted_result(run, name)) for name in run.steps if name not in run.results)
        raise


def interrupted_result(run: ApplyRun, name: str) -> Result:
    if run.forming and (ready := run.forming.ready.get(name)) and name not in run.forming.joining:
        return ready
    if name in run.touched:
        return Result(name, Did.UNFINISHED, reason="interrupted")
    action = run.steps[name].action
    waits_for_look = name in refresh.to_look_at(run) and run.did.get(name) is not Did.LEFT
    if action in WORK or waits_for_look or name in run.to_remove:
        return Result(name, Did.NOT_BEGUN, reason="interrupted")
    return Result(name, UNTOUCHED[action])
