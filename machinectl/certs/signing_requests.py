"""Ask for certificates with PKCS#10 requests (RFC 2986), so that a private key stays where it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from machinectl.certs.checks import CURVES, RSA_BITS
from machinectl.certs.issuing import common_name, cut_name
from machinectl.certs.pem import UNREADABLE, key_digest, key_pem, read_private_key
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

# NIST SP 800-131A: a new RSA key has at least 2048 bits.
LEAST_RSA_BITS = 2048
# FIPS 186-5, A.1.1: the exponent is greater than 2 to the power of 16.
LEAST_RSA_EXPONENT = 65537
# Its name in errors.
KEY_FILE = "key.pem"


class PublicKey(NamedTuple):
    """A SubjectPublicKeyInfo; `digest` is the SHA256 of its DER in hexadecimal."""

    pem: bytes
    digest: str


def new_key() -> bytes:
    return key_pem(ec.generate_private_key(ec.SECP256R1()))


def signing_request(key: bytes, name: str) -> bytes:
    """Return a PEM request, signed with the private key. `name` becomes the common name, cut at 64 bytes."""
    private = read_private_key(key, KEY_FILE)
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name(cut_name(name)))
    algorithm = None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(private, algorithm).public_bytes(serialization.Encoding.PEM)


def requested_key(request: bytes) -> PublicKey:
    """Return the key of a PEM request. Raises MachineError unless its sender has the private key."""
    try:
        read = x509.load_pem_x509_csr(request)
        key, is_signed = read.public_key(), read.is_signature_valid
    except (*UNREADABLE, InvalidSignature) as exc:
        raise MachineError("the request for a certificate cannot be read") from exc
    if not is_signed:
        raise MachineError("the request for a certificate is not signed with its own key")
    if not is_accepted(key):
        raise MachineError("the request is for a kind of key that docker does not accept")
    return public_key(key)


def own_public_key(key: bytes) -> PublicKey:
    """Return the public part of a PEM private key."""
    return public_key(read_private_key(key, KEY_FILE).public_key())


def public_key(key: CertificatePublicKeyTypes) -> PublicKey:
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(pem, key_digest(key))


def is_accepted(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return LEAST_RSA_BITS <= key.key_size < RSA_BITS.stop and key.public_numbers().e >= LEAST_RSA_EXPONENT
    return isinstance(key, ed25519.Ed25519PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES)
    )
