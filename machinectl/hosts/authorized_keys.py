"""Add the user's public key on a host, and remove it.

Runs as the login user: root must not write to another user's files.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.provision.host_changes import KeyAuthorized, of_kind

if TYPE_CHECKING:
    from machinectl.console import Console
    from machinectl.machines.store import Held
    from machinectl.ssh.runner import Runner

# Titles of steps; the path of authorized_keys follows.
AUTHORIZING, REMOVING = "Authorizing your key", "Removing your key"
# $2 is the key on stdin, in base64.
READ_KEY = "IFS= read -r key || exit\nset -f; set -- $key\n"


# Sh that adds the key on stdin once, with modes that sshd accepts.
AUTHORIZE = (
    f"umask 077\n{READ_KEY}"
    'mkdir -p "$HOME/.ssh" && cd "$HOME/.ssh" && touch authorized_keys && chmod go-w . authorized_keys || exit\n'
    'if grep -qF -- "$2" authorized_keys; then exit; fi\n'
    'if [ -n "$(tail -c 1 authorized_keys)" ]; then echo >>authorized_keys || exit; fi\n'
    "printf '%s\\n' \"$key\" >>authorized_keys || exit\n"
    "if command -v restorecon >/dev/null; then restorecon -F . authorized_keys; fi"
)


# Sh that prints line, file, directory or nothing: what to create for the key on stdin; and the path of authorized_keys.
FIND_KEY = (
    f"{READ_KEY}"
    "file=$HOME/.ssh/authorized_keys\n"
    'if grep -qsF -- "$2" "$file"; then echo\n'
    'elif [ -e "$file" ]; then echo line\n'
    'elif [ -d "$HOME/.ssh" ]; then echo file\n'
    "else echo directory; fi\n"
    "printf '%s\\n' \"$file\""
)


def take_out_command(path: str, made: str) -> str:
    """Return sh that removes the key on stdin, and the empty file and directory `made` for it."""
    quoted = shlex.quote(path)
    script = (
        f"umask 077\n{READ_KEY}"
        f'file=$(readlink -f {quoted}) && [ -f "$file" ] || exit 0\n'
        'new=$(mktemp "$file.XXXXXX") || exit\n'
        "trap 'rm -f \"$new\"' EXIT\n"
        'cp -p "$file" "$new" || exit\n'
        'grep -vF -- "$2" "$file" >"$new"\n'
        "[ $? -le 1 ] || exit\n"
        'sync "$new"; mv -f "$new" "$file" || exit\n'
        'if command -v restorecon >/dev/null; then restorecon -F "$file"; fi'
    )
    if made in {"file", "directory"}:
        script += f"\n[ -s {quoted} ] || rm -f {quoted}"
    if made == "directory":
        script += f"\nrmdir {shlex.quote(os.path.dirname(path))} 2>/dev/null || :"
    return script


def authorized_key_change(runner: Runner, public_key: str) -> KeyAuthorized | None:
    """Return None if the key is already authorized."""
    made, _, path = runner.run(FIND_KEY, input=f"{public_key}\n".encode()).text.partition("\n")
    return KeyAuthorized(path, " ".join(public_key.split()[:2]), made) if made else None


def authorize_login_key(held: Held, console: Console, runner: Runner, public_key: str) -> None:
    """Record the change first."""
    change = authorized_key_change(runner, public_key)
    if change is None:
        return
    with console.step(f"{AUTHORIZING}: {change.path}"):
        held.keep_changes([change])
        runner.run(AUTHORIZE, input=f"{public_key}\n".encode())


def remove_authorized_keys(held: Held, console: Console, runner: Runner) -> None:
    for change in of_kind(held.machine.changes, KeyAuthorized):
        with console.step(f"{REMOVING}: {change.path}"):
            runner.run(take_out_command(change.path, change.made), input=f"{change.key}\n".encode())
        held.machine.changes = [each for each in held.machine.changes if each != change]
        held.write()
