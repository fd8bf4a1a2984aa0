"""Facts about a host, and their parser."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import Hint, MachineError
from machinectl.provision.facts import cgroups
from machinectl.provision.facts.sections import Sections, read_answer
from machinectl.provision.scripts import resource

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class Room(NamedTuple):
    """Free KiB and inodes (None if unlimited) of a directory that an installation or an engine writes to."""

    kib: int
    inodes: int | None = None


class PortListener(NamedTuple):
    pid: int
    process: str


class Process(NamedTuple):
    """A running dockerd."""

    pid: int
    uid: int
    cgroup: str


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


@dataclass(frozen=True)
class Facts:
    """A host at one moment.

    `clock`: seconds since 1970. `dockerd`: its path, "" if missing. `unit`: `systemctl cat`. `dependents`: units that
    restart with it. `environment`: options in its environment files. `impostor`: what stands in for an engine, such as
    podman. `info`: GET /info. `links`: targets of data directories.
    """

    uid: int
    clock: int
    arch: str
    os_release: Mapping[str, str]
    init: str
    directories: frozenset[str] = frozenset()
    room: Mapping[str, Room] = field(default_factory=dict)
    # Paths that not even root can write: on a read-only file system, or immutable.
    unwritable: frozenset[str] = frozenset()
    mac: str = ""
    dockerd: str = ""
    version: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    # All packages that the last installation brought, if the host was not booted since.
    new_packages: tuple[str, ...] = ()
    service: ServiceState = ServiceState()
    socket: ServiceState = ServiceState()
    # docker.socket's ListenStream=.
    socket_listens: tuple[str, ...] = ()
    masked: frozenset[str] = frozenset()
    unit: str = ""
    # Programs that the unit names and that are missing.
    absent: frozenset[str] = frozenset()
    drop_ins: tuple[str, ...] = ()
    # The unit needs a daemon-reload.
    unread: bool = False
    dependents: tuple[str, ...] = ()
    path_units: tuple[PathUnit, ...] = ()
    # daemon.json changed since the engine started; number of containers of a stopped engine.
    edited: bool = False
    stored: int = 0
    # The same for clients.pem: the engine may still accept a CA that is no longer in it.
    clients_edited: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    swarm: bool = False
    containers: frozenset[str] = frozenset()
    # By container: the process of its shim, which ends with it, and its name.
    shims: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    # Containers that restart again and again.
    looping: frozenset[str] = frozenset()
    # Containers that have ended by themselves, with success.
    finished: frozenset[str] = frozenset()
    # A Swarm node's containers that an engine restart ends for good.
    once: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    impostor: str = ""
    snap: bool = False
    config_path: str = DAEMON_JSON
    files: Mapping[str, HostFile] = field(default_factory=dict)
    sums: Mapping[str, Sum] = field(default_factory=dict)
    # The CAs (PEM) in the file that the engine's `tlscacert` names, if it is none of ours.
    trusted: bytes = b""
    links: Mapping[str, str] = field(default_factory=dict)
    backup: str = ""
    listeners: tuple[PortListener, ...] = ()
    clients: tuple[Client, ...] = ()
    # dockerd runs its own containerd, so docker.service's control group holds the containers' shims.
    own_shims: bool = False
    transaction: str = ""
    # The first line of the revision file.
    revision: str = ""
    firewalls: Mapping[str, str] = field(default_factory=dict)
    # firewalld's default zone file, if our change would create it.
    zone_file: str = ""
    # The user who logged in, "" if root; their groups, and the group that may use the engine's socket.
    login: str = ""
    login_groups: frozenset[str] = frozenset()
    socket_group: str = "docker"
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
        mine = self.in_service if self.init == "systemd" else lambda it: not cgroups.in_container(it.cgroup)
        return frozenset(process.pid for process in self.processes if process.uid == 0 and mine(process))

    def in_service(self, process: Process) -> bool:
        return cgroups.in_service(process.cgroup, self.service.cgroup)

    @property
    def engine_listens(self) -> bool:
        return any(listener.pid in self.engines for listener in self.listeners)

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
    found = read_answer(output, "The host")
    try:
        host = facts(found)
    except (ValueError, IndexError, KeyError, binascii.Error) as exc:
        raise MachineError("The host's answer is invalid", Hint("Try again with --debug")) from exc
    for path, file in host.files.items():
        if len(file.content) > LARGEST_FILE:
            raise MachineError(
                f"{path} on the host has more than {LARGEST_FILE >> 20} MB, too much for an engine's configuration",
                Hint("On the host", f"ls -l {path}; fix it, or move it away"),
            )
    return host


def facts(found: Sections) -> Facts:
    words, word, text, each = found.words, found.word, found.text, found.each
    # Names= includes aliases.
    units = {name: unit for unit in parse_units(text("units")) for name in unit.get("Names", unit["Id"]).split()}
    openrc = found.firsts("openrc")
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
        for w, lines in found.get("file", ())
    }
    return Facts(
        uid=int(word("uid")),
        clock=min(max(int(word("clock")), 0), END_OF_TIME),
        arch=word("arch"),
        os_release=os_release(text("os")),
        init=word("init"),
        directories=found.firsts("directory"),
        room={" ".join(w[2:]): Room(int(w[0]), int(w[1]) if w[1].isdecimal() else None) for w in each("room")},
        unwritable=frozenset(map(" ".join, each("unwritable"))),
        mac=word("mac") if MAC.fullmatch(word("mac")[:64]) else "",
        dockerd=word("dockerd"),
        version=str(info.get("ServerVersion") or parse_version(text("version"))),
        packages={line.split()[0]: line.split()[1] for line in text("packages").splitlines()},
        new_packages=tuple(words("new_packages")),
        service=service,
        socket=ServiceState(active=units.get("docker.socket", {}).get("ActiveState") == "active"),
        socket_listens=tuple(map(" ".join, each("socket-listens"))),
        masked=frozenset(
            name for name, unit in units.items() if "masked" in {unit.get("LoadState"), unit.get("UnitFileState")}
        ),
        unit=text("unit"),
        absent=frozenset(map(" ".join, each("absent"))),
        drop_ins=tuple(unit.get("DropInPaths", "").split()),
        unread=unit.get("NeedDaemonReload") == "yes",
        edited="edited" in found,
        clients_edited="clients-edited" in found,
        stored=int(word("stored") or 0),
        dependents=tuple(sorted(found.firsts("dependent"))),
        path_units=tuple(
            PathUnit(unit["Id"], tuple(unit["Paths"].splitlines()), unit.get("Triggers", ""))
            for unit in units.values()
            if "Paths" in unit and unit.get("ActiveState") == "active"
        ),
        environment={section.words[0]: section.text for section in found.get("environment", ())},
        info=info,
        swarm=info.get("Swarm", "inactive") not in {"inactive", ""} if info else "swarm" in found,
        containers=found.firsts("container"),
        shims={w[0]: w[1] for w in each("container") if w[1:]},
        names={w[0]: w[1] for w in each("known") if w[1:]},
        looping=frozenset(w[0] for w in each("known") if w[2:] == ["looping"]),
        finished=frozenset(w[0] for w in each("known") if w[2:] == ["finished"]),
        once=tuple(sorted(found.firsts("once"))),
        # A process without a cgroup has ended, such as a fork of dockerd for iptables.
        processes=tuple(Process(int(w[0]), int(w[1]), " ".join(w[2:])) for w in each("process") if w[2:]),
        impostor=word("impostor"),
        snap="snap" in found,
        config_path=word("config"),
        files=files,
        sums=sums_of(found, files),
        trusted=base64.b64decode(text("trusted").replace("\n", ""), validate=True),
        links={w[0]: " ".join(w[1:]) for w in each("link") if w[1:]},
        backup=word("backup"),
        listeners=tuple(PortListener(int(w[0]), " ".join(w[1:])) for w in each("listener")),
        own_shims="shims" in found,
        clients=tuple(Client(int(w[0]), w[1], " ".join(w[2:])) for w in each("client")),
        transaction=word("transaction"),
        revision=word("revision"),
        login="".join(words("login")[:1]),
        login_groups=frozenset(words("login")[1:]),
        socket_group=word("socket-group") or "docker",
        zone_file=word("zone"),
        firewalls={section.words[0]: section.text for section in found.get("firewall", ())},
    )


def sums_of(found: Sections, files: Mapping[str, HostFile]) -> dict[str, Sum]:
    """Leave a damaged CA out: it is nobody's. A full disk leaves an empty file."""
    sums = {" ".join(w[4:]): Sum(w[0], int(w[1]), int(w[2]), w[3]) for w in found.each("sum")}
    ca = files.get(OWN_CA)
    return {path: each for path, each in sums.items() if path != OWN_CA or ca is None or CERTIFICATE_END in ca.content}


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
    """Parse `systemctl show` of several units. Paths are "/a (PathChanged)" each; old versions have the kind before."""
    units: list[dict[str, str]] = [{}]
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if key.startswith("Path"):
            units[-1]["Paths"] = units[-1].get("Paths", "") + re.sub(r" \(\w+\)$", "", value) + "\n"
        elif equals:
            units[-1][key] = value
        else:
            units.append({})
    return [unit for unit in units if "Id" in unit]


def os_release(text: str) -> dict[str, str]:
    """Parse os-release(5)."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        if value[:1] in {'"', "'"} and value.endswith(value[0]):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found[key] = value
    return found


def parse_version(text: str) -> str:
    """Return 26.1.5+dfsg1 for `Docker version 26.1.5+dfsg1, build 411e817`."""
    match = re.search(r"version (\S+?),?(?:\s|$)", text)
    return match[1] if match else ""
