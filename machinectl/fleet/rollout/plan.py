"""Plan a step for each machine of a fleet file. No host is asked."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.fleet.file_errors import Faults
from machinectl.fleet.fleet_keys import normal
from machinectl.fleet.rollout.differences import differences, has_ssh, options_of, without_variables
from machinectl.fleet.rollout.plan_steps import Action, Difference, PlanStep
from machinectl.machines.jump_hosts import loop_text, machine_of
from machinectl.machines.record import PROVISION, BrokenRecord, Machine, Phase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from machinectl.fleet.fleet_model import Fleet, FleetHost
    from machinectl.fleet.rollout.differences import HasCertificates
    from machinectl.machines.spec import MachineSpec

    # Machines, or why their records cannot be read.
    ByName = Mapping[str, Machine | MachineError]


def planned_steps(
    fleet: Fleet,
    records: ByName,
    has_certificates: HasCertificates,
    called: str = "",
    only: Collection[str] | None = None,
) -> tuple[PlanStep, ...]:
    """Return the steps for the file's hosts and for machines that left it, or for `only` some.

    Reads only the records it needs. Hosts keep the file's order, after their jump hosts; removals come last, before
    their jump hosts. Raises WrongFile with all conflicts.
    """
    by_lower = {name.lower(): name for name in records}
    taken = functools.cache(lambda: set_up_as(fleet, records))
    hosts = fleet.hosts if only is None else [host for host in fleet.hosts if host.name in only]
    steps: dict[str, PlanStep] = {}
    faults = Faults(called or fleet.id.text, fleet.hidden)
    for host in hosts:
        found = records.get(host.name)
        if isinstance(found, MachineError):
            steps[host.name] = PlanStep(host.name, Action.FAIL, host, error=found)
            continue
        try:
            machine = checked_machine(host, found, by_lower)
            if machine is None:
                check_not_taken(host, taken())
            steps[host.name] = plan_step(fleet, host, machine, has_certificates)
        except BrokenRecord as exc:
            steps[host.name] = PlanStep(host.name, Action.FAIL, host, error=exc)
        except MachineError as exc:
            faults.hidden.conceal(exc)
            faults.add(host.place, exc.cause, exc.hint)
    jumps = {host.name: machine_of(host.spec.jump) for host in fleet.hosts}
    note_loops(hosts, jumps, records, faults)
    faults.tell()
    others = [name for name in (records if only is None else only) if name not in jumps]
    gone = {
        name: machine for name, machine in readable_records(records, others).items() if fleet.id.owns(machine.fleet)
    }
    removed = after_jump_hosts({name: machine_of(machine.jump) for name, machine in gone.items()})
    return (
        *(steps[name] for name in after_jump_hosts(jumps) if name in steps),
        *(PlanStep(name, Action.REMOVE) for name in reversed(removed)),
    )


def note_loops(hosts: Sequence[FleetHost], jumps: Mapping[str, str], records: ByName, faults: Faults) -> None:
    """Report loops of jump hosts through machines outside the file."""
    for host in hosts:
        way: list[str] = []
        name = host.name
        while name and name not in way:
            way.append(name)
            machine = None if name in jumps else records.get(name)
            name = jumps.get(name, machine_of(machine.jump) if isinstance(machine, Machine) else "")
        outside = next((name for name in way if name not in jumps), "")
        if name == host.name and outside:
            hint = Hint("Break the loop", "machinectl set --ssh-jump none", outside)
            faults.add(host.place, loop_text(way), hint)


def readable_records(records: ByName, names: Iterable[str]) -> dict[str, Machine]:
    return {name: found for name in names if isinstance(found := records.get(name), Machine)}


def checked_machine(host: FleetHost, machine: Machine | None, by_lower: Mapping[str, str]) -> Machine | None:
    name = by_lower.get(host.name.lower(), host.name)
    if name != host.name:
        raise MachineError(
            f'Machine "{name}" exists, and its name differs from {host.name} only in case',
            Hint(f"Call the host {name} in the file, or rename the machine", "machinectl rename", name, "<NEW-NAME>"),
        )
    if machine and machine.driver != host.spec.driver and (machine.phase == Phase.READY or machine.driver_state):
        raise MachineError(
            f'Machine "{name}" exists with the driver "{machine.driver}"; the file has the driver "{host.spec.driver}"',
            Hint("Rename the machine", "machinectl rename", name, "<NEW-NAME>")
            | Hint("or forget it", "machinectl rm", name),
        )
    return machine


def set_up_as(fleet: Fleet, records: ByName) -> dict[object, str]:
    """Return set-up machines outside the file, by host identity."""
    named = {host.name for host in fleet.hosts}
    others = readable_records(records, [name for name in records if name not in named])
    found: dict[object, str] = {}
    for name, machine in others.items():
        # Its driver may no longer be installed.
        with suppress(MachineError):
            if machine.has_changes:
                found[identity(machine.spec)] = name
    return found


def check_not_taken(host: FleetHost, taken: Mapping[object, str]) -> None:
    if host.spec.provision and (other := taken.get(identity(host.spec))):
        raise MachineError(
            f'The host of {host.name} belongs to the machine "{other}" already',
            Hint("Rename the machine", "machinectl rename", other, host.name)
            | Hint("or forget it", "machinectl rm", other),
        )


def identity(spec: MachineSpec) -> object:
    """Return the driver's identity of a host, else a unique object."""
    options = [option for option in options_of(spec.driver) if option.identity]
    values = [spec.options.get(option.name, option.default) for option in options]
    return (spec.driver, *(str(normal(value)) for value in values)) if any(values) else object()


def plan_step(fleet: Fleet, host: FleetHost, machine: Machine | None, has_certificates: HasCertificates) -> PlanStep:
    if machine is None:
        if host.certificates.whole:
            has_certificates(None, host.certificates)
        return PlanStep(host.name, Action.CREATE, host)
    found = tuple(differences(host, machine, has_certificates))
    if any((each.key, each.new) == ("no-tls", "true") or each.key in {"tls-dir", "tls-client-cert"} for each in found):
        check_keeps_its_own(host, machine)
    # A machine created by hand that needs no change just joins the fleet.
    if not fleet.id.owns(machine.fleet) and (found or machine.fleet):
        found = (Difference("fleet", machine.fleet, fleet.id.text), *found)
    found = tuple(without_variables(host, fleet.hidden, each) for each in found)
    if machine.phase != Phase.READY or machine.pending == PROVISION:
        return PlanStep(host.name, Action.RESUME, host, found)
    return PlanStep(host.name, Action.CHANGE if found else Action.LEAVE, host, found)


def check_keeps_its_own(host: FleetHost, machine: Machine) -> None:
    """Raise MachineError if replacing certificates would lock us out."""
    if host.spec.provision and (machine.has_changes or has_ssh(machine)):
        raise MachineError(
            f"{host.name} is set up here, and has certificates of its own",
            Hint("Remove the tls-… options and no-tls, or leave the host unchanged: no-provision: true"),
        )


def after_jump_hosts(jumps: Mapping[str, str]) -> list[str]:
    """Return the names, each after its jump host."""
    ordered: dict[str, None] = {}
    for name, jump in jumps.items():
        if not jump:
            ordered[name] = None
            continue
        way: dict[str, None] = {}
        while name in jumps and name not in ordered and name not in way:
            way[name] = None
            name = jumps[name]  # noqa: PLW2901 - follow the jump hosts
        ordered |= dict.fromkeys(reversed(way))
    return list(ordered)
