"""`ls`: all machines, their states, and which of them pass its filters."""

from __future__ import annotations

from machinectl.errors import Hint, UsageError
from machinectl.hosts import query_engines
from machinectl.hosts.docker_environment import machine_at_url
from machinectl.hosts.query_engines import MachineStatus
from machinectl.machines.store.store_paths import is_locked
from machinectl.machines.swarm_node import JOINING, MEMBER, WORKER, node_of, on_record
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


KEYS = ("driver", "label", "name", "state", "swarm")
SYNTAX = Hint(f"Write --filter <KEY>=<VALUE>, where <KEY> is one of {', '.join(KEYS)}")


class Filters:
    """For each key, one value must match, ignoring case.

    Names are case-sensitive regular expressions. `only` None: all machines.
    """

    def __init__(self, given: Iterable[tuple[str, str]], only: Collection[str] | None = None) -> None:
        values: dict[str, list[str]] = {key: [] for key in KEYS}
        for key, value in given:
            values[key].append(value)
        self.values = values
        self.names = [pattern(value) for value in values["name"]]
        self.only = only

    @property
    def needs_state(self) -> bool:
        return bool(self.values["state"])

    def before_asking(self, machine: Machine) -> bool:
        """Check the record: other hosts need not be asked."""
        return (
            (self.only is None or machine.name in self.only)
            and (not self.names or any(name.search(machine.name) for name in self.names))
            and (not self.values["driver"] or same(machine.driver, self.values["driver"]))
            and (not self.values["label"] or any(has_label(machine, label) for label in self.values["label"]))
            and (
                not self.values["swarm"] or same(node.swarm if (node := node_of(machine)) else "", self.values["swarm"])
            )
        )

    def after_asking(self, state: State) -> bool:
        return not self.values["state"] or same(state, self.values["state"])


def parse_filters(given: Sequence[str], only: Collection[str] | None = None) -> Filters:
    """Parse KEY=VALUE. Raises UsageError in docker-machine's words."""
    found = []
    for text in given:
        key, separator, value = text.partition("=")
        key = key.lower()
        if not separator:
            raise UsageError("Unsupported filter syntax", SYNTAX)
        if key not in KEYS:
            raise UsageError(f"Unsupported filter key {key!r}", SYNTAX)
        if key == "state" and same(value, ["None"]):
            value = State.NONE
        if key == "state" and not same(value, State):
            raise UsageError(f"There is no state {value!r}", Hint(f"One of: {', '.join(filter(None, State))}"))
        found.append((key, value))
    return Filters(found, only)


def pattern(text: str) -> re.Pattern[str]:
    import re
    import warnings

    try:
        with warnings.catch_warnings():
            # Python warns about sets like [[a]; users cannot change that.
            warnings.simplefilter("ignore")
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as exc:
        raise UsageError(
            f"The filter {f'name={text}'!r} is not a regular expression: {exc}",
            Hint("Put a \\ before a character that stands for itself"),
        ) from exc


def has_label(machine: Machine, wanted: str) -> bool:
    """Match KEY=VALUE, or any KEY (docker-machine crashes then)."""
    key, separator, value = wanted.partition("=")
    found = machine.labels
    return key in found and (not separator or same(found[key], [value]))


def same(text: str, wanted: Iterable[str]) -> bool:
    return text.casefold() in {one.casefold() for one in wanted}


UNKNOWN = "Unknown"


class MachineRow(MachineStatus):
    """`active`: this shell's docker points at the machine."""

    active: bool = False

    def plain_fields(self) -> dict[str, Any]:
        """Return what a table shows, by docker-machine's template names."""
        return {
            "Name": self.machine.name,
            "Active": "*" if self.active else "-",
            "ActiveHost": self.active,
            "ActiveSwarm": False,
            "DriverName": self.machine.driver,
            "State": str(self.state),
            "URL": self.machine.urls[0],
            "Swarm": self.in_swarm,
            "Labels": self.machine.labels,
            "Error": self.error_with_hint,
            "DockerVersion": f"v{self.version}" if self.version else UNKNOWN,
        }

    def fields(self) -> dict[str, Any]:
        from machinectl.cli.go.functions import go_duration
        from machinectl.machines.config_json import SWARM_OPTIONS, engine_options

        plain = self.plain_fields()
        swarm = {
            "SwarmOptions": SWARM_OPTIONS,
            "Swarm": plain.pop("Swarm"),
            "EngineOptions": engine_options(self.machine),
        }
        last = {name: plain.pop(name) for name in ("Labels", "Error", "DockerVersion")}
        return {**plain, **swarm, **last, "ResponseTime": go_duration(self.seconds)}

    @property
    def error_with_hint(self) -> Hint:
        if not (self.with_hint and self.hint):
            return Hint(self.error)
        (text, command, elsewhere), *others = self.hint.parts
        return Hint.of((f"{self.error}. {text}" if text else self.error, command, elsewhere), *others)

    @property
    def in_swarm(self) -> str:
        """The recorded swarm, with any role but worker; "" if the engine has left it."""
        node = on_record(self.machine)
        state = self.swarm.partition("/")[0]
        if node and node.membership != MEMBER:
            return f"{node.swarm} ({node.membership})".strip()
        if state == "inactive" or not (node or state):
            return ""
        if node is None:
            return "(not on record)"
        what = node.role if state in {"active", ""} else state
        return node.swarm if node.swarm and what == WORKER else f"{node.swarm} ({what})".strip()


def machine_rows(store: Store, environment: Mapping[str, str]) -> list[MachineRow]:
    """Return all machines without queries; include broken records."""
    found = [row for name in store.names() if (row := query_engines.recorded_status(store, name, MachineRow))]
    host, last = environment.get("DOCKER_HOST", ""), environment.get("DOCKER_MACHINE_NAME", "")
    at_host = [row for row in found if host and host in row.machine.urls]
    for row in sorted(at_host, key=lambda row: row.machine.name != last)[:1]:
        row.active = True
    if not at_host and (name := machine_at_url(store, host)):
        for row in found:
            row.active = row.machine.name == name
    return found


def query_rows(store: Store, listed: Iterable[MachineRow], timeout: float) -> Iterator[MachineRow]:
    """Yield each row when it is complete; `timeout` is per host."""
    for row in query_engines.query_engines(store, listed, timeout):
        name = row.machine.name
        if row.machine.pending and not row.error and not is_locked(store.lock_path(name)):
            row.error = "Not all changes reached its host"
            row.hint, row.with_hint = Hint("", f"machinectl {row.machine.pending}", name), True
        elif (node := on_record(row.machine)) and not row.error and not is_locked(store.lock_path(name)):
            row.error = "Still drained in its swarm" if node.before else ""
            row.hint = Hint("", "machinectl provision", name)
            if node.membership == JOINING:
                row.error, row.hint = "Joining a swarm", Hint("", "machinectl swarm status", name)
            elif node.membership != MEMBER:
                row.error, row.hint = "Still leaving its swarm", Hint("", "machinectl swarm leave", name)
            row.with_hint = bool(row.error)
        yield row
