"""Apply the fleet file to one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.console import RewritingConsole
from machinectl.driver import Request
from machinectl.driver.installed_drivers import load
from machinectl.errors import Hint, MachineError
from machinectl.fleet.rollout.apply_run import ApplyRun
from machinectl.fleet.rollout.differences import URL, differences, wants_tls
from machinectl.fleet.rollout.plan_steps import Did
from machinectl.hosts.editing import Edit
from machinectl.hosts.workers import locked_machine
from machinectl.machines.create_options import ACCESS_LIFETIME, ADDRESS, ENGINE_FLAGS
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.machine_driver import driver_instance
from machinectl.machines.record import Phase

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from machinectl.console import Console
    from machinectl.fleet.fleet_model import FleetHost
    from machinectl.fleet.rollout.apply_run import ApplyOptions
    from machinectl.fleet.rollout.plan_steps import FleetPlan
    from machinectl.hosts.creation import Creation
    from machinectl.hosts.host_plan import Outcome
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store

CERTIFICATE_KEYS = frozenset({"tls-dir", "tls-client-cert"})
# Engine settings, which another computer may change too.
SETTINGS = frozenset({"labels", *(option.flag.removeprefix("--") for option in ENGINE_FLAGS)})


def preview_host_changes(run: ApplyRun, name: str, console: Console) -> list[Outcome]:
    """Return what `apply` would change on a host. Raises MachineError."""
    from machinectl.hosts.provisioning import preview_provisioning

    step = run.steps[name]
    if step.host is None:
        purge = run.options.purge
        return purge.preview(run.store, run.store.read(name), console) if purge else []
    machine = run.store.read(name) if run.store.exists(name) else None
    if machine is None or machine.phase != Phase.READY:
        found = creation_of(run, name, in_use=True).plan(run.store, console)
    else:
        edit = edit_of(step.host, machine, {each.key for each in step.differences})
        there = edit.preview(machine, run.store.exists)
        found = preview_provisioning(machine, console, run.login(name), run.setup(name), run.store, there)
    return [outcome for outcome in found.outcomes if outcome.changed]


def plan_with_previews(plan: FleetPlan, store: Store, console: Console, options: ApplyOptions) -> FleetPlan:
    """Return the plan with what `apply` would do; only reads hosts."""
    run = ApplyRun(store, plan, options)
    previews: dict[str, Sequence[Outcome]] = {}
    failed = dict(plan.failed)
    hide = plan.hidden.without

    def preview(name: str, console: Console) -> Did:
        if outcomes := preview_host_changes(run, name, console):
            previews[name] = [
                replace(each, title=hide(each.title), details=tuple(map(hide, each.details))) for each in outcomes
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


def create_machine(run: ApplyRun, name: str, console: Console) -> None:
    """Create or finish a machine. Raises InUse if its engine must wait."""
    from machinectl.hosts.creation import warn_of_unused_options
    from machinectl.machines.tls_warnings import advise

    host = run.host(name)
    made = creation_of(run, name, in_use=name in run.in_use).carry_out(run.store, console)
    if not made.set_up:
        warn_of_unused_options(console, made.machine)
        advise(console, made.machine)
    if made.set_up:
        check_settings(run, host, made.machine)


def change_machine(run: ApplyRun, name: str, console: Console) -> None:
    from machinectl.hosts import provisioning
    from machinectl.hosts.certificate_files import has_named_certificates

    host, restarts = run.host(name), name in run.restarting
    with locked_machine(run.store, console, name) as held:
        machine = held.machine
        keys = {each.key for each in differences(host, machine, has_named_certificates)}
        edit = edit_of(host, machine, keys)
        machine.fleet = run.fleet.text
        if CERTIFICATE_KEYS.intersection(keys):
            replace_certificates(held, host)
        if not concerns_host(host, machine, edit, restarts=restarts):
            edit.carry_out(held)
            machine.pending = ""
            held.write()
            return
        # It ends only when the engine answers, and runs its containers as before.
        provisioning.change_host(held, console, run.login(name), run.setup(name), edit)
        check_settings(run, host, machine)


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


def concerns_host(host: FleetHost, machine: Machine, edit: Edit, *, restarts: bool) -> bool:
    if not (host.spec.provision and (machine.changes or edit.provision)):
        return False
    changed = edit.engine or edit.labels or edit.unlabel or edit.options or edit.url or edit.provision or edit.addresses
    return bool(changed or machine.pending or restarts)


def check_settings(run: ApplyRun, host: FleetHost, machine: Machine) -> None:
    """Raise MachineError if the host keeps another computer's settings."""
    from machinectl.hosts.certificate_files import has_named_certificates

    settings = {each.key for each in differences(host, machine, has_named_certificates)}.intersection(SETTINGS)
    if settings:
        raise MachineError(
            f'Another computer changed settings of "{host.name}", and its host keeps them: '
            f"{', '.join(sorted(settings))}",
            Hint("See the differences", run.options.plan_one(host.name))
            | Hint("apply the file's values", run.options.apply_one(host.name)),
        )


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
