"""What `certs import` takes is what the docker CLI gets through dockerd with, and what it refuses does not."""

from __future__ import annotations

import ipaddress
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machinectl import certs, engine
from machinectl.engine import Endpoint
from machinectl.errors import MachineError
from machinectl.state import State
from tests.support.dockerd import running_with
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as Key

    from tests.support.dockerd import Dockerd

NOW = datetime.now(UTC)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
LOOPBACK = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


def signed(
    key: Key,
    issuer: x509.Name,
    by: Key,
    *extensions: x509.ExtensionType,
    name: str = "alice",
    algorithm: hashes.HashAlgorithm | None = None,
) -> certs.Pair:
    """A certificate as another tool may make it, whatever docker thinks of it."""
    builder = (
        x509.CertificateBuilder(subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=9))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    hashed = None if isinstance(by, ed25519.Ed25519PrivateKey) else algorithm or hashes.SHA256()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certs.Pair(builder.sign(by, hashed).public_bytes(serialization.Encoding.PEM), text)  # type: ignore[arg-type]  # one of those that fits the key


def by_itself(key: Key, name: str, *extensions: x509.ExtensionType) -> certs.Pair:
    return signed(key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, *extensions, name=name)


def openssl_rsa(bits: int) -> Key:
    """cryptography makes no short ones."""
    need("openssl")
    made = subprocess.run(["openssl", "genrsa", str(bits)], capture_output=True, check=True)
    key = serialization.load_pem_private_key(made.stdout, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def curve(kind: type[ec.EllipticCurve]) -> Callable[[], Key]:
    return lambda: ec.generate_private_key(kind())


P256 = curve(ec.SECP256R1)
KEYS: list[tuple[str, Callable[[], Key], str]] = [
    ("P-256", P256, ""),
    ("P-384", curve(ec.SECP384R1), ""),
    ("P-521", curve(ec.SECP521R1), ""),
    ("Ed25519", ed25519.Ed25519PrivateKey.generate, ""),
    ("RSA 1024", lambda: openssl_rsa(1024), ""),
    ("RSA 2048", lambda: openssl_rsa(2048), ""),
    ("P-224", curve(ec.SECP224R1), "a key on the curve secp224r1"),
    ("RSA 512", lambda: openssl_rsa(512), "an RSA key of 512 bits"),
]


def docker_gets_through(url: str, directory: Path) -> bool:
    need("docker")
    files = [
        f"--tls{flag}={directory}/{file}.pem" for flag, file in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))
    ]
    command = ["docker", "--tlsverify", *files, f"-H={url}", "version"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def refusal(ca: bytes, client: certs.Pair) -> str:
    try:
        certs.client_bundle(ca, client.certificate, client.key)
    except MachineError as exc:
        return exc.cause
    return ""


def names_of(ca: certs.Pair) -> tuple[x509.Name, Key]:
    key = serialization.load_pem_private_key(ca.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(ca.certificate).subject, key


@pytest.mark.parametrize(("make", "why"), [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])
def test_a_clients_key_is_taken_where_docker_takes_it(
    dockerd: Dockerd, tmp_path: Path, make: Callable[[], Key], why: str
) -> None:
    client = signed(make(), *names_of(dockerd.ca), x509.ExtendedKeyUsage([CLIENT]))
    assert docker_gets_through(dockerd.url, dockerd.client(tmp_path / "client", client)) is not bool(why)
    said = refusal(dockerd.ca.certificate, client)
    assert why in said
    assert bool(said) is bool(why)


def test_a_signature_is_believed_where_docker_believes_it(dockerd: Dockerd, tmp_path: Path) -> None:
    for algorithm, good in ((hashes.SHA384(), True), (hashes.SHA512(), True), (hashes.SHA224(), False)):
        client = signed(P256(), *names_of(dockerd.ca), x509.ExtendedKeyUsage([CLIENT]), algorithm=algorithm)
        directory = dockerd.client(tmp_path / algorithm.name, client)
        assert docker_gets_through(dockerd.url, directory) is good
        assert ("is signed with sha224, which docker" in refusal(dockerd.ca.certificate, client)) is not good


@pytest.mark.parametrize(
    "kind",
    [
        # What `openssl req -x509` makes unless it is told otherwise; what it should make; what scripts forget.
        [x509.BasicConstraints(ca=True, path_length=None)],
        [x509.BasicConstraints(ca=False, path_length=None), x509.ExtendedKeyUsage([SERVER])],
        [],
    ],
    ids=["openssl", "strict", "bare"],
)
def test_an_engines_self_signed_certificate_is_taken_as_what_is_trusted(
    tmp_path: Path, kind: list[x509.ExtensionType]
) -> None:
    server = by_itself(P256(), "orion", LOOPBACK, *kind)
    ca = certs.new_ca("the CA of clients, which none of them holds")
    alone = by_itself(P256(), "alice", x509.ExtendedKeyUsage([CLIENT]))
    both = certs.Pair(ca.certificate + alone.certificate, ca.key)
    with running_with(both, server) as running:
        for name, client in (("of-the-ca", certs.issue_client(ca, "alice")), ("alone", alone)):
            directory = running.client(tmp_path / name, client, server.certificate)
            assert docker_gets_through(running.url, directory)
            assert refusal(server.certificate, client) == ""
            found = engine.probe(Endpoint(running.url, tls=True, cert_dir=str(directory), name="x"), 20)
            assert found.state is State.RUNNING
    assert certs.server_bundle(server.certificate, server.certificate, server.key)["server.pem"]


def test_a_certificate_that_could_be_no_engines_is_trusted_by_nobody() -> None:
    client = certs.issue_client(certs.new_ca("a CA"), "alice")
    for name, extensions in (
        ("for clients", [LOOPBACK, x509.ExtendedKeyUsage([CLIENT])]),
        ("without a name", [x509.ExtendedKeyUsage([SERVER])]),
    ):
        other = by_itself(P256(), name, *extensions)
        assert "is not a CA's certificate" in refusal(other.certificate, client)
    own = certs.new_ca("another CA")
    assert "is not a CA's" in refusal(certs.issue_server(own, ["orion"]).certificate, client)
    server, another = (by_itself(P256(), "orion", LOOPBACK) for _ in range(2))
    with pytest.raises(MachineError, match="is not signed by"):
        certs.server_bundle(another.certificate, server.certificate, server.key)


def test_beside_an_engines_own_certificate_no_other_one_is_trusted(dockerd: Dockerd, tmp_path: Path) -> None:
    """Also where its names and its subject are the same; and a certificate that says it is a CA signs for no other."""
    mine, stranger = (by_itself(P256(), "the engine's CA", LOOPBACK) for _ in range(2))
    for name, trusted in (("mine", mine), ("stranger", stranger)):
        client = dockerd.client(tmp_path / name, certs.issue_client(dockerd.ca, "alice"), trusted.certificate)
        found = engine.probe(Endpoint(dockerd.url, tls=True, cert_dir=str(client), name="x"), 20)
        assert found.state is State.ERROR
        assert not docker_gets_through(dockerd.url, client)
