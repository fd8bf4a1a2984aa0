"""`machinectl ssh` to a real sshd: what reaches it, what comes back, and how it ends."""

from __future__ import annotations

import json
import os
import re
import socket
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.record import Machine, Phase
from tests.support.in_process import machinectl
from tests.support.program import at_terminal, everything
from tests.support.registered import added, register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import SSHConfig, Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

# The system's ssh, and our own.
WAYS = [(), ("--native-ssh",)]


@pytest.fixture
def orion(store: Store, sshd: Sshd) -> Store:
    register(store, "orion", sshd)
    return store


@pytest.mark.parametrize("way", WAYS)
def test_the_status_and_both_streams_of_a_remote_command_come_through(orion: Store, way: tuple[str, ...]) -> None:
    done = machinectl(*way, "ssh", "orion", "echo out; echo err >&2; exit 7", store=orion.root)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_piped_in_reaches_the_command(orion: Store, way: tuple[str, ...]) -> None:
    assert machinectl(*way, "ssh", "orion", "cat", store=orion.root, stdin="a line\n").stdout == "a line\n"
    shell = machinectl(*way, "ssh", "orion", store=orion.root, stdin="echo $((6 * 7))\n")
    assert "42\n" in shell.stdout
    assert "Pseudo-terminal" not in shell.stderr


def test_debug_shows_the_ssh_command(orion: Store) -> None:
    done = machinectl("-D", "ssh", "orion", "echo", "hello", store=orion.root)
    assert done.stdout == "hello\n"
    assert re.search(r"(?m)^\S*ssh .* 'echo hello'$|^\S*ssh .* echo hello$", done.stderr)


def test_a_command_of_the_configuration_is_not_run_beside_ours(
    orion: Store, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    ssh_config.write("RemoteCommand echo mine\nRequestTTY force\n")
    assert machinectl("ssh", "orion", "echo", "in", store=orion.root).stdout.splitlines() == ["in"]
    assert machinectl("run", "orion", "--", "echo in", store=orion.root).stdout == "orion | in\n"
    (tmp_path / "file").write_text("a text\n")
    for flags in ((), ("-d",)):
        done = machinectl("scp", *flags, tmp_path / "file", f"orion:{tmp_path}/copy{len(flags)}", store=orion.root)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / f"copy{len(flags)}").read_text() == "a text\n"
    # A shell is the user's.
    assert "mine" in machinectl("ssh", "orion", store=orion.root, stdin="").stdout


def test_options_after_the_name_are_sshs(orion: Store) -> None:
    done = machinectl("ssh", "orion", "-C", "-o", "LogLevel=DEBUG1", "true", store=orion.root)
    assert done.returncode == 0
    assert "compression" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-p 1", "port 1"),
        ("-oPort=1 -o ConnectTimeout=9", "port 1"),
        ("-lnobody-here", "nobody-here@"),
        ("-o User=nobody-here", "nobody-here@"),
    ],
)
def test_a_port_and_a_user_after_the_name_are_those_that_ssh_uses(orion: Store, options: str, said: str) -> None:
    done = machinectl("ssh", "orion", *options.split(), "id", "-p", "2", store=orion.root)
    assert (done.returncode, said in done.stderr) == (255, True)


def test_without_a_name_the_machine_called_default_is_meant(store: Store, sshd: Sshd) -> None:
    register(store, "default", sshd)
    assert machinectl("ssh", store=store.root, stdin="echo $((6 * 7))\n").stdout.endswith("42\n")


@pytest.mark.parametrize("way", WAYS)
def test_a_shell_has_the_size_of_the_window_it_was_started_in(orion: Store, way: tuple[str, ...]) -> None:
    with at_terminal(*way, "ssh", "orion", store=orion.root, lines=33, columns=101) as (shell, terminal):
        said = b""
        # What is typed before the terminal is ssh's own is lost.
        while not said.rstrip().endswith((b"#", b"$")):
            said += os.read(terminal, 4096)
        os.write(terminal, b"stty size; exit 5\n")
        assert "33 101\n" in everything(terminal)
        assert shell.wait(timeout=30) == 5


@pytest.mark.parametrize("way", WAYS)
def test_a_host_with_another_key_than_the_pinned_one_is_not_logged_in_at(
    orion: Store, sshd: Sshd, way: tuple[str, ...]
) -> None:
    sshd.host_keys = [keygen(sshd.directory / "another_host_key")]
    done = machinectl(*way, "ssh", "orion", "touch", str(sshd.directory / "was-there"), store=orion.root)
    assert done.returncode == 255
    assert done.stderr.startswith(f"Error: The host key of 127.0.0.1:{sshd.port} has changed")
    assert "has another address now: machinectl set --ip-address <ADDRESS> orion" in done.stderr
    assert f"accept it: machinectl provision orion --ssh-host-key {sshd.fingerprint()}" in done.stderr
    # What is typed does not win over the pin.
    typed = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null") if not way else ()
    machinectl(*way, "ssh", "orion", *typed, "touch", str(sshd.directory / "was-there"), store=orion.root)
    assert not (sshd.directory / "was-there").exists()


@pytest.mark.parametrize(
    ("way", "variable"), [([], ""), (["--native-ssh"], ""), (["--native-ssh=true"], "0"), ([], "true")]
)
def test_the_key_of_a_host_that_is_met_first_is_pinned_by_the_systems_ssh_and_by_our_own(
    store: Store, sshd: Sshd, way: list[str], variable: str
) -> None:
    register(store, "orion", sshd, pinned=False)
    here = {"MACHINE_NATIVE_SSH": variable}
    done = machinectl(*way, "ssh", "orion", "true", store=store.root, environment=here)
    assert done.returncode == 0
    assert sshd.fingerprint() in done.stderr
    assert sshd.known().split()[2] in (store_file(store, "orion", "known_hosts"))


def store_file(store: Store, name: str, filename: str) -> str:
    with open(os.path.join(store.directory(name), filename), encoding="utf-8") as file:
        return file.read()


def test_a_fingerprint_that_is_demanded_is_looked_at_also_where_there_is_an_ssh(orion: Store, sshd: Sshd) -> None:
    wrong = "SHA256:" + "A" * 43
    done = machinectl("ssh", "--ssh-host-key", wrong, "orion", "true", store=orion.root)
    assert done.returncode == 255
    assert wrong in done.stderr
    done = machinectl("ssh", "--ssh-host-key", sshd.fingerprint(), "orion", "exit 3", store=orion.root)
    assert done.returncode == 3


def test_a_passphrase_in_a_file_opens_the_machines_key(orion: Store, sshd: Sshd, tmp_path: Path) -> None:
    key = keygen(sshd.directory / "locked", passphrase="open sesame")
    sshd.authorized_keys.write_text("")
    sshd.authorize(key)
    with orion.writing("orion") as held:
        held.write_file("id_ssh", key.read_bytes())
    (tmp_path / "passphrase").write_text("open sesame\n")
    done = machinectl("ssh", "--ssh-passphrase-file", tmp_path / "passphrase", "orion", "echo in", store=orion.root)
    assert (done.returncode, done.stdout) == (0, "in\n")


def test_a_computer_without_an_ssh_runs_commands_all_the_same(orion: Store, no_ssh: dict[str, str]) -> None:
    done = machinectl("ssh", "orion", "echo in; exit 9", store=orion.root, environment=no_ssh)
    assert (done.returncode, done.stdout) == (9, "in\n")


@pytest.mark.parametrize("way", WAYS)
def test_a_user_before_the_name_logs_in_as_that_user(orion: Store, sshd: Sshd, way: tuple[str, ...]) -> None:
    done = machinectl(*way, "ssh", f"{sshd.user}@orion", "echo in; exit 9", store=orion.root)
    assert (done.returncode, done.stdout) == (9, "in\n")
    other = machinectl(*way, "ssh", "nobody-here@orion", "true", store=orion.root)
    assert (other.returncode, other.stdout) == (255, "")
    assert "nobody-here@" in other.stderr
    wrong = machinectl(*way, "ssh", "-oProxyCommand=x@orion", "true", store=orion.root)
    assert wrong.returncode == 255
    quoted = machinectl(*way, "ssh", "a b@orion", "true", store=orion.root)
    assert quoted.stderr.splitlines()[0] == "Error: 'a b' is not a user's name"


def test_a_machine_is_found_by_the_address_of_its_host_unless_two_have_it(orion: Store, sshd: Sshd) -> None:
    address = f"{sshd.user}@{sshd.host}"
    added(orion, Machine("made", "none"))
    assert machinectl("ssh", address, "echo in", store=orion.root).stdout == "in\n"
    added(orion, Machine("twin", "none", url=orion.read("orion").url))
    assert "does not exist" in machinectl("ssh", address, "echo in", store=orion.root).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), 'Docker machine "nowhere" does not exist'),
        ((), 'no "default" machine exists'),
        (("socket",), '"socket" has no SSH'),
        (("half",), 'The creation of "half" was interrupted'),
        (("-A", "orion"), "-A is not an option of ours"),
        (("--ssh-password-file", "/no/such/file", "orion"), "/no/such/file cannot be read"),
    ],
)
def test_its_own_failures_are_255_and_one_cause_with_what_to_type(
    orion: Store, words: tuple[str, ...], said: str
) -> None:
    machinectl("create", "-d", "none", "--url", "unix:///x.sock", "socket", store=orion.root)
    half = Machine("half", "generic")
    half.phase = Phase.CREATING
    added(orion, half)
    done = machinectl("ssh", *words, store=orion.root)
    assert done.returncode == 255
    assert said in done.stderr.splitlines()[0]
    assert "cannot be read" in said or re.search("machinectl |Name one: ", done.stderr.partition(said)[2])
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize("way", WAYS)
def test_a_host_that_cannot_be_reached_is_255(orion: Store, sshd: Sshd, way: tuple[str, ...]) -> None:
    with orion.writing("orion") as held:
        held.machine.driver_state = held.machine.driver_state.replace(str(sshd.port), "1")
        held.write()
    done = machinectl(*way, "ssh", "orion", "true", store=orion.root)
    assert done.returncode == 255
    assert done.stderr.startswith("Error: 127.0.0.1 port 1 refuses the connection")
    assert "machinectl set --ssh-port <PORT> orion" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_login_without_the_machines_key_says_that_it_is_missing(orion: Store, sshd: Sshd) -> None:
    sshd.authorized_keys.write_text("")
    with orion.writing("orion") as held:
        state = json.loads(held.machine.driver_state)
        held.machine.driver_state = json.dumps({**state, "SSHKeyPath": "id_gone"})
        held.write()
    done = machinectl("ssh", "orion", "true", store=orion.root)
    assert done.returncode == 255
    *_, cause, hint = done.stderr.splitlines()
    assert cause.startswith('Error: The SSH key of "orion" is missing: ')
    assert hint == "  Give it a key that its host knows: machinectl set --ssh-key <FILE> orion"
    for words in (("--native-ssh", "ssh", "orion", "true"), ("run", "orion", "--", "true"), ("provision", "orion")):
        ours = machinectl(*words, store=orion.root)
        assert 'SSH key of "orion" is missing: ' in ours.stderr
        assert f"{hint}\n" in ours.stderr
    copied = machinectl("scp", __file__, "orion:", store=orion.root)
    assert copied.stderr.endswith(f"{hint}\n")


def test_a_login_that_is_refused_is_told_with_what_to_type(orion: Store, sshd: Sshd) -> None:
    sshd.authorized_keys.write_text("")
    done = machinectl("ssh", "orion", "true", store=orion.root)
    assert done.returncode == 255
    *_, cause, hint = done.stderr.splitlines()
    assert cause.startswith(f"Error: {sshd.user}@127.0.0.1:{sshd.port} refuses the login (tried: ")
    assert cause.endswith("; it accepts publickey")
    assert hint.endswith("machinectl set --ssh-key <PATH> orion"), hint
    ours = machinectl("--native-ssh", "ssh", "orion", "true", store=orion.root)
    assert (ours.returncode, "machinectl set --ssh-key <PATH> orion" in ours.stderr) == (255, True)
    with orion.writing("orion") as held:
        held.machine.fleet = "lab"
        held.write()
    of_fleet = machinectl("--native-ssh", "ssh", "orion", "true", store=orion.root)
    assert (of_fleet.returncode, "in the fleet file: ssh-key: <PATH>" in of_fleet.stderr) == (255, True)


def test_an_ssh_in_the_background_goes_on_when_we_have_ended(orion: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = machinectl(
        "ssh", "orion", "-f", f"read line <{tmp_path}/fifo; echo $line >{tmp_path}/fifo", store=orion.root
    )
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "fifo").write_text("in\n")
    assert (tmp_path / "fifo").read_text() == "in\n"


@pytest.mark.parametrize(
    ("pinned", "typed", "seconds"), [(False, [], 1), (True, [], 1), (True, ["-oConnectTimeout=2"], 2)]
)
def test_what_takes_the_connection_and_is_no_ssh_server_is_not_waited_for_for_ever(
    store: Store, sshd: Sshd, ssh_config: SSHConfig, pinned: bool, typed: list[str], seconds: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sshd.port = server.getsockname()[1]
        register(store, "box", sshd, pinned=pinned)
        ssh_config.write("ConnectTimeout 1")
        # It keeps each connection open, and says nothing.
        done = machinectl("ssh", "box", *typed, "true", store=store.root)
    assert done.returncode == 255
    assert ("is not pinned before the first login" in done.stderr) is not pinned
    assert "did not greet within 1 s" in done.stderr or pinned
    first = (re.search(r"ConnectTimeout=(\d+)", call) for call in ssh_config.calls)
    assert {found[1] for found in first if found} == {str(seconds)}


def test_words_of_a_banner_and_of_a_command_are_not_taken_for_sshs_own(
    orion: Store, sshd: Sshd, tmp_path: Path
) -> None:
    words = "root@127.0.0.1: Permission denied (publickey).\nssh: connect to host x port 1: Connection refused\n"
    (tmp_path / "banner").write_text(words)
    sshd.configure(f"Banner {tmp_path}/banner")
    done = machinectl("ssh", "orion", f"cat {tmp_path}/banner >&2; exit 255", store=orion.root)
    assert (done.returncode, done.stderr) == (255, words * 2)
    done = machinectl("run", "orion", "--", f"cat {tmp_path}/banner >&2; exit 255", store=orion.root)
    assert "refuses" not in done.stderr
