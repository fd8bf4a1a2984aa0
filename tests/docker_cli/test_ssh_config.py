"""`machinectl ssh-config`: what ssh itself makes of it, and that the file that is kept follows the machines."""

from __future__ import annotations

import json
import shutil
import string
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.hosts.ssh_config import machine_host_block
from machinectl.machines.answered_address import SSH
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh.config_block import host_block
from tests.support.in_process import machinectl
from tests.support.program import started
from tests.support.registered import added, register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from tests.support.sshd import SSHConfig, Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")


def said_by_ssh(config: str | Path, host: str) -> dict[str, str]:
    """What ssh reads in a configuration of a host; of what comes often, the last."""
    done = subprocess.run(["ssh", "-F", config, "-G", host], capture_output=True, text=True, check=True)
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


def server(store: Store, name: str, **state: str | int) -> Machine:
    machine = Machine(name, "generic", url="tcp://192.0.2.7:2376", tls=True)
    known = {"IPAddress": "192.0.2.7", "EnginePort": 2376, "SSHUser": "ops", "SSHPort": 2222, "SSHKeyPath": ""}
    machine.driver_state = json.dumps({**known, **state})
    return added(store, machine, {"known_hosts": b"machinectl ssh-ed25519 AAAA\n"})


@pytest.mark.parametrize(
    ("url", "names"),
    [("tcp://192.0.2.7:2376", "orion"), ("ssh://ops@192.0.2.7", "orion 192.0.2.7 10.8.0.29 orion.vpn")],
)
def test_of_several_addresses_it_is_the_last_logins_and_dockers_own_ssh_knows_each(
    store: Store, url: str, names: str
) -> None:
    server(store, "orion")
    with store.writing("orion") as held:
        held.machine.url, held.machine.addresses = url, ["10.8.0.29", "orion.vpn"]
        held.machine.engine = EngineOptions(ssh_only=url.startswith("ssh://"))
        held.write()
        held.write_file(SSH, b"10.8.0.29\n")
    block = machine_host_block(store.read("orion"))
    assert block.startswith(f"Host {names}\n")
    assert "    HostName 10.8.0.29\n" in block


@pytest.mark.parametrize("name", ["Orion", "10.0.0.1", "a.b-c"])
def test_ssh_finds_a_machine_by_its_name_with_its_key_and_nothing_but_its_pin(
    store: Store, sshd: Sshd, tmp_path: Path, name: str
) -> None:
    register(store, name, sshd)
    printed = machinectl("ssh-config", name, store=store.root)
    assert (printed.returncode, printed.stderr) == (0, "")
    config = tmp_path / "printed"
    config.write_text(printed.stdout)
    ssh = ["ssh", "-F", str(config), "-o", "BatchMode=yes", name, "echo in"]
    done = subprocess.run(ssh, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "")
    sshd.host_keys = [keygen(sshd.directory / "another_host_key")]
    done = subprocess.run(ssh, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 255
    assert "HAS CHANGED" in done.stderr


def test_what_the_users_configuration_says_of_the_host_under_its_own_name_holds(
    store: Store, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    ssh_config.write(
        'Host 192.0.2.*\n  ProxyJump joe@192.0.2.1\n  IdentityFile "~/.ssh/my key"\n  ConnectTimeout 7\n'
        "Host box\n  HostName 192.0.2.9\n  ProxyCommand nc -n %n %%n %h %p\n"
        "Host *\n  Compression yes\n"
    )
    server(store, "orion")
    server(store, "rigel", SSHHost="box")
    (tmp_path / "printed").write_text(machinectl("ssh-config", store=store.root).stdout)
    assert "Compression" not in (tmp_path / "printed").read_text()
    orion, rigel = (said_by_ssh(tmp_path / "printed", name) for name in ("orion", "rigel"))
    assert (orion["hostname"], orion["user"], orion["port"]) == ("192.0.2.7", "ops", "2222")
    assert orion["proxyjump"].translate({ord("["): "", ord("]"): ""}) == "joe@192.0.2.1"
    assert (orion["identityfile"], orion["connecttimeout"]) == ("~/.ssh/my key", "7")
    assert (rigel["hostname"], rigel["proxycommand"]) == ("192.0.2.9", "nc -n box %%n %h %p")


def test_where_the_users_configuration_has_the_same_name_that_stays_its_own(
    store: Store, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    ssh_config.write("Host orion\n  HostName 192.0.2.9\n")
    server(store, "orion", SSHHost="orion")
    printed = machinectl("ssh-config", "orion", store=store.root).stdout
    assert "HostName" not in printed
    (tmp_path / "own").write_text(f"{printed}Host orion\n  HostName 192.0.2.10\n")
    assert said_by_ssh(tmp_path / "own", "orion")["hostname"] == "192.0.2.10"


@pytest.mark.parametrize("directory", ["store", "a 100%h [1]* ${HOME} 'q' \"d\"", "back\\slash"])
def test_the_line_that_is_printed_includes_the_file_wherever_the_store_is(tmp_path: Path, directory: str) -> None:
    store = Store(str(tmp_path / directory))
    server(store, "orion")
    done = machinectl("ssh-config", "--write", store=store.root)
    assert (done.returncode, "~/.ssh/config" in done.stderr) == (0, True)
    (tmp_path / "config").write_text(done.stdout)
    assert said_by_ssh(tmp_path / "config", "orion")["hostname"] == "192.0.2.7"
    assert Path(store.root, "ssh_config").stat().st_mode & 0o777 == 0o600
    # Whoever has it there already is not told again, and no other file was written.
    home = tmp_path / "home" / ".ssh"
    home.mkdir()
    (home / "config").write_text(done.stdout)
    assert machinectl("ssh-config", "--write", store=store.root).stderr == ""
    assert [path.name for path in home.iterdir()] == ["config"]


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("Host other\n  User ops\n", True),
        ("match user=ops\n", True),
        ("User ops\n\n# Host x\n", False),
    ],
)
def test_a_line_that_holds_for_other_hosts_alone_does_not_count(
    store: Store, tmp_path: Path, before: str, told: bool
) -> None:
    server(store, "orion")
    line = machinectl("ssh-config", "--write", store=store.root).stdout
    home = tmp_path / "home" / ".ssh"
    home.mkdir()
    (home / "config").write_text(before + line)
    assert ("at the top of ~/.ssh/config" in machinectl("ssh-config", "--write", store=store.root).stderr) is told
    known = said_by_ssh(home / "config", "orion")["hostname"] == "192.0.2.7"
    assert known is not told


def test_the_file_follows_what_becomes_of_machines(store: Store, sshd: Sshd) -> None:
    server(store, "orion")
    config = Path(store.root, "ssh_config")

    def run(*words: str | Path) -> None:
        done = machinectl(*words, store=store.root)
        assert done.returncode == 0, done.stderr

    run("rename", "orion", "altair")
    assert not config.exists()
    run("ssh-config", "--write")
    run("rename", "altair", "orion")
    assert "Host altair" not in config.read_text()
    run("set", "--generic-ssh-port", "22", "orion")
    assert said_by_ssh(config, "orion")["port"] == "22"
    register(store, "rigel", sshd, pinned=False)
    # Its key is pinned at the first contact.
    run("--native-ssh", "ssh", "rigel", "true")
    assert "HostKeyAlias machinectl" in config.read_text().partition("Host rigel")[2]
    run("create", "-d", "none", "--url", "unix:///x.sock", "local")
    run("rm", "-y", "orion")
    assert [line for line in config.read_text().splitlines() if line.startswith("Host ")] == ["Host rigel"]


def test_a_machine_whose_record_is_broken_for_a_while_stays_in_the_file(store: Store) -> None:
    for name in ("orion", "rigel"):
        server(store, name)
    machinectl("ssh-config", "--write", store=store.root)
    config = Path(store.root, "ssh_config")
    before = config.read_text()
    record = Path(store.directory("orion"), "machine.json")
    record.write_text(record.read_text()[:-5])
    done = machinectl("ssh-config", "--write", store=store.root)
    assert (done.returncode, config.read_text()) == (0, before)
    assert "Warning: orion keeps its previous entry: " in done.stderr
    shutil.rmtree(store.directory("orion"))
    machinectl("ssh-config", "--write", store=store.root)
    assert "Host orion" not in config.read_text()


def test_a_file_that_cannot_be_written_is_told_and_ends_no_verb(store: Store) -> None:
    server(store, "orion")
    machinectl("ssh-config", "--write", store=store.root)
    config = Path(store.root, "ssh_config")
    config.unlink()
    config.mkdir()
    done = machinectl("rename", "orion", "altair", store=store.root)
    assert done.returncode == 0
    assert "machinectl ssh-config --write" in done.stderr
    assert store.exists("altair")


def test_of_all_machines_those_without_ssh_are_left_out_and_broken_ones_told(store: Store) -> None:
    server(store, "orion")
    local = Machine("local", "none", url="unix:///x.sock")
    local.driver_state = '{"URL": "unix:///x.sock"}'
    added(store, local)
    server(store, "odd", SSHKeyPath="../../id")
    done = machinectl("ssh-config", store=store.root)
    assert [line for line in done.stdout.splitlines() if line.startswith("Host ")] == ["Host orion"]
    assert "odd is left out" in done.stderr
    assert "local" not in done.stderr
    assert machinectl("ssh-config", "odd", store=store.root).returncode == 1


WORDS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(string.punctuation + " \n\t"), max_size=12)


@given(host=WORDS, user=WORDS, key=WORDS, pin=WORDS)
def test_whatever_a_record_says_a_block_is_one_machines_and_names_its_files_or_is_refused(
    host: str, user: str, key: str, pin: str
) -> None:
    key, pin = (f"/store/{path}" if path else "" for path in (key, pin))
    try:
        block = host_block("orion", SSHEndpoint(host, user, 22, key), known_hosts=pin)
    except MachineError:
        return
    first, *lines = block.splitlines()
    assert first == "Host orion"
    assert all(line.startswith("    ") and line.isprintable() for line in lines)
    keywords = [line.split()[0] for line in lines]
    assert not {"ProxyCommand", "LocalCommand", "Match", "Host", "Include"} & set(keywords)


def test_two_machines_that_change_at_once_are_both_in_the_file(store: Store) -> None:
    names = [f"m{number}" for number in range(4)]
    for name in names:
        server(store, name)
    machinectl("ssh-config", "--write", store=store.root)
    both = [started("rename", name, f"new-{name}", store=store.root) for name in names]
    assert [process.wait() for process in both] == [0] * 4
    text = Path(store.root, "ssh_config").read_text()
    assert all(f"Host new-{name}\n" in text and f"Host {name}\n" not in text for name in names)
