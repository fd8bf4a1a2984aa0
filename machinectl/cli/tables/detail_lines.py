"""A machine's details: fields for templates and JSON, and lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machinectl.cli.tables.text_table import align, cell_text
from machinectl.hosts.query_engines import MachineStatus
from machinectl.machines.record import Machine
from machinectl.quantities import human_duration, memory_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.errors import MachineError
    from machinectl.hosts.expiry import CertificateRow
    from machinectl.provision.facts.health import Health

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


class Info(MachineStatus):
    """Unknown values are empty. `unseen` is why `host` is None."""

    certificates: Sequence[CertificateRow] = ()
    host: Health | None = None
    unseen: MachineError | None = None

    @property
    def engine(self) -> dict[str, Any]:
        return self.told if isinstance(self.told, dict) else {}

    def said(self, key: str, kind: type) -> Any:
        """Return None for a missing or invalid value."""
        value = self.engine.get(key)
        # The engine counts in Go's int64.
        is_valid = type(value) is kind and not (isinstance(value, int) and abs(value) >= 1 << 63)
        return value if is_valid else None

    def fields(self) -> dict[str, Any]:
        """Use the names of docker's /info."""
        host, disk = self.host, self.host.data if self.host else None
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
            "Disk": disk
            and {
                "Path": disk.directory,
                "Total": disk.size << 10,
                "Used": disk.used << 10,
                "Free": disk.free << 10,
            },
            "Load": list(host.load) if host and host.load else None,
            "Uptime": host and host.uptime,
            "MemAvailable": (host and host.memory.available << 10) or None,
        }


FIELDS = tuple(Info(Machine("", "")).fields())


def info_text(one: Info) -> str:
    rows = []
    for name, values in details(one):
        first, *more = [cell_text(value) for value in values if value] or [""]
        rows += [f"{name}:\t{first}"] if first else []
        rows += [f"\t{value}" for value in more]
    return "".join(f"{row}\n" for row in align(rows, narrowest=0, padding=1))


def details(one: Info) -> Iterator[tuple[str, list[str]]]:
    fields = one.fields()
    count, total, available = (fields[key] for key in ("Containers", "MemTotal", "MemAvailable"))
    states = ", ".join(
        f"{fields[f'Containers{state}'] or 0} {state.lower()}" for state in ("Running", "Paused", "Stopped")
    )
    free = f", {memory_size(available)} available" if available is not None else ""
    yield "Name", [fields["Name"]]
    yield "Driver", [fields["DriverName"]]
    yield "URL", [fields["URL"]]
    yield "State", [fields["State"]]
    yield "Engine", [f"{fields['Version']} (API {fields['APIVersion']})" if fields["Version"] else ""]
    yield "Host name", [fields["HostName"]]
    yield "Operating system", [fields["OperatingSystem"]]
    yield "Kernel", [" ".join(fields[key] or "" for key in ("KernelVersion", "Architecture")).strip()]
    yield "CPUs", [str(fields["NCPU"] or "")]
    yield "Memory", ["" if total is None else f"{memory_size(total)}{free}"]
    yield "Containers", ["" if count is None else f"{count} ({states})"]
    yield "Images", ["" if fields["Images"] is None else str(fields["Images"])]
    yield "Storage driver", [fields["StorageDriver"]]
    yield "Docker root", [fields["DockerRootDir"]]
    yield "Engine labels", fields["EngineLabels"]
    yield "Labels", [f"{key}={value}" for key, value in sorted(one.machine.labels.items())]
    yield "Certificates", list(certificate_lines(one))
    if disk := fields["Disk"]:
        used, left = disk["Used"], disk["Free"]
        share = f" ({100 * used / (used + left):.0f}%)" if used + left else ""
        yield "Disk", [f"{memory_size(used)} of {memory_size(disk['Total'])} used{share}, at {disk['Path']}"]
    yield "Load", [" ".join(f"{load:.2f}" for load in fields["Load"] or ())]
    yield "Uptime", ["" if fields["Uptime"] is None else human_duration(fields["Uptime"])]


def certificate_lines(one: Info) -> Iterator[str]:
    for row in one.certificates:
        if row.expires is None or row.days_left is None:
            yield f"{row.file}: {row.warning}"
            continue
        left = f"{row.days_left} days left" if row.days_left >= 0 else "expired"
        warning = f"; {row.warning}" if row.warning and row.warning != left else ""
        yield f"{row.file}: until {row.expires:%Y-%m-%d}, {left}{warning}"
