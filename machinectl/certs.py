"""X.509 for Docker's mutual TLS: PEM bytes in, PEM bytes out.

`…_file` only names a file in error messages. Times are UTC.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import shlex
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machinectl.errors import MachineError, UsageError

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

# RFC 5280, appendix A.1, ub-common-name.
COMMON_NAME_BYTES = 64

_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth", ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth"}

# An RSA signature with SHA-2 begins with the length of its algorithm's name, then the name.
_SHA2_SIGNATURES = (b"\0\0\0\x0crsa-sha2-256", b"\0\0\0\x0crsa-sha2-512")

_ANY_USAGE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string

# RFC 1123 labels, plus the underscore, which Go and OpenSSL accept and LANs use.
_DNS_NAME = re.compile(
    r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)

# cryptography raises these for an invalid certificate, in the parser or when a field is first used.
_UNREADABLE = (
    ValueError,
    # cryptography before 50, for a name of an unknown type.
    KeyError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

# What Go supports, tried with the docker CLI and dockerd: its TLS signs with these curves (crypto/tls/auth.go) and
# RSA keys up to this size (maxRSAKeySize). Shorter RSA keys cannot sign for TLS 1.3.
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_RSA_BITS = range(1024, 8192 + 1)
# Go's X.509 accepts one more curve for a CA, and only these of the safe hashes.
_CA_CURVES = (*_CURVES, ec.SECP224R1)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# RSA-PSS key (RFC 4055 1.2): cryptography reads it as an RSA key, Go does not.
_PSS_KEY = x509.ObjectIdentifier("1.2.840.113549.1.1.10")

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


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


def new_ca(name: str, *, now: datetime | None = None) -> Pair:
    """`name` becomes the issuer, cut at 64 bytes."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(_cut(name))
    now = now or datetime.now(UTC)
    builder = (
        _unsigned(subject, subject, key.public_key(), now, now + timedelta(days=CA_DAYS))
        # It signs leaves only.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return Pair(_certificate_pem([builder.sign(key, hashes.SHA256())]), _key_pem(key))


def issue_server(ca: Pair, sans: Sequence[str], *, now: datetime | None = None) -> Pair:
    """Add localhost and 127.0.0.1 to `sans`.

    Raises UsageError for an invalid SAN, MachineError if the CA cannot sign.
    """
    names = list(dict.fromkeys(_general_name(san) for san in (*sans, "localhost", "127.0.0.1")))
    return _issue(
        ca,
        _cut(str(names[0].value)),
        SERVER_DAYS,
        [
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName(names),
        ],
        now or datetime.now(UTC),
    )


def issue_client(ca: Pair, name: str, *, now: datetime | None = None) -> Pair:
    """Docker's plugins see `name` as the user.

    Raises UsageError for an invalid name, MachineError if the CA cannot sign.
    """
    if not name.isprintable() or not 1 <= len(name.encode(errors="replace")) <= COMMON_NAME_BYTES:
        raise UsageError(
            f"{_printable(name)!r} cannot be the name in a certificate",
            f"Give 1 to {COMMON_NAME_BYTES} printable characters, such as alice or ci-runner.",
        )
    return _issue(
        ca,
        name,
        CLIENT_DAYS,
        [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])],
        now or datetime.now(UTC),
    )


def describe(pem: bytes, *, file: str = "The certificate") -> Description:
    """Read the first certificate. Raises MachineError if there is none."""
    return describe_all(pem, file=file)[0]


def describe_all(pem: bytes, *, file: str = "The certificate") -> list[Description]:
    return [_description(certificate) for certificate in _certificates(pem, file)]


def fingerprint(pem: bytes, *, file: str = "The certificate") -> str:
    """Return the first certificate's SHA256 in hexadecimal."""
    return _certificates(pem, file)[0].fingerprint(hashes.SHA256()).hex()


def ca_pair(
    ca: bytes,
    key: bytes,
    *,
    ca_file: str = "ca.pem",
    key_file: str = "ca-key.pem",
    now: datetime | None = None,
) -> Pair:
    """Check that `ca` holds `key`'s valid CA certificate; put it first."""
    certificates = _certificates(ca, ca_file)
    private = _private_key(key, key_file)
    own = [each for each in certificates if each.public_key() == private.public_key()]
    if not own:
        raise _no_match(_File(ca_file, certificates[0]), key_file)
    authority = _File(ca_file, own[0])
    _check_authorities([authority])
    _check_ca_kind(authority)
    _check_dates([authority], now or datetime.now(UTC))
    rest = [each for each in certificates if each is not own[0]]
    return Pair(_certificate_pem([own[0], *rest]), _key_pem(private))


def client_bundle(
    ca: bytes,
    cert: bytes,
    key: bytes,
    *,
    ca_file: str = "ca.pem",
    cert_file: str = "cert.pem",
    key_file: str = "key.pem",
    now: datetime | None = None,
) -> dict[str, bytes]:
    """Check a client's files and return them under docker's names.

    `ca` may hold several CAs, or an engine's own self-signed certificate: docker then trusts only that. `cert` may
    include intermediates. The returned key is unencrypted PKCS #8.
    """
    usage = ExtendedKeyUsageOID.CLIENT_AUTH
    files = (ca_file, cert_file, key_file)
    checked = _bundle(ca, cert, key, files, usage, now=now or datetime.now(UTC))
    return dict(zip(("ca.pem", "cert.pem", "key.pem"), checked, strict=True))


def server_bundle(
    ca: bytes,
    cert: bytes,
    key: bytes,
    *,
    ca_file: str = "ca.pem",
    cert_file: str = "server.pem",
    key_file: str = "server-key.pem",
    now: datetime | None = None,
) -> dict[str, bytes]:
    """Check an engine's files, like `client_bundle`."""
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    files = (ca_file, cert_file, key_file)
    checked = _bundle(ca, cert, key, files, usage, now=now or datetime.now(UTC))
    return dict(zip(("ca.pem", "server.pem", "server-key.pem"), checked, strict=True))


class _File(NamedTuple):
    name: str
    certificate: x509.Certificate


def _issue(ca: Pair, name: str, days: int, extensions: Iterable[x509.ExtensionType], now: datetime) -> Pair:
    checked = ca_pair(ca.certificate, ca.key, ca_file="The CA", key_file="The CA's key", now=now)
    authority = _certificates(checked.certificate, "The CA")[0]
    authority_key = _private_key(checked.key, "The CA's key")
    key = ec.generate_private_key(ec.SECP256R1())
    # If it outlived its CA, it would look valid but be refused.
    not_after = min(now + timedelta(days=days), authority.not_valid_after_utc)
    builder = (
        _unsigned(_subject(name), authority.subject, key.public_key(), now, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(_authority_key_identifier(authority, authority_key), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    # Ed25519 has its hash built in.
    algorithm = None if isinstance(authority_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Pair(_certificate_pem([builder.sign(authority_key, algorithm)]), _key_pem(key))


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificatePublicKeyTypes,
    now: datetime,
    not_after: datetime,
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


def _key_usage(*, ca: bool) -> x509.KeyUsage:
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


def _authority_key_identifier(authority: x509.Certificate, key: _Key) -> x509.AuthorityKeyIdentifier:
    """Return the CA's own identifier, which may not be a hash (VERIFY_X509_STRICT, Python 3.13)."""
    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _cut(name: str) -> str:
    # Not UTF-8 on the command line: `_general_name` refuses it as a SAN.
    return name.encode(errors="replace")[:COMMON_NAME_BYTES].decode(errors="ignore")


def _general_name(san: str) -> x509.GeneralName:
    # A zone (fe80::1%eth0) is valid on one host only.
    if "%" not in san:
        with suppress(ValueError):
            return x509.IPAddress(ipaddress.ip_address(san))
    name = san.lower()
    # Resolvers read a name whose last label is a number as a mistyped address (RFC 1123, 2.1).
    if len(name) > 253 or not _DNS_NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():  # noqa: PLR2004 - RFC 1035, 2.3.4
        raise UsageError(
            f"{_printable(san)!r} is neither an IP address nor a DNS name",
            "Give it as 192.168.0.29, fd00::1d or orion.local; a name outside ASCII in its xn-- form.",
        )
    return x509.DNSName(name)


def _bundle(
    ca: bytes,
    cert: bytes,
    key: bytes,
    names: tuple[str, str, str],
    usage: x509.ObjectIdentifier,
    *,
    now: datetime,
) -> tuple[bytes, bytes, bytes]:
    ca_file, cert_file, key_file = names
    authorities = [_File(ca_file, each) for each in _certificates(ca, ca_file)]
    leaf, *intermediates = (_File(cert_file, each) for each in _certificates(cert, cert_file))
    private = _private_key(key, key_file)
    if leaf.certificate.public_key() != private.public_key():
        raise _no_match(leaf, key_file)
    pinned = [each for each in authorities if _is_own_server(each.certificate)]
    _check_authorities(authorities, pinned)
    # If a CA was renewed with the same key, prefer the valid certificate.
    authorities.sort(key=lambda each: not _valid(each.certificate, now))
    _check_key_kind(leaf)
    path = _path(leaf, intermediates, authorities) or _path_by_itself(leaf, authorities, pinned, usage)
    if path is None:
        _check_signature_kind(leaf)
        raise MachineError(
            f"{cert_file} is not signed by {ca_file}: its issuer is {_name(leaf.certificate.issuer)},"
            f" {ca_file} holds {_name(authorities[0].certificate.subject)}",
            f"Give the CA certificate that came with {cert_file}.",
        )
    _check_dates(path, now)
    _check_usage(leaf, usage)
    for signed, signer in pairwise(path):
        if signer not in pinned:
            _check_signature_kind(signed)
            _check_ca_kind(signer)
    return (
        _certificate_pem([each.certificate for each in authorities]),
        _certificate_pem([leaf.certificate, *(each.certificate for each in intermediates)]),
        _key_pem(private),
    )


def _path(leaf: _File, intermediates: list[_File], authorities: list[_File]) -> list[_File] | None:
    """Return the chain to a CA. As in Go, any CA is a root."""
    unused = list(intermediates)
    paths = [[leaf]]
    while paths:
        path = paths.pop(0)
        for authority in authorities:
            if _signed(path[-1].certificate, authority.certificate):
                return [*path, authority]
        signers = [each for each in unused if _signed(path[-1].certificate, each.certificate)]
        unused = [each for each in unused if each not in signers]
        paths += [[*path, signer] for signer in signers]
    return None


def _path_by_itself(
    leaf: _File, authorities: list[_File], pinned: list[_File], usage: x509.ObjectIdentifier
) -> list[_File] | None:
    """Return the path of a certificate that docker accepts without a chain.

    As in Go, a trusted certificate needs no signer. Only the engine knows which clients it accepts.
    """
    if usage == ExtendedKeyUsageOID.SERVER_AUTH:
        return [leaf] if any(each.certificate == leaf.certificate for each in authorities) else None
    if pinned:
        return [leaf, min(pinned, key=authorities.index)]
    return [leaf] if _signed_by_key_of(leaf.certificate, leaf.certificate) else None


def _is_own_server(certificate: x509.Certificate) -> bool:
    """Return whether it is self-signed and has names: only an engine's is."""
    description = _description(certificate)
    for_servers = not description.usages or {"serverAuth", _ANY_USAGE} & {*description.usages}
    return bool(description.sans and for_servers) and _signed_by_key_of(certificate, certificate)


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    return _is_ca(issuer) and _signed_by_key_of(certificate, issuer)


def _signed_by_key_of(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def _check_authorities(authorities: list[_File], pinned: Sequence[_File] = ()) -> None:
    if not (pinned or any(_is_ca(each.certificate) for each in authorities)):
        name, certificate = authorities[0]
        raise MachineError(
            f"{name} is not a CA's certificate: {_name(certificate.subject)} may not sign others",
            f"Give the certificate of the CA that signed it, {_name(certificate.issuer)}.",
        )


def _check_dates(path: Iterable[_File], now: datetime) -> None:
    for name, certificate in path:
        what = f"{name} ({_name(certificate.subject)})"
        if certificate.not_valid_after_utc < now:
            raise MachineError(
                f"{what} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
                "Make new ones: machinectl certs create --out <DIR> --san <HOST>",
            )
        if certificate.not_valid_before_utc > now:
            raise MachineError(
                f"{what} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
                f"The clock here says {now:%Y-%m-%d %H:%M} UTC: if that is wrong, set it; else wait.",
            )


def _check_usage(leaf: _File, usage: x509.ObjectIdentifier) -> None:
    usages = _extended_usages(leaf.certificate)
    # RFC 5280, 4.2.1.12: without the extension, any usage is allowed.
    if not usages or usage in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages:
        return
    whose = "a client" if usage == ExtendedKeyUsageOID.CLIENT_AUTH else "a server"
    raise MachineError(
        f"{leaf.name} is not {whose}'s certificate: it lacks {_USAGES[usage]}, and is for {_usage_names(usages)}",
        "If the server's and the client's files were swapped, swap them back.",
    )


def _check_key_kind(leaf: _File) -> None:
    key = leaf.certificate.public_key()
    if leaf.certificate.public_key_algorithm_oid == _PSS_KEY:
        raise _not_taken(leaf, "has an RSA-PSS key")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES):
        raise _not_taken(leaf, f"has a key on the curve {key.curve.name}")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size not in _RSA_BITS:
        raise _not_taken(leaf, f"has an RSA key of {key.key_size} bits")


def _check_ca_kind(authority: _File) -> None:
    key = authority.certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CA_CURVES):
        raise _not_taken(authority, f"is of a CA with a key on the curve {key.curve.name}")


def _check_signature_kind(signed: _File) -> None:
    try:
        algorithm = signed.certificate.signature_hash_algorithm
    except UnsupportedAlgorithm as exc:
        raise _not_taken(signed, "is signed in a way that is not known") from exc
    # Ed25519 has its hash built in.
    if algorithm is not None and not isinstance(algorithm, _HASHES):
        raise _not_taken(signed, f"is signed with {algorithm.name}")


def _not_taken(certificate: _File, what: str) -> MachineError:
    return MachineError(
        f"{certificate.name} ({_name(certificate.certificate.subject)}) {what}, which docker does not accept",
        "Make one with a P-256 key and SHA-256: machinectl certs create --out <DIR> --san <HOST>",
    )


def _no_match(certificate: _File, key_file: str) -> MachineError:
    return MachineError(
        f"{key_file} is not the private key of {certificate.name} ({_name(certificate.certificate.subject)})",
        "Give the key that was made together with that certificate.",
    )


def _is_ca(certificate: x509.Certificate) -> bool:
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


def _valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _extended_usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return []


def _usage_names(usages: Iterable[x509.ObjectIdentifier]) -> str:
    return ", ".join(_USAGES.get(usage, usage.dotted_string) for usage in usages)


def _description(certificate: x509.Certificate) -> Description:
    try:
        sans = [
            _printable(str(name.value))
            for name in certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ]
    except x509.ExtensionNotFound:
        sans = []
    return Description(
        subject=_name(certificate.subject),
        sans=tuple(sans),
        issuer=_name(certificate.issuer),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_ca=_is_ca(certificate),
        usages=tuple(_USAGES.get(usage, usage.dotted_string) for usage in _extended_usages(certificate)),
    )


def _name(name: x509.Name) -> str:
    return _printable(name.rfc4514_string()) or "(no name)"


def _printable(text: str) -> str:
    """Replace characters that could move the cursor."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _certificates(pem: bytes, file: str) -> list[x509.Certificate]:
    """Read every field used later, so that errors appear here."""
    try:
        with warnings.catch_warnings():
            # Our own checks decide, not what a later cryptography refuses.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificates = x509.load_pem_x509_certificates(pem)
            for certificate in certificates:
                _description(certificate)
                certificate.public_key()
    except _UNREADABLE as exc:
        if b"-----BEGIN CERTIFICATE-----" in pem:
            cause = f"{file} is cut short or damaged: it starts a PEM certificate that cannot be read"
        else:
            cause = f"{file} is not a PEM certificate"
        raise MachineError(cause, _how_to_get_a_certificate(pem, file)) from exc
    return certificates


def _how_to_get_a_certificate(pem: bytes, file: str) -> str:
    if b"PRIVATE KEY-----" in pem:
        return "It holds a private key: give the certificate that was made with it."
    if _is_der(pem):
        return f"It looks like DER; convert it: openssl x509 -inform der -in {shlex.quote(file)} -out cert.pem"
    return "A PEM certificate starts with -----BEGIN CERTIFICATE-----; copy the file again from its source."


def _private_key(pem: bytes, file: str) -> _Key:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as exc:
        raise MachineError(
            f"{file} is encrypted with a passphrase, which docker cannot ask for",
            f"Decrypt it: openssl pkey -in {shlex.quote(file)} -out plain.pem && mv plain.pem {shlex.quote(file)}",
        ) from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise MachineError(f"{file} is not a PEM private key", _how_to_get_a_key(pem, file)) from exc
    if not isinstance(key, _Key):
        raise MachineError(
            f"{file} holds a kind of private key that docker does not use",
            "Give an RSA, ECDSA or Ed25519 key.",
        )
    return key


def _how_to_get_a_key(pem: bytes, file: str) -> str:
    if b"BEGIN CERTIFICATE" in pem:
        return "It holds a certificate: give the key that was made with it."
    if b"BEGIN OPENSSH PRIVATE KEY" in pem:
        return f"It is an SSH key; convert a copy of it: ssh-keygen -p -m PKCS8 -f {shlex.quote(file)}"
    if _is_der(pem):
        return f"It looks like DER; convert it: openssl pkey -inform der -in {shlex.quote(file)} -out key.pem"
    return "A PEM key starts with -----BEGIN PRIVATE KEY-----; copy the file again from its source."


def openssh_key(pem: bytes, passphrase: str | None = None) -> bytes:
    """Return an unencrypted OpenSSH key. Raises ValueError."""
    secret = None if passphrase is None else passphrase.encode("utf-8", "surrogateescape")
    try:
        key = serialization.load_pem_private_key(pem, secret)
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    except (TypeError, UnsupportedAlgorithm) as exc:
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
        if base64.b64decode(line.split()[1])[-size - 20 : -size - 4] not in _SHA2_SIGNATURES:
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


def _is_der(data: bytes) -> bool:
    """A DER SEQUENCE starts with 0x30, but so may text."""
    return data.startswith(b"\x30") and not data.isascii()


def _certificate_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def _key_pem(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
