"""`machinectl socket`: as its user runs it, against a stand-in."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.record import Machine
from machinectl.tunnels import local_sockets
from tests.support import program
from tests.support.engine_sockets import left_open, socket_process
from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.real import need
from tests.support.registered import added
from tests.support.servers import engine, free_port, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store


@pytest.fixture
def machine(store: Store, runtime: Path) -> Iterator[Path]:
    """A machine `orionbox` whose engine answers. Nothing may be left of its sockets."""
    with serving(engine) as port:
        added(store, Machine("orionbox", "none", url=f"tcp://127.0.0.1:{port}", tls=False))
        yield runtime
        for each in json.loads(machinectl("socket", "ls", "--json", store=store.root).stdout):
            os.kill(each["PID"], signal.SIGKILL)


def answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
        return client.recv(100).startswith(b"HTTP/1.1 200 OK")


def listed(store: Store) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(machinectl("socket", "ls", "--json", store=store.root).stdout)
    return found


def test_a_command_gets_the_socket_and_its_status_is_ours(machine: Path, store: Store) -> None:
    script = """
import os, socket
names = [name for name in os.environ if name.startswith(("BUILDX_", "DOCKER_", "TESTCONTAINERS_"))]
print(sorted(names))
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
s.sendall(b"GET /_ping HTTP/1.1\\r\\n\\r\\n")
print(s.recv(15).decode())
raise SystemExit(7)
"""
    leading_elsewhere = {
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/x",
        "DOCKER_CONTEXT": "x",
        "DOCKER_TLS": "1",
        "BUILDX_BUILDER": "x",
    }
    command = ["socket", "orionbox", "--", COMMAND[0], "-c", script]
    done = program.machinectl(*command, store=store.root, environment=leading_elsewhere)
    variables = (
        "'DOCKER_HOST', 'DOCKER_MACHINE_NAME', 'TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE', 'TESTCONTAINERS_HOST_OVERRIDE'"
    )
    assert (done.stdout, done.stderr, done.returncode) == (f"[{variables}]\nHTTP/1.1 200 OK\n", "", 7)
    assert left_open(machine) == []


def test_a_command_that_cannot_start_fails_as_in_a_shell(machine: Path, store: Store) -> None:
    done = machinectl("socket", "orionbox", "--", "nonesuch", store=store.root)
    assert done.returncode == 127
    assert done.stderr == (
        "Error: nonesuch cannot be started: No such file or directory\n  Check its spelling, and $PATH\n"
    )
    assert machinectl("socket", "orionbox", "--", "/", store=store.root).returncode == 126
    assert left_open(machine) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_goes_to_the_command_and_ends_both(number: int, machine: Path, store: Store) -> None:
    command = [*COMMAND, "-s", store.root, "socket", "orionbox", "--", "sh", "-c", "echo $$; exec sleep 1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(30) == -number
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert left_open(machine) == []


def test_the_command_decides_what_an_interrupt_does(machine: Path, store: Store) -> None:
    # A terminal sends it to the whole group.
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do read x; done"
    command = [*COMMAND, "-s", store.root, "socket", "orionbox", "--", "sh", "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        process.stdin.close()
        # Without a terminal, it is passed on, too: the command may get it twice.
        assert set(process.stdout.read().splitlines()) == {"caught"}
        assert process.wait(30) == 5
    assert left_open(machine) == []


def test_it_serves_until_an_interrupt(machine: Path, store: Store) -> None:
    with socket_process(store, "orionbox") as (process, path):
        assert answers(path)
        assert [each["Socket"] for each in listed(store)] == [path]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert left_open(machine) == []


def test_in_the_background_it_is_one_socket_until_it_is_removed(machine: Path, store: Store) -> None:
    first = program.machinectl("socket", "orionbox", "--background", store=store.root)
    assert first.returncode == 0, first.stderr
    path = first.stdout.splitlines()[0].split('"')[1].removeprefix("unix://")
    assert "unset DOCKER_CONTEXT;\n" in first.stdout
    again = program.machinectl("socket", "orionbox", "--background", store=store.root)
    assert again.stdout == first.stdout
    [found] = listed(store)
    assert (found["Name"], found["Socket"], found["Command"]) == ("orionbox", path, "")
    assert machinectl("socket", "orionbox", store=store.root).stderr == (
        f"{path} is open already, by process {found['PID']}\n  Close it: machinectl socket rm orionbox\n"
    )
    assert answers(path)
    pointed = {"DOCKER_HOST": f"unix://{path}"}
    removed = machinectl("socket", "rm", "orionbox", store=store.root, environment=pointed)
    assert removed.stdout == f"{path}\n"
    assert removed.stderr == "This shell points at it\n  eval $(machinectl env -u)\n"
    assert listed(store) == []
    assert left_open(machine) == []


def test_a_renamed_machine_keeps_its_socket(machine: Path, store: Store) -> None:
    with socket_process(store, "orionbox") as (process, path):
        renamed = machinectl("rename", "orionbox", "vega", store=store.root)
        assert renamed.stderr.splitlines()[0] == f"Its socket {path} stays open"
        # It is read anew, under the new name.
        with store.writing("vega") as held:
            held.write()
        assert answers(path)
        there = {"DOCKER_HOST": f"unix://{path}"}
        assert machinectl("active", store=store.root, environment=there).stdout == "vega\n"
        again = machinectl("socket", "vega", "--background", store=store.root)
        assert again.stdout.startswith(f'export DOCKER_HOST="unix://{path}"')
        assert [(each["Name"], each["Socket"]) for each in listed(store)] == [("vega", path)]
        assert machinectl("socket", "rm", "vega", store=store.root).stdout == f"{path}\n"
        process.communicate(timeout=30)
    assert left_open(machine) == []


def test_a_shell_at_the_socket_is_at_its_machine_until_env_unsets_it(machine: Path, store: Store) -> None:
    program = " ".join([*COMMAND, "-s", store.root])
    script = f"""
        eval $({program} socket orionbox --background)
        {program} active
        {program} ls --format '{{{{.Name}}}} {{{{.Active}}}}'
        {program} doctor --json | grep "the socket of"
        {program} env other | grep TESTCONTAINERS
        eval $({program} env -u)
        env | grep -E 'DOCKER_(HOST|MACHINE)|TESTCONTAINERS'
        {program} socket rm orionbox >/dev/null
        {program} active
    """
    added(store, Machine("other", "none", url="tcp://127.0.0.1:1", tls=False))
    environment = {**os.environ, "SHELL": "/bin/sh"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=machine, env=environment, capture_output=True, text=True, check=False
    )
    assert [line.strip().removesuffix(",") for line in done.stdout.splitlines()] == [
        "orionbox",
        "orionbox *",
        "other -",
        '"Seen": "docker uses the socket of \\"orionbox\\""',
        "unset TESTCONTAINERS_HOST_OVERRIDE;",
        "unset TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE;",
    ]
    assert "No active host found" in done.stderr


def test_active_ignores_a_socket_that_is_closed_or_of_another_store(
    machine: Path, store: Store, tmp_path: Path
) -> None:
    del machine
    with socket_process(store, "orionbox") as (process, path):
        there = {"DOCKER_HOST": f"unix://{path}"}
        assert machinectl("active", store=store.root, environment=there).stdout == "orionbox\n"
        assert machinectl("active", store=str(tmp_path / "another"), environment=there).returncode == 1
        process.kill()
        process.wait(30)
        assert machinectl("active", store=store.root, environment=there).returncode == 1


def test_it_ends_with_its_machine(machine: Path, store: Store) -> None:
    with socket_process(store, "orionbox") as (process, path):
        assert machinectl("rm", "-f", "orionbox", store=store.root).returncode == 0
        _, said = process.communicate(timeout=30)
    assert said == f'Warning: {path} is closed: "orionbox" does not exist any more\n'
    assert left_open(machine) == []


def test_what_a_killed_process_leaves_is_not_listed_and_replaced_by_the_next(machine: Path, store: Store) -> None:
    for place in ([], ["--path", str(machine / "own.sock")]):
        with socket_process(store, "orionbox", *place) as (process, path):
            process.kill()
        assert listed(store) == []
        again = program.machinectl("-s", store.root, "socket", "orionbox", *place, "--background")
        assert again.returncode == 0, again.stderr
        assert answers(path)
        assert machinectl("socket", "rm", "orionbox", store=store.root).stdout == f"{path}\n"
    assert left_open(machine) == []


def test_a_command_keeps_its_own_socket(machine: Path, store: Store) -> None:
    command = [*COMMAND, "-s", store.root, "socket", "orionbox", "--", "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        while not (found := listed(store)):
            assert process.poll() is None
        assert [each["Command"] for each in found] == ["cat"]
        assert machinectl("socket", "ls", "-q", store=store.root).stdout == f"{found[0]['Socket']}\n"
        done = machinectl("socket", "rm", "orionbox", store=store.root)
        assert done.stderr == (
            f"Error: {found[0]['Socket']} is in use by cat, and ends with it\n  To end both: kill {process.pid}\n"
        )
        process.stdin.close()
        assert process.wait(30) == 0
    assert left_open(machine) == []


@pytest.mark.parametrize("mode", [[], ["--background"], ["--", "true"]], ids=["served", "background", "command"])
def test_an_engine_that_is_off_is_one_line_and_leaves_nothing(mode: list[str], store: Store, runtime: Path) -> None:
    port = free_port()
    added(store, Machine("off", "none", url=f"tcp://127.0.0.1:{port}", tls=False))
    done = machinectl("socket", "off", *mode, store=store.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: 127.0.0.1:{port} refuses the connection: nothing listens there\n")
    assert left_open(runtime) == []


def test_root_puts_no_socket_where_another_user_could_replace_it(machine: Path, store: Store) -> None:
    need("chown", root=True)
    (theirs := machine / "theirs").mkdir(mode=0o755)
    (theirs / "of root").mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    for path in (theirs / "x.sock", theirs / "of root" / "x.sock"):
        done = machinectl("socket", "orionbox", "--path", path, "--background", store=store.root)
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: {theirs} is not safe for a socket: it is another user's\n")


def test_a_process_in_another_pid_namespace_is_not_signalled(machine: Path, store: Store) -> None:
    need("unshare", root=True)
    elsewhere = ["unshare", "--pid", "--fork", *COMMAND, "-s", store.root]
    with socket_process(store, "orionbox") as (process, path):
        rows = subprocess.run([*elsewhere, "socket", "ls", "--json"], capture_output=True, text=True, check=True)
        assert [(each["Socket"], each["PID"]) for each in json.loads(rows.stdout)] == [(path, 0)]
        done = subprocess.run([*elsewhere, "socket", "rm", "orionbox"], capture_output=True, text=True, check=False)
        cause, hint = done.stderr.splitlines()
        assert cause == f"Error: {path} is served by a process in another PID namespace, such as a container's"
        assert hint.endswith(f"socket rm {path}")
        assert answers(path)
        process.terminate()
        process.communicate(timeout=30)
    assert left_open(machine) == []


def test_a_path_that_cannot_be_used_is_refused(machine: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_sockets, "ASK_SECONDS", 0.1)
    foreign, shared = machine / "notes.txt", machine / "shared"
    foreign.write_text("mine")
    shared.mkdir()
    shared.chmod(0o777)
    in_use = machine / "engine.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(in_use))
        other.listen()
        for path, said in (
            (foreign, f"{foreign} exists, and is not a socket of machinectl's"),
            (in_use, f"{in_use} exists, and is not a socket of machinectl's"),
            (shared / "x.sock", f"{shared} is not safe for a socket: everybody may write to it"),
            (machine / "none" / "x.sock", "Cannot create the socket"),
            (machine / ("x" * 100), "Cannot create the socket"),
        ):
            done = machinectl("socket", "orionbox", "--path", path, store=store.root)
            assert done.stderr.startswith(f"Error: {said}")
            assert done.returncode == 1
        for mode in (["--background"], ["--", "true"]):
            done = machinectl("socket", "orionbox", "--path", foreign, *mode, store=store.root)
            assert done.stderr.startswith(f"Error: {foreign} exists")
    assert foreign.read_text() == "mine"
    assert left_open(machine) == []
