"""What a step comes to: nothing, or what is to be done, what that changes, and what its failure means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from machinectl.errors import CheckFailed, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.host_changes import Change
    from machinectl.provision.facts.host_facts import Facts
    from machinectl.provision.job import Job, RemoteResult

JOURNAL_LINES = 15
# In characters: an engine's own words may have no end.
LONGEST_LINE = 2000
# Before dockerd's whole configuration in its journal: what a log-opt holds may be a token, and errors go on record.
RELOADED = "Reloaded configuration: "
# How a line of apply.sh begins that says why the engine could make no container before.
NO_CONTAINER = "no container: "


def no_container(result: RemoteResult) -> str:
    """Return a remark about an engine that could make no container before its restart either, "" if it can."""
    lines = result.stdout.decode(errors="replace").splitlines()
    reason = next((line.removeprefix(NO_CONTAINER) for line in lines if line.startswith(NO_CONTAINER)), "")
    return f"the engine can make no container, and could not before its restart either: {reason}" if reason else ""


class Rehearsal(NamedTuple):
    """Checks whether a job may run, before anything is recorded.

    `command` changes nothing, and is used in a dry run too. `job` first refreshes what the host knows. `judge` raises
    MachineError if their output forbids the job.
    """

    title: str
    command: str
    job: Job
    judge: Callable[[RemoteResult], None]


@dataclass(frozen=True)
class Decision:
    """Something to be done on a host.

    `after` is the host as it will be: what later steps go by. Where that cannot be known (`unforeseen`), it is a guess
    that is good enough for --dry-run, and the host is read again. `changes` are recorded before the job runs, and those
    that are `undone` by it are forgotten when it has; what only its result tells of them is `learned`, also where it
    failed, and `remark` is a word to the person.
    """

    title: str
    details: tuple[str, ...]
    job: Job
    after: Facts
    failure: Callable[[RemoteResult], MachineError]
    changes: tuple[Change, ...] = field(default=(), repr=False)
    unforeseen: bool = False
    undone: tuple[Change, ...] = field(default=(), repr=False)
    rehearsal: Rehearsal | None = field(default=None, repr=False)
    # What the person is told before it is done.
    warnings: tuple[str, ...] = ()
    learned: Callable[[RemoteResult], tuple[Change, ...]] = field(default=lambda _: (), repr=False)
    remark: Callable[[RemoteResult], str] = field(default=no_container, repr=False)


# The next command if an engine refuses its configuration.
CORRECT = (
    "Correct the option that it names, in fleet.yaml or with machinectl set --engine-opt <KEY>=<VALUE> <NAME>, "
    "then run the same command again"
)


class InUse(CheckFailed):
    """The engine runs containers, and it is not its turn yet. Nothing was changed; `containers` are their IDs."""

    def __init__(self, name: str, containers: frozenset[str]) -> None:
        super().__init__(f'The engine of "{name}" runs containers, and waits for its turn')
        self.containers = containers


class EngineDown(MachineError):
    """The engine did not come up, or could make no container; what was there before was put back."""


def log_command(init: str) -> str:
    """Return the command that shows the engine's log on its host."""
    return "tail -n 50 /var/log/docker.log" if init == "openrc" else "journalctl -u docker.service"


def not_applied(result: RemoteResult, init: str = "systemd") -> MachineError:
    """What the end of apply.sh means, on a host with this init system."""
    said = tail(result)
    if result.status == 3:  # noqa: PLR2004 - apply.sh
        return EngineDown(
            f"The engine does not start with the new configuration; the old one is back and it runs again:\n{said}",
            CORRECT,
        )
    if result.status == 4:  # noqa: PLR2004 - apply.sh
        return EngineDown(
            f"The engine does not start, with the new configuration or the old one, which was put back:\n{said}",
            f"Look on the host: {log_command(init)}",
        )
    if result.status == 5:  # noqa: PLR2004 - apply.sh
        look = "df -h /etc /etc/docker /run; ls -ld /etc/docker; findmnt -T /etc/docker"
        if "No space left" in said:
            look = "df -h /etc /etc/docker /run; df -i /etc /etc/docker /run"
        elif "Operation not permitted" in said:
            look = "lsattr -d /etc/docker /etc/docker/* /etc/systemd/system /etc/systemd/system/docker.service.d"
        return MachineError(
            f"The configuration could not be written, and its files are as they were before this step: "
            f"{_unwritten(said)}",
            f"Look on the host: {look}",
        )
    if result.status == 6:  # noqa: PLR2004 - apply.sh
        return EngineDown(
            f"The engine did not take the new configuration by a reload; the old one is back, and nothing was "
            f"restarted:\n{said}",
            f"Look on the host: docker info; {log_command(init)}",
        )
    if result.status == 7:  # noqa: PLR2004 - apply.sh
        return EngineDown(
            f"dockerd refuses the new configuration; the old one is back, and nothing was restarted:\n{said}",
            "Change what it complains of, on the host in /etc/docker/daemon.json or docker.service, or what is asked",
        )
    if result.status == 8:  # noqa: PLR2004 - apply.sh
        return EngineDown(
            f"The engine can make no container with the new configuration; the old one is back and it runs again:\n"
            f"{said}",
            CORRECT,
        )
    return interrupted(result) or MachineError(
        f"The work on the host was ended before it was done: {said}",
        "Run the same command again: it begins with what was left half done",
    )


def interrupted(result: RemoteResult) -> MachineError | None:
    """What the end of launch.sh means where it did not start the job."""
    if result.status == 75:  # noqa: PLR2004 - launch.sh
        return MachineError(
            f"Somebody else is at work on the host: {tail(result)}", "Wait for them to end, and try again"
        )
    return None


def _unwritten(said: str) -> str:
    """What apply.sh could not write, which is its last line, and why, which the first program that failed said."""
    *earlier, last = said.splitlines()
    return f"{last}: {earlier[0].rpartition(': ')[2]}" if earlier else last


def tail(result: RemoteResult) -> str:
    """The last lines of what a job said."""
    said = (result.stdout + result.stderr).decode(errors="replace")
    lines = [
        "".join(letter for letter in line[:LONGEST_LINE] if letter.isprintable() or letter == "\t")
        for line in said.split("\n")
    ]
    told = [line for line in lines if line.strip() and RELOADED not in line]
    return "\n".join(told[-JOURNAL_LINES:]) or f"status {result.status}"
