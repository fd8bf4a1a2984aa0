"""A fleet's file carried out on real servers: made, changed one after the other, spared, healed and gone on with."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from machinectl.machines.store import Store
from tests.lab.container import run_container
from tests.lab.place import KEY
from tests.support.lab_cli import Cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.lab.host import Host
    from tests.lab.lan import Lab
    from tests.support.sshd import SSHConfig

pytestmark = pytest.mark.timeout(600)

DEFAULTS = {"driver": "generic", "generic-ssh-user": "ops", "generic-ssh-key": str(KEY), "no-context": True}
RESTARTED = "Waiting for the engine and its containers"
ENGINE = "pidof dockerd"


class Fleet:
    """Three servers with an engine and a container each, and the file that is about them."""

    def __init__(self, directory: Path, hosts: list[Host]) -> None:
        self.file = directory / "fleet.yaml"
        self.store = Store(str(directory / "store"))
        self.hosts = hosts
        self.containers = {host.name: run_container(host, "web") for host in hosts}
        self.began = self.processes()
        self.cli: Cli | None = None

    @property
    def names(self) -> list[str]:
        return [host.name for host in self.hosts]

    def processes(self) -> list[object]:
        """The containers' first processes: whoever restarts a container has another one there."""
        return [host.snapshot()[f"unit docker-{self.containers[host.name]}.scope"] for host in self.hosts]

    def engines(self) -> list[str]:
        return [host.output(ENGINE) for host in self.hosts]

    def write(self, *options: str, of_first: Sequence[str] = (), port: int = 2376, swarm: bool = False) -> None:
        """Write the file: the engine options of all, and what the first host has of its own."""
        found: dict[str, dict[str, Any]] = {host.name: {"generic-ip-address": host.ip} for host in self.hosts}
        first, *others = found.values()
        first["generic-engine-port"] = port
        if of_first:
            first["engine-opt"] = list(of_first)
        if swarm:
            first["swarm"] = "manager"
            for other in others:
                other["swarm"] = "worker"
        defaults = {**DEFAULTS, **({"engine-opt": list(options)} if options else {})}
        self.file.write_text(yaml.safe_dump({"defaults": defaults, "hosts": found}))

    def apply(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Carry the file out; the summary, and what was said."""
        assert self.cli
        done = self.cli.run("apply", "-f", self.file, *words)
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    def plan(self) -> str:
        assert self.cli
        return self.cli.ok("plan", "-f", self.file).stdout

    def check(self) -> None:
        """All answer over TLS, no container has noticed anything, and there is nothing to do."""
        assert self.cli
        states = self.cli.ok("ls", "--format", "{{.State}}").stdout.split()
        assert states == ["Running"] * len(self.hosts)
        assert self.processes() == self.began
        before = self.engines()
        assert self.apply()[0] == f"Apply: {len(self.hosts)} as they were\n"
        assert self.engines() == before


@pytest.fixture(scope="module")
def booted(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    hosts = lab.up(["docker"], count=3)
    for host in hosts:
        host.wait_booted()
    yield Fleet(tmp_path_factory.mktemp("fleet"), hosts)
    for host in hosts:
        host.remove()


@pytest.fixture
def fleet(booted: Fleet, ssh_config: SSHConfig) -> Fleet:
    """The servers as their file has them with nothing special."""
    # Nobody waits long for a server that is unplugged.
    ssh_config.write("ConnectTimeout 3")
    booted.cli = Cli(Path(booted.store.root), ssh_config)
    booted.write()
    booted.apply()
    return booted


def test_servers_become_machines_and_a_second_run_changes_nothing(fleet: Fleet) -> None:
    assert [fleet.store.read(name).fleet for name in fleet.names] == [str(fleet.file)] * 3
    fleet.check()


def test_engines_restart_one_after_the_other_and_their_containers_run_on(fleet: Fleet) -> None:
    before = fleet.engines()
    fleet.write("log-level=warn")
    assert fleet.plan().count("(the engine restarts)") == 3
    summary, said = fleet.apply()
    assert summary == "Apply: 3 changed\n"
    turns = [line.partition(":")[0] for line in said.splitlines() if "Connecting to" in line or RESTARTED in line]
    assert turns == [name for name in fleet.names for _ in range(2)]
    assert not set(before) & set(fleet.engines())
    fleet.check()


def test_a_host_that_refuses_spares_the_others_and_what_is_mended_is_rolled_on(fleet: Fleet) -> None:
    first, *others = fleet.names
    before = fleet.engines()
    fleet.write("log-level=error", of_first=["log-level=error", "pidfile=/proc/no/pid"])
    summary, said = fleet.apply(code=1)
    assert summary == "Apply: 1 failed, 2 not begun\n"
    assert f'Error: "{first}": The engine does not start with the new configuration; the old one is back' in said
    assert f"Left as they were, as no engine is to restart after that: {', '.join(others)}" in said
    assert f"Go on, when that is mended: machinectl apply -f {fleet.file}" in said
    assert fleet.engines()[1:] == before[1:]
    assert fleet.processes() == fleet.began
    # It has its old configuration back, and is to be told what the others are, too.
    assert f"~ {first}  change: engine-opt + log-level=error, pidfile=/proc/no/pid" in fleet.plan()
    fleet.write("log-level=error")
    assert fleet.apply("--batch", "3")[0] == "Apply: 3 changed\n"
    fleet.check()


def test_who_is_unplugged_or_killed_in_the_middle_is_gone_on_with_by_the_next(fleet: Fleet) -> None:
    assert fleet.cli
    *others, last = fleet.hosts
    last.link(up=False)
    fleet.write("log-level=fatal")
    summary, said = fleet.apply("--max-failures", "1", code=1)
    last.link(up=True)
    assert summary == "Apply: 2 changed, 1 failed\n"
    assert last.ip in said
    assert fleet.plan().startswith(f"~ {last.name}  change: engine-opt + log-level=fatal")
    assert fleet.apply()[0] == "Apply: 1 changed, 2 as they were\n"
    fleet.check()
    # We are killed while one is told.
    fleet.write("log-level=debug")
    killed = fleet.cli.start("apply", "-f", fleet.file)
    killed.until(f"{others[0].name}: Looking at the host")
    killed.kill(signal.SIGKILL)
    assert fleet.apply()[0] in {"Apply: 3 changed\n", "Apply: 2 changed, 1 as they were\n"}
    fleet.check()


def test_what_was_changed_by_hand_is_mended_when_that_is_asked(fleet: Fleet) -> None:
    host = fleet.hosts[0]
    host.run('sed -i \'s/"live-restore": true/"live-restore": false/\' /etc/docker/daemon.json')
    assert fleet.apply()[0] == "Apply: 3 as they were\n"
    assert fleet.apply("--refresh")[0] == "Apply: 1 changed, 2 as they were\n"
    assert fleet.apply("--refresh")[0] == "Apply: 3 as they were\n"
    fleet.check()


def test_an_engine_listens_where_the_file_says_from_then_on(fleet: Fleet) -> None:
    host = fleet.hosts[0]
    fleet.write(port=2377)
    assert fleet.apply()[0] == "Apply: 1 changed, 2 as they were\n"
    assert fleet.store.read(host.name).url == f"tcp://{host.ip}:2377"
    fleet.check()
    # One that it does not come up with leaves it where it was.
    fleet.write(port=2378, of_first=["pidfile=/proc/no/pid"])
    assert fleet.apply(code=1)[0] == "Apply: 1 failed, 2 as they were\n"
    fleet.write(port=2377)
    fleet.check()


def test_machines_are_in_the_swarm_in_their_roles_and_stay_when_the_file_says_none(fleet: Fleet) -> None:
    assert fleet.cli
    fleet.write(swarm=True)
    assert fleet.apply()[0] == "Apply: 3 changed\n"
    nodes = fleet.hosts[0].output("docker node ls --format '{{.Hostname}} {{.ManagerStatus}}'").split("\n")
    first, *others = fleet.names
    assert sorted(nodes) == sorted([f"{first} Leader", *(f"{name} " for name in others)])
    fleet.check()
    fleet.write()
    fleet.check()
