"""Upgrade engines with the hosts' package managers."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from machinectl.console import StateNote, confirm
from machinectl.errors import CheckFailed, Declined, Hint, MachineError
from machinectl.hosts import engine_restart
from machinectl.hosts.host_plan import HostPlan, Outcome, host_summary, target_of
from machinectl.hosts.host_run import HostRun, HostStep, carry_out, plan_run, real_run
from machinectl.machines.machine_driver import endpoint_of
from machinectl.provision.client_cas import CLIENTS
from machinectl.provision.daemon_json import read_config
from machinectl.provision.decision import container_refusal, log_command, tail
from machinectl.provision.job import Job
from machinectl.provision.steps import distributions, installation
from machinectl.state import State
from machinectl.swarm_nodes import draining

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Remote
    from machinectl.provision.steps.distributions import Distribution
    from machinectl.provision.target import Allowed


JOURNALS = {
    "systemd": "journalctl --no-pager -q -o cat -u docker.service -n 15",
    "openrc": "tail -n 15 /var/log/docker.log",
}


def plan_upgrade(store: Store, machine: Machine, console: Console, login: Login, allowed: Allowed) -> HostPlan:
    """Use the package lists that the host has."""
    return plan_run(store, machine, console, login, lambda run: carry_out(run, EngineUpgrade(allowed).steps(run)))


def upgrade_engine(held: Held, console: Console, login: Login, allowed: Allowed) -> None:
    with real_run(held, console, login) as run:
        carry_out(run, EngineUpgrade(allowed).steps(run))


class EngineUpgrade:
    """An upgrade of one host's engine to the newest version of its package."""

    packages: PackageManager
    package = before = after = ""

    def __init__(self, allowed: Allowed) -> None:
        self.allowed = allowed

    def steps(self, run: HostRun) -> list[HostStep]:
        return [
            HostStep("Look at the host", HostRun.look),
            HostStep("Look for a newer version", self.find_newest),
            HostStep("Ask about more than a patch release", self.ask),
            *engine_restart.restart_steps(
                target_of(run.machine),
                self.allowed,
                partial(check_client_cas, run.machine.name),
                HostStep("Drain a node of a swarm", partial(engine_restart.drain, allowed=self.allowed)),
                HostStep("Upgrade the engine's package", self.upgrade),
                HostStep("Prove that the engine works", self.check),
            ),
        ]

    def find_newest(self, run: HostRun) -> bool:
        """Return whether there is nothing to upgrade."""
        name, held = run.machine.name, run.held
        target, self.package = target_of(run.machine), engine_package(run.machine, run.host)
        family = distributions.choose_distribution(run.host.os_release, target.os)
        self.packages = PackageManager(family, target.proxies)
        self.before = run.host.packages[self.package]
        run.found = (*host_summary(run.host, run.port), f"Package: {self.package} {self.before}")
        with run.console.step(f'Looking for a newer {self.package} for "{name}"') if held else nullcontext():
            self.after = self.packages.newest(run.remote, self.package, self.before, refresh=bool(held))
        if self.after != self.before:
            return False
        if held:
            run.console.note(StateNote(f'"{name}" is up to date: there is no newer {self.package} than {self.before}'))
        else:
            run.outcomes.append(Outcome(f"No newer {self.package} is known on the host", changed=False))
        engine_restart.restore_live_restore(run)
        if held:
            draining.restore_availability(held, run.console)
        return True

    def ask(self, run: HostRun) -> None:
        if run.held and not self.allowed.yes:
            ask_before_upgrade(run.console, run.machine, self.package, (self.before, self.after), run.host.dependents)

    def upgrade(self, run: HostRun) -> None:
        title = f"Upgrading {self.package} to {self.after}"
        if not run.held:
            details = upgrade_risks(self.before, self.after, run.machine.engine.version, run.host.dependents)
            run.outcomes.append(Outcome(title, changed=True, details=tuple(details)))
            return
        with run.console.step(f'Upgrading {self.package} of "{run.machine.name}" from {self.before} to {self.after}'):
            self.packages.upgrade(run.remote, self.package, run.host.init)
        run.refresh()

    def check(self, run: HostRun) -> None:
        """Raise MachineError if the engine does not answer, or can make no container."""
        if not run.held:
            return
        machine, host, fault = run.machine, run.host, ""
        answer = engine_restart.until_it_answers(endpoint_of(machine), run.console)
        if answer.state is not State.RUNNING:
            journal = tail(run.remote.run(JOURNALS.get(host.init, ":"), check=False))
            fault = f"does not answer: {answer.error}\n{journal}"
        elif reason := container_refusal(run.remote):
            fault = f"can make no container: {reason}"
        if fault:
            hint = Hint("Look on its host", log_command(host.init))
            raise MachineError(f"The engine was upgraded, and {fault}", hint)
        run.console.note(
            f'"{machine.name}": {self.package} {self.before} → {host.packages.get(self.package, self.after)}'
        )


def check_client_cas(name: str, host: Facts) -> None:
    """Refuse an engine that runs, but would not start again."""
    if read_config(host).get("tlscacert") == CLIENTS and CLIENTS not in host.files:
        raise CheckFailed(
            f"{CLIENTS} is missing on the host: its engine would not start again",
            Hint("Write it first", "machinectl provision", name),
        )


def ask_before_upgrade(
    console: Console, machine: Machine, package: str, versions: tuple[str, str], dependents: Sequence[str] = ()
) -> None:
    """Ask about more than a patch release. Raises Declined."""
    before, after = versions
    reasons = upgrade_risks(before, after, machine.engine.version, dependents)
    if not reasons:
        return
    console.note(f'"{machine.name}": {package} {before} would become {after}. {" ".join(reasons)}')
    if not confirm(console, "Upgrade it?", f"machinectl upgrade -y {machine.name}"):
        raise Declined(
            f'"{machine.name}" was not upgraded, it stays at {package} {before}',
            Hint("Upgrade it all the same", "machinectl upgrade --yes", machine.name),
        )


def upgrade_risks(before: str, after: str, pin: str, dependents: Sequence[str] = ()) -> list[str]:
    """Return why an upgrade needs confirmation.

    `pin` is the start of the requested version, or "". `dependents` restart with the engine.
    """
    found = []
    if release_numbers(before)[:2] != release_numbers(after)[:2] or not release_numbers(after):
        found.append("That is more than a patch: Docker keeps containers running across patch releases only.")
    wanted = [number for number in re.split(r"\D+", pin) if number]
    if wanted != release_numbers(after)[: len(wanted)]:
        found.append(f"It was created with --engine-version {pin}.")
    if dependents:
        # The package's script restarts the service and its dependents.
        found.append(f"The package's restart of docker.service restarts {', '.join(dependents)} too.")
    return found


def release_numbers(version: str) -> list[str]:
    """Return 28, 1, 1 for a package's 5:28.1.1-1~debian.13~trixie."""
    match = re.match(r"(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return [number for number in match.groups() if number] if match else []


# The engine's packages, and those of its release that are not upgraded with it automatically.
PACKAGES = {
    "docker-ce": ("docker-ce", "docker-ce-cli", "containerd.io"),
    "docker.io": ("docker.io",),
    "moby-engine": ("moby-engine",),
    "docker-engine": ("docker-engine",),
    "docker": ("docker",),
}
# Most packages restart the engine. If not, its program file is deleted (proc_pid_exe(5)).
RESTART_OLD = """for program in /proc/[0-9]*/exe; do
    case $(readlink "$program") in
    */dockerd' (deleted)') RESTART; break ;;
    esac
done"""
RESTARTS = {
    "systemd": "systemctl restart --job-mode=ignore-dependencies docker.service",
    "openrc": "rc-service docker restart",
}


def engine_package(machine: Machine, host: Facts) -> str:
    """Raise MachineError if no known package has the engine."""
    for package in PACKAGES:
        if package in host.packages and host.dockerd:
            return package
    if host.dockerd:
        raise MachineError(
            f'{host.dockerd} on the host of "{machine.name}" belongs to no known package',
            Hint("Upgrade it the way it was installed"),
        )
    raise MachineError(
        f'There is no Docker Engine on the host of "{machine.name}"',
        Hint("Install it", "machinectl provision", machine.name),
    )


@dataclass(frozen=True)
class PackageManager:
    family: Distribution
    proxies: Mapping[str, str]

    def newest(self, remote: Remote, package: str, before: str, *, refresh: bool = True) -> str:
        """Return the version that an upgrade would install, or `before`.

        Without `refresh`, change nothing on the host. Raises MachineError if the version is unknown.
        """
        look = [self.family.refresh if refresh else "", self.family.candidate(package)]
        result = self._job(" && ".join(command for command in look if command)).run(remote)
        said = result.stdout.decode(errors="replace").strip()
        version = said.rpartition("\n")[2].strip()
        # apt exits with 0 if it uses old lists.
        unread = [line for line in said.splitlines() if line.startswith(("E:", "W: Failed"))]
        if result.status != 0 or not re.search(r"\d", version) or (version == before and unread):
            raise MachineError(
                f"cannot find out whether there is a newer {package} than {before}:\n{tail(result)}",
                Hint("See on the host that its package mirrors answer"),
            )
        return version

    def upgrade(self, remote: Remote, package: str, init: str) -> None:
        """Upgrade other packages only if necessary."""
        command = " && ".join(self.family.upgrade(each) for each in PACKAGES[package])
        result = self._job(command, RESTART_OLD.replace("RESTART", RESTARTS.get(init, ":"))).run(remote)
        if result.status != 0:
            raise installation.explain_failure(result, command)

    def _job(self, command: str, after: str = "") -> Job:
        """Run `command`, then `after`, under the package manager's lock."""
        variables = {
            "refresh": "",
            "install": command,
            "start": after,
            "locks": " ".join(self.family.locks),
            "lock_files": " ".join(self.family.lock_files),
            "deadline": str(installation.LOCK_DEADLINE),
        }
        proxies = "".join(f"{name}={value}\n" for name, value in self.proxies.items())
        return Job("install.sh", variables, {"environment": proxies.encode()}, timeout=installation.INSTALL_TIMEOUT)
