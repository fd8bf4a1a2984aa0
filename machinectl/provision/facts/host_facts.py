"""What a host is like, read by one remote command: the command, and what its answer means."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import MachineError, one_line
from machinectl.provision import resource
from machinectl.provision.facts import cgroups

if TYPE_CHECKING:
    from collections.abc import Mapping

DAEMON_JSON = "/etc/docker/daemon.json"
OWN_DIRECTORY = "/etc/docker/machinectl"
DROP_INS = "/etc/systemd/system/docker.service.d"
# The last second of the year 9999, the last that a calendar here has.
END_OF_TIME = 253402300799
# The kinds of what is read of `docker info`.
INFO: dict[str, type] = {
    "ServerVersion": str,
    "LiveRestoreEnabled": bool,
    "Swarm": str,
    "SwarmNode": str,
    "SecurityOptions": list,
    "DockerRootDir": str,
    "Driver": str,
    "DriverStatus": list,
    "Containers": int,
}
# How long a job that an earlier run left at work is waited for: an installation may take minutes.
PATIENCE = 120
# What is read of a file, and one byte more where it has more (facts.sh). Nobody's daemon.json has as much; in bytes.
LARGEST_FILE = 1 << 20
# A file of that size is a fifth of it.
MOST_LINES = 100_000
MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")


class HostFile(NamedTuple):
    """A file on the host. `mode` is in octal, as chmod takes it."""

    mode: str
    uid: int
    gid: int
    content: bytes


class Sum(NamedTuple):
    """A file whose content stays on the host: its SHA256 in hexadecimal."""

    mode: str
    uid: int
    gid: int
    sha256: str


class PackageLock(NamedTuple):
    """A package manager's lock, and the process that holds it (0: one outside the host's sight)."""

    pid: int
    process: str
    path: str


class PortListener(NamedTuple):
    """Who listens on the engine's port."""

    pid: int
    process: str


class Process(NamedTuple):
    """A running dockerd; `config` is the daemon.json that it was told to read, "" for the usual one."""

    pid: int
    uid: int
    cgroup: str
    config: str = ""


class Client(NamedTuple):
    """A docker CLI that is attached to the engine: its command, and the system's unit that started it, or ""."""

    pid: int
    verb: str
    unit: str


@dataclass(frozen=True)
class ServiceState:
    """A unit of the host's init system; `cgroup` is the control group of what it runs, "" where that is unknown."""

    loaded: bool = False
    active: bool = False
    enabled: bool = False
    cgroup: str = ""


@dataclass(frozen=True)
class Facts:
    """What a host is like at one moment.

    `clock` is in seconds since 1970; `free` in KiB, by directory. `dockerd` is its path, "" where there is none;
    `version` its version. `unit` is docker.service as `systemctl cat` prints it, `absent` are programs that it starts
    and that are not there, `dependents` the active units that systemd restarts along with it, and `environment` the
    lines of its environment files that may hold options. Of `socket`, docker.socket, only `active` is known.
    `masked` are the units that systemd refuses to start. `containerd` is the path of that program, "" where it is not
    there and None where that is not known; `containerd_service` is what systemd would start it by, if it can.
    `podman_socket` is whether podman answers where an engine would. `info` is what the running engine says of itself,
    and `links` where the directories of its data lead.
    """

    uid: int
    clock: int
    kernel: str
    arch: str
    hostname: str
    machine_id: str
    os_release: Mapping[str, str]
    init: str
    etc_writable: bool = True
    directories: frozenset[str] = frozenset()
    free: Mapping[str, int] = field(default_factory=dict)
    # Free inodes by directory, if its file system limits them.
    inodes: Mapping[str, int] = field(default_factory=dict)
    # Directories and files that even root cannot write, and why: read-only or immutable.
    unwritable: Mapping[str, str] = field(default_factory=dict)
    mac: str = ""
    dockerd: str = ""
    version: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    service: ServiceState = ServiceState()
    socket: ServiceState = ServiceState()
    # The addresses of docker.socket, as in ListenStream=.
    socket_listens: tuple[str, ...] = ()
    masked: frozenset[str] = frozenset()
    containerd: str | None = None
    containerd_service: bool = True
    unit: str = ""
    absent: frozenset[str] = frozenset()
    drop_ins: tuple[str, ...] = ()
    # Whether systemd has yet to read what the unit says.
    unread: bool = False
    dependents: tuple[str, ...] = ()
    # The flags for its addresses and TLS that the running engine was started with, by whatever starts it.
    started: frozenset[str] = frozenset()
    # Whether daemon.json was changed since then, and how many containers lie there for an engine that does not run.
    edited: bool = False
    stored: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    swarm: bool = False
    containers: frozenset[str] = frozenset()
    # The names of a Swarm node's containers that run and that nobody starts again when they have ended with its engine.
    once: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    podman: str = ""
    podman_socket: bool = False
    snap: bool = False
    # How many containers the snap's engine has.
    snap_containers: int = 0
    config_path: str = DAEMON_JSON
    files: Mapping[str, HostFile] = field(default_factory=dict)
    sums: Mapping[str, Sum] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    backup: str = ""
    listeners: tuple[PortListener, ...] = ()
    clients: tuple[Client, ...] = ()
    # Whether containers' shims are in docker.service's control group: its containerd is dockerd's own.
    own_shims: bool = False
    locks: tuple[PackageLock, ...] = ()
    dpkg_interrupted: bool = False
    transaction: str = ""
    # The first line of the file that says which of our changes was the last (`revision.Revision`).
    revision: str = ""
    job: int = 0
    firewalls: Mapping[str, str] = field(default_factory=dict)
    # The file of firewalld's default zone, if a first change would create it.
    zone_file: str = ""
    # Why a connection from here to the engine's port failed; `refused` if nothing listens there.
    no_way: str = ""
    refused: bool = False

    @property
    def config(self) -> HostFile | None:
        """daemon.json, wherever the unit says that it is."""
        return self.files.get(self.config_path)

    @property
    def running(self) -> bool:
        """Whether the engine's service runs."""
        return self.service.active

    @property
    def engines(self) -> frozenset[int]:
        """The processes that are the engine: root's, and the service's where there is systemd to say what that runs."""
        mine = self.in_service if self.init == "systemd" else lambda it: not cgroups.in_container(it.cgroup)
        return frozenset(process.pid for process in self.processes if process.uid == 0 and mine(process))

    def in_service(self, process: Process) -> bool:
        """Whether docker.service runs a process."""
        return cgroups.in_service(process.cgroup, self.service.cgroup)

    @property
    def engine_listens(self) -> bool:
        """Whether the engine listens on its port."""
        return any(listener.pid in self.engines for listener in self.listeners)

    @property
    def os_name(self) -> str:
        release = self.os_release
        return release.get("PRETTY_NAME") or release.get("NAME") or release.get("ID") or "an unknown system"


def now() -> datetime:
    """The time here, to hold a host's clock against."""
    return datetime.now(UTC)


def command(port: int, *, patience: int = PATIENCE) -> str:
    """The shell script that reads a host; `port` is where its engine listens or shall listen."""
    return f"port={port:d} patience={patience:d}\n{resource('engine.sh')}\n{resource('facts.sh')}"


class Section(NamedTuple):
    words: list[str]
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def parse(output: bytes) -> Facts:
    """Read what the script printed; what else a login printed is left out. Raises MachineError where it is cut."""
    if output.count(b"\n") > MOST_LINES:
        raise MachineError(
            f"The host's answer has more than {MOST_LINES} lines, which no host has", "Try again with --debug"
        )
    found = sections(output.decode(errors="replace"))
    if "job" in found:
        raise MachineError(
            f"An earlier run is still at work on the host (process {one_line(' '.join(found['job'][0].words))})",
            "Wait for it and try again; what it does is in /run/machinectl/log on the host",
        )
    if "begin" not in found or "end" not in found:
        last = output.decode(errors="replace").strip().splitlines()[-1:]
        end = f" and ends in {one_line(last[0])!r}" if last else ""
        raise MachineError(
            f"The host could not be read: the answer is incomplete{end}",
            "Try again with --debug",
        )
    try:
        host = facts(found)
    except (ValueError, IndexError, KeyError, binascii.Error) as exc:
        raise MachineError("The host's answer cannot be understood", "See what it answers: --debug") from exc
    for path, file in host.files.items():
        if len(file.content) > LARGEST_FILE:
            raise MachineError(
                f"{path} on the host has more than {LARGEST_FILE >> 20} MB, which no configuration of an engine has",
                f"On the host: ls -l {path}; mend it, or move it away",
            )
    return host


def sections(text: str) -> dict[str, list[Section]]:
    found: dict[str, list[Section]] = defaultdict(list)
    current: Section | None = None
    for line in text.split("\n"):
        if line.startswith("@"):
            name, *words = line[1:].split() or [""]
            if name == "begin":
                found.clear()
            current = Section(words, [])
            found[name].append(current)
        elif line.startswith("|") and current is not None:
            current.lines.append(line[1:])
    return found


def facts(found: dict[str, list[Section]]) -> Facts:
    def words(name: str) -> list[str]:
        return found[name][0].words if name in found else []

    def word(name: str) -> str:
        return " ".join(words(name))

    def text(name: str) -> str:
        return found[name][0].text if name in found else ""

    # An alias is shown under the name of the unit that it is another name of.
    units = {name: unit for unit in properties(text("units")) for name in unit.get("Names", unit["Id"]).split()}
    openrc = {section.words[0] for section in found.get("openrc", ())}
    unit = units.get("docker.service", {})
    if word("init") == "openrc":
        service = ServiceState(bool(word("dockerd")), "started" in openrc, "enabled" in openrc)
    else:
        service = ServiceState(
            unit.get("LoadState") not in {None, "", "not-found"},
            unit.get("ActiveState") in {"active", "reloading"},
            unit.get("UnitFileState", "").startswith("enabled"),
            unit.get("ControlGroup", ""),
        )
    info = engine_info(text("info"))
    return Facts(
        uid=int(word("uid")),
        clock=clock(word("clock")),
        kernel=word("kernel"),
        arch=word("arch"),
        hostname=word("hostname"),
        machine_id=word("machine-id"),
        os_release=os_release(text("os")),
        init=word("init"),
        etc_writable="writable" in found,
        directories=frozenset(section.words[0] for section in found.get("directory", ())),
        free=dict(zip(("/", "/usr", "/var", "/etc"), map(int, words("free")), strict=False)),
        inodes={
            directory: int(count)
            for directory, count in zip(("/usr", "/var", "/etc"), words("inodes"), strict=False)
            if count.isdecimal()
        },
        unwritable={" ".join(w[1:]): w[0] for w in each(found, "unwritable") if w[1:]},
        mac=word("mac") if MAC.fullmatch(word("mac")[:64]) else "",
        dockerd=word("dockerd"),
        version=str(info.get("ServerVersion") or version(text("version"))),
        packages={line.split()[0]: line.split()[1] for line in text("packages").splitlines()},
        service=service,
        socket=ServiceState(active=units.get("docker.socket", {}).get("ActiveState") == "active"),
        socket_listens=tuple(" ".join(words) for words in each(found, "socket-listens") if words),
        masked=frozenset(name for name, unit in units.items() if is_masked(unit)),
        containerd=word("containerd") if "containerd" in found else None,
        containerd_service="containerd-socket" in found
        or units.get("containerd.service", {}).get("LoadState") != "not-found",
        unit=text("unit"),
        absent=frozenset(" ".join(words) for words in each(found, "absent")),
        drop_ins=tuple(unit.get("DropInPaths", "").split()),
        unread=unit.get("NeedDaemonReload") == "yes",
        started=frozenset(words[0] for words in each(found, "started") if words),
        edited="edited" in found,
        stored=int(word("stored") or 0),
        dependents=tuple(sorted({section.words[0] for section in found.get("dependent", ()) if section.words})),
        environment={section.words[0]: section.text for section in found.get("environment", ())},
        info=info,
        swarm=info.get("Swarm", "inactive") not in {"inactive", ""} if info else "swarm" in found,
        containers=frozenset(section.words[0] for section in found.get("container", ()) if section.words),
        once=tuple(sorted({words[0] for words in each(found, "once") if words})),
        # One without a cgroup has ended since it was seen: dockerd forks to run iptables and the like.
        processes=tuple(process(section) for section in found.get("process", ()) if section.words[2:]),
        podman=word("podman"),
        podman_socket="podman-socket" in found,
        snap="snap" in found,
        snap_containers=int(word("snap") or 0),
        config_path=word("config"),
        files={
            " ".join(section.words[3:]): HostFile(
                section.words[0],
                int(section.words[1]),
                int(section.words[2]),
                base64.b64decode("".join(section.lines), validate=True),
            )
            for section in found.get("file", ())
        },
        sums={" ".join(w[4:]): Sum(w[0], int(w[1]), int(w[2]), w[3]) for w in each(found, "sum")},
        links={w[0]: " ".join(w[1:]) for w in each(found, "link") if w[1:]},
        backup=word("backup"),
        listeners=tuple(PortListener(int(w[0]), " ".join(w[1:])) for w in each(found, "listener")),
        own_shims="shims" in found,
        clients=tuple(Client(int(w[0]), w[1], " ".join(w[2:])) for w in each(found, "client")),
        locks=tuple(PackageLock(int(w[0]), " ".join(w[1:-1]), w[-1]) for w in each(found, "lock")),
        dpkg_interrupted="interrupted" in found,
        transaction=word("transaction"),
        revision=word("revision"),
        zone_file=word("zone"),
        firewalls={section.words[0]: section.text for section in found.get("firewall", ())},
    )


def is_masked(unit: Mapping[str, str]) -> bool:
    return "masked" in {unit.get("LoadState"), unit.get("UnitFileState")}


def clock(text: str) -> int:
    """Seconds since 1970. Raises MachineError for what is no date to anybody: a clock whose battery is empty."""
    if not 0 <= int(text) <= END_OF_TIME:
        raise MachineError(
            f"The host's clock says {text[:30]} seconds since 1970, which is no date",
            "Set it: timedatectl set-ntp true",
        )
    return int(text)


def engine_info(text: str) -> dict[str, Any]:
    """What the engine says of itself (GET /info), of Swarm the node's state, and as SwarmNode its ID.

    What is not of its kind, it does not say. Raises MachineError.
    """
    try:
        said = json.loads(text or "{}")
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise MachineError(
            f"The host's engine does not say what it is but {text[:60]!r}", "See it on the host: docker info"
        )
    if isinstance(said.get("Swarm"), dict):
        said["SwarmNode"] = said["Swarm"].get("NodeID", "")
        said["Swarm"] = said["Swarm"].get("LocalNodeState", "")
    return {key: value for key, value in said.items() if isinstance(value, INFO.get(key, object))}


def process(section: Section) -> Process:
    pid, uid, *cgroup = section.words
    flag, _, path = section.text.partition("\n")
    return Process(int(pid), int(uid), " ".join(cgroup), flag.partition("=")[2] or path)


def each(found: dict[str, list[Section]], name: str) -> list[list[str]]:
    return [section.words for section in found.get(name, ())]


def properties(text: str) -> list[dict[str, str]]:
    """What `systemctl show` prints of several units: KEY=VALUE lines, an empty line between two."""
    units: list[dict[str, str]] = [{}]
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            units[-1][key] = value
        elif units[-1]:
            units.append({})
    return [unit for unit in units if "Id" in unit]


def os_release(text: str) -> dict[str, str]:
    """os-release(5): shell assignments, of which only quotes and their backslashes are to be undone."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        if value[:1] in {'"', "'"} and value.endswith(value[0]):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found[key] = value
    return found


def version(text: str) -> str:
    """26.1.5+dfsg1 of `Docker version 26.1.5+dfsg1, build 411e817`."""
    match = re.search(r"version (\S+?),?(?:\s|$)", text)
    return match[1] if match else ""
