"""The packages of engines, and the host's package manager."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.provision.decision import tail
from machinectl.provision.job import Job
from machinectl.provision.steps import installation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.machines.record import Machine
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Remote
    from machinectl.provision.steps.distributions import Distribution

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
        complaints = installation.complaints(said)
        version = said.rpartition("\n")[2].strip()
        # apt prints Err: also for optional lists, and exits with 0 if it uses old ones.
        unread = [line for line in complaints.splitlines() if not line.startswith("Err:")]
        if result.status != 0 or not re.search(r"\d", version) or (version == before and unread):
            raise MachineError(
                f"cannot find out whether there is a newer {package} than {before}:\n{complaints or tail(result)}",
                Hint(f"See on the host that its package mirrors answer{self._through()}"),
            )
        return version

    def _through(self) -> str:
        # Not its address, which may hold a password.
        names = sorted({name.upper() for name in self.proxies} - {"NO_PROXY"})
        return f" through the proxy of --engine-env {', '.join(names)}" if names else ""

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
            "simulate": "",
        }
        proxies = "".join(f"{name}={value}\n" for name, value in self.proxies.items())
        return Job("install.sh", variables, {"environment": proxies.encode()}, timeout=installation.INSTALL_TIMEOUT)
