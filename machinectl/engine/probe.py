"""Probe one engine within a deadline, or many in parallel, a thread for each."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from functools import partial

from machinectl.descriptors import fitting_jobs
from machinectl.engine.endpoint import GRACE, Deadline, EngineError, LastAnswer
from machinectl.engine.http import dial, get, not_docker
from machinectl.errors import NO_HINT, Hint, MachineError, one_line
from machinectl.json_values import parse_json
from machinectl.state import State
from machinectl.value_classes import Frozen, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from machinectl.engine.endpoint import Endpoint
    from machinectl.engine.http import Response


# Bytes. /_ping and /version take at most 4 KB.
LONGEST_ANSWER = 1 << 20
LONGEST_VERSION = 64
# Other answers: 2 to 3 KB per container, perhaps thousands of containers.
LONGEST_TOLD = 64 << 20
OK = 200
# Of the answers that a socket of `machinectl socket` gives itself.
SOCKET_SERVER = "machinectl-socket"
REDIRECTIONS = range(300, 400)
# Limit of parallel probes, and file descriptors for each: two connections, three for ssh.
MOST_AT_ONCE = 1000
FILES_EACH = 5
# While so many are asked, others begin this many seconds apart: a busy computer cannot answer all at once in time.
FREE, PACE = 32, 0.003
# Seconds between checks for overdue engines.
LOOK = 0.25


class EngineQuery(Frozen):
    """A further API path to ask, and the JSON type of its answer."""

    path: str
    kind: type[list[Any] | dict[str, Any]]


class Probe(Frozen):
    """The result of a probe.

    `silent`: nobody answered at the address. `told`: the answer to the query. `swarm`: inactive, active/manager,
    active/worker, pending, error or locked. `leads_to` and `said`: as in EngineError.
    """

    state: State
    version: str = ""
    api_version: str = ""
    error: str = ""
    seconds: float = 0.0
    hint: Hint = NO_HINT
    silent: bool = False
    told: Any = field(default=None, repr=False)
    swarm: str = ""
    leads_to: str = ""
    said: str = ""


NO_THREAD = Probe(
    State.ERROR, error="No more threads can be started here", hint=Hint("Ask fewer at once, or allow more", "ulimit -u")
)


def probe(endpoint: Endpoint, timeout: float) -> Probe:
    """Probe an engine for `timeout` seconds. Never raises."""
    return probe_by(endpoint, Deadline(timeout))


def reach(endpoint: Endpoint, timeout: float) -> EngineError | None:
    """Connect to a tcp URL with a port, and send nothing; return the error if that fails."""
    try:
        dial(replace(endpoint, tls=False, memory=None), Deadline(timeout)).close()
    except EngineError as exc:
        return exc
    return None


def probe_by(endpoint: Endpoint, deadline: Deadline, question: EngineQuery | None = None) -> Probe:
    """Probe an engine within a shared deadline. Never raises."""
    begun = time.monotonic()
    try:
        found = ask_engine(endpoint, deadline, question)
    except Exception as exc:  # noqa: BLE001 - a bug with one host must not hide the others
        found = failed_probe(exc)
    return replace(found, seconds=time.monotonic() - begun)


def failed_probe(exc: Exception) -> Probe:
    if not isinstance(exc, MachineError):
        return Probe(State.ERROR, error=one_line(f"Unexpected {type(exc).__name__}: {exc}"))
    found = Probe(State.ERROR, error=one_line(exc.cause), hint=exc.hint, leads_to=exc.leads_to)
    if not isinstance(exc, EngineError):
        return found
    return replace(found, state=exc.state, silent=exc.silent, said=exc.said)


def ask_engine(endpoint: Endpoint, deadline: Deadline, question: EngineQuery | None) -> Probe:
    """Return versions and the query's answer; with a query, versions come from the ping. Raises MachineError."""
    wire = dial(endpoint, deadline)
    try:
        ping = get(wire, "/_ping")
        if not (ping.header("Api-Version") or ping.header("Server") == SOCKET_SERVER):
            raise not_an_engine(endpoint, ping)
        said = ping.read(LONGEST_ANSWER)
        if ping.status != OK:
            raise error_answer(endpoint, ping, said)
        if ping.will_close:
            wire.close()
            wire = dial(endpoint, deadline)
        known, told = {}, None
        if question:
            told = read_answer(endpoint, get(wire, question.path), question.kind)
        else:
            known = parse_object(get(wire, "/version").read(LONGEST_ANSWER))
    finally:
        wire.close()
    # If an authorization plugin allows only the ping, /version fails.
    by_name = ping.header("Server").partition("Docker/")[2].partition(" ")[0]
    engine = str(known.get("Version") or by_name)
    api = str(known.get("ApiVersion") or ping.header("Api-Version"))
    swarm = one_line(ping.header("Swarm"), LONGEST_VERSION)
    versions = one_line(engine, LONGEST_VERSION), one_line(api, LONGEST_VERSION)
    return Probe(State.RUNNING, *versions, told=told, swarm=swarm)


def read_answer(endpoint: Endpoint, response: Response, kind: type) -> Any:
    """Return the JSON answer. Raises EngineError."""
    said = response.read(LONGEST_TOLD)
    if response.failed:
        raise error_answer(endpoint, response, said)
    if response.status in REDIRECTIONS:
        raise not_an_engine(endpoint, response)
    return json_answer(endpoint, said, kind)


def json_answer(endpoint: Endpoint, body: bytes, kind: type) -> Any:
    """Parse an answer's body. Raises EngineError if it is not JSON of this `kind`."""
    try:
        value = parse_json(body)
    except (ValueError, RecursionError) as exc:
        raise not_docker(endpoint, "its answer is not JSON") from exc
    if not isinstance(value, kind):
        raise not_docker(endpoint, "its answer is not what an engine's is")
    return value


def error_answer(endpoint: Endpoint, response: Response, said: bytes) -> EngineError:
    words = error_message(said) or response.reason
    error = EngineError(
        f"The engine at {endpoint.peer} answers {response.status}: {words}",
        Hint("Look at the engine's journal on its host", "journalctl -u docker"),
    )
    error.status, error.said = response.status, words
    return error


def not_an_engine(endpoint: Endpoint, response: Response) -> EngineError:
    server = f" from {name}" if (name := response.header("Server") or response.header("Via")) else ""
    return not_docker(endpoint, f"it answers {response.status} {response.reason}{server}")


def error_message(body: bytes) -> str:
    message = parse_object(body).get("message")
    return message if message and isinstance(message, str) else body.decode(errors="replace")


def parse_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object; {} for anything else."""
    try:
        value = parse_json(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def probe_all(endpoints: Mapping[str, Endpoint], timeout: float) -> Iterator[tuple[str, Probe]]:
    """Probe each engine for `timeout` seconds; yield results as they arrive."""
    asks = {name: partial(probe_by, endpoint) for name, endpoint in endpoints.items()}
    return ask_all(asks, timeout, lambda name: endpoints[name].url)


def ask_all(
    asks: Mapping[str, Callable[[Deadline], Probe]], timeout: float, place: Callable[[str], str]
) -> Iterator[tuple[str, Probe]]:
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


def answer(
    name: str, ask: Callable[[Deadline], Probe], deadline: Deadline, answers: queue.SimpleQueue[tuple[str, Probe]]
) -> None:
    begun = time.monotonic()
    try:
        found = ask(deadline)
    except Exception as exc:  # noqa: BLE001 - a bug with one host must not hide the others
        found = failed_probe(exc)
    answers.put((name, replace(found, seconds=time.monotonic() - begun)))
