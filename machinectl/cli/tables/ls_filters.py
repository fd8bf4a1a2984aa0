"""`ls --filter`, with docker-machine's keys."""

from __future__ import annotations

from machinectl.errors import Hint, UsageError
from machinectl.machines.swarm_node import node_of
from machinectl.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Collection, Iterable, Sequence

    from machinectl.machines.record import Machine

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
            and (not self.values["swarm"] or same(swarm_of(machine), self.values["swarm"]))
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


def swarm_of(machine: Machine) -> str:
    node = node_of(machine)
    return node.swarm if node else ""


def same(text: str, wanted: Iterable[str]) -> bool:
    return text.casefold() in {one.casefold() for one in wanted}
