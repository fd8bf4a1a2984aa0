"""Jump hosts in records: `machine:NAME`, or `host:` and what ssh -J takes; "" for none.

The type is decided when a name is typed, so that a machine that gets the name later does not become the jump host.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MACHINE, HOST = "machine:", "host:"


def resolved(name: str, is_machine: Callable[[str], bool]) -> str:
    """Return a bare name with its type: the machine of that name if there is one, else a host."""
    return f"{MACHINE if is_machine(name) else HOST}{name}"


def typed(text: str, is_machine: Callable[[str], bool]) -> str:
    """Return a jump host that a user typed, with its type."""
    return resolved(text, is_machine) if text and not is_typed(text) else text


def is_typed(text: str) -> bool:
    return text.startswith((MACHINE, HOST))


def machine_of(jump: str) -> str:
    """Return the name of the machine that is the jump host, "" if none is."""
    return jump.removeprefix(MACHINE) if jump.startswith(MACHINE) else ""


def host_of(jump: str) -> str:
    """Return the jump host as ssh -J takes it, "" if it is a machine or there is none."""
    return jump.removeprefix(HOST) if jump.startswith(HOST) else ""


def loops(jumps: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield each loop of jump hosts once. `jumps` maps a machine to its jump host."""
    passed: set[str] = set()
    order = {name: number for number, name in enumerate(jumps)}
    for name in jumps:
        way: dict[str, None] = {}
        at = name
        while at in jumps and at not in passed and at not in way:
            way[at] = None
            at = jumps[at]
        if at in way:
            names = list(way)
            loop = names[names.index(at) :]
            first = loop.index(min(loop, key=order.__getitem__))
            yield [*loop[first:], *loop[:first]]
        passed.update(way)


def shown(loop: list[str]) -> str:
    """Return an error's text about a loop."""
    return f"jump hosts form a loop: {' -> '.join([*loop, loop[0]])}"
