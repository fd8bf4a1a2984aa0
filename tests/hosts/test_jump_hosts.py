"""A host behind a jump host, each with a real sshd: all SSH goes through it, and checks both host keys."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.run_verb import parse_jump
from machinectl.docker_cli import ssh_config_file
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.editing import Edit
from machinectl.hosts.login import Login, logged_in
from machinectl.hosts.query_engines import state_of
from machinectl.hosts.remote_script import raise_if_unreachable
from machinectl.hosts.removal import plan_removal
from machinectl.hosts.removal import remove_machines as rm
from machinectl.hosts.ssh_config import machine_host_block
from machinectl.machines.jump_hosts import with_type
from machinectl.machines.machine_driver import endpoint_of, known_hosts_path, ssh_endpoint
from machinectl.machines.record import BrokenRecord, Machine, Phase
from machinectl.machines.store import Store
from machinectl.ssh.destination import Jump, SSHEndpoint
from machinectl.ssh.openssh.direct_session import NotStarted
from machinectl.ssh.openssh.ssh_options import jump_options, openssh_command
from machinectl.ssh.ssh_errors import HostKeyRefused, LoginRefused, Unreachable
from machinectl.ssh.ssh_settings import jump_host
from machinectl.state import State
from machinectl.verbs.rename import rename_machine as rename
from machinectl.verbs.set import edit_machine
from machinectl.verbs.ssh_config import keep_ssh_config
from tests.hosts.test_answering_host import at_another_address
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added, register
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from tests.support.sshd import SSHConfig, Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")


def jumps(store: Store, **jumps: str) -> None:
    """Have machines go through jump hosts, whatever these are."""
    for name, jump in jumps.items():
        with store.writing(name) as held:
            held.machine.jump = with_type(jump, store.exists)
            held.write()


def passed(sshd: Sshd) -> int:
    """How many connections a jump host has led on."""
    return sshd.log.count("server_request_direct_tcpip: originator")


def by_system(store: Store, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What the system's ssh comes to, which nobody answers."""
    machine = store.read(name)
    command = openssh_command(ssh_endpoint(machine), known_hosts=known_hosts_path(machine), arguments=["echo in"])
    command[1:1] = ["-o", "BatchMode=yes", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def let_in(store: Store, name: str, console: Quiet | None = None) -> None:
    with logged_in(store.read(name), console or Quiet(), Login()) as session:
        assert session.run("echo in").text == "in"


def test_silence_behind_a_jump_host_is_not_told_as_the_hosts_own() -> None:
    silent = NotStarted("Connection timed out", is_silent=True)
    behind = SSHEndpoint("192.0.2.1", jump=Jump(SSHEndpoint("gate")))
    raise_if_unreachable(Machine("behind", "generic"), behind, silent)
    with pytest.raises(Unreachable):
        raise_if_unreachable(Machine("behind", "generic"), SSHEndpoint("192.0.2.1"), silent)


@pytest.fixture
def gate(sshd: Sshd) -> Sshd:
    return sshd


@pytest.fixture
def behind(another_sshd: Sshd) -> Sshd:
    return another_sshd


@pytest.fixture
def orion(store: Store, gate: Sshd, behind: Sshd) -> Store:
    """The machine orion, which goes through the machine gate."""
    register(store, "gate", gate)
    register(store, "orion", behind)
    jumps(store, orion="gate")
    return store


class TestBehindAMachine:
    def test_our_own_ssh_and_the_systems_go_through_it(self, orion: Store, gate: Sshd, behind: Sshd) -> None:
        let_in(orion, "orion")
        done = by_system(orion, "orion")
        assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "")
        assert (passed(gate), behind.log.count("Accepted publickey")) == (2, 2)

    def test_its_key_is_the_one_pinned_or_nothing_passes(self, orion: Store, gate: Sshd, behind: Sshd) -> None:
        gate.host_keys = [keygen(gate.directory / "another_host_key")]
        with pytest.raises(HostKeyRefused, match="has changed") as raised:
            let_in(orion, "orion")
        assert raised.value.hint.endswith(f"machinectl provision gate --ssh-host-key {gate.fingerprint()}")
        done = by_system(orion, "orion", "-o", "StrictHostKeyChecking=no")
        assert done.returncode == 255
        assert "HAS CHANGED" in done.stderr
        assert ("userauth-request" in gate.log, behind.log) == (False, "")

    def test_the_key_of_the_host_behind_it_is_the_one_pinned_too(self, orion: Store, behind: Sshd) -> None:
        behind.host_keys = [keygen(behind.directory / "another_host_key")]
        with pytest.raises(HostKeyRefused, match="has changed") as raised:
            let_in(orion, "orion")
        assert "machinectl provision orion " in raised.value.hint
        assert by_system(orion, "orion").returncode == 255
        assert "userauth-request" not in behind.log

    def test_the_addresses_that_it_reaches_are_used(self, store: Store, gate: Sshd, behind: Sshd) -> None:
        register(store, "gate", gate)
        at_another_address(store, behind)
        jumps(store, orion="gate")
        let_in(store, "orion")
        # To the first address, then to the other for its key, and for the login.
        assert passed(gate) == 3
        for words in (("run", "orion", "--", "echo", "in"), ("ssh", "orion", "echo", "in")):
            done = machinectl(*words, store=store.root)
            assert done.stdout.endswith("in\n"), done.stderr

    def test_it_has_several_addresses_itself(self, store: Store, gate: Sshd, behind: Sshd) -> None:
        at_another_address(store, gate, "gate")
        register(store, "orion", behind)
        jumps(store, orion="gate")
        let_in(store, "orion")
        done = by_system(store, "orion")
        assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "")

    def test_which_is_behind_another_one_itself(self, orion: Store, gate: Sshd, behind: Sshd) -> None:
        register(orion, "rigel", gate)
        jumps(orion, rigel="orion")
        let_in(orion, "rigel")
        done = by_system(orion, "rigel")
        assert (done.returncode, done.stdout, done.stderr) == (0, "in\n", "")
        assert (passed(gate), passed(behind)) == (2, 2)

    def test_a_login_that_it_refuses_is_told_of_it_and_not_of_the_host(self, orion: Store, gate: Sshd) -> None:
        gate.authorized_keys.write_text("")
        with pytest.raises(LoginRefused) as raised:
            let_in(orion, "orion")
        assert raised.value.hint == "It is a jump host. See why: machinectl doctor gate"

    def test_docker_over_ssh_goes_through_it_and_asks_nothing(self, orion: Store, gate: Sshd, behind: Sshd) -> None:
        with orion.writing("orion") as held:
            held.machine.url, held.machine.tls = f"ssh://{behind.user}@127.0.0.1:{behind.port}", False
            held.write()
        options = endpoint_of(orion.read("orion")).ssh_options
        assert sum("BatchMode=yes" in option for option in options) == 1
        behind.authorized_keys.write_text("")
        assert "Permission denied" in state_of(orion.read("orion"), timeout=20).error
        assert passed(gate) == 1
        gate.close()
        assert state_of(orion.read("orion"), timeout=20).hint.startswith("Start sshd")


class TestBehindAnotherHost:
    @pytest.fixture
    def orion(self, store: Store, gate: Sshd, behind: Sshd, ssh_config: SSHConfig) -> Store:
        register(store, "orion", behind)
        jumps(store, orion=f"{gate.user}@gate:{gate.port}")
        ssh_config.write(f"Host gate\n  HostName 127.0.0.1\n  IdentityFile {gate.key_path}\n")
        return store

    def test_the_users_configuration_and_known_hosts_are_about_it(
        self, orion: Store, gate: Sshd, ssh_config: SSHConfig
    ) -> None:
        ssh_config.known_hosts.write_text(gate.known())
        let_in(orion, "orion")
        assert by_system(orion, "orion").stdout == "in\n"
        assert passed(gate) == 2

    def test_one_that_nobody_knows_is_pinned_with_the_host_for_the_systems_ssh_too(
        self, orion: Store, gate: Sshd
    ) -> None:
        unknown = machinectl("ssh", "orion", "echo in", store=orion.root)
        assert (unknown.returncode, unknown.stdout) == (255, "")
        assert "Error: ssh does not know a host key on the way to" in unknown.stderr
        assert "  See it, and accept it: machinectl run orion -- true\n" in unknown.stderr
        done = machinectl("run", "orion", "--", "echo in", store=orion.root)
        assert done.stdout == "orion | in\n"
        assert f"{gate.fingerprint()} is trusted from now on" in done.stderr
        assert by_system(orion, "orion").stdout == "in\n"
        gate.host_keys = [keygen(gate.directory / "another_host_key")]
        assert by_system(orion, "orion").returncode == 255
        with pytest.raises(HostKeyRefused, match="has changed"):
            let_in(orion, "orion")

    def test_a_login_that_it_refuses_is_told_of_it_and_not_of_the_host(self, orion: Store, gate: Sshd) -> None:
        gate.authorized_keys.write_text("")
        with pytest.raises(LoginRefused) as raised:
            let_in(orion, "orion")
        assert raised.value.hint.endswith(f"Try: ssh -p {gate.port} {gate.user}@gate")


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


def argv(command: str, host: str, port: int) -> list[str]:
    """What a ProxyCommand runs: its tokens are replaced by ssh (ssh_config(5), TOKENS), the rest is the shell's."""
    text, rest = "", command
    while rest:
        pair, rest = (rest[:2], rest[2:]) if rest[0] == "%" else (rest[0], rest[1:])
        text += {"%%": "%", "%h": host, "%p": str(port)}[pair] if len(pair) > 1 else pair
    return shlex.split(text)


@given(WORDS, WORDS)
def test_each_ssh_on_the_way_is_given_its_own_words_whatever_they_are(first: str, second: str) -> None:
    gate = Jump(SSHEndpoint("gate", "joe", 2200, f"/k/{first}"), f"/s/{first}", "gate")
    [(_, to_gate)] = jump_options(gate)
    alone = openssh_command(gate.endpoint, known_hosts=gate.known_hosts)
    assert argv(to_gate, "fd00::1", 22) == [*alone, "-W", "[fd00::1]:22"]

    inner = Jump(SSHEndpoint("inner", key=f"/k/{second}", jump=gate), f"/s/{second}", "inner")
    [(_, to_inner)] = jump_options(inner)
    assert argv(to_inner, "h", 22) == [*openssh_command(inner.endpoint, known_hosts=inner.known_hosts), "-W", "[h]:22"]
    assert f"ProxyCommand={to_gate}" in argv(to_inner, "h", 22)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gate", SSHEndpoint("gate")),
        ("joe@gate:2200", SSHEndpoint("gate", "joe", 2200)),
        ("joe@[fd00::1]:2200", SSHEndpoint("fd00::1", "joe", 2200)),
        ("fd00::1", SSHEndpoint("fd00::1")),
        ("ssh://joe@gate:2200", SSHEndpoint("gate", "joe", 2200)),
    ],
)
def test_a_jump_host_is_written_as_ssh_takes_it(text: str, found: SSHEndpoint) -> None:
    assert jump_host(text) == found


@pytest.mark.parametrize(
    "text",
    ["-oX=y", "joe@-oX=y", "-x@gate", "a b", "gate,inner", "gate:0", "gate:65536", "$(x)", "a/b", "a\nb"],
)
def test_an_invalid_jump_host_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        jump_host(text)
    assert raised.value.cause.isprintable()
    assert raised.value.hint


def test_none_is_no_jump_host_as_it_is_none_to_ssh() -> None:
    assert [parse_jump(text) for text in ("none", "NONE", "", "gate", None)] == ["", "", "", "gate", None]


def registered(store: Store, *names: str, url: str = "tcp://192.0.2.7:2376") -> None:
    """Servers that nobody asks."""
    for name in names:
        machine = Machine(name, "generic", url=url)
        state = {"IPAddress": "192.0.2.7", "SSHUser": "ops", "SSHPort": 22, "SSHKeyPath": "", "EnginePort": 2376}
        machine.driver_state = json.dumps(state)
        added(store, machine, {"known_hosts": b"machinectl ssh-ed25519 AAAA\n"})


def set_machine(store: Store, console: Quiet, name: str, edit: Edit) -> None:
    edit_machine(store, console, name, edit, "--ssh-jump …")


class TestOfTheRecord:
    def test_is_set_and_taken_away(self, store: Store) -> None:
        registered(store, "orion", "gate")
        set_machine(store, Quiet(), "orion", Edit(jump="gate"))
        assert store.read("orion").spec.jump == "machine:gate"
        done = machinectl("set", "--ssh-jump", "none", "orion", store=store.root)
        assert (done.stderr.splitlines()[0], store.read("orion").jump) == ('"orion" now: --ssh-jump=none', "")

    def test_jump_hosts_must_not_form_a_loop(self, store: Store) -> None:
        registered(store, "orion", "gate", "rigel")
        jumps(store, gate="rigel", rigel="orion")
        loop = "jump hosts form a loop: orion -> gate -> rigel -> orion"
        for jump, why, hint in (
            ("gate", loop, "machinectl set --ssh-jump none rigel"),
            ("orion", "jump hosts form a loop: orion -> orion", "machinectl set --ssh-jump host:orion orion"),
        ):
            with pytest.raises(MachineError, match=why) as raised, store.writing("orion") as held:
                Edit(jump=jump).carry_out(held)
            assert raised.value.hint.endswith(hint)
        assert store.read("orion").jump == ""

    def test_a_loop_in_records_is_an_error(self, store: Store) -> None:
        registered(store, "orion", "gate", url="ssh://ops@192.0.2.7")
        jumps(store, gate="orion", orion="gate")
        found = state_of(store.read("orion"), timeout=60)
        assert (found.state, "jump hosts form a loop" in found.error) == (State.ERROR, True)
        for asked in (ssh_endpoint, machine_host_block, endpoint_of):
            with pytest.raises(MachineError, match="jump hosts form a loop"):
                asked(store.read("orion"))

    def test_needs_a_machine_with_ssh_at_both_ends(self, store: Store) -> None:
        registered(store, "orion")
        machine = Machine("nas", "none", url="tcp://192.0.2.9:2376")
        machine.driver_state = '{"URL": "tcp://192.0.2.9:2376"}'
        added(store, machine)
        with pytest.raises(MachineError, match='"nas" cannot be a jump host'), store.writing("orion") as held:
            Edit(jump="nas").carry_out(held)
        with pytest.raises(UsageError, match="A jump host needs SSH"), store.writing("nas") as held:
            Edit(jump="orion").carry_out(held)
        for words in (
            ["-d", "none", "--url", "tcp://192.0.2.9:2376"],
            ["-d", "generic", "--generic-ip-address", "::1"],
        ):
            jump = "orion" if "none" in words else "nas"
            done = machinectl("create", *words, "--ssh-jump", jump, "other", store=store.root)
            assert done.returncode != 0
            assert "jump host" in done.stderr
        assert store.names() == ["nas", "orion"]

    def test_follows_a_machine_that_is_renamed(self, store: Store) -> None:
        registered(store, "orion", "gate", "rigel")
        jumps(store, orion="gate")
        console = Quiet()
        rename(store, console, "gate", "door")
        assert [store.read(name).jump for name in ("door", "orion", "rigel")] == ["", "machine:door", ""]
        assert '"orion" goes through "door" now' in console.notes

    def test_keeps_its_machine_from_being_removed_unless_that_is_forced(self, store: Store) -> None:
        registered(store, "orion", "gate")
        jumps(store, orion="gate")
        [(_, error)] = rm(store, Quiet(), ["gate"], force=False, yes=False)
        assert error
        assert "it is the jump host of orion" in error.cause
        assert "machinectl set --ssh-jump none orion" in error.hint
        [(_, refused)] = plan_removal(store, Quiet(), ["gate"])
        assert isinstance(refused, MachineError)
        both = dict(plan_removal(store, Quiet(), ["gate", "orion"]))
        assert sorted(both) == ["gate", "orion"]
        assert not any(isinstance(result, MachineError) for result in both.values())
        console = Quiet()
        assert [*rm(store, console, ["gate"], force=True, yes=False)] == [("gate", None)]
        assert "machinectl set --ssh-jump none orion" in console.warnings[0]

    def test_goes_after_those_behind_it_where_all_are_removed(self, store: Store) -> None:
        registered(store, "orion", "gate", "rigel")
        jumps(store, orion="gate", rigel="orion")
        outcomes = [*rm(store, Quiet(), ["gate", "orion", "rigel"], force=False, yes=True)]
        assert outcomes == [("rigel", None), ("orion", None), ("gate", None)]


class TestWithItsType:
    def test_a_host_is_not_replaced_by_a_machine_that_gets_its_name(self, store: Store) -> None:
        registered(store, "orion", "gate")
        set_machine(store, Quiet(), "orion", Edit(jump="bastion"))
        rename(store, Quiet(), "gate", "bastion")
        orion = store.read("orion")
        assert (orion.jump, ssh_endpoint(orion).jump) == ("host:bastion", Jump(jump_host("bastion"), pins(orion)))
        set_machine(store, Quiet(), "orion", Edit(jump="bastion"))
        assert store.read("orion").jump == "machine:bastion"
        set_machine(store, Quiet(), "orion", Edit(jump="host:bastion"))
        assert store.read("orion").jump == "host:bastion"

    def test_is_an_error_where_that_machine_is_gone_and_never_a_host_of_its_name(self, store: Store) -> None:
        registered(store, "orion", "gate")
        jumps(store, orion="gate")
        assert [*rm(store, Quiet(), ["gate"], force=True, yes=False)] == [("gate", None)]
        with pytest.raises(MachineError, match='the machine "gate", which does not exist') as raised:
            ssh_endpoint(store.read("orion"))
        assert raised.value.hint.startswith(
            "If you mean a host of that name: machinectl set --ssh-jump host:gate orion;"
        )
        done = machinectl("set", "--ssh-jump", "machine:gaet", "orion", store=store.root)
        assert (done.returncode, '"gaet", which does not exist' in done.stderr) == (1, True)

    def test_of_a_record_that_has_none_is_no_record(self, store: Store) -> None:
        registered(store, "orion")
        path = Path(store.directory("orion"), "machine.json")
        for jump in ("gate", "machine:", "machine:../gate", "host:"):
            path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2, "jump": jump}))
            with pytest.raises(BrokenRecord, match="neither machine:NAME nor host:NAME"):
                store.read("orion")


def pins(machine: Machine) -> str:
    return known_hosts_path(machine)


class TestWhatSshIsToldOfIt:
    @pytest.fixture
    def followed(self, store: Store) -> Store:
        """A store whose file for ssh follows its machines, once it is there."""

        def follow(store: Store, name: str, _: Machine | None, after: Machine | None) -> None:
            if Path(store.root, "ssh_config").exists():
                ssh_config_file.update_ssh_config(store, name, after)

        return Store(store.root, followers=[follow])

    def test_follows_what_becomes_of_the_jump_host(self, followed: Store) -> None:
        store = followed
        registered(store, "orion", "gate", "rigel")
        jumps(store, orion="gate")
        keep_ssh_config(store, Quiet(), [])
        set_machine(store, Quiet(), "gate", Edit(options={"generic-ip-address": "192.0.2.66"}))
        [orion] = [line for line in kept(store) if "ProxyCommand" in line]
        assert orion.split()[-3:] == ["192.0.2.66", "-W", "'[%h]:%p'"]
        rename(store, Quiet(), "gate", "door")
        [orion] = [line for line in kept(store) if "ProxyCommand" in line]
        assert f"{store.root}/machines/door/known_hosts" in orion
        set_machine(store, Quiet(), "orion", Edit(jump=""))
        assert not [line for line in kept(store) if "ProxyCommand" in line]

    def test_is_for_the_address_too_where_docker_goes_there_by_ssh(self, followed: Store) -> None:
        store, console = followed, Quiet()
        registered(store, "orion", "gate", url="ssh://ops@192.0.2.7")
        set_machine(store, console, "orion", Edit(jump="gate"))
        assert "machinectl ssh-config --write" in console.notes[1]
        keep_ssh_config(store, Quiet(), [])
        assert [line for line in kept(store) if line.startswith("Host ")] == ["Host gate", "Host orion 192.0.2.7"]
        rename(store, Quiet(), "orion", "rigel")
        assert [line for line in kept(store) if line.startswith("Host ")] == ["Host gate", "Host rigel 192.0.2.7"]


def kept(store: Store) -> list[str]:
    return Path(store.root, "ssh_config").read_text().splitlines()


def test_a_host_is_registered_through_its_jump_host_and_pinned(orion: Store, gate: Sshd, behind: Sshd) -> None:
    way = ("--generic-ip-address", "127.0.0.1", "--generic-ssh-port", str(behind.port), "--no-provision")
    done = machinectl("create", "-d", "generic", *way, "--ssh-jump", "gate", "box", store=orion.root)
    assert done.returncode == 0, done.stderr
    assert Path(orion.directory("box"), "known_hosts").read_text().split()[:2] == ["machinectl", "ssh-ed25519"]
    assert (passed(gate), orion.read("box").jump, orion.read("box").phase) == (1, "machine:gate", Phase.READY)
