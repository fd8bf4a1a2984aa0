from __future__ import annotations

import ssl
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl import certs
from machinectl.certs import Pair
from machinectl.errors import MachineError, UsageError
from tests.support.handshake import connect
from tests.support.openssl import openssl, scripts_certificates
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=900)
CA = certs.new_ca("orion CA")
OTHER_CA = certs.new_ca("another CA")
SERVER = certs.issue_server(CA, ["orion.local", "192.168.0.29", "fd00::1d"])
CLIENT = certs.issue_client(CA, "alice")


def refused(ca: bytes = CA.certificate, cert: bytes = CLIENT.certificate, key: bytes = CLIENT.key) -> MachineError:
    """What a client's three files are refused with."""
    with pytest.raises(MachineError) as caught:
        certs.client_bundle(ca, cert, key)
    for line in (caught.value.cause, caught.value.hint):
        assert line
        assert line.isprintable()
    return caught.value


@pytest.fixture
def handshake(tmp_path: Path) -> Callable[..., None]:
    def shake(
        server: Pair, client: Pair | None, *, ca: Pair = CA, server_ca: Pair = CA, name: str = "orion.local"
    ) -> None:
        files = {"server/ca.pem": server_ca.certificate, "server/server.pem": server.certificate}
        files |= {"server/server-key.pem": server.key, "client/ca.pem": ca.certificate}
        if client:
            files |= {"client/cert.pem": client.certificate, "client/key.pem": client.key}
        for file, content in files.items():
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_bytes(content)
        connect(tmp_path / "client", tmp_path / "server", name)

    return shake


@pytest.mark.parametrize("name", ["orion.local", "192.168.0.29", "fd00::1d", "localhost", "127.0.0.1"])
def test_a_server_answers_by_each_name_and_address_it_was_made_for(handshake: Callable[..., None], name: str) -> None:
    handshake(SERVER, CLIENT, name=name)


@pytest.mark.parametrize("name", ["orion2.local", "192.168.0.30", "fd00::1e"])
def test_a_server_is_refused_by_another_name(handshake: Callable[..., None], name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"Hostname mismatch|IP address mismatch"):
        handshake(SERVER, CLIENT, name=name)


@pytest.mark.parametrize(
    ("server", "client", "why"),
    [
        (certs.issue_server(OTHER_CA, ["orion.local"]), CLIENT, "unable to get local issuer certificate"),
        (SERVER, certs.issue_client(OTHER_CA, "mallory"), "certificate verify failed"),
        (SERVER, certs.issue_client(certs.new_ca("orion CA"), "mallory"), "certificate verify failed"),
        (SERVER, None, "peer did not return a certificate"),
        (SERVER, SERVER, "certificate verify failed"),
        (CLIENT, CLIENT, "purpose"),
    ],
)
def test_who_is_not_of_the_ca_or_not_made_for_its_side_is_refused(
    handshake: Callable[..., None], server: Pair, client: Pair | None, why: str
) -> None:
    with pytest.raises(ssl.SSLError, match=why):
        handshake(server, client)


def test_a_certificate_does_not_pass_as_a_ca() -> None:
    server = certs.issue_server(CA, ["orion.local"])
    with pytest.raises(MachineError, match="not a CA's certificate"):
        certs.issue_client(server, "mallory")


def test_an_expired_server_and_an_expired_client_are_refused(handshake: Callable[..., None]) -> None:
    ca = certs.new_ca("old", now=LONG_AGO)
    old_server = certs.issue_server(ca, ["orion.local"], now=LONG_AGO)
    old_client = certs.issue_client(ca, "alice", now=LONG_AGO)
    server, client = certs.issue_server(ca, ["orion.local"]), certs.issue_client(ca, "alice")
    handshake(server, client, ca=ca, server_ca=ca)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(old_server, client, ca=ca, server_ca=ca)
    with pytest.raises(ssl.SSLError, match="certificate verify failed"):
        handshake(server, old_client, ca=ca, server_ca=ca)


def test_openssl_accepts_what_is_made_at_its_strictest(tmp_path: Path) -> None:
    need("openssl")
    (tmp_path / "ca.pem").write_bytes(CA.certificate)
    (tmp_path / "server.pem").write_bytes(SERVER.certificate)
    (tmp_path / "cert.pem").write_bytes(CLIENT.certificate)
    verify = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-CAfile", "ca.pem"]
    for check in (
        ["-purpose", "sslserver", "-verify_ip", "192.168.0.29", "server.pem"],
        ["-purpose", "sslserver", "-verify_hostname", "orion.local", "server.pem"],
        ["-purpose", "sslclient", "cert.pem"],
    ):
        subprocess.run([*verify, *check], cwd=tmp_path, check=True, capture_output=True)


# What is made.


def test_a_description_says_what_a_certificate_is_for() -> None:
    ca, server, client = (certs.describe(pair.certificate) for pair in (CA, SERVER, CLIENT))
    assert (ca.subject, ca.issuer, ca.is_ca, ca.usages) == ("CN=orion CA", "CN=orion CA", True, ())
    assert server.sans == ("orion.local", "192.168.0.29", "fd00::1d", "localhost", "127.0.0.1")
    assert (server.issuer, server.is_ca, server.usages) == ("CN=orion CA", False, ("serverAuth",))
    assert (client.subject, client.sans, client.usages) == ("CN=alice", (), ("clientAuth",))
    assert client.days_left(client.not_after - timedelta(days=9)) == 9
    assert client.days_left(NOW) in {certs.CLIENT_DAYS - 1, certs.CLIENT_DAYS}
    assert client.days_left(client.not_after + timedelta(seconds=1)) == -1


def test_certificates_are_valid_for_hosts_with_slow_clocks_and_short_enough_for_apple() -> None:
    for pair in (CA, SERVER, CLIENT):
        assert certs.describe(pair.certificate).not_before < NOW - timedelta(hours=14)
    server = certs.describe(SERVER.certificate)
    assert server.not_after - server.not_before < timedelta(days=825)


def test_a_certificate_does_not_outlive_its_ca() -> None:
    ca = certs.new_ca("old", now=NOW - timedelta(days=certs.CA_DAYS - 10))
    assert certs.describe(certs.issue_client(ca, "alice").certificate).days_left(NOW) == 9


@pytest.mark.parametrize(
    "san",
    ["", "orion.local\n", "192.168.0.300", "192.168.0.29:2376", "[::1]", "fe80::1%eth0", "-a", "*", "a" * 64, "\udcff"],
)
def test_a_san_that_is_neither_address_nor_dns_name_is_refused(san: str) -> None:
    with pytest.raises(UsageError, match="neither an IP address nor a DNS name") as caught:
        certs.issue_server(CA, [san])
    assert caught.value.cause.isprintable()


def test_a_ca_whose_key_is_of_another_does_not_sign() -> None:
    with pytest.raises(MachineError, match="not the private key of"):
        certs.issue_client(Pair(CA.certificate, OTHER_CA.key), "alice")


# What is refused, each with its own line.


def test_a_whole_bundle_is_returned_under_the_names_that_docker_looks_for() -> None:
    assert certs.client_bundle(CA.certificate, CLIENT.certificate, CLIENT.key) == {
        "ca.pem": CA.certificate,
        "cert.pem": CLIENT.certificate,
        "key.pem": CLIENT.key,
    }
    assert list(certs.server_bundle(CA.certificate, SERVER.certificate, SERVER.key)) == [
        "ca.pem",
        "server.pem",
        "server-key.pem",
    ]


EARLY = certs.issue_client(CA, "alice", now=NOW + timedelta(days=100))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"key": OTHER_CA.key}, "key.pem is not the private key of cert.pem (CN=alice)"),
        ({"ca": OTHER_CA.certificate}, "cert.pem is not signed by ca.pem: its issuer is CN=orion CA"),
        ({"cert": EARLY.certificate, "key": EARLY.key}, "cert.pem (CN=alice) is not valid before"),
        ({"ca": CLIENT.certificate}, "ca.pem is not a CA's certificate: CN=alice may not sign others"),
    ],
)
def test_files_that_do_not_fit_are_refused(files: dict[str, bytes], why: str) -> None:
    assert refused(**files).cause.startswith(why)


def test_an_expired_certificate_is_refused() -> None:
    ca = certs.new_ca("old", now=LONG_AGO)
    client = certs.issue_client(ca, "alice", now=LONG_AGO)
    assert refused(ca.certificate, client.certificate, client.key).cause.startswith("cert.pem (CN=alice) expired on 20")


@pytest.mark.parametrize("data", [b"", b"\0" * 99, b"ssh-ed25519 AAAA", b"\xff\xfe-----BEGIN"])
def test_what_is_not_pem_is_refused(data: bytes) -> None:
    assert refused(ca=data).cause == "ca.pem is not a PEM certificate"
    assert refused(cert=data).cause == "cert.pem is not a PEM certificate"
    assert refused(key=data).cause == "key.pem is not a PEM private key"


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_damaged_files_are_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    files = [CA.certificate, CLIENT.certificate, CLIENT.key]
    which = data.draw(st.integers(0, 2))
    damaged = bytearray(files[which])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    files[which] = bytes(damaged)
    with suppress(MachineError):
        certs.client_bundle(files[0], files[1], files[2])


def test_a_servers_certificate_is_refused_for_a_client_and_the_other_way_round() -> None:
    assert "It holds a private key" in refused(cert=CLIENT.key).hint
    assert "It holds a certificate" in refused(key=CLIENT.certificate).hint
    assert "it lacks clientAuth, and is for serverAuth" in refused(cert=SERVER.certificate, key=SERVER.key).cause
    with pytest.raises(MachineError, match="it lacks serverAuth, and is for clientAuth"):
        certs.server_bundle(CA.certificate, CLIENT.certificate, CLIENT.key)


# Bundles.


def test_a_ca_file_may_hold_several_cas() -> None:
    bundle = OTHER_CA.certificate + CA.certificate
    files = certs.client_bundle(bundle, CLIENT.certificate, CLIENT.key)
    assert sorted(each.subject for each in certs.describe_all(files["ca.pem"])) == ["CN=another CA", "CN=orion CA"]


@pytest.mark.parametrize(
    "key",
    [
        ("genrsa", "-traditional", "-out"),
        ("ecparam", "-name", "secp384r1", "-genkey", "-out"),
    ],
    ids=["rsa-pkcs1", "p384-with-parameters"],
)
def test_the_certificates_of_the_scripts_that_people_pass_around_are_taken(
    tmp_path: Path, key: tuple[str, ...]
) -> None:
    scripts_certificates(tmp_path, key=key)
    ca, ca_key, cert, own_key, server, server_key = (
        (tmp_path / name).read_bytes()
        for name in ("ca.pem", "ca-key.pem", "cert.pem", "key.pem", "server.pem", "server-key.pem")
    )
    files = certs.client_bundle(ca, cert, own_key)
    assert certs.describe(files["cert.pem"]).usages == ("clientAuth",)
    assert certs.describe(certs.server_bundle(ca, server, server_key)["server.pem"]).sans == ("192.168.0.29",)
    # And their CA goes on signing.
    authority = certs.ca_pair(ca, ca_key)
    (tmp_path / "new.pem").write_bytes(certs.issue_server(authority, ["orion"]).certificate)
    openssl(tmp_path, "verify", "-CAfile", "ca.pem", "-purpose", "sslserver", "new.pem")


def test_a_clients_certificate_with_any_usage_or_with_none_named_is_taken(tmp_path: Path) -> None:
    scripts_certificates(tmp_path, usage="anyExtendedKeyUsage")
    ca, cert, key, server, server_key = (
        (tmp_path / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem", "server.pem", "server-key.pem")
    )
    certs.client_bundle(ca, cert, key)
    certs.client_bundle(ca, server, server_key)


@pytest.mark.parametrize("form", [(), ("-traditional",)])
def test_an_encrypted_key_is_refused_with_the_command_that_decrypts_it(tmp_path: Path, form: tuple[str, ...]) -> None:
    (tmp_path / "plain.pem").write_bytes(CLIENT.key)
    openssl(tmp_path, "pkey", "-in", "plain.pem", "-aes256", "-passout", "pass:secret", *form, "-out", "key.pem")
    error = refused(key=(tmp_path / "key.pem").read_bytes())
    assert error.cause == "key.pem is encrypted with a passphrase, which docker cannot ask for"
    assert error.hint == "Decrypt it: openssl pkey -in key.pem -out plain.pem && mv plain.pem key.pem"


def test_der_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(CLIENT.certificate)
    (tmp_path / "key.pem").write_bytes(CLIENT.key)
    openssl(tmp_path, "x509", "-in", "cert.pem", "-outform", "der", "-out", "cert.der")
    openssl(tmp_path, "pkey", "-in", "key.pem", "-outform", "der", "-out", "key.der")
    assert "openssl x509 -inform der" in refused(cert=(tmp_path / "cert.der").read_bytes()).hint
    assert "openssl pkey -inform der" in refused(key=(tmp_path / "key.der").read_bytes()).hint


def test_a_chain_through_an_intermediate_is_taken_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    # A root that may have other CAs below it.
    root_ca = "req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /CN=root"
    openssl(tmp_path, *root_ca.split())
    (tmp_path / "ext.cnf").write_text("basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n")
    openssl(
        tmp_path,
        *["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "int.key", "-out", "csr", "-subj", "/CN=int"],
    )
    by_root = "-CA root.pem -CAkey root.key -CAcreateserial -out int.pem -extfile ext.cnf"
    openssl(tmp_path, *f"x509 -req -days 9 -in csr {by_root}".split())
    root, intermediate = (tmp_path / "root.pem").read_bytes(), (tmp_path / "int.pem").read_bytes()
    ca = certs.ca_pair(intermediate, (tmp_path / "int.key").read_bytes())
    client = certs.issue_client(ca, "alice")
    chain = client.certificate + intermediate
    assert len(certs.describe_all(certs.client_bundle(root, chain, client.key)["cert.pem"])) == 2
    # Docker trusts whatever ca.pem holds, a root or not.
    certs.client_bundle(intermediate, client.certificate, client.key)
    assert "is not signed by" in refused(root, client.certificate, client.key).cause
    assert "is not signed by" in refused(CA.certificate, chain, client.key).cause


@pytest.mark.parametrize(
    "key", [["rsa:1024"], ["rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:3"]], ids=["too short", "exponent 3"]
)
def test_a_request_for_a_weak_rsa_key_is_refused(tmp_path: Path, key: list[str]) -> None:
    openssl(tmp_path, "req", "-new", "-newkey", *key, "-nodes", "-keyout", "k", "-out", "r", "-subj", "/CN=alice")
    with pytest.raises(MachineError, match="a kind of key that docker does not accept"):
        certs.requested_key((tmp_path / "r").read_bytes())
