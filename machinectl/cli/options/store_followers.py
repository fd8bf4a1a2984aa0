"""Who is told of what becomes of machines: docker's contexts, and the file for ssh. Part of the light path.

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


def switched_off(variable: str = SWITCH) -> bool:
    """Return whether a variable of the environment switches something off; by default, docker's contexts."""
    return os.environ.get(variable, "").lower() in OFF


# Where the file for ssh is, in a store that has one (hosts.ssh_config).
SSH_CONFIG = "ssh_config"
# What follows, as it is called, and what brings it into step again.
CONTEXT = ("docker's context", f"machinectl context sync; or do without contexts: export {SWITCH}=off")
SSH = ("ssh's configuration", "machinectl ssh-config --write")


class Following:
    """A follower of a store; machines are worked on in threads."""

    def __init__(self) -> None:
        # What there is to say; and by what is not in step, what went wrong and what to do, the machines it is about.
        self.said: list[str] = []
        self.failed: dict[tuple[tuple[str, str], str, str], list[str]] = {}

    def __call__(self, store: Store, name: str, before: Machine | None, after: Machine | None) -> None:
        known_as = after.name if after else name

        def contexts() -> None:
            from machinectl.hosts.exports.docker_contexts import update_contexts

            self.said += update_contexts(store, name, before, after)

        def swarms() -> None:
            from machinectl.hosts.exports.swarm_contexts import update_swarm_contexts

            self.said += update_swarm_contexts(store, before, after)

        def ssh_config() -> None:
            from machinectl.hosts.exports.ssh_config_file import update_ssh_config

            update_ssh_config(store, name, after)

        if not switched_off():
            self.attempt(CONTEXT, known_as, contexts)
            if (before and before.swarm) or (after and after.swarm):
                self.attempt(CONTEXT, known_as, swarms)
        if os.path.lexists(os.path.join(store.root, SSH_CONFIG)):
            self.attempt(SSH, known_as, ssh_config)

    def catch_up(self, store: Store) -> None:
        """Update STORE/ssh_config if this version, the installed ssh or the store's place require it."""

        def ssh_config() -> None:
            from machinectl.hosts.exports.ssh_config_file import rewrite_outdated

            rewrite_outdated(store)

        if os.path.lexists(os.path.join(store.root, SSH_CONFIG)):
            self.attempt(SSH, "all machines", ssh_config)

    def attempt(self, what: tuple[str, str], name: str, follow: Callable[[], None]) -> None:
        """Have something follow, and keep what went wrong with it."""
        try:
            follow()
        except MachineError as exc:
            self.fail(what, name, exc.cause, exc.hint)
        except Exception as exc:  # noqa: BLE001 (the machine was changed: whatever is wrong here must not hide that)
            self.fail(what, name, f"{type(exc).__name__}: {exc}", "This is a bug; please report it")

    def fail(self, what: tuple[str, str], name: str, cause: str, hint: str) -> None:
        self.failed.setdefault((what, cause, hint), []).append(name)

    @property
    def has_news(self) -> bool:
        return bool(self.said or self.failed)

    def report(self, warn: Callable[[str], None]) -> None:
        """Say what there is to say, each once."""
        for text in dict.fromkeys(self.said):
            warn(text)
        for ((what, mend), cause, hint), names in self.failed.items():
            warn(f"{', '.join(sorted(names))}: {what} is not in step: {cause}\n{hint}; then: {mend}")
