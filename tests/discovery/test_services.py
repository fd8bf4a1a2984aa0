"""Services at open ports, real and hostile."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.discovery import services
from machinectl.discovery.services import FoundService, SpokenProtocol, SweepTarget, identify_service
from tests.support import hostile_engine, hostile_ssh
from tests.support.servers import answer, engine, saying, serving, silent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.dockerd import Dockerd
    from tests.support.servers import Behaviour
    from tests.support.sshd import Sshd

PLENTY = 10.0
SHORT = 0.3
# A choice of those that the clients of SSH and of engines are tried with: each is found out at another place.
HOSTILE: dict[str, Behaviour] = {
    **{
        name: hostile_ssh.ENDING[name][0]
        for name in (*("closes", "escapes", "a huge line", "a packet of 4 GB", "no algorithms", "a key of escapes"),)
    },
    **{name: hostile_engine.ENDING[name] for name in ("a huge header", "an API version of escapes")},
}
ENDLESS: dict[str, Behaviour] = {
    **{name: hostile_ssh.ENDLESS[name] for name in ("a byte now and then", "greets", "a packet, byte by byte")},
    **{name: hostile_engine.ENDLESS[name] for name in ("byte by byte", "headers", "headers now and then")},
}


def at(port: int, *, ssh: bool = False, timeout: float = PLENTY) -> FoundService:
    """What is found at a port, as if it were SSH's or an engine's."""
    with pytest.MonkeyPatch.context() as patch, socket.create_connection(("127.0.0.1", port)) as sock:
        patch.setattr(services, "PORTS", (port if ssh else 0, port))
        return identify_service(SweepTarget("127.0.0.1", port), sock, timeout)


def serving_tls(directory: Path, mode: ssl.VerifyMode, version: ssl.TLSVersion) -> ssl.SSLContext:
    ca = certs.new_ca("test")
    pair = certs.issue_server(ca, ["orion.local", "192.168.0.29"])
    (directory / "server.pem").write_bytes(pair.certificate + pair.key)
    (directory / "ca.pem").write_bytes(ca.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    context.load_verify_locations(directory / "ca.pem")
    context.verify_mode = mode
    context.maximum_version = version
    return context


def test_an_sshd_is_known_by_its_greeting_and_its_key(sshd: Sshd) -> None:
    found = at(sshd.port, ssh=True)
    assert found.speaks is SpokenProtocol.SSH
    assert found.said.startswith("SSH-2.0-OpenSSH_")
    assert found.key is not None
    assert found.key.fingerprint == sshd.fingerprint()


@pytest.mark.parametrize("name", ["MaxStartups"])
def test_an_sshd_that_rejects_us_is_still_recognised(name: str) -> None:
    with serving(hostile_ssh.ENDING[name][0]) as port:
        assert at(port, ssh=True).speaks is SpokenProtocol.SSH


def test_nobody_logs_in_at_an_sshd(sshd: Sshd) -> None:
    at(sshd.port, ssh=True)
    assert "preauth" in sshd.log
    assert "user" not in sshd.log.lower().replace("userauth", "")


def test_a_real_engine_that_wants_a_certificate(dockerd: Dockerd) -> None:
    found = at(dockerd.port)
    assert (found.speaks, found.tls, found.asks, found.is_open) == (SpokenProtocol.TLS, True, True, False)
    assert "orion.local" in found.names
    assert found.is_engine


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_engine_that_wants_no_client_certificate_is_open(tmp_path: Path, version: ssl.TLSVersion) -> None:
    with serving(engine, serving_tls(tmp_path, ssl.CERT_NONE, version)) as port:
        found = at(port)
    assert (found.speaks, found.tls, found.asks, found.is_open) == (SpokenProtocol.ENGINE, True, False, True)
    assert found.names == ("orion.local", "192.168.0.29", "localhost", "127.0.0.1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_is_recognised(tmp_path: Path, version: ssl.TLSVersion) -> None:
    with serving(engine, serving_tls(tmp_path, ssl.CERT_REQUIRED, version)) as port:
        found = at(port)
    assert (found.speaks, found.asks, found.is_open) == (SpokenProtocol.TLS, True, False)


@pytest.mark.parametrize(
    ("server", "speaks", "is_open"),
    [
        pytest.param(engine, SpokenProtocol.ENGINE, True, id="an engine on plain TCP"),
        pytest.param(
            saying(answer(b"no", status="403 Forbidden")), SpokenProtocol.ENGINE, False, id="a refusing engine"
        ),
        pytest.param(
            saying(answer(b"", status="404 Not Found", headers="Server: nginx\r\n", api=False)),
            SpokenProtocol.UNKNOWN,
            False,
            id="a web server",
        ),
    ],
)
def test_a_server_without_tls_is_recognised(server: Behaviour, speaks: SpokenProtocol, is_open: bool) -> None:
    with serving(server) as port:
        service = at(port)
    assert (service.speaks, service.tls, service.is_open) == (speaks, False, is_open)
    assert service.is_engine == (speaks is SpokenProtocol.ENGINE)


def test_a_silent_service_is_only_an_open_port() -> None:
    with serving(silent) as port:
        assert at(port, timeout=SHORT) == FoundService(port)
        assert at(port, ssh=True, timeout=SHORT) == FoundService(port)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_output_becomes_one_harmless_line(name: str) -> None:
    with serving(HOSTILE[name]) as port:
        found = at(port, ssh=name in hostile_ssh.ENDING, timeout=1.0)
    assert found.said.isprintable()
    assert len(found.said) < 300
    assert found.key is None


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ENDLESS)
def test_endless_output_is_cut_off(name: str) -> None:
    with serving(ENDLESS[name]) as port:
        found = at(port, ssh=name in hostile_ssh.ENDLESS, timeout=SHORT)
    assert found.said.isprintable()
    assert found.key is None
