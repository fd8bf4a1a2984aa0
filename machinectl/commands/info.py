"""`info`: details of engines, certificates and hosts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from machinectl.engine import EngineQuery
from machinectl.errors import MachineError
from machinectl.hosts.expiry import CertificateRow, certificate_rows
from machinectl.hosts.login import logged_in
from machinectl.hosts.query_engines import MachineStatus, engine_failures, query_engines, recorded_statuses
from machinectl.hosts.workers import run_at_once
from machinectl.json_values import go_names
from machinectl.machines.record import Machine
from machinectl.provision.facts.health import Vitals, parse_vitals, vitals_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store

INFO = EngineQuery("/info", dict)
# Fields of the API's SystemInfo, and their types.
OF_ENGINE: dict[str, type] = {
    "OperatingSystem": str,
    "OSType": str,
    "KernelVersion": str,
    "Architecture": str,
    "NCPU": int,
    "MemTotal": int,
    "Containers": int,
    "ContainersRunning": int,
    "ContainersPaused": int,
    "ContainersStopped": int,
    "Images": int,
    "DockerRootDir": str,
}
ROOT = "/var/lib/docker"
# Seconds to read a host's condition.
LOOK = 30.0
# The engine counts in Go's int64.
LARGEST = 2**63 - 1


class Info(MachineStatus):
    """Unknown values are empty. `unseen` is why `host` is None."""

    certificates: Sequence[CertificateRow] = ()
    host: Vitals | None = None
    unseen: MachineError | None = None

    @property
    def engine(self) -> dict[str, Any]:
        return self.told if isinstance(self.told, dict) else {}

    def said(self, key: str, kind: type) -> Any:
        """Return None for a missing or invalid value."""
        value = self.engine.get(key)
        if type(value) is not kind or (isinstance(value, int) and abs(value) > LARGEST):
            return None
        return value

    def fields(self) -> dict[str, Any]:
        """Use the names of docker's /info."""
        host = self.host or Vitals()
        return {
            "Name": self.machine.name,
            "DriverName": self.machine.driver,
            "URL": self.machine.url,
            "State": str(self.state),
            "Error": "; ".join(error.cause for error in (self.unnamed_failure, self.unseen) if error),
            "Version": self.said("ServerVersion", str) or self.version or None,
            "APIVersion": self.api_version or None,
            "HostName": self.said("Name", str),
            **{key: self.said(key, kind) for key, kind in OF_ENGINE.items()},
            "StorageDriver": self.said("Driver", str),
            "EngineLabels": [label for label in self.said("Labels", list) or () if isinstance(label, str)],
            "Labels": self.machine.labels,
            "Certificates": [
                {key: value for key, value in row.fields().items() if key != "Name"} for row in self.certificates
            ],
            "Disk": go_names(asdict(host.disk)) if host.disk else None,
            "Load": list(host.load) if host.load else None,
            "Uptime": host.uptime,
            "MemAvailable": host.available,
        }


FIELDS = tuple(Info(Machine("", "")).fields())


def info(
    store: Store, console: Console, names: Sequence[str], timeout: float, login: Login | None = None
) -> tuple[list[Info], list[MachineError]]:
    """Query the given machines, or all; with `login`, read their hosts, too.

    `timeout` is per machine.
    """
    found, missing = recorded_statuses(store, names or store.names(), Info)
    now = datetime.now(UTC)
    for one in found:
        # Files of a former listener may be left.
        if not one.machine.engine.ssh_only:
            one.certificates = list(certificate_rows(one.machine.name, store.directory(one.machine.name), now))
    for _ in query_engines(store, found, timeout, INFO):
        pass
    if login:
        read_hosts(found, console, login)
    return found, [
        *missing,
        *engine_failures(found),
        *(one.unseen.named(one.machine.name) for one in found if one.unseen),
    ]


def read_hosts(found: Sequence[Info], console: Console, login: Login) -> None:
    by_name = {one.machine.name: one for one in found if one.machine.driver}

    def read_vitals(name: str, console: Console) -> Vitals:
        script = vitals_command(by_name[name].said("DockerRootDir", str) or ROOT)
        with logged_in(by_name[name].machine, console, login.for_one_host(), quietly=True) as session:
            return parse_vitals(session.run(script, timeout=LOOK, check=False).text)

    for name, result in run_at_once(console, by_name, read_vitals):
        if not isinstance(result, MachineError):
            by_name[name].host = result
        else:
            by_name[name].unseen = result
