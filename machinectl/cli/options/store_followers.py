"""Call what follows the store when machines change. Light path.

A failure never stops the verb, which reports it at the end.
"""

from __future__ import annotations

import sys

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.features import FOLLOWERS, function_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from machinectl.features import Follower
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store


class StoreFollowers:
    """Followers of a store; several threads may call it."""

    def __init__(self) -> None:
        # Messages to print, and machines by (follower, cause, hint) of a failure.
        self.said: list[tuple[str, Hint]] = []
        self.failed: dict[tuple[Follower, str, Hint], list[str]] = {}

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self.said.append((text, hint))

    def __call__(self, store: Store, name: str, before: Machine | None, after: Machine | None) -> None:
        for follower in FOLLOWERS:
            self.attempt(follower, after.name if after else name, follower.follow, store, name, before, after)

    def catch_up(self, store: Store) -> None:
        for follower in FOLLOWERS:
            if follower.catch_up:
                self.attempt(follower, "all machines", follower.catch_up, store)

    def follow_answers(self, store: Store) -> None:
        """Point docker at the addresses that answer now; add the warnings of skipped ones."""
        # It is loaded only for a machine with several addresses.
        found = sys.modules.get("machinectl.machines.answered_address")
        if found is None:
            return
        self.said += found.NEWS.skipped.items()
        for name in sorted(found.NEWS.moved):
            try:
                machine = store.read(name)
            except MachineError:
                # It was removed or renamed.
                continue
            self(store, name, machine, machine)

    def attempt(self, follower: Follower, name: str, place: str, *arguments: Any) -> None:
        try:
            self.said += function_at(place)(*arguments) or ()
        except MachineError as exc:
            self.fail(follower, name, exc.cause, Hint.of(*getattr(exc.hint, "parts", ((exc.hint, "", False),))))
        except Exception as exc:  # noqa: BLE001 (the machine has changed: no failure here may hide that)
            self.fail(follower, name, f"{type(exc).__name__}: {exc}", Hint("This is a bug; please report it"))

    def fail(self, follower: Follower, name: str, cause: str, hint: Hint) -> None:
        self.failed.setdefault((follower, cause, hint), []).append(name)

    @property
    def has_news(self) -> bool:
        return bool(self.said or self.failed)

    def report(self, warn: Callable[[str, Hint], None]) -> None:
        for text, hint in dict.fromkeys(self.said):
            warn(text, hint)
        for (follower, cause, hint), names in self.failed.items():
            warn(f"{', '.join(sorted(names))}: {follower.name} is not in step: {cause}", hint | follower.repair)
