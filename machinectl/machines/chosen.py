"""Which machines a command is about: the names given, or the machine called default."""

from __future__ import annotations

from machinectl.errors import MachineError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

DEFAULT = "default"
# How often a lock is looked at that somebody else holds. Seconds.
LOCK_PAUSE = 0.1


def chosen(store: Store, names: Sequence[str]) -> list[str]:
    """The machines named, or `default` where none is named and it exists (docker-machine's rule)."""
    if names:
        return list(names)
    if DEFAULT in store.names():
        return [DEFAULT]
    raise MachineError(
        f'Error: No machine name(s) specified and no "{DEFAULT}" machine exists',
        "Name one of those that machinectl ls lists",
    )


def chosen_one(store: Store, names: Sequence[str]) -> str:
    """The one machine that a command is about."""
    if len(names) > 1:
        raise UsageError(
            "Error: Expected one machine name as an argument", f"Leave all but one of them out: {' '.join(names)}"
        )
    return chosen(store, names)[0]


def waiting(console: Console, name: str) -> Callable[[], None]:
    """What to do while another machinectl holds a machine's lock: say so once, and wait, so that ^C is heard."""
    said = False

    def wait() -> None:
        nonlocal said
        if not said:
            console.note(f'Waiting for another machinectl that is working on "{name}" …')
            said = True
        console.pause(LOCK_PAUSE)

    return wait
