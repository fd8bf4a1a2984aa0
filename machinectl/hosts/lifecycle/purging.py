"""Undo the recorded changes on a host. Containers and images stay."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from machinectl.host_changes import KeyAuthorized, PackageInstalled, PortOpened, UnknownChange, of_kind
from machinectl.hosts.lifecycle.engine_restart import live_restore_borrowed
from machinectl.hosts.lifecycle.host_owner import check_not_lost
from machinectl.hosts.swarm import draining
from machinectl.provision import firewall
from machinectl.provision.steps import undo_steps
from machinectl.provision.target import NOTHING_SPECIAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.host_changes import Change
    from machinectl.hosts.lifecycle.host_plan import Outcome
    from machinectl.hosts.lifecycle.host_run import HostRun
    from machinectl.provision.target import Allowed


def purge(run: HostRun, *, purge_engine: bool = False, allowed: Allowed = NOTHING_SPECIAL) -> list[Outcome]:
    """Undo the changes; with `purge_engine`, remove the engine's package too.

    Records its own changes first, so that the next run can finish.
    """
    host, machine = run.look(), run.machine
    check_not_lost(run.store, machine, host)
    allowed = draining.allow_swarm_restart(run.store, machine, host, allowed)
    run.remark = run.console.note
    with live_restore_borrowed(run):
        for step in undo_steps.undo_steps(purge_engine=purge_engine, allowed=allowed, os=machine.engine.os):
            with ExitStack() as drains:
                if run.take(step, drains, numbered=False):
                    # A container may have been started meanwhile.
                    run.refresh()
    for remark in undo_steps.remarks_after(run.host, machine.changes, purge_engine=purge_engine):
        run.console.note(remark)
    run.keep(staying(machine.changes, purge_engine=purge_engine))
    return run.outcomes


def staying(changes: Sequence[Change], *, purge_engine: bool) -> tuple[Change, ...]:
    """Return the changes to keep: the user's key, and what we did not write."""
    kinds = (KeyAuthorized, UnknownChange) if purge_engine else (KeyAuthorized, UnknownChange, PackageInstalled)
    foreign = [change for change in of_kind(changes, PortOpened) if not firewall.is_our_rule(change)]
    return tuple(change for change in changes if isinstance(change, kinds) or change in foreign)
