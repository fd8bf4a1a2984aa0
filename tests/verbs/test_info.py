"""`info`: what engines say of themselves, the certificates here, and with --ssh how a real host is doing."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import certs
from machinectl.cli.tables.detail_lines import Info, info_text
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine
from machinectl.state import State
from tests.support import servers
from tests.support.hostile_engine import IN_JSON
from tests.support.in_process import machinectl
from tests.support.real import need
from tests.support.registered import added, register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.servers import Connection
    from tests.support.sshd import Sshd

TEXT = """\
Name:             orion
Driver:           none
URL:              {url}
State:            Running
Engine:           99.1.2 (API 1.99)
Host name:        orion
Operating system: Debian GNU/Linux 13 (trixie)
Kernel:           6.12.0 x86_64
CPUs:             4
Memory:           7.566GiB
Containers:       3 (2 running, 0 paused, 1 stopped)
Images:           7
Storage driver:   overlay2
Docker root:      /var/lib/docker
Engine labels:    rack=7
Labels:           a=b
                  c=d
"""


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    """Where the engine of the machine orion is."""
    with servers.serving(servers.engine) as port:
        machine = Machine("orion", "none", url=f"tcp://127.0.0.1:{port}")
        machine.driver_state = json.dumps({"URL": machine.url})
        machine.labels = {"c": "d", "a": "b"}
        added(store, machine)
        yield machine.url


def test_an_engine_is_told_in_aligned_lines(store: Store, url: str) -> None:
    done = machinectl("info", "orion", store=store.root)
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT.format(url=url), "")


@pytest.mark.usefixtures("url")
def test_each_is_told_and_who_does_not_answer_beneath_with_its_certificates(store: Store, url: str) -> None:
    ca = certs.new_ca("ours")
    client = certs.issue_client(ca, "client")
    files = {"ca.pem": ca.certificate, "cert.pem": client.certificate, "key.pem": client.key}
    with servers.unlistened() as port:
        added(store, Machine("off", "none", url=f"tcp://127.0.0.1:{port}", tls=True), files)
    done = machinectl("info", "orion", "off", "ghost", store=store.root)
    assert done.returncode == 1
    off, orion = done.stdout.split("\n\n")
    assert orion == TEXT.format(url=url)
    assert off.splitlines()[3] == "State:        Stopped"
    assert off.splitlines()[4].startswith("Certificates: ca.pem: until 20")
    assert off.splitlines()[5].startswith("              cert.pem: until 20")
    assert off.endswith(" days left")
    said = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert said[0].startswith('Docker machine "ghost" does not exist. Use ')
    assert said[1].startswith('Error: "off": 127.0.0.1:')


def test_a_machine_without_a_listener_has_no_certificates_to_tell(store: Store) -> None:
    machine = Machine("quiet", "none", url="ssh://ops@127.0.0.1:1")
    machine.engine = EngineOptions.load({"ssh_only": True})
    added(store, machine, {"ca.pem": certs.new_ca("ours").certificate})
    [known] = json.loads(machinectl("info", "--json", "--timeout", "0", "quiet", store=store.root).stdout)
    assert known["Certificates"] == []


def test_json_of_a_machine_that_is_off_has_the_error_of_status_and_null_for_the_rest(store: Store) -> None:
    with servers.unlistened() as port:
        added(store, Machine("off", "none", url=f"tcp://127.0.0.1:{port}"))
        done = machinectl("info", "--json", "off", store=store.root)
        status = json.loads(machinectl("status", "--json", "off", store=store.root).stdout)
    [off] = json.loads(done.stdout)
    assert off["Error"] == status["Error"] != ""
    assert (off["Version"], off["APIVersion"], off["HostName"]) == (None, None, None)
    assert status["Seconds"] == round(status["Seconds"], 3)


@pytest.mark.usefixtures("url")
def test_a_template_and_json_have_the_same_fields(store: Store) -> None:
    done = machinectl(
        "info", "-f", "{{.NCPU}} {{.MemTotal}} {{json .Labels}} {{upper .State}}", "orion", store=store.root
    )
    assert done.stdout == '4 8123456789 {"a":"b","c":"d"} RUNNING\n'
    [known] = json.loads(machinectl("info", "--json", "orion", store=store.root).stdout)
    assert json.loads(machinectl("info", "-f", "json", "orion", store=store.root).stdout) == known
    assert (known["HostName"], known["EngineLabels"], known["Disk"], known["Certificates"]) == (
        "orion",
        ["rack=7"],
        None,
        [],
    )
    refused = machinectl("info", "-f", "{{.Bogus}}", "orion", store=store.root)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert 'no field "Bogus"' in refused.stderr


def test_a_real_engine_says_what_docker_info_says(store: Store, dockerd: Dockerd) -> None:
    need("docker")
    files = {file: (dockerd.directory / file).read_bytes() for file in ("ca.pem", "cert.pem", "key.pem")}
    added(store, Machine("real", "none", url=dockerd.url, tls=True), files)
    names = ("OperatingSystem", "NCPU", "MemTotal", "DockerRootDir", "Images", "KernelVersion", "Architecture")
    template = "|".join(f"{{{{.{name}}}}}" for name in names)
    theirs = subprocess.run(
        ["docker", "-H", f"unix://{dockerd.socket}", "info", "-f", template], capture_output=True, text=True, check=True
    )
    done = machinectl("info", "-f", template, "real", store=store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == theirs.stdout
    assert "cert.pem: until " in machinectl("info", "real", store=store.root).stdout


@pytest.mark.parametrize(
    "said",
    [
        b"{}",
        b'{"MemTotal": ' + b"9" * 400 + b', "NCPU": -1, "Images": 0}',
        b'{"NCPU": "many", "MemTotal": 1e400, "Labels": {"a": 1}, "Containers": true, "ServerVersion": []}',
        b'{"OperatingSystem": "' + IN_JSON + b'", "Labels": ["' + IN_JSON + b'", 5, null], "Name": "' + IN_JSON + b'"}',
    ],
)
def test_whatever_an_engine_says_stays_in_its_lines(store: Store, said: bytes) -> None:
    def behaviour(connection: Connection) -> None:
        while request := connection.request():
            connection.send(servers.answer(b"OK" if b" /_ping " in request else said))

    with servers.serving(behaviour) as port:
        added(store, Machine("odd", "none", url=f"tcp://127.0.0.1:{port}"))
        done = machinectl("info", "odd", store=store.root)
        known = machinectl("info", "--json", "odd", store=store.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert not any(letter in done.stdout for letter in "\x1b\x07\r\x9b\u202e")
    assert all(": " in line or line.startswith(" ") for line in done.stdout.splitlines())
    assert "\x1b" not in known.stdout
    json.loads(known.stdout)


@pytest.mark.usefixtures("ssh_config")
class TestOverSSH:
    def test_a_host_tells_how_it_is_doing_to_whoever_may_log_in(self, store: Store, sshd: Sshd) -> None:
        machine = register(store, "orion", sshd)
        before = {file: os.stat(os.path.join(machine.directory or store.directory("orion"), file)).st_mtime_ns
                  for file in os.listdir(store.directory("orion"))}  # fmt: skip
        done = machinectl("info", "--ssh", "--json", "orion", store=store.root)
        [known] = json.loads(done.stdout)
        # Nothing listens where its engine should be.
        assert done.returncode == 1
        here = os.statvfs("/")
        assert known["Disk"]["Total"] == here.f_blocks * here.f_frsize // 1024 * 1024 or known["Disk"]["Path"] != "/"
        assert len(known["Load"]) == 3
        assert known["Uptime"] > 0
        assert known["MemAvailable"] > 0
        printed = machinectl("info", "--ssh", "orion", store=store.root).stdout
        assert [line.split(":")[0] for line in printed.splitlines()[-3:]] == ["Disk", "Load", "Uptime"]
        after = {file: os.stat(os.path.join(store.directory("orion"), file)).st_mtime_ns for file in before}
        assert after == before

    @pytest.mark.usefixtures("url")
    def test_one_that_lets_nobody_in_is_told_and_the_rest_is_printed(self, store: Store, sshd: Sshd) -> None:
        register(store, "shut", sshd)
        sshd.close()
        done = machinectl("info", "--ssh", "-f", "{{.Name}}", "orion", "shut", store=store.root)
        assert (done.returncode, done.stdout) == (1, "orion\nshut\n")
        assert '"orion" has no SSH' in done.stderr
        assert '"shut": ' in done.stderr


@given(st.dictionaries(st.sampled_from(["NCPU", "MemTotal", "Containers", "Labels", "Name", "Driver", "Images"]),
       st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers())))  # fmt: skip
def test_any_answer_of_an_engine_can_be_printed(told: dict[str, Any]) -> None:
    one = Info(Machine("orion", "none"), state=State.RUNNING, told=told)
    assert info_text(one).startswith("Name:")
