"""OpenSSH's keys and host certificates."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from datetime import datetime

OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
# An RSA signature with SHA-2 begins with the length of its algorithm's name, then the name.
SHA2_SIGNATURES = (b"\0\0\0\x0crsa-sha2-256", b"\0\0\0\x0crsa-sha2-512")


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


def ssh_host_authority(line: bytes, name: str, now: datetime) -> bytes | None:
    """Return the CA's public key if an OpenSSH host certificate is valid for `name`.

    ssh's rules (sshkey.c, sshkey_cert_check_host): valid now, no critical options, this name or any, no SHA-1.
    """
    try:
        certificate = serialization.load_ssh_public_identity(line)
        if not isinstance(certificate, serialization.SSHCertificate):
            return None
        certificate.verify_cert_signature()
        authority = certificate.signature_key()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return None
    # The signature comes last: its algorithm, then as many bytes as the key has (RFC 8332).
    if isinstance(authority, rsa.RSAPublicKey):
        size = authority.key_size // 8
        if base64.b64decode(line.split()[1])[-size - 20 : -size - 4] not in SHA2_SIGNATURES:
            return None
    principals = [each.decode(errors="replace") for each in certificate.valid_principals]
    if (
        certificate.type is not serialization.SSHCertificateType.HOST
        or not certificate.valid_after <= now.timestamp() < certificate.valid_before
        or certificate.critical_options
        or (principals and name not in principals)
    ):
        return None
    return authority.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
