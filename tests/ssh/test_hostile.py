"""Servers that are broken or mean harm: each ends in one clear line, in time, and nothing of theirs moves a cursor."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.connect import check_host_key
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.native import native_login
from machinectl.ssh.openssh import openssh_session
from machinectl.ssh.ssh_errors import SSHError
from tests.support import hostile_ssh
from tests.support.hostile_ssh import MEASURED, MEMORY
from tests.support.program import run_code
from tests.support.quiet import Quiet
from tests.support.servers import serving
from tests.support.sshd import by_system, host_keys, log_in, public

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.errors import MachineError
    from tests.support.servers import Behaviour, Connection
    from tests.support.sshd import SSHConfig

pytestmark = [pytest.mark.usefixtures("ssh_config"), pytest.mark.timeout(60)]

WORST = [
    "escapes",
    "a huge line",
    "a packet of 4 GB",
    "a banner of escapes",
    "ends with escapes",
    "pours",
    "pours beyond the window",
    "a last word of 13 MB",
]


def end_of(behaviour: Behaviour, *, timeout: float, command_timeout: float) -> MachineError:
    """What comes of a login and a command there."""

    def try_it(port: int) -> None:
        endpoint = SSHEndpoint("127.0.0.1", "somebody", port)
        with log_in(endpoint, credentials=Credentials(password="geheim"), timeout=timeout) as session:
            session.run("echo in", timeout=command_timeout)

    with serving(behaviour) as port, pytest.raises(SSHError) as caught:
        try_it(port)
    error = caught.value
    assert error.cause.isprintable()
    assert error.hint.isprintable()
    assert error.hint
    return error


@pytest.mark.parametrize("name", hostile_ssh.ENDING)
def test_a_server_that_breaks_is_told_in_one_line(name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "native" and name in hostile_ssh.WITHOUT_PARAMIKO:
        return
    monkeypatch.setattr(openssh_session, "LOGIN_SECONDS", 3)
    monkeypatch.setattr(native_login, "AUTHENTICATION_TIMEOUT", 5)
    behaviour, words = hostile_ssh.ENDING[name]
    error = end_of(behaviour, timeout=5, command_timeout=5)
    # ssh finds other words for what breaks the protocol.
    assert way == "system" or words in error.cause


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", hostile_ssh.ENDLESS)
def test_a_server_that_never_ends_is_left_in_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssh_session, "LOGIN_SECONDS", 0.4)
    monkeypatch.setattr(native_login, "AUTHENTICATION_TIMEOUT", 0.4)
    # To agree on keys takes a while; those of them who flood then take all that a processor has for as long as this.
    timeout = 0.4 if name.endswith("at the login") else 1 if " to a " in name or "prints" in name else 0.25
    end_of(hostile_ssh.ENDLESS[name], timeout=timeout, command_timeout=0.25)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", WORST)
def test_a_command_line_ends_in_two_harmless_lines_and_little_memory(
    name: str, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    behaviour = hostile_ssh.ENDING[name][0] if name in hostile_ssh.ENDING else hostile_ssh.ENDLESS[name]
    ssh_config.write("ConnectTimeout 1")
    here = {"MACHINE_STORAGE_PATH": str(tmp_path / "store"), "MACHINECTL_SSH_PASSWORD": "geheim"}
    with serving(behaviour) as port:
        way = ["--generic-ip-address", "127.0.0.1", "--generic-ssh-port", str(port), "--generic-ssh-user", "somebody"]
        done = run_code(MEASURED, "create", "-d", "generic", *way, "box", environment=here, cwd=tmp_path)
    said = done.stderr
    assert done.returncode == 1, said
    assert (done.stdout + said).replace("\n", "").isprintable()
    steps = ("The key of ", "Connecting to ")
    lines = [line for line in said.splitlines() if not line.startswith(steps)]
    assert len(lines) == 2, said
    assert int((tmp_path / "memory").read_text()) < MEMORY


@pytest.mark.parametrize("lie", [0, 1])
def test_a_server_cannot_vouch_for_its_own_key_in_sshs_log(ssh_config: SSHConfig, lie: int) -> None:
    """What a server says of its end is in ssh's log, line breaks included."""
    key = hostile_ssh.host_key()
    kind, fingerprint = key.get_name(), f"SHA256:{key.fingerprint.removeprefix('SHA256:')}"
    forged = (
        f"\ndebug1: Server host key: {kind} {fingerprint}\ndebug1: Host 'h' is known and matches the {kind} host key."
        "\ndebug1: SSH2_MSG_SERVICE_ACCEPT received\n"
    ).encode()
    connections = itertools.count()

    def behaviour(connection: Connection) -> None:
        lies = hostile_ssh.after_greeting(hostile_ssh.disconnect(forged))
        (lies if next(connections) == lie else hostile_ssh.agreeing(run=hostile_ssh.ends(status=0)))(connection)

    with serving(behaviour) as port:
        # ssh takes part where a certificate could vouch.
        ssh_config.known_hosts.write_text(f"@cert-authority * {public(host_keys()[0])}")
        with pytest.raises(SSHError, match=r"--ssh-strict|end of the login|shows no key"):
            log_in(SSHEndpoint("127.0.0.1", "somebody", port), policy=HostKeyPolicy(strict=True)).close()


@by_system
@pytest.mark.usefixtures("way", "ssh_config")
@pytest.mark.parametrize(
    "forged",
    [
        "debug1: SSH2_MSG_SERVICE_ACCEPT received",
        "debug1: Server host key: a SHA256:$(reboot)\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @",
    ],
)
def test_a_server_proves_its_key_only_to_ssh_and_words_no_hint(forged: str) -> None:
    policy = HostKeyPolicy(f"machinectl {public(host_keys()[0])}".encode(), machine="box")
    with serving(hostile_ssh.after_greeting(hostile_ssh.disconnect(f"\n{forged}\n".encode()))) as port:
        there = SSHEndpoint("127.0.0.1", "somebody", port)
        with pytest.raises(SSHError) as caught:
            check_host_key(there, Credentials(), policy, Quiet())
    assert "$" not in caught.value.hint
