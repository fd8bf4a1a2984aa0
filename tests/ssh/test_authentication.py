from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

import paramiko
import pytest
from paramiko.common import AUTH_FAILED

from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.openssh.askpass import AskPass
from machinectl.ssh.ssh_errors import LoginRefused, SSHError
from tests.support.hostile_ssh import answering, host_key
from tests.support.quiet import Quiet
from tests.support.real import need
from tests.support.servers import serving
from tests.support.sshd import by_system, keygen, log_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.servers import Connection
    from tests.support.sshd import SSHConfig, Sshd

pytestmark = pytest.mark.usefixtures("ssh_config", "way")


class Agent:
    """A real ssh-agent of the test's own, which this process's environment names."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    def add(self, *arguments: str | Path) -> None:
        subprocess.run(["ssh-add", "-q", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    need("ssh-agent", "ssh-add")
    socket = tmp_path / "agent"
    started = subprocess.run(["ssh-agent", "-s", "-a", socket], check=True, capture_output=True, text=True)
    pid = int(started.stdout.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    try:
        yield Agent(socket)
    finally:
        os.kill(pid, signal.SIGTERM)


def at(sshd: Sshd, key: Path | None = None) -> SSHEndpoint:
    return SSHEndpoint(sshd.host, sshd.user, sshd.port, str(key or ""))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("ed25519", ()), ("ecdsa", ("-b", "384")), ("rsa", ()), ("rsa", ("-m", "PEM")), ("rsa", ("-m", "PKCS8"))],
    ids=["ed25519", "ecdsa", "rsa", "rsa-pem", "rsa-pkcs8"],
)
def test_a_key_of_every_kind_logs_in(sshd: Sshd, tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    key = keygen(tmp_path / "key", kind, passphrase="geheim", options=options)
    sshd.authorize(key)
    with log_in(at(sshd, key), credentials=Credentials(passphrase="geheim")) as session:
        assert session.run("echo in").text == "in"


def test_a_passphrase_is_asked_for_once(sshd: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", passphrase="geheim")
    sshd.authorize(key)
    console = Quiet("falsch", "geheim", True)
    credentials = Credentials()
    console.answers.insert(0, True)
    with log_in(at(sshd, key), console, credentials=credentials):
        pass
    assert console.asked[1:] == [f"Passphrase of {key}"] * 2
    with log_in(at(sshd, key), Quiet(True, interactive=True), credentials=credentials) as session:
        assert session.run("echo in").text == "in"


@by_system
def test_the_passphrase_of_a_key_that_the_host_does_not_take_is_not_asked_for(sshd: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", passphrase="geheim")
    console = Quiet(True, interactive=True)
    with pytest.raises(LoginRefused, match=f"tried: {key}"):
        log_in(at(sshd, key), console)
    assert len(console.asked) == 1, "the host's key, and nothing else"


def test_a_passphrase_that_is_given_is_not_asked_for(sshd: Sshd, tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", passphrase="geheim")
    sshd.authorize(key)
    with log_in(at(sshd, key), credentials=Credentials(passphrase="geheim")):
        pass
    with pytest.raises(SSHError, match="passphrase given is not that of"):
        log_in(at(sshd, key), credentials=Credentials(passphrase="falsch"))
    with pytest.raises(SSHError, match="needs a passphrase") as caught:
        log_in(at(sshd, key))
    assert "--ssh-passphrase-file" in caught.value.hint


@pytest.mark.parametrize("options", [(), ("-m", "PEM")], ids=["openssh", "pem"])
def test_the_agent_opens_a_key_whose_passphrase_nobody_gives(
    sshd: Sshd, tmp_path: Path, agent: Agent, ssh_config: SSHConfig, options: tuple[str, ...]
) -> None:
    key = keygen(tmp_path / "key", "rsa", options=options)
    sshd.authorize(key)
    agent.add(key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "geheim", "-f", key, *options], check=True, capture_output=True)
    ssh_config.write("IdentityAgent SSH_AUTH_SOCK\n")
    with log_in(at(sshd, key)) as session:
        assert session.run("echo in").text == "in"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_keys_of_the_agent_log_in_where_no_key_is_named(
    sshd: Sshd, tmp_path: Path, agent: Agent, ssh_config: SSHConfig, kind: str
) -> None:
    key = keygen(tmp_path / "key", kind)
    sshd.authorize(key)
    agent.add(key)
    key.unlink()
    ssh_config.write("IdentityAgent SSH_AUTH_SOCK\n")
    with log_in(at(sshd)) as session:
        assert session.run("echo in").text == "in"


def test_with_identities_only_the_agents_other_keys_are_not_offered(
    sshd: Sshd, tmp_path: Path, agent: Agent, ssh_config: SSHConfig
) -> None:
    key = keygen(tmp_path / "key")
    sshd.authorize(key)
    agent.add(key)
    ssh_config.write("IdentityAgent SSH_AUTH_SOCK\nIdentitiesOnly yes\n")
    with pytest.raises(LoginRefused, match="no key to try"):
        log_in(at(sshd))
    ssh_config.write(f"IdentityAgent SSH_AUTH_SOCK\nIdentitiesOnly yes\nIdentityFile {key}.pub\n")
    with log_in(at(sshd)):
        pass


def test_who_is_let_in_without_a_proof_is_asked_for_none(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", passphrase="geheim")
    lets_in = answering(bytes([52]))  # SSH_MSG_USERAUTH_SUCCESS
    with serving(lets_in) as port, log_in(SSHEndpoint("127.0.0.1", "ops", port, str(key))) as session:
        assert session.user == "ops"


def test_files_that_are_no_keys_do_not_stop_the_others(sshd: Sshd, tmp_path: Path, ssh_config: SSHConfig) -> None:
    junk, key = tmp_path / "junk", keygen(tmp_path / "key")
    junk.write_text("junk")
    sshd.authorize(key)
    ssh_config.write(f"IdentityFile {junk}\nIdentityFile {tmp_path}\nIdentityFile {key}\n")
    with log_in(at(sshd)):
        pass
    sshd.authorized_keys.write_text("")
    with pytest.raises(LoginRefused) as caught:
        log_in(at(sshd))
    assert "not usable: " in caught.value.cause


@pytest.mark.parametrize("name", ["nowhere", "", "junk", "key.pub"], ids=["missing", "directory", "junk", "public"])
def test_a_named_key_that_is_none_is_an_error(sshd: Sshd, tmp_path: Path, name: str) -> None:
    (tmp_path / "junk").write_text("junk")
    keygen(tmp_path / "key").unlink()
    with pytest.raises(SSHError) as caught:
        log_in(at(sshd, tmp_path / name))
    assert str(tmp_path / name) in caught.value.cause
    assert caught.value.hint


def test_a_server_that_ends_the_connection_after_some_keys_is_an_error_that_says_so(
    sshd: Sshd, tmp_path: Path, ssh_config: SSHConfig
) -> None:
    keys = [keygen(tmp_path / f"key{number}") for number in range(4)]
    sshd.configure("MaxAuthTries 2")
    ssh_config.write("".join(f"IdentityFile {key}\n" for key in keys))
    with pytest.raises(LoginRefused, match="after 2 attempts") as caught:
        log_in(at(sshd))
    assert "--ssh-key" in caught.value.hint


def test_the_error_says_what_the_host_accepts_where_there_is_nothing_to_offer(sshd: Sshd) -> None:
    sshd.configure("PasswordAuthentication yes")
    with pytest.raises(LoginRefused, match=r"no key to try.* it accepts publickey, password") as caught:
        log_in(at(sshd))
    assert "--ssh-password-file" in caught.value.hint


def test_a_password_that_is_wrong_is_asked_for_three_times(sshd: Sshd) -> None:
    sshd.configure("PasswordAuthentication yes")
    console = Quiet(True, "a", "b", "c")
    with pytest.raises(LoginRefused, match=r"tried: the password typed\)"):
        log_in(at(sshd), console)
    assert console.asked[1:] == [f"Password of {sshd.user}@127.0.0.1:{sshd.port}"] * 3


def test_a_password_that_is_given_and_wrong_is_not_asked_for(sshd: Sshd) -> None:
    sshd.configure("PasswordAuthentication yes")
    console = Quiet(True, interactive=True)
    with pytest.raises(LoginRefused, match="the password given"):
        log_in(at(sshd), console, credentials=Credentials(password="falsch"))
    assert len(console.asked) == 1


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let $TMPDIR be on a file system that runs no programs."""
    need("mount", "umount", root=True)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", disk], check=True)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    yield disk
    subprocess.run(["umount", disk], check=True)


@by_system
def test_a_passphrase_and_a_password_are_asked_for_where_temporary_files_are_no_programs(
    sshd: Sshd, tmp_path: Path, no_programs: Path
) -> None:
    check_questions(sshd, tmp_path)
    assert list(no_programs.iterdir()) == []


@by_system
def test_an_openssh_below_8_4_asks_without_a_terminal(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_requirement(asking: AskPass) -> dict[str, str]:
        return {"SSH_ASKPASS": asking.program, "DISPLAY": ":0"}

    monkeypatch.setattr(AskPass, "environment", property(without_requirement))
    monkeypatch.delenv("SSH_ASKPASS_REQUIRE", raising=False)
    check_questions(sshd, tmp_path)


def check_questions(sshd: Sshd, tmp_path: Path) -> None:
    sshd.configure("PasswordAuthentication yes")
    console = Quiet(True, "a", "b", "c")
    with pytest.raises(LoginRefused, match=r"tried: the password typed\)"):
        log_in(at(sshd), console)
    key = keygen(tmp_path / "locked", passphrase="geheim")
    sshd.authorize(key)
    console = Quiet(True, "geheim")
    with log_in(at(sshd, key), console) as session:
        assert session.run("echo here").text == "here"


@by_system
def test_the_password_of_the_host_is_never_sent_to_its_jump_host(
    sshd: Sshd, another_sshd: Sshd, ssh_config: SSHConfig
) -> None:
    sshd.configure("PasswordAuthentication yes")
    ssh_config.write(f"Host 127.0.0.1\n  ProxyJump jump\nHost jump\n  HostName 127.0.0.1\n  Port {sshd.port}\n")
    with pytest.raises(LoginRefused, match="no key to try"):
        log_in(at(another_sshd), credentials=Credentials(password="geheim"))
    assert "password" not in sshd.log.partition("userauth-request")[2].replace("authentication method", "")


@by_system
def test_a_public_key_names_one_of_the_agent(sshd: Sshd, tmp_path: Path, agent: Agent, ssh_config: SSHConfig) -> None:
    key = keygen(tmp_path / "key")
    sshd.authorize(key)
    agent.add(key)
    key.unlink()
    ssh_config.write("IdentityAgent SSH_AUTH_SOCK\n")
    with log_in(at(sshd, key.with_name("key.pub"))) as session:
        assert session.run("echo in").text == "in"


class Listening(paramiko.ServerInterface):
    """Keeps the passwords that it hears, and takes none."""

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        self.heard.append(password)
        return AUTH_FAILED


@by_system
def test_neither_a_proxy_command_nor_a_second_question_gets_the_password(sshd: Sshd, ssh_config: SSHConfig) -> None:
    """The ProxyCommand's ssh inherits SSH_ASKPASS, and asks in the same words."""
    heard: list[str] = []

    def behaviour(connection: Connection) -> None:
        transport = paramiko.Transport(connection.sock)
        transport.add_server_key(host_key())
        with contextlib.suppress(paramiko.SSHException, EOFError):
            transport.start_server(server=Listening(heard))
            connection.stopping.wait()
        transport.close()

    with serving(behaviour) as port:
        way = f"ssh -o StrictHostKeyChecking=no -p {port} -W %h:%p localhost"
        ssh_config.write(f"Host 127.0.0.1\n  ProxyCommand {way}\n")
        with pytest.raises(SSHError, match="The ProxyCommand does not lead"):
            log_in(at(sshd), credentials=Credentials(password="geheim"))
        assert heard
        assert "geheim" not in heard
        heard.clear()
        ssh_config.write("")
        with pytest.raises(LoginRefused, match="the password given"):
            log_in(SSHEndpoint("127.0.0.1", "ops", port), credentials=Credentials(password="geheim"))
    assert heard == ["geheim"]
