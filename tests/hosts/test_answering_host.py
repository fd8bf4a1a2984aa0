"""Logins to a machine with several addresses: the first that answers with the machine's own key is used."""

from __future__ import annotations

import json
import os
import re
import select
import socket
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.answered_address import MOMENT, SSH
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.registered import register
from tests.support.servers import serving
from tests.support.sshd import keygen

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.servers import Behaviour, Connection
    from tests.support.sshd import Sshd

# The sshd listens on 127.0.0.1.
VPN, LAN = "127.0.0.1", "127.0.0.3"

pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.fixture
def orion(store: Store, sshd: Sshd) -> Store:
    return at_another_address(store, sshd)


def at_another_address(store: Store, sshd: Sshd, name: str = "orion") -> Store:
    """Add a machine whose own address is another one than its server's."""
    register(store, name, sshd)
    with store.writing(name) as held:
        state = json.loads(held.machine.driver_state)
        held.machine.driver_state = json.dumps({**state, "IPAddress": LAN, "SSHHost": LAN})
        held.machine.url, held.machine.addresses = f"tcp://{LAN}:1", [VPN]
        held.write()
    return store


def remembered(store: Store) -> str:
    with open(os.path.join(store.directory("orion"), SSH), encoding="utf-8") as file:
        return file.read()


def mail(connection: Connection) -> None:
    connection.sock.sendall(b"220 ready\r\n")


def leads_to(port: int) -> Behaviour:
    """A server that passes everything on to a port."""

    def behaviour(connection: Connection) -> None:
        with socket.create_connection(("127.0.0.1", port)) as there:
            ends = {connection.sock: there, there: connection.sock}
            while True:
                for end in select.select(ends, [], [])[0]:
                    if not (data := end.recv(65536)):
                        return
                    ends[end].sendall(data)

    return behaviour


def run(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    done = machinectl(*words, store=store.root)
    assert done.returncode == 0, done.stderr
    return done


def test_ssh_run_scp_and_sftp_use_the_address_that_answers(orion: Store, sshd: Sshd, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("text")
    with servers.full(LAN, sshd.port):
        assert run(orion, "run", "orion", "--", "echo", "hello").stdout.endswith("hello\n")
        assert run(orion, "run", "--no-persist", "orion", "--", "echo", "hello").stdout.endswith("hello\n")
        assert run(orion, "ssh", "orion", "echo", "hello").stdout == "hello\n"
        assert run(orion, "--native-ssh", "ssh", "orion", "echo", "hello").stdout == "hello\n"
        run(orion, "scp", str(source), f"orion:{target}")
        run(orion, "--native-ssh", "scp", f"orion:{target}", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "text"
    assert remembered(orion) == f"{VPN}\n"


def test_a_host_with_another_key_gets_no_login_and_is_named(orion: Store, sshd: Sshd, another_sshd: Sshd) -> None:
    another_sshd.host_keys = [keygen(another_sshd.directory / "own_host_key")]
    with serving(leads_to(another_sshd.port), host=LAN, port=sshd.port):
        for words in (("run", "orion", "--", "echo", "hello"), ("ssh", "orion", "echo", "hello")):
            done = run(orion, *words)
            assert done.stdout.endswith("hello\n")
            assert f'Skipped {LAN}:{sshd.port}, an address of "orion"' in done.stderr
            assert "its SSH key is not that of orion" in done.stderr
            os.unlink(os.path.join(orion.directory("orion"), SSH))
    assert "userauth-request" not in another_sshd.log


@pytest.mark.parametrize(
    ("words", "age"),
    [
        (("ssh",), MOMENT),
        (("--native-ssh", "ssh"), MOMENT),
        (("run", "--sudo"), MOMENT),
        (("run",), MOMENT),
    ],
)
def test_another_host_at_the_address_that_answered_last_is_passed_over(
    words: tuple[str, ...], age: float, orion: Store, sshd: Sshd, another_sshd: Sshd
) -> None:
    another_sshd.host_keys = [keygen(another_sshd.directory / "own_host_key")]
    file = os.path.join(orion.directory("orion"), SSH)
    with open(file, "w", encoding="utf-8") as last:
        last.write(f"{LAN}\n")
    then = os.stat(file).st_mtime - age
    os.utime(file, (then, then))
    with serving(leads_to(another_sshd.port), host=LAN, port=sshd.port):
        done = run(orion, *words, "orion", "--", "echo", "hello")
    assert done.stdout.endswith("hello\n")
    assert f'Skipped {LAN}:{sshd.port}, an address of "orion"' in done.stderr
    assert "userauth-request" not in another_sshd.log
    assert remembered(orion) == f"{VPN}\n"


def test_a_new_key_can_be_accepted_only_if_all_addresses_show_it(orion: Store, sshd: Sshd) -> None:
    sshd.host_keys = [keygen(sshd.directory / "new_host_key")]
    done = machinectl("run", "orion", "--", "true", store=orion.root)
    assert f"The host key of {VPN}:{sshd.port} has changed" in done.stderr
    assert f"{LAN} port {sshd.port} refuses the connection" in done.stderr
    assert ("--ssh-host-key" in done.stderr, "machinectl doctor orion" in done.stderr) == (False, True)
    with serving(leads_to(sshd.port), host=LAN, port=sshd.port):
        done = machinectl("run", "orion", "--", "true", store=orion.root)
    [fingerprint] = re.findall(r"--ssh-host-key (\S+)", done.stderr)
    done = run(orion, "run", "--ssh-host-key", fingerprint, "orion", "--", "echo", "hello")
    assert done.stdout.endswith("hello\n")


@pytest.mark.parametrize("behaviour", [mail, servers.closing, servers.silent])
def test_what_does_not_greet_as_ssh_does_is_passed_over(behaviour: Behaviour, orion: Store, sshd: Sshd) -> None:
    with serving(behaviour, host=LAN, port=sshd.port):
        run(orion, "run", "orion", "--", "echo", "hello")


def test_the_ssh_config_that_is_kept_follows_the_logins(orion: Store) -> None:
    config = os.path.join(orion.root, "ssh_config")
    run(orion, "ssh-config", "--write")
    with open(config, encoding="utf-8") as file:
        assert f"HostName {LAN}\n" in file.read()
    run(orion, "run", "orion", "--", "true")
    with open(config, encoding="utf-8") as file:
        assert f"HostName {VPN}\n" in file.read()


def test_if_none_answers_all_are_named(orion: Store, sshd: Sshd) -> None:
    sshd.close()
    done = machinectl("run", "orion", "--", "true", store=orion.root)
    assert done.returncode == 255
    assert f"{LAN} port {sshd.port} refuses the connection" in done.stderr
    assert f"{VPN} port {sshd.port} refuses the connection" in done.stderr
    assert "machinectl doctor orion" in done.stderr


def test_the_address_that_just_answered_is_not_looked_for_again(orion: Store, sshd: Sshd) -> None:
    run(orion, "run", "--no-persist", "orion", "--", "true")
    before = sshd.log.count("Connection from")
    run(orion, "run", "--no-persist", "orion", "--", "true")
    assert sshd.log.count("Connection from") == before + 1
    file = os.path.join(orion.directory("orion"), SSH)
    then = os.stat(file).st_mtime - MOMENT
    os.utime(file, (then, then))
    run(orion, "run", "--no-persist", "orion", "--", "true")
    # Its key and the login.
    assert sshd.log.count("Connection from") == before + 3


@pytest.mark.parametrize("words", [("run",), ("--native-ssh", "ssh")])
def test_a_first_key_is_pinned_at_the_machines_own_address_alone(
    words: tuple[str, ...], orion: Store, sshd: Sshd
) -> None:
    pin = os.path.join(orion.directory("orion"), "known_hosts")
    os.unlink(pin)
    done = machinectl(*words, "orion", "--", "echo", "hello", store=orion.root)
    assert (done.returncode, done.stdout) == (255, "")
    assert LAN in done.stderr
    assert (os.path.exists(pin), sshd.log.count("Connection from")) == (False, 0)
    with serving(leads_to(sshd.port), host=LAN, port=sshd.port):
        assert run(orion, *words, "orion", "--", "echo", "hello").stdout.endswith("hello\n")
    with open(pin, encoding="utf-8") as file:
        assert file.read().split()[:3] == ["machinectl", *sshd.known().split()[1:3]]
