"""Plan a step for each machine of a fleet file. No host is asked."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, closest_match
from machinectl.fleet.differences import differences, has_ssh, options_of, without_variables
from machinectl.fleet.fleet_file import called, read_fleet
from machinectl.fleet.fleet_keys import normal
from machinectl.fleet.plan_steps import Action, Difference, FleetPlan, PlanStep
from machinectl.fleet.yaml_nodes import Faults
from machinectl.machines.label_selectors import parse_selector
from machinectl.machines.record import PROVISION, BrokenRecord, Machine, Phase
from machinectl.machines.selection import both_chosen, matching
from machinectl.machines.store.store_paths import NoSuchMachine

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from machinectl.fleet.fleet_file import Fleet
    from machinectl.fleet.host_reader import FleetHost
    from machinectl.machines.spec import MachineSpec
    from machinectl.machines.store import Store

    # Machines, or why their records cannot be read.
    Records = Mapping[str, Machine | MachineError]


def plan(
    store: Store,
    path: str,
    names: Sequence[str],
    selector: str | None,
    command: str = "machinectl plan",
    text: bytes | None = None,
) -> FleetPlan:
    """Return the plan for all hosts of a file, or chosen ones. Reads only files.

    `command` is for hints; `text` is the file's content, if known. Raises WrongFile with all errors in the file.
    """
    records = read_records(store)
    fleet = read_fleet(path, records, os.environ, text)
    machines = {name: record for name, record in records.items() if isinstance(record, Machine)}
    chosen = chosen_names(fleet, machines, names, selector, called(path), command)
    steps = planned_steps(fleet, records, chosen, called(path))
    return FleetPlan(
        steps,
        fleet.id,
        machines,
        frozenset(host.name for host in fleet.hosts if isinstance(records.get(host.name), MachineError)),
        failed={step.name: step.error for step in steps if step.error},
        hidden=fleet.hidden,
    )


def read_records(store: Store) -> dict[str, Machine | MachineError]:
    """Return machines in natural order, or errors of reading them."""
    records: dict[str, Machine | MachineError] = {}
    for name in store.names():
        try:
            records[name] = store.read(name)
        except NoSuchMachine:
            continue
        except MachineError as exc:
            records[name] = exc
    return records


def chosen_names(
    fleet: Fleet, machines: Mapping[str, Machine], names: Sequence[str], selector: str | None, file: str, command: str
) -> Collection[str]:
    """Choose from the file's hosts and the machines that left it. `file` and `command` are for hints."""
    labels = {host.name: host.spec.labels for host in fleet.hosts}
    labels |= {name: machine.labels for name, machine in left_file(fleet, machines).items()}
    if selector is not None:
        if names:
            raise both_chosen(names, selector)
        wanted = parse_selector(selector)
        if chosen := [name for name in labels if wanted.selects(labels[name])]:
            return chosen
        raise MachineError(f"--selector {selector!r} selects no host in {file}", Hint(f"See the labels in {file}"))
    chosen = matching(names, lambda: labels)
    if unknown := next((name for name in chosen if name not in labels), None):
        hint = Hint("See its hosts", f"{command.replace('machinectl apply', 'machinectl plan', 1)} --json")
        if near := closest_match(unknown, labels):
            hint = Hint(f'Did you mean "{near}"?') | hint
        raise MachineError(f'There is no host "{unknown}" in {file}', hint)
    return chosen or labels


def left_file(fleet: Fleet, machines: Mapping[str, Machine]) -> dict[str, Machine]:
    hosts = {host.name for host in fleet.hosts}
    return {name: machine for name, machine in machines.items() if name not in hosts and fleet.id.owns(machine.fleet)}


def planned_steps(
    fleet: Fleet, records: Records, only: Collection[str] | None = None, file: str = ""
) -> tuple[PlanStep, ...]:
    """Return the steps for the file's hosts and for machines that left it, or for `only` some.

    Removals come last. Raises WrongFile with all conflicts.
    """
    machines = {name: record for name, record in records.items() if isinstance(record, Machine)}
    by_lower = {name.lower(): name for name in records}
    taken = set_up_as(fleet, machines)
    steps: dict[str, PlanStep] = {}
    faults = Faults(file or fleet.id.text, fleet.hidden)
    hosts = {host.name: host for host in fleet.hosts if only is None or host.name in only}
    for name, host in hosts.items():
        record = records.get(name)
        try:
            if isinstance(record, MachineError):
                raise record
            check_name_is_free(host, record, by_lower)
            if record is None and host.spec.provision and (other := taken.get(identity(host.spec))):
                rename = Hint("Rename the machine", "machinectl rename", other, name)
                hint = rename | Hint("or forget it", "machinectl rm", other)
                faults.add(host.place, f'The host of {name} belongs to the machine "{other}" already', hint)
                continue
            steps[name] = plan_step(fleet, host, record)
        except MachineError as exc:
            if record is exc or isinstance(exc, BrokenRecord):
                steps[name] = PlanStep(name, Action.FAIL, host, error=exc)
            else:
                faults.hidden.conceal(exc)
                faults.add(host.place, exc.cause, exc.hint)
    faults.tell()
    removed = [name for name in left_file(fleet, machines) if only is None or name in only]
    return (*steps.values(), *(PlanStep(name, Action.REMOVE) for name in removed))


def check_name_is_free(host: FleetHost, machine: Machine | None, by_lower: Mapping[str, str]) -> None:
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


def set_up_as(fleet: Fleet, machines: Mapping[str, Machine]) -> dict[object, str]:
    """Return set-up machines outside the file, by host identity."""
    hosts = {host.name for host in fleet.hosts}
    names: dict[object, str] = {}
    for name, machine in machines.items():
        # Its driver may no longer be installed.
        with suppress(MachineError):
            if name not in hosts and machine.has_changes:
                names[identity(machine.spec)] = name
    return names


def identity(spec: MachineSpec) -> object:
    """Return the driver's identity of a host, else a unique object."""
    options = [option for option in options_of(spec.driver) if option.identity]
    values = [spec.options.get(option.name, option.default) for option in options]
    return (spec.driver, *(str(normal(value)) for value in values)) if any(values) else object()


def plan_step(fleet: Fleet, host: FleetHost, machine: Machine | None) -> PlanStep:
    if machine is None:
        if host.certificates.whole:
            # It loads cryptography, which few fleets need. Wrong files raise.
            from machinectl.hosts.certificate_files import has_named_certificates

            has_named_certificates(None, host.certificates)
        return PlanStep(host.name, Action.CREATE, host)
    changes = tuple(differences(host, machine))
    replaced = {change.key for change in changes if change.key != "no-tls" or change.new == "true"}
    is_set_up = host.spec.provision and (machine.has_changes or has_ssh(machine))
    if is_set_up and replaced & {"no-tls", "tls-dir", "tls-client-cert"}:
        # Replacing certificates would lock us out.
        raise MachineError(
            f"{host.name} is set up here, and has certificates of its own",
            Hint("Remove the tls-… options and no-tls, or leave the host unchanged: no-provision: true"),
        )
    # A machine created by hand that needs no change just joins the fleet.
    if not fleet.id.owns(machine.fleet) and (changes or machine.fleet):
        changes = (Difference("fleet", machine.fleet, fleet.id.text), *changes)
    changes = tuple(without_variables(host, fleet.hidden, change) for change in changes)
    if machine.phase != Phase.READY or machine.pending == PROVISION:
        return PlanStep(host.name, Action.RESUME, host, changes)
    return PlanStep(host.name, Action.CHANGE if changes else Action.LEAVE, host, changes)
