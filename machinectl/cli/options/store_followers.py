"""Update docker's contexts and the SSH config file when machines change. Light path.

A failure never stops the verb, which reports it at the end.
"""

from __future__ import annotations

import os
import sys

from machinectl.errors import NO_HINT, Hint, MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

SWITCH = "MACHINECTL_CONTEXTS"
OFF = {"off", "no", "false", "f", "0"}


def is_switched_off() -> bool:
    return os.environ.get(SWITCH, "").lower() in OFF


# The SSH config file inside a store (hosts.ssh_config); it exists only after `ssh-config --write`.
SSH_CONFIG = "ssh_config"
# Each follower's name, and the command that repairs it.
CONTEXT = (
    "docker's context",
    Hint("then", "machinectl context sync") | Hint("or do without contexts", f"export {SWITCH}=off"),
)
SSH = ("ssh's configuration", Hint("then", "machinectl ssh-config --write"))


class StoreFollowers:
    """Followers of a store; several threads may call it."""

    def __init__(self) -> None:
        # Messages to print, and machines by (follower, cause, hint) of a failure.
        self.said: list[tuple[str, Hint]] = []
        self.failed: dict[tuple[tuple[str, Hint], str, Hint], list[str]] = {}

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self.said.append((text, hint))

    def __call__(self, store: Store, name: str, before: Machine | None, after: Machine | None) -> None:
        known_as = after.name if after else name

        def contexts() -> None:
            from machinectl.docker_cli.machine_contexts import update_contexts

            self.said += update_contexts(store, name, before, after)

        def swarms() -> None:
            from machinectl.docker_cli.swarm_contexts import update_swarm_contexts

            self.said += update_swarm_contexts(store, before, after)

        def ssh_config() -> None:
            from machinectl.docker_cli.ssh_config_file import update_ssh_config

            update_ssh_config(store, name, after)

        if not is_switched_off():
            self.attempt(CONTEXT, known_as, contexts)
            if (before and before.swarm) or (after and after.swarm):
                self.attempt(CONTEXT, known_as, swarms)
        if os.path.lexists(os.path.join(store.root, SSH_CONFIG)):
            self.attempt(SSH, known_as, ssh_config)

    def catch_up(self, store: Store) -> None:
        """Rewrite STORE/ssh_config if this version, ssh or the store's path requires it."""

        def ssh_config() -> None:
            from machinectl.docker_cli.ssh_config_file import rewrite_outdated

            rewrite_outdated(store)

        if os.path.lexists(os.path.join(store.root, SSH_CONFIG)):
            self.attempt(SSH, "all machines", ssh_config)

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

    def attempt(self, what: tuple[str, Hint], name: str, follow: Callable[[], None]) -> None:
        try:
            follow()
        except MachineError as exc:
            self.fail(what, name, exc.cause, Hint.of(*getattr(exc.hint, "parts", ((exc.hint, "", False),))))
        except Exception as exc:  # noqa: BLE001 (the machine has changed: no failure here may hide that)
            self.fail(what, name, f"{type(exc).__name__}: {exc}", Hint("This is a bug; please report it"))

    def fail(self, what: tuple[str, Hint], name: str, cause: str, hint: Hint) -> None:
        self.failed.setdefault((what, cause, hint), []).append(name)

    @property
    def has_news(self) -> bool:
        return bool(self.said or self.failed)

    def report(self, warn: Callable[[str, Hint], None]) -> None:
        for text, hint in dict.fromkeys(self.said):
            warn(text, hint)
        for ((what, mend), cause, hint), names in self.failed.items():
            warn(f"{', '.join(sorted(names))}: {what} is not in step: {cause}", hint | mend)
