"""What is to be done so that machines are as a fleet's file says: the file beside their records, and nothing else."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.driver import Instance
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError, UsageError
from machinectl.fleet.keys import LABELS
from machinectl.fleet.reading.host_checks import normal
from machinectl.fleet.syntax.faults import Faults
from machinectl.machines.engine_options import DECLARED
from machinectl.machines.jump_hosts import loops, machine_of
from machinectl.machines.jump_hosts import shown as shown_loop
from machinectl.machines.record import PROVISION, BrokenRecord, Machine, Phase
from machinectl.machines.swarm_node import node_of
from machinectl.masking import HIDDEN, without_secret_of, without_secrets
from machinectl.rollout.plan_steps import Action, Difference, Plan, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from machinectl.driver import Driver, Option, OptionValue
    from machinectl.fleet.model import Fleet, FleetHost
    from machinectl.fleet.syntax.hidden_values import Hidden
    from machinectl.machines.engine_options import Declared
    from machinectl.machines.spec import CertificateFiles, MachineSpec

    # Whether a machine (None: it is yet to be made) has the certificates that files hold. Raises MachineError where
    # those are wrong, BrokenRecord if its own are.
    HasCertificates = Callable[[Machine | None, CertificateFiles], bool]

# The engine options that an engine takes in its restart alone; the others are for installing one, and it stays. So does
# its certificate where it has names that are not asked for any more.
RESTARTING = frozenset({"options", "insecure_registries", "registry_mirrors", "env", "storage_driver", "bind"})
NAMES = "tls_sans"
# Of "options", what a reload is enough for.
RELOADED = "live-restore="
# The keys under which a difference in certificates is told.
OF_DIRECTORY, OF_FILES = GIVEN = ("tls-dir", "tls-client-cert")
# What is the same in any order.
UNORDERED = frozenset({"insecure_registries", "env", NAMES})
# The driver's option that says where the engine is: `set --url` changes that for machines of any driver.
URL = "url"


def plan(
    fleet: Fleet,
    records: Mapping[str, Machine | MachineError],
    has_certificates: HasCertificates,
    called: str = "",
    only: Collection[str] | None = None,
) -> Plan:
    """Return the steps for each host of the file and each machine that came from it, or for `only` some of them.

    `records` is what the store has under each of its names: a machine, or why its record cannot be read. Only those
    needed are read. Steps are in the file's order, but jump hosts come before the hosts behind them. Machines to be
    removed come last, those behind jump hosts first. `called` is the file as the user called it. Raises WrongFile with
    all conflicts between the file and the existing machines.
    """
    by_lower = {name.lower(): name for name in records}
    taken = functools.cache(lambda: set_up_as(fleet, records))
    hosts = fleet.hosts if only is None else [host for host in fleet.hosts if host.name in only]
    steps: dict[str, Step] = {}
    faults = Faults(called or fleet.id.text, fleet.hidden)
    for host in hosts:
        try:
            machine = usable(host, records, by_lower)
            if isinstance(machine, MachineError):
                steps[host.name] = Step(host.name, Action.FAIL, host, error=machine)
                continue
            if machine is None:
                check_not_taken(host, taken())
            steps[host.name] = step(fleet, host, machine, has_certificates)
        except BrokenRecord as broken:
            steps[host.name] = Step(host.name, Action.FAIL, host, error=broken)
        except MachineError as exc:
            faults.add(host.place, exc.cause, exc.hint)
    jumps = {host.name: machine_of(host.spec.jump) for host in fleet.hosts}
    note_loops(hosts, jumps, records, faults)
    faults.tell()
    others = [name for name in (records if only is None else only) if name not in jumps]
    gone = {name: machine for name, machine in read(records, others).items() if fleet.id.owns(machine.fleet)}
    removed = in_order({name: machine_of(machine.jump) for name, machine in gone.items()})
    return Plan(
        (
            *(steps[name] for name in in_order(jumps) if name in steps),
            *(Step(name, Action.REMOVE) for name in reversed(removed)),
        )
    )


def note_loops(
    hosts: Sequence[FleetHost],
    jumps: Mapping[str, str],
    records: Mapping[str, Machine | MachineError],
    faults: Faults,
) -> None:
    """Report loops of jump hosts between hosts of the file and machines that are not in it.

    `jumps` has the jump host of every host of the file.
    """
    places = {host.name: host.place for host in hosts}
    others = ways_beyond(places, jumps, records)
    for loop in loops({**jumps, **others}) if others else ():
        first = next((name for name in loop if name in places), "")
        other = next((name for name in loop if name in others), "")
        if first and other:
            faults.add(places[first], shown_loop(loop), f"Break the loop: machinectl set --ssh-jump none {other}")


def ways_beyond(
    names: Iterable[str], jumps: Mapping[str, str], records: Mapping[str, Machine | MachineError]
) -> dict[str, str]:
    """Return the machines that are not in the file and that hosts are reached through, each with its jump host."""
    others: dict[str, str] = {}
    passed: set[str] = set()
    for name in names:
        at = jumps[name]
        while at and at not in passed:
            passed.add(at)
            if at not in jumps:
                machine = records.get(at)
                others[at] = machine_of(machine.jump) if isinstance(machine, Machine) else ""
            at = jumps[at] if at in jumps else others[at]
    return others


def read(records: Mapping[str, Machine | MachineError], names: Iterable[str]) -> dict[str, Machine]:
    """The machines among what the store has under some names."""
    return {name: found for name in names if isinstance(found := records.get(name), Machine)}


def usable(
    host: FleetHost, records: Mapping[str, Machine | MachineError], by_lower: Mapping[str, str]
) -> Machine | MachineError | None:
    """The machine of a host's name, or why its record cannot be read; None where there is none.

    Raises MachineError where the name is taken.
    """
    name = by_lower.get(host.name.lower(), host.name)
    if name != host.name:
        raise MachineError(
            f'Machine "{name}" is there already, and a name that differs in case only is the same',
            f"Call the host {name} in the file, or give the machine another name: machinectl rename {name} <NEW-NAME>",
        )
    machine = records.get(name)
    if isinstance(machine, MachineError):
        return machine
    if machine and machine.driver != host.spec.driver and (machine.phase is Phase.READY or machine.driver_state):
        raise MachineError(
            f'Machine "{name}" is there already, of driver "{machine.driver}"; the file asks for one of driver '
            f'"{host.spec.driver}"',
            f"Give the machine another name: machinectl rename {name} <NEW-NAME>; or forget it: machinectl rm {name}",
        )
    return machine


def set_up_as(fleet: Fleet, records: Mapping[str, Machine | MachineError]) -> dict[object, str]:
    """The machines that the file does not name and whose hosts were set up, by what their drivers know those by."""
    named = {host.name for host in fleet.hosts}
    unnamed = [name for name in records if name not in named]
    others = {name: machine for name, machine in read(records, unnamed).items() if machine.has_changes}
    return {known_by(machine.spec): name for name, machine in others.items() if is_installed(machine.driver)}


def check_not_taken(host: FleetHost, taken: Mapping[object, str]) -> None:
    """Refuse to make a machine of a host that is one already, under another name. Raises MachineError."""
    if host.spec.provision and (other := taken.get(known_by(host.spec))):
        raise MachineError(
            f'The host of {host.name} is that of the machine "{other}" already',
            f"Give the machine the name in the file: machinectl rename {other} {host.name}; "
            f"or forget it: machinectl rm {other}",
        )


def known_by(spec: MachineSpec) -> object:
    """What tells a spec's host from others, as its driver knows it; where it knows of nothing, none is like another."""
    options = [option for option in options_of(spec.driver) if option.identity]
    values = [spec.options.get(option.name, option.default) for option in options]
    return (spec.driver, *(str(normal(value)) for value in values)) if any(values) else object()


def is_installed(driver: str) -> bool:
    try:
        load(driver)
    except MachineError:
        return False
    return True


def step(fleet: Fleet, host: FleetHost, machine: Machine | None, has_certificates: HasCertificates) -> Step:
    """What is to be done with one host of the file. Raises MachineError where its certificates cannot be had."""
    if machine is None:
        if host.certificates.whole:
            has_certificates(None, host.certificates)
        return Step(host.name, Action.CREATE, host)
    found = tuple(differences(host, machine, has_certificates))
    if any((each.key, each.new) == ("no-tls", "true") or each.key in GIVEN for each in found):
        check_keeps_its_own(host, machine)
    # One that was made by hand and is as the file says is simply of it from now on.
    if not fleet.id.owns(machine.fleet) and (found or machine.fleet):
        found = (Difference("fleet", machine.fleet, fleet.id.text), *found)
    found = tuple(without_variables(host, fleet.hidden, each) for each in found)
    if machine.phase is not Phase.READY or machine.pending == PROVISION:
        return Step(host.name, Action.RESUME, host, found)
    return Step(host.name, Action.CHANGE if found else Action.LEAVE, host, found)


def check_keeps_its_own(host: FleetHost, machine: Machine) -> None:
    """Refuse other certificates, or none, for a machine whose host is set up here, as `create` does.

    The machine alone would be given them, and reach its engine no more. Raises MachineError.
    """
    if host.spec.provision and (machine.has_changes or has_ssh(machine)):
        raise MachineError(
            f"{host.name} is set up here, and has certificates of its own",
            "Leave the tls-… options and no-tls out, or the host as it is: no-provision: true",
        )


def in_order(jumps: Mapping[str, str]) -> list[str]:
    """Names in their order, but each after the one that its SSH goes through, where that is among them."""
    ordered: dict[str, None] = {}
    for name, jump in jumps.items():
        if not jump:
            ordered[name] = None
            continue
        way: dict[str, None] = {}
        while name in jumps and name not in ordered and name not in way:
            way[name] = None
            name = jumps[name]  # noqa: PLW2901 - on to the next one
        ordered |= dict.fromkeys(reversed(way))
    return list(ordered)


def differences(host: FleetHost, machine: Machine, has_certificates: HasCertificates) -> Iterator[Difference]:
    """What shall be otherwise with a machine, in the order of its parts.

    Secrets are on no record, and compared with nothing. Raises MachineError where certificates cannot be read.
    """
    spec = host.spec
    if machine.driver != spec.driver:
        # Half made, and of nothing yet.
        yield Difference("driver", machine.driver, spec.driver)
        return
    set_up = spec.provision and not machine.provision and has_ssh(machine)
    engine_is_ours = machine.has_changes or set_up
    yield from of_driver(host, machine)
    if machine.url and (tls := speaks_tls(host, machine)) != machine.tls:
        yield switched("no-tls", old=not machine.tls, new=not tls)
    if host.certificates.whole and not has_certificates(machine, host.certificates):
        yield of_certificates(host.certificates)
    yield from of_labels(machine.labels, spec.labels, restarts=engine_is_ours)
    yield from of_engine(host, machine, engine_is_ours=engine_is_ours)
    if machine.provision != spec.provision:
        yield switched("no-provision", old=not machine.provision, new=not spec.provision, restarts=set_up)
    if machine.context != spec.context:
        yield switched("no-context", old=not machine.context, new=not spec.context)
    if machine.jump != spec.jump:
        yield Difference("ssh-jump", machine.jump, spec.jump)
    yield from of_swarm(host, machine)


def without_variables(host: FleetHost, hidden: Hidden, difference: Difference) -> Difference:
    """Return a difference that shows `${NAME}` instead of a variable's value, and not the old value."""
    key, old, new = difference.key, difference.old, difference.new
    label = (new or old).partition("=")[0] if key == LABELS else ""
    typed = host.typed.get(f"{LABELS} {label}" if label else key)
    if typed is None:
        return replace(difference, old=hidden.without(old), new=hidden.without(new))
    start = f"{label}=" if label else ""
    return replace(difference, old=old and f"{start}{HIDDEN}", new=new and f"{start}{typed}")


def has_ssh(machine: Machine) -> bool:
    """Whether a machine's host is one that can be set up, as far as its driver knows."""
    try:
        return (
            load(machine.driver).where(Instance(machine.name, machine.directory, machine.driver_state)).ssh is not None
        )
    except MachineError:
        return False


def of_swarm(host: FleetHost, machine: Machine) -> Iterator[Difference]:
    """A role in the fleet's swarm; a machine that the file gives none stays in the swarm that it is in."""
    node = node_of(machine)
    role = node.role if node else ""
    if host.swarm and role != host.swarm:
        yield Difference("swarm", role, host.swarm)


def switched(key: str, *, old: bool, new: bool, restarts: bool = False) -> Difference:
    return Difference(key, text(old), text(new), restarts)


def text(value: OptionValue) -> str:
    """A value as a file has it, without passwords."""
    if isinstance(value, bool):
        return str(value).lower()
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(str(without_secrets(one)) for one in values if one is not None)


def of_driver(host: FleetHost, machine: Machine) -> Iterator[Difference]:
    """What the driver is told otherwise; what is not on record was not told."""
    known = machine.driver_options
    for option in options_of(host.spec.driver):
        if option.secret:
            continue
        old, new = known.get(option.name, option.default), host.spec.options.get(option.name, option.default)
        if option.name == URL and machine.url:
            old, new = where(machine.url, None), where(str(new), host.spec.tls)
        if not (same(old, new) or (option.path and one_file(old, new))):
            yield Difference(option.name, shown(option, old), shown(option, new))


def options_of(driver: str) -> Sequence[Option]:
    """Return a driver's options, made once for all its hosts."""
    return made_options(load(driver))  # type: ignore[arg-type] # an object like any other: hashed by what it is


@functools.lru_cache(maxsize=16)
def made_options(driver: Driver) -> Sequence[Option]:
    return tuple(driver.options())


def shown(option: Option, value: OptionValue) -> str:
    return str(without_secret_of(option.name, text(value)))


def where(url: str, tls: bool | None) -> str:
    """A URL in full, or as it is where it is not docker's."""
    try:
        return engine_url.with_port(url, tls=tls)
    except UsageError:
        return url


def one_file(old: OptionValue, new: OptionValue) -> bool:
    """Whether two paths lead to one file. One on record may begin where `create` was called: there its name counts."""
    if not (old and new and isinstance(old, str) and isinstance(new, str)):
        return False
    before, after = (os.path.normpath(os.path.expanduser(path)) for path in (old, new))
    return before == after if os.path.isabs(before) else os.path.basename(before) == os.path.basename(after)


def same(old: OptionValue, new: OptionValue) -> bool:
    """Whether two values say the same: a path may begin with ~ where it was typed in quotes."""
    return old == new or (
        isinstance(old, str) and isinstance(new, str) and os.path.expanduser(old) == os.path.expanduser(new)
    )


def speaks_tls(host: FleetHost, machine: Machine) -> bool:
    """Whether a machine's engine shall be spoken to over TLS: as asked for, else as it is, or as its URL says."""
    if machine.tls and host.spec.tls is None and URL not in host.spec.options and machine.url.startswith("tcp://"):
        return True
    at = where(str(host.spec.options.get(URL, machine.url)), host.spec.tls)
    if not at.startswith("tcp://"):
        return False
    if host.spec.tls is not None:
        return host.spec.tls
    return machine.tls or host.certificates.whole or engine_url.uses_tls(at)


def of_certificates(files: CertificateFiles) -> Difference:
    key, path = (OF_DIRECTORY, files.directory) if files.directory else (OF_FILES, files.certificate)
    return Difference(key, "others", path)


def of_labels(old: Mapping[str, str], new: Mapping[str, str], *, restarts: bool) -> Iterator[Difference]:
    """A difference for each label; engines have them too."""
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield Difference("labels", label(old, key), label(new, key), restarts)


def label(labels: Mapping[str, str], key: str) -> str:
    return f"{key}={without_secret_of(key, labels[key])}" if key in labels else ""


def of_engine(host: FleetHost, machine: Machine, *, engine_is_ours: bool) -> Iterator[Difference]:
    """What is asked of the engine otherwise; of lists only what goes and what comes."""
    if machine.asks_for(host.spec.engine):
        return
    asked, wanted = machine.engine, host.spec.engine
    for option in DECLARED:
        old, new = getattr(asked, option.key), getattr(wanted, option.key)
        if old == new or (option.key in UNORDERED and set(old) == set(new)):
            continue
        gone, come = news(option, old, new)
        restarts = takes_restart(option, gone, come)
        yield Difference(option.flag.removeprefix("--"), text(gone), text(come), engine_is_ours and restarts)


def takes_restart(option: Declared, gone: OptionValue, come: OptionValue) -> bool:
    """Whether an engine takes such a change by a restart alone."""
    if option.key == NAMES:
        return bool(come)
    if isinstance(gone, tuple) and isinstance(come, tuple) and option.key == "options":
        return any(not each.startswith(RELOADED) for each in (*gone, *come))
    return option.key in RESTARTING


def news(option: Declared, old: OptionValue, new: OptionValue) -> tuple[OptionValue, OptionValue]:
    """What of an option's value goes, and what comes; all of both where only their order is another one."""
    if not (option.many and isinstance(old, tuple) and isinstance(new, tuple)):
        return old, new
    gone, come = tuple(one for one in old if one not in new), tuple(one for one in new if one not in old)
    return (gone, come) if gone or come else (old, new)
