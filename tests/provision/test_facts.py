"""What a host answered, as it was recorded in the lab, and what becomes of answers that are cut or noisy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.provision import resource
from machinectl.provision.facts import OWN_DIRECTORY, Service, command, os_release, parse

RECORDED = Path(__file__).with_name("facts")
SCRIPTS = ("facts.sh", "launch.sh", "apply.sh", "install.sh", "remove.sh", "recover.sh", "command.sh")


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def test_a_bare_server_has_no_engine() -> None:
    facts = parse(recorded("bare"))
    assert (facts.uid, facts.init, facts.dockerd, facts.unit) == (0, "systemd", "", "")
    assert facts.service == Service()
    assert facts.config is None
    assert facts.os_release["ID"] == "debian"
    assert facts.mac == "02:00:0a:42:6f:06"
    assert facts.free["/var"] > 1 << 20


def test_an_installed_engine_is_seen_with_its_unit() -> None:
    facts = parse(recorded("docker"))
    assert facts.dockerd == "/usr/sbin/dockerd"
    assert facts.version == "26.1.5+dfsg1"
    assert facts.packages == {"docker.io": "26.1.5+dfsg1-9+deb13u1+b1"}
    assert facts.service == Service(loaded=True, active=True, enabled=True)
    assert "ExecStart=/usr/sbin/dockerd -H fd://" in facts.unit
    assert not facts.containers
    assert not facts.swarm


def test_running_containers_and_swarm_are_seen() -> None:
    assert len(parse(recorded("docker-with-a-container")).containers) == 1
    assert parse(recorded("swarm-node")).swarm


def test_a_process_that_ended_while_it_was_looked_at_is_none() -> None:
    before = parse(recorded("docker"))
    for gone in (b"@process 277 0 \n", b"@process 277\n"):
        assert (
            parse(recorded("docker").replace(b"@end 1", gone + b"\n@end 1").replace(b"@init", gone + b"\n@init"))
            == before
        )


def test_what_we_put_there_is_seen_without_the_key_ever_leaving_the_host() -> None:
    facts = parse(recorded("provisioned"))
    assert set(facts.sums) == {f"{OWN_DIRECTORY}/{name}" for name in ("ca.pem", "server.pem")}
    assert facts.sums[f"{OWN_DIRECTORY}/server.pem"][:3] == ("600", 0, 0)
    assert facts.config is not None
    assert b'"tlsverify": true' in facts.config.content
    assert [listener.process for listener in facts.listeners] == ["dockerd"]
    assert b"PRIVATE KEY" not in recorded("provisioned")


def test_what_a_login_prints_before_and_after_is_left_out() -> None:
    noisy = b"Welcome!\n|not a line of ours\n@ @\n@podman yes\n" + recorded("docker") + b"\nlogout\n"
    assert parse(noisy) == parse(recorded("docker"))


@given(st.integers(min_value=0, max_value=2000))
@settings(max_examples=40)
def test_an_answer_that_was_cut_is_an_error_and_never_half_a_host(length: int) -> None:
    with pytest.raises(MachineError):
        parse(recorded("bare")[: min(length, len(recorded("bare")) - 5)])


def test_a_host_where_an_earlier_run_is_still_at_work_is_left_alone() -> None:
    with pytest.raises(MachineError, match="process 4711"):
        parse(recorded("docker").replace(b"@begin 1\n", b"@begin 1\n@job 4711\n"))


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


def test_the_port_is_a_number_and_never_code() -> None:
    assert command(2376).startswith("port=2376 patience=120\n")
