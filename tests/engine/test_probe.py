from __future__ import annotations

import os
import socket
import ssl
import threading
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl import certs, engine
from machinectl.engine import Endpoint, Probe
from machinectl.engine.address_order import is_foreign
from machinectl.engine.ssh_wire import explain_errors, login_command
from machinectl.engine.tls import refused_by_engine
from machinectl.errors import UsageError, one_line
from machinectl.machines.record import Machine
from machinectl.ssh.openssh.login_log import LoginLog
from machinectl.state import State
from machinectl.url import parse_url
from machinectl.verbs.api import send_request as api
from tests.support import servers
from tests.support.real import need
from tests.support.registered import added
from tests.support.servers import answer, full, saying, serving, unlistened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour, Connection

# Far beyond what any test needs: a probe that gives up does so at its own deadline, not at this one.
PLENTY = 20.0
SHORT = 0.3
LONG_AGO = datetime.now(UTC) - timedelta(days=1000)


class Certificates:
    """One CA, the engine's server certificate, and directories as machines have them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = certs.new_ca("ca", now=LONG_AGO)
        self.other_ca = certs.new_ca("ca", now=LONG_AGO)
        self.server = certs.issue_server(self.ca, ["orion.local"])
        self.client = certs.issue_client(self.ca, "client")

    def machine(self, name: str, client: certs.Pair | None = None, ca: certs.Pair | None = None) -> Path:
        """A machine's directory, with the good client certificate and CA where no others are given."""
        directory = self.directory / name
        if not directory.exists():
            directory.mkdir()
            (directory / "ca.pem").write_bytes((ca or self.ca).certificate)
            (directory / "cert.pem").write_bytes((client or self.client).certificate)
            (directory / "key.pem").write_bytes((client or self.client).key)
        return directory

    def context(self, server: certs.Pair | None = None) -> ssl.SSLContext:
        """The server's side of mutual TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown = server or self.server
        (self.directory / "server.pem").write_bytes(shown.certificate + shown.key)
        context.load_cert_chain(self.directory / "server.pem")
        context.load_verify_locations(cadata=self.ca.certificate.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def plain(port: int) -> Endpoint:
    return Endpoint(f"tcp://127.0.0.1:{port}", name="orionbox")


def over_tls(port: int, directory: Path, host: str = "127.0.0.1") -> Endpoint:
    return Endpoint(f"tcp://{host}:{port}", tls=True, cert_dir=str(directory), name="orionbox")


def found(probe: Probe, state: State, *words: str) -> None:
    """Hold that a probe says this, in one line that a terminal can show, and what to do next."""
    said = probe.error + " | " + probe.hint
    assert probe.state is state, said
    assert all(word in said for word in words), said
    assert probe.error == one_line(probe.error)
    assert probe.hint
    assert not probe.version


class TestAnEngineThatAnswers:
    @pytest.mark.parametrize("version", servers.ENGINES)
    def test_is_asked_in_no_version_of_the_api_that_it_might_refuse(self, version: str) -> None:
        with serving(servers.ENGINES[version]) as port:
            probe = engine.probe(plain(port), PLENTY)
        assert (probe.state, probe.version, probe.error) == (State.RUNNING, version, "")

    def test_may_close_after_each_answer(self) -> None:
        def once(connection: Connection) -> None:
            request = connection.request()
            body = b"OK" if b" /_ping " in request else servers.VERSION
            connection.send(answer(body, headers="Connection: close\r\n"))

        with serving(once) as port:
            assert engine.probe(plain(port), PLENTY).version == "99.1.2"

    def test_that_hides_its_version_is_running_nevertheless(self) -> None:
        def guarded(connection: Connection) -> None:
            while request := connection.request():
                if b" /_ping " in request:
                    connection.send(answer(b"OK", headers="Server: Docker/99.1 (linux)\r\n"))
                else:
                    connection.send(answer(b'{"message": "not for you"}', status="403 Forbidden"))

        with serving(guarded) as port:
            probe = engine.probe(plain(port), PLENTY)
        assert (probe.state, probe.version, probe.api_version) == (State.RUNNING, "99.1", "1.99")

    def test_that_fails_is_an_error_in_its_own_words(self) -> None:
        failure = answer(b'{"message": "shutting down"}', status="503 Service Unavailable")
        with serving(saying(failure)) as port:
            found(engine.probe(plain(port), PLENTY), State.ERROR, "503: shutting down", "journalctl")


NOT_DOCKER = "is not a Docker engine"


class TestWhatIsNotAnEngine:
    @pytest.mark.parametrize(
        ("behaviour", "words"),
        [
            (saying(b"\x00\x1b[2J\xff\r\n\r\n" * 9), [NOT_DOCKER, "not HTTP"]),
            (saying(b"SSH-2.0-OpenSSH_10.0\r\n"), [NOT_DOCKER, "SSH-2.0-OpenSSH"]),
            (saying(answer(b"OK")[:-1]), ["cut short"]),
            (servers.closing, ["closes the connection without an answer"]),
            (servers.endless_head, [NOT_DOCKER, "headers"]),
            (servers.endless_body, [NOT_DOCKER, "more than"]),
            (
                saying(answer(b"<html>", status="404 Not Found", headers="Server: nginx\r\n", api=False)),
                [NOT_DOCKER, "404 Not Found from nginx", "set --url <URL> orionbox"],
            ),
        ],
    )
    def test_is_an_error_that_says_what_it_is(self, behaviour: Behaviour, words: list[str]) -> None:
        with serving(behaviour) as port:
            found(engine.probe(plain(port), PLENTY), State.ERROR, *words)

    @pytest.mark.parametrize(
        ("behaviour", "words"),
        [
            (servers.silent, "has not answered within 0.3 s"),
            (servers.dripping, "has not finished its answer within 0.3 s"),
            (servers.stalling_body, "has not finished its answer within 0.3 s"),
        ],
    )
    def test_that_is_slow_is_given_up_at_the_deadline(self, behaviour: Behaviour, words: str) -> None:
        with serving(behaviour) as port:
            probe = engine.probe(plain(port), SHORT)
        found(probe, State.TIMEOUT, words)
        assert SHORT <= probe.seconds < SHORT + PLENTY

    @settings(max_examples=60)
    @given(
        head=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nApi-Version: 1\r\n\r\n", b"HTTP/"]),
        rest=st.binary(max_size=200) | st.text(alphabet="HTP/1.0 2:\r\n{}[]\"'ax\x1b", max_size=80).map(str.encode),
    )
    def test_whatever_it_says_ends_in_one_printable_line(self, head: bytes, rest: bytes) -> None:
        with serving(saying(head + rest)) as port:
            probe = engine.probe(plain(port), PLENTY)
        assert probe.error == one_line(probe.error)
        assert "Unexpected" not in probe.error
        assert (probe.state is State.RUNNING) == (probe.error == "")


class TestAHostThatCannotBeReached:
    def test_is_stopped_where_it_refuses(self) -> None:
        with unlistened() as port:
            found(engine.probe(plain(port), PLENTY), State.STOPPED, "refuses the connection", "systemctl start docker")

    def test_a_colleague_is_sent_to_its_owner_where_it_refuses(self) -> None:
        with unlistened() as port:
            given = replace(plain(port), given_by="ann@desk", name="orion")
            assert engine.probe(given, PLENTY).hint == (
                "Ask ann@desk to start the engine; or if it has a new address: machinectl access renew orion"
            )

    def test_times_out_where_nothing_comes_back(self) -> None:
        with full() as port:
            found(engine.probe(plain(port), SHORT), State.TIMEOUT, "does not answer within 0.3 s", f"port {port}")

    def test_is_an_error_where_there_is_no_way_to_it(self) -> None:
        # TCP leads to no group of hosts.
        words = "Cannot connect to 224.0.0.1:2376: Network is unreachable"
        found(engine.probe(Endpoint("tcp://224.0.0.1:2376"), PLENTY), State.ERROR, words)

    @pytest.mark.parametrize("name", ["nowhere.invalid", f"{'a' * 64}.invalid"])
    def test_is_an_error_where_its_name_is_unknown(self, name: str) -> None:
        found(engine.probe(Endpoint(f"tcp://{name}:2376"), PLENTY), State.ERROR, name, "set --url tcp://<ADDRESS>:2376")

    def test_is_an_error_where_no_name_server_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        found(engine.probe(Endpoint("tcp://orion.local:2376"), PLENTY), State.ERROR, "No name server answers")

    @pytest.mark.usefixtures("stuck_resolver")
    def test_times_out_where_its_name_is_never_resolved(self) -> None:
        probe = engine.probe(Endpoint("tcp://orion.local:2376"), SHORT)
        found(probe, State.TIMEOUT, '"orion.local" was not resolved within 0.3 s')

    def test_is_reached_at_its_second_address_where_the_first_is_dead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with full() as dead, serving(servers.engine) as alive:
            found_addresses = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (dead, alive)
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found_addresses)
            assert engine.probe(Endpoint("tcp://orion.local:2376"), 1.0).state is State.RUNNING

    @pytest.mark.parametrize("url", ["", "http://orion:2376", "tcp://-oProxyCommand=x", "unix:///" + "x" * 200])
    def test_is_an_error_where_its_url_is_none(self, url: str) -> None:
        found(engine.probe(Endpoint(url), PLENTY), State.ERROR, "URL")


@pytest.fixture
def stuck_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name servers that never answer."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(60) and [])
    yield
    release.set()


class TestAUnixSocket:
    def test_that_is_missing_or_nobody_listens_at_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "docker.sock"
        missing = f"There is no socket {path} on this computer"
        found(engine.probe(Endpoint(f"unix://{path}"), PLENTY), State.ERROR, missing, "systemctl start docker")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        found(engine.probe(Endpoint(f"unix://{path}"), PLENTY), State.STOPPED, "Nobody listens at")

    def test_that_may_not_be_used_is_an_error_that_names_the_group(self, tmp_path: Path) -> None:
        need("true", root=True)
        path = tmp_path / "docker.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            os.seteuid(65534)
            try:
                probe = engine.probe(Endpoint(f"unix://{path}"), PLENTY)
            finally:
                os.seteuid(0)
        found(probe, State.ERROR, "Permission denied", "usermod -aG docker")

    def test_whose_queue_is_full_times_out(self, tmp_path: Path) -> None:
        path = str(tmp_path / "docker.sock")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
            listener.bind(path)
            listener.listen(0)
            first.connect(path)
            found(engine.probe(Endpoint(f"unix://{path}"), SHORT), State.TIMEOUT, "takes no connection")


class TestAServerCertificate:
    def probe(self, made: Certificates, server: certs.Pair, host: str = "127.0.0.1") -> Probe:
        with serving(servers.engine, made.context(server)) as port:
            return engine.probe(over_tls(port, made.machine("good"), host), PLENTY)

    @pytest.mark.parametrize(
        ("issue", "host", "words"),
        [
            (
                lambda made: bare(made.ca, ["orion.local", "192.168.0.29"]),
                "127.0.0.1",
                ["is not for 127.0.0.1, but for other names", "certs create --out <DIR> --san 127.0.0.1"],
            ),
            # As by docker.
            (
                lambda made: bare(made.ca, ["192.168.0.29"], name="localhost"),
                "localhost",
                ["is not for localhost, but for other names"],
            ),
            (
                lambda made: certs.issue_server(made.other_ca, []),
                "127.0.0.1",
                ["from another CA than ca.pem", "certs import orionbox <DIR>"],
            ),
            (lambda made: certs.issue_server(made.ca, [], now=LONG_AGO), "127.0.0.1", ["has expired", "clock"]),
            (
                lambda made: certs.issue_server(made.ca, [], now=datetime.now(UTC) + timedelta(days=9)),
                "127.0.0.1",
                ["is not valid yet", "date"],
            ),
            (lambda made: made.client, "127.0.0.1", ["purpose"]),
        ],
    )
    def test_that_is_wrong_is_refused(
        self, made: Certificates, issue: Callable[[Certificates], certs.Pair], host: str, words: list[str]
    ) -> None:
        found(self.probe(made, issue(made), host), State.ERROR, *words)

    def test_of_a_host_that_is_set_up_from_here_is_made_there(self, made: Certificates) -> None:
        with serving(servers.engine, made.context(bare(made.ca, ["orion.local"]))) as port:
            endpoint = replace(over_tls(port, made.machine("good")), takeover="machinectl provision --force orionbox")
            found(engine.probe(endpoint, PLENTY), State.ERROR, "Make a new one for it: machinectl provision orionbox")

    def test_without_key_identifiers_is_taken_as_by_docker(self, made: Certificates) -> None:
        assert self.probe(made, bare(made.ca, ["127.0.0.1"])).state is State.RUNNING

    def test_is_trusted_by_an_intermediate_ca_alone_as_by_docker(self, made: Certificates) -> None:
        intermediate = bare(bare(None, [], name="root"), [], name="intermediate", is_ca=True)
        with serving(servers.engine, made.context(bare(intermediate, ["127.0.0.1"]))) as port:
            directory = made.machine("intermediate", ca=intermediate)
            assert engine.probe(over_tls(port, directory), PLENTY).state is State.RUNNING


def bare(ca: certs.Pair | None, sans: list[str], *, name: str = "bare", is_ca: bool = False) -> certs.Pair:
    """A certificate as older openssl scripts make it, without key identifiers and usages; a CA's own without `ca`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = subject, key
    if ca:
        issuer = x509.load_pem_x509_certificate(ca.certificate).subject
        loaded = serialization.load_pem_private_key(ca.key, password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer = loaded
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(LONG_AGO).not_valid_after(datetime.now(UTC) + timedelta(days=9))
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca or not ca, path_length=None), critical=True)
    if sans:
        names = [x509.IPAddress(ip_address(san)) if san[0].isdigit() else x509.DNSName(san) for san in sans]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return certs.Pair(
        builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


class TestAClientCertificate:
    @pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
    def server(self, request: pytest.FixtureRequest, made: Certificates) -> Iterator[int]:
        context = made.context()
        context.maximum_version = request.param
        with serving(servers.engine, context) as port:
            yield port

    @pytest.mark.parametrize(
        ("issue", "words"),
        [
            (
                lambda _: certs.issue_client(bare(None, [], name="stranger"), "client"),
                ["unknown ca", "certs import orionbox <DIR>"],
            ),
            (lambda made: certs.issue_client(made.ca, "client", now=LONG_AGO), ["certificate expired"]),
            (lambda made: made.server, []),
        ],
        ids=["another CA", "expired", "server"],
    )
    def test_that_is_wrong_is_refused_by_the_engine(
        self,
        made: Certificates,
        server: int,
        issue: Callable[[Certificates], certs.Pair],
        words: list[str],
        request: pytest.FixtureRequest,
    ) -> None:
        directory = made.machine(request.node.name.replace("/", ""), issue(made))
        words = [f"refuses the client certificate in {directory}", *words]
        found(engine.probe(over_tls(server, directory), PLENTY), State.ERROR, *words)

    def test_that_is_valid_by_the_clock_here_is_refused_because_of_a_clock(self, made: Certificates) -> None:
        refused = ssl.SSLError()
        refused.reason = "SSLV3_ALERT_CERTIFICATE_EXPIRED"
        error = refused_by_engine(over_tls(1, made.machine("valid")), refused)
        assert "by the clock there, it is not valid (from " in error.cause
        assert error.hint == "Compare the clocks here and there: date -u"

    def test_is_asked_for_where_there_is_none(self, made: Certificates, server: int) -> None:
        directory = made.machine("none")
        (directory / "cert.pem").unlink(missing_ok=True)
        (directory / "key.pem").unlink(missing_ok=True)
        words = [f"requires a client certificate, and there is none in {directory}", "certs import orionbox <DIR>"]
        found(engine.probe(over_tls(server, directory), PLENTY), State.ERROR, *words)

    def test_is_not_needed_where_the_engine_asks_for_none(self, made: Certificates) -> None:
        directory = made.machine("ca alone")
        (directory / "cert.pem").unlink()
        (directory / "key.pem").unlink()
        context = made.context()
        context.verify_mode = ssl.CERT_NONE
        with serving(servers.engine, context) as port:
            assert engine.probe(over_tls(port, directory), PLENTY).state is State.RUNNING


class TestWhatIsNotTLS:
    @pytest.mark.parametrize(
        "said",
        [
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad",
            b"SSH-2.0-OpenSSH_10.0\r\n",
            b"\x00\x1b[2J\xff" * 9,
        ],
    )
    def test_is_an_error_that_offers_to_go_without(self, made: Certificates, said: bytes) -> None:
        def behaviour(connection: Connection) -> None:
            connection.sock.recv(1)
            connection.send(said)
            connection.hold()

        with serving(behaviour) as port:
            probe = engine.probe(over_tls(port, made.machine("good")), PLENTY)
        found(probe, State.ERROR, "answers, but not in TLS", "set --no-tls orionbox")

    def test_and_closes_at_once_is_an_error(self, made: Certificates) -> None:
        with serving(servers.closing) as port:
            probe = engine.probe(over_tls(port, made.machine("good")), PLENTY)
        found(probe, State.ERROR, "closes the connection in the TLS handshake")

    def test_that_closes_after_the_handshake_may_have_refused_the_certificate(self, made: Certificates) -> None:
        with serving(saying(b""), made.context()) as port:
            probe = engine.probe(over_tls(port, made.machine("good")), PLENTY)
        found(probe, State.ERROR, "after the TLS handshake: it may refuse the client certificate")

    def test_and_says_nothing_times_out(self, made: Certificates) -> None:
        with serving(servers.silent) as port:
            probe = engine.probe(over_tls(port, made.machine("good")), SHORT)
        found(probe, State.TIMEOUT, "has not answered in TLS within 0.3 s")

    def test_but_an_older_protocol_is_an_error(self, made: Certificates) -> None:
        context = made.context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with serving(servers.engine, context) as port:
            probe = engine.probe(over_tls(port, made.machine("good")), PLENTY)
        found(probe, State.ERROR, "protocol version")


class TestTheMachinesOwnFiles:
    def refused(self, directory: Path, *words: str) -> None:
        """Hold that nobody is asked where the files cannot be used."""
        with unlistened() as port:
            probe = engine.probe(over_tls(port, directory), PLENTY)
        found(probe, State.ERROR, str(directory), "machinectl certs import orionbox <DIR>", *words)

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        return Certificates(tmp_path).machine("machine")

    def test_that_are_not_there_are_named_by_their_directory(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "nowhere", "There are no certificates in")

    @pytest.mark.parametrize("file", ["ca.pem", "cert.pem", "key.pem"])
    def test_of_which_one_cannot_be_used(self, directory: Path, file: str) -> None:
        path = directory / file
        path.write_bytes(path.read_bytes()[:120])
        self.refused(directory, file, "cannot be used")
        path.write_bytes(b"hello")
        self.refused(directory, f"{file} in", "is not PEM")
        path.unlink()
        self.refused(directory, f"{file} in", "is missing")
        path.mkdir()
        self.refused(directory, f"{file} in", "cannot be read (Is a directory)")

    def test_of_which_the_key_has_a_passphrase(self, directory: Path) -> None:
        key = serialization.load_pem_private_key((directory / "key.pem").read_bytes(), password=None)
        for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
            lock = serialization.BestAvailableEncryption(b"secret")
            (directory / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))
            self.refused(directory, "key.pem in", "is encrypted with a passphrase")


class TestAskingMany:
    def test_yields_each_once_and_those_that_answer_first(self) -> None:
        with serving(servers.silent) as silent, full() as dead, serving(servers.engine) as port, unlistened() as closed:
            ports = {"silent": silent, "dead": dead, "alive": port, "closed": closed}
            answers = list(engine.probe_all({name: plain(port) for name, port in ports.items()}, 1.0))
        states = sorted((name, probe.state) for name, probe in answers)
        reached = [("alive", State.RUNNING), ("closed", State.STOPPED)]
        assert states == [*reached, ("dead", State.TIMEOUT), ("silent", State.TIMEOUT)]
        assert {name for name, _ in answers[:2]} == {"alive", "closed"}

    def test_says_so_where_no_thread_can_be_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", fail)
        ((name, probe),) = engine.probe_all({"orionbox": plain(1)}, PLENTY)
        assert name == "orionbox"
        found(probe, State.ERROR, "No more threads", "ulimit -u")


class TestARequest:
    def test_gives_an_answer_that_streams_all_the_time_it_takes(self) -> None:
        def behaviour(connection: Connection) -> None:
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
            connection.stopping.wait(2 * SHORT)
            connection.send(b"late")

        with (
            serving(behaviour) as port,
            engine.request(plain(port), "GET", "/events", timeout=SHORT, streams=True) as response,
        ):
            assert b"".join(response) == b"late"

    def test_sends_its_body_and_headers(self) -> None:
        received = []

        def behaviour(connection: Connection) -> None:
            head = connection.request()
            received.append(head)
            left = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            while left:
                left -= len(connection.sock.recv(min(left, 65536)))
            connection.send(answer(b"", status="201 Created"))

        body = b"x" * 3_000_000
        with serving(behaviour) as port:
            endpoint = plain(port)
            with engine.request(endpoint, "post", "/images/load", body, {"Content-Type": "application/x-tar"}) as done:
                assert (done.status, done.failed) == (201, False)
        assert received[0].startswith(b"POST /images/load HTTP/1.1\r\nHost: 127.0.0.1:")
        assert b"\r\nContent-Type: application/x-tar\r\n" in received[0]

    def test_refused_before_its_body_is_through_says_why(self) -> None:
        def behaviour(connection: Connection) -> None:
            connection.request()
            connection.send(answer(b"too much", status="413 Too Large"))
            connection.sock.shutdown(socket.SHUT_WR)
            connection.sock.recv(100_000)

        with (
            serving(behaviour) as port,
            engine.request(plain(port), "POST", "/images/load", b"x" * 30_000_000) as response,
        ):
            assert (response.status, response.failed, response.read(99)) == (413, True, b"too much")

    def test_with_head_has_no_body(self) -> None:
        with serving(saying(answer(b"OK")[:-2])) as port, engine.request(plain(port), "HEAD", "/_ping") as response:
            assert (response.status, response.read(9)) == (200, b"")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            *(("GET", path) for path in ("info", "", "/a b", "/a\r\nX: y", "/\u221e", "/a\x7f", "*")),
            *((method, "/info") for method in ("", "GE T", "GET\r\n", "G\u00cbT")),
        ],
    )
    def test_that_http_cannot_hold_is_refused(self, method: str, path: str) -> None:
        with pytest.raises(UsageError, match=r"is not a path|is not an HTTP method"):
            engine.request(plain(1), method, path)


class TestApi:
    @pytest.fixture
    def heads(self, store: Store) -> Iterator[list[bytes]]:
        """What the engine of orionbox was asked."""
        asked = []

        def behaviour(connection: Connection) -> None:
            asked.append(connection.request())
            connection.send(answer(b'{"message": "no such container"}', status="404 Not Found"))

        with serving(behaviour) as port:
            added(store, Machine("orionbox", "none", url=f"tcp://127.0.0.1:{port}"))
            yield asked

    def test_gives_the_raw_answer_of_a_machines_engine(self, store: Store, heads: list[bytes]) -> None:
        with api(store, "orionbox", "GET", "containers/x/json") as response:
            assert (response.status, response.reason, response.failed) == (404, "Not Found", True)
            assert b"".join(response) == b'{"message": "no such container"}'
        assert heads[0].startswith(b"GET /containers/x/json HTTP/1.1\r\n")

    @pytest.mark.parametrize(
        ("body", "kind"), [(b' {"Image": "busybox"}', b"application/json"), (b"ustar", b"application/octet-stream")]
    )
    def test_says_what_its_body_is(self, store: Store, heads: list[bytes], body: bytes, kind: bytes) -> None:
        api(store, "orionbox", "POST", "/containers/create", body).close()
        assert heads[0].partition(b"Content-Type: ")[2].split(b"\r\n")[0] == kind
        assert f"Content-Length: {len(body)}\r\n".encode() in heads[0]


DIAL_STDIO = "failed to open the raw stream connection: dial unix /var/run/docker.sock: connect:"


class TestOverSSH:
    def test_the_command_is_the_docker_clis_own_and_asks_nothing(self) -> None:
        url = parse_url("ssh://ops@192.168.0.29:2222")
        assert " ".join(login_command(url, ["-i", "/key"], 9.5)) == (
            "ssh -o BatchMode=yes -i /key -o ConnectTimeout=10 -T -l ops -p 2222 192.168.0.29 docker system dial-stdio"
        )

    @pytest.mark.parametrize(
        ("said", "state", "hint"),
        [
            ("ssh: connect to host orion port 22: Connection refused", State.STOPPED, "sshd"),
            ("ssh: connect to host orion port 22: Connection timed out", State.TIMEOUT, "firewall"),
            ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", State.ERROR, "-R"),
            ("Host key verification failed.", State.ERROR, "ssh -p 2222 ops@orion"),
            ("ops@orion: Permission denied (publickey,password).", State.ERROR, "ssh-copy-id -p 2222 ops@orion"),
            (
                f"{DIAL_STDIO} permission denied",
                State.ERROR,
                "Let the user use it, on the host: sudo usermod -aG docker ops",
            ),
            (f"{DIAL_STDIO} no such file or directory", State.ERROR, "systemctl start docker"),
            (f"{DIAL_STDIO} connection refused", State.STOPPED, "systemctl start docker"),
            (
                "kex_exchange_identification: something new",
                State.ERROR,
                ": ssh -p 2222 ops@orion docker version",
            ),
        ],
    )
    def test_what_ssh_says_is_explained(self, said: str, state: State, hint: str) -> None:
        is_docker = said.startswith(DIAL_STDIO)
        said_there, log = (said, "") if is_docker else ("Permission denied (a banner)", f"Warning: \n{said}\n\n")
        error = explain_errors(Endpoint("ssh://ops@orion:2222"), 1 if is_docker else 255, said_there, LoginLog(log))
        assert error.state is state
        assert error.cause == f"ssh://ops@orion:2222: {said.splitlines()[-1]}"
        assert hint in error.hint
        assert is_foreign(error) is ("Host key" in said)

    def test_whose_start_up_file_prints_something_is_told_so(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "ssh").write_text("#!/bin/sh\necho BANNER from bashrc\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        probe = engine.probe(Endpoint("ssh://ops@orion"), PLENTY)
        found(probe, State.ERROR, "login shell prints 'BANNER from bashrc' before docker's answer", "~/.bashrc")

    def test_without_an_ssh_program_says_so(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        found(engine.probe(Endpoint("ssh://orion"), PLENTY), State.ERROR, "Cannot run ssh", "OpenSSH")
