"""A machine's socket and a real engine, over TLS and SSH: what docker's programs do through it."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from tests.support.docker_cli import DockerCli
from tests.support.engine_sockets import left_open, register_engine, register_ssh_engine, socket_process
from tests.support.image_engines import import_busybox
from tests.support.in_process import machinectl
from tests.support.program import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd

IMAGE = "of-busybox"
# Run by docker's SDK and by Testcontainers, neither of which is told anything.
SDK = f"""
import docker
engine = docker.from_env()
assert engine.containers.run("{IMAGE}", ["echo", "hi"], network_mode="none", remove=True) == b"hi\\n"
"""
TESTCONTAINERS = f"""
import os
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # its image would have to be pulled
from testcontainers.core.container import DockerContainer
with DockerContainer("{IMAGE}", network_mode="none").with_command(["sleep", "1000"]) as container:
    assert container.get_container_host_ip() == "127.0.0.1"
    assert container.exec("busybox echo hi").output == b"hi\\n"
"""


@pytest.fixture(scope="module")
def image(dockerd: Dockerd) -> str:
    return import_busybox(dockerd, IMAGE)


@pytest.fixture(params=["TLS", "SSH"])
def host(dockerd: Dockerd, image: str, store: Store, runtime: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """DOCKER_HOST of a socket that is served, over TLS or SSH; no container may be left."""
    assert image
    if request.param == "SSH":
        request.getfixturevalue("ssh_config")
        register_ssh_engine(store, "orionbox", request.getfixturevalue("sshd"), dockerd)
    else:
        register_engine(store, "orionbox", dockerd)
    with socket_process(store, "orionbox") as (_, path):
        yield f"unix://{path}"
    of_engine = ["docker", "-H", f"unix://{dockerd.socket}"]
    if left := subprocess.run([*of_engine, "ps", "-aq"], capture_output=True, text=True, check=True).stdout.split():
        subprocess.run([*of_engine, "rm", "-f", *left], capture_output=True, check=True)
    assert left_open(runtime) == []


@pytest.fixture
def docker(tmp_path: Path) -> DockerCli:
    return DockerCli(tmp_path / "docker")


def test_the_docker_cli_works_through_it(host: str, docker: DockerCli, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        return docker("-H", host, *arguments)

    assert run("run", "--name", "ended", "--network=none", IMAGE, "echo", "first") == "first\n"
    assert run("logs", "ended") == "first\n"
    run("run", "-d", "--name", "web", "--network=none", IMAGE, "sleep", "1000")
    assert run("exec", "web", "busybox", "echo", "hi") == "hi\n"
    (tmp_path / "file").write_text("x" * 300_000)
    run("cp", str(tmp_path / "file"), "web:/copied")
    run("cp", "web:/copied", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "x" * 300_000
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY file /file\n")
    for buildkit in ("1", "0"):
        done = docker.run("-H", host, "build", "-q", str(tmp_path), DOCKER_BUILDKIT=buildkit)
        assert done.stdout.startswith("sha256:"), done.stderr


def test_standard_input_ends_and_the_answer_follows(host: str) -> None:
    command = ["docker", "-H", host, "run", "--rm", "-i", "--network=none", IMAGE, "wc", "-c"]
    done = subprocess.run(command, input=b"x" * 1_000_000, capture_output=True, check=True, timeout=60)
    assert done.stdout.split() == [b"1000000"]


def test_a_terminal_in_a_container_works(host: str, docker: DockerCli) -> None:
    docker("-H", host, "run", "-d", "--name", "term", "--network=none", IMAGE, "sleep", "1000")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("docker", ["docker", "-H", host, "exec", "-it", "term", "busybox", "sh"])
    said = b""
    os.write(terminal, b"echo $((6 * 7))\nexit 3\n")
    with suppress(OSError):
        while select.select([terminal], [], [], 60)[0] and (data := os.read(terminal, 1 << 16)):
            said += data
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(terminal)
    assert b"\r\n42\r\n" in said


def test_streams_that_are_silent_go_on(host: str, docker: DockerCli) -> None:
    script = "while read word; do echo got $word; done"
    docker("-H", host, "run", "-di", "--name", "silent", "--network=none", IMAGE, "sh", "-c", script)
    attach = subprocess.Popen(
        ["docker", "-H", host, "attach", "silent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    logs = subprocess.Popen(["docker", "-H", host, "logs", "-f", "silent"], stdout=subprocess.PIPE, text=True)
    events = subprocess.Popen(
        ["docker", "-H", host, "events", "--format", "{{.Action}}", "--since=0"], stdout=subprocess.PIPE, text=True
    )
    with attach, logs, events:
        assert attach.stdin
        assert attach.stdout
        assert logs.stdout
        assert events.stdout
        for word in ("one", "two"):
            attach.stdin.write(f"{word}\n")
            attach.stdin.flush()
            assert attach.stdout.readline() == f"got {word}\n"
            assert logs.stdout.readline() == f"got {word}\n"
        docker("-H", host, "rm", "-f", "silent")
        assert logs.wait(30) == 0
        assert any(line == "destroy\n" for line in events.stdout)
        events.terminate()
        attach.kill()


@pytest.mark.parametrize("script", [SDK, TESTCONTAINERS], ids=["docker SDK", "Testcontainers"])
@pytest.mark.usefixtures("host")
def test_programs_need_no_settings_of_their_own(script: str, store: Store) -> None:
    # REQUESTS_CA_BUNDLE makes the SDK ignore a machine's CA. Here there is none to ignore.
    done = machinectl(
        *("socket", "orionbox", "--", sys.executable, "-c", script),
        store=store.root,
        environment={"REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"},
    )
    assert done.returncode == 0, done.stderr


def test_a_refused_certificate_is_one_line_and_a_new_one_is_used_at_once(
    dockerd: Dockerd, docker: DockerCli, store: Store, runtime: Path
) -> None:
    machine = register_engine(store, "orionbox", dockerd)
    directory = Path(machine.directory)
    with socket_process(store, "orionbox") as (_, path):
        other = certs.issue_client(certs.new_ca("other"), "test")
        for file, data in (("cert.pem", other.certificate), ("key.pem", other.key)):
            (directory / "new").write_bytes(data)
            (directory / "new").rename(directory / file)
        done = docker.run("-H", f"unix://{path}", "ps")
        assert "refuses the client certificate" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        for file in ("cert.pem", "key.pem"):
            shutil.copy(dockerd.directory / file, directory / "new")
            (directory / "new").rename(directory / file)
        docker("-H", f"unix://{path}", "ps")
    assert left_open(runtime) == []


def test_many_connections_at_once_leave_no_descriptor(dockerd: Dockerd, store: Store, runtime: Path) -> None:
    register_engine(store, "orionbox", dockerd)
    command = [*COMMAND, "-s", store.root, "socket", "orionbox"]
    # The usual limit of open files does not hold them.
    limited = ["sh", "-c", 'ulimit -S -n 1024; exec "$@"', "sh", *command]
    with subprocess.Popen(limited, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        path = process.stdout.readline().split('"')[1].removeprefix("unix://")
        descriptors = Path(f"/proc/{process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        asyncio.run(ask_at_once(path, 600))
        # The last ones are closed when another is answered.
        while len(list(descriptors.iterdir())) > before + 2:
            asyncio.run(ask_at_once(path, 1))
        process.terminate()
    assert left_open(runtime) == []


async def ask_at_once(path: str, count: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    everybody = asyncio.Barrier(count)

    async def ask() -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        await everybody.wait()
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(ask() for _ in range(count)))
