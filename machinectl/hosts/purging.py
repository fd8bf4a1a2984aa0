"""Undo the recorded changes on a host. Containers and images stay."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.hosts import shared_hosts
from machinectl.hosts.authorized_keys import remove_authorized_keys, unauthorizing_title
from machinectl.hosts.engine_restart import live_restore_borrowed, prove
from machinectl.hosts.host_owner import check_not_lost
from machinectl.hosts.host_plan import Outcome
from machinectl.hosts.host_run import DryRun, RealRun
from machinectl.hosts.login import lock_as_root, logged_in, pin_known_hosts, root_runner
from machinectl.machines.store.held_removed import HeldRemoved
from machinectl.provision import firewall
from machinectl.provision.decision import log_command
from machinectl.provision.host_changes import (
    GroupJoined,
    KeyAuthorized,
    PackageInstalled,
    PortOpened,
    UnknownChange,
    of_kind,
)
from machinectl.provision.steps import docker_group, undo_steps
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.ssh.ssh_errors import SSHError
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.host_run import HostRun
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.target import Allowed


def undo_changes(
    run: HostRun,
    *,
    purge_engine: bool = False,
    allowed: Allowed = NOTHING_SPECIAL,
    looked: Callable[[], None] | None = None,
) -> list[Outcome]:
    """Undo the changes, with `purge_engine` the engine's package, too. The next run can finish this.

    `looked` is called when the host has turned out to be the machine's.
    """
    host, machine = run.look(), run.machine
    check_not_lost(run.store, machine, host)
    if looked:
        looked()
    # Undo later changes from other computers, too, whatever was changed here.
    run.gives_way = True
    run.catch_up()
    shared_hosts.check_known(machine, host, allowed)
    allowed = draining.allow_swarm_restart(run.store, run.console, machine, host, allowed)
    run.remark = run.console.note
    run.again = f"machinectl rm {'--purge-engine' if purge_engine else '--purge'} {machine.name}"
    with live_restore_borrowed(run):
        for step in undo_steps.undo_steps(purge_engine=purge_engine, allowed=allowed, os=machine.engine.os):
            with ExitStack() as drains:
                if run.take(step, drains, numbered=False):
                    # A container may have been started meanwhile.
                    run.refresh()
        prove(run)
    if host.service.failed and run.host.dockerd and not run.host.running:
        run.console.warn(
            f'The engine of "{machine.name}" failed before, and does not run',
            Hint("Look on the host", log_command(host.init))
            | Hint("then start it", "systemctl reset-failed docker")
            | Hint("", "systemctl start docker"),
        )
    if run.host.new_packages and isinstance(run, RealRun):
        run.remote.run("rm -f /run/machinectl.new-packages")
    for remark in undo_steps.remarks_after(run.host, machine.changes, purge_engine=purge_engine):
        run.console.note(remark)
    run.keep(staying(run.host, machine.changes, purge_engine=purge_engine))
    return run.outcomes


def staying(host: Facts, changes: Sequence[Change], *, purge_engine: bool) -> tuple[Change, ...]:
    """Return the changes to keep: the user's key, what we did not write, and an engine that stays."""
    installed = () if purge_engine else of_kind(changes, PackageInstalled)
    others: list[Change] = [change for change in installed if undo_steps.is_installed(host, change)]
    others += [change for change in of_kind(changes, PortOpened) if not firewall.is_our_rule(change)]
    others += [change for change in of_kind(changes, GroupJoined) if not docker_group.is_engines(host, change)]
    return tuple(change for change in changes if isinstance(change, KeyAuthorized | UnknownChange) or change in others)


def purge_host(
    held: Held,
    console: Console,
    login: Login,
    allowed: Allowed,
    *,
    purge_engine: bool,
    force: bool,
    looked: Callable[[], None] | None = None,
) -> None:
    """With `force`, skip an unreachable host."""
    try:
        with logged_in(held.machine, console, login, pin=partial(pin_known_hosts, held)) as session:
            if needs_root(held.machine):
                root = lock_as_root(held, console, login, session)
                run = RealRun(held, console, root)
                undo_changes(run, purge_engine=purge_engine, allowed=allowed, looked=looked)
            remove_authorized_keys(held, console, session)
    except MachineError as exc:
        if not force:
            if isinstance(exc, SSHError):
                # It may never come back.
                forget = Hint("or forget it, and keep the record to undo its set-up", "machinectl rm", held.name)
                if isinstance(held, HeldRemoved):
                    forget = Hint("or leave its host as it is, and forget it", "machinectl rm --forget", held.name)
                exc.hint = exc.hint | forget
            raise
        console.warn(f"{exc.cause}; the host is unchanged")


def preview_purge(
    store: Store, machine: Machine, console: Console, login: Login, allowed: Allowed, *, purge_engine: bool
) -> list[Outcome]:
    outcomes, keys = [], of_kind(machine.changes, KeyAuthorized)
    with logged_in(machine, console, login) as session:
        if needs_root(machine):
            run = DryRun(store, machine, console, root_runner(session, console, login))
            outcomes = undo_changes(run, purge_engine=purge_engine, allowed=allowed)
            keys = of_kind(run.machine.changes, KeyAuthorized)
    return [
        *outcomes,
        *(Outcome(unauthorizing_title(key), changed=True, details=(f"remove {key.key}",)) for key in keys),
    ]


def needs_root(machine: Machine) -> bool:
    return any(not isinstance(change, KeyAuthorized) for change in machine.changes)
