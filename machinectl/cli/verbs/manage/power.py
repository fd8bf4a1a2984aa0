"""The verbs `start`, `stop`, `restart` and `kill`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.cli.output.stdout import write_out
from machinectl.cli.tables.results import report_results

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from machinectl.cli.options.verb_session import Session
    from machinectl.errors import MachineError
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import HostPlan

    Result = tuple[str, MachineError | None]

DONE = {"start": "started", "stop": "stopped", "restart": "restarted", "kill": "killed"}


def printed(verb: str, results: Iterable[Result], unchanged: Container[str] = ()) -> Iterator[Result]:
    """Pass results on, with docker-machine's line for each changed machine."""
    done = False
    for name, error in results:
        if not error and name not in unchanged:
            done = True
            write_out(f'Machine "{name}" was {DONE[verb]}.\n')
        yield name, error
    if done and verb in {"start", "restart"}:
        write_out(
            f"{DONE[verb].capitalize()} machines may have new IP addresses. "
            "You may need to re-run the `machinectl env` command.\n"
        )


def start(here: Session, **given: Any) -> int:
    return change_power(here, "start", **given)


def stop(here: Session, **given: Any) -> int:
    return change_power(here, "stop", **given)


def restart(here: Session, **given: Any) -> int:
    return change_power(here, "restart", **given)


def kill(here: Session, **given: Any) -> int:
    return change_power(here, "kill", **given)


def change_power(
    here: Session, verb: str, *, names: list[str], access: Access, timeout: float, yes: bool, dry_run: bool
) -> int:
    from machinectl.commands.power import Power

    plans: dict[str, HostPlan] | None = {} if dry_run else None
    power = Power(here.store, here.console, access, timeout, yes, None if plans is None else plans.__setitem__)
    results = {"start": power.start, "stop": power.stop, "restart": power.restart, "kill": power.kill}[verb](names)
    return report_results(here, results if dry_run else printed(verb, results, power.unchanged), plans, names)
