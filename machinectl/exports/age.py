"""Encrypt with age (https://age-encryption.org/v1). Only this module imports pyrage."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from machinectl.certs.openssh_key import openssh_key
from machinectl.errors import Hint, MachineError, one_line
from machinectl.files.fileset import read_regular_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pyrage import _Identity, _Recipient

HEADER = b"age-encryption.org/"
ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
SECRET_KEY = "AGE-SECRET-KEY-"  # noqa: S105 (how it begins)
SSH_KEY = b"-----BEGIN "
# How a file begins that is encrypted with a passphrase; a multiple of 3 bytes, for base64 without padding.
SCRYPT = b"age-encryption.org/v1\n-> scryp"


class NotDecrypted(MachineError):
    """The passphrase or the identities do not open the file."""


def is_age_file(data: bytes) -> bool:
    return data.startswith(HEADER) or data.lstrip().startswith(ARMOR)


def needs_passphrase(data: bytes) -> bool:
    """Return whether a file is encrypted with a passphrase, which excludes recipients (C2SP age.md)."""
    text = data.lstrip().removeprefix(ARMOR).lstrip()
    return data.startswith(SCRYPT) or text.startswith(base64.b64encode(SCRYPT))


def check_age_is_installed() -> None:
    """Raise MachineError: there are no wheels of pyrage for each computer (musl, 32 bits)."""
    try:
        import pyrage  # noqa: F401
    except ImportError as exc:
        raise MachineError(
            f"age encryption is not installed here: {exc}",
            Hint("Install pyrage beside machinectl", "pip install pyrage")
            | Hint("with pipx", "pipx inject machinectl pyrage"),
        ) from exc


def encrypt_with_passphrase(data: bytes, passphrase: str, *, armored: bool) -> bytes:
    check_age_is_installed()
    from pyrage import passphrase as age

    return age.encrypt(data, utf8(passphrase), armored=armored)


def encrypt_for(data: bytes, recipients: Sequence[str], *, armored: bool) -> bytes:
    """Raise MachineError for an invalid recipient, or none."""
    check_age_is_installed()
    import pyrage

    parsed = [parse_recipient(text) for text in recipients]
    try:
        return pyrage.encrypt(data, parsed, armored=armored)
    except pyrage.EncryptError as exc:
        raise MachineError(
            f"age cannot encrypt: {one_line(str(exc))}", Hint("Name a recipient: --recipient age1…")
        ) from exc


def decrypt_with_passphrase(data: bytes, passphrase: str) -> bytes:
    """Raise NotDecrypted for a wrong passphrase, MachineError for a damaged file."""
    check_age_is_installed()
    import pyrage

    try:
        return pyrage.passphrase.decrypt(data.lstrip(), utf8(passphrase))
    except pyrage.DecryptError as exc:
        # Its only message if no stanza opens.
        if str(exc) == "Decryption failed":
            raise NotDecrypted("The passphrase is wrong") from exc
        raise damaged_file(exc) from exc


def decrypt_with_identities(data: bytes, identities: Iterable[_Identity]) -> bytes:
    """Raise NotDecrypted if none fits, MachineError for a damaged file."""
    import pyrage

    try:
        return pyrage.decrypt(data.lstrip(), list(identities))
    except pyrage.DecryptError as exc:
        if str(exc) == "No matching keys found":
            raise NotDecrypted("The file is encrypted for other keys than this private key") from exc
        raise damaged_file(exc) from exc


def damaged_file(why: Exception) -> MachineError:
    said = one_line(str(why).partition("\n")[0]).rstrip(".")
    # It also refuses a passphrase that would take more than 16 seconds to check.
    return MachineError(f"age cannot decrypt it: {said}", Hint("Copy or export it again"))


def utf8(passphrase: str) -> str:
    """Raise MachineError: age takes text."""
    try:
        passphrase.encode()
    except UnicodeEncodeError as exc:
        raise MachineError("The passphrase is not UTF-8, as age wants it", Hint("Choose one in UTF-8")) from exc
    return passphrase


def parse_recipient(text: str) -> _Recipient:
    """Parse age1… or an SSH public key of a type that age knows."""
    import pyrage

    if text.upper().startswith(SECRET_KEY):
        # Never shown: it opens what is encrypted for it.
        raise MachineError(
            "A recipient is a public key (age1…), and this is a private one",
            Hint("Print its public key", "age-keygen -y <FILE>"),
        )
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as exc:
        raise MachineError(
            f"{one_line(text, 80)!r} is not a recipient of age",
            Hint("Give age1… (age-keygen prints it), or an SSH public key of type ssh-ed25519 or ssh-rsa"),
        ) from exc


def read_recipients(path: str) -> list[str]:
    """Read a file as age's -R: a recipient a line, blank lines and comments (#)."""
    lines = read_regular_file(path).decode(errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def read_identities(path: str, ask: Callable[[str], str]) -> list[_Identity]:
    """Read a file as age's -i: private keys (AGE-SECRET-KEY-1…), or an SSH private key; each may have a passphrase.

    `ask` is called with the question for it.
    """
    check_age_is_installed()
    import pyrage

    data = read_regular_file(path)
    if is_age_file(data):
        data = decrypt_with_passphrase(data, ask(f"Passphrase of {path}: "))
    try:
        if data.lstrip().startswith(SSH_KEY):
            return [read_ssh_identity(data, path, ask)]
        lines = [line.strip() for line in data.decode().splitlines()]
        keys = [line for line in lines if line.upper().startswith(SECRET_KEY)]
        if not keys:
            raise ValueError("it has no private key")  # noqa: TRY301 (worded below)
        return [pyrage.x25519.Identity.from_str(line) for line in keys]
    except (pyrage.IdentityError, ValueError) as exc:
        raise MachineError(
            f"{path} is not a private key for age: {one_line(str(exc))}",
            Hint("Give a file that age-keygen wrote, or an SSH private key of type ssh-ed25519 or ssh-rsa"),
        ) from exc


def read_ssh_identity(data: bytes, path: str, ask: Callable[[str], str]) -> _Identity:
    """Raise ValueError or pyrage.IdentityError for an unsupported key."""
    import pyrage

    try:
        return pyrage.ssh.Identity.from_buffer(data)
    except pyrage.IdentityError as exc:
        if "decrypted first" not in str(exc):
            raise
    passphrase = ask(f"Passphrase of {path}: ")
    try:
        return pyrage.ssh.Identity.from_buffer(openssh_key(data, passphrase))
    except ValueError as exc:
        raise NotDecrypted(f"The passphrase is not that of {path}", Hint("Try it", "ssh-keygen -y -f", path)) from exc
