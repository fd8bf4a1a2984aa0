"""Docker Swarm over the Engine API: https://docs.docker.com/reference/api/engine/ (unversioned).

All calls raise EngineError. Join tokens are secrets: no error contains one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from machinectl.engine.endpoint import EngineError
from machinectl.engine.http import not_docker, request
from machinectl.engine.probe import EngineQuery, error_message, json_answer
from machinectl.errors import Hint, one_line
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.engine.endpoint import Endpoint

PORT = 2377
# Ports between nodes: management, gossip, container traffic.
PORTS = ((PORT, "tcp"), (7946, "tcp"), (7946, "udp"), (4789, "udp"))
LISTEN = f"0.0.0.0:{PORT}"
INFO = EngineQuery("/info", dict)
# Bytes; a thousand nodes take 2 to 3 MB.
LONGEST_ANSWER = 64 << 20
# The largest swarms have some thousands.
MOST_NODES = 10_000
# Seconds. An engine stops trying to join after 20 s; leave and init are faster.
TIMEOUT = 10.0
PATIENCE = 45.0
# Final task states (swarmkit, api/types.proto: TaskState).
ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
# Swarm and node IDs become parts of paths and commands. swarmkit makes 25 digits and letters.
ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
# swarmkit, ca/config.go: SWMTKN-1-…, with another number for FIPS.
TOKEN = re.compile(r"SWMTKN-[0-9A-Za-z-]{1,200}")
# Managers' errors during a leader election (swarmkit, manager/state/raft).
LEADERLESS = "does not have a leader"
ELECTING = (LEADERLESS, "lost leader status", "code = Unavailable", "DeadlineExceeded", "deadline exceeded")


class Refusal(EngineError):
    """An engine refused a request with HTTP `status`."""

    def __init__(self, endpoint: Endpoint, status: int, said: str) -> None:
        status_hint = Hint("See what its swarm is like", "machinectl swarm status")
        super().__init__(f"The engine at {endpoint.peer} says: {said}", status_hint)
        self.status, self.said = status, said


@dataclass(frozen=True)
class Membership:
    """An engine's own view (GET /info, Swarm).

    `state`: inactive, pending, active, error, locked, or "". Only managers know `cluster` (the swarm's ID).
    """

    state: str = ""
    node: str = ""
    manages: bool = False
    cluster: str = ""
    error: str = ""
    live_restore: bool = False

    @property
    def is_in(self) -> bool:
        return self.state not in {"inactive", ""}

    @property
    def is_out(self) -> bool:
        return self.state == "inactive"

    @property
    def role(self) -> str:
        return ("manager" if self.manages else "worker") if self.is_in else ""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Membership:
        return cls(
            text(info, "Swarm", "LocalNodeState"),
            identifier(info, "Swarm", "NodeID"),
            value(info, "Swarm", "ControlAvailable") is True,
            identifier(info, "Swarm", "Cluster", "ID"),
            text(info, "Swarm", "Error"),
            info.get("LiveRestoreEnabled") is True,
        )


@dataclass(frozen=True)
class Node:
    """A manager's view of a node.

    `state`: ready, down, disconnected or unknown. `reachability`: reachable, unreachable or unknown; "" for workers.
    `manages_at`: host:port for other nodes.
    """

    id: str
    hostname: str
    role: str
    availability: str
    state: str
    address: str = ""
    engine: str = ""
    reachability: str = ""
    leads: bool = False
    manages_at: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = 0

    @property
    def manages(self) -> bool:
        return self.role == "manager"

    @property
    def takes_tasks(self) -> bool:
        return (self.state, self.availability) == ("ready", "active")

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Node:
        spec, version = value(said, "Spec"), value(said, "Version", "Index")
        manages_at = text(said, "ManagerStatus", "Addr")
        return cls(
            identifier(said, "ID"),
            text(said, "Description", "Hostname"),
            text(said, "Spec", "Role"),
            text(said, "Spec", "Availability"),
            text(said, "Status", "State"),
            text(said, "Status", "Addr") or host_of(manages_at),
            text(said, "Description", "Engine", "EngineVersion"),
            text(said, "ManagerStatus", "Reachability"),
            value(said, "ManagerStatus", "Leader") is True,
            manages_at,
            spec if isinstance(spec, dict) else {},
            version if isinstance(version, int) else 0,
        )


@dataclass(frozen=True)
class Tokens:
    worker: str = field(repr=False)
    manager: str = field(repr=False)


def membership(endpoint: Endpoint, timeout: float = TIMEOUT) -> Membership:
    """Return an engine's membership. /info hangs on a manager without a leader: after a timeout, use the ping."""
    try:
        return Membership.of(call(endpoint, "GET", INFO.path, dict, timeout=timeout))
    except EngineError as exc:
        if exc.state is not State.TIMEOUT or exc.silent:
            raise
        with request(endpoint, "GET", "/_ping", timeout=timeout) as answer:
            state, _, role = one_line(answer.header("Swarm")).partition("/")
        if not state:
            raise
        return Membership(state, manages=role == "manager")


def is_electing(said: str) -> bool:
    """Return whether what an engine refuses will work after the leader election."""
    return any(words in said for words in ELECTING)


def nodes(endpoint: Endpoint, timeout: float = TIMEOUT) -> list[Node]:
    """Return all nodes. Raises Refusal if the engine is not a manager or has no leader."""
    return listed_nodes(call(endpoint, "GET", "/nodes", list, timeout=timeout))


def listed_nodes(listed: Sequence[Any]) -> list[Node]:
    return [Node.of(each) for each in listed[:MOST_NODES] if isinstance(each, dict)]


def node(endpoint: Endpoint, node_id: str) -> Node:
    """Return one node. Raises Refusal (404) if it is unknown."""
    return Node.of(call(endpoint, "GET", f"/nodes/{quote(node_id, safe='')}", dict))


def tokens(endpoint: Endpoint) -> Tokens:
    swarm = call(endpoint, "GET", "/swarm", dict)
    found = Tokens(text(swarm, "JoinTokens", "Worker"), text(swarm, "JoinTokens", "Manager"))
    if not TOKEN.fullmatch(found.worker) or not TOKEN.fullmatch(found.manager):
        raise not_docker(endpoint, "its swarm join tokens are invalid")
    return found


def init_swarm(endpoint: Endpoint, advertised: str) -> None:
    """Create a swarm; nodes reach it at `advertised`."""
    post(endpoint, "/swarm/init", {"ListenAddr": LISTEN, "AdvertiseAddr": advertised})


def join_swarm(endpoint: Endpoint, token: str, managers: Iterable[str], advertised: str) -> None:
    """Join the swarm of `managers` (host:port)."""
    wish = {"ListenAddr": LISTEN, "AdvertiseAddr": advertised, "RemoteAddrs": list(managers), "JoinToken": token}
    post(endpoint, "/swarm/join", wish, secret=token)


def leave_swarm(endpoint: Endpoint, *, force: bool = False) -> None:
    """Leave the swarm; a manager needs `force`."""
    post(endpoint, f"/swarm/leave?force={int(force)}")


def update_node(endpoint: Endpoint, node_id: str, **changes: str) -> None:
    """Change a node's `Availability` (active, pause, drain) or `Role`. Retries after concurrent updates."""
    for is_last in (False, False, True):
        current = node(endpoint, node_id)
        wish = {**current.spec, **changes}
        if wish == current.spec:
            return None
        try:
            return post(endpoint, f"/nodes/{quote(node_id, safe='')}/update?version={current.version}", wish)
        except Refusal as exc:
            if "out of sequence" not in exc.said or is_last:
                raise
    return None


def remove_node(endpoint: Endpoint, node_id: str, *, force: bool = False) -> None:
    """Remove a node; needs `force` unless it is down."""
    call(endpoint, "DELETE", f"/nodes/{quote(node_id, safe='')}?force={int(force)}")


def count_starting(endpoint: Endpoint) -> int:
    """Return how many tasks should run but do not."""
    return sum(state != "running" for state in task_states(endpoint, {"desired-state": ["running"]}))


def count_tasks(endpoint: Endpoint, node_id: str) -> int:
    """Return how many service tasks run on a node."""
    return sum(state not in ENDED for state in task_states(endpoint, {"node": [node_id]}))


def task_states(endpoint: Endpoint, filters: Mapping[str, list[str]]) -> list[str]:
    found = call(endpoint, "GET", f"/tasks?{urlencode({'filters': json.dumps(filters)})}", list)
    return [text(task, "Status", "State") for task in found if isinstance(task, dict)]


def post(endpoint: Endpoint, path: str, wish: Mapping[str, Any] | None = None, *, secret: str = "") -> None:
    body = None if wish is None else json.dumps(wish).encode()
    call(endpoint, "POST", path, body=body, timeout=PATIENCE, secret=secret)


def call(
    endpoint: Endpoint,
    method: str,
    path: str,
    kind: type[Any] | None = None,
    *,
    body: bytes | None = None,
    timeout: float = TIMEOUT,
    secret: str = "",
) -> Any:
    """Return an engine's JSON answer of this `kind`, or None. Errors do not contain `secret`."""
    headers = {"Content-Type": "application/json"} if body else None
    with request(endpoint, method, path, body, headers, timeout=timeout) as answer:
        said = answer.read(LONGEST_ANSWER)
    if answer.failed:
        why = error_message(said) or answer.reason
        raise Refusal(endpoint, answer.status, why.replace(secret, "…") if secret else why)
    return None if kind is None else json_answer(endpoint, said, kind)


def value(said: Any, *keys: str) -> Any:
    """Return a member of nested objects, or None."""
    for key in keys:
        said = said.get(key) if isinstance(said, dict) else None
    return said


def text(said: Any, *keys: str) -> str:
    """Return a string member in one line, or ""."""
    found = value(said, *keys)
    return one_line(found) if isinstance(found, str) else ""


def host_of(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def identifier(said: Any, *keys: str) -> str:
    """Return a valid ID member, or ""."""
    found = value(said, *keys)
    return found if isinstance(found, str) and ID.fullmatch(found) else ""
