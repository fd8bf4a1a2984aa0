"""Read the files of private keys."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from machinectl.errors import Hint
from machinectl.files.atomic import read_file
from machinectl.ssh.keys.credentials import TRIES, ask_secret
from machinectl.ssh.keys.known_hosts import HostKey, parse_key
from machinectl.ssh.ssh_errors import LoginRefused, NoKey, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from machinectl.console import Console
    from machinectl.ssh.keys.credentials import Credentials

Key = TypeVar("Key")
OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
# How an unencrypted one begins in base64: the magic, and the cipher none (openssh-portable, PROTOCOL.key).
UNENCRYPTED = b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"


class NeedsPassphrase(Exception):
    """The key's passphrase is missing or wrong."""


def load_key(path: str, passphrase: str | None = None) -> paramiko.PKey:
    """Raises FileNotFoundError, NeedsPassphrase, or SSHError for a file that is no key, or one of another kind."""
    # Each takes 80 ms to load, and most keys have a public half beside them.
    import paramiko

    from machinectl.certs.openssh_key import openssh_key

    data, text = read_key_file(path), ""
    try:
        # paramiko reads fewer formats.
        text = openssh_key(data, passphrase).decode()
    except ValueError as exc:
        if is_encrypted(data):
            raise NeedsPassphrase from exc
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException):
            return kind.from_private_key(io.StringIO(text))
    if parse_public_key(data):
        raise unusable_key(path, "is a public key, and the agent does not hold it", Hint("Name the private key"))
    why = "is damaged, or no private key, or on a security token"
    raise unusable_key(path, why, Hint("Let the agent hold it", "ssh-add", path))


def is_encrypted(data: bytes) -> bool:
    """Formats other than OpenSSH's name the encryption in text."""
    return b"ENCRYPTED" in data or (OPENSSH in data and UNENCRYPTED not in data)


def is_locked(path: str) -> bool:
    """Return whether a key file needs a passphrase; who uses it finds out what else is wrong with it."""
    try:
        return is_encrypted(read_file(path))
    except OSError:
        return False


def unlocked(path: str, credentials: Credentials, console: Console, unlock: Callable[[str], Key]) -> Key:
    """Return what `unlock` returns for the key's passphrase, which is asked for if it is not given. Raises SSHError."""
    given = credentials.passphrases.get(path) or credentials.passphrase
    if given is None and not console.interactive:
        raise SSHError(
            f"The key {path} needs a passphrase, and there is no terminal to ask for it",
            Hint("Give it: --ssh-passphrase-file <FILE>") | Hint("or let the agent hold the key", "ssh-add", path),
        )
    for _ in range(TRIES if given is None else 1):
        passphrase = given or ask_secret(console, f"Passphrase of {path}")
        if passphrase is None:
            raise LoginRefused(f"The key {path} needs a passphrase", Hint("Try it", "ssh-keygen -y -f", path))
        try:
            key = unlock(passphrase)
        except NeedsPassphrase:
            if given is None:
                console.warn(f"That does not open {path}")
            continue
        credentials.passphrases[path] = passphrase
        return key
    wrong = "given is not that" if given else f"was wrong {TRIES} times: it is not that"
    raise LoginRefused(f"The passphrase {wrong} of {path}", Hint("Try it", "ssh-keygen -y -f", path))


def read_key_file(path: str) -> bytes:
    """Accept any line ends. Raises FileNotFoundError or SSHError."""
    if os.path.isdir(path):
        raise unusable_key(path, "is a directory", Hint("Name the private key's file, for example ~/.ssh/id_ed25519"))
    try:
        return read_file(path).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise unusable_key(path, f"cannot be read: {exc.strerror}", Hint("See", "ls -l", path)) from exc


def read_public_key(path: str) -> HostKey | None:
    """Return None for a missing file, or one without a public key."""
    try:
        return parse_public_key(read_file(path))
    except OSError:
        return None


def parse_public_key(data: bytes) -> HostKey | None:
    fields = data.decode(errors="replace").split(None, 2)
    return parse_key(fields[0], fields[1]) if len(fields) > 1 else None


def public_line(path: str, passphrase: str | None = None) -> str:
    """Return the line for authorized_keys. Raises SSHError."""
    if public := read_public_key(f"{path}.pub") or read_public_key(path):
        return public.line
    try:
        pkey = load_key(path, passphrase)
    except FileNotFoundError as exc:
        raise NoKey(path) from exc
    except NeedsPassphrase as exc:
        raise unusable_key(
            path,
            "needs its passphrase",
            Hint("Give it: --ssh-passphrase-file <FILE>") | Hint(f"or make {path}.pub", "ssh-keygen -y -f", path),
        ) from exc
    return HostKey(pkey.get_name(), pkey.asbytes()).line


def unusable_key(path: str, why: str, hint: Hint) -> SSHError:
    return SSHError(f"The key {path} {why}", hint)
