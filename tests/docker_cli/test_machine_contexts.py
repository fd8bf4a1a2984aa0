"""Docker contexts match the machines after every change, and other contexts are never changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.docker_cli.contexts import Contexts
from machinectl.docker_cli.machine_contexts import update_contexts
from machinectl.hosts.identity import Identity, store_pending
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store
from machinectl.verbs.certs import create_certificates
from tests.support.docker_cli import DockerCli
from tests.support.in_process import machinectl
from tests.support.program import started

if TYPE_CHECKING:
    from tests.support.dockerd import Dockerd

CREATE = ("create", "--no-provision", "-d", "none", "--url")
URL = "tcp://192.168.0.29:2376"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the docker CLI of the test's user keeps its things."""
    return tmp_path / "home" / ".docker"


@pytest.fixture
def docker(config: Path) -> DockerCli:
    return DockerCli(config)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    create_certificates(str(tmp_path / "certs"), ["192.168.0.29"])
    return tmp_path / "certs"


@pytest.fixture
def followed(store: Store, config: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store as the command line has it, in this process."""
    monkeypatch.setenv("DOCKER_CONFIG", str(config))

    def told(store: Store, name: str, before: Machine | None, after: Machine | None) -> None:
        update_contexts(store, name, before, after)

    return Store(store.root, [told])


def run(store: Store, *arguments: str | Path, code: int = 0, **variables: str) -> str:
    """Run a command line as a user does; return what it says on stderr."""
    process = machinectl(*arguments, store=store.root, environment=variables)
    assert process.returncode == code, process.stderr
    return process.stderr


def host(docker: DockerCli, name: str) -> str:
    found: str = docker.inspect(name)["Endpoints"]["docker"]["Host"]
    return found


def files(config: Path, name: str) -> dict[str, bytes]:
    found = Contexts(str(config)).read(name)
    assert found
    return found.files


def of_machine(store: Store, name: str) -> dict[str, bytes]:
    return {file: Path(store.directory(name), file).read_bytes() for file in ("ca.pem", "cert.pem", "key.pem")}


def test_a_machine_is_a_context_from_its_creation_to_its_end(
    store: Store, docker: DockerCli, config: Path, certificates: Path, tmp_path: Path
) -> None:
    assert run(store, *CREATE, URL, "--tls-dir", certificates, "orionbox") == ""
    assert host(docker, "orionbox") == URL
    assert files(config, "orionbox") == of_machine(store, "orionbox")
    run(store, "set", "--url", "tcp://192.168.0.30:2376", "orionbox")
    assert host(docker, "orionbox") == "tcp://192.168.0.30:2376"
    create_certificates(str(tmp_path / "others"), ["192.168.0.30"])
    run(store, "certs", "import", "--force", "orionbox", tmp_path / "others")
    assert files(config, "orionbox")["key.pem"] == (tmp_path / "others" / "key.pem").read_bytes()
    run(store, "rename", "orionbox", "rigel")
    assert docker.contexts() == {"rigel"}
    assert files(config, "rigel") == of_machine(store, "rigel")
    run(store, "rm", "-y", "rigel")
    assert docker.contexts() == set()
    assert not [file for _, _, found in os.walk(config) for file in found]


def test_docker_reaches_a_real_engine_by_the_context(store: Store, docker: DockerCli, dockerd: Dockerd) -> None:
    run(store, *CREATE, dockerd.url, "--tls-dir", dockerd.directory, "orionbox")
    run(store, *CREATE, f"unix://{dockerd.socket}", "local")
    for name in ("orionbox", "local"):
        assert docker("--context", name, "version", "--format", "{{.Server.Version}}").strip()
    run(store, "rename", "orionbox", "rigel")
    assert docker("--context", "rigel", "ps", "-q") == ""


def test_certificates_that_come_later_make_the_context(store: Store, docker: DockerCli, certificates: Path) -> None:
    said = run(store, *CREATE, URL, "orionbox")
    assert "has no certificates" in said
    assert "context" not in said
    assert docker.contexts() == set()
    run(store, "certs", "import", "orionbox", certificates)
    assert docker.contexts() == {"orionbox"}


def test_a_machine_with_no_context_never_gets_one(store: Store, docker: DockerCli) -> None:
    assert "context" not in run(store, *CREATE, "ssh://orion", "--no-context", "orionbox")
    run(store, "set", "--label", "rack=a", "orionbox")
    assert docker.contexts() == set()
    run(store, "set", "--context", "orionbox")
    assert docker.contexts() == {"orionbox"}
    run(store, "set", "--no-context", "orionbox")
    assert docker.contexts() == set()
    assert not store.read("orionbox").context


def test_other_contexts_are_never_changed(store: Store, docker: DockerCli, config: Path) -> None:
    docker("context", "create", "orionbox", "--description", "mine", "--docker", "host=tcp://10.0.0.1:2375")
    before = {path: path.read_bytes() for path in config.rglob("*") if path.is_file()}
    said = run(store, *CREATE, "ssh://orion", "orionbox")
    assert said.count("Warning:") == 1
    assert '"orionbox" gets no docker context: docker has a context "orionbox" that is not machinectl\'s' in said
    assert run(store, "set", "--label", "rack=a", "orionbox").count("Warning") == 0
    run(store, "rename", "orionbox", "rigel")
    run(store, "rename", "rigel", "orionbox")
    run(store, "rm", "-y", "orionbox")
    assert {path: path.read_bytes() for path in config.rglob("*") if path.is_file()} == before


def test_if_two_stores_have_the_same_name_the_first_gets_the_context(
    store: Store, docker: DockerCli, tmp_path: Path
) -> None:
    other = Store(str(tmp_path / "other"))
    run(store, *CREATE, "ssh://first", "orionbox")
    said = run(other, *CREATE, "ssh://second", "orionbox")
    assert f"a machine of another store, {store.root}" in said
    run(other, "rm", "-y", "orionbox")
    assert host(docker, "orionbox") == "ssh://first"


@pytest.mark.parametrize(("name", "why"), [("default", "keeps the name"), ("a", "does not take")])
def test_a_name_that_docker_refuses_is_one_warning(store: Store, docker: DockerCli, name: str, why: str) -> None:
    said = run(store, *CREATE, "ssh://orion", name)
    assert why in said
    assert f"machinectl rename {name} <NEW>" in said
    assert f"machinectl set --no-context {name}" in said
    assert run(store, "set", "--label", "rack=a", name).count("Warning") == 0
    assert docker.contexts() == set()
    assert "context" not in run(store, "rename", name, "orionbox")
    assert docker.contexts() == {"orionbox"}


def test_a_machine_that_is_half_made_has_no_context_yet(followed: Store, docker: DockerCli) -> None:
    machine = Machine("orionbox", "none", url="ssh://orion")
    machine.phase = Phase.PROVISIONING
    with followed.writing("orionbox") as held:
        held.add(machine, {})
    assert docker.contexts() == set()
    with followed.writing("orionbox") as held:
        held.machine.phase = Phase.READY
        held.write()
    assert docker.contexts() == {"orionbox"}
    with followed.writing("orionbox") as held:
        held.machine.phase = Phase.PROVISIONING
        held.write()
    assert docker.contexts() == {"orionbox"}


def test_removing_the_context_in_use_prints_what_to_type(store: Store, docker: DockerCli) -> None:
    for name in ("orionbox", "rigel"):
        run(store, *CREATE, "ssh://orion", name)
    docker("context", "use", "orionbox")
    said = run(store, "rename", "orionbox", "vega")
    assert 'docker was pointed at the context "orionbox", which is gone\n  Use another: docker context use vega' in said
    # The current context is never switched.
    assert docker("context", "show").strip() == "orionbox"
    assert docker.run("ps").returncode
    docker("context", "use", "vega")
    assert "context" not in run(store, "rm", "-y", "rigel")
    said = run(store, "rm", "-y", "vega")
    assert "docker context use default" in said
    docker("context", "use", "default")
    run(store, *CREATE, "ssh://orion", "orionbox")
    assert "unset DOCKER_CONTEXT" in run(store, "rm", "-y", "orionbox", DOCKER_CONTEXT="orionbox")


def test_pending_certificates_settled_by_env_reach_the_context(
    store: Store, config: Path, dockerd: Dockerd, tmp_path: Path
) -> None:
    unknown = certs.new_ca("another")
    stale = dockerd.client(tmp_path / "stale", certs.issue_client(unknown, "stale"), unknown.certificate)
    run(store, *CREATE, dockerd.url, "--tls-dir", stale, "orionbox")
    assert files(config, "orionbox")["ca.pem"] == unknown.certificate
    with store.writing("orionbox") as held:
        store_pending(held, Identity.read(str(dockerd.directory)))
    # It tells of what went wrong there as any verb does, and prints what it is asked for.
    (config / "contexts").chmod(0o777)
    pointed = machinectl("env", "orionbox", store=store.root)
    assert (pointed.returncode, pointed.stdout.count("export ")) == (0, 4)
    assert pointed.stderr.count("everybody may write to it") == 1
    (config / "contexts").chmod(0o700)
    with store.writing("orionbox") as held:
        Identity.read(str(stale)).keep(held)
    assert machinectl("env", "orionbox", store=store.root).stderr == ""
    assert files(config, "orionbox")["ca.pem"] == dockerd.ca.certificate
    assert files(config, "orionbox") == of_machine(store, "orionbox")


def test_a_machine_s_context_is_written_within_its_creation_by_two_processes_at_once(
    store: Store, docker: DockerCli
) -> None:
    names = [f"m{number}" for number in range(4)]
    command = [*CREATE, "ssh://orion"]
    processes = [started(*command, name, store=store.root) for name in names]
    assert [process.wait(60) for process in processes] == [0] * len(names)
    assert docker.contexts() == set(names)


def test_machines_are_created_and_changed_even_if_contexts_cannot_be_written(store: Store, config: Path) -> None:
    place = Path(Contexts(str(config)).place("meta", "orionbox"))
    config.mkdir()
    for mode, cause in ((0o777, "everybody may write to it"), (0o700, "is not a context")):
        config.chmod(mode)
        if mode == 0o700:
            place.mkdir(parents=True)
            (place / "meta.json").write_text("{")
        said = run(store, *CREATE, "ssh://orion", "orionbox")
        assert said.count("Warning:") == 1
        assert cause in said
        run(store, "set", "--url", "ssh://rigel", "orionbox")
        assert store.read("orionbox").url == "ssh://rigel"
        run(store, "rename", "orionbox", "rigel")
        run(store, "rm", "-y", "rigel")
        assert store.names() == []
