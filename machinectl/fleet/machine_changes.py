"""Apply the fleet file to machines; restart engines in use in batches."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.console import RewritingConsole
from machinectl.driver import Request
from machinectl.driver.installed_drivers import load
from machinectl.errors import Hint, MachineError
from machinectl.fleet.apply_run import ApplyRun
from machinectl.fleet.differences import URL, differences, options_of, wants_tls
from machinectl.fleet.plan_steps import Action, Did, Result
from machinectl.hosts.editing import Edit
from machinectl.hosts.rollout_order import RolloutOrder
from machinectl.hosts.workers import locked_machine
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, ENGINE_FLAGS
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.machine_driver import driver_instance
from machinectl.machines.record import Phase
from machinectl.machines.selection import waiting
from machinectl.provision.decision import InUse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.fleet.apply_run import ApplyOptions
    from machinectl.fleet.host_reader import FleetHost
    from machinectl.fleet.plan_steps import FleetPlan
    from machinectl.hosts.creation import Creation
    from machinectl.hosts.host_plan import Outcome
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

STOPPED = "no engine restarts after one that failed"
CERTIFICATE_KEYS = frozenset({"tls-dir", "tls-client-cert"})


def create_and_change(run: ApplyRun, console: Console) -> Iterator[Result]:
    """Restart engines in use in batches. Only a look at a new host shows one; then it goes last, as do those behind."""
    run.restarting = {*(name for name in run.to_change() if may_restart(run, name)), *run.changed_by_hand}
    left = [*run.to_change(), *run.changed_by_hand]
    after = {name: [machine_of(run.host(name).spec.jump)] for name in left}
    rolled, before, failures_left = list(run.restarting), 0, run.options.max_failures
    try:
        while left:
            order = RolloutOrder(
                left,
                after,
                rolled,
                run.options.batch.of(len(rolled), after=before),
                failures_left,
                counts=run.changed_hosts.__contains__,
            )
            ended = run.at_once(console, order.waiting, create_or_change, order)
            before, left, rolled = before + len(rolled), [], []
            for result in chain(ended, not_begun(order, '"{name}" is reached through "{other}", which failed')):
                if isinstance(result.error, InUse):
                    rolled.append(result.name)
                if result.name in rolled or order.barred.get(result.name) in rolled:
                    left.append(result.name)
                else:
                    yield result
            failures_left = order.failures_left
            if failures_left < 0:
                yield from (Result(name, Did.NOT_BEGUN, reason=STOPPED) for name in left)
                return
    finally:
        for name in run.in_use - run.touched:
            with run.store.writing(name, waiting(console, name)) as held:
                if not held.machine.changes and not held.machine.made:
                    held.remove()


def may_restart(run: ApplyRun, name: str) -> bool:
    """Return whether an engine in use may restart, also because it moved or is unfinished."""
    step, machine = run.steps[name], run.machines.get(name)
    if machine is None or machine.phase != Phase.READY:
        return False
    keys = {difference.key for difference in step.differences}
    moves = not keys.isdisjoint(option.shown for option in options_of(machine.driver))
    is_unknown = step.action is Action.RESUME or run.options.refresh or moves
    return step.restarts or (is_unknown and bool(machine.changes))


def create_or_change(run: ApplyRun, name: str, console: Console) -> Did:
    run.touched.add(name)
    machine = run.machines.get(name)
    if machine and machine.phase == Phase.READY:
        change_machine(run, name, console)
        return Did.CHANGED
    try:
        create_machine(run, name, console)
    except InUse:
        run.in_use.add(name)
        run.touched.discard(name)
        raise
    return Did.CREATED


def not_begun(order: RolloutOrder, why: str) -> Iterator[Result]:
    """Yield machines that another's failure stopped. `why` has {name} and {other}."""
    for name, other in order.barred.items():
        yield Result(name, Did.NOT_BEGUN, MachineError(why.format(name=name, other=other)))
    for name in order.stopped:
        yield Result(name, Did.NOT_BEGUN, reason=STOPPED)


def create_machine(run: ApplyRun, name: str, console: Console) -> None:
    """Create or finish a machine. Raises InUse if its engine must wait."""
    from machinectl.hosts.creation import warn_of_unused_options
    from machinectl.machines.tls_warnings import advise

    made = creation_of(run, name, in_use=name in run.in_use).carry_out(run.store, console)
    if not made.set_up:
        warn_of_unused_options(console, made.machine)
        advise(console, made.machine)


def change_machine(run: ApplyRun, name: str, console: Console) -> None:
    from machinectl.hosts import provisioning

    host = run.host(name)
    with locked_machine(run.store, console, name) as held:
        machine = held.machine
        keys = {difference.key for difference in differences(host, machine)}
        edit = edit_of(host, machine, keys)
        machine.fleet = run.fleet.text
        if CERTIFICATE_KEYS.intersection(keys):
            replace_certificates(held, host)
        changes_host = edit.concerns_host or edit.options or edit.url or edit.provision
        is_set_up = host.spec.provision and (machine.changes or not machine.provision)
        if is_set_up and (changes_host or machine.pending or name in run.restarting):
            # It ends only when the engine answers, and runs its containers as before.
            provisioning.change_host(held, console, run.login(name), run.setup(name), edit)
            return
        edit.carry_out(held)
        machine.pending = ""
        held.write()


def remove_from_fleet(run: ApplyRun, name: str, console: Console) -> Did:
    """Remove a machine. Raises MachineError if another fleet owns it now."""
    from machinectl.hosts import removal
    from machinectl.machines.jump_hosts import behind

    run.touched.add(name)
    if not run.fleet.owns(run.store.read(name).fleet):
        raise MachineError(
            f'"{name}" belongs to another fleet now, and was not removed', Hint("See the new plan", "machinectl plan")
        )
    removal.check_not_jump_host(run.store, console, name, behind(run.store.readable()).get(name, ()), force=False)
    removal.remove_machine(run.store, console, name, purge=run.options.purge)
    return Did.REMOVED


def preview_host_changes(run: ApplyRun, name: str, console: Console) -> list[Outcome]:
    """Return what `apply` would change on a host. Raises MachineError."""
    from machinectl.hosts.provisioning import preview_provisioning

    step = run.steps[name]
    if step.host is None:
        purge = run.options.purge
        return purge.preview(run.store, run.store.read(name), console) if purge else []
    machine = run.store.read(name) if run.store.exists(name) else None
    if machine is None or machine.phase != Phase.READY:
        plan = creation_of(run, name, in_use=True).plan(run.store, console)
    else:
        edit = edit_of(step.host, machine, {difference.key for difference in step.differences})
        where = edit.preview(machine, run.store.exists)
        plan = preview_provisioning(machine, console, run.login(name), run.setup(name), run.store, where)
    return [outcome for outcome in plan.outcomes if outcome.changed]


def plan_with_previews(plan: FleetPlan, store: Store, console: Console, options: ApplyOptions) -> FleetPlan:
    """Return the plan with what `apply` would do; only reads hosts."""
    run = ApplyRun(store, plan, options)
    previews: dict[str, Sequence[Outcome]] = {}
    failed = dict(plan.failed)
    hide = plan.hidden.without

    def preview(run: ApplyRun, name: str, console: Console) -> Did:
        if outcomes := preview_host_changes(run, name, console):
            previews[name] = [
                replace(outcome, title=hide(outcome.title), details=tuple(map(hide, outcome.details)))
                for outcome in outcomes
            ]
        return Did.LEFT

    names = [name for name in run.steps if name not in failed and has_host_work(run, name)]
    for result in run.at_once(RewritingConsole(console, hide), names, preview):
        if result.error:
            plan.hidden.conceal(result.error)
            failed[result.name] = result.error
    return replace(plan, previews=previews, failed=failed, seconds=dict(run.seconds))


def has_host_work(run: ApplyRun, name: str) -> bool:
    """Return whether `apply` may change the host, and can reach it already."""
    host, machine = run.steps[name].host, run.machines.get(name)
    if host is None:
        return bool(run.options.purge and machine and machine.changes)
    gate = machine_of(host.spec.jump)
    if not host.spec.provision or (gate and not run.store.exists(gate)):
        return False
    return machine is None or machine.phase != Phase.READY or bool(machine.changes) or not machine.provision


def creation_of(run: ApplyRun, name: str, *, in_use: bool) -> Creation:
    """With `in_use`, the engine may restart under containers: its turn has come, or nothing is changed."""
    from machinectl.hosts.creation import Creation

    host, options = run.host(name), run.options
    allowed = replace(options.allowed, in_use=in_use)
    return Creation(
        name,
        host.spec,
        load(host.spec.driver),
        run.login(name),
        allowed,
        options.authority,
        touching=lambda: run.changed_hosts.add(name),
        certificates=host.certificates,
        spare=options.spare,
        fleet=run.fleet.text,
    )


def edit_of(host: FleetHost, machine: Machine, keys: Collection[str]) -> Edit:
    spec = host.spec
    options = {
        option.name: spec.options.get(option.name, option.default)
        for option in load(spec.driver).options()
        if option.shown in keys
    }
    url = str(options.pop(URL)) if URL in options else moved_port(host, machine) if options else ""
    return Edit(
        url=url or None,
        tls=wants_tls(host, machine) if "no-tls" in keys or url else None,
        context=spec.context if "no-context" in keys else None,
        jump=spec.jump if "ssh-jump" in keys else None,
        addresses=spec.addresses if ADDRESS.name in keys else None,
        lifetime=spec.lifetime if ACCESS_LIFETIME.name in keys else None,
        labels=spec.labels if "labels" in keys else {},
        unlabel=[label for label in machine.labels if label not in spec.labels] if "labels" in keys else (),
        engine={
            option.key: getattr(spec.engine, option.key)
            for option in ENGINE_FLAGS
            if option.flag.removeprefix("--") in keys
        },
        options=options,
        provision=spec.provision if "no-provision" in keys else None,
    )


def moved_port(host: FleetHost, machine: Machine) -> str:
    """Return the engine's URL if its port changes."""
    driver = load(host.spec.driver)
    there = driver.where(driver_instance(machine)).url
    asked = driver.preview(Request(machine.name, machine.directory, host.spec.options, machine.tls)).url
    if not (there == machine.url and there.startswith("tcp://") and asked.startswith("tcp://")):
        return ""
    old, new = engine_url.parse_url(there), engine_url.parse_url(asked)
    return "" if old.port == new.port else str(engine_url.EngineURL("tcp", host=old.host, port=new.port))


def replace_certificates(held: Held, host: FleetHost) -> None:
    """Store the fleet file's certificates; delete those of the former CA."""
    from machinectl.hosts.certificate_files import files_of_other_ca, read_named_certificates
    from machinectl.hosts.identity import Identity

    given = read_named_certificates(host.certificates)
    if given is None:
        return
    held.finish_files()
    stale = files_of_other_ca(Identity.read(held.directory), given)
    held.write_files({**given.present, **dict.fromkeys(stale, b"")})
