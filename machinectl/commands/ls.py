"""`ls`: every machine, and what its host says when all are asked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl.errors import MachineError
from machinectl.go.values import go_duration
from machinectl.hosts.endpoint import takeover
from machinectl.hosts.pending import settle
from machinectl.hosts.states import states_of
from machinectl.machines import docker_machine_store
from machinectl.machines.docker_machine import SWARM_OPTIONS, engine_options
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import NoSuchMachine
from machinectl.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from machinectl.machines.store import Store

UNKNOWN = "Unknown"


@dataclass
class Row:
    """One line of `ls`. What only the host can say is empty until it has been asked; `seconds` is how long it took."""

    machine: Machine
    active: bool = False
    state: State = State.NONE
    version: str = ""
    error: str = ""
    seconds: float = 0
    settled: bool = field(default=False)

    def fields(self) -> dict[str, Any]:
        """The row as docker-machine's templates know it."""
        return {
            "Name": self.machine.name,
            "Active": "*" if self.active else "-",
            "ActiveHost": self.active,
            "ActiveSwarm": False,
            "DriverName": self.machine.driver,
            "State": str(self.state),
            "URL": self.machine.url,
            "SwarmOptions": SWARM_OPTIONS,
            "Swarm": "",
            "EngineOptions": engine_options(self.machine),
            "Labels": self.machine.labels,
            "Error": self.error,
            "DockerVersion": f"v{self.version}" if self.version else UNKNOWN,
            "ResponseTime": go_duration(self.seconds),
        }


def first_steps() -> str:
    """What to type where there is no machine yet; also what takes over those of docker-machine, if it was here."""
    lines = [
        "There is no machine yet. Make one of a server that you can SSH into, or register an engine that is set up:",
        "  machinectl create -d generic --generic-ip-address <ADDRESS> --generic-ssh-user <USER> <NAME>",
        "  machinectl create -d none --url tcp://<ADDRESS>:2376 --tls-dir <DIRECTORY> <NAME>",
    ]
    if docker_machine_store.is_store(docker_machine_store.usual_root()):
        lines += [
            f"docker-machine has machines in {docker_machine_store.usual_root()}. Have them here, too:",
            "  machinectl import --from-docker-machine",
        ]
    return "\n".join(lines)


def rows(store: Store, environment: Mapping[str, str]) -> list[Row]:
    """Every machine in the store, by name, with what needs no host to be asked. A broken record is a row too."""
    found = [row for name in store.names() if (row := read(store, name))]
    host, last = environment.get("DOCKER_HOST", ""), environment.get("DOCKER_MACHINE_NAME", "")
    at_host = [row for row in found if host and row.machine.url == host]
    for row in sorted(at_host, key=lambda row: row.machine.name != last)[:1]:
        row.active = True
    return found


def read(store: Store, name: str) -> Row | None:
    """A machine's row, or None where it was removed since its name was read."""
    try:
        row = Row(store.read(name))
    except NoSuchMachine:
        return None
    except MachineError as exc:
        take_over = "; take it over: machinectl import --from-docker-machine" if store.is_docker_machines(name) else ""
        return Row(Machine(name, ""), state=State.ERROR, error=exc.cause + take_over, settled=True)
    if row.machine.phase is not Phase.READY:
        row.settled = True
        row.state, row.error = half_made(store, row.machine)
    return row


def half_made(store: Store, machine: Machine) -> tuple[State, str]:
    """Say of a machine that is not ready whether somebody is at it now, or how to go on."""
    if store.is_locked(machine.name):
        return State.STARTING, ""
    if machine.phase is Phase.PROVISIONING:
        return State.ERROR, f"Half made: {machine.why}; go on with machinectl provision {machine.name}"
    return State.ERROR, f"Half made: {machine.why}; create it again, or remove it"


def ask(store: Store, listed: Iterable[Row], timeout: float) -> Iterator[Row]:
    """Ask all hosts at once and yield each row when it is complete: all within `timeout` seconds and a moment."""
    by_name = {row.machine.name: row for row in listed if not row.settled}
    for name, found in states_of((row.machine for row in by_name.values()), timeout):
        row = by_name[name]
        row.state, row.version, row.error, row.seconds = found.state, found.version, found.error, found.seconds
        row.settled = True
        if found.state is State.ERROR and (command := takeover(row.machine)) and command in found.hint:
            row.error += f"; take its host over: {command}"
        if found.state is State.RUNNING:
            settle(store, name, timeout)
        if row.machine.pending and not row.error and not store.is_locked(name):
            row.error = f"Not all that was asked is on its host: machinectl {row.machine.pending} {name}"
        yield row
