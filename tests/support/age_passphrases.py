"""Files of age that a passphrase opens (C2SP age.md), with a work factor that age itself never chooses.

age chooses the work that takes a second at this moment, and refuses to check a passphrase that takes 16: as it measures
both anew, it refuses its own file on a computer that became busy in between.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import textwrap

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

CHUNK = 1 << 16
LITTLE_WORK = 4
BEGIN, END = "-----BEGIN AGE ENCRYPTED FILE-----\n", "-----END AGE ENCRYPTED FILE-----\n"


@pytest.fixture
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have passphrases chosen with little work. To check them is age's own work."""
    monkeypatch.setattr("pyrage.passphrase.encrypt", encrypt)


def encrypt(data: bytes, passphrase: str, *, armored: bool = False) -> bytes:
    key, salt, nonce = secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(16)
    wrapped = wrapping(passphrase, salt, LITTLE_WORK).encrypt(bytes(12), key, None)
    header = b"age-encryption.org/v1\n-> scrypt %b %d\n%b\n---" % (base64s(salt), LITTLE_WORK, base64s(wrapped))
    sealed = header + b" " + base64s(mac(key, header)) + b"\n" + nonce
    cipher, last = ChaCha20Poly1305(derived(key, b"payload", nonce)), max(len(data) - 1, 0) // CHUNK
    for number in range(last + 1):
        piece = data[number * CHUNK : (number + 1) * CHUNK]
        sealed += cipher.encrypt(number_of(number, last), piece, None)
    lines = "".join(f"{line}\n" for line in textwrap.wrap(base64.b64encode(sealed).decode(), 64))
    return f"{BEGIN}{lines}{END}".encode() if armored else sealed


def wrapping(passphrase: str, salt: bytes, work: int) -> ChaCha20Poly1305:
    salt = b"age-encryption.org/v1/scrypt" + salt
    return ChaCha20Poly1305(Scrypt(salt, 32, n=1 << work, r=8, p=1).derive(passphrase.encode()))


def derived(key: bytes, purpose: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), 32, salt, purpose).derive(key)


def mac(key: bytes, header: bytes) -> bytes:
    return hmac.digest(derived(key, b"header"), header, "sha256")


def number_of(number: int, last: int) -> bytes:
    return number.to_bytes(11, "big") + bytes([number == last])


def base64s(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")
