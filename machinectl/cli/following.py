"""Who is told of what becomes of machines, for docker's contexts to follow; part of the light path.

What goes wrong there is told once, when the verb has ended: it never ends one.
"""

from __future__ import annotations

import os

from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

SWITCH = "MACHINECTL_CONTEXTS"
OFF = {"off", "no", "false", "f", "0"}


def switched_off() -> bool:
    """Whether docker's contexts are to be left alone."""
    return os.environ.get(SWITCH, "").lower() in OFF


class Following:
    """A follower of a store; machines are worked on in threads."""

    def __init__(self) -> None:
        # What there is to say, and by what went wrong, and what to do, the machines that it went wrong for.
        self.said: list[str] = []
        self.failed: dict[tuple[str, str], list[str]] = {}

    def __call__(self, store: Store, name: str, before: Machine | None, after: Machine | None) -> None:
        if switched_off():
            return
        try:
            from machinectl.hosts.contexts import follow

            self.said += follow(store, name, before, after)
        except MachineError as exc:
            self.fail(after.name if after else name, exc.cause, exc.hint)
        except Exception as exc:  # noqa: BLE001 (the machine was changed: whatever is wrong here must not hide that)
            self.fail(after.name if after else name, f"{type(exc).__name__}: {exc}", "This is a bug; please report it")

    def fail(self, name: str, cause: str, hint: str) -> None:
        self.failed.setdefault((cause, hint), []).append(name)

    @property
    def has_news(self) -> bool:
        return bool(self.said or self.failed)

    def report(self, warn: Callable[[str], None]) -> None:
        """Say what there is to say, each once."""
        for text in self.said:
            warn(text)
        for (cause, hint), names in self.failed.items():
            warn(
                f"{', '.join(sorted(names))}: docker's context is not in step: {cause}\n{hint}; "
                f"then: machinectl context sync; or do without contexts: export {SWITCH}=off"
            )
