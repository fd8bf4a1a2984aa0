"""Asking an engine on its socket by whatever program a host has, and having it make a container."""

from __future__ import annotations

import json
import os
import shutil
import socket as stream
import subprocess
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from socketserver import UnixStreamServer
from typing import TYPE_CHECKING

import pytest

from machinectl.provision.scripts import resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.dockerd import Dockerd

INFO = (
    json.dumps(
        {
            "ServerVersion": "29.1",
            "LiveRestoreEnabled": True,
            "Swarm": {"LocalNodeState": "inactive"},
            "Name": "hå\nst",
        },
        separators=(",", ":"),
    )
    + "\n"
)
REFUSED = 'error looking up logging plugin x: plugin "x" not found'


class Info(BaseHTTPRequestHandler):
    """As much of an engine as is asked."""

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/info" else 404)
        self.end_headers()
        self.wfile.write(INFO.encode())

    def do_POST(self) -> None:
        """Refuse a container, as an engine does whose logging driver is not there, which takes 15 s for it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        refused = self.path.startswith("/containers/create")
        self.send_response(404 if refused else 200)
        self.end_headers()
        answer = {"message": REFUSED} if refused else {"status": "sha256:5f70"}
        self.wfile.write(json.dumps(answer, separators=(",", ":")).encode())


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "engine.sock"
    with UnixStreamServer(str(path), Info) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path
        server.shutdown()


def need_program(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")


def can_make_containers(socket: Path, program: str, directory: Path) -> tuple[int, str]:
    need_program(program)
    asking = resource("engine.sh").replace("in perl docker;", f"in {program};")
    assert f"in {program};" in asking
    stand_ins = f"engine_processes() {{ echo 1; }}; listens_on() {{ echo {socket}; }}"
    script = "\n".join([asking, resource("container.sh"), stand_ins, "can_make_containers"])
    # The system's programs: another python3 on the PATH may be a script that looks for one.
    environment = {"PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, cwd=directory, env=environment, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("program", ["perl", "docker"])
def test_a_container_is_made_and_nothing_of_it_stays(dockerd: Dockerd, program: str, tmp_path: Path) -> None:
    docker = ["docker", "-H", f"unix://{dockerd.socket}"]
    # A run that was cut short left its image and its container. The volume cannot be that one's.
    subprocess.run([*docker, "import", "-", "machinectl-trial"], input=bytes(1024), capture_output=True, check=True)
    left = ["create", "--name", "machinectl-trial", "-v", "/data", "machinectl-trial", "true"]
    subprocess.run([*docker, *left], capture_output=True, check=True)
    listing = [*docker, "volume", "ls", "-q"]
    volumes = subprocess.run(listing, capture_output=True, check=True).stdout
    assert can_make_containers(dockerd.socket, program, tmp_path) == (0, "")
    for listed in (["ps", "-a"], ["images"]):
        done = subprocess.run([*docker, *listed], capture_output=True, text=True, check=True)
        assert "machinectl-trial" not in done.stdout
    assert subprocess.run(listing, capture_output=True, check=True).stdout == volumes != b""


def test_why_an_engine_refuses_a_container_is_said_in_its_words(socket: Path, tmp_path: Path) -> None:
    assert can_make_containers(socket, "perl", tmp_path) == (1, f"{REFUSED}\n")


def test_perl_gets_the_whole_answer_whatever_the_environment_says(socket: Path) -> None:
    need_program("perl")
    script = resource("engine.sh") + f"\nengine_by_perl {socket} GET /info ''"
    environment = {"PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9", "DOCKER_HOST": "tcp://127.0.0.1:9"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, env=environment, check=True)
    assert done.stdout.decode() == INFO


@pytest.mark.parametrize("program", ["perl", "docker"])
def test_an_engine_that_keeps_a_program_waiting_is_asked_by_no_other_one(program: str, tmp_path: Path) -> None:
    need_program(program)
    asking = resource("engine.sh").replace("in perl docker;", f"in {program} perl;")
    path = tmp_path / "engine.sock"
    stand_ins = f"engine_processes() {{ echo 1; }}; listens_on() {{ echo {path}; }}; engine_seconds=1"
    with stream.socket(stream.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        done = subprocess.run(["sh", "-c", f"{asking}\n{stand_ins}; engine_info"], capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
        engine.accept()[0].close()
        engine.setblocking(False)
        with pytest.raises(BlockingIOError):
            engine.accept()


def test_sockets_that_the_engine_opened_come_before_those_that_it_was_started_with(tmp_path: Path) -> None:
    """Nobody answers at docker.socket's if the engine's flags name another one: a question there waits in vain."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(stream.socket(stream.AF_UNIX)) for _ in range(6)]
        paths = [f"{tmp_path}/{each.fileno()}" for each in sorted(sockets, key=stream.socket.fileno, reverse=True)]
        for each in sockets:
            each.bind(f"{tmp_path}/{each.fileno()}")
            each.listen()
        script = f"{resource('engine.sh')}\nlistens_on {os.getpid()}"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith(str(tmp_path))] == paths


def test_a_client_that_reached_nobody_is_no_answer_although_it_prints_one(tmp_path: Path) -> None:
    """`docker info` prints an engine of nothing but empty values."""
    docker = tmp_path / "docker"
    docker.write_text("""#!/bin/sh\necho '{"LiveRestoreEnabled":false,"ServerVersion":""}'\n""")
    docker.chmod(0o755)
    stand_ins = f"engine_processes() {{ echo 1; }}; listens_on() {{ echo {tmp_path}/none.sock; }}; engine_info"
    script = f"PATH={tmp_path}:$PATH\n{resource('engine.sh')}\n{stand_ins}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
