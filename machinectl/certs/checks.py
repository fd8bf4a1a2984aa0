"""Check that certificates and keys belong together, are valid, and that docker accepts them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from machinectl.certs.pem import (
    UNREADABLE,
    USAGES,
    Pair,
    certificate_pem,
    describe_certificate,
    extended_usages,
    is_ca,
    key_pem,
    name_text,
    read_certificates,
    read_private_key,
)
from machinectl.errors import Hint, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ANY_USAGE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string
# What Go supports, tried with the docker CLI and dockerd: its TLS signs with these curves (crypto/tls/auth.go) and
# RSA keys up to this size (maxRSAKeySize). Shorter RSA keys cannot sign for TLS 1.3.
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
RSA_BITS = range(1024, 8192 + 1)
# Go's X.509 accepts one more curve for a CA, and only these of the safe hashes.
CA_CURVES = (*CURVES, ec.SECP224R1)
HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# RSA-PSS key (RFC 4055 1.2): cryptography reads it as an RSA key, Go does not.
PSS_KEY = x509.ObjectIdentifier("1.2.840.113549.1.1.10")


# Docker's names.
CLIENT_NAMES = ("ca.pem", "cert.pem", "key.pem")
SERVER_NAMES = ("ca.pem", "server.pem", "server-key.pem")


class PemFile(NamedTuple):
    name: str
    certificate: x509.Certificate


def ca_pair(
    ca: bytes, key: bytes, *, ca_file: str = "ca.pem", key_file: str = "ca-key.pem", now: datetime | None = None
) -> Pair:
    """Check that `ca` holds `key`'s valid CA certificate; put it first."""
    certificates = read_certificates(ca, ca_file)
    private = read_private_key(key, key_file)
    own = [certificate for certificate in certificates if certificate.public_key() == private.public_key()]
    if not own:
        raise no_match(PemFile(ca_file, certificates[0]), key_file)
    authority = PemFile(ca_file, own[0])
    check_authorities([authority])
    check_ca_kind(authority)
    check_dates([authority], now or datetime.now(UTC))
    rest = [certificate for certificate in certificates if certificate is not own[0]]
    return Pair(certificate_pem([own[0], *rest]), key_pem(private))


def client_bundle(
    ca: bytes, cert: bytes, key: bytes, *, files: Sequence[str] = CLIENT_NAMES, now: datetime | None = None
) -> dict[str, bytes]:
    """Check a client's files and return them under docker's names.

    `ca` may hold several CAs, or an engine's own self-signed certificate: docker then trusts only that. `cert` may
    include intermediates. The returned key is unencrypted PKCS #8.
    """
    checked = checked_bundle((ca, cert, key), files, ExtendedKeyUsageOID.CLIENT_AUTH, now or datetime.now(UTC))
    return dict(zip(CLIENT_NAMES, checked, strict=True))


def check_client_files(files: Mapping[str, bytes]) -> None:
    """Raise MachineError if docker could not use a client's files, by docker's names. Ignores their dates."""
    ca, cert, key = (files[name] for name in CLIENT_NAMES)
    checked_bundle((ca, cert, key), CLIENT_NAMES, ExtendedKeyUsageOID.CLIENT_AUTH, None)


def server_bundle(
    ca: bytes, cert: bytes, key: bytes, *, files: Sequence[str] = SERVER_NAMES, now: datetime | None = None
) -> dict[str, bytes]:
    """Check an engine's files, like `client_bundle`."""
    checked = checked_bundle((ca, cert, key), files, ExtendedKeyUsageOID.SERVER_AUTH, now or datetime.now(UTC))
    return dict(zip(SERVER_NAMES, checked, strict=True))


def checked_bundle(
    pems: Sequence[bytes], files: Sequence[str], usage: x509.ObjectIdentifier, now: datetime | None
) -> tuple[bytes, bytes, bytes]:
    """Ignore dates without `now`."""
    (ca, cert, key), (ca_file, cert_file, key_file) = pems, files
    authorities = [PemFile(ca_file, certificate) for certificate in read_certificates(ca, ca_file)]
    leaf, *intermediates = (PemFile(cert_file, certificate) for certificate in read_certificates(cert, cert_file))
    private = read_private_key(key, key_file)
    if leaf.certificate.public_key() != private.public_key():
        raise no_match(leaf, key_file)
    pinned = [file for file in authorities if is_own_server(file.certificate)]
    check_authorities(authorities, pinned)
    # If a CA was renewed with the same key, prefer the valid certificate.
    authorities.sort(key=lambda file: now is not None and not is_valid(file.certificate, now))
    check_key_kind(leaf)
    path = find_path(leaf, intermediates, authorities) or path_by_itself(leaf, authorities, pinned, usage)
    if path is None and usage == ExtendedKeyUsageOID.CLIENT_AUTH:
        # An engine may accept clients of other CAs than its own server's: `access grant` gives each holder its CA.
        path = find_path(leaf, intermediates, [file for file in intermediates if is_root(file.certificate)])
    if path is None:
        check_signature_kind(leaf)
        raise MachineError(
            f"{cert_file} is not signed by {ca_file}: its issuer is {name_text(leaf.certificate.issuer)},"
            f" {ca_file} holds {name_text(authorities[0].certificate.subject)}",
            Hint(f"Give the CA certificate that came with {cert_file}."),
        )
    check_dates(path, now)
    check_usage(leaf, usage)
    for signed, signer in pairwise(path):
        if signer not in pinned:
            check_signature_kind(signed)
            check_ca_kind(signer)
    return (
        certificate_pem([file.certificate for file in authorities]),
        certificate_pem([leaf.certificate, *(file.certificate for file in intermediates)]),
        key_pem(private),
    )


def find_path(leaf: PemFile, intermediates: list[PemFile], authorities: list[PemFile]) -> list[PemFile] | None:
    """Return the chain to a CA. As in Go, any CA is a root."""
    unused = list(intermediates)
    paths = [[leaf]]
    while paths:
        path = paths.pop(0)
        for authority in authorities:
            if is_signed(path[-1].certificate, authority.certificate):
                return [*path, authority]
        signers = [file for file in unused if is_signed(path[-1].certificate, file.certificate)]
        unused = [file for file in unused if file not in signers]
        paths += [[*path, signer] for signer in signers]
    return None


def path_by_itself(
    leaf: PemFile, authorities: list[PemFile], pinned: list[PemFile], usage: x509.ObjectIdentifier
) -> list[PemFile] | None:
    """Return the path of a certificate that docker accepts without a chain.

    As in Go, a trusted certificate needs no signer. Only the engine knows which clients it accepts.
    """
    if usage == ExtendedKeyUsageOID.SERVER_AUTH:
        return [leaf] if any(file.certificate == leaf.certificate for file in authorities) else None
    if pinned:
        return [leaf, min(pinned, key=authorities.index)]
    return [leaf] if is_signed_by_key_of(leaf.certificate, leaf.certificate) else None


def is_own_server(certificate: x509.Certificate) -> bool:
    """Return whether it is self-signed and has names: only an engine's is."""
    description = describe_certificate(certificate)
    for_servers = not description.usages or {"serverAuth", ANY_USAGE} & {*description.usages}
    return bool(description.sans and for_servers) and is_signed_by_key_of(certificate, certificate)


def is_root(certificate: x509.Certificate) -> bool:
    return is_signed(certificate, certificate)


def is_signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    return is_ca(issuer) and is_signed_by_key_of(certificate, issuer)


def is_signed_by_key_of(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def check_authorities(authorities: list[PemFile], pinned: Sequence[PemFile] = ()) -> None:
    if not (pinned or any(is_ca(file.certificate) for file in authorities)):
        name, certificate = authorities[0]
        raise MachineError(
            f"{name} is not a CA's certificate: {name_text(certificate.subject)} may not sign others",
            Hint(f"Give the certificate of the CA that signed it, {name_text(certificate.issuer)}."),
        )


def check_dates(path: Iterable[PemFile], now: datetime | None) -> None:
    if now is None:
        return
    for name, certificate in path:
        what = f"{name} ({name_text(certificate.subject)})"
        if certificate.not_valid_after_utc < now:
            raise MachineError(
                f"{what} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
                Hint("Make new ones", "machinectl certs create --out <DIR> --san <HOST>"),
            )
        if certificate.not_valid_before_utc > now:
            raise MachineError(
                f"{what} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
                Hint(f"The clock here says {now:%Y-%m-%d %H:%M} UTC: if that is wrong, set it; else wait."),
            )


def check_usage(leaf: PemFile, usage: x509.ObjectIdentifier) -> None:
    usages = extended_usages(leaf.certificate)
    # RFC 5280, 4.2.1.12: without the extension, any usage is allowed.
    if not usages or usage in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages:
        return
    whose = "a client" if usage == ExtendedKeyUsageOID.CLIENT_AUTH else "a server"
    what = ", ".join(USAGES.get(usage_id, usage_id.dotted_string) for usage_id in usages)
    raise MachineError(
        f"{leaf.name} is not {whose}'s certificate: it lacks {USAGES[usage]}, and is for {what}",
        Hint("If the server's and the client's files were swapped, swap them back."),
    )


def check_key_kind(leaf: PemFile) -> None:
    key = leaf.certificate.public_key()
    if leaf.certificate.public_key_algorithm_oid == PSS_KEY:
        raise unsupported(leaf, "has an RSA-PSS key")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, CURVES):
        raise unsupported(leaf, f"has a key on the curve {key.curve.name}")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size not in RSA_BITS:
        raise unsupported(leaf, f"has an RSA key of {key.key_size} bits")


def check_ca_kind(authority: PemFile) -> None:
    key = authority.certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, CA_CURVES):
        raise unsupported(authority, f"is of a CA with a key on the curve {key.curve.name}")


def check_signature_kind(signed: PemFile) -> None:
    try:
        algorithm = signed.certificate.signature_hash_algorithm
    except UnsupportedAlgorithm as exc:
        raise unsupported(signed, "is signed in a way that is not known") from exc
    # Ed25519 has its hash built in.
    if algorithm is not None and not isinstance(algorithm, HASHES):
        raise unsupported(signed, f"is signed with {algorithm.name}")


def unsupported(certificate: PemFile, what: str) -> MachineError:
    return MachineError(
        f"{certificate.name} ({name_text(certificate.certificate.subject)}) {what}, which docker does not accept",
        Hint("Make one with a P-256 key and SHA-256", "machinectl certs create --out <DIR> --san <HOST>"),
    )


def no_match(certificate: PemFile, key_file: str) -> MachineError:
    return MachineError(
        f"{key_file} is not the private key of {certificate.name} ({name_text(certificate.certificate.subject)})",
        Hint("Give the key that was made together with that certificate."),
    )


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
