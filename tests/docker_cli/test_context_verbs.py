"""`context ls`, `sync` and `import`, as they are typed, with the docker CLI to judge them by."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl.docker_cli.contexts import Contexts
from machinectl.machines.store import Store
from machinectl.verbs.certs import create_certificates
from tests.support.docker_cli import DockerCli
from tests.support.in_process import machinectl

if TYPE_CHECKING:
    import subprocess

    from tests.support.dockerd import Dockerd

SSH = ("create", "--no-provision", "-d", "none", "--url", "ssh://ops@orion")


@pytest.fixture
def docker(tmp_path: Path) -> DockerCli:
    return DockerCli(tmp_path / "home" / ".docker")


def run(
    store: Store, *arguments: str | Path, code: int = 0, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    process = machinectl(*arguments, store=store.root, environment=environment)
    assert process.returncode == code, process.stderr
    return process


def rows(store: Store, **environment: str) -> dict[str, dict[str, Any]]:
    listed = run(store, "context", "ls", "--json", environment=environment).stdout
    return {row["Name"]: row for row in json.loads(listed)}


def test_ls_shows_each_machine_with_its_context_and_what_is_not_in_step(store: Store, docker: DockerCli) -> None:
    for name in ("orionbox", "default", "changed", "gone"):
        run(store, *SSH, name)
    run(store, *SSH, "--no-context", "hidden")
    docker("context", "create", "theirs", "--docker", "host=tcp://10.0.0.1:2375")
    run(store, *SSH, "theirs")
    docker("context", "update", "changed", "--docker", "host=tcp://10.0.0.1:2375")
    docker("context", "rm", "gone")
    docker("context", "use", "orionbox")
    shown = run(store, "context", "ls")
    assert [line.split(maxsplit=3) for line in shown.stdout.splitlines()] == [
        ["NAME", "CONTEXT", "CURRENT", "STATE"],
        ["changed", "changed", "-", "it leads to tcp://10.0.0.1:2375"],
        ["default", "-", "-", 'docker keeps the name "default" for itself'],
        ["gone", "-", "-", "it is missing"],
        ["hidden", "-", "-", "not wanted (--no-context)"],
        ["orionbox", "orionbox", "*", "in step"],
        ["theirs", "-", "-", 'docker has a context "theirs" that is not machinectl\'s'],
    ]
    assert shown.stderr.count("machinectl context sync\n") == 2
    listed = rows(store)["orionbox"]
    assert listed == {"Name": "orionbox", "Context": "orionbox", "Current": True, "InStep": True, "Why": ""}
    assert not rows(store, DOCKER_HOST="tcp://x:1")["orionbox"]["Current"]


def test_sync_mends_what_was_changed_behind_our_back_and_then_has_nothing_to_do(
    store: Store, docker: DockerCli, tmp_path: Path
) -> None:
    create_certificates(str(tmp_path / "certs"), ["10.0.0.1"])
    run(store, "create", "-d", "none", "--url", "tcp://10.0.0.1:2376", "--tls-dir", tmp_path / "certs", "secured")
    for name in ("changed", "missing", "left"):
        run(store, *SSH, name)
    contexts = Contexts(str(docker.config))
    docker("context", "update", "changed", "--docker", "host=tcp://10.0.0.9:2375")
    docker("context", "rm", "missing")
    shutil.rmtree(store.directory("left"))
    os.unlink(os.path.join(contexts.place("tls", "secured"), "docker", "key.pem"))
    mended = run(store, "context", "sync")
    assert mended.stdout.splitlines() == [
        "changed: written (it leads to tcp://10.0.0.9:2375)",
        "missing: written (it is missing)",
        "secured: written (its certificates are not the machine's)",
        "left: removed (its machine is gone)",
    ]
    assert docker.contexts() == {"changed", "missing", "secured"}
    assert all(row["InStep"] for row in rows(store).values())
    again = run(store, "context", "sync")
    assert (again.stdout, again.stderr) == ("", "All contexts are in step\n")


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("cert.pem", "cut"),
        ("key.pem", "another's"),
        ("ca.pem", "missing"),
    ],
)
def test_sync_never_replaces_a_context_by_damaged_certificates(
    store: Store, docker: DockerCli, tmp_path: Path, file: str, damage: str
) -> None:
    for made in ("certs", "others"):
        create_certificates(str(tmp_path / made), ["10.0.0.1"])
    run(store, "create", "-d", "none", "--url", "tcp://10.0.0.1:2376", "--tls-dir", tmp_path / "certs", "secured")
    contexts = Contexts(str(docker.config))
    before = contexts.read("secured")
    path = Path(store.directory("secured"), file)
    contents = {"cut": path.read_bytes()[:99], "another's": (tmp_path / "others" / file).read_bytes()}
    path.unlink()
    if damage in contents:
        path.write_bytes(contents[damage])
    refused = run(store, "context", "sync", code=1)
    assert (refused.stdout, contexts.read("secured")) == ("", before)
    cause, hint = refused.stderr.splitlines()
    assert file in cause
    assert cause.endswith("; the docker context stays as it was")
    assert hint.strip() == "Get its certificates from whoever made them: machinectl certs import secured <DIR>"
    assert rows(store)["secured"]["Why"] in cause
    examined = json.loads(run(store, "doctor", "--json", "secured", code=1).stdout)
    [check] = [one for each in examined for one in each["Checks"] if one["Title"] == "docker contexts"]
    assert check["Hint"] == hint.strip()
    run(store, "set", "--label", "rack=a", "secured")
    assert contexts.read("secured") == before


def test_a_store_that_was_moved_takes_its_contexts_over(store: Store, docker: DockerCli, tmp_path: Path) -> None:
    run(store, *SSH, "orionbox")
    moved = Store(str(tmp_path / "moved"))
    os.rename(store.root, moved.root)
    assert "belongs to another store" in rows(moved)["orionbox"]["Why"]
    run(moved, "context", "sync")
    assert rows(moved)["orionbox"]["InStep"]
    assert docker.contexts() == {"orionbox"}


def test_sync_says_who_cannot_be_mended_and_mends_the_others(store: Store, docker: DockerCli) -> None:
    for name in ("orionbox", "rigel"):
        run(store, *SSH, name)
        docker("context", "rm", name)
    # What cannot be moved out of the way.
    place = Path(Contexts(str(docker.config)).place("meta", "orionbox"))
    place.write_text("in the way")
    (docker.config / "contexts" / "meta").chmod(0o700)
    done = run(store, "context", "sync")
    assert docker.contexts() == {"orionbox", "rigel"}, done.stderr
    (docker.config / "contexts").chmod(0o777)
    docker("context", "rm", "rigel")
    assert "everybody may write to it" in run(store, "context", "sync", code=1).stderr


def test_a_machine_is_made_of_a_context_which_stays_as_it_is(store: Store, docker: DockerCli, dockerd: Dockerd) -> None:
    files = ",".join(f"{name}={dockerd.directory}/{name}.pem" for name in ("ca", "cert", "key"))
    docker("context", "create", "their_engine", "--docker", f"host={dockerd.url},{files}")
    docker("context", "create", "local", "--docker", f"host=unix://{dockerd.socket}")
    before = {path: path.read_bytes() for path in docker.config.rglob("*") if path.is_file()}
    run(store, "context", "import", "their_engine", "theirs")
    run(store, "context", "import", "local")
    for name in ("theirs", "local"):
        assert run(store, "status", name).stdout == "Running\n"
        run(store, "set", "--label", "rack=a", name)
    assert docker.contexts() == {"their_engine", "local"}
    run(store, "rm", "-y", "theirs", "local")
    assert {path: path.read_bytes() for path in docker.config.rglob("*") if path.is_file()} == before


def test_a_context_that_no_machine_can_be_made_of_is_refused(store: Store, docker: DockerCli) -> None:
    for name, host in (
        ("theirs", "tcp://10.0.0.1:2375"),
        ("taken", "tcp://10.0.0.1:2375"),
        ("loose", "tcp://10.0.0.1:2376,skip-tls-verify=true"),
        ("pipe", "tcp://10.0.0.1:2375"),
    ):
        docker("context", "create", name, "--docker", f"host={host}")
    meta = Path(Contexts(str(docker.config)).place("meta", "pipe"), "meta.json")
    meta.write_text(meta.read_text().replace("tcp://10.0.0.1:2375", "npipe:////./pipe/docker"))
    # A context is a file that may come from anybody.
    meta = Path(Contexts(str(docker.config)).place("meta", "loose"), "meta.json")
    meta.write_text(meta.read_text().replace("tcp://10.0.0.1:2376", "tcp://x; touch ran"))
    run(store, *SSH, "taken")
    for context, cause, hint in (
        ("default", "There is no docker context", "docker context ls"),
        ("theirz", "There is no docker context", 'Did you mean "theirs"?'),
        ("loose", "skips verification", "--tls-dir <DIR> --url 'tcp://x; touch ran' loose"),
        ("pipe", "npipe", "Write for example"),
        ("taken", "already exists", "Choose another name"),
    ):
        process = machinectl("context", "import", context, store=store.root)
        assert process.returncode in {1, 2}
        assert cause in process.stderr
        assert hint in process.stderr
    assert store.names() == ["taken"]
