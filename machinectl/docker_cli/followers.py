"""Keep docker's contexts and STORE/ssh_config in step with the machines. Light path."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.errors import Hint
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

SWITCH = "MACHINECTL_CONTEXTS"
OFF = {"off", "no", "false", "f", "0"}
# It exists only after `ssh-config --write`.
SSH_CONFIG = "ssh_config"


def is_switched_off() -> bool:
    return os.environ.get(SWITCH, "").lower() in OFF


def has_ssh_config(store: Store) -> bool:
    return os.path.lexists(os.path.join(store.root, SSH_CONFIG))


def follow_in_contexts(
    store: Store, name: str, before: Machine | None, after: Machine | None
) -> Sequence[tuple[str, Hint]]:
    if is_switched_off():
        return ()
    from machinectl.docker_cli.machine_contexts import update_contexts

    messages = list(update_contexts(store, name, before, after))
    if (before and before.swarm) or (after and after.swarm):
        from machinectl.docker_cli.context_sync import update_swarm_contexts

        messages += update_swarm_contexts(store, before, after)
    return messages


def follow_in_ssh_config(store: Store, name: str, before: Machine | None, after: Machine | None) -> Sequence[str]:  # noqa: ARG001 (each follower is called so)
    if has_ssh_config(store):
        from machinectl.docker_cli.ssh_config_file import update_ssh_config

        update_ssh_config(store, name, after)
    return ()


def rewrite_ssh_config(store: Store) -> None:
    """Rewrite it if this version, ssh or the store's path requires it."""
    if has_ssh_config(store):
        from machinectl.docker_cli.ssh_config_file import rewrite_outdated

        rewrite_outdated(store)


def follow_swarm_status(store: Store, console: Console) -> None:
    """Point swarms' contexts at managers that answer; failures are warnings."""
    if is_switched_off():
        return
    from machinectl.docker_cli.context_sync import sync_swarm_contexts
    from machinectl.docker_cli.contexts import Contexts

    for changed, error in sync_swarm_contexts(Contexts(), store, within=0):
        if error:
            console.warn(error.cause, error.hint)
        else:
            console.note(f'docker\'s context "{changed.machine}": {changed.outcome}')
