"""Plan a fleet file for all hosts, or for chosen ones."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, closest_match
from machinectl.fleet.fleet_file import called, read_fleet, uncollected
from machinectl.fleet.record_cache import Readable, Records
from machinectl.fleet.rollout.plan import planned_steps
from machinectl.fleet.rollout.plan_steps import FleetPlan
from machinectl.machines.label_selectors import parse_selector
from machinectl.machines.record import GLOB
from machinectl.machines.selection import both_chosen, matching

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.fleet.fleet_model import Fleet
    from machinectl.fleet.rollout.plan_steps import PlanStep
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import CertificateFiles
    from machinectl.machines.store import Store


@uncollected()
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
    records = Records(store)
    fleet = read_fleet(path, records, os.environ, text)
    names = matching(names, lambda: selectable_names(fleet, records, names))
    steps: Sequence[PlanStep] | None = None
    if names and selector is None:
        steps = planned_steps(fleet, records, has_certificates, called(path), set(names))
    if steps is None or {step.name for step in steps} != set(names):
        # A selector needs all steps, and so does a suggestion for a mistyped name.
        every = planned_steps(fleet, records, has_certificates, called(path))
        choice = HostChoice({step.name: step for step in every}, Readable(records), called(path), command)
        if selector is None:
            wanted = choice.by_name(names)
        elif names:
            raise both_chosen(names, selector)
        else:
            wanted = choice.by_selector(selector)
        steps = [step for step in every if step.name in wanted]
    return FleetPlan(
        steps,
        fleet.id,
        Readable(records),
        fleet.advice,
        failed={step.name: step.error for step in steps if step.error},
        hosts=fleet.hosts,
        records=records,
        hidden=fleet.hidden,
    )


def selectable_names(fleet: Fleet, records: Mapping[str, Machine | MachineError], names: Sequence[str]) -> list[str]:
    """Return the file's hosts, and machines that are no longer in it."""
    hosts = dict.fromkeys(host.name for host in fleet.hosts)
    gone = matching(names, lambda: [name for name in records if name not in hosts])
    machines = Readable(records)
    return [*hosts, *(name for name in gone if name in machines and fleet.id.owns(machines[name].fleet))]


def has_certificates(machine: Machine | None, files: CertificateFiles) -> bool:
    # It loads cryptography, which few fleets need.
    from machinectl.hosts.certificate_files import has_named_certificates

    return has_named_certificates(machine, files)


@dataclass(frozen=True)
class HostChoice:
    """Choose from a plan's steps. `file` and `command` are for hints."""

    steps: Mapping[str, PlanStep]
    machines: Mapping[str, Machine]
    file: str
    command: str

    def by_name(self, names: Sequence[str]) -> set[str]:
        for name in names:
            if name not in self.steps:
                raise self.unknown_host_error(name)
        return set(names or self.steps)

    def by_selector(self, selector: str) -> set[str]:
        """Use the labels in the file, or of a machine that left it."""
        wanted = parse_selector(selector)
        specs = {name: step.host.spec if step.host else self.machines[name] for name, step in self.steps.items()}
        if selected := {name for name, spec in specs.items() if wanted.selects(spec.labels)}:
            return selected
        raise MachineError(
            f"--selector {selector!r} selects no host in {self.file}", Hint(f"See the labels in {self.file}")
        )

    def unknown_host_error(self, name: str) -> MachineError:
        if group := [step for step in self.steps.values() if step.host and name in step.host.groups]:
            return MachineError(
                f'"{name}" is a group of {self.file}, not a host',
                Hint("Name its hosts", self.command, *(step.name for step in group)),
            )
        listing = Hint("See its hosts", f"{self.command.replace('machinectl apply', 'machinectl plan', 1)} --json")
        if GLOB.intersection(name):
            return MachineError(f'"{name}" matches no host in {self.file}', listing)
        near = closest_match(name, self.steps)
        hint = Hint(f'Did you mean "{near}"?') | listing if near else listing
        return MachineError(f'There is no host "{name}" in {self.file}', hint)
