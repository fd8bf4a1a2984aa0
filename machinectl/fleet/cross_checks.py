"""Find errors between hosts, and between a host's options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl import url
from machinectl.errors import MachineError
from machinectl.fleet.fleet_keys import SWARM, DriverKeys
from machinectl.fleet.key_values import as_typed
from machinectl.fleet.yaml_nodes import place
from machinectl.machines import create_options, jump_hosts
from machinectl.machines.create_options import CERTIFICATES
from machinectl.machines.spec import NO_CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from machinectl.driver import OptionValue
    from machinectl.fleet.file_errors import Faults, Place
    from machinectl.fleet.model import FleetHost
    from machinectl.fleet.yaml_nodes import Entries

JUMP = create_options.JUMP.name


@dataclass(slots=True)
class HostEntry:
    host: FleetHost
    driver: DriverKeys
    entries: Entries

    def place(self, key: str) -> Place:
        return place(self.entries[key].value) if key in self.entries else self.host.place


def check_hosts(hosts: Sequence[HostEntry], names: Collection[str], faults: Faults) -> None:
    """Add errors. `names` are the file's hosts and the store's machines."""
    for each in hosts:
        if each.host.certificates is not NO_CERTIFICATES:
            check_certificates(each, faults)
        if each.host.swarm and not each.host.spec.provision:
            why = f"has {create_options.NO_PROVISION.name}, so that it cannot be a {each.host.swarm}"
            faults.add(each.place(SWARM), f"{each.host.name} {why}")
    check_identities(hosts, faults)
    check_jumps(hosts, names, faults)


def check_certificates(entry: HostEntry, faults: Faults) -> None:
    files = entry.host.certificates
    paths = (files.directory, files.ca, files.certificate, files.key)
    given = [key.name for key, path in zip(CERTIFICATES, paths, strict=True) if path]
    place = entry.place(given[0])
    if entry.host.spec.tls is False:
        faults.add(place, f"{entry.host.name} has {given[0]} and {create_options.NO_TLS.name}: remove one")
    if files.directory and len(given) > 1:
        faults.add(place, f"{entry.host.name} has {given[0]} and {given[1]}: remove one")
    if not files.whole:
        missing = [key.name for key in CERTIFICATES[1:] if key.name not in given]
        faults.add(place, f"{entry.host.name} lacks {' and '.join(missing)}, or {CERTIFICATES[0].name} in their place")


def check_identities(hosts: Sequence[HostEntry], faults: Faults) -> None:
    """Add entries that describe the same host."""
    seen: dict[tuple[object, ...], HostEntry] = {}
    for each in hosts:
        options = each.driver.identity
        values = [each.host.spec.options[name] for name in options.values()]
        if not any(values):
            continue
        first = seen.setdefault((each.driver.name, *map(normal, values)), each)
        if first is not each:
            same = f"{each.host.name} has the same {' and '.join(options)} as {first.host.name}: they are one host"
            faults.add(each.place(next(iter(options))), same)


def normal(value: OptionValue) -> OptionValue:
    """Normalize for comparison: lower case, URLs with ports."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if "://" not in text:
        return text.lower()
    try:
        return url.with_port(text).lower()
    except MachineError:
        return text


def check_jumps(hosts: Sequence[HostEntry], names: Collection[str], faults: Faults) -> None:
    jumping = [each for each in hosts if each.host.spec.jump]
    for each in jumping:
        through = each.host.spec.jump
        if each.driver.name in create_options.WITHOUT_HOST:
            faults.add(each.place(JUMP), f"{JUMP} is for SSH, which driver {each.driver.name} does not use")
        machine = jump_hosts.machine_of(through)
        if machine and machine not in names:
            near = faults.meant(machine, names)
            other = f"; write another host as user@host[:port] or {jump_hosts.HOST}NAME"
            more = f": did you mean {near}?" if near else other
            typed = as_typed(each.entries[JUMP].value, machine)
            faults.add(each.place(JUMP), f"{JUMP}: {typed!r} is neither a host of this file nor a machine{more}")
    by_name = {each.host.name: each for each in jumping}
    for loop in jump_hosts.loops({name: jump_hosts.machine_of(each.host.spec.jump) for name, each in by_name.items()}):
        faults.add(by_name[loop[0]].place(JUMP), f"{JUMP}: {jump_hosts.loop_text(loop)}")


def fleet_advice(hosts: Sequence[HostEntry], machines: Collection[str], faults: Faults) -> Iterator[str]:
    """Yield warnings. `machines` are the store's."""
    yield from missing_files([each for each in hosts if each.host.name not in machines], faults)
    managers = [each for each in hosts if each.host.swarm == "manager"]
    workers = [each for each in hosts if each.host.swarm == "worker"]
    if managers and len(managers) % 2 == 0:
        yield faults.line(
            managers[-1].place(SWARM),
            f"The Swarm has {len(managers)} managers: no safer than {len(managers) - 1}; use an odd number",
        )
    if workers and not managers:
        yield faults.line(workers[0].place(SWARM), "The Swarm has workers but no manager, so that it cannot be formed")


def missing_files(hosts: Sequence[HostEntry], faults: Faults) -> Iterator[str]:
    """Yield missing files that `create` needs, once per place."""
    named = dict.fromkeys(
        (each.place(key), key, path, as_typed(each.entries[key].value, path) if key in each.entries else path)
        for each in hosts
        for key, option in each.driver.options.items()
        if option.path
        for path in paths(each.host.spec.options[option.name])
    )
    for at, key, path, shown in sorted(named):
        if not os.path.exists(os.path.expanduser(path)):
            yield faults.line(at, f"{key}: there is no file {shown}")


def paths(value: OptionValue) -> Sequence[str]:
    return [str(each) for each in (value if isinstance(value, tuple) else (value,)) if each]
