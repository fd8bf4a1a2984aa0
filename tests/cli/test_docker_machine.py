"""What docker-machine's users type: each verb's flags, lines and exit codes, as they know them or better on purpose."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from machinectl.cli.invocation import DOCKER_MACHINE, THIS
from machinectl.machines.record import Machine
from machinectl.machines.store.missing_machine import MORE
from machinectl.provision.host_changes import FileCreated
from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from machinectl.machines.store import Store

URL = "tcp://127.0.0.1:1"
NONE = "create -d none --url tcp://127.0.0.1:1"
NO_NAME = 'Error: No machine name(s) specified and no "default" machine exists'
GHOST = 'Docker machine "ghost" does not exist'

NEXT = (
    "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: "
    "machinectl env new\n"
)


class Line(NamedTuple):
    """What is typed, and what comes of it: all of stdout, or a part of it after "…", a part of stderr, the exit code.

    `{store}` in a line is the store's directory.
    """

    typed: str
    stdout: str = ""
    stderr: str = ""
    code: int = 0
    environment: Mapping[str, str] = {}
    stdin: str = ""


HERE = {"DOCKER_HOST": URL}
FISH = """\
set -gx DOCKER_TLS_VERIFY "1";
set -gx DOCKER_HOST "tcp://127.0.0.1:1";
set -gx DOCKER_CERT_PATH "{store}/machines/orionbox";
set -gx DOCKER_MACHINE_NAME "orionbox";
"""
UNSET = "unset DOCKER_TLS_VERIFY\nunset DOCKER_HOST\nunset DOCKER_CERT_PATH\nunset DOCKER_MACHINE_NAME\n"
CONFIG = """\
--tlsverify
--tlscacert={store}/machines/orionbox/ca.pem
--tlscert={store}/machines/orionbox/cert.pem
--tlskey={store}/machines/orionbox/key.pem
-H=tcp://127.0.0.1:1
"""

LINES = [
    # Before the verb.
    Line("", "…Usage: machinectl"),
    Line("-D", "…Usage: machinectl"),
    Line("h", "…Usage: machinectl"),
    Line("help", "…Usage: machinectl"),
    Line("-h", "…Usage: machinectl"),
    Line("-help", "…Usage: machinectl"),
    Line("h url", "…Usage: machinectl url"),
    Line("-v", "…machinectl version "),
    Line("-version", "…machinectl version "),
    Line("-s", stderr="requires an argument", code=2),
    Line("-storage-path", stderr="requires an argument", code=2),
    Line("-s={store} ls -q", "orionbox\nplain\n", environment={"MACHINE_STORAGE_PATH": "/nonexistent"}),
    Line("-s {store} ls -q", "orionbox\nplain\n", environment={"MACHINE_STORAGE_PATH": "/nonexistent"}),
    Line("-storage-path={store} ls -q", "orionbox\nplain\n", environment={"MACHINE_STORAGE_PATH": "/nonexistent"}),
    Line("-storage-path {store} list -q", "orionbox\nplain\n", environment={"MACHINE_STORAGE_PATH": "/nonexistent"}),
    Line("-debug ls -q", "orionbox\nplain\n"),
    Line("-D=false --debug=true ls -q", "orionbox\nplain\n"),
    Line("-native-ssh url orionbox", f"{URL}\n"),
    Line("--native-ssh=false url orionbox", f"{URL}\n"),
    Line("url orionbox", f"{URL}\n", environment={"MACHINE_NATIVE_SSH": "true", "MACHINE_DEBUG": "false"}),
    Line("--github-api-token x -bugsnag-api-token=y url orionbox", f"{URL}\n"),
    Line("url orionbox", f"{URL}\n", environment={"MACHINE_GITHUB_API_TOKEN": "x", "MACHINE_BUGSNAG_API_TOKEN": "y"}),
    Line("-tls-ca-cert=x --tls-ca-key y -tls-client-cert=z -tls-client-key=k url orionbox", f"{URL}\n"),
    Line("-bogus ls", stderr="No such option: --bogus", code=2),
    # active
    Line("active", stderr="No active host found", code=1),
    Line("active", "orionbox\n", environment=HERE),
    Line("active -t=2", "orionbox\n", environment=HERE),
    Line("active -timeout 2", "orionbox\n", environment=HERE),
    # config
    Line("config orionbox", CONFIG),
    Line("config -swarm=false orionbox", CONFIG),
    Line("config ghost", stderr=GHOST, code=1),
    # create
    Line(f"{NONE} orionbox", stderr='Docker machine "orionbox" already exists', code=1),
    Line("create -d=none -url=tcp://127.0.0.1:1/ new", NEXT, stderr="has no certificates"),
    Line("create -driver none -no-tls -url=tcp://127.0.0.1:1 new", NEXT, stderr="not protected by TLS"),
    Line("create -d=none --url=tcp://127.0.0.1:1 --no-tls=false new", NEXT, stderr="has no certificates"),
    Line("create --url tcp://127.0.0.1:1 new", NEXT, stderr="no certificates", environment={"MACHINE_DRIVER": "none"}),
    Line(f"{NONE} -swarm -swarm-master=true -swarm-discovery=token://x new", NEXT, stderr="no longer exists"),
    Line(f"{NONE} -engine-opt=a=b -engine-label a=b -engine-env=A=b -tls-san=x new", NEXT, stderr="no certificates"),
    Line(
        f"{NONE} -engine-insecure-registry=x -engine-registry-mirror=y -engine-storage-driver=overlay2 "
        "-engine-install-url=https://get.docker.com new",
        NEXT,
        stderr="no certificates",
    ),
    Line(NONE, stderr="Error: No machine name specified", code=2),
    Line(f"{NONE} new extra", stderr="Invalid command line. Found extra arguments [extra]", code=2),
    Line(
        f"{NONE} a_b", stderr="Error creating machine: Invalid hostname specified. Allowed hostname chars are", code=1
    ),
    Line("create -d bogus new", stderr='Driver "bogus" not found. ', code=1),
    Line("create -d=none new", stderr="needs --url", code=2),
    Line("create -d=generic new", stderr="needs --ip-address", code=2),
    Line(
        "create -d=generic -generic-ip-address=127.0.0.1 -generic-ssh-key=/nonexistent -generic-ssh-user=ops "
        "-generic-ssh-port=1 -generic-engine-port=2 new",
        stderr="cannot be read",
        code=3,
    ),
    Line(
        "create -d generic -generic-ssh-key=/ new", stderr="/", code=3, environment={"GENERIC_IP_ADDRESS": "127.0.0.1"}
    ),
    # env
    Line("env --shell fish orionbox", f"…{FISH}"),
    Line("env -shell=fish orionbox", f"…{FISH}"),
    Line("env -shell=bash orionbox", "…# Run this command to configure your shell: \n# eval $("),
    Line("env -swarm=false -no-proxy=false --shell=fish orionbox", f"…{FISH}"),
    Line("env -no-proxy -shell=sh orionbox", '…export NO_PROXY="127.0.0.1"\n'),
    Line("env -u --shell=sh", f"…{UNSET}"),
    Line("env -unset=true -shell=sh", f"…{UNSET}"),
    Line("env -u -shell=sh orionbox", stderr="Error: Expected no machine name when the -u flag is present", code=1),
    Line("env", stderr=NO_NAME, code=1),
    Line("env ghost", stderr=GHOST, code=1),
    # inspect
    Line("inspect orionbox", '…{{\n    "ConfigVersion": 3,\n'),
    Line("inspect -f={{{{.Driver.IPAddress}}}} orionbox", "127.0.0.1\n"),
    Line("inspect -format {{{{.DriverName}}}} orionbox", "none\n"),
    Line("inspect --format={{{{json}} .Name}}}} orionbox", stderr="{{{{", code=2),
    Line("inspect ghost", stderr=GHOST, code=1),
    # ip, url, status, version
    Line("ip orionbox plain", "127.0.0.1\n127.0.0.2\n"),
    Line("ip", stderr=NO_NAME, code=1),
    Line("url orionbox", f"{URL}\n"),
    Line("url", stderr=NO_NAME, code=1),
    Line("status plain", "Stopped\n"),
    Line("status", stderr=NO_NAME, code=1),
    Line("version", "…machinectl version "),
    Line("version plain", stderr="refuses the connection", code=1),
    # ls
    Line("ls", "…NAME       ACTIVE   DRIVER   STATE     URL                 SWARM   DOCKER    ERRORS\n"),
    Line("ls -quiet", "orionbox\nplain\n"),
    Line("ls plain -f={{{{.Name}}}}", "plain\n"),
    Line("ls ghost -q", stderr=GHOST),
    Line("ls -q=false -f={{{{.Name}}}}", "orionbox\nplain\n"),
    Line("ls -q -f={{{{.Bogus}}}}", "orionbox\nplain\n"),
    Line("ls -f={{{{.Bogus}}}}", stderr="Bogus", code=2),
    Line("ls -format={{{{.Name}}}}:{{{{.DockerVersion}}}} -t=2 -filter=name=plain", "plain:Unknown\n"),
    Line("ls -timeout 1 --filter state=Stopped -q", "plain\n"),
    Line("ls -t 0 -q", "orionbox\nplain\n"),
    Line("ls -t 0 -f {{{{.State}}}} -filter name=plain", "Unknown\n"),
    Line("ls -q -filter state=None"),
    Line("ls -q -filter swarm=", "orionbox\nplain\n"),
    Line("ls -q -filter=driver=none -filter=label=rack=7", "orionbox\n"),
    Line("ls -filter bogus", stderr="Unsupported filter syntax", code=2),
    Line("ls -filter colour=red", stderr="Unsupported filter key 'colour'", code=2),
    # regenerate-certs
    Line("regenerate-certs ghost -f", stderr=GHOST, code=1),
    Line("regenerate-certs -force=true -client-certs=false orionbox", stderr="has no SSH", code=1),
    Line("regenerate-certs", stderr=NO_NAME, code=1),
    # rm
    Line("rm", stderr="Error: Expected to get one or more machine names as arguments", code=2),
    Line("rm -y plain", "Successfully removed plain\n"),
    Line("rm -fy orionbox", "Successfully removed orionbox\n"),
    Line("rm orionbox", "Successfully removed orionbox\n", stdin="Yep\n"),
    Line("rm orionbox", "", stdin="no\n"),
    Line("rm -f ghost", stderr='Error removing host "ghost": Docker machine "ghost" does not exist.'),
    Line("rm -y -force=true ghost", stderr=GHOST),
    Line("rm -y -force=false ghost", stderr='Error removing host "ghost": Docker machine "ghost" does not', code=1),
    Line("rm -f -force=false -y=true ghost", stderr=GHOST, code=1),
    # Those for many machines.
    *(Line(verb, stderr=NO_NAME, code=1) for verb in ("start", "stop", "restart", "kill", "provision", "upgrade")),
    *(Line(f"{verb} ghost", stderr=GHOST, code=1) for verb in ("start", "stop", "restart", "kill", "provision")),
    # ssh: what follows the name is ssh's.
    Line("ssh ghost -s=x --debug", stderr=GHOST, code=255),
    Line("ssh", stderr=NO_NAME, code=255),
    # scp and mount.
    *(
        Line(f"scp {flags} ghost:a localhost:b", stderr=GHOST, code=1)
        for flags in ("-r -d -q", "-recursive -delta=true")
    ),
    Line("scp -q=false -r a joe@ghost:b", stderr=GHOST, code=1),
    *(Line(f"mount {flag} ghost:/srv", stderr=GHOST, code=1) for flag in ("", "-u", "-unmount")),
]


ONE_NAME = "Error: Expected one machine name as an argument"
NO_SWITCH = 'Driver "none" cannot {} the host of "{}": it only knows the URL'
NO_SSH = '"{}" has no SSH'
# Where a machine called default is: none named means that one. `server` is a generic one whose SSH refuses.
DEFAULT_LINES = [
    Line("config", "-H=tcp://127.0.0.3:1\n"),
    Line("env -shell=sh", '…export DOCKER_MACHINE_NAME="default"'),
    Line("inspect -f={{{{.Driver.URL}}}}", "tcp://127.0.0.3:1\n"),
    Line("ip", "127.0.0.3\n"),
    Line("status", "Stopped\n"),
    Line("url", "tcp://127.0.0.3:1\n"),
    Line("version", "…machinectl version "),
    Line("ps", "…MACHINE   CONTAINER ID ", stderr='"default": 127.0.0.3:1 refuses the connection', code=1),
    Line("info", "…Name:   default\n", stderr='"default": 127.0.0.3:1 refuses the connection', code=1),
    *(Line(verb, stderr=NO_SWITCH.format(verb, "default"), code=1) for verb in ("start", "stop", "restart", "kill")),
    *(Line(verb, stderr=NO_SSH.format("default"), code=1) for verb in ("provision", "upgrade", "regenerate-certs -f")),
    Line("ssh", stderr=NO_SSH.format("default"), code=255),
    Line("rm", stderr="Error: Expected to get one or more machine names as arguments", code=2),
    # Those for one.
    *(Line(f"{verb} default plain", stderr=ONE_NAME, code=2) for verb in ("config", "env", "inspect", "status", "url")),
    Line("version default plain", stderr=ONE_NAME, code=2),
    # Those for many: each is told, whatever becomes of the others.
    Line("ip plain default server", "127.0.0.2\n127.0.0.3\n127.0.0.1\n"),
    Line("ip plain ghost server", "127.0.0.2\n127.0.0.1\n", stderr=GHOST, code=1),
    *(
        Line(f"{verb} plain ghost server", stderr=told, code=1)
        for verb in ("start", "stop", "restart", "kill")
        for told in (GHOST, NO_SWITCH.format(verb, "plain"), '"server"')
    ),
    *(
        Line(f"{verb} plain ghost server", stderr=told, code=1)
        for verb in ("provision", "upgrade", "regenerate-certs -f")
        for told in (GHOST, NO_SSH.format("plain"), '"server"')
    ),
    Line("rm -y plain ghost server", "…Successfully removed plain\n", stderr=GHOST, code=1),
    Line("rm -f ghost plain default", "…Successfully removed plain\n", stderr=GHOST),
]


@pytest.fixture
def machines(store: Store) -> Store:
    machine = Machine("orionbox", "none", url=URL, tls=True)
    machine.driver_state = '{"URL": "tcp://127.0.0.1:1"}'
    machine.labels = {"rack": "7"}
    added(store, machine)
    plain = Machine("plain", "none", url="tcp://127.0.0.2:1", tls=False)
    plain.driver_state = '{"URL": "tcp://127.0.0.2:1"}'
    added(store, plain)
    return store


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.typed)
def test_a_line_of_docker_machines_does_what_its_users_know(machines: Store, line: Line) -> None:
    check(machines, line)


@pytest.mark.parametrize("line", DEFAULT_LINES, ids=lambda line: line.typed)
def test_one_machine_called_default_is_meant_and_many_are_done(machines: Store, line: Line) -> None:
    for name, driver, state in (
        ("default", "none", {"URL": "tcp://127.0.0.3:1"}),
        ("server", "generic", {"IPAddress": "127.0.0.1", "SSHUser": "root", "SSHPort": 1, "EnginePort": 1}),
    ):
        machine = Machine(name, driver, url="tcp://127.0.0.3:1" if driver == "none" else URL, tls=driver == "generic")
        machine.driver_state = json.dumps(state)
        added(machines, machine)
    check(machines, line)


def check(machines: Store, line: Line) -> None:
    def filled(text: str) -> str:
        return text.format(store=machines.root) if "{" in text else text

    typed = [filled(word) for word in line.typed.split()]
    result = machinectl(*typed, store=machines.root, environment=line.environment, stdin=line.stdin)
    stdout = filled(line.stdout)
    assert result.returncode == line.code, result.stderr
    assert stdout.removeprefix("…") in result.stdout if stdout.startswith("…") else result.stdout == stdout
    assert filled(line.stderr) in result.stderr


@pytest.mark.parametrize(("value", "mirrors"), [("https://a,https://b", 2), ("https://a", 1), (" https://a , ", 1)])
def test_a_variable_for_a_flag_that_may_be_repeated_is_parted_at_commas(store: Store, value: str, mirrors: int) -> None:
    machinectl(*NONE.split(), "box", store=store.root, environment={"ENGINE_REGISTRY_MIRROR": value})
    assert store.read("box").engine.registry_mirrors == ("https://a", "https://b")[:mirrors]


def test_a_flag_that_was_typed_is_not_parted(store: Store) -> None:
    machinectl(*NONE.split(), "-engine-registry-mirror=https://a,b", "box", store=store.root)
    assert store.read("box").engine.registry_mirrors == ("https://a,b",)


# test/integration/cli/help.bats of docker-machine, as it stands: `lines[0] =~ "machine VERB"`.
HELPED = "active config create env inspect ip kill ls regenerate-certs restart rm scp ssh start status stop upgrade url"
# The lines of its other tests that hold for us: what is typed, a part of the output, the exit status.
BATS = [
    ("", "Usage:", 0),
    ("-v", "docker-machine version ", 0),
    ("version", "docker-machine version ", 0),
    ("--help", "Usage:", 0),
    ("inspect", NO_NAME, 1),
    ("status", NO_NAME, 1),
    ("url", NO_NAME, 1),
    ("inspect UNKNOWN", 'Docker machine "UNKNOWN" does not exist', 1),
    ("create -d bogus bogus", 'Driver "bogus" not found. Do you have the plugin ', 1),
    (f"{NONE} orionbox", 'Docker machine "orionbox" already exists', 1),
    ("rm -y orionbox", "Successfully removed orionbox", 0),
]


@pytest.fixture
def docker_machine(tmp_path: Path) -> Path:
    """A script of this name, as it is installed for scripts that call docker-machine."""
    program = tmp_path / "docker-machine"
    start = "import sys; from machinectl.cli.main import main; sys.exit(main())"
    program.write_text(f"#!{COMMAND[0]}\n{start}\n")
    program.chmod(0o755)
    return program


def called(program: Path, words: str, machines: Store) -> subprocess.CompletedProcess[str]:
    command = [str(program), "-s", machines.root, *words.split()]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def as_docker_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(THIS, "name", DOCKER_MACHINE)


@pytest.mark.usefixtures("as_docker_machine")
def test_called_as_docker_machine_every_help_begins_with_that_name() -> None:
    first = {verb: machinectl(verb, "-h").stdout.partition("\n")[0] for verb in HELPED.split()}
    assert [line for verb, line in first.items() if f"docker-machine {verb} " not in line] == []


@pytest.mark.usefixtures("as_docker_machine")
@pytest.mark.parametrize(("words", "text", "code"), BATS)
def test_called_as_docker_machine_its_own_tests_pass(machines: Store, words: str, text: str, code: int) -> None:
    done = machinectl(*words.split(), store=machines.root)
    assert done.returncode == code
    assert text in (done.stdout + done.stderr).splitlines()[0]


def test_called_as_docker_machine_errors_and_hints_name_it(machines: Store, docker_machine: Path) -> None:
    store = machines.root
    unknown = called(docker_machine, "url ghost", machines).stderr
    assert unknown == GHOST + MORE.format(f"docker-machine -s {store}") + "\n"
    assert called(docker_machine, "destroy orionbox", machines).stderr.endswith(
        f"Did you mean: docker-machine -s {store} rm orionbox\n"
    )
    assert f"docker-machine -s {store} ssh" in called(docker_machine, "ssh -A orionbox", machines).stderr
    (report, _) = json.loads(called(docker_machine, "doctor --json plain", machines).stdout)
    hints = [
        check["Hint"] for check in report["Checks"] if "machinectl" in check["Hint"] or "-machine" in check["Hint"]
    ]
    assert hints
    assert all(f"docker-machine -s {store} " in hint and "machinectl" not in hint for hint in hints)


def test_status_prints_one_line_when_a_script_reads_both_streams(machines: Store) -> None:
    done = machinectl("status", "plain", store=machines.root)
    assert (done.stdout, done.stderr) == ("Stopped\n", "")


def test_an_unknown_machine_is_named_by_docker_machines_whole_line_in_an_empty_store(store: Store) -> None:
    line, *steps = machinectl("url", "ghost", store=store.root).stderr.splitlines()
    assert line == GHOST + MORE.format("machinectl")
    assert [step.partition(":")[0] for step in steps] == ["  Set up a server over SSH"]


@pytest.mark.parametrize("others", [True, False])
def test_a_removed_machine_is_named_by_docker_machines_whole_line(store: Store, *, others: bool) -> None:
    machine = Machine("web", "none", url=URL)
    machine.driver_state = '{"URL": "tcp://127.0.0.1:1"}'
    machine.changes = (FileCreated("/etc/docker/daemon.json"),)
    added(store, machine)
    if others:
        plain = Machine("plain", "none", url=URL)
        added(store, plain)
    machinectl("rm", "-y", "web", store=store.root)
    line, *steps = machinectl("url", "web", store=store.root).stderr.splitlines()
    assert line == f'Docker machine "web" does not exist{MORE.format("machinectl")}'
    assert steps[0].startswith(
        "  It was removed, but its host still has the changes made on it; undo them: machinectl rm --purge "
    )
    again = machinectl("rm", "-f", "web", store=store.root)
    assert again.stderr.splitlines()[0] == f'Error removing host "web": {line}'
    assert again.returncode == 0


def test_ssh_config_prints_the_machines_that_exist(store: Store) -> None:
    machine = Machine("server", "generic", url=URL)
    machine.driver_state = json.dumps({"IPAddress": "127.0.0.1", "SSHUser": "root", "SSHPort": 1, "EnginePort": 1})
    added(store, machine)
    done = machinectl("ssh-config", "ghost", "server", store=store.root)
    assert (done.stdout.splitlines()[0], done.returncode) == ("Host server", 1)
    assert GHOST in done.stderr
