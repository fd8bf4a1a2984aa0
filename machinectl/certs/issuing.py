"""Issue certificates for a CA, servers and clients. Times are UTC."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machinectl.certs.checks import ca_pair
from machinectl.certs.pem import (
    Key,
    Pair,
    certificate_pem,
    key_pem,
    printable,
    read_certificates,
    read_private_key,
    read_public_key,
)
from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

# Ten years, like mkcert's root: a new CA means new certificates for the host and all its clients at once, and only
# they trust it. docker-machine's 1080 days locked people out of their own hosts.
CA_DAYS = 3650
# Apple refuses server certificates valid for more than 825 days, under private CAs too
# (https://support.apple.com/en-us/HT210176). 820 days and the backdating stay below that.
SERVER_DAYS = 820
# Renewed together with the server's. dockerd has no revocation except a new CA.
CLIENT_DAYS = SERVER_DAYS
# A certificate that is not valid yet is refused, and a hardware clock in local time is up to 14 hours off until NTP
# sets the host's clock.
BACKDATED = timedelta(days=1)
CLIENT_EXTENSIONS = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),)
# RFC 5280, appendix A.1, ub-common-name.
COMMON_NAME_BYTES = 64
# RFC 1123 labels, plus the underscore, which Go and OpenSSL accept and LANs use.
DNS_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def new_ca(name: str, *, now: datetime | None = None) -> Pair:
    """`name` becomes the issuer, cut at 64 bytes."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = common_name(cut_name(name))
    now = now or datetime.now(UTC)
    builder = (
        unsigned(subject, subject, key.public_key(), now, now + timedelta(days=CA_DAYS))
        # It signs leaves only.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(ca=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return Pair(certificate_pem([builder.sign(key, hashes.SHA256())]), key_pem(key))


def issue_server(ca: Pair, sans: Sequence[str], *, now: datetime | None = None) -> Pair:
    """Add localhost and 127.0.0.1 to `sans`.

    Raises UsageError for an invalid SAN, MachineError if the CA cannot sign.
    """
    names = list(dict.fromkeys(general_name(san) for san in (*sans, "localhost", "127.0.0.1")))
    return issue(
        ca,
        cut_name(str(names[0].value)),
        SERVER_DAYS,
        [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), x509.SubjectAlternativeName(names)],
        now or datetime.now(UTC),
    )


def issue_client(ca: Pair, name: str, *, now: datetime | None = None) -> Pair:
    """Docker's plugins see `name` as the user.

    Raises UsageError for an invalid name, MachineError if the CA cannot sign.
    """
    check_client_name(name)
    return issue(ca, name, CLIENT_DAYS, CLIENT_EXTENSIONS, now or datetime.now(UTC))


def sign_client(ca: Pair, public_key: bytes, name: str, until: datetime, *, now: datetime | None = None) -> bytes:
    """Return a client's certificate for a key that stays elsewhere; `public_key` is PEM (SubjectPublicKeyInfo).

    It expires with its CA, if that is earlier. Raises as issue_client.
    """
    check_client_name(name)
    key = read_public_key(public_key)
    return signed_certificate(ca, key, name, until, CLIENT_EXTENSIONS, now or datetime.now(UTC))


def check_client_name(name: str) -> None:
    if not name.isprintable() or not 1 <= len(name.encode(errors="replace")) <= COMMON_NAME_BYTES:
        raise UsageError(
            f"{printable(name)!r} cannot be the name in a certificate",
            Hint(f"Give 1 to {COMMON_NAME_BYTES} printable characters, such as alice or ci-runner."),
        )


def issue(ca: Pair, name: str, days: int, extensions: Iterable[x509.ExtensionType], now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    until = now + timedelta(days=days)
    return Pair(signed_certificate(ca, key.public_key(), name, until, extensions, now), key_pem(key))


def signed_certificate(
    ca: Pair,
    key: CertificatePublicKeyTypes,
    name: str,
    until: datetime,
    extensions: Iterable[x509.ExtensionType],
    now: datetime,
) -> bytes:
    checked = ca_pair(ca.certificate, ca.key, ca_file="The CA", key_file="The CA's key", now=now)
    authority = read_certificates(checked.certificate, "The CA")[0]
    authority_key = read_private_key(checked.key, "The CA's key")
    # If it outlived its CA, it would look valid but be refused.
    not_after = min(until, authority.not_valid_after_utc)
    builder = (
        unsigned(common_name(name), authority.subject, key, now, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(ca=False), critical=True)
        .add_extension(authority_key_identifier(authority, authority_key), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    # Ed25519 has its hash built in.
    algorithm = None if isinstance(authority_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return certificate_pem([builder.sign(authority_key, algorithm)])


def unsigned(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, now: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def authority_key_identifier(authority: x509.Certificate, key: Key) -> x509.AuthorityKeyIdentifier:
    """Return the CA's own identifier, which may not be a hash (VERIFY_X509_STRICT, Python 3.13)."""
    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def cut_name(name: str) -> str:
    # Not UTF-8 on the command line: `general_name` refuses it as a SAN.
    return name.encode(errors="replace")[:COMMON_NAME_BYTES].decode(errors="ignore")


def general_name(san: str) -> x509.GeneralName:
    # A zone (fe80::1%eth0) is valid on one host only.
    if "%" not in san:
        with suppress(ValueError):
            return x509.IPAddress(ipaddress.ip_address(san))
    name = san.lower()
    # Resolvers read a name whose last label is a number as a mistyped address (RFC 1123, 2.1).
    if len(name) > 253 or not DNS_NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise UsageError(
            f"{printable(san)!r} is neither an IP address nor a DNS name",
            Hint("Give it as 192.168.0.29, fd00::1d or orion.local; a name outside ASCII in its xn-- form."),
        )
    return x509.DNSName(name)
