"""Find errors between hosts, and between a host's options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.fleet.fleet_keys import SWARM, normal
from machinectl.machines import create_options, jump_hosts
from machinectl.machines.create_options import CERTIFICATES, NO_PROVISION, NO_TLS
from machinectl.machines.spec import NO_CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machinectl.fleet.file_errors import Faults
    from machinectl.fleet.host_reader import HostEntry

JUMP = create_options.JUMP.name


def check_hosts(hosts: Sequence[HostEntry], names: Collection[str], faults: Faults) -> None:
    """Add errors. `names` are the file's hosts and the store's machines."""
    for entry in hosts:
        if entry.host.certificates is not NO_CERTIFICATES:
            check_certificates(entry, faults)
        if entry.host.swarm and not entry.host.spec.provision:
            why = f"has {NO_PROVISION.name}, so that it cannot be a {entry.host.swarm}"
            faults.add(entry.place(SWARM), f"{entry.host.name} {why}")
    check_identities(hosts, faults)
    check_jumps(hosts, names, faults)


def check_certificates(entry: HostEntry, faults: Faults) -> None:
    files = entry.host.certificates
    paths = (files.directory, files.ca, files.certificate, files.key)
    given = [key.name for key, path in zip(CERTIFICATES, paths, strict=True) if path]
    at, name = entry.place(given[0]), entry.host.name
    if entry.host.spec.tls is False:
        faults.add(at, f"{name} has {given[0]} and {NO_TLS.name}: remove one")
    if files.directory and len(given) > 1:
        faults.add(at, f"{name} has {given[0]} and {given[1]}: remove one")
    if not files.whole:
        missing = [key.name for key in CERTIFICATES[1:] if key.name not in given]
        faults.add(at, f"{name} lacks {' and '.join(missing)}, or {CERTIFICATES[0].name} in their place")


def check_identities(hosts: Sequence[HostEntry], faults: Faults) -> None:
    """Add entries that describe the same host."""
    seen: dict[tuple[object, ...], HostEntry] = {}
    for entry in hosts:
        options = entry.driver.identity
        values = [entry.host.spec.options[name] for name in options.values()]
        first = seen.setdefault((entry.driver.name, *map(normal, values)), entry) if any(values) else entry
        if first is not entry:
            same = f"{entry.host.name} has the same {' and '.join(options)} as {first.host.name}: they are one host"
            faults.add(entry.place(next(iter(options))), same)


def check_jumps(hosts: Sequence[HostEntry], names: Collection[str], faults: Faults) -> None:
    jumping = {entry.host.name: entry for entry in hosts if entry.host.spec.jump}
    jumps = {name: jump_hosts.machine_of(entry.host.spec.jump) for name, entry in jumping.items()}
    for name, entry in jumping.items():
        if entry.driver.name in create_options.WITHOUT_HOST:
            faults.add(entry.place(JUMP), f"{JUMP} is for SSH, which driver {entry.driver.name} does not use")
        if (machine := jumps[name]) and machine not in names:
            near = faults.meant(machine, names)
            other = f"; write another host as user@host[:port] or {jump_hosts.HOST}NAME"
            more = f": did you mean {near}?" if near else other
            faults.add(entry.place(JUMP), f"{JUMP}: {machine!r} is neither a host of this file nor a machine{more}")
    for loop in jump_hosts.loops(jumps):
        faults.add(jumping[loop[0]].place(JUMP), f"{JUMP}: {jump_hosts.loop_text(loop)}")
