"""What a host answered, as it was recorded in the lab, and what becomes of answers that are cut or noisy."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl import certs
from machinectl.errors import CheckFailed, MachineError
from machinectl.provision.facts.host_facts import (
    OWN_DIRECTORY,
    ServiceState,
    facts_command,
    os_release,
    parse_facts,
)
from machinectl.provision.preflight import check_own_ca
from machinectl.provision.scripts import resource
from machinectl.provision.steps import restart_risks
from machinectl.provision.steps.distributions import choose_distribution
from machinectl.provision.target import Target

RECORDED = Path(__file__).with_name("facts")
SCRIPTS = (
    "engine.sh",
    "facts.sh",
    "health.sh",
    "launch.sh",
    "apply.sh",
    "install.sh",
    "command.sh",
)


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def test_a_bare_server_has_no_engine() -> None:
    facts = parse_facts(recorded("bare"))
    assert (facts.uid, facts.init, facts.dockerd, facts.unit) == (0, "systemd", "", "")
    assert facts.service == ServiceState()
    assert facts.config is None
    assert facts.os_release["ID"] == "debian"
    assert facts.mac == "02:00:0a:42:6f:06"


def test_who_logged_in_and_may_use_the_engine_is_seen() -> None:
    facts = parse_facts(recorded("docker"))
    assert (facts.login, facts.login_groups, facts.socket_group) == ("", frozenset(), "docker")
    more = b"@login ops ops sudo domain users\n\n@socket-group wheel\n\n@end"
    facts = parse_facts(recorded("docker").replace(b"@end", more))
    assert (facts.login, facts.socket_group) == ("ops", "wheel")
    assert facts.login_groups == {"ops", "sudo", "domain", "users"}


def test_an_installed_engine_is_seen_with_its_unit() -> None:
    facts = parse_facts(recorded("docker"))
    assert facts.dockerd == "/usr/sbin/dockerd"
    assert facts.version == "26.1.5+dfsg1"
    assert facts.packages == {"docker.io": "26.1.5+dfsg1-9+deb13u1+b1"}
    assert facts.service == ServiceState(loaded=True, active=True, enabled=True)
    assert "ExecStart=/usr/sbin/dockerd -H fd://" in facts.unit
    assert not facts.containers
    assert not facts.swarm


def test_running_containers_and_swarm_are_seen() -> None:
    assert len(parse_facts(recorded("docker-with-a-container")).containers) == 1
    node = parse_facts(recorded("swarm-node").replace(b"@end", b"@once web\n@once\n@once db\n@end"))
    assert (node.swarm, node.once) == (True, ("db", "web"))


@pytest.mark.parametrize("clock", ["1" * 5000, ""])
def test_a_clock_that_says_no_date_is_an_error_in_a_line(clock: str) -> None:
    odd = re.sub(rb"@clock \d+", b"@clock " + clock.encode(), recorded("docker"))
    with pytest.raises(MachineError) as raised:
        parse_facts(odd)
    assert raised.value.hint
    assert "\n" not in raised.value.cause
    assert parse_facts(re.sub(rb"@clock \d+", b"@clock " + b"9" * 30, recorded("docker"))).time.year == 9999


def with_info(said: bytes) -> bytes:
    return re.sub(rb"\n\|\{\"ServerVersion.*", lambda _: b"\n|" + said, recorded("docker"))


@pytest.mark.parametrize("said", [b"[]", b"null", b"7", b'"x"', b"{", b"[" * 100000, b'{"a": 1}{}', b"\xff\x1b[2J"])
def test_an_engine_that_says_something_odd_of_itself_is_an_error_in_a_line(said: bytes) -> None:
    with pytest.raises(MachineError, match="instead of its info") as raised:
        parse_facts(with_info(said))
    assert len(raised.value.cause) < 300
    assert "\x1b" not in raised.value.cause


@pytest.mark.parametrize("odd", ["null", "7", '"x"', "[]", "{}", "[null]", "[[]]", "true"])
def test_what_the_engine_says_of_an_odd_kind_is_not_said(odd: str) -> None:
    keys = ("ServerVersion", "LiveRestoreEnabled", "Swarm", "SecurityOptions", "DockerRootDir", "Driver")
    said = {key: json.loads(odd) for key in (*keys, "DriverStatus", "Containers")}
    facts = replace(parse_facts(with_info(json.dumps(said).encode())), containers=frozenset({"ab"}))
    assert isinstance(facts.version, str)
    assert restart_risks.hiding_moves(facts, {}, {}, []) is not None


def test_the_engine_says_which_node_of_a_swarm_it_is() -> None:
    said = {"Swarm": {"LocalNodeState": "active", "NodeID": "n1", "ControlAvailable": True, "Nodes": 2}}
    facts = parse_facts(with_info(json.dumps(said).encode()))
    assert facts.swarm
    assert facts.info == {"Swarm": "active", "SwarmNode": "n1", "SwarmManager": True, "SwarmAutolock": False}


@pytest.mark.parametrize("os", [b"", b"|ID=\n", b'|ID\n|=\n|"\n'])
def test_a_host_that_does_not_say_what_system_it_is_is_told_to_be_given_one(os: bytes) -> None:
    odd = re.sub(rb"@os\n(\|.*\n)*", lambda _: b"@os\n" + os, recorded("bare"))
    facts = parse_facts(odd)
    assert facts.os_name == "an unknown system"
    with pytest.raises(CheckFailed, match="os-release names none"):
        choose_distribution(facts.os_release)


def test_a_process_that_ended_while_it_was_looked_at_is_none() -> None:
    before = parse_facts(recorded("docker"))
    for gone in (b"@process 277 0 \n", b"@process 277\n"):
        assert (
            parse_facts(recorded("docker").replace(b"@end 1", gone + b"\n@end 1").replace(b"@init", gone + b"\n@init"))
            == before
        )


def with_file(path: str, content: bytes) -> bytes:
    lines = base64.encodebytes(content).decode().splitlines()
    file = "\n".join([f"@file 644 0 0 {path}", *(f"|{line}" for line in lines)])
    return recorded("bare").replace(b"@end\n", f"{file}\n@end\n".encode())


def test_a_file_of_more_than_1_mb_is_not_taken_for_a_configuration() -> None:
    most = parse_facts(with_file("/etc/docker/daemon.json", bytes(1 << 20)))
    assert most.config is not None
    assert len(most.config.content) == 1 << 20
    with pytest.raises(MachineError, match=r"/etc/docker/daemon.json on the host has more than 1 MB") as caught:
        parse_facts(with_file("/etc/docker/daemon.json", bytes((1 << 20) + 1)))
    assert caught.value.hint


def facts_script(daemon_json: Path) -> str:
    """Return the script of a look at this computer, where another test may be at work as on a host."""
    script = facts_command(1, patience=0).replace("/run/machinectl/pid", "/dev/null")
    return script.replace("/etc/docker/daemon.json", str(daemon_json))


def test_no_more_of_a_file_than_that_leaves_the_host(tmp_path: Path) -> None:
    large = tmp_path / "daemon.json"
    large.write_bytes(b"x" * (3 << 20))
    script = facts_script(large)
    with pytest.raises(MachineError, match="has more than 1 MB"):
        parse_facts(subprocess.run(["sh", "-c", script], check=True, capture_output=True).stdout)


def test_a_named_pipe_in_the_place_of_daemon_json_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "daemon.json"
    os.mkfifo(pipe)
    script = facts_script(pipe)
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, timeout=60)
    assert parse_facts(done.stdout).config is None


def test_an_answer_of_very_many_lines_is_not_read() -> None:
    with pytest.raises(MachineError, match="more than 100000 lines"):
        parse_facts(b"@begin 1\n" + b"@container x\n" * 100_001 + b"@end\n")


def test_what_we_put_there_is_seen_without_the_key_ever_leaving_the_host() -> None:
    facts = parse_facts(recorded("provisioned"))
    assert set(facts.sums) == {f"{OWN_DIRECTORY}/{name}" for name in ("ca.pem", "server.pem")}
    assert facts.sums[f"{OWN_DIRECTORY}/server.pem"][:3] == ("600", 0, 0)
    assert facts.config is not None
    assert b'"tlsverify": true' in facts.config.content
    assert facts.engine_listens
    assert b"PRIVATE KEY" not in recorded("provisioned")


@pytest.mark.parametrize("left", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nMIIB"])
def test_a_ca_that_was_damaged_on_the_host_is_as_good_as_missing(left: bytes) -> None:
    path = f"{OWN_DIRECTORY}/ca.pem"

    def with_ca(content: bytes) -> bytes:
        file = b"\n@file 644 0 0 " + path.encode() + b"\n|" + base64.b64encode(content)
        return recorded("provisioned").replace(b"\n@end", file + b"\n@end")

    assert path in parse_facts(with_ca(certs.new_ca("orion").certificate)).sums
    damaged = parse_facts(with_ca(left))
    assert path not in damaged.sums
    # It is another computer's only if there is a CA.
    check_own_ca(damaged, Target("192.0.2.1", certificates={"ca.pem": certs.new_ca("orion").certificate}))


def test_what_a_login_prints_before_and_after_is_left_out() -> None:
    noisy = b"Welcome!\n|not a line of ours\n@ @\n@podman yes\n" + recorded("docker") + b"\nlogout\n"
    assert parse_facts(noisy) == parse_facts(recorded("docker"))


@given(st.integers(min_value=0, max_value=2000))
@settings(max_examples=40)
def test_an_answer_that_was_cut_is_an_error_and_never_half_a_host(length: int) -> None:
    with pytest.raises(MachineError):
        parse_facts(recorded("bare")[: min(length, len(recorded("bare")) - 5)])


@pytest.mark.parametrize("said", [b"@job", b"@job \x1b[2J" + b"9" * (1 << 20)])
def test_a_host_that_names_no_process_of_an_earlier_run_is_an_error_in_a_line(said: bytes) -> None:
    with pytest.raises(MachineError, match="still at work") as raised:
        parse_facts(recorded("docker").replace(b"@begin 1\n", b"@begin 1\n" + said + b"\n"))
    assert len(raised.value.cause) < 300
    assert raised.value.cause.isprintable()


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('A="b c"', "b c"),
        ("A='b c'", "b c"),
        ("A=b", "b"),
        (r'A="b \"c\" \$d"', 'b "c" $d'),
        ("A=", ""),
    ],
)
def test_os_release_is_read_as_the_shell_reads_it(line: str, value: str) -> None:
    assert os_release(f"# {line}\n{line}\nno assignment\n") == {"A": value}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_every_script_is_a_script_to_every_shell(script: str, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    words = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
    subprocess.run(words, input=resource(script).encode(), check=True)
