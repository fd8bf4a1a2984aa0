"""The system's ssh does what paramiko cannot: a real sshd that speaks nothing but what that lacks."""

from __future__ import annotations

import base64
import contextlib
import glob
import os
import select
import struct
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.connect import check_host_key, connect
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.openssh import openssh_session
from machinectl.ssh.ssh_errors import (
    HostKeyRefused,
    LoginRefused,
    SSHError,
    Unsupported,
)
from machinectl.ssh.sudo import become_root
from tests.support import hostile_ssh
from tests.support.quiet import Quiet
from tests.support.servers import serving
from tests.support.sshd import keygen, log_in, public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sshd import SSHConfig, Sshd

NEWER = "Ciphers chacha20-poly1305@openssh.com"

pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.fixture
def newer(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server that has no cipher in common with paramiko; nothing of the connections to it is left in the end."""
    sshd.configure(NEWER)
    mine = tempfile.mkdtemp()
    monkeypatch.setattr(tempfile, "tempdir", mine)
    yield sshd
    for process in at_work_with(mine):
        ended(process)
    assert glob.glob(f"{mine}/*") == []
    os.rmdir(mine)


def at_work_with(directory: str) -> list[int]:
    """The programs that were told of a directory."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        # It may end meanwhile.
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if directory.encode() in file.read():
                found.append(int(path.split("/")[2]))
    return found


def ended(process: int) -> None:
    """Wait for the end of a program that was told to end: an ssh in the background answers first."""
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(process)
        try:
            assert select.select([watched], [], [], 10)[0], f"process {process} goes on"
        finally:
            os.close(watched)


@pytest.mark.parametrize(
    "options",
    [(NEWER,), ("KexAlgorithms sntrup761x25519-sha512",), ("MACs umac-64-etm@openssh.com", "Ciphers aes128-ctr")],
    ids=["cipher", "key exchange", "MAC"],
)
def test_an_algorithm_that_paramiko_lacks_is_left_to_the_systems_ssh(sshd: Sshd, options: tuple[str, ...]) -> None:
    sshd.configure(*options)
    data = bytes(range(256)) * 4000
    with log_in(sshd.endpoint) as session:
        assert isinstance(session, openssh_session.SystemSession)
        result = session.run("cat; echo oops >&2; exit 3", input=data, check=False)
        assert (result.status, result.stdout, result.stderr) == (3, data, b"oops\n")
        for number in range(3):
            assert session.run(f"echo {number}").text == str(number)
        assert session.run("cat").stdout == b""


def test_an_old_algorithm_that_the_systems_ssh_knows_is_named_with_what_has_it_used(
    sshd: Sshd, ssh_config: SSHConfig
) -> None:
    sshd.configure("KexAlgorithms diffie-hellman-group1-sha1,diffie-hellman-group14-sha1")
    with pytest.raises(Unsupported, match="ssh uses none of the KexAlgorithms that it offers") as caught:
        log_in(sshd.endpoint)
    command = caught.value.hint.parts[1][1].partition(" >>")[0]
    ssh_config.write(subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout)
    with log_in(sshd.endpoint) as session:
        assert session.run("echo in").text == "in"


def test_the_hosts_key_is_judged_and_pinned_as_ever(newer: Sshd, tmp_path: Path, ssh_config: SSHConfig) -> None:
    console = Quiet(True)
    with log_in(newer.endpoint, console) as session:
        pinned = session.known_hosts
    assert console.asked == [
        f"127.0.0.1:{newer.port} is not known. Its key is ED25519 {newer.fingerprint()}.\nTrust it from now on?"
    ]
    assert pinned == f"machinectl {' '.join(public(newer.host_keys[0]).split()[:2])}\n".encode()
    with log_in(newer.endpoint, policy=HostKeyPolicy(pinned=pinned, strict=True)) as session:
        assert session.known_hosts == pinned
    assert ssh_config.known_hosts.read_text() == ""
    assert check_host_key(newer.endpoint, Credentials(), HostKeyPolicy(), Quiet()) == pinned
    newer.log_path.unlink()
    with pytest.raises(HostKeyRefused, match="--ssh-strict"):
        log_in(newer.endpoint, policy=HostKeyPolicy(strict=True))
    newer.host_keys = [keygen(tmp_path / "another_host_key")]
    with pytest.raises(HostKeyRefused, match="has changed"):
        log_in(newer.endpoint, policy=HostKeyPolicy(pinned=pinned, machine="orionbox"))
    assert "userauth-request for user root service ssh-connection method publickey" not in newer.log


def test_what_the_user_configured_for_shells_is_not_for_commands(newer: Sshd, ssh_config: SSHConfig) -> None:
    ssh_config.write(
        "RemoteCommand echo mine\nRequestTTY force\nLocalForward 1 localhost:1\nPermitLocalCommand yes\n"
        "LocalCommand false\nControlMaster auto\nControlPath ~/%C\nHashKnownHosts yes\nStrictHostKeyChecking no\n"
        "StdinNull yes\nSessionType subsystem\n"
    )
    with log_in(newer.endpoint) as session:
        assert session.run("tty || echo none").text.splitlines()[-1] == "none"


def test_a_host_behind_a_proxy_jump_is_not_left_to_an_ssh_that_judges_its_keys_by_its_own(
    newer: Sshd, another_sshd: Sshd, ssh_config: SSHConfig
) -> None:
    pinned = another_sshd.known().replace(another_sshd.known().split()[2], newer.known().split()[2])
    ssh_config.write(
        f"Host jump\n  HostName 127.0.0.1\n  Port {another_sshd.port}\n  IdentityFile {another_sshd.key_path}\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {newer.port}\n  ProxyJump jump\n"
        "Host *\n  StrictHostKeyChecking no\n"
    )
    for beyond_us in (newer, another_sshd):
        newer.configure(*([NEWER] if beyond_us is newer else []))
        another_sshd.configure(*([NEWER] if beyond_us is another_sshd else []))
        with pytest.raises(SSHError):
            log_in(
                SSHEndpoint("behind", key=str(newer.key_path)),
                policy=HostKeyPolicy(pinned=pinned.encode(), strict=True),
            )
    assert another_sshd.known().split()[2] not in ssh_config.known_hosts.read_text()


def test_a_login_that_is_broken_off_leaves_no_ssh_behind(newer: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(openssh_session.OpenSSHLogin, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log_in(newer.endpoint)


# A program that ends while a thread of its is logged in, and prints the process that stays in the background.
LEAVING = """
import os, signal, sys, threading
from machinectl.ssh.destination import SSHEndpoint
from tests.support.sshd import log_in
logged_in = threading.Event()
def work(endpoint):
    session = log_in(endpoint)
    print(session.master.process.pid, flush=True)
    logged_in.set()
    threading.Event().wait()
host, user, port, key, end = sys.argv[1:]
threading.Thread(target=work, args=[SSHEndpoint(host, user, int(port), key)], daemon=True).start()
logged_in.wait()
if end == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("end", ["ended", "killed"])
def test_a_process_that_ends_leaves_no_ssh_behind(newer: Sshd, end: str) -> None:
    where = newer.endpoint
    words = [sys.executable, "-c", LEAVING, where.host, where.user, str(where.port), where.key, end]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
    with contextlib.suppress(ProcessLookupError):
        master = os.pidfd_open(int(done.stdout))
        ended, _, _ = select.select([master], [], [], 30)
        os.close(master)
        assert ended


def test_the_directory_of_a_killed_process_is_removed_by_the_next(
    newer: Sshd, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(runtime))
    where = newer.endpoint
    words = [sys.executable, "-c", LEAVING, where.host, where.user, str(where.port), where.key, "killed"]
    subprocess.run(words, check=False, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(runtime)})
    [left] = runtime.glob("machinectl-ssh-*")
    with log_in(where) as session:
        [directory] = runtime.glob("machinectl-ssh-*")
        assert directory != left
        log = directory / "0" / "log"
        size = log.stat().st_size
        for _ in range(3):
            session.run("true")
        assert log.stat().st_size < size
    assert list(runtime.glob("machinectl-ssh-*")) == []


def test_commands_become_roots_and_are_traced(newer: Sshd) -> None:
    traced: list[str] = []
    with connect(newer.endpoint, Credentials(), HostKeyPolicy(), Quiet(), trace=traced.append) as session:
        become_root(session, Credentials(), Quiet()).run("wc -c", input=b"geheim")
    assert traced[-2:] == [f"{newer.user}@127.0.0.1:{newer.port}$ wc -c", "6"]


def test_without_ssh_or_a_common_algorithm_the_error_names_them(
    sshd: Sshd, ssh_config: SSHConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sshd.configure(NEWER)
    ssh_config.write("Ciphers aes128-ctr\n")
    with pytest.raises(Unsupported, match="is incompatible with our SSH: ssh uses none of the Ciphers"):
        log_in(sshd.endpoint)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="is incompatible with our SSH"):
        log_in(sshd.endpoint)


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def token_key(path: Path) -> Path:
    """What ssh-keygen writes of a key on a token, which is not there."""
    kind = b"sk-ssh-ed25519@openssh.com"
    blob = text(kind) + text(bytes(range(32))) + text(b"ssh:")
    private = bytes(8) + blob + b"\1" + text(b"handle") + text(b"") + text(b"comment")
    private += bytes(range(1, 9 - len(private) % 8)) if len(private) % 8 else b""
    whole = (
        b"openssh-key-v1\0"
        + text(b"none")
        + text(b"none")
        + text(b"")
        + struct.pack(">I", 1)
        + text(blob)
        + text(private)
    )
    encoded = base64.b64encode(whole).decode()
    lines = "\n".join(encoded[start : start + 70] for start in range(0, len(encoded), 70))
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----\n")
    path.chmod(0o600)
    path.with_name(f"{path.name}.pub").write_text(f"{kind.decode()} {base64.b64encode(blob).decode()} mine\n")
    subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True)
    return path


def test_a_key_on_a_token_is_left_to_the_systems_ssh_where_the_host_takes_it(sshd: Sshd, tmp_path: Path) -> None:
    key = token_key(tmp_path / "id_ed25519_sk")
    endpoint = SSHEndpoint(sshd.host, sshd.user, sshd.port, str(key))
    with pytest.raises(LoginRefused, match=f"tried: {key}"):
        log_in(endpoint)
    sshd.authorize(key)
    # The token is not there: how far ssh comes is all that can be seen.
    with pytest.raises(LoginRefused, match=rf"not usable: {key} \("):
        log_in(endpoint, Quiet(True))


def test_a_key_on_a_token_leaves_other_keys_their_turn(sshd: Sshd, tmp_path: Path, ssh_config: SSHConfig) -> None:
    key = token_key(tmp_path / "id_ed25519_sk")
    sshd.authorize(key)
    ssh_config.write(f"IdentityFile {key}\nIdentityFile {sshd.key_path}\n")
    log_in(SSHEndpoint(sshd.host, sshd.user, sshd.port)).close()


# A program that a server keeps waiting, and that prints the process of its ssh.
WAITING = """
import os, signal, subprocess, sys
from machinectl.ssh.openssh import openssh_session
from machinectl.ssh.destination import SSHEndpoint
from tests.support.sshd import log_in
def wait(login, process, *_):
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
openssh_session.OpenSSHLogin._wait = wait
log_in(SSHEndpoint("127.0.0.1", port=int(sys.argv[1])), timeout=600)
"""


def test_a_process_that_is_killed_before_the_login_leaves_no_ssh_behind() -> None:
    with serving(hostile_ssh.holding()) as port:
        words = [sys.executable, "-c", WAITING, str(port)]
        done = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
        ended(int(done.stdout))
