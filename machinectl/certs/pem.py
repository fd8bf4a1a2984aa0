"""Read, describe and write certificates and private keys."""

from __future__ import annotations

import hashlib
import shlex
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machinectl.errors import Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth", ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth"}
# cryptography raises these for an invalid certificate, in the parser or when a field is first used.
# Digests of private keys that were found to be valid in this run.
_VALIDATED: set[bytes] = set()
UNREADABLE = (
    ValueError,
    # cryptography before 50, for a name of an unknown type.
    KeyError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Pair:
    """A CA bundle begins with the key's own certificate."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Description:
    """`usages` is the extended key usage; empty means any."""

    subject: str
    sans: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime
    is_ca: bool
    usages: tuple[str, ...]

    def days_left(self, now: datetime) -> int:
        """Return whole days, negative after expiry."""
        return (self.not_after - now).days


def describe(pem: bytes, *, file: str = "The certificate") -> Description:
    """Read the first certificate. Raises MachineError if there is none."""
    return describe_all(pem, file=file)[0]


def describe_all(pem: bytes, *, file: str = "The certificate") -> list[Description]:
    return [describe_certificate(certificate) for certificate in read_certificates(pem, file)]


def fingerprint(pem: bytes, *, file: str = "The certificate") -> str:
    """Return the first certificate's SHA256 in hexadecimal."""
    return read_certificates(pem, file)[0].fingerprint(hashes.SHA256()).hex()


def public_key_digest(pem: bytes, *, file: str = "The certificate") -> str:
    """Return the SHA256 of the first certificate's public key (SubjectPublicKeyInfo) in hexadecimal."""
    return key_digest(read_certificates(pem, file)[0].public_key())


def key_digest(key: CertificatePublicKeyTypes) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def certified_name(pem: bytes, *, file: str = "The certificate") -> str:
    """Return the first certificate's common name, "" unless it is the whole subject."""
    names = list(read_certificates(pem, file)[0].subject)
    return printable(str(names[0].value)) if [name.oid for name in names] == [NameOID.COMMON_NAME] else ""


def describe_certificate(certificate: x509.Certificate) -> Description:
    try:
        sans = [
            printable(str(name.value))
            for name in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ]
    except x509.ExtensionNotFound:
        sans = []
    return Description(
        subject=name_text(certificate.subject),
        sans=tuple(sans),
        issuer=name_text(certificate.issuer),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_ca=is_ca(certificate),
        usages=tuple(USAGES.get(usage, usage.dotted_string) for usage in extended_usages(certificate)),
    )


def is_ca(certificate: x509.Certificate) -> bool:
    """Decide as Go does: by basicConstraints, and keyUsage if present."""
    if certificate.version == x509.Version.v1:
        return certificate.subject == certificate.issuer
    extensions = certificate.extensions
    try:
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as exc:
        return exc.oid == x509.KeyUsage.oid


def extended_usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return []


def name_text(name: x509.Name) -> str:
    return printable(name.rfc4514_string()) or "(no name)"


def printable(text: str) -> str:
    """Replace characters that could move the cursor."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def read_certificates(pem: bytes, file: str) -> list[x509.Certificate]:
    """Read every field used later, so that errors appear here."""
    try:
        with warnings.catch_warnings():
            # Our own checks decide, not what a later cryptography refuses.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificates = x509.load_pem_x509_certificates(pem)
            for certificate in certificates:
                describe_certificate(certificate)
                certificate.public_key()
    except UNREADABLE as exc:
        if b"-----BEGIN CERTIFICATE-----" in pem:
            cause = f"{file} is cut short or damaged: it starts a PEM certificate that cannot be read"
        else:
            cause = f"{file} is not a PEM certificate"
        raise MachineError(cause, certificate_hint(pem, file)) from exc
    return certificates


def only_certificates(pem: bytes) -> bytes:
    """Return the certificates in a PEM file, without whatever else is in it."""
    return certificate_pem(read_certificates(pem, "The certificate"))


def certificate_hint(pem: bytes, file: str) -> Hint:
    if b"PRIVATE KEY-----" in pem:
        return Hint("It holds a private key: give the certificate that was made with it.")
    if is_der(pem):
        return Hint("It looks like DER; convert it", "openssl x509 -inform der -in", file, "-out", "cert.pem")
    return Hint("A PEM certificate starts with -----BEGIN CERTIFICATE-----; copy the file again from its source.")


def read_private_key(pem: bytes, file: str) -> Key:
    digest = hashlib.sha256(pem).digest()
    try:
        # To validate an RSA key takes 80 ms of CPU time, and docker-machine's machines share theirs.
        key = serialization.load_pem_private_key(
            pem, password=None, unsafe_skip_rsa_key_validation=digest in _VALIDATED
        )
    except TypeError as exc:
        raise MachineError(
            f"{file} is encrypted with a passphrase, which docker cannot ask for",
            Hint(
                "Decrypt it", f"openssl pkey -in {shlex.quote(file)} -out plain.pem && mv plain.pem {shlex.quote(file)}"
            ),
        ) from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise MachineError(f"{file} is not a PEM private key", key_hint(pem, file)) from exc
    if not isinstance(key, Key):
        raise MachineError(
            f"{file} holds a kind of private key that docker does not use", Hint("Give an RSA, ECDSA or Ed25519 key.")
        )
    _VALIDATED.add(digest)
    return key


def read_public_key(pem: bytes) -> CertificatePublicKeyTypes:
    """Read a SubjectPublicKeyInfo of a kind that docker accepts."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise MachineError("The public key cannot be read") from exc
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise MachineError("The public key is of a kind that docker does not use")
    return key


def key_hint(pem: bytes, file: str) -> Hint:
    if b"BEGIN CERTIFICATE" in pem:
        return Hint("It holds a certificate: give the key that was made with it.")
    if b"BEGIN OPENSSH PRIVATE KEY" in pem:
        return Hint("It is an SSH key; convert a copy of it", "ssh-keygen -p -m PKCS8 -f", file)
    if is_der(pem):
        return Hint("It looks like DER; convert it", "openssl pkey -inform der -in", file, "-out", "key.pem")
    return Hint("A PEM key starts with -----BEGIN PRIVATE KEY-----; copy the file again from its source.")


def is_der(data: bytes) -> bool:
    """A DER SEQUENCE starts with 0x30, but so may text."""
    return data.startswith(b"\x30") and not data.isascii()


def certificate_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
