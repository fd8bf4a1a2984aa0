"""`machinectl compose` on real hosts: docker compose with the files of this computer."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.container import IMAGE
from tests.support.lab_cli import Cli, generic
from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.host import Host
    from tests.lab.lan import Lab

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("ssh_config")]

COPIES = "/var/lib/machinectl/compose"
# Seconds until something happens, at most, and between looks.
PATIENCE, PAUSE = 30, 0.05
COMPOSE = f"""
name: shop
services:
  web:
    image: {IMAGE}
    command: [sh, -c, "while :; do sleep 1; done"]
    stop_grace_period: 0s
    network_mode: none
    env_file: ./web.env
    volumes:
      - ./html:/www
      - ./web.conf:/etc/web.conf:ro
      - data:/data
    configs: [site]
    secrets: [password]
configs:
  site: {{file: ./site.txt}}
secrets:
  password: {{file: ./password.txt}}
volumes:
  data: {{}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    need("docker")
    directory = tmp_path / "shop"
    (directory / "html" / "css").mkdir(parents=True)
    (directory / "compose.yaml").write_text(COMPOSE)
    (directory / "html" / "index.html").write_text("hello")
    (directory / "html" / "css" / "a.css").write_text("a")
    for name in ("web.env", "web.conf", "site.txt", "password.txt"):
        (directory / name).write_text(f"NAME={name}\n")
    (directory / "password.txt").chmod(0o600)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("MACHINECTL_CONTEXTS", "off")
    return directory


@pytest.fixture
def hosts(lab: Lab, cli: Cli) -> Iterator[Callable[..., list[Host]]]:
    """Make machines of new hosts that run an engine."""
    made: list[Host] = []

    def make(*names: str, user: str = "ops") -> list[Host]:
        booted = lab.up(["docker"], count=len(names))
        made.extend(booted)
        for host, name in zip(booted, names, strict=True):
            host.wait_booted()
            cli.ok(*generic(host, name=name, user=user))
            host.run("mkdir -p /i/bin && cp /usr/bin/busybox /i/bin && chroot /i /bin/busybox --install /bin")
            host.run(f"tar -C /i -c . | docker import - {IMAGE}")
        return booted

    yield make
    for host in made:
        host.remove()


def in_web(cli: Cli, command: str, name: str = "orion") -> str:
    return cli.ok("compose", name, "exec", "-T", "web", "sh", "-c", command).stdout


def containers(host: Host) -> str:
    return host.output("docker ps -q --no-trunc")


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what
        time.sleep(PAUSE)


def test_a_project_has_its_files_on_the_host_and_its_containers_keep_what_they_wrote(
    hosts: Callable[..., list[Host]], cli: Cli, project: Path
) -> None:
    [host] = hosts("orion")
    first = cli.ok("compose", "orion", "up", "-d")
    assert "Plain docker compose would" in first.stderr
    assert in_web(cli, "cat /www/index.html /www/css/a.css") == "helloa"
    seen = in_web(cli, "cat /etc/web.conf /site /run/secrets/password; echo $NAME")
    assert seen.split() == ["NAME=web.conf", "NAME=site.txt", "NAME=password.txt", "web.env"]
    assert host.output(f"stat -c %a {COPIES}/*").split() == ["700"]
    assert cli.run("compose", "orion", "exec", "-T", "web", "sh", "-c", "exit 7").returncode == 7

    # What changes here is seen by the same containers: a file that is mounted alone, too.
    container = containers(host)
    (project / "html" / "index.html").write_text("new")
    (project / "html" / "css" / "a.css").unlink()
    (project / "new.conf").write_text("NEW")
    (project / "new.conf").rename(project / "web.conf")
    second = cli.ok("compose", "orion", "up", "-d")
    assert "Plain" not in second.stderr
    assert in_web(cli, "cat /www/index.html /etc/web.conf; ls /www/css") == "newNEW"
    assert containers(host) == container

    # What containers made, changed or own stays theirs.
    in_web(cli, "chown -R 999 /www; chmod 700 /www/css; echo mine >/www/css/theirs; echo theirs >/www/index.html")
    in_web(cli, "mkdir /www/pg; echo 1 >/www/pg/1")
    (project / "html" / "index.html").write_text("ours, which is longer")
    (project / "html" / "more.html").write_text("more")
    (project / "html" / "css").rmdir()
    kept = cli.ok("compose", "orion", "up", "-d")
    assert f"keeps its own {project}/html/css, {project}/html/index.html" in kept.stderr or (
        f"keeps its own {project}/html/index.html" in kept.stderr
    )
    assert in_web(cli, "cat /www/index.html /www/more.html /www/css/theirs /www/pg/1") == "theirs\nmoremine\n1\n"
    assert in_web(cli, "stat -c %u /www /www/index.html /www/pg").split() == ["999", "999", "0"]
    assert containers(host) == container

    # With nothing changed, nothing is sent.
    assert "Sending" not in cli.ok("compose", "orion", "up", "-d").stderr

    # Copies that are gone are made anew, and containers with them: theirs would stay empty.
    host.run(f"rm -r {COPIES}/*")
    cli.ok("compose", "orion", "up", "-d")
    assert containers(host) != container
    assert in_web(cli, "cat /www/index.html") == "ours, which is longer"
    assert cli.run("compose", "orion", "run", "-T", "--rm", "web", "cat").returncode == 0

    # Another directory does not replace its containers.
    other = project.parent / "other"
    shutil.copytree(project, other)
    os.chdir(other)
    assert f"from {project}" in cli.refused("compose", "orion", "up", "-d")
    os.chdir(project)
    cli.ok("compose", "orion", "down", "--files")
    assert host.output(f"ls {COPIES} 2>/dev/null || echo none") == "none"
    assert list((cli.store / "machines" / "orion" / "compose").iterdir()) == [
        cli.store / "machines" / "orion" / "compose" / "id"
    ]


def test_what_is_outside_of_the_project_is_copied_only_if_it_is_allowed(
    hosts: Callable[..., list[Host]], cli: Cli, project: Path
) -> None:
    [host] = hosts("orion", user="root")
    shared = project.parent / "shared"
    shared.mkdir()
    (shared / "x").write_text("shared")
    absolute = project.parent / "absolute"
    absolute.mkdir()
    text = COMPOSE.replace(
        "- data:/data", f"- ../shared:/shared\n      - {absolute}:/absolute\n      - ${{PWD}}/html:/own"
    )
    (project / "compose.yaml").write_text(text)
    error = cli.refused("compose", "orion", "up", "-d", PWD=str(project))
    assert "../shared" in error
    assert f"machinectl compose --allow {shared}" in error
    assert containers(host) == ""
    done = cli.ok("compose", "--allow", "../shared", "orion", "up", "-d", PWD=str(project))
    assert f'"orion" has no {absolute}' in done.stderr
    assert in_web(cli, "cat /shared/x /own/index.html; ls /absolute") == "sharedhello"
    # A link of a container leads no copy elsewhere.
    in_web(cli, "rm -r /www/css; ln -s /etc /www/css")
    (project / "html" / "css" / "passwd").write_text("hostile")
    kept = cli.ok("compose", "--allow", "../shared", "orion", "up", "-d", PWD=str(project))
    assert f"keeps its own {project}/html/css" in kept.stderr
    assert host.output("grep -c hostile /etc/passwd || :") == "0"
    cli.ok("rm", "-y", "--purge", "orion")
    assert host.output(f"ls {COPIES} 2>/dev/null || echo none") == "none"


@pytest.mark.usefixtures("project")
def test_one_project_runs_on_several_machines_and_a_failure_stops_nobody_else(
    hosts: Callable[..., list[Host]], cli: Cli
) -> None:
    orion, rigel = hosts("orion", "rigel")
    for name in ("orion", "rigel"):
        cli.ok("set", "--label", "role=web", name)
    cli.ok("compose", "-l", "role=web", "--", "up", "-d")
    assert {in_web(cli, "cat /www/index.html", name) for name in ("orion", "rigel")} == {"hello"}
    orion.run("systemctl stop docker.socket docker")
    done = cli.run("compose", "orion", "rigel", "--", "restart")
    assert done.returncode == 1
    assert "1 of 2 failed: orion" in done.stderr
    assert "rigel |  Container shop-web-1  Started" in done.stderr
    assert containers(rigel)


def test_a_run_that_is_killed_at_any_moment_is_finished_by_the_next(
    hosts: Callable[..., list[Host]], cli: Cli, project: Path
) -> None:
    [host] = hosts("orion")
    host.run(f"mkdir -p {COPIES} && mount -t tmpfs -o size=2m full {COPIES}")
    cli.ok("compose", "orion", "up", "-d")
    moments = random.Random(1)
    for turn in range(40):
        for number in range(200):
            (project / "html" / f"{number}").write_text(f"{turn} {number}" * 100)
        (project / "web.conf").write_text(f"{turn}\n" * (turn + 1))
        run = cli.start("compose", "orion", "up", "-d")
        time.sleep(moments.uniform(0, 1.5))
        run.kill(signal.SIGKILL)
    cli.ok("compose", "orion", "up", "-d")
    assert in_web(cli, "cat /etc/web.conf") == (project / "web.conf").read_text()
    here = subprocess.run(["sh", "-c", "cd html && sha256sum [0-9]*"], capture_output=True, text=True, check=True)
    assert in_web(cli, "cd /www && sha256sum [0-9]*") == here.stdout

    # On a full disk there is one error, and containers have what they had.
    before = in_web(cli, "cat /etc/web.conf; ls /www")
    (project / "html" / "large").write_bytes(bytes(3 << 20))
    (project / "web.conf").write_text("small")
    assert "No space left on device" in cli.refused("compose", "orion", "up", "-d")
    assert in_web(cli, "cat /etc/web.conf; ls /www") == before
    (project / "html" / "large").unlink()
    cli.ok("compose", "orion", "up", "-d")
    assert in_web(cli, "cat /etc/web.conf") == "small"

    # While it watches, each save is seen.
    run = cli.start("compose", "--watch", "orion", "up", "-d")
    run.until("Watching")
    (project / "html" / "index.html").write_text("watched")
    until(lambda: in_web(cli, "cat /www/index.html") == "watched", "the change is never there")
    shutil.rmtree(project / "html")
    until(lambda: in_web(cli, "ls /www") == "", "the removal is never there")
    assert run.kill(signal.SIGINT).returncode == 0
    listed = json.loads(cli.ok("compose", "orion", "ps", "--format", "json").stdout.splitlines()[0])
    assert listed["State"] == "running"
