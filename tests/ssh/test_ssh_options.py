"""The shell for a person: the system's ssh, and our own where there is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh.ssh_options import openssh_command
from tests.support.person import Person
from tests.support.sshd import keygen, log_in, public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

from tests.support.sshd import SSHConfig, Sshd

PINNED = (
    'UserKnownHostsFile="/store/machines/orionbox/known_hosts"',
    "GlobalKnownHostsFile=/dev/null",
    "HostKeyAlias=machinectl",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "KnownHostsCommand=none",
    "VerifyHostKeyDNS=no",
    "NoHostAuthenticationForLocalhost=no",
)


def test_the_command_line_of_ssh_holds_the_machines_key_and_pin() -> None:
    endpoint = SSHEndpoint("192.168.0.29", "ops", 2222, "/store/machines/orionbox/id")
    command = openssh_command(
        endpoint, known_hosts="/store/machines/orionbox/known_hosts", arguments=["-A", "ls", "-l"]
    )
    assert command == [
        "ssh",
        *(word for option in PINNED for word in ("-o", option)),
        *("-o", "IdentitiesOnly=yes", "-o", 'IdentityFile="/store/machines/orionbox/id"'),
        *("-l", "ops", "-p", "2222", "192.168.0.29", "-A", "ls", "-l"),
    ]


@pytest.mark.parametrize("name", ["plain", "with blank", 'a "quote"', "100%h"])
def test_ssh_itself_takes_the_pin_and_the_key(sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path, name: str) -> None:
    del ssh_config
    directory = tmp_path / name
    directory.mkdir()
    key = keygen(directory / "id")
    sshd.authorize(key)
    endpoint = SSHEndpoint(sshd.host, sshd.user, sshd.port, str(key))
    with log_in(endpoint) as session:
        (directory / "known_hosts").write_bytes(session.known_hosts)
    command = openssh_command(endpoint, known_hosts=str(directory / "known_hosts"), arguments=["echo in; exit 7"])
    answer = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (answer.returncode, answer.stdout, answer.stderr) == (7, "in\n", "")
    assert (directory / "known_hosts").read_bytes() == session.known_hosts


def test_ssh_itself_refuses_a_key_that_is_not_pinned_though_the_user_knows_it(
    sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    ssh_config.known_hosts.write_text(sshd.known())
    pinned = tmp_path / "known_hosts"
    pinned.write_text(f"machinectl {public(keygen(tmp_path / 'other'))}")
    command = openssh_command(sshd.endpoint, known_hosts=str(pinned), arguments=["echo in"])
    answer = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert answer.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in answer.stderr


PROMPT = "# " if os.geteuid() == 0 else "$ "
OWN_SHELL = """
import os, sys
os.environ["MACHINE_NATIVE_SSH"] = "1"
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.native.native_session import run_shell
from tests.support.person import Person
from tests.support.sshd import log_in
host, user, port, key, *command = sys.argv[1:]
with log_in(SSHEndpoint(host, user, int(port), key)) as session:
    status = run_shell(session, command)
sys.exit(status)
"""


def own_shell(sshd: Sshd, *command: str) -> list[str]:
    where = (sshd.host, sshd.user, str(sshd.port), str(sshd.key_path))
    return [sys.executable, "-c", OWN_SHELL, *where, *command]


@pytest.fixture
def person(sshd: Sshd, ssh_config: SSHConfig) -> Iterator[Person]:
    del ssh_config
    sshd.configure("ForceCommand exec sh -i")
    person = Person(own_shell(sshd))
    yield person
    if not person.ended:
        os.kill(person.pid, signal.SIGKILL)
        person.close()


def test_our_own_shell_has_a_terminal_and_ends_with_the_shells_status(person: Person) -> None:
    person.wait_for(PROMPT)
    person.type("cat\n")
    person.type("typed\n")
    person.wait_for("typed\r\n")
    person.wait_for("typed\r\n")
    person.type("\x03")
    person.wait_for(PROMPT)
    person.type("echo inter''rupted\n")
    person.wait_for("interrupted")
    person.type("exit 42\n")
    assert person.close() == 42


def test_our_own_shell_passes_a_commands_streams_and_status_on(sshd: Sshd, ssh_config: SSHConfig) -> None:
    del ssh_config
    data = os.urandom(300_000)
    answer = subprocess.run(
        own_shell(sshd, "cat;", "echo oops >&2;", "exit 9"), input=data, check=False, capture_output=True
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (9, data, b"oops\n")
