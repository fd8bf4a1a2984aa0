"""What is wrong between hosts of a fleet, each of which is right by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from machinectl import url
from machinectl.errors import MachineError
from machinectl.fleet.keys import SWARM
from machinectl.fleet.reading.key_values import as_typed
from machinectl.machines import create_options, jump_hosts
from machinectl.machines.create_options import CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from machinectl.driver import OptionValue
    from machinectl.fleet.keys import DriverKeys
    from machinectl.fleet.model import FleetHost
    from machinectl.fleet.syntax.document import MapEntry
    from machinectl.fleet.syntax.faults import Faults, Place

JUMP = create_options.JUMP.name


class Said(NamedTuple):
    """A host as the file has it, with its driver, and what is said of it by key."""

    host: FleetHost
    driver: DriverKeys
    entries: Mapping[str, MapEntry]

    def place(self, key: str) -> Place:
        """Where a key is given its value for the host; where the host begins if it is not."""
        return self.entries[key].value.place if key in self.entries else self.host.place


def check(hosts: Sequence[Said], names: Collection[str], faults: Faults) -> None:
    """Note what is wrong between the hosts, and between the options of each.

    `names` are those of all hosts of the file and of the machines in the store.
    """
    for each in hosts:
        check_certificates(each, faults)
        check_role(each, faults)
    check_identities(hosts, faults)
    check_jumps(hosts, names, faults)


def check_certificates(said: Said, faults: Faults) -> None:
    files = said.host.certificates
    paths = (files.directory, files.ca, files.certificate, files.key)
    if not any(paths):
        return
    given = [key.name for key, path in zip(CERTIFICATES, paths, strict=True) if path]
    place = said.place(given[0])
    if said.host.spec.tls is False:
        faults.add(place, f"{said.host.name} has {given[0]} and {create_options.NO_TLS.name}, which exclude each other")
    if files.directory and len(given) > 1:
        faults.add(place, f"{said.host.name} has {given[0]} and {given[1]}, which exclude each other")
    if not files.whole:
        missing = [key.name for key in CERTIFICATES[1:] if key.name not in given]
        faults.add(place, f"{said.host.name} lacks {' and '.join(missing)}, or {CERTIFICATES[0].name} in their place")


def check_role(said: Said, faults: Faults) -> None:
    if said.host.swarm and not said.host.spec.provision:
        faults.add(
            said.place(SWARM),
            f"{said.host.name} is left as it is ({create_options.NO_PROVISION.name}): it cannot be a {said.host.swarm}",
        )


def check_identities(hosts: Sequence[Said], faults: Faults) -> None:
    """Note hosts that would be one."""
    seen: dict[tuple[object, ...], Said] = {}
    for each in hosts:
        options = each.driver.identity
        values = [each.host.spec.options[name] for name in options.values()]
        if not any(values):
            continue
        first = seen.setdefault((each.driver.name, *map(normal, values)), each)
        if first is not each:
            place = each.place(next(iter(options)))
            faults.add(
                place,
                f"{each.host.name} has the same {' and '.join(options)} as {first.host.name} "
                f"({faults.where(first.host.place, place)}): that is one host",
            )


def normal(value: OptionValue) -> OptionValue:
    """A value as it is compared: names know no case, and docker's URLs have a port."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if "://" not in text:
        return text.lower()
    try:
        return url.with_port(text).lower()
    except MachineError:
        return text


def check_jumps(hosts: Sequence[Said], names: Collection[str], faults: Faults) -> None:
    """Note jump hosts that there are not, and circles of them."""
    jumping = [each for each in hosts if each.host.spec.jump]
    for each in jumping:
        through = each.host.spec.jump
        if each.driver.name in create_options.WITHOUT_HOST:
            faults.add(each.place(JUMP), f"{JUMP} is for SSH, and driver {each.driver.name} knows of none")
        machine = jump_hosts.machine_of(through)
        if machine and machine not in names:
            near = faults.meant(machine, names)
            more = (
                f": did you mean {near}?"
                if near
                else f"; write another host as user@host[:port] or {jump_hosts.HOST}NAME"
            )
            typed = as_typed(each.entries[JUMP].value, machine)
            faults.add(each.place(JUMP), f"{JUMP}: {typed!r} is no host of this file and no machine{more}")
    by_name = {each.host.name: each for each in jumping}
    for loop in jump_hosts.loops({name: jump_hosts.machine_of(each.host.spec.jump) for name, each in by_name.items()}):
        faults.add(by_name[loop[0]].place(JUMP), f"{JUMP}: {jump_hosts.shown(loop)}")


def advice(hosts: Sequence[Said], machines: Collection[str], faults: Faults) -> Iterator[str]:
    """What is no error and yet not as it should be, each as a line of the file; `machines` are the store's names."""
    yield from missing_files([each for each in hosts if each.host.name not in machines], faults)
    managers = [each for each in hosts if each.host.swarm == "manager"]
    workers = [each for each in hosts if each.host.swarm == "worker"]
    if managers and len(managers) % 2 == 0:
        yield faults.line(
            managers[-1].place(SWARM),
            f"The Swarm has {len(managers)} managers: as many may fail as with {len(managers) - 1}; "
            "an odd number is better",
        )
    if workers and not managers:
        yield faults.line(workers[0].place(SWARM), "The Swarm has workers and no manager: there will be none")


def missing_files(hosts: Sequence[Said], faults: Faults) -> Iterator[str]:
    """What drivers are to read for hosts that are no machines yet, and is not there; each place once."""
    named = dict.fromkeys(
        (each.place(key), key, path, as_typed(each.entries[key].value, path) if key in each.entries else path)
        for each in hosts
        for key, option in each.driver.options.items()
        if option.path
        for path in paths(each.host.spec.options[option.name])
    )
    for place, key, path, shown in sorted(named):
        if not os.path.exists(os.path.expanduser(path)):
            yield faults.line(place, f"{key}: there is no {shown}")


def paths(value: OptionValue) -> Sequence[str]:
    """What a path option names, none where it was not given."""
    return [str(each) for each in (value if isinstance(value, tuple) else (value,)) if each]
