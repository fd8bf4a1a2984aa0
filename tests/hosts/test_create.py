"""`create` with somebody else's drivers: what they are given, what is kept of them, and what their faults break."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.verb_session import Session
from machinectl.driver.installed_drivers import load
from machinectl.hosts.creation import Creation
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine, Phase
from machinectl.machines.spec import MachineSpec
from machinectl.verbs.provision import provision
from tests.support.program import machinectl, typed_at_terminal
from tests.support.registered import added

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from machinectl.machines.store import Store


SOMEBODY_ELSES = """
import json, os
from machinectl.driver import NoPowerSwitch, Option, Where

class Driver:
    def options(self):
        # Known at run time only, as those of a driver in another process are.
        return [
            *(Option("cloud-" + word, "A " + word + ".", default) for word, default in
              [("region", "eu"), ("cpus", 2), ("spot", False), ("tag", ())]),
            Option("cloud-size", "How large.", "s", choices=("s", "m", "l")),
            Option("cloud-token", "What lets you in.", variable="CLOUD_TOKEN", secret=True),
        ]
    def check(self, request): pass
    def preview(self, request): return Where()
    def create(self, request, keep):
        if request.options["cloud-region"] == "moon" and not os.environ.get("CLOUD_ROCKET"):
            keep(request.state + "half ")
            raise ValueError("too far away")
        given = {name: value for name, value in request.options.items() if name != "cloud-token"}
        token = len(request.options["cloud-token"])
        keep(request.state)
        return request.state + '{"n": 1.0, "n": 2, "StorePath": "%s", "given": %s, "length": %d}  ' % (
            request.directory, json.dumps(given), token)
    def remove(self, instance): print("given back:", instance.state)
    def where(self, instance): return Where("tcp://192.0.2.1:2376")
    def state(self, instance): return None
    def move(self, instance, url): return instance.state
    def change(self, instance, options): return json.dumps({"changed": list(options)})
    def no_power(self, instance, verb=""): return NoPowerSwitch("none", "nowhere")
    def start(self, instance): raise self.no_power(instance)
    stop = restart = kill = start
    def close(self): pass
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages of somebody else's on the import path: one driver works, one is broken."""
    (tmp_path / "cloud.py").write_text(SOMEBODY_ELSES)
    (tmp_path / "broken.py").write_text("import nosuchmodule\n")
    for package, entry in (("cloud", "cloud = cloud:Driver"), ("broken", "broken = broken:Driver")):
        info = tmp_path / f"machinectl_{package}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: machinectl-{package}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[machinectl.drivers]\n{entry}\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))


@pytest.mark.usefixtures("plugins")
def test_every_installed_driver_is_listed_and_a_broken_one_says_why_and_breaks_no_other(tmp_path: Path) -> None:
    rows = {line.split()[0]: line for line in machinectl("drivers").stdout.splitlines()}
    assert "machinectl-cloud" in rows["cloud"]
    assert "1.5" in rows["cloud"]
    assert "No module named 'nosuchmodule'" in rows["broken"]
    assert "none" in rows
    store = tmp_path / "store"
    assert machinectl("create", "-d", "none", "--url", "tcp://127.0.0.1:1", "a", store=store).returncode == 0
    assert "a" in machinectl("ls", store=store).stdout
    failed = machinectl("create", "-d", "broken", "b", store=store)
    assert failed.returncode == 1
    assert "cannot be loaded" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.usefixtures("plugins")
def test_options_known_at_run_time_are_options_of_create_and_reach_the_driver(tmp_path: Path) -> None:
    store = tmp_path / "store"
    helped = machinectl("create", "-d", "cloud", "--help")
    assert "--cloud-region" in helped.stdout
    made = machinectl(
        "create",
        "--driver=cloud",
        "--cloud-cpus",
        "4",
        "--cloud-spot",
        "--cloud-tag",
        "a",
        "--cloud-tag",
        "b",
        "box",
        store=store,
    )
    assert made.returncode == 0, made.stderr
    given = machinectl("inspect", "-f", "{{json .Driver.given}}", "box", store=store).stdout
    assert json.loads(given) == {
        "cloud-cpus": 4,
        "cloud-region": "eu",
        "cloud-size": "s",
        "cloud-spot": True,
        "cloud-tag": ["a", "b"],
    }
    assert machinectl("create", "-d", "cloud", "--cloud-cpus", "many", "box2", store=store).returncode == 2


@pytest.mark.usefixtures("plugins")
def test_a_driver_that_crashes_is_blamed_by_name_and_does_not_keep_its_machine(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert machinectl("create", "-d", "cloud", "box", store=store).returncode == 0
    moved = machinectl("set", "--url", "unix:///x", "box", store=store)
    assert moved.returncode == 0, moved.stderr
    (tmp_path / "cloud.py").write_text(SOMEBODY_ELSES.replace("def remove(self", "remove = 1\n    def other(self"))
    failed = machinectl("rm", "-y", "box", store=store)
    assert failed.returncode == 1
    assert 'Driver "cloud" fails in remove: TypeError' in failed.stderr
    assert machinectl("rm", "-f", "box", store=store).returncode == 0


@pytest.mark.usefixtures("plugins")
def test_a_drivers_state_is_kept_byte_for_byte_through_every_rewrite(tmp_path: Path) -> None:
    from machinectl.machines.store import Store

    store = tmp_path / "store"
    assert machinectl("create", "-d", "cloud", "box", store=store).returncode == 0
    before = Store(str(store)).read("box").driver_state
    assert before.startswith('{"n": 1.0, "n": 2, "StorePath": "/')
    assert before.endswith("  ")
    assert str(store) in before
    machinectl("set", "--label", "a=b", "box", store=store)
    machinectl("rename", "box", "crate", store=store)
    assert Store(str(store)).read("crate").driver_state == before


def created(*options: str | Path, store: Path, token: str = "") -> subprocess.CompletedProcess[str]:
    return machinectl("create", "-d", "cloud", *options, "box", store=store, environment={"CLOUD_TOKEN": token})


@pytest.mark.usefixtures("plugins")
def test_a_choice_is_shown_and_anything_else_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert "s|m|l" in machinectl("create", "-d", "cloud", "--help").stdout
    refused = created("--cloud-size", "xl", store=store)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "Error: --cloud-size takes s, m or l, not 'xl'",
        "  For example: --cloud-size s",
    ]
    excluded = created("--no-tls", store=store)
    assert (excluded.returncode, "--no-provision" in excluded.stderr) == (2, True)
    assert not (store / "machines/box").exists()
    assert created("--cloud-size", "m", "--no-tls", "--no-provision", store=store).returncode == 0


@pytest.mark.usefixtures("plugins")
def test_a_secret_comes_from_a_file_or_the_variable_and_is_kept_nowhere(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (tmp_path / "token").write_text("opensesame\n")
    helped = machinectl("create", "-d", "cloud", "--help", environment={"COLUMNS": "200", "CLOUD_TOKEN": "opensesame"})
    assert "--cloud-token-file FILE" in " ".join(helped.stdout.split())
    assert "$CLOUD_TOKEN" in helped.stdout
    assert "opensesame" not in helped.stdout
    assert created("--cloud-token", "opensesame", store=store).returncode == 2
    for options, token in (((), "opensesame"), (("--cloud-token-file", tmp_path / "token"), "another")):
        made = created(*options, store=store, token=token)
        assert made.returncode == 0, made.stderr
        record = (store / "machines/box/machine.json").read_text()
        assert r"\"length\": 10}" in record
        assert "opensesame" not in record
        assert machinectl("rm", "-y", "box", store=store).returncode == 0
    assert "cannot be read" in created("--cloud-token-file", tmp_path / "nowhere", store=store).stderr


@pytest.mark.usefixtures("plugins")
def test_what_a_create_that_failed_has_made_is_on_record_gone_on_with_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    failed = created("--cloud-region", "moon", store=store)
    assert failed.returncode == 1
    assert 'Driver "cloud" fails in create: ValueError: too far away' in failed.stderr
    assert "machinectl rm box" in failed.stderr
    assert "incomplete" in created("--cloud-region", "moon", store=store).stderr
    assert "given back: half half" in machinectl("rm", "-y", "box", store=store).stdout
    assert created("--cloud-region", "moon", store=store).returncode == 1
    assert machinectl("create", "-d", "none", "--url", "unix:///x", "box", store=store).returncode == 1
    monkeypatch.setenv("CLOUD_ROCKET", "1")
    assert created("--cloud-region", "moon", store=store).returncode == 0
    assert "given back: half {" in machinectl("rm", "-y", "box", store=store).stdout


@pytest.mark.usefixtures("plugins")
def test_a_dry_run_makes_nothing_and_says_what_cannot_be_known_yet(tmp_path: Path) -> None:
    store = tmp_path / "store"
    shown = created("--dry-run", "--cloud-region", "moon", store=store)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert 'Driver cloud would make "box"' in shown.stdout
    assert shown.stdout.endswith("Nothing was changed\n")
    assert not store.exists()


@pytest.mark.usefixtures("plugins")
def test_what_was_half_made_is_not_gone_on_with_by_other_options(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert created("--cloud-region", "moon", store=store).returncode == 1
    refused = created("--cloud-region", "moon", "--cloud-size", "l", store=store)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        'Error: "box" is incomplete, and was created with another --cloud-size',
        "  Use the same value, or remove the machine first: machinectl rm box",
    ]


IN_SHELL = [
    "eval $(machinectl env web1)",
    'For the verb use, add to ~/.bashrc: eval "$(machinectl shell-init bash)"',
]


@pytest.mark.parametrize(
    ("words", "variables", "shown"),
    [
        (("tcp://192.0.2.1:2375", "web1"), {}, ["docker --context web1 ps", *IN_SHELL]),
        (("--no-context", "tcp://192.0.2.1:2375", "web1"), {}, IN_SHELL),
        (("--no-provision", "ssh://ops@web1"), {"MACHINECTL_CONTEXTS": "off"}, IN_SHELL),
        # A warning has said how to add its certificates.
        (("tcp://192.0.2.1:2376", "web1"), {}, []),
    ],
)
def test_create_ends_with_the_next_commands_at_a_terminal(
    store: Store, words: tuple[str, ...], variables: dict[str, str], shown: list[str]
) -> None:
    text = typed_at_terminal("create", *words, store=store.root, environment=variables)
    registered, *commands = text[text.index('"web1" is registered: ') :].splitlines()
    assert registered == f'"web1" is registered: {store.read("web1").url}'
    assert commands == [f"  {command}" for command in shown]
    assert "virtual machine" not in text
    assert "up and running" not in text


def test_the_path_of_a_key_is_on_record_as_one_from_wherever_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = MachineSpec("generic", {"generic-ssh-key": "id", "generic-ssh-user": "ops"})
    creation = Creation("orion", spec, load("generic"), Login())
    assert creation.recorded_spec.options == {"generic-ssh-key": str(tmp_path / "id"), "generic-ssh-user": "ops"}
    assert creation.spec.options["generic-ssh-key"] == "id"


@pytest.mark.parametrize(("phase", "told"), [(Phase.PROVISIONING, True), (Phase.READY, False)])
def test_a_machine_that_becomes_ready_is_told_with_the_next_commands(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], phase: str, told: bool
) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.7:2376")
    machine.phase = phase
    added(store, machine)

    def finish(*_: object, **__: object) -> Iterator[tuple[str, None]]:
        with store.writing("orion") as held:
            held.machine.phase = Phase.READY
            held.write()
        yield "orion", None

    monkeypatch.setattr("machinectl.verbs.provision.provision_each", finish)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    switches = dict.fromkeys(("yes", "dry_run", "force", "restart_swarm", "open_firewall", "take_over"), False)
    assert provision(Session(store.root), names=["orion"], login=Login(), **switches) == 0
    said = capsys.readouterr().out
    assert ("Docker is up and running on orion: tcp://192.0.2.7:2376" in said) is told
    assert ("machinectl" in said) is told
