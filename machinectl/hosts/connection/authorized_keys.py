"""Add the user's public key on a host, and remove it.

Runs as the login user: root must not write to another user's files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.host_changes import KeyAuthorized, of_kind

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Held
    from machinectl.ssh.runner import Runner


def authorized_key_change(runner: Runner, public_key: str) -> KeyAuthorized | None:
    """Return None if the key is already authorized."""
    from machinectl.ssh.authorized_keys_file import place_of_key

    made, path = place_of_key(runner, public_key)
    return KeyAuthorized(path, " ".join(public_key.split()[:2]), made) if made else None


def authorize_login_key(held: Held, console: Console, runner: Runner, public_key: str) -> None:
    """Record the change first."""
    from machinectl.ssh.authorized_keys_file import authorize_key

    change = authorized_key_change(runner, public_key)
    if change is None:
        return
    with console.step(authorizing_title(change)):
        held.keep_changes([change])
        authorize_key(runner, public_key)


def remove_authorized_keys(held: Held, console: Console, runner: Runner) -> None:
    from machinectl.ssh.authorized_keys_file import remove_key

    for change in of_kind(held.machine.changes, KeyAuthorized):
        with console.step(unauthorizing_title(change)):
            remove_key(runner, change.path, change.key, change.made)
        held.machine.changes = [each for each in held.machine.changes if each != change]
        held.write()


def authorizing_title(change: KeyAuthorized) -> str:
    return f"Authorizing your key: {change.path}"


def unauthorizing_title(change: KeyAuthorized) -> str:
    return f"Removing your key: {change.path}"
