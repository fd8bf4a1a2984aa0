from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.destination import Jump, SSHEndpoint
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.openssh.login_log import LoginLog, connection_failure
from machinectl.ssh.ssh_errors import HostKeyRefused, NotForwarded, SSHError
from machinectl.ssh.ssh_settings import read_settings
from tests.support.quiet import Quiet
from tests.support.sshd import by_system, keygen, log_in, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from machinectl.errors import MachineError
    from tests.support.sshd import SSHConfig, Sshd

pytestmark = pytest.mark.usefixtures("ssh_config", "way")


# What ssh logs of a host behind a jump host that is off.
CLOSED = LoginLog("kex_exchange_identification: Connection closed by remote host\n")


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port that takes one connection and does something with it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def refusal(endpoint: SSHEndpoint, *, timeout: float = 5) -> MachineError:
    """The error of a connection that comes to nothing: one line, and what to type next."""
    with pytest.raises(SSHError) as caught:
        log_in(endpoint, timeout=timeout)
    assert "\n" not in caught.value.cause + caught.value.hint
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "x" * 64])
def test_a_name_that_does_not_resolve(name: str) -> None:
    error = refusal(SSHEndpoint(name))
    assert f"The name {name} does not resolve: " in error.cause
    assert "codec" not in error.cause


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refusal(SSHEndpoint("127.0.0.1", port=port))
    assert error.cause == f"127.0.0.1 port {port} refuses the connection: no SSH server listens there"


@contextlib.contextmanager
def no_answer() -> Iterator[int]:
    """A port whose queue is full answers no SYN, as a firewall that drops."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]


def test_a_port_that_swallows_packets() -> None:
    with no_answer() as port:
        error = refusal(SSHEndpoint("127.0.0.1", port=port), timeout=0.3)
    assert "gave no answer within 0 s: it is off, or a firewall is in between" in error.cause


@by_system
def test_a_port_that_is_not_ssh_and_says_so() -> None:
    with listening(lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        error = refusal(SSHEndpoint("127.0.0.1", port=port))
    assert f"127.0.0.1 port {port} is not an SSH server: it says 'HTTP/1.1 400 Bad Request'" in error.cause


def test_a_banner_that_never_comes() -> None:
    with listening(lambda peer: peer.recv(1 << 16) and peer.recv(1)) as port:
        error = refusal(SSHEndpoint("127.0.0.1", port=port), timeout=0.3)
    assert "did not greet" in error.cause


@pytest.mark.timeout(10)  # paramiko's own patience is 15 s
def test_a_handshake_that_stops_half_way() -> None:
    def greet(peer: socket.socket) -> None:
        peer.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
        while peer.recv(1 << 16):
            pass

    with listening(greet) as port:
        error = refusal(SSHEndpoint("127.0.0.1", port=port), timeout=0.3)
    assert "did not finish the login within 0 s" in error.cause


@by_system
@pytest.mark.parametrize("is_pinned", [False, True])
@pytest.mark.parametrize("form", ["text", "binary", "broken", "missing"])
def test_revoked_host_keys_of_the_configuration_are_obeyed(
    sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path, form: str, *, is_pinned: bool
) -> None:
    revoked = tmp_path / "revoked keys"
    key = f"{sshd.host_keys[0]}.pub"
    if form == "text":
        revoked.write_text(f"# gone\n{public(sshd.host_keys[0])}")
    elif form != "missing":
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", revoked, key], check=True)
    if form == "broken":
        revoked.write_bytes(revoked.read_bytes()[:20])
    ssh_config.write(f'RevokedHostKeys "{revoked}"\n')
    pinned = f"machinectl {public(sshd.host_keys[0])}".encode() if is_pinned else b""
    with pytest.raises(HostKeyRefused, match="revoked"):
        log_in(sshd.endpoint, policy=HostKeyPolicy(pinned=pinned))
    assert "method publickey" not in sshd.log


def test_nothing_of_a_failed_connection_is_printed_or_keeps_the_process_alive() -> None:
    script = (
        "import sys, contextlib\n"
        "from machinectl.ssh.destination import SSHEndpoint\n"
        "from machinectl.ssh.ssh_errors import SSHError\n"
        "from tests.support.sshd import log_in\n"
        "with contextlib.suppress(SSHError):\n"
        "    log_in(SSHEndpoint('127.0.0.1', port=int(sys.argv[1])), timeout=600)\n"
    )
    with listening(lambda peer: peer.sendall(b"SSH-2.0-x\r\n" + b"\0\0\0\x0c" + b"\xff" * 12)) as port:
        answer = subprocess.run([sys.executable, "-c", script, str(port)], check=True, capture_output=True, timeout=60)
    assert (answer.stdout, answer.stderr) == (b"", b"")


def test_a_host_is_recognised_by_the_key_that_is_known_whichever_it_prefers(sshd: Sshd, ssh_config: SSHConfig) -> None:
    for number, kind in ((1, b"ecdsa-sha2-nistp256"), (2, b"ssh-rsa"), (0, b"ssh-ed25519")):
        ssh_config.known_hosts.write_text(sshd.known(number))
        with log_in(sshd.endpoint, policy=HostKeyPolicy(strict=True)) as session:
            assert session.known_hosts.split()[:2] == [b"machinectl", kind]


@pytest.mark.parametrize("number", [0, 1, 2], ids=["ed25519", "ecdsa", "rsa"])
def test_the_fingerprint_of_any_of_the_hosts_keys_may_be_demanded(sshd: Sshd, number: int) -> None:
    policy = HostKeyPolicy(demanded=sshd.fingerprint(number), strict=True)
    with log_in(sshd.endpoint, policy=policy) as session:
        assert session.run("echo in").text == "in"
    assert session.known_hosts.split()[2] == sshd.known(number).split()[2].encode()
    with pytest.raises(HostKeyRefused, match="is required"):
        log_in(sshd.endpoint, policy=HostKeyPolicy(demanded="SHA256:" + "A" * 43))


def test_nothing_is_sent_to_a_host_whose_key_has_changed(sshd: Sshd, tmp_path: Path, ssh_config: SSHConfig) -> None:
    with log_in(sshd.endpoint) as session:
        pinned = session.known_hosts
    assert ssh_config.known_hosts.read_text() == ""
    with log_in(sshd.endpoint, policy=HostKeyPolicy(pinned=pinned, strict=True)) as session:
        assert session.known_hosts == pinned
    sshd.log_path.unlink()
    sshd.host_keys = [keygen(tmp_path / "another_host_key")]
    with pytest.raises(HostKeyRefused, match="has changed"):
        log_in(sshd.endpoint, policy=HostKeyPolicy(pinned=pinned, machine="orionbox"))
    assert "method publickey" not in sshd.log
    accepted = HostKeyPolicy(pinned=pinned, demanded=sshd.fingerprint())
    with log_in(sshd.endpoint, policy=accepted) as session:
        assert session.known_hosts != pinned


def test_an_unknown_host_is_shown_before_the_login(sshd: Sshd) -> None:
    console = Quiet(False)
    with pytest.raises(HostKeyRefused):
        log_in(sshd.endpoint, console)
    assert console.asked == [
        f"127.0.0.1:{sshd.port} is not known. Its key is ED25519 {sshd.fingerprint()}.\nTrust it from now on?"
    ]
    assert "method publickey" not in sshd.log


@by_system
def test_a_host_behind_a_chain_of_jump_hosts(sshd: Sshd, another_sshd: Sshd, ssh_config: SSHConfig) -> None:
    ssh_config.known_hosts.write_text(sshd.known() + another_sshd.known())
    ssh_config.write(
        f"Host first second\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {another_sshd.port}\n  IdentityFile {another_sshd.key_path}\n"
        "  ProxyJump first,second\n"
    )
    with log_in(SSHEndpoint("behind", sshd.user), policy=HostKeyPolicy(strict=True)) as session:
        assert session.run("echo behind").text == "behind"
    assert sshd.log.count("direct-tcpip") >= 2


@by_system
def test_a_jump_host_with_a_jump_host_of_its_own(sshd: Sshd, another_sshd: Sshd, ssh_config: SSHConfig) -> None:
    ssh_config.write(
        f"Host first\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n"
        f"Host second\n  HostName 127.0.0.1\n  Port {another_sshd.port}\n  IdentityFile {another_sshd.key_path}\n"
        f"  ProxyJump first\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n  ProxyJump second\n"
    )
    with log_in(SSHEndpoint("behind")) as session:
        assert session.run("echo behind").text == "behind"


@by_system
def test_a_jump_host_that_is_off_is_told_as_one(sshd: Sshd, ssh_config: SSHConfig) -> None:
    with no_answer() as silent, socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
        listener.close()
        for port, kind in ((silent, NotForwarded), (closed, SSHError)):
            ssh_config.write(f"Host behind\n  ProxyJump ops@127.0.0.1:{port}\nHost 127.0.0.1\n  ConnectTimeout 1\n")
            error = refusal(SSHEndpoint("behind", key=str(sshd.key_path)))
            assert isinstance(error, kind)
            assert error.cause.startswith(f"127.0.0.1 port {port} ")
            assert error.hint == f"It is a jump host. Try: ssh -p {port} ops@127.0.0.1"


@pytest.mark.parametrize("jump", [None, Jump(SSHEndpoint("gate"))])
def test_what_an_ssh_of_somebody_else_does_not_say_of_a_jump_host(ssh_config: SSHConfig, jump: Jump | None) -> None:
    if not jump:
        ssh_config.write("Host behind\n  ProxyJump gate\n")
    error = connection_failure(read_settings(SSHEndpoint("behind", jump=jump)), CLOSED)
    assert isinstance(error, NotForwarded)
    assert error.cause == "The jump host gate did not lead to behind port 22"


@by_system
def test_jump_hosts_that_lead_in_a_circle(ssh_config: SSHConfig) -> None:
    ssh_config.write("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    assert "form a loop" in refusal(SSHEndpoint("a")).cause


@by_system
@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("AllowTcpForwarding no", "forwarding is not allowed"),
        ("AllowTcpForwarding yes", "cannot be reached from there"),
    ],
)
def test_a_jump_host_that_does_not_lead_on(sshd: Sshd, ssh_config: SSHConfig, option: str, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    sshd.configure(option)
    ssh_config.write(
        f"Host jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {closed}\n  ProxyJump jump\n"
    )
    error = refusal(SSHEndpoint("behind"))
    assert f"127.0.0.1:{sshd.port} does not lead to 127.0.0.1 port {closed}" in error.cause
    assert why in error.cause


@by_system
def test_the_key_of_a_jump_host_is_checked_before_anything_passes_through_it(
    sshd: Sshd, another_sshd: Sshd, ssh_config: SSHConfig
) -> None:
    other = public(keygen(sshd.directory / "other"))
    ssh_config.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {other}")
    ssh_config.write(
        f"Host jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {another_sshd.port}\n  ProxyJump jump\n"
    )
    with pytest.raises(HostKeyRefused, match="has changed"):
        log_in(SSHEndpoint("behind"))
    assert "method publickey" not in sshd.log
    assert another_sshd.log == ""


@by_system
def test_a_jump_host_that_nobody_knows_is_pinned_with_the_host(
    sshd: Sshd, another_sshd: Sshd, ssh_config: SSHConfig
) -> None:
    ssh_config.write(
        f"Host jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {another_sshd.port}\n  ProxyJump jump\n"
    )
    endpoint = SSHEndpoint("behind", key=str(another_sshd.key_path))
    with log_in(endpoint) as session:
        pinned = session.known_hosts
    assert [line.split()[0] for line in pinned.splitlines()] == [f"[127.0.0.1]:{sshd.port}".encode(), b"machinectl"]
    console = Quiet()
    with log_in(endpoint, console, policy=HostKeyPolicy(pinned=pinned, strict=True)):
        assert console.said == []


@by_system
def test_a_host_behind_a_proxy_command(sshd: Sshd, ssh_config: SSHConfig) -> None:
    ssh_config.write(
        f"Host jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n"
        "  StrictHostKeyChecking no\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.key_path}\n"
        "  ProxyCommand ssh -W %h:%p jump\n"
    )
    with log_in(SSHEndpoint("behind")) as session:
        assert session.run("cat", input=b"x" * 200_000).stdout == b"x" * 200_000


@by_system
def test_a_proxy_command_that_fails_is_an_error_in_its_words(ssh_config: SSHConfig) -> None:
    ssh_config.write("Host behind\n  ProxyCommand sh -c 'echo no way through >&2; exit 1'\n")
    error = refusal(SSHEndpoint("behind"))
    assert error.cause == "The ProxyCommand does not lead to behind port 22: no way through"


def test_a_host_whose_key_is_pinned_costs_one_connection(sshd: Sshd) -> None:
    with log_in(sshd.endpoint) as session:
        pinned = session.known_hosts
    before = len(sshd._children)
    with log_in(sshd.endpoint, policy=HostKeyPolicy(pinned=pinned)) as session:
        assert session.run("echo in").text == "in"
    assert len(sshd._children) == before + 1
