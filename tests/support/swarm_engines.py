"""Engines that are one swarm, or several: what takes as many real hosts. They answer as dockerd 26.1 did in the lab."""

from __future__ import annotations

import copy
import json
import re
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from machinectl.machines.record import Machine
from tests.support.registered import added
from tests.support.servers import Connection, answer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store


class Engine:
    """One engine: whether it answers, and what it is as a node."""

    def __init__(self, swarms: Swarms, name: str) -> None:
        self.swarms = swarms
        self.name = name
        self.port = 0
        self.answers = True
        self.cluster = ""
        self.live_restore = False
        # Whether it calls itself a manager, whatever it is: as an engine would whose host is in other hands.
        self.lies = False
        # What it says to a request, such as "GET /nodes", in place of the truth; text goes out as it is.
        self.says: dict[str, Any] = {}
        # What is refused with the words of a swarm that elects a leader, as "DELETE": how often yet.
        self.electing: dict[str, int] = {}
        # How many more of its lists of nodes are a new leader's, to which no node has reported yet.
        self.unreported = 0
        # What it was asked, method and path, and the bodies of that.
        self.asked: list[str] = []
        self.bodies: list[dict[str, Any]] = []

    @property
    def node(self) -> dict[str, Any]:
        return self.swarms.nodes[self.cluster][f"node-{self.name}"]

    @property
    def is_in(self) -> bool:
        return f"node-{self.name}" in self.swarms.nodes.get(self.cluster, {})

    @property
    def manages(self) -> bool:
        return self.is_in and (self.lies or bool(self.node["Spec"]["Role"] == "manager"))

    def info(self) -> dict[str, Any]:
        swarm: dict[str, Any] = {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False}
        if self.is_in:
            swarm = {"NodeID": self.node["ID"], "LocalNodeState": "active", "ControlAvailable": self.manages}
            swarm |= {"Cluster": {"ID": self.cluster}} if self.manages else {}
        return {"Name": self.name, "LiveRestoreEnabled": self.live_restore, "Swarm": swarm, "ContainersRunning": 0}

    def behaviour(self, connection: Connection) -> None:
        while head := connection.request():
            method, path, _ = head.decode().split(" ", 2)
            length = re.search(rb"Content-Length: (\d+)", head)
            body = b""
            while length and len(body) < int(length[1]):
                body += connection.sock.recv(65536)
            if not self.answers:
                return
            with self.swarms.lock:
                self.asked.append(f"{method} {path}")
                status, said = self.reply(method, path, json.loads(body) if body else {})
            data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            part = ("active/manager" if self.manages else "active/worker") if self.is_in else "inactive"
            headers = f"Server: Docker/99.1.2 (linux)\r\nSwarm: {part}\r\n"
            connection.send(answer(data, status=status, headers=headers))

    def reply(self, method: str, path: str, wish: dict[str, Any]) -> tuple[str, Any]:
        where, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        if wish:
            self.bodies.append(wish)
        if f"{method} {where}" in self.says:
            return "200 OK", self.says[f"{method} {where}"]
        match method, where.strip("/").split("/"):
            case "GET", ["_ping"]:
                return "200 OK", "OK"
            case "GET", ["version"]:
                return "200 OK", {"Version": "99.1.2", "ApiVersion": "1.99"}
            case "GET", ["info"]:
                return "200 OK", self.info()
            case "POST", ["swarm", what]:
                return self.of_swarm(what, query, wish)
        if not self.manages:
            return no("This node is not a swarm manager.", "503 Service Unavailable")
        if self.electing.get(method, 0) > 0 or self.cluster in self.swarms.without_leader:
            self.electing[method] = self.electing.get(method, 0) - 1
            return no("rpc error: code = Unknown desc = The swarm does not have a leader.", "500 Internal Server Error")
        return self.as_manager(method, where, query, wish)

    def as_manager(self, method: str, where: str, query: dict[str, list[str]], wish: dict[str, Any]) -> tuple[str, Any]:
        nodes = self.swarms.nodes[self.cluster]
        if self.lies:
            own = {**self.node, "Spec": {**self.node["Spec"], "Role": "manager"}}
            nodes = copy.deepcopy({**nodes, self.node["ID"]: own})
        match method, where.strip("/").split("/"):
            case "GET", ["swarm"]:
                return "200 OK", {"ID": self.cluster, "JoinTokens": tokens(self.cluster)}
            case "GET", ["nodes"]:
                if self.unreported:
                    self.unreported -= 1
                    nodes = copy.deepcopy(nodes)
                    for node in nodes.values():
                        node["Status"]["State"] = "unknown"
                return "200 OK", list(nodes.values())
            case "GET", ["tasks"]:
                return "200 OK", self.swarms.tasks(self.cluster, json.loads(query["filters"][0]))
            case _, ["nodes", node, *rest] if node in nodes:
                return self.of_node(nodes, node, f"{method} {'/'.join(rest)}", query, wish)
        return no("node not found", "404 Not Found")

    def of_swarm(self, what: str, query: dict[str, list[str]], wish: dict[str, Any]) -> tuple[str, Any]:
        if what == "leave":
            if self.manages and query["force"] != ["1"]:
                return no("You are attempting to leave the swarm on a node that is participating as a manager.")
            nodes = self.swarms.nodes[self.cluster]
            nodes[f"node-{self.name}"]["Status"]["State"] = "down"
            self.cluster = ""
            return "200 OK", ""
        if self.is_in:
            return no("This node is already part of a swarm.")
        if self.live_restore:
            return no("--live-restore daemon configuration is incompatible with swarm mode")
        address = wish["AdvertiseAddr"]
        if what == "init":
            # Another ID each time.
            begun = sum(cluster.startswith(f"cluster-{self.name}") for cluster in self.swarms.nodes)
            self.cluster = f"cluster-{self.name}{f'-{begun + 1}' if begun else ''}"
            self.swarms.nodes[self.cluster] = {}
            role = "manager"
        else:
            self.cluster, _, role = wish["JoinToken"].removeprefix("SWMTKN-1-").rpartition("-")
            if self.cluster not in self.swarms.nodes:
                self.cluster = ""
                return no(f"invalid join token {wish['JoinToken']}", "500 Internal Server Error")
        self.swarms.nodes[self.cluster][f"node-{self.name}"] = node_of(self.name, role, address)
        return "200 OK", ""

    def of_node(
        self, nodes: dict[str, Any], node: str, what: str, query: dict[str, list[str]], wish: dict[str, Any]
    ) -> tuple[str, Any]:
        there = nodes[node]
        if what == "GET ":
            return "200 OK", there
        if what == "DELETE ":
            del nodes[node]
            return "200 OK", ""
        if query["version"] != [str(there["Version"]["Index"])]:
            return no("rpc error: code = Unknown desc = update out of sequence", "500 Internal Server Error")
        there["Spec"] = wish
        there["Version"]["Index"] += 1
        there.pop("ManagerStatus", None)
        if wish["Role"] == "manager":
            there["ManagerStatus"] = {"Reachability": "reachable", "Addr": f"{there['Status']['Addr']}:2377"}
        return "200 OK", ""


class Swarms:
    """The swarms that there are, by their IDs: their nodes, which of them has lost its leader, and what runs where."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.nodes: dict[str, dict[str, dict[str, Any]]] = {}
        self.without_leader: set[str] = set()
        self.engines: dict[str, Engine] = {}

    def tasks(self, cluster: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        """One task on each node that takes some, and none elsewhere: it moves as soon as that changes."""
        takes = [
            node["ID"]
            for node in self.nodes[cluster].values()
            if node["Spec"]["Availability"] == "active" and node["ID"] in filters.get("node", [node["ID"]])
        ]
        return [{"NodeID": node, "Status": {"State": "running"}, "DesiredState": "running"} for node in takes]

    def __getitem__(self, name: str) -> Engine:
        return self.engines[name]

    def availability(self, name: str) -> str:
        return str(self[name].node["Spec"]["Availability"])


def node_of(name: str, role: str, address: str) -> dict[str, Any]:
    manager = {"ManagerStatus": {"Reachability": "reachable", "Addr": f"{address}:2377"}} if role == "manager" else {}
    return {
        "ID": f"node-{name}",
        "Version": {"Index": 1},
        "Spec": {"Labels": {"kept": "yes"}, "Role": role, "Availability": "active"},
        "Description": {"Hostname": f"host-{name}", "Engine": {"EngineVersion": "99.1.2"}},
        "Status": {"State": "ready", "Addr": address},
        **manager,
    }


def tokens(cluster: str) -> dict[str, str]:
    return {"Worker": f"SWMTKN-1-{cluster}-worker", "Manager": f"SWMTKN-1-{cluster}-manager"}


def no(why: str, status: str = "503 Service Unavailable") -> tuple[str, Any]:
    return status, {"message": why}


@contextmanager
def engines(store: Store, *names: str) -> Iterator[Swarms]:
    """Engines without TLS or SSH, each a machine of the store."""
    swarms = Swarms()
    with ExitStack() as running:
        for name in names:
            engine = swarms.engines[name] = Engine(swarms, name)
            engine.port = running.enter_context(serving(engine.behaviour))
            added(store, Machine(name, "none", url=f"tcp://127.0.0.1:{engine.port}"))
        yield swarms
