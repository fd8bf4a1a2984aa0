"""What doctor says of the timer of `renew --install-timer`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.check import Check, Verdict, first_case, unknown
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.machines.store.store_paths import default_root
from machinectl.renewal.daily_job import job_name
from machinectl.renewal.scheduler import scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from machinectl.renewal.daily_job import JobState

TITLE = "Renewal timer"


def checks(store: Store, *_given: object) -> Iterator[Check]:
    """Yield nothing if no timer was installed: renewal by hand is no fault."""
    timer, name = scheduler(), job_name(store.root, default_root())
    *_, path = paths = timer.paths(name)
    missing = [each for each in paths if not os.path.lexists(each)]
    if len(missing) == len(paths):
        return
    try:
        state = timer.state(name)
        is_made_up_for = state.status == MachineError.exit_code and not is_anything_due(store)
        yield timer_check(path, state, missing, is_made_up_for=is_made_up_for)
    except MachineError as exc:
        yield unknown(TITLE, f"{path}: {exc.cause}", exc.hint)


def is_anything_due(store: Store) -> bool:
    """Return whether a run now would have something to renew, or would fail."""
    # Imported here: it loads TLS, and a failed run is rare.
    from machinectl.renewal.due_renewal import has_due_certificates

    try:
        return any(has_due_certificates(store.read(name)) for name in store.names())
    except MachineError:
        return True


def timer_check(path: str, state: JobState, missing: list[str], *, is_made_up_for: bool = False) -> Check:
    again = Hint("Install it again", "machinectl renew --install-timer")
    moved = not (os.path.isfile(state.program) and os.access(state.program, os.X_OK))
    return first_case(
        TITLE,
        (missing, Verdict.BROKEN, f"{', '.join(missing)} is missing", again),
        (moved, Verdict.BROKEN, f"its program is not there: {state.program or path}", again),
        (not state.enabled, Verdict.BROKEN, f"{path} is installed, but not enabled", again),
        (is_made_up_for, Verdict.OK, f"{path}: the last run failed ({state.failed}), but nothing is due now", NO_HINT),
        (state.failed, Verdict.BROKEN, f"the last run failed ({state.failed})", state.hint),
        (True, Verdict.OK, f"{path} renews certificates daily", NO_HINT),
    )
