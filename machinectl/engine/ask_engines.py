"""Probe many engines in parallel, a thread for each."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from functools import partial

from machinectl.descriptors import fitting_jobs
from machinectl.engine.endpoint import GRACE, Deadline, LastAnswer
from machinectl.engine.probe import Probe, failed_probe, probe_by
from machinectl.errors import Hint
from machinectl.state import State
from machinectl.value_classes import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from machinectl.engine.endpoint import Endpoint

    # Asks one engine.
    Ask = Callable[[Deadline], Probe]

# Limit of parallel probes, and file descriptors for each: two connections, three for ssh.
MOST_AT_ONCE = 1000
FILES_EACH = 5
# While so many are asked, others begin this many seconds apart: a busy computer cannot answer all at once in time.
FREE, PACE = 32, 0.003
# Seconds between checks for overdue engines.
LOOK = 0.25
NO_THREAD = Probe(
    State.ERROR, error="No more threads can be started here", hint=Hint("Ask fewer at once, or allow more", "ulimit -u")
)


def probe_all(endpoints: Mapping[str, Endpoint], timeout: float) -> Iterator[tuple[str, Probe]]:
    """Probe each engine for `timeout` seconds; yield results as they arrive."""
    asks = {name: partial(probe_by, endpoint) for name, endpoint in endpoints.items()}
    return ask_all(asks, timeout, lambda name: endpoints[name].url)


def ask_all(asks: Mapping[str, Ask], timeout: float, place: Callable[[str], str]) -> Iterator[tuple[str, Probe]]:
    """Like `probe_all`. An engine's time runs from when it is asked; `place` names a silent one in its error."""
    answers: queue.SimpleQueue[tuple[str, Probe]] = queue.SimpleQueue()
    waiting, under_way, arrived = deque(asks.items()), dict[str, Deadline](), LastAnswer()
    # As many as the limit of open files allows.
    most = fitting_jobs(min(len(asks), MOST_AT_ONCE), FILES_EACH)
    while waiting or under_way:
        pause = LOOK
        if waiting and len(under_way) < most:
            name, ask = waiting.popleft()
            under_way[name] = Deadline(timeout, arrived)
            pause = PACE if len(under_way) > FREE else 0
            # Daemon threads do not delay exit.
            thread = threading.Thread(
                target=answer, args=(name, ask, under_way[name], answers), daemon=True, name="asking"
            )
            try:
                thread.start()
            except RuntimeError:  # the thread limit of the system or container
                answers.put((name, NO_THREAD))
        try:
            found = [answers.get(pause > 0, pause)]
        except queue.Empty:
            now = time.monotonic()
            busy = now < arrived.last + GRACE
            overdue = [name for name, deadline in under_way.items() if not busy and deadline.left(now) < -GRACE]
            silent = partial(Probe, State.TIMEOUT, seconds=timeout)
            found = [(name, silent(error=f"{place(name)} does not answer within {timeout:g} s")) for name in overdue]
        for name, probe in found:
            # An overdue engine may still answer.
            if under_way.pop(name, None):
                if probe.state is not State.TIMEOUT:
                    arrived.last = time.monotonic()
                yield name, probe


def answer(name: str, ask: Ask, deadline: Deadline, answers: queue.SimpleQueue[tuple[str, Probe]]) -> None:
    begun = time.monotonic()
    try:
        found = ask(deadline)
    except Exception as exc:  # noqa: BLE001 - a bug with one host must not hide the others
        found = failed_probe(exc)
    answers.put((name, replace(found, seconds=time.monotonic() - begun)))
