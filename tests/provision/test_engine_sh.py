"""Asking an engine on its socket by whatever program a host has."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import UnixStreamServer
from typing import TYPE_CHECKING

import pytest

from machinectl.provision import resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFO = (
    json.dumps(
        {"ServerVersion": "29.1", "LiveRestoreEnabled": True, "Swarm": {"LocalNodeState": "inactive"}, "Name": "hå\nst"}
    )
    + "\n"
)


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


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "engine.sock"
    with UnixStreamServer(str(path), Info) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path
        server.shutdown()


@pytest.mark.parametrize("program", ["curl", "perl", "python"])
def test_each_program_gets_the_same_answer(socket: Path, program: str) -> None:
    if shutil.which("python3" if program == "python" else program) is None:
        pytest.skip(f"needs {program}")
    script = resource("engine.sh") + f"\ninfo_by_{program} {socket}"
    environment = {"PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9", "DOCKER_HOST": "tcp://127.0.0.1:9"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, env=environment, check=True)
    assert done.stdout.decode() == INFO


def test_a_client_that_reached_nobody_is_no_answer_although_it_prints_one(tmp_path: Path) -> None:
    """`docker info` prints an engine of nothing but empty values."""
    docker = tmp_path / "docker"
    docker.write_text("""#!/bin/sh\necho '{"LiveRestoreEnabled":false,"ServerVersion":""}'\n""")
    docker.chmod(0o755)
    stand_ins = f"engine_processes() {{ echo 1; }}; listens_on() {{ echo {tmp_path}/none.sock; }}; engine_info"
    script = f"PATH={tmp_path}:$PATH\n{resource('engine.sh')}\n{stand_ins}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
