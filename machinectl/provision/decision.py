"""Decisions: a job, its recorded changes, and explanations of failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, PROVISION, CheckFailed, Hint, MachineError
from machinectl.provision.job import ENGINE, Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.host_changes import Change
    from machinectl.provision.job import Remote, RemoteResult

JOURNAL_LINES = 15
# In characters.
LONGEST_LINE = 2000
# This journal line holds dockerd's configuration, perhaps with tokens in log-opts. Keep it out of errors.
RELOADED = "Reloaded configuration: "
# apply.sh begins a remark with this.
REMARK = "remark: "


def remarks(result: RemoteResult) -> str:
    """Return what apply.sh remarks: the engine could not create containers before either, or lost its socket."""
    lines = result.stdout.decode(errors="replace").splitlines()
    return "\n".join(line.removeprefix(REMARK) for line in lines if line.startswith(REMARK))


def container_refusal(remote: Remote) -> str:
    """Return why the engine cannot create a container; "" if it can, or cannot be asked."""
    result = Job("command.sh", {"command": "can_make_containers"}, functions=ENGINE).run(remote)
    return tail(result) if result.status == 1 else ""


@dataclass(frozen=True)
class Decision:
    """A planned change of a host.

    If `unforeseen`, `after` is a guess for dry runs; real runs read the host again. `changes` are recorded before the
    job; `learned` ones come from its result, even after a failure, and replace their kind. `undone` ones leave the
    record after it.
    """

    title: str
    details: tuple[str, ...]
    job: Job
    after: Facts
    failure: Callable[[RemoteResult], MachineError]
    changes: tuple[Change, ...] = field(default=(), repr=False)
    unforeseen: bool = False
    undone: tuple[Change, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    learned: Callable[[RemoteResult], tuple[Change, ...]] = field(default=lambda _: (), repr=False)
    remark: Callable[[RemoteResult], str] = field(default=remarks, repr=False)


class InUse(CheckFailed):
    """The engine runs containers and must not restart yet. Nothing was changed."""

    def __init__(self, name: str, containers: frozenset[str]) -> None:
        super().__init__(f'The engine of "{name}" runs containers: it is restarted later, in turn')
        self.containers = containers


class EngineStopped(CheckFailed):
    """Somebody has stopped the engine, and this run may not start it. Nothing was changed."""

    def __init__(self, name: str) -> None:
        super().__init__(f'The engine of "{name}" does not run', NO_HINT)


class RolledBack(MachineError):
    """The host has its old configuration back."""


class EngineDown(RolledBack):
    """The engine failed with the new one."""


class OptionRefused(EngineDown):
    """The run that knows the machine replaces the hint with its commands."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause, Hint("Correct the option that it names, then run the same command again"))


class NotRestarted(RolledBack):
    """dockerd refuses the configuration on its host, and runs on: no other engine needs to wait."""

    leads_to = PROVISION


def log_command(init: str) -> str:
    return "tail -n 50 /var/log/docker.log" if init == "openrc" else "journalctl -u docker.service"


# By apply.sh's exit status: something to correct, and something to look at.
REFUSED = {
    3: "The engine does not start with the new configuration; with the old one, it runs again",
    7: "dockerd refuses the new configuration; the old one was restored, and nothing was restarted",
    8: "The engine cannot create a container with the new configuration; with the old one, it runs again",
}
FAILED = {
    4: "The engine works neither with the new configuration nor with the old one, which was restored",
    6: "The engine did not apply the new configuration on reload; the old one is back, and nothing was restarted",
    9: "The host's disk is full, and a restart of the engine would lose its containers; nothing was restarted",
}


def not_applied(result: RemoteResult, init: str = "systemd") -> MachineError:
    said = tail(result)
    if result.status in REFUSED:
        return OptionRefused(f"{REFUSED[result.status]}:\n{said}")
    if result.status in FAILED:
        look = Hint("Look on the host", f"df -h; docker info; {log_command(init)}")
        return EngineDown(f"{FAILED[result.status]}:\n{said}", look | Hint("then run the same command again"))
    if result.status == 5:  # noqa: PLR2004 - apply.sh
        places = "/etc/docker /etc/docker/machinectl /etc/systemd/system"
        return RolledBack(
            f"The configuration could not be written; its files are unchanged:\n{said}",
            Hint("See why on the host", f"df -h {places} /run; df -i /etc; lsattr -d {places} /etc/docker/*"),
        )
    return job_not_started(result) or MachineError(
        f"The work on the host was interrupted: {said}",
        Hint("Run the same command again: it first restores what was left half done"),
    )


def not_restarted(name: str, init: str, result: RemoteResult) -> MachineError:
    """Explain why an engine has not read other certificates. Its configuration on the host may have been damaged."""
    error = not_applied(result, init)
    if result.status == 7:  # noqa: PLR2004 - apply.sh
        return NotRestarted(error.cause, Hint("Set it up first", "machinectl provision", name))
    return error


def failure(cause: str, hint: Hint) -> Callable[[RemoteResult], MachineError]:
    """Return what explains a command's failure: `cause`, with its last lines."""
    return lambda result: job_not_started(result) or MachineError(f"{cause}: {tail(result)}", hint)


def job_not_started(result: RemoteResult) -> MachineError | None:
    """Return an error if another job, or another package manager, runs on the host."""
    if result.status == 75:  # noqa: PLR2004 - launch.sh, install.sh
        return MachineError(f"The host is busy: {tail(result)}", Hint("Wait for it to end, and try again"))
    return None


def tail(result: RemoteResult) -> str:
    said = (result.stdout + result.stderr).decode(errors="replace")
    lines = [
        "".join(letter for letter in line[:LONGEST_LINE] if letter.isprintable() or letter == "\t")
        for line in said.split("\n")
    ]
    told = [line for line in lines if line.strip() and RELOADED not in line]
    return "\n".join(line.removeprefix(REMARK) for line in told[-JOURNAL_LINES:]) or f"status {result.status}"
