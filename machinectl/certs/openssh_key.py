"""OpenSSH's private keys."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def openssh_key(pem: bytes, passphrase: str | None = None) -> bytes:
    """Return an unencrypted OpenSSH key. Raises ValueError."""
    secret = None if passphrase is None else passphrase.encode("utf-8", "surrogateescape")
    load = serialization.load_ssh_private_key if OPENSSH in pem else serialization.load_pem_private_key
    try:
        key = load(pem, secret)
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    except (TypeError, UnsupportedAlgorithm, AttributeError) as exc:
        # AttributeError: cryptography 43, for a key on a token.
        raise ValueError(exc) from exc
