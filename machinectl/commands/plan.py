"""`plan`: what `apply` would do."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError, UsageError, closest_match
from machinectl.fleet.reading.fleet_file import called, read_fleet, uncollected
from machinectl.machines.label_selectors import parse_selector
from machinectl.machines.record import GLOB
from machinectl.machines.selection import both_chosen, matching
from machinectl.machines.store.record_cache import Readable, Records
from machinectl.masking import without_secret
from machinectl.rollout.plan import planned_steps
from machinectl.rollout.plan_steps import FleetPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.fleet.model import Fleet
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import CertificateFiles
    from machinectl.machines.store import Store
    from machinectl.rollout.apply_run import ApplyOptions
    from machinectl.rollout.differences import HasCertificates
    from machinectl.rollout.plan_steps import PlanStep


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
        steps = planned_steps(fleet, records, certificate_check(), called(path), set(names))
    if steps is None or {step.name for step in steps} != set(names):
        # A selector needs all steps, and so does a suggestion for a mistyped name.
        every = planned_steps(fleet, records, certificate_check(), called(path))
        wanted = choose_hosts(every, Readable(records), names, selector, called(path), command)
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


def plan_with_previews(plan: FleetPlan, store: Store, console: Console, options: ApplyOptions) -> FleetPlan:
    """Look at the hosts; change nothing."""
    from machinectl.rollout.apply_run import ApplyRun
    from machinectl.rollout.machine_changes import with_previews

    return with_previews(ApplyRun(store, plan, options), plan, console)


def selectable_names(fleet: Fleet, records: Mapping[str, Machine | MachineError], names: Sequence[str]) -> list[str]:
    """Return the file's hosts, and machines that are no longer in it."""
    hosts = dict.fromkeys(host.name for host in fleet.hosts)
    gone = matching(names, lambda: [name for name in records if name not in hosts])
    machines = Readable(records)
    return [*hosts, *(name for name in gone if name in machines and fleet.id.owns(machines[name].fleet))]


def certificate_check() -> HasCertificates:
    """Read certificate files that new machines share only once."""
    good: set[CertificateFiles] = set()

    def has(machine: Machine | None, files: CertificateFiles) -> bool:
        if machine is None and files in good:
            return False
        # It loads cryptography, which few fleets need.
        from machinectl.hosts.certificates.certificate_files import has_named_certificates

        found = has_named_certificates(machine, files)
        good.add(files)
        return found

    return has


def choose_hosts(
    steps: Sequence[PlanStep],
    machines: Mapping[str, Machine],
    names: Sequence[str],
    selector: str | None,
    called: str,
    command: str,
) -> set[str]:
    """Choose by name, or by labels in the file."""
    known = {step.name: step for step in steps}
    if selector is not None:
        if names:
            raise both_chosen(names, selector)
        found = select_by_labels(selector, known, machines)
        if not found:
            raise MachineError(f"--selector {selector!r} selects no host in {called}", f"See the labels in {called}")
        return found
    for name in names:
        if name not in known:
            raise unknown_host_error(name, known, machines, called, command)
    return set(names or known)


def unknown_host_error(
    name: str, known: Mapping[str, PlanStep], machines: Mapping[str, Machine], called: str, command: str
) -> MachineError:
    if group := {each.name: each for each in known.values() if each.host and name in each.host.groups}:
        return MachineError(
            f'"{name}" is a group of {called}, not a host', f"{command} {group_selector(group, known, machines)}"
        )
    looking = f"See its hosts: {command.replace('machinectl apply', 'machinectl plan', 1)} --json"
    if GLOB.intersection(name):
        return MachineError(f'"{name}" matches no host in {called}', looking)
    near = closest_match(name, known)
    return MachineError(
        f'There is no host "{name}" in {called}', f'Did you mean "{near}"? {looking}' if near else looking
    )


def group_selector(
    group: Mapping[str, PlanStep], known: Mapping[str, PlanStep], machines: Mapping[str, Machine]
) -> str:
    """Return a label that only this group has, else names."""
    for key, value in step_labels(next(iter(group.values())), machines).items():
        typed = f"{key}={value}"
        with suppress(UsageError):
            if select_by_labels(typed, known, machines) == set(group):
                return f"-l {shlex.quote(typed)}"
    return shlex.join(group)


def select_by_labels(selector: str, known: Mapping[str, PlanStep], machines: Mapping[str, Machine]) -> set[str]:
    wanted = parse_selector(selector)
    return {name for name, step in known.items() if wanted.selects(step_labels(step, machines))}


def step_labels(step: PlanStep, machines: Mapping[str, Machine]) -> Mapping[str, str]:
    return step.host.spec.labels if step.host else machines[step.name].labels


def driver_address(step: PlanStep) -> str:
    """Return what identifies the host to its driver, or ""."""
    if step.host is None:
        return ""
    spec = step.host.spec
    known_by = [option for option in load(spec.driver).options() if option.identity]
    said = {
        option.name: value
        for option in known_by
        if (value := spec.options.get(option.name)) not in {None, option.default}
    }
    return ":".join(step.host.typed.get(name, without_secret(str(value))) for name, value in said.items())
