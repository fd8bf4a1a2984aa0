"""`builder` as users type it, with docker's buildx and real engines to judge it by."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.docker_cli.buildx import csv_field, failure_reason, parse_options
from machinectl.hosts.exports.builders import remote_node
from machinectl.machines.answered_address import ENGINE
from machinectl.machines.record import Machine, Phase
from tests.support.docker_cli import DockerCli
from tests.support.in_process import machinectl
from tests.support.program import killed_at
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
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
        f"Nodes: orionbox ({platform}), rigel ({platform}); "
        "buildx builds a platform on its first machine, so not on rigel\n"
    )
    assert f"docker buildx build --platform {platform} ." in made.stderr
    assert endpoints(docker) == {"orionbox": True, "rigel": False}
    assert [each["DriverOpts"] for each in nodes(docker)] == [{"network": "host"}] * 2
    assert docker("buildx", "inspect").splitlines()[0].split() == ["Name:", "machinectl"]
    [listed] = json.loads(run(store, "builder", "ls", "--json").stdout)
    assert (listed["Driver"], listed["Why"]) == ("docker-container", "")
    assert listed["Nodes"][1] == {
        "Name": "machinectl-rigel",
        "Machine": "rigel",
        "Platform": platform,
        "InStep": True,
        "Why": "",
    }
    assert run(store, "builder", "ls", "-q").stdout == "machinectl\n"
    assert run(store, "builder", "rm", "machinectl").stdout == "machinectl\n"
    assert nodes(docker) == []
    assert run(store, "builder", "ls", "-q").stdout == ""


def test_a_builder_follows_its_machines(store: Store, docker: DockerCli) -> None:
    run(store, "builder", "-a")
    run(store, "rename", "rigel", "vega")
    assert endpoints(docker) == {"orionbox": True, "vega": False}
    gone = run(store, "rm", "-y", "orionbox")
    assert 'The builder "machinectl" no longer has "orionbox"' in gone.stderr
    # The next machine of the platform builds it.
    assert endpoints(docker) == {"vega": True}
    assert state(store) == ["in step"]
    run(store, "set", "--no-context", "vega")
    assert nodes(docker) == []
    assert run(store, "builder", "ls", "-q").stdout == ""


def test_machines_are_added_to_a_builder_only_where_that_is_asked_for(store: Store, docker: DockerCli) -> None:
    run(store, "builder", "--name", "Fast", "orionbox")
    refused = run(store, "builder", "create", "--name", "fast", "rigel", code=1).stderr
    assert 'There is a builder "fast" already, with orionbox\n' in refused
    assert "machinectl builder --append --name fast rigel; or" in refused
    run(store, "builder", "--append", "--name", "fast", "rigel")
    assert endpoints(docker, "fast") == {"orionbox": True, "rigel": False}
    again = run(store, "builder", "--name", "fast", "-a", "--driver-opt", "network=host", code=1)
    assert "machinectl builder rm fast && machinectl builder --name fast orionbox rigel" in again.stderr
    booted = run(store, "builder", "--name", "fast", "--use", "--bootstrap", "rigel", code=1)
    assert "machinectl builder rm fast && machinectl builder --use --bootstrap --name fast rigel" in booted.stderr


def test_what_docker_buildx_removed_is_made_again_by_the_same_command(store: Store, docker: DockerCli) -> None:
    run(store, "builder", "-a")
    docker("buildx", "create", "--name", "machinectl", "--node", "machinectl-rigel", "--leave")
    assert state(store) == ["rigel: docker buildx has removed its node"]
    run(store, "builder", "-a")
    assert endpoints(docker) == {"orionbox": True, "rigel": False}
    docker("buildx", "rm", "machinectl")
    assert state(store) == ["docker buildx has removed it"]
    run(store, "builder", "-a")
    assert endpoints(docker) == {"orionbox": True, "rigel": False}


@pytest.mark.parametrize("moment", [4, 6])
def test_a_killed_run_is_finished_by_the_same_command(moment: int, store: Store, docker: DockerCli) -> None:
    assert killed_at(moment, store.root, "builder", "-a").returncode == -signal.SIGKILL
    run(store, "builder", "-a")
    assert endpoints(docker) == {"orionbox": True, "rigel": False}
    assert state(store) == ["in step"]


def test_a_machine_that_does_not_answer_keeps_the_builder_out_of_step_until_sync(
    store: Store, docker: DockerCli
) -> None:
    run(store, "builder", "-a")
    docker("context", "update", "rigel", "--docker", "host=tcp://127.0.0.1:1")
    renamed = run(store, "rename", "orionbox", "vega")
    assert "vega: docker's builder is not in step" in renamed.stderr
    assert "then: machinectl builder sync" in renamed.stderr
    assert state(store) == ["vega: its node led to orionbox"]
    doctor = json.loads(machinectl("doctor", "--json", store=store.root).stdout)
    found = [check for each in doctor for check in each["Checks"] if check["Title"] == "docker builders"]
    assert [check["Hint"] for check in found] == ["Update it: machinectl builder sync"]
    run(store, "context", "sync")
    mended = run(store, "builder", "sync")
    assert mended.stdout == "machinectl: vega set (its node led to orionbox)\n"
    assert state(store) == ["in step"]
    assert run(store, "builder", "sync").stderr == "All builders are in step\n"


def lead(store: Store, name: str, url: str) -> str:
    """Give a machine's engine another address; return the one before."""
    with store.writing(name) as held:
        before, held.machine.url = held.machine.url, url
        held.write()
    run(store, "context", "sync")
    return before


@pytest.mark.parametrize("renamed", [{"rigel": "vega"}, {"orionbox": "altair", "rigel": "vega"}])
def test_sync_repairs_a_builder_whose_machines_were_renamed_while_they_were_off(
    renamed: dict[str, str], store: Store, docker: DockerCli
) -> None:
    run(store, "builder", "-a", "--driver-opt", "network=host")
    urls = {new: lead(store, old, "tcp://127.0.0.1:1") for old, new in renamed.items()}
    for old, new in renamed.items():
        run(store, "rename", old, new)
    assert state(store) == ["; ".join(f"{new}: its node led to {old}" for old, new in renamed.items())]
    assert "docker buildx create" in run(store, "builder", "sync", code=1).stderr
    for name, url in urls.items():
        lead(store, name, url)
    mended = run(store, "builder", "sync")
    assert mended.stdout.splitlines() == [
        f"machinectl: {new} set (its node led to {old})" for old, new in renamed.items()
    ]
    assert endpoints(docker) == {renamed.get("orionbox", "orionbox"): True, "vega": False}
    assert [each["DriverOpts"] for each in nodes(docker)] == [{"network": "host"}] * 2
    assert state(store) == ["in step"]


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


def test_sync_says_what_stays_out_of_step(store: Store, docker: DockerCli, tmp_path: Path) -> None:
    run(store, "builder", "orionbox", BUILDX_CONFIG=str(tmp_path / "buildx"))
    assert nodes(docker) == []
    left = run(store, "builder", "sync")
    assert left.stderr.startswith(f"Warning: machinectl: buildx keeps it in {tmp_path}/buildx\n")


def test_builders_of_others_are_left_alone(store: Store, docker: DockerCli) -> None:
    docker("buildx", "create", "--name", "machinectl", "orionbox")
    before = nodes(docker)
    assert 'There is a builder "machinectl" that machinectl did not make' in run(store, "builder", "-a", code=1).stderr
    removed = run(store, "builder", "rm", "machinectl", code=1)
    assert "Remove it: docker buildx rm machinectl\n" in removed.stderr
    run(store, "rename", "rigel", "vega")
    run(store, "builder", "sync")
    assert nodes(docker) == before
    assert run(store, "builder", "ls", "-q").stdout == ""
    taken = run(store, "builder", "--name", "orionbox", "vega", code=1)
    assert 'buildx takes the docker context "orionbox" for a builder of that name' in taken.stderr
    assert "There is no builder" in run(store, "builder", "rm", "../instances/machinectl", code=1).stderr


def test_a_builder_of_another_buildx_directory_is_kept(store: Store, docker: DockerCli, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "buildx")
    run(store, "builder", "orionbox", BUILDX_CONFIG=elsewhere)
    assert nodes(docker) == []
    assert state(store) == [f"buildx keeps it in {tmp_path}/buildx"]
    for arguments in (("builder", "orionbox"), ("builder", "rm", "machinectl")):
        assert f"buildx keeps it in {tmp_path}/buildx" in run(store, *arguments, code=1).stderr
    run(store, "rename", "orionbox", "vega")
    run(store, "builder", "sync", BUILDX_CONFIG=elsewhere)
    assert '"Endpoint":"vega"' in (tmp_path / "buildx" / "instances" / "machinectl").read_text()
    run(store, "builder", "rm", "machinectl", BUILDX_CONFIG=elsewhere)
    assert run(store, "builder", "ls", "-q").stdout == ""


def test_a_failure_leaves_nothing_behind(store: Store, docker: DockerCli) -> None:
    added(store, Machine("off", "none", url="tcp://127.0.0.1:1", phase=Phase.READY, context=True))
    assert 'Error: "off": ' in run(store, "builder", "-a", code=1).stderr
    run(store, "builder", "-a", code=1)
    run(store, "rm", "-y", "off")
    refused = run(store, "builder", "-a", "--driver-opt", "nosuch=1", code=1)
    assert "docker buildx create: failed to initialize builder machinectl" in refused.stderr
    assert refused.stderr.endswith("\n  Remove or correct --driver-opt nosuch\n")
    for option in ("x", "a=b\n", "a=b\rc=d"):
        assert "--driver-opt takes KEY=VALUE" in run(store, "builder", "-a", "--driver-opt", option, code=2).stderr
    own = run(store, "builder", "-a", "--name", "default", code=2)
    assert own.stderr == 'Error: "default" is docker\'s own builder\n  Choose another name: --name <NAME>\n'
    assert nodes(docker) == []
    assert run(store, "builder", "ls", "-q").stdout == ""
    run(store, "set", "--no-context", "rigel")
    assert "machinectl set --context rigel" in run(store, "builder", "-a", code=1).stderr
    assert "unset MACHINECTL_CONTEXTS" in run(store, "builder", "-a", code=1, MACHINECTL_CONTEXTS="off").stderr


def test_a_builder_whose_buildkit_did_not_start_stays_and_the_error_says_so(store: Store, docker: DockerCli) -> None:
    image = "127.0.0.1:1/buildkit"
    failed = run(store, "builder", "-a", "--bootstrap", "--driver-opt", f"image={image}", code=1)
    first, again, other = failed.stderr.splitlines()
    assert first.startswith('Error: There is a builder "machinectl" now, but its BuildKit did not start: docker buildx')
    assert "127.0.0.1:1/v2/" in first
    assert again == "  Try again: docker buildx inspect --bootstrap machinectl"
    assert other == (
        "  If the hosts do not reach its registry: machinectl builder rm machinectl && "
        "machinectl builder --driver-opt image=<IMAGE> --bootstrap orionbox rigel"
    )
    assert endpoints(docker) == {"orionbox": True, "rigel": False}


def test_a_buildkitd_on_the_host_takes_the_machines_certificates(store: Store, docker: DockerCli) -> None:
    node = remote_node(store.read("orionbox"), 1234)
    assert node.endpoint == "tcp://127.0.0.1:1234"
    assert node.options == {
        "cacert": f"{store.root}/machines/orionbox/ca.pem",
        "cert": f"{store.root}/machines/orionbox/cert.pem",
        "key": f"{store.root}/machines/orionbox/key.pem",
    }
    several = store.read("orionbox")
    several.addresses = ["127.0.0.2"]
    Path(several.directory, ENGINE).write_text("127.0.0.2\n")
    assert remote_node(several, 1234).endpoint == "tcp://127.0.0.2:1234"
    closed = run(store, "builder", "--driver", "remote", "--port", "1", "orionbox", code=1)
    assert "nothing answers on port 1 of 127.0.0.1: Connection refused" in closed.stderr
    # The engine's port takes connections, too.
    engine = store.read("orionbox").url.rpartition(":")[2]
    wrong = run(store, "builder", "--driver", "remote", "--port", engine, "orionbox", code=1)
    assert f"no buildkitd accepts the machine's certificates on port {engine}" in wrong.stderr
    assert nodes(docker) == []
    assert "--driver remote" in run(store, "builder", "--port", "1", "orionbox", code=2).stderr
    added(store, Machine("vega", "none", url="ssh://ops@127.0.0.1:1", phase=Phase.READY))
    over_ssh = run(store, "builder", "--driver", "remote", "vega", code=1)
    assert '"vega" has no certificates for buildkitd: its engine is ssh://ops@127.0.0.1:1' in over_ssh.stderr


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


def test_a_record_that_cannot_be_read_is_said(store: Store) -> None:
    os.makedirs(store.root)
    for text in ("{", "[]", '{"b": {}}', '{"b": {"directory": "/", "port": 0, "nodes": [1]}}'):
        with open(f"{store.root}/builders.json", "w") as file:
            file.write(text)
        assert "is not a list of builders" in run(store, "builder", "ls", code=1).stderr


def test_options_are_read_and_written_as_buildx_does() -> None:
    assert parse_options(["image=a,network=host", '"env.A=1,2"']) == {"image": "a", "network": "host", "env.A": "1,2"}
    assert csv_field('cacert=/a,b/"c"') == '"cacert=/a,b/""c"""'


def test_a_failure_of_buildx_is_one_line_with_its_reason() -> None:
    assert failure_reason("time=… level=warning\nERROR: no such context\n") == "no such context"
    over_ssh = "failed to remove b: error during connect: command [ssh -l ops] has exited: stderr=Permission denied\n"
    assert failure_reason(f"{over_ssh}\nERROR: failed to remove one or more builders\n") == "Permission denied"
    assert failure_reason("") == "it does not say why"
