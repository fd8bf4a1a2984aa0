"""Jump hosts in records: `machine:NAME`, `host:` with ssh -J's argument, or "".

The prefix never changes: later machines of that name do not become jump hosts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from machinectl.machines.record import Machine

MACHINE, HOST = "machine:", "host:"


def resolved(name: str, is_machine: Callable[[str], bool]) -> str:
    """Add the prefix of a machine with that name, else of a host."""
    return f"{MACHINE if is_machine(name) else HOST}{name}"


def with_type(text: str, is_machine: Callable[[str], bool]) -> str:
    return resolved(text, is_machine) if text and not text.startswith((MACHINE, HOST)) else text


def machine_of(jump: str) -> str:
    return jump.removeprefix(MACHINE) if jump.startswith(MACHINE) else ""


def host_of(jump: str) -> str:
    return jump.removeprefix(HOST) if jump.startswith(HOST) else ""


def loops(jumps: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield each loop once. `jumps` maps machines to jump hosts."""
    passed: set[str] = set()
    for name in jumps:
        way: dict[str, None] = {}
        at = name
        while at in jumps and at not in passed and at not in way:
            way[at] = None
            at = jumps[at]
        if at in way:
            names = list(way)
            yield names[names.index(at) :]
        passed.update(way)


def loop_text(loop: list[str]) -> str:
    return f"jump hosts form a loop: {' -> '.join([*loop, loop[0]])}"


def behind(machines: Iterable[Machine]) -> dict[str, list[str]]:
    """Map jump hosts to the machines behind them."""
    found: dict[str, list[str]] = {}
    for machine in machines:
        if gate := machine_of(machine.jump):
            found.setdefault(gate, []).append(machine.name)
    return found


def outermost_first(names: Sequence[str], others: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Yield groups: each machine comes after those behind it (see `behind`)."""
    left = list(names)
    while left:
        # A loop of jump hosts is one group.
        group = [name for name in left if not set(left).intersection(others.get(name, ()))] or left
        yield group
        left = [name for name in left if name not in group]
