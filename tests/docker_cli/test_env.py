"""`env` and `config`: what a shell makes of what they print, up to the engine, and from a hostile store."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl import shell as shells
from machinectl.errors import MachineError
from machinectl.hosts.docker_environment import VARIABLES
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store
from machinectl.verbs.env import env_statements, env_variables
from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.real import need
from tests.support.registered import added
from tests.support.shells import EVALUATIONS, Evaluation, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.dockerd import Dockerd

HINT = "# Run this command to configure your shell: \n# eval $(machinectl env orionbox)\n"


def add(store: Store, name: str, url: str, *, tls: bool) -> None:
    added(store, Machine(name, "none", url=url, tls=tls))


@pytest.fixture
def machines(store: Store) -> Store:
    add(store, "orionbox", "tcp://192.168.0.29:2376", tls=True)
    add(store, "plain", "tcp://192.168.0.30:2375", tls=False)
    add(store, "local", "unix:///var/run/docker.sock", tls=False)
    return store


def printed(
    store: Store,
    *names: str,
    shell: str | None = "bash",
    unset: bool = False,
    no_proxy: bool = False,
    environment: Mapping[str, str] | None = None,
) -> str:
    variables = env_variables(store, names, environment or {}, unset=unset, no_proxy=no_proxy)
    return env_statements(variables, shell, ["machinectl", "env", *names], environment or {})


def test_a_machine_with_tls_sets_everything_in_docker_machines_order(machines: Store) -> None:
    assert printed(machines, "orionbox") == (
        'export DOCKER_TLS_VERIFY="1"\n'
        'export DOCKER_HOST="tcp://192.168.0.29:2376"\n'
        f'export DOCKER_CERT_PATH="{machines.root}/machines/orionbox"\n'
        'export DOCKER_MACHINE_NAME="orionbox"\n' + HINT
    )


def test_a_machine_without_tls_removes_what_another_one_set(machines: Store) -> None:
    assert printed(machines, "local").splitlines()[:4] == [
        "unset DOCKER_TLS_VERIFY;",
        'export DOCKER_HOST="unix:///var/run/docker.sock";',
        "unset DOCKER_CERT_PATH;",
        'export DOCKER_MACHINE_NAME="local";',
    ]


def test_the_machine_called_default_is_meant_where_none_is_named(machines: Store) -> None:
    with pytest.raises(MachineError, match='no "default" machine exists'):
        printed(machines)
    add(machines, "default", "tcp://192.168.0.31:2376", tls=True)
    assert 'export DOCKER_MACHINE_NAME="default"\n' in printed(machines)


def test_a_machine_that_is_half_made_is_refused(machines: Store) -> None:
    add(machines, "young", "", tls=True)
    with machines.writing("young") as held:
        held.machine.phase = Phase.CREATING
        held.write()
    with pytest.raises(MachineError, match=r'^Machine "young" is incomplete') as caught:
        printed(machines, "young")
    assert "machinectl rm young" in caught.value.hint


def test_unset_removes_the_variables_and_needs_no_machine(store: Store) -> None:
    assert printed(store, unset=True) == (
        "unset DOCKER_TLS_VERIFY\nunset DOCKER_HOST\nunset DOCKER_CERT_PATH\nunset DOCKER_MACHINE_NAME\n"
        "# Run this command to configure your shell: \n# eval $(machinectl env)\n"
    )


@pytest.mark.parametrize(
    ("environment", "statement"),
    [
        ({}, 'export NO_PROXY="192.168.0.29"'),
        ({"NO_PROXY": "a.example,b.example"}, 'export NO_PROXY="a.example,b.example,192.168.0.29"'),
        ({"no_proxy": "a.example", "NO_PROXY": "b.example"}, 'export no_proxy="a.example,192.168.0.29"'),
        ({"no_proxy": "", "NO_PROXY": "b.example"}, 'export NO_PROXY="b.example,192.168.0.29"'),
        ({"no_proxy": "192.168.0.29,a.example"}, 'export no_proxy="192.168.0.29,a.example"'),
        ({"no_proxy": "a.example, 192.168.0.29"}, 'export no_proxy="a.example, 192.168.0.29"'),
        ({"no_proxy": "192.168.0.299"}, 'export no_proxy="192.168.0.299,192.168.0.29"'),
        ({"no_proxy": "$(payload)"}, "export no_proxy=\"$(printf %b '\\0044\\0050payload\\0051\\0054192.168.0.29')\""),
    ],
)
def test_no_proxy_gets_the_machines_host_once(machines: Store, environment: dict[str, str], statement: str) -> None:
    lines = printed(machines, "orionbox", no_proxy=True, environment=environment).splitlines()
    assert lines[3:5] == ['export DOCKER_MACHINE_NAME="orionbox"', statement]


HERE = {"DOCKER_HOST": "tcp://192.168.0.29:2376"}


@pytest.mark.parametrize(
    ("environment", "statements"),
    [
        ({}, ["unset NO_PROXY"]),
        ({**HERE, "NO_PROXY": "192.168.0.29"}, ["unset NO_PROXY"]),
        ({**HERE, "no_proxy": "192.168.0.29"}, ["unset no_proxy"]),
        ({**HERE, "NO_PROXY": "a.example,192.168.0.29"}, ['export NO_PROXY="a.example";']),
        ({**HERE, "no_proxy": "a.example, 192.168.0.29, b.example"}, ['export no_proxy="a.example, b.example";']),
        ({**HERE, "NO_PROXY": "a.example,192.168.0.299"}, []),
        ({"NO_PROXY": "a.example"}, []),
        ({"DOCKER_HOST": "unix:///x", "no_proxy": "a.example"}, []),
        ({"DOCKER_HOST": "nonsense", "no_proxy": "a.example"}, []),
    ],
)
def test_unset_takes_the_machines_host_alone_out_of_no_proxy(
    store: Store, environment: dict[str, str], statements: list[str]
) -> None:
    lines = printed(store, unset=True, no_proxy=True, environment=environment).splitlines()
    assert [line.rstrip(";") for line in lines[:4]] == [f"unset {variable}" for variable in VARIABLES]
    assert [line for line in lines[4:] if not line.startswith("#")] == statements


def test_of_an_unknown_shell_the_known_ones_are_told_and_the_lines_are_for_sh(machines: Store) -> None:
    done = machinectl("env", "orionbox", "--shell", "foo\x1b", store=machines.root)
    assert done.returncode == 0
    assert done.stdout.startswith('export DOCKER_TLS_VERIFY="1"\n')
    assert done.stderr.startswith(
        "Unknown shell 'foo\\x1b', so these lines are for sh. Known shells are sh, bash, zsh, "
    )
    for known in ("--shell=/bin/zsh", "-sfish", "--shell=pwsh.exe", "--shell=sh"):
        assert machinectl("env", "plain", known, store=machines.root).stderr == ""


def test_the_shell_is_found_where_none_is_named(machines: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs the tests may do so from a shell.
    monkeypatch.setattr(shells, "program_of", lambda _: "")
    for shell in (None, ""):
        assert printed(machines, "orionbox", shell=shell, environment={"SHELL": "/usr/bin/fish"}).startswith(
            'set -gx DOCKER_TLS_VERIFY "1";\n'
        )


def test_cmd_is_refused_where_the_path_does_not_fit(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "100%"))
    add(store, "orionbox", "tcp://192.168.0.29:2376", tls=True)
    with pytest.raises(MachineError, match=r"^cmd cannot hold DOCKER_CERT_PATH: it has the character '%'$"):
        printed(store, "orionbox", shell="cmd")


HOSTILE = "st $(payload)`payload`;payload\n'\"!$HOME %a[a-z]*  é\udcff\n"


@pytest.mark.parametrize("way", EVALUATIONS, ids=str)
@pytest.mark.parametrize("name", ["v6", "plain"])
def test_a_hostile_store_reaches_the_shell_as_it_is_and_runs_nothing(
    way: Evaluation, name: str, tmp_path: Path
) -> None:
    way.need()
    store = Store(os.path.join(tmp_path, HOSTILE))
    add(store, "v6", "tcp://[fd00::29]:2376", tls=True)
    add(store, "plain", "ssh://ops@orion", tls=False)
    answer = machinectl(
        "-s", store.root, "env", "--no-proxy", "--shell", way.shell, name, environment={"no_proxy": HOSTILE}
    )
    before = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/elsewhere", "DOCKER_HOST": "tcp://elsewhere"}
    outcome = evaluate(way, answer.stdout, before)
    url, host = ("tcp://[fd00::29]:2376", "fd00::29") if name == "v6" else ("ssh://ops@orion", "orion")
    expected = {"DOCKER_HOST": url, "DOCKER_MACHINE_NAME": name, "no_proxy": f"{HOSTILE},{host}"}
    if name == "v6":
        expected |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": store.directory("v6")}
    told = {key: value for key, value in outcome.variables.items() if key.startswith(("DOCKER", "no_proxy"))}
    assert told == expected
    assert (outcome.strays, outcome.arguments, outcome.stderr) == ([], None, "")


# Docker's CLI from 29 on where it cannot be had: a flag's value is the file's name as it is, quotes and all.
CLI_29 = f"""#!{sys.executable}
import sys
flags = dict(argument.partition("=")[::2] for argument in sys.argv[1:] if "=" in argument)
for flag in ("--tlscacert", "--tlscert", "--tlskey"):
    open(flags[flag]).close()
print(*[argument for argument in sys.argv[1:] if "=" not in argument], flags["-H"])
"""


def registered(store: Store, dockerd: Dockerd) -> None:
    """The machine orionbox, whose engine is a real one."""
    files = {name: (dockerd.directory / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    added(store, Machine("orionbox", "none", url=dockerd.url, tls=True), files)


def docker(store: Store, words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """What docker says to the flags of `config` and to some words more, both split by a shell."""
    return subprocess.run(
        ["sh", "-c", f"docker $({' '.join(COMMAND)} config orionbox) {words}"],
        env={**os.environ, "MACHINE_STORAGE_PATH": store.root, "PATH": path + os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_docker_reaches_the_engine_by_what_is_printed(store: Store, dockerd: Dockerd) -> None:
    need("docker")
    registered(store, dockerd)
    answer = docker(store, "version --format '{{.Server.Version}}'")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout[0].isdigit()


def test_a_docker_that_takes_no_quotes_finds_the_files(store: Store, tmp_path: Path) -> None:
    added(store, Machine("orionbox", "none", url="tcp://127.0.0.1:1", tls=True))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / "store" / "machines" / "orionbox" / name).write_bytes(b"\n")
    (tmp_path / "docker").write_text(CLI_29)
    (tmp_path / "docker").chmod(0o755)
    answer = docker(store, "ps", f"{tmp_path}:")
    assert (answer.stdout, answer.stderr) == ("--tlsverify ps tcp://127.0.0.1:1\n", "")


@pytest.mark.parametrize("url", ["tcp://[::1]:2376", "tcp://127.0.0.1:2376"])
def test_only_a_url_with_brackets_is_warned_of(store: Store, url: str) -> None:
    added(store, Machine("orionbox", "none", url=url, tls=True))
    answer = machinectl("-s", store.root, "config", "orionbox")
    assert ("eval $(machinectl -s" in answer.stderr) is ("[" in url)
