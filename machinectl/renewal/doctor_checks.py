"""Doctor's check of the timer of `renew --install-timer`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.check import Check, Verdict, first_case, unknown
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.machines.store.store_paths import default_root
from machinectl.renewal.daily_job import job_name
from machinectl.renewal.timer import scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from machinectl.renewal.daily_job import JobState

TITLE = "Renewal timer"


def checks(store: Store, *_given: object) -> Iterator[Check]:
    """Yield nothing if no timer was installed: renewal by hand is no fault."""
    timer, name = scheduler(), job_name(store.root, default_root())
    *_, path = paths = timer.paths(name)
    missing = [file for file in paths if not os.path.lexists(file)]
    if len(missing) == len(paths):
        return
    try:
        yield timer_check(path, timer.state(name), missing)
    except MachineError as exc:
        yield unknown(TITLE, f"{path}: {exc.cause}", exc.hint)


def timer_check(path: str, state: JobState, missing: list[str]) -> Check:
    again = Hint("Install it again", "machinectl renew --install-timer")
    is_startable = os.path.isfile(state.program) and os.access(state.program, os.X_OK)
    return first_case(
        TITLE,
        (missing, Verdict.BROKEN, f"{', '.join(missing)} is missing", again),
        (not is_startable, Verdict.BROKEN, f"its program is missing: {state.program or path}", again),
        (not state.enabled, Verdict.BROKEN, f"{path} is installed, but not enabled", again),
        (state.failed, Verdict.BROKEN, f"the last run failed ({state.failed})", state.hint),
        (True, Verdict.OK, f"{path} renews certificates daily", NO_HINT),
    )
