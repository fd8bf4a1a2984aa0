"""Apply a machine's record to its host, or preview that."""

from __future__ import annotations

import os
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from machinectl.errors import CheckFailed, Hint, MachineError, UsageError
from machinectl.hosts import authorized_keys
from machinectl.hosts.host_plan import Outcome, login_summary
from machinectl.hosts.host_run import DryRun, RealRun, real_run
from machinectl.hosts.login import (
    lock_as_root,
    logged_in,
    pin_known_hosts,
    pinned_known_hosts,
    root_runner,
)
from machinectl.hosts.ssh_config import note_docker_over_ssh
from machinectl.machines.machine_driver import driver_of, endpoints_of, engine_url_of
from machinectl.machines.record import PROVISION, Phase
from machinectl.provision.decision import RolledBack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.console import Console
    from machinectl.driver import SSHEndpoint, Where
    from machinectl.hosts.editing import Edit
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.hosts.setup import Setup
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store


def provision(held: Held, console: Console, login: Login, setup: Setup) -> list[Outcome]:
    with at_host(held, console, login, setup) as run:
        return list(setup.carry_out(run).outcomes)


def provision_new_host(held: Held, console: Console, login: Login, setup: Setup, ssh: SSHEndpoint) -> None:
    """Set up a new machine's host, and authorize the user's key there if `ssh` says so."""
    machine = held.machine
    machine.engine.check()  # refuse invalid options before any question
    # Recorded first, so that the next run can resume.
    machine.phase = Phase.PROVISIONING
    held.write()
    with logged_in(machine, console, login, ssh=ssh, pin=partial(pin_known_hosts, held)) as session:
        run = RealRun(held, console, lock_as_root(held, console, login, session), touching=setup.touching)
        if ssh.copy_key:
            authorized_keys.authorize_login_key(held, console, session, public_key(ssh, login.credentials.passphrase))
        try:
            setup.carry_out(run)
        except CheckFailed:
            # Leave a refused host unchanged.
            if ssh.copy_key:
                authorized_keys.remove_authorized_keys(held, console, session)
            raise


def change_host(held: Held, console: Console, login: Login, setup: Setup, edit: Edit) -> list[Outcome]:
    """Edit a machine, and change its host.

    If the host stays unchanged or rolls back, the edit is undone. After other failures it stays, marked as not
    applied.
    """
    before, key = copy(held.machine), pinned_known_hosts(held.machine)
    edit.carry_out(held)
    held.machine.pending = PROVISION
    held.write()
    reached = False
    try:
        with at_host(held, console, login, setup) as run:
            reached = True
            return list(setup.carry_out(run).outcomes)
    except MachineError as exc:
        if not reached or isinstance(exc, RolledBack | CheckFailed | UsageError):
            undo_edit(held, edit, before, key)
        raise


@contextmanager
def at_host(held: Held, console: Console, login: Login, setup: Setup) -> Iterator[RealRun]:
    machine = held.machine
    # The URL may differ from the driver's, where the engine will be.
    there, before = endpoints_of(machine), machine.url
    machine.engine.check()
    touching = partial(begin_changes, held, setup)
    with real_run(held, console, login, engine_url_of(machine, there), ssh=there.ssh, touching=touching) as run:
        yield run
    # Update contexts even if the host needed nothing.
    held.touch()
    if machine.url != before:
        note_docker_over_ssh(held.store, console, machine)


def begin_changes(held: Held, setup: Setup) -> None:
    """Forget which settings the host has: a run that fails may have applied some."""
    if held.machine.applied:
        held.machine.applied = {}
        held.write()
    setup.touching()


def undo_edit(held: Held, edit: Edit, before: Machine, key: bytes) -> None:
    """Restore the record, but not a location whose file was replaced. `key` is the pinned host key."""
    machine = held.machine
    paths = {option.name for option in driver_of(machine).options() if option.path}
    moved_back = paths.isdisjoint(edit.options)
    options = (before if moved_back else machine).spec.options
    machine.spec = replace(
        before.spec, options=options, context=machine.context, jump=machine.jump, lifetime=machine.lifetime
    )
    if moved_back:
        if machine.driver_state != before.driver_state:
            # The accepted key belongs to the rejected host.
            pin_known_hosts(held, key)
        machine.driver_state, machine.url = before.driver_state, before.url
        machine.tls, machine.pending = before.tls, before.pending
    else:
        machine.pending = PROVISION
    # Another computer's changes left the record: find them again.
    machine.revision = before.revision
    held.write()


def preview_provisioning(
    machine: Machine, console: Console, login: Login, setup: Setup, store: Store, there: Where | None = None
) -> HostPlan:
    """Return what `provision` would do; `there` is the new location, if it changes."""
    there = there or endpoints_of(machine)
    machine.engine.check()
    with logged_in(machine, console, login, ssh=there.ssh) as session:
        root = root_runner(session, console, login)
        plan = setup.carry_out(DryRun(store, machine, console, root, engine_url_of(machine, there)))
        outcomes = plan.outcomes
        if machine.phase == Phase.CREATING and there.ssh and there.ssh.copy_key:
            line = public_key(there.ssh, login.credentials.passphrase)
            if change := authorized_keys.authorized_key_change(session, line):
                outcomes = (
                    Outcome(f"{authorized_keys.AUTHORIZING}: {change.path}", changed=True, details=(f"add {line}",)),
                    *outcomes,
                )
        return replace(plan, found=(login_summary(session, root), *plan.found), outcomes=outcomes)


def public_key(ssh: SSHEndpoint, passphrase: str | None) -> str:
    """Return the machine's key, else the first that SSH would try."""
    from machinectl.ssh.keys.private_keys import public_line
    from machinectl.ssh.ssh_settings import read_settings

    if ssh.key:
        return public_line(ssh.key, passphrase)
    present = [path for path in read_settings(ssh).keys if os.path.exists(path)]
    if not present:
        raise MachineError("You have no SSH key to copy to the host", Hint("Make one", "ssh-keygen -t ed25519"))
    return public_line(present[0], passphrase)
