"""`machinectl run` on hosts that are a real sshd: what reaches them, what comes back of each, and how it ends."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.hosts import output_streams
from machinectl.machines.record import Machine
from machinectl.verbs.run import command_line
from tests.support import program, servers
from tests.support.in_process import machinectl
from tests.support.program import COMMAND, typed_at_terminal
from tests.support.registered import added, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

# The configuration of whoever runs the tests is not read.
pytestmark = pytest.mark.usefixtures("ssh_config")

# The system's ssh, and our own.
WAYS = [(), ("--native-ssh",)]
NAMES = ["orionbox", "rigel", "vega"]


@pytest.fixture
def fleet(store: Store, sshd: Sshd) -> Store:
    for name in NAMES:
        register(store, name, sshd)
    return store


def lines(text: str) -> list[str]:
    return sorted(text.splitlines())


@pytest.mark.parametrize("way", WAYS)
def test_each_line_bears_its_machines_name_on_its_own_stream_and_the_highest_status_is_ours(
    fleet: Store, way: tuple[str, ...]
) -> None:
    command = 'echo out; echo err >&2; printf "no end"; exit 3'
    done = machinectl(*way, "run", "orionbox", "vega", "--", command, store=fleet.root)
    assert done.returncode == 3
    assert lines(done.stdout) == ["orionbox | no end", "orionbox | out", "vega     | no end", "vega     | out"]
    assert lines(done.stderr) == [
        "2 of 2 failed: orionbox (status 3), vega (status 3)",
        "orionbox | err",
        "vega     | err",
    ]


@pytest.mark.parametrize("way", WAYS)
def test_one_word_is_a_line_of_sh_and_several_are_a_command_as_it_is(fleet: Store, way: tuple[str, ...]) -> None:
    words = ["printf", "%s|", "a  b", "it's", "$HOME", "--", "-l", "*", "", "two\nlines", "back\\slash", "ä"]
    done = machinectl(*way, "run", "vega", "--", *words, store=fleet.root)
    assert done.stdout == "vega | a  b|it's|$HOME|--|-l|*||two\nvega | lines|back\\slash|ä|\n"
    assert machinectl("run", "vega", "--", "echo $((1 + 1)); exit 0", store=fleet.root).stdout == "vega | 2\n"


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2))
def test_any_words_come_through_the_shell_as_they_are(words: list[str]) -> None:
    words = ["printf", *words]
    assert shlex.split(command_line(words)) == words


@pytest.mark.parametrize("way", WAYS)
def test_what_is_piped_in_is_given_to_all_whoever_reads_it(fleet: Store, way: tuple[str, ...]) -> None:
    text = "a line\n" * 50_000
    done = machinectl(*way, "run", "--all", "--", "cksum", store=fleet.root, stdin=text)
    assert done.returncode == 0
    sums = {line.partition(" | ")[2] for line in done.stdout.splitlines()}
    assert len(done.stdout.splitlines()) == len(NAMES)
    assert sums == {subprocess.run(["cksum"], input=text, capture_output=True, text=True, check=True).stdout.strip()}
    assert machinectl(*way, "run", "vega", "--", "head -1", store=fleet.root, stdin=text).stdout == "vega | a line\n"


def test_an_input_that_does_not_block_is_waited_for(fleet: Store) -> None:
    for names in (["vega"], ["rigel", "vega"]):
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        with started(fleet, "run", *names, "--", "echo begun; cat", stdin=reading) as process:
            os.close(reading)
            assert process.stdout is not None
            # It is looked at by then, and there is nothing.
            assert all(process.stdout.readline().endswith(b"| begun\n") for _ in names)
            os.write(writing, b"late\n")
            assert all(process.stdout.readline().endswith(b"| late\n") for _ in names)
            os.close(writing)
            assert process.wait(60) == 0


@pytest.mark.parametrize("way", WAYS)
def test_nobody_waits_for_an_input_that_the_command_does_not_want(fleet: Store, way: tuple[str, ...]) -> None:
    with started(fleet, *way, "run", "vega", "--", "echo done", stdin=subprocess.PIPE) as process:
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b"vega | done\n"


def test_a_selector_or_all_stand_in_the_place_of_names(fleet: Store) -> None:
    with fleet.writing("rigel") as held:
        held.machine.labels = {"role": "web"}
        held.write()
    assert machinectl("run", "-l", "role=web", "--", "echo hi", store=fleet.root).stdout == "rigel | hi\n"
    assert len(machinectl("run", "-a", "--", "echo hi", store=fleet.root).stdout.splitlines()) == len(NAMES)
    for words in (["--all", "vega"], ["--all", "-l", "role=web"], ["vega", "-l", "role=web"]):
        assert machinectl("run", *words, "--", "echo hi", store=fleet.root).returncode == 2
    nobody = machinectl("run", "-l", "role=db", "--", "echo hi", store=fleet.root)
    assert (nobody.returncode, nobody.stdout) == (1, "")


def test_all_are_those_with_ssh(fleet: Store) -> None:
    url = "tcp://192.0.2.7:2376"
    added(fleet, Machine("beta", "none", url=url, driver_state=json.dumps({"URL": url})))
    done = machinectl("run", "--all", "--", "true", store=fleet.root)
    assert (done.returncode, done.stderr) == (0, "Skipping beta: no SSH address\n")
    named = machinectl("run", "beta", "--", "true", store=fleet.root)
    assert named.returncode == 255
    assert '"beta" has no SSH' in named.stderr


def test_what_is_to_be_run_follows_the_names_or_two_dashes(fleet: Store) -> None:
    for words in (["vega"], ["vega", "--"], ["vega", "--", ""], ["--sudo", "vega"]):
        done = machinectl("run", *words, store=fleet.root)
        assert (done.returncode, done.stdout) == (2, "")
        typed = "<NAME> --" if "--" in words else " ".join(words)
        assert f"machinectl run {typed} uptime" in done.stderr
    for dashes in ([], ["--"]):
        done = machinectl("run", "vega", *dashes, "echo", "-a", "--group", store=fleet.root)
        assert (done.returncode, done.stdout) == (0, "vega | -a --group\n")


def test_grouped_each_machines_lines_are_together(fleet: Store) -> None:
    done = machinectl("run", "--all", "--group", "--", "seq 300", store=fleet.root)
    names = [line.partition(" ")[0] for line in done.stdout.splitlines()]
    assert sorted(names) == sorted(NAMES * 300)
    assert sum(one != other for one, other in itertools.pairwise(names)) == len(NAMES) - 1


def test_as_json_it_is_an_object_for_each_machine(fleet: Store) -> None:
    silent(fleet, "plain")
    done = machinectl("run", "vega", "plain", "--json", "--", "printf 'a\\377'; echo err >&2; exit 9", store=fleet.root)
    assert done.returncode == 255
    # Each on a line of its own when it has ended.
    plain, vega = sorted(map(json.loads, done.stdout.splitlines()), key=lambda found: found["Name"])
    assert vega.pop("Seconds") > 0
    assert vega == {
        "Name": "vega",
        "Status": 9,
        "Stdout": "a\ufffd",
        "Stderr": "err\n",
        "Error": "",
        "Truncated": False,
    }
    assert (plain["Name"], plain["Status"], plain["Stdout"]) == ("plain", None, "")
    assert "has no SSH" in plain["Error"]


def test_more_hosts_than_files_may_be_open_fit_into_the_limit_of_macos(fleet: Store, tmp_path: Path) -> None:
    """And none for those that have ended, while there may be input. Their ssh runs the command right here."""
    model = fleet.directory("vega")
    hosts = [f"host{number}" for number in range(280)]
    for name in hosts:
        copy = shutil.copytree(model, fleet.directory(name))
        record = Path(copy, "machine.json")
        record.write_text(record.read_text().replace('"vega"', f'"{name}"'))
    for name in NAMES:
        shutil.rmtree(fleet.directory(name))
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text('#!/bin/sh\nfor last; do :; done; exec sh -c "$last"\n')
    ssh.chmod(0o755)
    reading, writing = os.pipe()
    path = f"{ssh.parent}:{os.environ['PATH']}"
    limits = {resource.RLIMIT_NOFILE: 256}
    with started(fleet, "run", "--all", "--", "echo hi", stdin=reading, limits=limits, PATH=path) as process:
        os.close(reading)
        stdout, stderr = process.communicate()
    os.close(writing)
    assert (process.returncode, stderr) == (0, b"")
    assert sorted(line.split(b" ")[0].decode() for line in stdout.splitlines()) == sorted(hosts)


def silent(store: Store, name: str) -> None:
    """A machine without SSH."""
    machine = Machine(name, "none", url="unix:///nowhere.sock", tls=False)
    machine.driver_state = json.dumps({"URL": machine.url})
    added(store, machine)


def test_a_host_that_cannot_be_reached_keeps_nobody_else_and_counts_255(fleet: Store, sshd: Sshd) -> None:
    machine = register(fleet, "gone", sshd)
    with fleet.writing("gone") as held:
        state = json.loads(machine.driver_state) | {"SSHPort": servers.free_port()}
        held.machine.driver_state = json.dumps(state)
        held.write()
    done = machinectl("run", "gone", "vega", "nonesuch", "--", "echo hi", store=fleet.root)
    assert done.returncode == 255
    assert done.stdout == "vega     | hi\n"
    assert "refuses the connection" in done.stderr
    assert 'Docker machine "nonesuch" does not exist' in done.stderr
    assert "2 of 3 failed: gone (error), nonesuch (error)\n" in done.stderr


def test_a_host_whose_key_is_another_one_is_refused(fleet: Store, sshd: Sshd) -> None:
    with fleet.writing("vega") as held:
        held.write_file("known_hosts", f"machinectl {' '.join(sshd.known(1).split()[1:3])}\n".encode())
    sshd.configure("HostKeyAlgorithms ssh-ed25519")
    done = machinectl("run", "vega", "--", "echo hi", store=fleet.root)
    assert (done.returncode, done.stdout) == (255, "")
    assert "key" in done.stderr


def test_a_host_that_is_met_for_the_first_time_is_pinned(store: Store, sshd: Sshd) -> None:
    register(store, "vega", sshd, pinned=False)
    sshd_known = store.directory("vega") + "/known_hosts"
    done = machinectl("run", "vega", "--", "echo hi", store=store.root)
    assert done.stdout == "vega | hi\n"
    with open(sshd_known, encoding="ascii") as file:
        assert sshd.known().split()[2] in file.read()


@contextlib.contextmanager
def started(
    store: Store,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    limits: Mapping[int, int] | None = None,
    start_new_session: bool = False,
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """A command line that runs."""
    pipe = subprocess.PIPE
    process = program.started(
        *arguments,
        store=store.root,
        environment=environment,
        limits=limits,
        stdin=stdin,
        stdout=pipe,
        stderr=pipe,
        start_new_session=start_new_session,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def running(tmp_path: Path, first: str = "") -> tuple[str, Path]:
    """A command that goes on for ever, and tells in a file that it was ended."""
    ended = tmp_path / "ended"
    trap = f"trap 'echo ended >>{shlex.quote(str(ended))}; exit' TERM"
    return f"{trap}; echo begun; {first}while :; do sleep 0.1; done", ended


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Let the time of --timeout begin only when so many commands have, each by what is returned: logins take theirs."""
    fifo = tmp_path / "begun"
    os.mkfifo(fifo)

    def after(commands: int) -> str:
        class Timer(threading.Timer):
            def run(self) -> None:
                # A FIFO that is open for writing, too, has no end between two writers.
                with open(os.open(fifo, os.O_RDWR), "rb", buffering=0) as file:
                    for _ in range(commands):
                        file.read(1)
                super().run()

        monkeypatch.setattr(output_streams, "Timer", Timer)
        return f"printf x >{shlex.quote(str(fifo))}; "

    return after


@pytest.mark.parametrize("way", WAYS)
def test_when_the_time_is_over_the_commands_on_the_hosts_are_ended(
    fleet: Store, way: tuple[str, ...], tmp_path: Path, begun: Callable[[int], str]
) -> None:
    command, ended = running(tmp_path, begun(2))
    done = machinectl(*way, "run", "orionbox", "vega", "--timeout", "1", "--", command, store=fleet.root)
    assert done.returncode == 124
    assert lines(done.stdout) == ["orionbox | begun", "vega     | begun"]
    assert "2 of 2 failed: orionbox (timed out), vega (timed out)\n" in done.stderr
    assert ended.read_text() == "ended\nended\n"


@pytest.mark.parametrize("way", WAYS)
def test_the_timeout_works_while_output_flows_or_nobody_reads(
    fleet: Store, way: tuple[str, ...], tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    os.mkfifo(ended)
    command = f"trap 'echo ended >{ended}; exit' TERM; while :; do seq 1000; done"
    with started(fleet, *way, "run", "vega", "-t", "6", "--", command) as process:
        assert ended.read_text() == "ended\n"
        said, errors = process.communicate()
        assert process.returncode == 124
        assert b"vega (timed out)" in errors
    # The output before that is whole.
    lines = said.splitlines()
    assert lines == [b"vega | %d" % (number % 1000 + 1) for number in range(len(lines) - 1)] + lines[-1:]


@pytest.mark.parametrize("way", WAYS)
def test_the_timeout_works_for_a_silent_host(fleet: Store, way: tuple[str, ...]) -> None:
    with servers.serving(servers.silent) as port:
        machine = fleet.read("vega")
        with fleet.writing("vega") as held:
            held.machine.driver_state = json.dumps(json.loads(machine.driver_state) | {"SSHPort": port})
            held.write()
        done = machinectl(*way, "run", "vega", "-t", "2", "--", "true", store=fleet.root)
    assert (done.returncode, done.stderr) == (124, "1 of 1 failed: vega (timed out)\n")


@pytest.mark.parametrize("way", WAYS)
def test_interrupted_it_ends_the_commands_on_the_hosts(fleet: Store, way: tuple[str, ...], tmp_path: Path) -> None:
    command, ended = running(tmp_path)
    with started(fleet, *way, "run", "orionbox", "vega", "--", command, start_new_session=True) as process:
        assert process.stdout is not None
        assert {process.stdout.readline(), process.stdout.readline()} == {b"orionbox | begun\n", b"vega     | begun\n"}
        # As ^C does: a new connection is kept, and must not get the signal, too.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert ended.read_text() == "ended\nended\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_as_by_timeout_it_ends_the_command_on_the_host(
    fleet: Store, number: signal.Signals, tmp_path: Path
) -> None:
    command, ended = running(tmp_path)
    with started(fleet, "run", "vega", "--", command) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"vega | begun\n"
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert ended.read_text() == "ended\n"


def test_those_that_had_not_begun_when_the_time_was_over_never_do(
    fleet: Store, tmp_path: Path, begun: Callable[[int], str]
) -> None:
    command, ended = running(tmp_path, begun(1))
    done = machinectl("run", "-a", "-t", "1", "--parallel", "1", "--", command, store=fleet.root)
    assert done.returncode == 124
    assert "3 of 3 failed" in done.stderr
    assert ended.read_text() == "ended\n"


def test_where_nobody_reads_any_more_the_commands_end(fleet: Store, tmp_path: Path) -> None:
    _, ended = running(tmp_path)
    command = f"trap 'echo ended >{ended}; exit' TERM PIPE; while echo line; do sleep 0.01; done"
    with started(fleet, "run", "vega", "--", command) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"vega | line\n"
        process.stdout.close()
        process.wait(60)
    assert ended.read_text() == "ended\n"


@pytest.mark.parametrize("way", WAYS)
def test_a_command_that_a_signal_ends_says_so_and_has_its_status(fleet: Store, way: tuple[str, ...]) -> None:
    for command, status, told in (("kill -9 $$", 137, "SIGKILL"), ("sh -c 'kill $$'", 143, "SIGTERM")):
        done = machinectl(*way, "run", "vega", "--", f"echo begun; {command}", store=fleet.root)
        assert (done.returncode, done.stdout) == (status, "vega | begun\n")
        assert f"vega (status {status}: {told})" in done.stderr


@pytest.mark.parametrize("odd", ["256", "7" * 5000])
def test_no_status_of_a_host_hides_what_fails_elsewhere(fleet: Store, sshd: Sshd, another_sshd: Sshd, odd: str) -> None:
    register(fleet, "odd", another_sshd)
    # The host reports another status than the command's, which is 0.
    another_sshd.configure(f'ForceCommand sh -c "$SSH_ORIGINAL_COMMAND" | sed -u "s/:0$/:{odd}/"')
    fails = f'case $SSH_CONNECTION in *" {sshd.port}") exit 3; esac'
    done = machinectl("run", "odd", "vega", "--", fails, store=fleet.root)
    assert done.returncode == 255
    assert re.search(r"2 of 2 failed: odd \((status 255|error)\), vega \(status 3\)$", done.stderr)
    assert "This is a bug" not in done.stderr


def test_a_connection_that_is_lost_is_told(fleet: Store, sshd: Sshd) -> None:
    with started(fleet, "run", "vega", "--", "echo begun; cat", stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"vega | begun\n"
        sshd.disconnect()
        assert process.wait(60) == 255
        assert process.stderr is not None
        assert b"was lost" in process.stderr.read()


def test_megabytes_and_bytes_of_any_kind_go_through_as_they_are(fleet: Store) -> None:
    command = "seq 200000; printf 'a\\000\\377\\033[2J\\r\\n'"
    with started(fleet, "run", "orionbox", "vega", "--", command) as process:
        stdout, _ = process.communicate()
    assert process.returncode == 0
    for name in (b"orionbox", b"vega    "):
        said = [line.partition(b" | ")[2] for line in stdout.split(b"\n") if line.startswith(name)]
        assert said == [*(b"%d" % number for number in range(1, 200_001)), b"a\0\xff\033[2J\r"]


def test_a_line_without_an_end_takes_no_more_memory_than_it_may(fleet: Store) -> None:
    code = (
        "import re, sys; from machinectl.cli.main import run_command_line; status = run_command_line(sys.argv[1:]); "
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", code, "run", "vega", "--", "head -c 60000000 /dev/zero"],
        env={**os.environ, "MACHINE_STORAGE_PATH": fleet.root},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert done.stdout.count(b"\0") == 60_000_000
    assert int(done.stderr) < 60 * 1024


def test_a_terminal_sees_nothing_that_it_would_obey(fleet: Store) -> None:
    command = "printf '\\033]0;x\\007\\033[2J\\r\\n'; printf '\\377' >&2"
    said = typed_at_terminal("run", "vega", "--", command, store=fleet.root)
    assert "\\x1b]0;x\\x07\\x1b[2J\n" in said
    assert "\\xff\n" in said
    assert "\x1b]" not in said
    assert "\x1b[2J" not in said
