"""Restart an engine without stopping its containers."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from machinectl import engine
from machinectl.engine import Endpoint
from machinectl.engine.ssh_wire import docker_error
from machinectl.errors import CheckFailed, Hint, MachineError, NeedsProvisioning, UsageError
from machinectl.hosts.certificate_files import check_has_certificates
from machinectl.hosts.holder_cas import finish_endings
from machinectl.hosts.host_owner import SERVER
from machinectl.hosts.host_plan import target_of
from machinectl.hosts.host_run import HostRun, HostStep
from machinectl.hosts.identity import Identity
from machinectl.machines.holders import ENDING, holders_of, put_holder
from machinectl.machines.machine_driver import check_ssh_not_withheld, endpoint_of, ssh_endpoint, with_addresses
from machinectl.machines.record import Phase
from machinectl.provision import client_cas, daemon_json, firewall, preflight
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.decision import EngineStopped, RolledBack
from machinectl.provision.facts.host_facts import OWN_DIRECTORY
from machinectl.provision.host_changes import LiveRestoreChanged, of_kind
from machinectl.provision.job import Activation
from machinectl.provision.steps import (
    docker_socket,
    engine_config,
    engine_goal,
    live_restore,
    restart_risks,
)
from machinectl.provision.steps.installation import download_script
from machinectl.provision.target import with_changes
from machinectl.quantities import first_names
from machinectl.state import State
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from machinectl.console import Console
    from machinectl.engine import EngineError, Probe
    from machinectl.machines.record import Machine
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.target import Allowed, Target

# Seconds. A running engine answers at once; a firewall that drops packets shows only as a timeout.
VERIFY_TIMEOUT = 10.0
# Seconds until a started engine listens: it warns and waits 16 s or more for each port without TLS. As in apply.sh.
LISTENS_WITHIN = 60.0
# Looks, a second apart, until the engine works as before.
TRIES = 5


def check_provisioned(machine: Machine) -> None:
    check_ssh_not_withheld(machine, Hint("For a new certificate", "machinectl access renew", machine.name))
    ssh_endpoint(machine)
    if machine.phase == Phase.PROVISIONING:
        raise NeedsProvisioning(f'"{machine.name}" is half provisioned', machine.name, "Finish that first")
    if not machine.tls:
        check_has_certificates(machine)
    if not (machine.tls and machine.url.startswith("tcp://")):
        cause = f'The engine of "{machine.name}" does not use TLS ({machine.url or "it has no URL"})'
        raise NeedsProvisioning(cause, machine.name, "Set it up")


def restart_steps(
    target: Target, allowed: Allowed, check: Callable[[Facts], None], *changes: HostStep
) -> list[HostStep]:
    """Return the steps of a restart in which containers keep running, around those that change the host.

    A Swarm node cannot have live-restore: drain it or allow the harm. `check` raises MachineError to refuse the host
    before its engine is touched.
    """
    return [
        HostStep("Look at the host", HostRun.look, undo=after_failure),
        HostStep("Learn who changed the host last", HostRun.catch_up),
        HostStep("Refuse a restart that does harm", lambda run: check_restart(run, target, allowed, check)),
        HostStep("Restore what an interrupted run left", lambda run: recover(run, target)),
        HostStep("Check the host", lambda run: check(run.host)),
        HostStep("Keep running containers running", lambda run: borrow_live_restore(run, target)),
        *changes,
        HostStep("Give a node of a swarm its tasks back", lambda run: run.drains.close()),
        HostStep("Give live-restore back", give_live_restore_back),
        HostStep("Prove that the engine works as before", prove),
    ]


def recover(run: HostRun, target: Target) -> None:
    run.take(lambda host, _: engine_config.recover(host, target))


def borrow_live_restore(run: HostRun, target: Target) -> None:
    run.take(lambda host, changes: live_restore.borrow(host, with_changes(target, changes)))


def give_live_restore_back(run: HostRun) -> None:
    if live_restore.is_on_record(run.machine.changes):
        restore_live_restore(run)


def drain(run: HostRun, allowed: Allowed) -> None:
    """Drain the host until the closing steps, if it is a Swarm node."""
    if run.drain() and run.host.swarm:
        restart_risks.refuse_harm(run.host, allowed)


def restart_activation(host: Facts, target: Target, allowed: Allowed) -> Activation:
    """Return the restart by which an engine reads other certificates or CAs."""
    check = engine_goal.validate_command(host, engine_goal.dockerd_flags(host, ours=True))
    return Activation("restart", target.port, check, containers=restart_risks.care_for_containers(host, allowed))


def check_restart(run: HostRun, target: Target, allowed: Allowed, check: Callable[[Facts], None]) -> None:
    """Raise CheckFailed if a restart does more harm than allowed, MachineError if `check` refuses a stopped engine."""
    host, name = run.host, run.machine.name
    allowed = draining.allow_swarm_restart(run.store, run.console, run.machine, host, allowed)
    preflight.check_root(host, target)
    if not host.dockerd:
        raise CheckFailed(
            f'There is no Docker Engine on the host of "{name}"', Hint("Install it", "machinectl provision", name)
        )
    if is_stopped(host) and not allowed.start:
        # A wait for the engine does not help with another computer's host.
        check(host)
        raise EngineStopped(name)
    docker_socket.check_startable(host)
    restart_risks.refuse_swarm(host, allowed)
    moves = engine_config.pending_moves(host)
    if moves and not allowed.force:
        raise restart_risks.would_hide(host, moves, allowed)
    restart_risks.refuse_harm(host, allowed)
    for warning in restart_risks.warnings(host, target):
        run.console.warn(warning)


def check_certificates_in_use(machine: Machine, host: Facts, target: Target) -> None:
    """Refuse an engine that does not take its certificates from where we put them, or has another computer's CA."""
    config = daemon_json.read_config(host)
    if config.get("tlscert") != SERVER or not config.get("tlsverify"):
        cause = f'The engine of "{machine.name}" does not take its certificates from {OWN_DIRECTORY}'
        raise NeedsProvisioning(cause, machine.name)
    preflight.check_own_ca(host, target)


def is_stopped(host: Facts) -> bool:
    """Return whether the engine does not run, and no interrupted run of ours is why."""
    return not host.running and host.transaction != "applying"


def after_failure(run: HostRun, error: BaseException) -> None:
    """Give live-restore back, and say what else is wrong with the engine.

    If the engine is down, live-restore stays, so that its next start keeps the containers.
    """
    is_borrowed = bool(of_kind(run.machine.changes, LiveRestoreChanged))
    if isinstance(error, KeyboardInterrupt) and is_borrowed and run.held:
        run.console.warn(*not_restored(run.machine, command=run.again))
    if not isinstance(error, MachineError):
        return
    # The record may still contain the settings that just failed.
    if is_borrowed and restore_live_restore(run, numbered=False):
        host, path = run.host, run.host.config_path
        start = "systemctl reset-failed docker; systemctl start docker"
        kept = f"keeps {engine_config.container_count(host)} running when the engine starts: correct {path}, then"
        error.hint |= Hint(
            f"live-restore stays on in {path} on the host, and {kept}",
            start if host.init == "systemd" else "rc-service docker start",
        ) | Hint("then set live-restore back", run.again)
        return
    with suppress(MachineError):
        if also := problem(run):
            error.cause, error.hint = f"{error.cause}\n{also.cause}", also.hint


class Endings:
    """Records the holders as ended that a host refuses after other work that restarts its engine.

    They are on record as ending before the host is changed, and stay if it rolls back.
    """

    def __init__(self) -> None:
        self.before: dict[str, Any] = {}

    def begin(self, run: HostRun, ca: bytes) -> None:
        """If `ca` (PEM) replaces the machine's, by which the holders verify the engine, these are all that it has."""
        machine = run.machine
        self.before = machine.holders
        if run.held and self.before and ca not in {b"", Identity.read(run.held.directory).ca}:
            for holder in holders_of(machine):
                put_holder(machine, replace(holder, state=ENDING))
            run.held.write()

    def undo(self, run: HostRun, error: BaseException) -> None:
        refused = isinstance(error, CheckFailed | RolledBack | UsageError)
        if run.held and refused and run.machine.holders != self.before:
            run.machine.holders = self.before
            run.held.write()

    def finish(self, run: HostRun) -> None:
        if run.held and (ended := finish_endings(run.held)):
            run.console.note(f'The access of {", ".join(ended)} to "{run.machine.name}" has ended')


def warn_of_clients(run: HostRun, unrecorded: list[str]) -> None:
    """Warn of CAs (by subject) that somebody else has added, and of damage in the host's list."""
    name, again = run.machine.name, f"machinectl provision {run.machine.name}"
    if unrecorded:
        cas = "a CA that is" if len(unrecorded) == 1 else f"{len(unrecorded)} CAs that are"
        named = first_names(unrecorded, client_cas.MOST_NAMED)
        given = next(filter(None, map(client_cas.holder_named_by, unrecorded)), "<WHO>")
        run.console.warn(
            f'The engine of "{name}" also accepts {cas} not on record here: {named}',
            Hint("If no owner of the host meant that, end it", "machinectl access end", given, name)
            | Hint(f"or delete it from {CLIENTS} there, and then", again),
        )
    if damage := client_cas.damage(run.host):
        run.console.warn(f'On the host of "{name}", {damage}', Hint("Correct that file, and then", again))


def prove(run: HostRun) -> None:
    """Raise MachineError unless the engine works, and runs its containers, as before the first step."""
    error = problem(run)
    run.has_made = False
    if error:
        raise error


def problem(run: HostRun) -> MachineError | None:
    """Read the host after the last step; return what is wrong with the engine that was right before."""
    if not (run.has_made and run.before and run.before.running and run.host.dockerd and run.host.running):
        return None
    error = None
    for _ in range(TRIES):
        run.refresh()
        error = restart_risks.engine_problem(run.before, run.host)
        if error is None:
            break
        run.console.pause(1)
    return error


def restore_live_restore(run: HostRun, *, numbered: bool = True) -> bool:
    """Set live-restore to --engine-opt's value, else the host's. A failure is a warning.

    Returns whether it stays on because the engine is down and has containers.
    """
    machine = run.machine
    try:
        if live_restore.is_on_record(machine.changes):
            run.refresh()
        target = target_of(machine)
        decision = live_restore.give_back(run.host, target)
        if decision:
            run.make(decision, numbered=numbered)
        changes = live_restore.without_settled(run.host, with_changes(target, machine.changes), machine.changes)
        run.keep(changes)
        return live_restore.is_needed(run.host)
    except MachineError as exc:
        run.console.warn(*not_restored(machine, exc.cause, run.again))
        return False


def not_restored(machine: Machine, cause: str = "", command: str = "") -> tuple[str, Hint]:
    """Return a warning; `command` finishes the run (default: provision)."""
    why = f": {cause}" if cause else ""
    return (
        f'The previous value of live-restore was not restored on the host of "{machine.name}"{why}',
        Hint("Restore it", command or f"machinectl provision {machine.name}"),
    )


@dataclass(frozen=True)
class World:
    script: Callable[[str], bytes | None] = download_script
    probe: Callable[[Endpoint, float], Probe] = field(default=engine.probe)
    reach: Callable[[Endpoint, float], EngineError | None] = field(default=engine.reach)
    docker_error: Callable[[Endpoint, float], EngineError | None] = field(default=docker_error)


def with_reachability(host: Facts, machine: Machine, url: str, world: World | None = None) -> Facts:
    """Add why the engine's port cannot be reached from here, if it cannot."""
    reach = (world or World()).reach
    error = reach(with_addresses(Endpoint(url, tls=True, name=machine.name), machine), VERIFY_TIMEOUT)
    return replace(host, no_way=error.cause, refused=error.state is State.STOPPED) if error else host


def verify(run: HostRun, world: World) -> None:
    """Raise MachineError unless the engine answers over TLS, or over SSH if that is its way."""
    machine, url = run.machine, run.url
    endpoint = endpoint_of(machine, url)
    if run.host.init == "openrc":
        answer = until_it_answers(endpoint, run.console, world.probe)
    else:
        answer = world.probe(endpoint, VERIFY_TIMEOUT)
    if answer.state is State.RUNNING:
        if url.startswith("ssh://") and (error := world.docker_error(endpoint, VERIFY_TIMEOUT)):
            raise MachineError(f"The engine answers, but docker cannot reach it over SSH: {error.cause}", error.hint)
        return
    if url.startswith("ssh://"):
        raise MachineError(
            f"The engine runs on the host, but it does not answer over SSH: {answer.error}",
            answer.hint | docker_socket.with_listener(machine.name),
        )
    # A rejecting firewall may also show as "no route to host".
    if answer.state in {State.TIMEOUT, State.STOPPED} or firewall.blocking(run.host, run.port):
        cause = f"The engine runs on the host, but {url} cannot be reached from here: {answer.error}"
        raise MachineError(cause, firewall.advice(run.host, run.port))
    raise MachineError(f"The engine at {url} does not answer as expected: {answer.error}", answer.hint)


def until_it_answers(
    where: Endpoint, console: Console, probe: Callable[[Endpoint, float], Probe] = engine.probe
) -> Probe:
    """Probe until something listens: OpenRC reports a start too early."""
    end = time.monotonic() + LISTENS_WITHIN
    answer = probe(where, VERIFY_TIMEOUT)
    while answer.state is State.STOPPED and time.monotonic() < end:
        console.pause(0.5)
        answer = probe(where, VERIFY_TIMEOUT)
    return answer
