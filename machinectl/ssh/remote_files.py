"""Write files through stdin: SFTP cannot write root's files, and is slower."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from machinectl.ssh.runner import COMMAND_TIMEOUT

if TYPE_CHECKING:
    from machinectl.ssh.runner import Runner


def write_file_command(path: str, size: int, *, mode: int, owner: str = "") -> str:
    """Return sh that writes stdin to a file atomically; `owner` is "user:group".

    It checks the size in bytes: a lost connection looks like the end of input.
    """
    quoted = shlex.quote(path)
    chown = f' && chown {shlex.quote(owner)} "$new"' if owner else ""
    return (
        "umask 077\n"
        f"new=$(mktemp {quoted}.XXXXXX) || exit\n"
        "trap 'rm -f \"$new\"' EXIT\n"
        'cat >"$new" || exit\n'
        f'if [ "$(wc -c <"$new")" -ne {size} ]; then echo "the file was cut off on its way" >&2; exit 1; fi\n'
        f'chmod {mode:04o} "$new"{chown} && sync "$new" && mv -f "$new" {quoted}'
    )


def send_file(
    runner: Runner,
    path: str,
    data: bytes,
    *,
    mode: int,
    owner: str = "",
    timeout: float = COMMAND_TIMEOUT,
) -> None:
    """The directory must exist. Raises CommandFailed."""
    runner.run(write_file_command(path, len(data), mode=mode, owner=owner), input=data, timeout=timeout)


def authorize_command() -> str:
    """Return sh that adds the key on stdin once, with modes that sshd accepts."""
    return (
        "umask 077\n"
        "IFS= read -r key || exit\n"
        "set -f; set -- $key\n"
        'mkdir -p "$HOME/.ssh" && cd "$HOME/.ssh" && touch authorized_keys && chmod go-w . authorized_keys || exit\n'
        'if grep -qF -- "$2" authorized_keys; then exit; fi\n'
        'if [ -n "$(tail -c 1 authorized_keys)" ]; then echo >>authorized_keys || exit; fi\n'
        "printf '%s\\n' \"$key\" >>authorized_keys || exit\n"
        "if command -v restorecon >/dev/null; then restorecon -F . authorized_keys; fi"
    )


def authorized_command() -> str:
    """Return sh that prints what to create for the key on stdin, and the path of authorized_keys.

    It prints line, file, directory or nothing.
    """
    return (
        "IFS= read -r key || exit\n"
        "set -f; set -- $key\n"
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
        "umask 077\n"
        "IFS= read -r key || exit\n"
        "set -f; set -- $key\n"
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


def place_of_key(runner: Runner, public_key: str) -> tuple[str, str]:
    """Return what to create ("" if authorized), and the path of authorized_keys."""
    answer = runner.run(authorized_command(), input=f"{public_key}\n".encode())
    made, _, path = answer.text.partition("\n")
    return made, path


def remove_key(runner: Runner, path: str, public_key: str, made: str) -> None:
    runner.run(take_out_command(path, made), input=f"{public_key}\n".encode())


def authorize_key(runner: Runner, public_key: str) -> None:
    runner.run(authorize_command(), input=f"{public_key}\n".encode())
