"""`builder` as users type it, with docker's buildx and real engines to judge it by."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.docker_cli.buildx import failure_reason
from machinectl.machines.record import Machine, Phase
from tests.support.docker_cli import DockerCli
from tests.support.in_process import machinectl
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd


@functools.cache
def has_buildx() -> bool:
    return subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def docker(
    store: Store, dockerd: Dockerd, containerd_store: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DockerCli:
    """A docker CLI that knows the machines orionbox and rigel."""
    # buildx starts in four fifths of the time without Go's garbage collector.
    monkeypatch.setenv("GOGC", "off")
    cli = DockerCli(tmp_path / "home" / ".docker")
    if not has_buildx():
        need("docker-buildx")
    for name, engine in (("orionbox", dockerd), ("rigel", containerd_store)):
        run(store, "create", "-d", "none", "--url", engine.url, "--tls-dir", engine.directory, name)
    return cli


def run(store: Store, *arguments: str | Path, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    done = machinectl(*arguments, store=store.root, environment=variables)
    assert done.returncode == code, done.stderr
    return done


def nodes(docker: DockerCli, builder: str = "machinectl") -> list[dict[str, Any]]:
    """A builder's nodes, as buildx keeps them."""
    path = docker.config / "buildx" / "instances" / builder
    found: list[dict[str, Any]] = json.loads(path.read_text())["Nodes"] if path.exists() else []
    return found


def endpoints(docker: DockerCli, builder: str = "machinectl") -> dict[str, bool]:
    """Each node's context, and whether the node has a platform of its own."""
    return {each["Endpoint"]: bool(each["Platforms"]) for each in nodes(docker, builder)}


def state(store: Store) -> list[str]:
    return [line.rpartition("   ")[2] for line in run(store, "builder", "ls").stdout.splitlines()[1:]]


def test_a_builder_has_a_node_for_each_machine_and_its_platform(store: Store, docker: DockerCli) -> None:
    made = run(store, "builder", "orionbox", "rigel", "--use", "--driver-opt", "network=host")
    assert made.stdout == "machinectl\n"
    [platform] = {f"{p['os']}/{p['architecture']}" for p in nodes(docker)[0]["Platforms"]}
    assert made.stderr.startswith(
        f"Nodes: orionbox ({platform}); buildx builds a platform on its first machine, so not on rigel\n"
    )
    assert f"docker buildx build --platform {platform} ." in made.stderr
    assert endpoints(docker) == {"orionbox": True, "rigel": False}
    assert [each["DriverOpts"] for each in nodes(docker)] == [{"network": "host"}] * 2
    assert docker("buildx", "inspect").splitlines()[0].split() == ["Name:", "machinectl"]
    [listed] = json.loads(run(store, "builder", "ls", "--json").stdout)
    assert listed["Nodes"] == [
        {"Name": "machinectl-orionbox", "Machine": "orionbox", "Platforms": [platform], "Why": ""},
        {"Name": "machinectl-rigel", "Machine": "rigel", "Platforms": [], "Why": ""},
    ]
    assert state(store) == ["ready"]
    assert run(store, "builder", "ls", "-q").stdout == "machinectl\n"
    assert run(store, "builder", "rm", "machinectl").stdout == "machinectl\n"
    assert nodes(docker) == []
    assert run(store, "builder", "ls", "-q").stdout == ""


def test_a_node_of_a_machine_that_is_gone_is_said_and_the_builder_is_made_again(
    store: Store, docker: DockerCli
) -> None:
    run(store, "builder", "-a")
    run(store, "rename", "rigel", "vega")
    assert state(store) == ["rigel: there is no such machine any more"]
    again = "machinectl builder rm machinectl && machinectl builder --name machinectl orionbox"
    lacks = 'The builder "machinectl" cannot use all its nodes'
    assert run(store, "builder", "ls").stderr == f"{lacks}\n  Make it again: {again}\n"
    doctor = json.loads(machinectl("doctor", "--json", store=store.root).stdout)
    found = [check for each in doctor for check in each["Checks"] if check["Title"] == "docker builders"]
    assert [check["Hint"] for check in found] == [f"Make it again: {again}"]
    refused = run(store, "builder", "--append", "vega", code=1)
    assert "has nodes without a machine: rigel: there is no such machine any more" in refused.stderr
    assert run(store, "builder", "rm", "machinectl").stdout == "machinectl\n"
    run(store, "builder", "-a")
    assert endpoints(docker) == {"orionbox": True, "vega": False}
    run(store, "set", "--no-context", "vega")
    assert state(store) == ["vega: it has no docker context: not wanted (--no-context)"]


def test_machines_are_added_to_a_builder_only_where_that_is_asked_for(store: Store, docker: DockerCli) -> None:
    run(store, "builder", "--name", "Fast", "orionbox")
    refused = run(store, "builder", "create", "--name", "fast", "rigel", code=1).stderr
    assert 'There is a builder "fast" already, with orionbox\n' in refused
    assert "Add to it: --append" in refused
    run(store, "builder", "--append", "--name", "fast", "rigel")
    assert endpoints(docker, "fast") == {"orionbox": True, "rigel": False}
    again = run(store, "builder", "--name", "fast", "-a", "--driver-opt", "network=host", code=1)
    assert "machinectl builder rm fast && machinectl builder --name fast orionbox rigel" in again.stderr


def test_rm_names_the_command_that_removes_what_an_engine_that_is_off_keeps(store: Store, docker: DockerCli) -> None:
    run(store, "builder", "-a")
    docker("context", "update", "rigel", "--docker", "host=tcp://127.0.0.1:1")
    removed = run(store, "builder", "rm", "machinectl")
    containers = "buildx_buildkit_machinectl-orionbox buildx_buildkit_machinectl-rigel"
    caches = "buildx_buildkit_machinectl-orionbox_state buildx_buildkit_machinectl-rigel_state"
    assert removed.stdout == "machinectl\n"
    assert removed.stderr.endswith(
        f"When all machines answer: machinectl docker orionbox rigel -- rm -f {containers}; "
        f"machinectl docker orionbox rigel -- volume rm -f {caches}\n"
    )
    on_each = ["docker", "orionbox", "rigel", "--"]
    run(store, *on_each, "rm", "-f", *containers.split())
    run(store, *on_each, "volume", "rm", "-f", *caches.split())


def test_builders_of_others_are_left_alone(store: Store, docker: DockerCli) -> None:
    docker("buildx", "create", "--name", "machinectl", "orionbox")
    before = nodes(docker)
    assert 'There is a builder "machinectl" that machinectl did not make' in run(store, "builder", "-a", code=1).stderr
    removed = run(store, "builder", "rm", "machinectl", code=1)
    assert 'machinectl made no builder "machinectl"' in removed.stderr
    run(store, "rename", "rigel", "vega")
    assert nodes(docker) == before
    assert run(store, "builder", "ls", "-q").stdout == ""
    taken = run(store, "builder", "--name", "orionbox", "vega", code=1)
    assert 'buildx takes the docker context "orionbox" for a builder of that name' in taken.stderr
    assert "made no builder" in run(store, "builder", "rm", "../instances/machinectl", code=1).stderr


def test_a_failure_leaves_nothing_behind(store: Store, docker: DockerCli) -> None:
    added(store, Machine("off", "none", url="tcp://127.0.0.1:1", phase=Phase.READY, context=True))
    assert 'Error: "off": ' in run(store, "builder", "-a", code=1).stderr
    run(store, "builder", "-a", code=1)
    run(store, "rm", "-y", "off")
    refused = run(store, "builder", "-a", "--driver-opt", "nosuch=1", code=1)
    assert "docker buildx create: failed to initialize builder machinectl" in refused.stderr
    for option in ("x", "a=b\n", "a=b\rc=d"):
        assert "docker buildx create: " in run(store, "builder", "-a", "--driver-opt", option, code=1).stderr
    own = run(store, "builder", "-a", "--name", "default", code=2)
    assert own.stderr == 'Error: "default" is docker\'s own builder\n  Choose another name: --name <NAME>\n'
    assert nodes(docker) == []
    assert run(store, "builder", "ls", "-q").stdout == ""
    run(store, "set", "--no-context", "rigel")
    assert "machinectl set --context rigel" in run(store, "builder", "-a", code=1).stderr
    assert "unset MACHINECTL_CONTEXTS" in run(store, "builder", "-a", code=1, MACHINECTL_CONTEXTS="off").stderr


def test_a_computer_without_docker_or_buildx_says_so(store: Store, docker: DockerCli, tmp_path: Path) -> None:
    assert nodes(docker) == []
    (tmp_path / "bin").mkdir()
    without = run(store, "builder", "orionbox", code=1, PATH=str(tmp_path / "bin"))
    assert "Install the docker CLI" in without.stderr
    program = tmp_path / "bin" / "docker"
    program.write_text("#!/bin/sh\necho \"docker: 'buildx' is not a docker command.\" >&2\nexit 1\n")
    program.chmod(0o755)
    without = run(store, "builder", "orionbox", code=1, PATH=f"{tmp_path}/bin{os.pathsep}/bin")
    assert "docker has no buildx here" in without.stderr


def test_a_failure_of_buildx_is_one_line_with_its_reason() -> None:
    assert failure_reason("time=… level=warning\nERROR: no such context\n") == "no such context"
    over_ssh = "failed to remove b: error during connect: command [ssh -l ops] has exited: stderr=Permission denied\n"
    assert failure_reason(f"{over_ssh}\nERROR: failed to remove one or more builders\n") == "Permission denied"
    assert failure_reason("") == "it does not say why"
