"""`plan`: what `apply` would do, by the records alone, and where that is asked by a look at the hosts."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl.console import RewritingConsole
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError, UsageError, closest_match
from machinectl.fleet.reading.fleet_file import called, read_fleet, uncollected
from machinectl.fleet.syntax.hidden_values import Hidden
from machinectl.machines.label_selectors import parse_selector
from machinectl.machines.record import GLOB
from machinectl.machines.record_cache import Readable, Records
from machinectl.machines.selection import both_chosen, matching
from machinectl.machines.store import now
from machinectl.masking import without_secret
from machinectl.rollout.plan import plan as compared
from machinectl.rollout.plan_steps import Plan, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.fleet.model import Fleet, FleetHost, FleetId
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.lifecycle.host_plan import Outcome
    from machinectl.hosts.lifecycle.removal import Purge
    from machinectl.hosts.lifecycle.setup import Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.spec import CertificateFiles
    from machinectl.machines.store import Store
    from machinectl.rollout.plan import HasCertificates


@dataclass(frozen=True)
class Planned:
    """What is to be done, with the machines that there are.

    `differing` is what would be done on the hosts that were looked at, by their machines: also what was changed there
    by hand. `failed` is why records of machines cannot be read, or hosts could not be looked at, `seconds` how long
    looking took. `hosts` are all those of the file, whether chosen or not, and `records` what the store has. `hidden`
    holds the values that must not be shown.
    """

    plan: Plan
    fleet: FleetId
    machines: Mapping[str, Machine]
    advice: tuple[str, ...] = ()
    differing: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    failed: Mapping[str, MachineError] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    hosts: Sequence[FleetHost] = ()
    records: Mapping[str, Machine | MachineError] = field(default_factory=dict, repr=False)
    hidden: Hidden = field(default_factory=Hidden)

    def last_look(self, name: str) -> str:
        """When a machine's host was last looked at, "" if it never was: now, if it was seen for this plan."""
        if name in self.seconds and name not in self.failed:
            return now()
        machine = self.machines.get(name)
        return machine.last_look if machine else ""

    @property
    def unreadable(self) -> frozenset[str]:
        """All hosts of the file whose records cannot be read, whether chosen or not."""
        return frozenset(host.name for host in self.hosts if isinstance(self.records.get(host.name), MachineError))


@uncollected()
def plan(
    store: Store,
    path: str,
    names: Sequence[str],
    selector: str | None,
    command: str = "machinectl plan",
    text: bytes | None = None,
) -> Planned:
    """What is to be done for the fleet of a file ("": ./fleet.yaml), or for those of it alone that are chosen.

    `command` is what was typed before what chooses, for hints; `text` what the file holds, if that was read already.
    Nobody is asked but the file and the records. Raises MachineError: WrongFile with all that is wrong in the file.
    """
    records = Records(store)
    fleet = read_fleet(path, records, os.environ, text)
    names = matching(names, lambda: of_fleet(fleet, records, names))
    found: Plan | None = None
    if names and selector is None:
        found = compared(fleet, records, certificates(), called(path), set(names))
    if found is None or {step.name for step in found.steps} != set(names):
        # If a name is unknown, a similar one is suggested from all hosts.
        whole = compared(fleet, records, certificates(), called(path))
        wanted = chosen(whole, Readable(records), names, selector, called(path), command)
        found = Plan(tuple(step for step in whole.steps if step.name in wanted))
    return Planned(
        found,
        fleet.id,
        Readable(records),
        fleet.advice,
        failed={step.name: step.error for step in found.steps if step.error},
        hosts=fleet.hosts,
        records=records,
        hidden=fleet.hidden,
    )


def of_fleet(fleet: Fleet, records: Mapping[str, Machine | MachineError], names: Sequence[str]) -> list[str]:
    """Return what globs may match: the hosts of a file, and the machines that are in it no more."""
    hosts = dict.fromkeys(host.name for host in fleet.hosts)
    gone = matching(names, lambda: [name for name in records if name not in hosts])
    machines = Readable(records)
    return [*hosts, *(name for name in gone if name in machines and fleet.id.owns(machines[name].fleet))]


def certificates() -> HasCertificates:
    """Whether machines have certificates; those that many new ones are to have are looked at once."""
    good: set[CertificateFiles] = set()

    def has(machine: Machine | None, files: CertificateFiles) -> bool:
        if machine is None and files in good:
            return False
        # With it comes what reads certificates, which few fleets need.
        from machinectl.hosts.certificates.certificate_files import has_given

        found = has_given(machine, files)
        good.add(files)
        return found

    return has


def chosen(
    whole: Plan,
    machines: Mapping[str, Machine],
    names: Sequence[str],
    selector: str | None,
    called: str,
    command: str,
) -> set[str]:
    """Who of a plan is meant: those named, those whose labels in the file a selector selects, or all.

    Raises MachineError where that is nobody, UsageError for both at once, or a selector that is none.
    """
    known = {step.name: step for step in whole.steps}
    if selector is not None:
        if names:
            raise both_chosen(names, selector)
        wanted = parse_selector(selector)
        found = {name for name, step in known.items() if wanted.selects(labels(step, machines))}
        if not found:
            raise MachineError(f"--selector {selector!r} selects none of {called}", f"See the labels in {called}")
        return found
    for name in names:
        if name not in known:
            if group := {each.name: each for each in whole.steps if each.host and name in each.host.groups}:
                raise MachineError(
                    f'"{name}" is a group of {called}, not a host', f"{command} {selecting(group, known, machines)}"
                )
            looking = f"See its hosts: {command.replace('machinectl apply', 'machinectl plan', 1)} --json"
            if GLOB.intersection(name):
                raise MachineError(f'"{name}" matches no host in {called}', looking)
            near = closest_match(name, known)
            raise MachineError(
                f'There is no host "{name}" in {called}',
                f'Did you mean "{near}"? {looking}' if near else looking,
            )
    return set(names or known)


def selecting(group: Mapping[str, Step], known: Mapping[str, Step], machines: Mapping[str, Machine]) -> str:
    """Return the words that select a group's hosts: a label that no other host has, else their names."""
    for key, value in labels(next(iter(group.values())), machines).items():
        typed = f"{key}={value}"
        with suppress(UsageError):
            wanted = parse_selector(typed)
            if {name for name, step in known.items() if wanted.selects(labels(step, machines))} == set(group):
                return f"-l {shlex.quote(typed)}"
    return shlex.join(group)


def labels(step: Step, machines: Mapping[str, Machine]) -> Mapping[str, str]:
    return step.host.spec.labels if step.host else machines[step.name].labels


def refreshed(
    planned: Planned,
    store: Store,
    console: Console,
    access: Access,
    setup: Setup,
    *,
    parallel: int,
    purge: Purge | None = None,
) -> Planned:
    """The same with what `apply` would do on the hosts, which `parallel` at once are looked at. Nothing is changed."""
    from machinectl.hosts.parallel.workers import at_once
    from machinectl.rollout.dry_run import has_host, look

    steps = {step.name: step for step in planned.plan.steps}
    differing: dict[str, Sequence[Outcome]] = {}
    seconds: dict[str, float] = {}
    hide = planned.hidden.without

    def timed_look(name: str, console: Console) -> None:
        began = time.monotonic()
        try:
            outcomes = look(steps[name], store, console, access, setup, purge)
        finally:
            seconds[name] = time.monotonic() - began
        if outcomes:
            differing[name] = [
                replace(outcome, title=hide(outcome.title), details=tuple(map(hide, outcome.details)))
                for outcome in outcomes
            ]

    hosts = {name: step for name, step in steps.items() if name not in planned.failed}
    names = [name for name, step in hosts.items() if has_host(step, planned.machines.get(name), store, purge)]
    failed = dict(planned.failed)
    for name, why in at_once(RewritingConsole(console, hide), names, timed_look, limit=parallel):
        if why:
            planned.hidden.conceal(why)
            failed[name] = why
    return replace(planned, differing=differing, failed=failed, seconds=seconds)


def address(step: Step) -> str:
    """What tells the host of a step from others: what its driver knows it by, as far as that was said."""
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
