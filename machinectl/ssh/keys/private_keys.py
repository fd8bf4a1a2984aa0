"""Read private keys from files and the agent."""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import paramiko
from paramiko.agent import AgentSSH

from machinectl.files.atomic import read_file
from machinectl.ssh.keys.known_hosts import HostKey, parse_key
from machinectl.ssh.ssh_errors import SSHError, TokenNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Container of OpenSSH's private keys: openssh-portable, PROTOCOL.key.
MAGIC = b"openssh-key-v1\0"
# Ciphers that paramiko supports; ssh-keygen uses aes256-ctr.
CIPHERS = {"none", "aes256-ctr", "aes256-cbc"}
# An agent may ask its user first (ssh-add -c).
AGENT_TIMEOUT = 60.0

CLASSES: dict[str, Callable[..., paramiko.PKey]] = {
    "ssh-ed25519": paramiko.Ed25519Key,
    "ecdsa-sha2-nistp256": paramiko.ECDSAKey,
    "ecdsa-sha2-nistp384": paramiko.ECDSAKey,
    "ecdsa-sha2-nistp521": paramiko.ECDSAKey,
    "ssh-rsa": paramiko.RSAKey,
}
# Older PEM containers, by the name in their first line (RFC 8017, RFC 5915).
PEM_TYPES = {"RSA": "ssh-rsa", "EC": "ecdsa-sha2-nistp256"}

# Types with the private half on a token (PROTOCOL.u2f).
SK = "sk-"
# The first line of PKCS #8 says only that the key is encrypted (RFC 5958).
PKCS8 = "ENCRYPTED"


class WrongPassphrase(Exception):
    """The passphrase is wrong."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key's file before decryption. `public` is None if the file hides it."""

    path: str
    type: str
    public: HostKey | None
    encrypted: bool
    text: str = field(repr=False)
    # The file has only the public half; the agent has the private half.
    public_only: bool = False

    @property
    def on_token(self) -> bool:
        return self.type.startswith(SK) and not self.public_only


class Agent(AgentSSH):
    """paramiko's own reads only $SSH_AUTH_SOCK, not IdentityAgent."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(AGENT_TIMEOUT)
        try:
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # not in the stubs
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]  # not in the stubs


def open_agent(path: str) -> Agent | None:
    """Return None if none answers: stale sockets are common."""
    if not path or not hasattr(socket, "AF_UNIX"):
        return None
    try:
        return Agent(path)
    except (OSError, paramiko.SSHException, struct.error):
        return None


def read_key(path: str) -> KeyFile:
    """Raises FileNotFoundError, or SSHError for an invalid key."""
    if os.path.isdir(path):
        raise SSHError(
            f"{path} is a directory, not a key", "Name the private key's file, for example ~/.ssh/id_ed25519"
        )
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise SSHError(f"The key {path} cannot be read: {exc.strerror}", f"See: ls -l {path}") from exc
    match = re.search(r"^-----BEGIN (?:(\w+) )?PRIVATE KEY-----\s*$", text, re.MULTILINE)
    if match is None:
        return read_public(path, text)
    if match[1] is None:
        return read_openssh(path, read_pkcs8(path, text, None))
    if match[1] == PKCS8:
        return KeyFile(path, PKCS8, read_public_key(f"{path}.pub"), encrypted=True, text=text)
    if match[1] == "OPENSSH":
        return read_openssh(path, text)
    if match[1] in PEM_TYPES:
        encrypted = "Proc-Type: 4,ENCRYPTED" in text
        return KeyFile(path, PEM_TYPES[match[1]], read_public_key(f"{path}.pub"), encrypted, text)
    raise unusable_key(path, f"is in the format {match[1]}", f"Convert it: ssh-keygen -p -f {path}")


def read_pkcs8(path: str, text: str, passphrase: str | None) -> str:
    """Convert openssl's format to OpenSSH's. Raises SSHError."""
    from machinectl.certs.openssh_key import openssh_key

    try:
        return openssh_key(text.encode("utf-8", "surrogateescape"), passphrase).decode()
    except ValueError as exc:
        hint = "Make one: ssh-keygen -t ed25519"
        raise unusable_key(path, "is damaged, or of a kind that SSH does not support", hint) from exc


def read_text(path: str) -> str:
    """Accept any bytes and line ends. Raises OSError."""
    text = read_file(path).decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_public_key(path: str) -> HostKey | None:
    """Return None for a missing file, or one without a public key or certificate."""
    try:
        return parse_public_key(read_text(path))
    except OSError:
        return None


def parse_public_key(text: str) -> HostKey | None:
    fields = text.split(None, 2)
    return parse_key(fields[0], fields[1]) if len(fields) > 1 else None


def read_public(path: str, text: str) -> KeyFile:
    """Use the agent's private half, as OpenSSH does."""
    public = parse_public_key(text)
    if public is not None:
        return KeyFile(path, public.type, public, encrypted=False, text="", public_only=True)
    if text.startswith("PuTTY-User-Key-File"):
        raise unusable_key(path, "is PuTTY's", f"Convert it: puttygen {path} -O private-openssh -o {path}.openssh")
    raise unusable_key(path, "is not a private key", "Make one: ssh-keygen -t ed25519")


def read_openssh(path: str, text: str) -> KeyFile:
    """Read only the unencrypted parts."""
    body = text.partition("-----BEGIN OPENSSH PRIVATE KEY-----")[2].partition("-----END")[0]
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
        fields = read_fields(data)
    except (binascii.Error, ValueError) as exc:
        raise unusable_key(path, "is damaged", "Restore it, or make a new one: ssh-keygen -t ed25519") from exc
    cipher, public = fields
    kind = public.type
    if kind.startswith(SK):
        return KeyFile(path, kind, public, cipher != "none", text)
    if kind not in CLASSES:
        raise unusable_key(path, f"is of the type {kind}", "Make one that hosts still take: ssh-keygen -t ed25519")
    if cipher not in CIPHERS:
        raise unusable_key(path, f"is encrypted with {cipher}", f"Let the agent open it: ssh-add {path}")
    return KeyFile(path, kind, public, cipher != "none", text)


def read_fields(data: bytes) -> tuple[str, HostKey]:
    """Return cipher and public key. Raises ValueError if truncated."""
    if not data.startswith(MAGIC):
        raise ValueError
    message = paramiko.Message(data[len(MAGIC) :])
    cipher = message.get_string().decode()
    message.get_string()
    message.get_string()
    message.get_int()
    blob = message.get_string()
    kind = paramiko.Message(blob).get_string().decode()
    if not kind:
        raise ValueError
    return cipher, HostKey(kind, blob)


def token_needed(key: KeyFile) -> TokenNeeded:
    return TokenNeeded(f"The key {key.path} needs its security token", f"Let the agent hold it: ssh-add {key.path}")


def unlock(key: KeyFile, passphrase: str | None) -> paramiko.PKey:
    """Raises WrongPassphrase or SSHError."""
    kind, text = key.type, key.text
    if key.on_token:
        raise token_needed(key)
    try:
        if kind == PKCS8:
            text, passphrase = read_pkcs8(key.path, text, passphrase), None
            kind = read_openssh(key.path, text).type
        return CLASSES[kind](file_obj=io.StringIO(text), password=passphrase)
    except Exception as exc:
        # paramiko raises errors of cryptography, of struct and its own; none of them means a wrong passphrase.
        if key.encrypted:
            raise WrongPassphrase from exc
        raise unusable_key(key.path, "is damaged", "Restore it, or make a new one: ssh-keygen -t ed25519") from exc


def certificates_of(public: HostKey, paths: Iterable[str]) -> dict[str, HostKey]:
    """Return a key's certificates by path. Skip missing files and other keys' certificates, as OpenSSH does."""
    found = {path: read_public_key(path) for path in paths}
    return {path: each for path, each in found.items() if each is not None and certifies(each, public)}


def certifies(certificate: HostKey, public: HostKey) -> bool:
    """Return whether a certificate contains a key (PROTOCOL.certkeys)."""
    if not certificate.type.startswith(f"{public.type.removesuffix('@openssh.com')}-cert-"):
        return False
    message = paramiko.Message(certificate.blob)
    message.get_string()
    message.get_string()
    held = paramiko.Message(public.blob)
    held.get_string()
    return message.get_remainder().startswith(held.get_remainder())


def public_line(path: str, passphrase: str | None = None) -> str:
    """Return the line for authorized_keys."""
    public = read_public_key(f"{path}.pub")
    if public is not None:
        return public.line
    try:
        key = read_key(path)
    except FileNotFoundError as exc:
        raise SSHError(f"There is no key {path}", "Make one: ssh-keygen -t ed25519") from exc
    if key.public is not None:
        return key.public.line
    pkey = unlock(key, passphrase)
    return HostKey(pkey.get_name(), pkey.asbytes()).line


def unusable_key(path: str, why: str, hint: str) -> SSHError:
    return SSHError(f"The key {path} {why}", hint)
