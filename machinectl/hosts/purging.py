"""Undo the recorded changes on a host. Containers and images stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.hosts import shared_hosts
from machinectl.hosts.authorized_keys import REMOVING, remove_authorized_keys
from machinectl.hosts.engine_restart import after_failure, prove
from machinectl.hosts.host_owner import check_not_lost
from machinectl.hosts.host_plan import HostPlan, Outcome
from machinectl.hosts.host_run import DryRun, HostRun, HostStep, RealRun, carry_out
from machinectl.hosts.login import Login, lock_as_root, logged_in, pin_known_hosts, root_runner
from machinectl.provision import firewall
from machinectl.provision.host_changes import (
    GroupJoined,
    KeyAuthorized,
    PackageInstalled,
    PortOpened,
    UnknownChange,
    of_kind,
)
from machinectl.provision.steps import docker_socket, installation, undo_steps
from machinectl.provision.target import NOTHING_SPECIAL, Allowed
from machinectl.ssh.ssh_errors import SSHError
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change


@dataclass(frozen=True)
class Purge:
    """Undoes the changes, with `engine` the engine's package, too. The next run can finish this."""

    login: Login = field(default_factory=Login)
    allowed: Allowed = NOTHING_SPECIAL
    engine: bool = False

    @property
    def options(self) -> list[str]:
        purge = "--purge-engine" if self.engine else "--purge"
        return [purge, "--restart-swarm"] if self.allowed.restart_swarm else [purge]

    def purge_host(self, held: Held, console: Console, *, force: bool) -> None:
        """With `force`, skip an unreachable host."""
        login = self.login.for_one_host()
        try:
            with logged_in(held.machine, console, login, pin=partial(pin_known_hosts, held)) as session:
                if needs_root(held.machine):
                    self.carry_out(RealRun(held, console, lock_as_root(held, console, login, session)))
                remove_authorized_keys(held, console, session)
        except MachineError as exc:
            if not force:
                if isinstance(exc, SSHError):
                    # It may never come back.
                    forget = Hint("or forget it, and keep the record to undo its set-up", "machinectl rm", held.name)
                    if held.is_removed:
                        forget = Hint("or leave its host as it is, and forget it", "machinectl rm --forget", held.name)
                    exc.hint = exc.hint | forget
                raise
            console.warn(f"{exc.cause}; the host is unchanged")

    def preview(self, store: Store, machine: Machine, console: Console) -> list[Outcome]:
        outcomes, keys = [], of_kind(machine.changes, KeyAuthorized)
        login = self.login.for_one_host()
        with logged_in(machine, console, login) as session:
            if needs_root(machine):
                run = DryRun(store, machine, console, root_runner(session, console, login))
                outcomes = [*self.carry_out(run).outcomes]
                keys = of_kind(run.machine.changes, KeyAuthorized)
        return [
            *outcomes,
            *(Outcome(f"{REMOVING}: {key.path}", changed=True, details=(f"remove {key.key}",)) for key in keys),
        ]

    def carry_out(self, run: HostRun) -> HostPlan:
        run.remark = run.console.note
        run.again = f"machinectl rm {'--purge-engine' if self.engine else '--purge'} {run.machine.name}"
        return carry_out(run, self.steps)

    @property
    def steps(self) -> list[HostStep]:
        return [
            HostStep("Look at the host", HostRun.look),
            HostStep("Find out whose host it is", lambda run: check_not_lost(run.store, run.machine, run.host)),
            HostStep("Learn what other computers did", self.catch_up),
            HostStep("Undo the changes", self.undo_changes, undo=after_failure),
            HostStep("Prove that the engine works as before", prove),
            HostStep("Forget what is undone", self.forget),
        ]

    def catch_up(self, run: HostRun) -> None:
        # Undo later changes from other computers, too, whatever was changed here.
        run.gives_way = True
        run.catch_up()
        shared_hosts.check_known(run.machine, run.host, self.allowed)

    def undo_changes(self, run: HostRun) -> None:
        allowed = draining.allow_swarm_restart(run.store, run.console, run.machine, run.host, self.allowed)
        for decide in undo_steps.undo_steps(purge_engine=self.engine, allowed=allowed, os=run.machine.engine.os):
            if run.take(decide, numbered=False):
                # A container may have been started meanwhile.
                run.refresh()
            run.drains.close()

    def forget(self, run: HostRun) -> None:
        """Say what stays, and keep that alone on record."""
        for remark in undo_steps.remarks_after(run.host, run.machine.changes, purge_engine=self.engine):
            run.console.note(remark)
        if run.host.new_packages and run.held:
            run.remote.run("rm -f /run/machinectl.new-packages")
        run.keep(staying(run.host, run.machine.changes, purge_engine=self.engine))


def staying(host: Facts, changes: Sequence[Change], *, purge_engine: bool) -> tuple[Change, ...]:
    """Return the changes to keep: the user's key, what we did not write, and an engine that stays."""
    installed = () if purge_engine else of_kind(changes, PackageInstalled)
    others: list[Change] = [change for change in installed if installation.is_package_installed(host, change)]
    others += [change for change in of_kind(changes, PortOpened) if not firewall.is_our_rule(change)]
    others += [change for change in of_kind(changes, GroupJoined) if not docker_socket.is_engines_group(host, change)]
    return tuple(change for change in changes if isinstance(change, KeyAuthorized | UnknownChange) or change in others)


def needs_root(machine: Machine) -> bool:
    return any(not isinstance(change, KeyAuthorized) for change in machine.changes)
