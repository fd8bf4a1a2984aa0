"""Facts about a host, and their parser."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.provision.scripts import Sections, read_answer, resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAEMON_JSON = "/etc/docker/daemon.json"
OWN_DIRECTORY = "/etc/docker/machinectl"
OWN_CA, CERTIFICATE_END = f"{OWN_DIRECTORY}/ca.pem", b"-----END CERTIFICATE-----"
DROP_INS = "/etc/systemd/system/docker.service.d"
# Python's last date, in the year 9999.
END_OF_TIME = 253402300799
# The values of `docker info` that we use.
INFO: dict[str, type] = {
    "ID": str,
    "ServerVersion": str,
    "LiveRestoreEnabled": bool,
    "Swarm": str,
    "SwarmNode": str,
    "SwarmManager": bool,
    "SwarmAutolock": bool,
    "SecurityOptions": list,
    "DockerRootDir": str,
    "Driver": str,
    "DriverStatus": list,
    "Containers": int,
    "ContainersRunning": int,
    "ContainersPaused": int,
}
# Seconds to wait for an earlier job, such as an installation.
PATIENCE = 120
# Bytes; facts.sh reads one more, to detect larger files.
LARGEST_FILE = 1 << 20
# Control groups of Docker, podman and Kubernetes (docker-<id>.scope, or <id> without systemd), LXC, Kubernetes slices,
# nspawn.
CONTAINER = re.compile(
    r"(?:[a-z-]+-)?[0-9a-f]{64}(?:\.scope)?|docker|lxc|lxc\.payload.*|kubepods|kubepods.*\.slice|libpod_parent"
    r"|machine-.+\.scope|systemd-nspawn@.+\.service"
)
# Of `Docker version 26.1.5+dfsg1, build 411e817`.
VERSION = re.compile(r"version (\S+?),?(?:\s|$)")
MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")


class HostFile(NamedTuple):
    """A file; `mode` is octal."""

    mode: str
    uid: int
    gid: int
    content: bytes


class Sum(NamedTuple):
    """A file's SHA256 (hex), without its content."""

    mode: str
    uid: int
    gid: int
    sha256: str


class Process(NamedTuple):
    """A running dockerd. `cgroup` is the path of its control group."""

    pid: int
    uid: int
    cgroup: str

    @property
    def service(self) -> str:
        return next((part for part in reversed(self.cgroup.split("/")) if part.endswith(".service")), "")

    @property
    def in_container(self) -> bool:
        return any(CONTAINER.fullmatch(part) for part in self.cgroup.split("/"))


class Client(NamedTuple):
    """A docker CLI attached to the engine; `unit` runs it ("" if none)."""

    pid: int
    verb: str
    unit: str


class PathUnit(NamedTuple):
    """An active unit that starts others when one of its paths changes."""

    name: str
    paths: tuple[str, ...]
    starts: str


@dataclass(frozen=True)
class ServiceState:
    loaded: bool = False
    active: bool = False
    enabled: bool = False
    cgroup: str = ""
    failed: bool = False


def fact(read: Callable[[Sections], Any]) -> Any:
    """Declare a fact by how it is read from what facts.sh prints; an older answer may not have it."""
    return field(default_factory=lambda: read(Sections(list)), metadata={"read": read})


def word(name: str) -> Any:
    return fact(lambda said: said.word(name))


def is_said(name: str) -> Any:
    return fact(lambda said: name in said)


def lines(name: str) -> Any:
    """Declare the words of each section of a name, as a text each."""
    return fact(lambda said: tuple(map(" ".join, said.each(name))))


def firsts(name: str) -> Any:
    """Declare the first words of the sections of a name."""
    return fact(lambda said: said.firsts(name))


def known(state: str) -> Any:
    """Declare the containers that the engine knows in a state."""
    return fact(lambda said: frozenset(w[0] for w in said.each("known") if w[2:] == [state]))


@dataclass(frozen=True)
class Facts:
    """A host at one moment."""

    uid: int
    # Seconds since 1970.
    clock: int
    arch: str
    os_release: Mapping[str, str]
    init: str
    directories: frozenset[str] = firsts("directory")
    # Directories with too little room for a start of the engine.
    full: tuple[str, ...] = lines("full")
    mac: str = fact(lambda said: said.word("mac") if MAC.fullmatch(said.word("mac")[:64]) else "")
    # Its path, "" if missing.
    dockerd: str = word("dockerd")
    version: str = ""
    packages: Mapping[str, str] = fact(
        lambda said: {line.split()[0]: line.split()[1] for line in said.text("packages").splitlines()}
    )
    # All packages that the last installation brought, if the host was not booted since.
    new_packages: tuple[str, ...] = fact(lambda said: tuple(said.words("new_packages")))
    service: ServiceState = ServiceState()
    socket: ServiceState = ServiceState()
    masked: frozenset[str] = frozenset()
    # `systemctl cat`.
    unit: str = fact(lambda said: said.text("unit"))
    drop_ins: tuple[str, ...] = ()
    # The unit needs a daemon-reload.
    unread: bool = False
    # Units that restart with it.
    dependents: tuple[str, ...] = fact(lambda said: tuple(sorted(said.firsts("dependent"))))
    path_units: tuple[PathUnit, ...] = ()
    # docker.socket's addresses: its own, and those of drop-ins.
    socket_listens: tuple[str, ...] = ()
    # daemon.json changed since the engine started.
    edited: bool = is_said("edited")
    # The same for clients.pem: the engine may still accept a CA that is no longer in it.
    clients_edited: bool = is_said("clients-edited")
    # Options in the unit's environment files.
    environment: Mapping[str, str] = fact(
        lambda said: {section.words[0]: section.text for section in said.get("environment", ())}
    )
    # GET /info.
    info: Mapping[str, Any] = field(default_factory=dict)
    swarm: bool = False
    containers: frozenset[str] = firsts("container")
    # By container: the process of its shim, which ends with it, and its name.
    shims: Mapping[str, str] = fact(lambda said: {w[0]: w[1] for w in said.each("container") if w[1:]})
    names: Mapping[str, str] = fact(lambda said: {w[0]: w[1] for w in said.each("known") if w[1:]})
    # Containers that restart again and again, and those that have ended by themselves, with success.
    looping: frozenset[str] = known("looping")
    finished: frozenset[str] = known("finished")
    # A Swarm node's containers that an engine restart ends for good.
    once: tuple[str, ...] = fact(lambda said: tuple(sorted(said.firsts("once"))))
    # A process without a cgroup has ended, such as a fork of dockerd for iptables.
    processes: tuple[Process, ...] = fact(
        lambda said: tuple(
            Process(int(w[0]), int(w[1]), " ".join(w[2:]).split(":", 2)[-1]) for w in said.each("process") if w[2:]
        )
    )
    # What stands in for an engine, such as podman.
    impostor: str = word("impostor")
    snap: bool = is_said("snap")
    config_path: str = fact(lambda said: said.word("config") or DAEMON_JSON)
    files: Mapping[str, HostFile] = field(default_factory=dict)
    sums: Mapping[str, Sum] = field(default_factory=dict)
    # The CAs (PEM) in the file that the engine's `tlscacert` names, if it is none of ours.
    trusted: bytes = fact(lambda said: base64.b64decode(said.text("trusted").replace("\n", ""), validate=True))
    # Targets of data directories.
    links: Mapping[str, str] = fact(lambda said: {w[0]: " ".join(w[1:]) for w in said.each("link") if w[1:]})
    backup: str = word("backup")
    # PIDs that listen on the engine's port, 0 for another program.
    listeners: tuple[int, ...] = fact(lambda said: tuple(int(w[0]) for w in said.each("listener")))
    clients: tuple[Client, ...] = fact(
        lambda said: tuple(Client(int(w[0]), w[1], " ".join(w[2:])) for w in said.each("client"))
    )
    # dockerd runs its own containerd, so docker.service's control group holds the containers' shims.
    own_shims: bool = is_said("shims")
    transaction: str = word("transaction")
    # The first line of the revision file.
    revision: str = word("revision")
    firewalls: Mapping[str, str] = fact(
        lambda said: {section.words[0]: section.text for section in said.get("firewall", ())}
    )
    # firewalld's default zone file, if our change would create it.
    zone_file: str = word("zone")
    # The user who logged in, "" if root; their groups, and the group that may use the engine's socket.
    login: str = fact(lambda said: "".join(said.words("login")[:1]))
    login_groups: frozenset[str] = fact(lambda said: frozenset(said.words("login")[1:]))
    socket_group: str = fact(lambda said: said.word("socket-group") or "docker")
    # Why we cannot connect to the engine's port; `refused` if nothing listens.
    no_way: str = ""
    refused: bool = False
    # Why the SSH user's docker does not reach the engine.
    docker_over_ssh: str = ""

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.clock, UTC)

    @property
    def config(self) -> HostFile | None:
        return self.files.get(self.config_path)

    @property
    def config_content(self) -> bytes | None:
        return self.config.content if self.config else None

    @property
    def config_mode(self) -> str:
        return self.config.mode if self.config else "644"

    @property
    def running(self) -> bool:
        return self.service.active

    @property
    def forgotten(self) -> int:
        """Number of containers that run without being known to the engine, as after its start on a full disk."""
        known = self.info.get("ContainersRunning")
        return 0 if known is None else max(0, len(self.containers) - known - self.info.get("ContainersPaused", 0))

    @property
    def engines(self) -> frozenset[int]:
        """PIDs of root's dockerd outside containers; on systemd, only docker.service's."""
        mine = self.in_service if self.init == "systemd" else lambda process: not process.in_container
        return frozenset(process.pid for process in self.processes if process.uid == 0 and mine(process))

    def in_service(self, process: Process) -> bool:
        """Return whether docker.service (its control group may be unknown) runs the process."""
        if group := self.service.cgroup:
            return process.cgroup == group or process.cgroup.startswith(f"{group}/")
        return "docker.service" in process.cgroup.split("/") and not process.in_container

    @property
    def engine_listens(self) -> bool:
        return any(pid in self.engines for pid in self.listeners)

    @property
    def os_name(self) -> str:
        release = self.os_release
        return release.get("PRETTY_NAME") or release.get("NAME") or release.get("ID") or "an unknown system"


def now() -> datetime:
    return datetime.now(UTC)


def facts_command(port: int, *, patience: int = PATIENCE) -> str:
    scripts = "".join(map(resource, ("engine.sh", "facts.sh")))
    return f"port={port:d} patience={patience:d}\n{scripts}"


def parse_facts(output: bytes) -> Facts:
    """Parse the output. Raises MachineError."""
    try:
        host = facts(read_answer(output, "The host"))
    except (ValueError, IndexError, KeyError, binascii.Error) as exc:
        raise MachineError("The host's answer is invalid", Hint("Try again with --debug")) from exc
    for path, file in host.files.items():
        if len(file.content) > LARGEST_FILE:
            raise MachineError(
                f"{path} on the host has more than {LARGEST_FILE >> 20} MB, too much for an engine's configuration",
                Hint("On the host", f"ls -l {path}; fix it, or move it away"),
            )
    return host


def facts(said: Sections) -> Facts:
    word, text = said.word, said.text
    # Names= includes aliases.
    units = {name: unit for unit in parse_units(text("units")) for name in unit.get("Names", unit["Id"]).split()}
    openrc = said.firsts("openrc")
    unit = units.get("docker.service", {})
    if word("init") == "openrc":
        service = ServiceState(bool(word("dockerd")), "started" in openrc, "enabled" in openrc)
    else:
        service = ServiceState(
            unit.get("LoadState") not in {None, "", "not-found"},
            unit.get("ActiveState") in {"active", "reloading"},
            unit.get("UnitFileState", "").startswith("enabled"),
            unit.get("ControlGroup", ""),
            unit.get("ActiveState") == "failed",
        )
    info = engine_info(text("info"))
    files = {
        " ".join(w[3:]): HostFile(w[0], int(w[1]), int(w[2]), base64.b64decode("".join(lines), validate=True))
        for w, lines in said.get("file", ())
    }
    sums = {" ".join(w[4:]): Sum(w[0], int(w[1]), int(w[2]), w[3]) for w in said.each("sum")}
    if OWN_CA in files and CERTIFICATE_END not in files[OWN_CA].content:
        # A damaged CA is nobody's. A full disk leaves an empty file.
        sums.pop(OWN_CA, None)
    return Facts(
        uid=int(word("uid")),
        clock=min(max(int(word("clock")), 0), END_OF_TIME),
        arch=word("arch"),
        os_release=os_release(text("os")),
        init=word("init"),
        version=str(info.get("ServerVersion") or "".join(VERSION.findall(text("version"))[:1])),
        service=service,
        socket=ServiceState(active=units.get("docker.socket", {}).get("ActiveState") == "active"),
        socket_listens=tuple(units.get("docker.socket", {}).get("Listens", "").splitlines()),
        masked=frozenset(
            name for name, unit in units.items() if "masked" in {unit.get("LoadState"), unit.get("UnitFileState")}
        ),
        drop_ins=tuple(unit.get("DropInPaths", "").split()),
        unread=unit.get("NeedDaemonReload") == "yes",
        path_units=tuple(
            PathUnit(unit["Id"], tuple(unit["Paths"].splitlines()), unit.get("Triggers", ""))
            for unit in units.values()
            if "Paths" in unit and unit.get("ActiveState") == "active"
        ),
        info=info,
        swarm=info.get("Swarm", "inactive") not in {"inactive", ""} if info else "swarm" in said,
        files=files,
        sums=sums,
        **{each.name: each.metadata["read"](said) for each in fields(Facts) if "read" in each.metadata},
    )


def engine_info(text: str) -> dict[str, Any]:
    """Parse GET /info, without values of wrong types. Raises MachineError.

    `Swarm` is the node's state, `SwarmNode` its ID, `SwarmManager` whether it is a manager, `SwarmAutolock` whether a
    restart locks it.
    """
    try:
        said = json.loads(text or "{}")
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise MachineError(
            f"The host's engine answers {text[:60]!r} instead of its info", Hint("See it on the host", "docker info")
        )
    if isinstance(said.get("Swarm"), dict):
        said["SwarmNode"] = said["Swarm"].get("NodeID", "")
        said["SwarmManager"] = said["Swarm"].get("ControlAvailable")
        said["SwarmAutolock"] = '"AutoLockManagers": true' in json.dumps(said["Swarm"].get("Cluster"))
        said["Swarm"] = said["Swarm"].get("LocalNodeState", "")
    return {key: value for key, value in said.items() if isinstance(value, INFO.get(key, object))}


def parse_units(text: str) -> list[dict[str, str]]:
    """Parse `systemctl show` of several units. Paths are "/a (PathChanged)" each; old versions have the kind before.

    Addresses of sockets are "[::]:2375 (Stream)" each.
    """
    units: list[dict[str, str]] = [{}]
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if key.startswith(("Path", "Listen")):
            several = "Paths" if key.startswith("Path") else "Listens"
            units[-1][several] = units[-1].get(several, "") + re.sub(r" \(\w+\)$", "", value) + "\n"
        elif equals:
            units[-1][key] = value
        else:
            units.append({})
    return [unit for unit in units if "Id" in unit]


def os_release(text: str) -> dict[str, str]:
    """Parse os-release(5)."""
    values = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        if value[:1] in {'"', "'"} and value.endswith(value[0]):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        values[key] = value
    return values
