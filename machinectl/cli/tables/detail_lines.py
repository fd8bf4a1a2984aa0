"""Print a machine's details for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.go.tabwriter import align
from machinectl.cli.tables.text_table import cell_text
from machinectl.quantities import human_duration, memory_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.commands.info import Info


def info_text(one: Info) -> str:
    rows = []
    for name, values in details(one):
        first, *more = [cell_text(value) for value in values if value] or [""]
        rows += [f"{name}:\t{first}"] if first else []
        rows += [f"\t{value}" for value in more]
    return "".join(f"{row}\n" for row in align(rows, narrowest=0, padding=1))


def details(one: Info) -> Iterator[tuple[str, list[str]]]:
    fields = one.fields()
    yield "Name", [fields["Name"]]
    yield "Driver", [fields["DriverName"]]
    yield "URL", [fields["URL"]]
    yield "State", [fields["State"]]
    yield "Engine", [f"{fields['Version']} (API {fields['APIVersion']})" if fields["Version"] else ""]
    yield "Host name", [fields["HostName"]]
    yield "Operating system", [fields["OperatingSystem"]]
    yield "Kernel", [" ".join(fields[key] or "" for key in ("KernelVersion", "Architecture")).strip()]
    yield "CPUs", [str(fields["NCPU"] or "")]
    yield "Memory", [memory_text(fields["MemTotal"], fields["MemAvailable"])]
    yield "Containers", [container_counts(one)]
    yield "Images", ["" if fields["Images"] is None else str(fields["Images"])]
    yield "Storage driver", [fields["StorageDriver"]]
    yield "Docker root", [fields["DockerRootDir"]]
    yield "Engine labels", fields["EngineLabels"]
    yield "Labels", [f"{key}={value}" for key, value in sorted(one.machine.labels.items())]
    yield "Certificates", list(certificate_lines(one))
    yield from host_details(one)


def memory_text(total: int | None, available: int | None) -> str:
    if total is None:
        return ""
    return memory_size(total) + (f", {memory_size(available)} available" if available is not None else "")


def container_counts(one: Info) -> str:
    count = one.said("Containers", int)
    if count is None:
        return ""
    states = ("Running", "Paused", "Stopped")
    parts = ", ".join(f"{one.said(f'Containers{state}', int) or 0} {state.lower()}" for state in states)
    return f"{count} ({parts})"


def certificate_lines(one: Info) -> Iterator[str]:
    for row in one.certificates:
        if row.expires is None or row.days_left is None:
            yield f"{row.file}: {row.warning}"
            continue
        left = f"{row.days_left} days left" if row.days_left >= 0 else "expired"
        warning = f"; {row.warning}" if row.warning and row.warning != left else ""
        yield f"{row.file}: until {row.expires:%Y-%m-%d}, {left}{warning}"


def host_details(one: Info) -> Iterator[tuple[str, list[str]]]:
    if one.host is None:
        return
    if disk := one.host.disk:
        share = f" ({100 * disk.used / (disk.used + disk.free):.0f}%)" if disk.used + disk.free else ""
        yield "Disk", [f"{memory_size(disk.used)} of {memory_size(disk.total)} used{share}, at {disk.path}"]
    if one.host.load:
        yield "Load", [" ".join(f"{each:.2f}" for each in one.host.load)]
    if one.host.uptime is not None:
        yield "Uptime", [human_duration(one.host.uptime)]
