"""Carry a fleet file out on eight real servers, through everything that befalls them."""

from __future__ import annotations

import http.client
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from machinectl.machines.store import Store
from tests.lab.container import run_container
from tests.lab.place import KEY
from tests.support.lab_cli import Cli, in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.lab.host import Host
    from tests.lab.lan import Lab
    from tests.support.sshd import SSHConfig

pytestmark = pytest.mark.timeout(900)

DEFAULTS = {
    "driver": "generic",
    "generic-ssh-user": "ops",
    "generic-ssh-key": str(KEY),
    "engine-install": "distro",
    "no-context": True,
}
HOSTS = 8
# So many of them have an engine already: to install one takes most of the CPU time of a lab.
INSTALLED = 4
# So many of them run a service.
SERVING = 5
PORT = 8080
# Soon, and yet not as soon as a host that is only busy.
NOTICE = "ServerAliveInterval 3\nServerAliveCountMax 3\nConnectTimeout 10\n"
UNPACKING = "[ -e /var/lib/dpkg/info/containerd.list ]"
APPLYING = "[ -e /etc/docker/machinectl/transaction/phase ]"
RESTARTED = "Asking the engine for its version"


class Fleet:
    """Eight servers, and the file that is about them."""

    def __init__(self, directory: Path, hosts: list[Host]) -> None:
        self.file = directory / "fleet.yaml"
        self.store = Store(str(directory / "store"))
        self.hosts = hosts
        self.containers: dict[Host, str] = {}
        self.options: tuple[str, ...] = ()
        self.own: dict[Host, dict[str, Any]] = {}
        self.cli: Cli | None = None

    @property
    def serving(self) -> list[Host]:
        return self.hosts[:SERVING]

    def on(self, hosts: Sequence[Host], command: str) -> list[str]:
        with ThreadPoolExecutor() as several:
            return list(several.map(lambda host: host.output(command), hosts))

    def engines(self) -> list[str]:
        # An engine of a swarm has children of its own name at times.
        return self.on(self.hosts, "systemctl show --value -p MainPID docker.service")

    def records(self) -> list[bytes]:
        return [Path(self.store.directory(host.name), "machine.json").read_bytes() for host in self.hosts]

    def serve(self) -> None:
        """Have a service on each of the first hosts, in a container that is in its host's network.

        A port that is published (-p) refuses who comes in the very moment in which an engine that starts sets its
        packet filter anew, whoever restarts it: https://github.com/moby/moby/issues/34660
        """
        service = partial(run_container, name="web", options="--network host", command=f"httpd -f -p {PORT} -h /bin")
        with ThreadPoolExecutor() as several:
            self.containers = dict(zip(self.serving, several.map(service, self.serving), strict=True))

    def processes(self) -> list[object]:
        """The containers' first processes: whoever restarts a container has another one there."""
        return [host.snapshot()[f"unit docker-{container}.scope"] for host, container in self.containers.items()]

    def write(self, *options: str, own: dict[Host, dict[str, Any]] | None = None) -> None:
        """Write the file: engine options of those who serve, and what hosts have of their own; what was said stays."""
        self.options = options or self.options
        self.own |= own or {}
        found: dict[str, dict[str, Any]] = {}
        for host in self.hosts:
            in_group = {"groups": ["web"]} if self.options and host in self.serving else {}
            found[host.name] = {"generic-ip-address": host.ip, **in_group, **self.own.get(host, {})}
        groups = {"web": {"engine-opt": list(self.options)}}
        self.file.write_text(yaml.safe_dump({"defaults": DEFAULTS, "groups": groups, "hosts": found}))

    def apply(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Carry the file out; the summary, and what was said."""
        assert self.cli
        done = self.cli.start("apply", "-f", self.file, *words).end()
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    def plan(self) -> str:
        assert self.cli
        return self.cli.ok("plan", "-f", self.file).stdout

    def check(self) -> None:
        """All answer over TLS, and there is nothing to do: neither a host nor a record notices, nor is a host asked."""
        assert self.cli
        states = self.cli.ok("ls", "--format", "{{.State}}").stdout.split()
        assert states == ["Running"] * HOSTS
        before = self.engines(), self.records()
        for host in self.hosts:
            host.link(up=False)
        try:
            summary, said = self.apply()
            looked, *_, nothing = said.splitlines()
            assert (summary, nothing) == (f"Apply: {HOSTS} unchanged\n", "All is as the file says: nothing to do")
            assert looked.startswith("Last looked at: ")
        finally:
            for host in self.hosts:
                host.link(up=True)
        assert (self.engines(), self.records()) == before


class Client:
    """Somebody who asks the service of each host again and again, and forgives nothing."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.hosts = hosts
        self.answers = 0
        self.failures: list[str] = []

    @contextmanager
    def asking(self) -> Iterator[None]:
        enough = threading.Event()
        asking = [in_background(partial(self._ask, host, enough)) for host in self.hosts]
        try:
            yield
        finally:
            enough.set()
            for each in asking:
                each.join()

    def _ask(self, host: Host, enough: threading.Event) -> None:
        while not enough.wait(0.05):
            connection = http.client.HTTPConnection(host.ip, PORT, timeout=10)
            try:
                connection.request("GET", "/busybox", headers={"Range": "bytes=0-3"})
                answer = connection.getresponse()
                assert answer.read(4) == b"\x7fELF"
            except (OSError, http.client.HTTPException, AssertionError) as exc:
                self.failures.append(f"{host.name}: {exc!r}")
            else:
                self.answers += 1
            finally:
                connection.close()


def when(host: Host, point: str, happening: Callable[[], object]) -> threading.Thread:
    """Let something happen as soon as a host has come to a point."""

    def strike() -> None:
        host.run(f"until {point}; do sleep 0.05; done", timeout=600)
        happening()

    return in_background(strike)


@pytest.fixture(scope="module")
def booted(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    hosts = [*lab.up(), *lab.up(("docker",), count=INSTALLED), *lab.up(count=HOSTS - INSTALLED - 1)]
    for host in hosts:
        host.wait_booted()
    yield Fleet(tmp_path_factory.mktemp("fleet"), hosts)
    for host in hosts:
        host.remove()


@pytest.fixture
def servers(booted: Fleet, ssh_config: SSHConfig) -> Fleet:
    """The servers, as they are for the test that is the first, and the file."""
    ssh_config.write(NOTICE)
    booted.cli = Cli(Path(booted.store.root), ssh_config)
    booted.write()
    return booted


@pytest.fixture
def fleet(servers: Fleet) -> Fleet:
    """The servers as their file has them, with a service on some."""
    servers.apply()
    if not servers.containers:
        servers.serve()
    return servers


def test_servers_become_machines_whatever_befalls_them_and_us(servers: Fleet) -> None:
    assert servers.cli
    *_, rebooted, unplugged, full = servers.hosts
    full.fill_disk()
    killed = servers.cli.start("apply", "-f", servers.file)
    when(servers.hosts[0], UNPACKING, lambda: None).join()
    killed.kill(signal.SIGKILL)

    befalling = [
        when(rebooted, APPLYING, lambda: rebooted.reboot(wait=False)),
        when(unplugged, APPLYING, lambda: unplugged.link(up=False)),
    ]
    summary, said = servers.apply(code=1)
    created, as_they_were = map(int, re.findall(r"(\d+) (?:created|unchanged)", f"{summary}, 0 unchanged")[:2])
    assert (created + as_they_were, "3 failed" in summary) == (HOSTS - 3, True), summary
    assert re.search(rf'Error: "{full.name}": (.*\n)*.*(enough free space|No space left)', said), said
    assert f"Fix that, then continue: machinectl apply -f {servers.file}" in said
    for each in befalling:
        each.join()

    unplugged.link(up=True)
    full.free_disk()
    rebooted.wait_booted()
    assert servers.apply()[0] == f"Apply: 3 created, {HOSTS - 3} unchanged\n"
    assert [servers.store.read(host.name).fleet for host in servers.hosts] == [str(servers.file)] * HOSTS
    assert servers.on(servers.hosts, "dpkg --audit") == [""] * HOSTS
    servers.check()


def test_an_option_is_rolled_over_hosts_whose_service_answers_on_and_one_that_refuses_stops_it(fleet: Fleet) -> None:
    names = [host.name for host in fleet.serving]
    began, before = fleet.processes(), fleet.engines()
    client = Client(fleet.serving)
    with client.asking():
        fleet.write("log-level=warn", own={fleet.hosts[2]: {"engine-opt": ["log-level=warn", "log-driver=nonsense"]}})
        assert fleet.plan().count("(the engine restarts)") == SERVING
        summary, said = fleet.apply("--batch", "2", code=1)
        assert summary == "Apply: 3 changed, 1 failed, 1 not begun, 3 unchanged\n"
        assert (
            f'Error: "{names[2]}": The engine cannot create a container with the new configuration; with the old one'
            in said
        )
        assert f"machinectl apply -f {fleet.file} --batch=2 --max-failures=1" in said
        assert f"Not begun, as no engine restarts after one that failed: {', '.join(names[4:])}" in said
        assert fleet.engines()[4:] == before[4:]
        # It has its old configuration back, and is to be told what the others are, too.
        assert f"~ {names[2]}  change: engine-opt + log-level=warn, log-driver=nonsense" in fleet.plan()

        fleet.write(own={fleet.hosts[2]: {}})
        summary, said = fleet.apply()
        assert summary == f"Apply: 2 changed, {HOSTS - 2} unchanged\n"
        turns = [line.partition(":")[0] for line in said.splitlines() if "Connecting to" in line or RESTARTED in line]
        assert turns == [name for name in (names[2], *names[4:]) for _ in range(2)]
    assert client.failures == []
    assert client.answers > SERVING
    assert fleet.processes() == began
    assert not set(before[:SERVING]) & set(fleet.engines()[:SERVING])
    assert fleet.engines()[SERVING:] == before[SERVING:]
    fleet.check()


def test_what_was_changed_by_hand_is_mended_when_that_is_asked(fleet: Fleet) -> None:
    last = fleet.hosts[-1]
    last.run('sed -i \'s/"tlsverify": true/"tlsverify": false/\' /etc/docker/daemon.json')
    assert fleet.apply()[0] == f"Apply: {HOSTS} unchanged\n"
    before = last.snapshot(), fleet.records()
    assert fleet.cli
    planned = fleet.cli.run("plan", "-f", fleet.file, "--refresh", "--detailed-exitcode")
    assert planned.returncode == 4
    assert f"! {last.name}  its host differs:" in planned.stdout
    assert '+    "tlsverify": true' in planned.stdout
    assert (last.snapshot(), fleet.records()) == before
    assert fleet.apply("--refresh")[0] == f"Apply: 1 changed, {HOSTS - 1} unchanged\n"
    assert fleet.apply("--refresh")[0] == f"Apply: {HOSTS} unchanged\n"
    fleet.check()


def test_an_engine_listens_where_the_file_says_from_then_on(fleet: Fleet) -> None:
    last = fleet.hosts[-1]
    fleet.write(own={last: {"generic-engine-port": 2399}})
    assert fleet.apply()[0] == f"Apply: 1 changed, {HOSTS - 1} unchanged\n"
    assert fleet.store.read(last.name).url == f"tcp://{last.ip}:2399"
    # One that it does not come up with leaves it where it was.
    fleet.write(own={last: {"generic-engine-port": 2398, "engine-opt": ["pidfile=/proc/no/pid"]}})
    assert fleet.apply(code=1)[0] == f"Apply: 1 failed, {HOSTS - 1} unchanged\n"
    fleet.write(own={last: {"generic-engine-port": 2399}})
    fleet.check()


def test_machines_are_in_the_swarm_in_their_roles_and_stay_when_the_file_says_none(fleet: Fleet) -> None:
    first, *others = fleet.hosts[SERVING : SERVING + 3]
    fleet.write(own={first: {"swarm": "manager"}, **{other: {"swarm": "worker"} for other in others}})
    assert fleet.apply()[0] == f"Apply: 3 changed, {HOSTS - 3} unchanged\n"
    nodes = first.output("docker node ls --format '{{.Hostname}} {{.ManagerStatus}}'").split("\n")
    assert sorted(nodes) == sorted([f"{first.name} Leader", *(f"{other.name} " for other in others)])
    fleet.check()
    fleet.write(own={host: {} for host in (first, *others)})
    fleet.check()
