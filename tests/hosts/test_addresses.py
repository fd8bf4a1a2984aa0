"""A machine with several addresses: the first that answers as its engine is used, and remembered."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machinectl import certs, engine
from machinectl.docker_cli.contexts import Context, Contexts
from machinectl.docker_cli.machine_contexts import update_contexts
from machinectl.engine.duplex import open_stream
from machinectl.engine.endpoint import Deadline, EngineError
from machinectl.engine.http import dial
from machinectl.engine.tls import client_context
from machinectl.machines import answered_address
from machinectl.machines.answered_address import ENGINE, AddressNews
from machinectl.machines.machine_driver import endpoint_of
from machinectl.state import State
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.servers import serving
from tests.support.several_addresses import Certificates, orion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour

LAN, VPN, CAFE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
PLENTY = 20.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    ca = certs.new_ca("orion's CA")
    return Certificates(tmp_path_factory.mktemp("certificates"), ca, certs.issue_client(ca, "client"))


@pytest.fixture(autouse=True)
def news(monkeypatch: pytest.MonkeyPatch) -> AddressNews:
    found = AddressNews()
    monkeypatch.setattr(answered_address, "NEWS", found)
    return found


def answered(machine: Machine) -> str:
    return engine.probe(endpoint_of(machine), PLENTY).error or machine.urls[0]


def test_the_next_address_is_used_where_the_first_is_silent_refuses_or_is_unknown(
    store: Store, made: Certificates
) -> None:
    with serving(servers.engine, made.server(VPN), VPN) as port, servers.full(LAN, port):
        machine = orion(store, made, port, LAN, VPN)
        assert machine.urls[0] == machine.url
        assert answered(machine) == f"tcp://{VPN}:{port}"
    with serving(servers.engine, made.server(VPN), VPN) as port:
        with store.writing("orion") as held:
            held.remove()
        assert answered(orion(store, made, port, CAFE, "orion.invalid", VPN)) == f"tcp://{VPN}:{port}"


def test_a_late_address_does_not_hold_up_the_next(store: Store, made: Certificates) -> None:
    """The first takes the connection and never answers in TLS: with it alone, the deadline would pass."""
    with (
        serving(servers.engine, made.server(VPN), VPN) as port,
        serving(servers.silent, host=LAN, port=port),
    ):
        found = engine.probe(endpoint_of(orion(store, made, port, LAN, VPN)), PLENTY)
    assert found.state is State.RUNNING
    assert found.seconds < PLENTY


def test_another_engine_gets_no_request_and_no_client_certificate_and_is_named(
    store: Store, made: Certificates, news: AddressNews
) -> None:
    asked = threading.Event()

    def foreign(connection: servers.Connection) -> None:
        asked.set()
        servers.engine(connection)

    stranger = made.server(LAN, ca=certs.new_ca("another CA"))
    stranger.verify_mode = ssl.CERT_OPTIONAL
    with serving(servers.engine, made.server(VPN), VPN) as port, serving(foreign, stranger, LAN, port):
        machine = orion(store, made, port, LAN, VPN)
        assert answered(machine) == f"tcp://{VPN}:{port}"
    assert not asked.is_set()
    [said] = news.skipped
    assert said.startswith(f'Skipped {LAN}:{port}, an address of "orion": ')
    assert "is from another CA" in said


def test_the_certificate_must_be_for_the_address_that_is_used(
    store: Store, made: Certificates, news: AddressNews
) -> None:
    with (
        serving(servers.engine, made.server(LAN), VPN) as port,
        serving(servers.engine, made.server(LAN), LAN, port),
    ):
        assert answered(orion(store, made, port, VPN, LAN)) == f"tcp://{LAN}:{port}"
    assert "is not for 127.0.0.2" in next(iter(news.skipped))


def test_if_none_answers_the_error_has_all_and_what_to_do_about_the_most_telling(
    store: Store, made: Certificates
) -> None:
    with servers.full(LAN) as port:
        machine = orion(store, made, port, LAN, VPN)
        found = engine.probe(endpoint_of(machine), 1.0)
        assert found.state is State.STOPPED
        assert f"{LAN}:{port} does not answer within 0.5 s" in found.error
        assert f"{VPN}:{port} refuses the connection" in found.error
        assert "systemctl start docker" in found.hint
        assert not found.silent
        with servers.full(VPN, port):
            found = engine.probe(endpoint_of(machine), 1.0)
            assert (found.state, found.silent) == (State.TIMEOUT, True)
    assert not os.path.exists(os.path.join(machine.directory, ENGINE))


def at_other_address(store: Store, made: Certificates, behaviour: Behaviour, tls: ssl.SSLContext | None) -> EngineError:
    """Return the error of a machine of two addresses: nothing listens at the first, and this answers at the second."""
    with serving(behaviour, tls, VPN) as port:
        endpoint = endpoint_of(orion(store, made, port, LAN, VPN))
        with pytest.raises(EngineError) as failed:
            dial(endpoint, Deadline(PLENTY))
        with pytest.raises(EngineError) as streamed:
            asyncio.run(open_stream(endpoint, client_context(endpoint), PLENTY))
    assert (streamed.value.state, streamed.value.verified) == (failed.value.state, failed.value.verified)
    return failed.value


def ends_handshake(connection: servers.Connection) -> None:
    """Answer the ClientHello with the alert unknown_ca (RFC 8446 6), and show no certificate."""
    connection.sock.recv(65536)
    connection.send(bytes.fromhex("15 0303 0002 02 30"))
    connection.hold()


def test_an_alert_without_the_engines_certificate_is_no_refusal_by_the_engine(
    store: Store, made: Certificates, news: AddressNews
) -> None:
    error = at_other_address(store, made, ends_handshake, None)
    assert (error.state, error.verified) == (State.STOPPED, False)
    assert "TLS with 127.0.0.2" in error.cause
    assert "client certificate" not in error.cause
    assert news.skipped


def forged(ca: certs.Pair, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH, bits: int = 2048) -> bytes:
    """Return a server's certificate and key. It names the CA as its issuer, but another key signed it."""
    key = rsa.generate_private_key(65537, bits)
    issuer = x509.load_pem_x509_certificate(ca.certificate).subject
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")])
    begin, end = datetime.now(UTC) - timedelta(days=9), datetime.now(UTC) + timedelta(days=9)
    signed = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), 1, begin, end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(VPN))]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return signed.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def showing(made: Certificates, pem: bytes) -> ssl.SSLContext:
    file = made.directory / "shown.pem"
    file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL would not show a short key.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(file)
    return context


# OpenSSL finds these faults before it checks the signature.
FORGED = {
    "short key": (0, lambda ca: forged(ca, bits=1024), "key too weak"),
    "a client's": (0, lambda ca: forged(ca, ExtendedKeyUsageOID.CLIENT_AUTH), "purpose"),
    "expired CA": (certs.CA_DAYS + 9, forged, "has expired"),
    "CA not valid yet": (-9, forged, "not valid yet"),
}


@pytest.mark.parametrize(("age", "forge", "fault"), FORGED.values(), ids=list(FORGED))
def test_a_forged_certificate_is_never_the_engines_whatever_its_fault(
    store: Store, made: Certificates, age: int, forge: Callable[[certs.Pair], bytes], fault: str
) -> None:
    ca = certs.new_ca("orion's CA", now=datetime.now(UTC) - timedelta(days=age))
    error = at_other_address(store, replace(made, ca=ca), servers.engine, showing(made, forge(ca)))
    assert (error.state, error.verified) == (State.STOPPED, False)
    assert fault in error.cause


def test_the_address_that_answered_is_tried_first_for_a_minute_then_the_record_decides(
    store: Store, made: Certificates
) -> None:
    context = made.server(LAN, VPN)
    with serving(servers.engine, context, VPN) as port:
        machine = orion(store, made, port, LAN, VPN)
        assert answered(machine) == f"tcp://{VPN}:{port}"
        with serving(servers.engine, context, LAN, port):
            assert answered(machine) == f"tcp://{VPN}:{port}"
            file = os.path.join(machine.directory, ENGINE)
            for age in (answered_address.REMEMBERED, -answered_address.REMEMBERED):
                before = os.stat(file).st_mtime - age
                os.utime(file, (before, before))
                assert answered(machine) == f"tcp://{LAN}:{port}"
    assert os.stat(file).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [b"", b"192.0.2.66\n", b"\xff\x00", b"tcp://192.0.2.66:2376\n", b"x" * 100_000])
def test_what_is_remembered_only_decides_about_the_order(text: bytes, store: Store, made: Certificates) -> None:
    machine = orion(store, made, 1, LAN, VPN)
    with open(os.path.join(machine.directory, ENGINE), "wb") as file:
        file.write(text)
    assert machine.urls[0] == machine.url
    assert "192.0.2.66" not in engine.probe(endpoint_of(machine), PLENTY).error


def test_every_way_to_ask_an_engine_finds_it(store: Store, made: Certificates) -> None:
    with serving(servers.engine, made.server(VPN), VPN) as port, servers.full(LAN, port):
        endpoint = endpoint_of(orion(store, made, port, LAN, VPN))
        assert engine.reach(endpoint, PLENTY) is None
        with dial(endpoint, Deadline(PLENTY)) as wire:
            assert wire.endpoint.url == f"tcp://{VPN}:{port}"
        [(_, found)] = engine.probe_all({"orion": endpoint}, PLENTY)
        assert found.state is State.RUNNING

        async def stream() -> None:
            (await open_stream(endpoint, client_context(endpoint), PLENTY)).close()

        asyncio.run(stream())


def test_a_docker_context_follows_to_the_address_that_answers_and_a_users_own_stays(
    store: Store, made: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with serving(servers.engine, made.server(LAN, VPN), VPN) as port:
        machine = orion(store, made, port, LAN, VPN)
        update_contexts(store, "orion", None, machine)
        context = Contexts().read("orion")
        assert context
        assert context.host == f"tcp://{LAN}:{port}"
        assert machinectl("status", "orion", store=store.root).stdout == "Running\n"
        context = Contexts().read("orion")
        assert context
        assert context.host == f"tcp://{VPN}:{port}"

        docker = Contexts()
        own = Context("orion", {"Name": "orion", "Metadata": {}, "Endpoints": {"docker": {"Host": "tcp://mine:2376"}}})
        with docker.writing():
            docker.put(own)
        os.unlink(os.path.join(machine.directory, ENGINE))
        assert machinectl("status", "orion", store=store.root).stdout == "Running\n"
        assert Contexts().read("orion") == own
