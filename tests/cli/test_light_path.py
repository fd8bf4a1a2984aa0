"""The verbs that sit in shell start-up, and what they must not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

import machinectl as machinectl_package
import machinectl_generic as generic
import machinectl_none as none
from machinectl import certs
from machinectl.cli.catalogue import ALL
from machinectl.hosts.identity import CLIENT_FILES
from machinectl.hosts.present_name import present_name
from machinectl.machines.record import Machine
from machinectl.tunnels.local_sockets import OpenSocket, opened_socket
from machinectl.tunnels.socket_service import relayed
from tests.support import servers
from tests.support.program import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.several_addresses import Certificates, orion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.machines.store import Store

HEAVY = {
    "asyncio",
    "cryptography",
    "dataclasses",
    "importlib.metadata",
    "logging",
    "machinectl.driver",
    "paramiko",
    "pathlib",
    "platformdirs",
    "rich",
    "ssl",
    "subprocess",
    "typer",
    "typing",
    "yaml",
}
# Where an interpreter without `site` finds machinectl, the drivers and the libraries.
INSTALLED = (machinectl_package, generic, none, typer)
PACKAGES = os.pathsep.join([*(str(Path(each.__file__ or "").parents[1]) for each in INSTALLED), *sys.path])
# Run the command lines of argv, and keep in a file which modules each has loaded. Threads that wait for a silent host
# are left behind, as `main` leaves them.
EACH = """
import os, sys
from machinectl.cli.main import run_command_line

_, report, lines = sys.argv
seen = set()
for words in eval(lines):
    sys.argv = ['machinectl', *words]
    try:
        code = run_command_line(sys.argv[1:])
    except SystemExit as error:
        code = error.code
    assert code in {0, 1, 2, 255}, (words, code)
    loaded = set(sys.modules) - seen
    seen |= loaded
    with open(report, 'a') as file:
        print(*loaded, file=file)
os._exit(0)
"""
COMMANDS = [
    ("env", "orionbox"),
    ("env", "--shell", "fish", "orionbox"),
    ("env", "--no-proxy", "orionbox"),
    ("env", "-u"),
    ("env", "-shell=fish", "-no-proxy=true", "orionbox"),
    ("env", "--no-proxy", "--no-proxy=false", "-unset=0", "orionbox"),
    ("env",),
    ("active",),
    ("url", "orionbox"),
    ("ip", "orionbox", "plain"),
    ("ip", "local"),
    ("ls", "-q"),
    ("-storage-path=/nonexistent", "ls", "-q=true"),
    ("shell-init", "bash", "--prompt"),
    ("shell-init", "ksh"),
    ("completion", "zsh"),
    ("completion",),
]
# What is left to no Typer, and may load what it takes.
PLAIN = [
    ("url", "ghost"),
    ("env", "ghost"),
    ("ls", "-q", "-l", "role"),
    ("status", "plain"),
    ("inspect", "orionbox"),
    ("inspect", "ghost"),
    ("certs", "ls"),
    ("certs", "ls", "local", "plain"),
    ("certs", "ls", "ghost"),
]


@pytest.fixture
def machines(store: Store) -> Store:
    for name, url in (("orionbox", "tcp://[::1]:2376"), ("plain", "tcp://127.0.0.1:2375"), ("local", "unix:///x.sock")):
        machine = Machine(name, "none", url=url, tls=url.endswith("2376"))
        machine.driver_state = json.dumps({"URL": url})
        # No expiry to warn of, and none is missing.
        added(store, machine, dict.fromkeys(CLIENT_FILES if machine.tls else (), b"\n"))
    return store


def loaded_by(store: Store, *lines: Sequence[str]) -> dict[str, set[str]]:
    """Return the modules that each of some command lines has loaded, in one process, beyond those before it."""
    report = os.path.join(store.root, "modules")
    subprocess.run(
        # -S: an editable installation or a coverage tool loads modules, which would hide that a verb does.
        [sys.executable, "-S", "-c", EACH, report, repr(lines)],
        env={**os.environ, "MACHINE_STORAGE_PATH": store.root, "SHELL": "/bin/bash", "PYTHONPATH": PACKAGES},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )
    with open(report, encoding="utf-8") as file:
        found = [set(line.split()) for line in file]
    return {" ".join(words): loaded for words, loaded in zip(lines, found, strict=True)}


def costly_ones(loaded: Mapping[str, set[str]], costly: set[str]) -> dict[str, set[str]]:
    """Return the command lines that loaded modules of those, and which."""
    return {line: found for line, modules in loaded.items() if (found := modules & costly)}


def test_the_verbs_of_shell_start_up_import_nothing_heavy(machines: Store) -> None:
    assert_light(machines, *COMMANDS)


def test_active_at_an_open_socket_imports_nothing_heavy(
    machines: Store, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(runtime / "plain.sock")
    own = OpenSocket("plain", machines.root, path)
    with (
        present_name(machines, "plain") as name,
        opened_socket(own) as listener,
        relayed(name, Quiet(), own, listener),
    ):
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        assert machinectl("active", store=machines.root).stdout == "plain\n"
        assert_light(machines, ("active",))


def test_what_a_prompt_calls_parses_a_record_without_the_modules_of_json(machines: Store) -> None:
    quick = [
        ("-s", machines.root, "env", "orionbox"),
        ("env", "orionbox"),
        ("ls", "-q"),
        ("url", "orionbox"),
        ("ip", "plain"),
        ("--help",),
    ]
    costly = HEAVY | {"collections", "contextlib", "datetime", "enum", "functools", "json", "re"}
    assert costly_ones(loaded_by(machines, *quick), costly) == {}


def test_a_warning_about_missing_certificates_loads_neither_threads_nor_expressions(store: Store) -> None:
    added(store, Machine("bare", "none", url="tcp://192.0.2.1:2376", tls=True))
    assert (
        costly_ones(
            loaded_by(store, ("-s", store.root, "env", "bare")), HEAVY | {"contextlib", "enum", "re", "threading"}
        )
        == {}
    )


def test_the_verbs_that_one_types_most_load_no_code_generators(machines: Store) -> None:
    loaded = loaded_by(machines, ("status", "plain"), ("ls", "plain"), ("ssh", "plain"))
    assert costly_ones(loaded, {"dataclasses", "http.client", "inspect", "json", "ssl", "typing"}) == {}


def test_asking_an_engine_over_tls_loads_what_a_handshake_takes(machines: Store, tmp_path: Path) -> None:
    ca = certs.new_ca("orion's CA")
    made = Certificates(tmp_path, ca, certs.issue_client(ca, "client"))
    with servers.serving(servers.engine, made.server("127.0.0.1")) as port:
        orion(machines, made, port, "127.0.0.1")
        loaded = loaded_by(machines, ("status", "orion"))
    assert "ssl" in loaded["status orion"]
    assert costly_ones(loaded, {"datetime", "encodings.idna", "typing"}) == {}


def test_asking_an_engine_loads_no_codec_for_its_address_and_no_loader_of_drivers(machines: Store) -> None:
    with servers.serving(servers.engine) as port:
        machine = Machine("up", "none", url=f"tcp://127.0.0.1:{port}")
        machine.driver_state = json.dumps({"URL": machine.url})
        added(machines, machine)
        loaded = loaded_by(machines, ("status", "up"), ("ls", "up"))
    assert costly_ones(loaded, {"encodings.idna", "importlib", "unicodedata"}) == {}


def assert_light(machines: Store, *lines: Sequence[str]) -> None:
    loaded = loaded_by(machines, *lines)
    assert "machinectl.machines.store" in set().union(*loaded.values())
    assert costly_ones(loaded, HEAVY) == {}


def test_the_verbs_that_scripts_call_often_load_no_typer(machines: Store) -> None:
    loaded = loaded_by(machines, *PLAIN)
    assert costly_ones(loaded, {"typer", "rich", "paramiko", "importlib.metadata"}) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ("machine", "env", "orionbox"),
        ("-H", "tcp://[::1]:2376", "machine", "active"),
        ("machine", "ls", "-q"),
        ("__complete", "machine", "env", "o"),
    ],
    ids=" ".join,
)
def test_as_dockers_plugin_it_imports_nothing_heavy_either(machines: Store, arguments: tuple[str, ...]) -> None:
    assert_light(machines, ("docker-cli-plugin", *arguments))


HELP = [("--help",), ("help", "ssh-options"), *(tuple(f"{verb} --help".split()) for verb in ALL if verb != "set")]


def test_help_imports_nothing_heavy_but_for_the_options_of_a_driver(machines: Store) -> None:
    assert costly_ones(loaded_by(machines, *HELP), HEAVY) == {}
