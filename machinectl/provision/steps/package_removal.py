"""Remove the engine's package, and what came with it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.provision.decision import Decision, job_not_started
from machinectl.provision.host_changes import Change, PackageInstalled, of_kind
from machinectl.provision.job import Job, RemoteResult
from machinectl.provision.steps import distributions
from machinectl.provision.steps.installation import package_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.provision.facts.host_facts import Facts


def remove_packages(facts: Facts, changes: Sequence[Change], os: str) -> Decision | None:
    """Remove the engine's package and unneeded dependencies; /var/lib/docker stays."""
    installed = [change for change in of_kind(changes, PackageInstalled) if is_installed(facts, change)]
    if not installed:
        return None
    family = distributions.choose_distribution(facts.os_release, os)
    along = [name for change in installed for name in change.along]
    details = [family.remove(change.package) for change in installed]
    details += [f"remove what came with it and nothing else needs: {' '.join(along)}"] if along else []
    scripts = [
        family.remove_all(change.package, change.along) if change.along else family.remove(change.package)
        for change in installed
    ]
    names = " ".join(change.package for change in installed)
    return Decision(
        f"Removing the package {names}",
        tuple(details),
        Job(
            "remove.sh",
            {"remove": "\n".join(f"(\n{script}\n) || exit" for script in scripts), "along": " ".join(along)},
        ),
        replace(facts, dockerd=""),
        not_removed,
        undone=tuple(installed),
        remark=lambda result: remaining_packages(result, installed, family.unneeded),
    )


def is_installed(facts: Facts, change: PackageInstalled) -> bool:
    """Return False after an installation that failed. The recorded name may be virtual, so an engine counts, too."""
    return bool(facts.dockerd) or change.package in facts.packages


def not_removed(result: RemoteResult) -> MachineError:
    return job_not_started(result) or MachineError(
        f"The engine's package could not be removed:\n{package_errors(result)}",
        Hint("Remove it on the host, and run this again"),
    )


def remaining_packages(result: RemoteResult, installed: Sequence[PackageInstalled], unneeded: str) -> str:
    said = re.search(r"^stays: (.*)$", result.stdout.decode(errors="replace"), re.MULTILINE)
    stays = [f"the packages {said[1].strip()}, which came with the engine"] if said else []
    # An installation whose end no computer saw.
    unseen = [change.package for change in installed if not change.along]
    stays += [f"what came with {package} and is not on record" for package in unseen]
    if any(change.package == "docker-ce" for change in installed):
        stays.append("Docker's package repository")
    see = f"\nSee on the host what nothing needs: {unneeded}" if unneeded and unseen else ""
    return f"These stay on the host: {'; '.join(stays)}{see}" if stays else ""
