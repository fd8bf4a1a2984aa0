"""`plan`: what it prints of a fleet beside the machines in a store, and that it touches neither them nor anybody."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError, UsageError
from machinectl.fleet.fleet_file import read_fleet
from machinectl.fleet.plan import plan
from machinectl.fleet.plan_steps import FleetPlan, has_changes
from machinectl.fleet.yaml_nodes import WrongFile
from machinectl.hosts.host_plan import Outcome
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store.held_machines import record_failure
from machinectl.provision.host_changes import FileCreated
from machinectl.verbs.certs import create_certificates
from machinectl.verbs.fleet_texts import plan_lines
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from typing import Any

    from machinectl.machines.store import Store

FLEET = """
groups:
  web: {labels: {role: web}, engine-opt: [log-driver=local]}
hosts:
  orionbox: {driver: generic, ip-address: 192.168.0.29, groups: [web]}
  rigel: {driver: generic, ip-address: 192.168.0.30, ssh-port: 2222, groups: [web]}
  nas: {driver: none, url: "tcp://192.168.0.40:2376", labels: {role: store}}
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fleet's file, where the user is."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def applied(store: Store, *names: str) -> None:
    """Machines as they are once the file is carried out."""
    fleet = read_fleet("", store.names(), {})
    for host in fleet.hosts:
        if host.name in names:
            url = host.spec.options.get("url") or f"tcp://{host.spec.options['generic-ip-address']}:2376"
            machine = Machine(host.name, host.spec.driver, url=str(url), tls=True)
            machine.spec, machine.fleet = host.spec, fleet.id.text
            machine.changes = [FileCreated("/etc/docker/daemon.json")] if host.spec.driver == "generic" else []
            added(store, machine)


def shown(store: Store, *names: str, prune: bool = False, selector: str | None = None) -> list[str]:
    return list(plan_lines(plan(store, "", names, selector), prune=prune))


def content(directory: str | Path) -> dict[Path, tuple[int, bytes]]:
    """All that is in a directory, to the byte, and when it was written."""
    found = (path for path in Path(directory).rglob("*"))
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in found}


def test_each_machine_that_there_is_work_for_has_a_block_and_the_others_are_counted(store: Store, file: Path) -> None:
    applied(store, "rigel", "nas")
    old = added(store, Machine("old", "none", url="unix:///x.sock"))
    with store.writing("old") as held:
        held.machine.fleet = str(file)
        held.write()
    file.write_text(FLEET.replace("log-driver=local", "log-driver=json-file"))
    assert shown(store) == [
        "+ orionbox  create (generic, 192.168.0.29)",
        "~ rigel  change: engine-opt log-driver=local -> log-driver=json-file (the engine restarts)",
        "- old  remove (with --prune)",
        "Plan: 1 to create, 1 to change, 1 to remove with --prune, 1 unchanged",
    ]
    assert shown(store, prune=True)[-2:] == [
        "- old  remove",
        "Plan: 1 to create, 1 to change, 1 to remove, 1 unchanged",
    ]
    assert old.name in plan(store, "", ["old"], None).machines


def test_a_machine_that_is_half_made_says_why(store: Store) -> None:
    applied(store, "rigel", "nas", "orionbox")
    with store.writing("rigel") as held:
        held.machine.phase = Phase.PROVISIONING
        held.write()
        record_failure(held, "No route to host")
    with store.writing("orionbox") as held:
        held.machine.pending = "provision"
        held.write()
    assert shown(store) == [
        "~ orionbox  unfinished: not all changes reached the host",
        "~ rigel  unfinished: No route to host",
        "Plan: 0 to create, 2 to finish, 0 to change, 0 to remove, 1 unchanged",
    ]


def test_globs_and_ranges_choose_hosts_of_the_file_and_machines_that_are_in_it_no_more(
    store: Store, file: Path
) -> None:
    file.write_text('hosts:\n  web[1:3]: {driver: none, url: "unix:///run/web[1:3].sock"}\n')
    for name, fleet in (("web4", str(file)), ("web5", "other"), ("web6", "")):
        machine = Machine(name, "none", url="unix:///x.sock")
        machine.fleet = fleet
        added(store, machine)

    def chosen(*names: str) -> list[str]:
        return [step.name for step in plan(store, "", names, None).steps]

    assert chosen("web*") == ["web1", "web2", "web3", "web4"]
    assert chosen("web[2:3]", "web?") == ["web1", "web2", "web3", "web4"]
    assert chosen("web[24]") == ["web2", "web4"]
    for names, error in ((["db*"], 'no host "db\\*"'), (["web[3:4]", "web[5:6]"], 'no host "web5"')):
        with pytest.raises(MachineError, match=error):
            chosen(*names)
    refused = machinectl("apply", "db*", store=store.root)
    assert (refused.returncode, "See its hosts: machinectl plan --json\n" in refused.stderr) == (1, True)
    done = machinectl("plan", "web[1:2]", "web3*", store=store.root)
    assert "Do it: machinectl apply 'web[1:2]' 'web3*'" in done.stderr


def test_those_that_are_named_or_selected_are_shown_alone(store: Store) -> None:
    assert len(shown(store, "nas", "rigel")) == 3
    assert [line.split()[1] for line in shown(store, selector="role=store")[:-1]] == ["nas"]
    for names, selector, error in (
        (["riggel"], None, 'There is no host "riggel" in fleet.yaml'),
        ([], "role=db", "selects no host in fleet.yaml"),
    ):
        with pytest.raises(MachineError, match=error):
            plan(store, "", names, selector)
    with pytest.raises(UsageError, match="exclude each other"):
        plan(store, "", ["nas"], "role=store")


def test_nobody_is_asked_and_nothing_is_written_without_refresh(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(store, "rigel", "nas")
    file.write_text(FLEET.replace("192.168.0", "10.0.0").replace("driver: generic,", "driver: generic, ssh-jump: nas,"))

    def nobody(*_: Any, **__: Any) -> None:
        pytest.fail("somebody is asked")

    for where, what in ((socket, "socket"), (socket, "getaddrinfo"), (subprocess, "Popen"), (subprocess, "run")):
        monkeypatch.setattr(where, what, nobody)
    before = content(store.root), content(file.parent)
    assert len(plan(store, "", [], None).steps) == 3
    assert (content(store.root), content(file.parent)) == before


def test_certificates_are_looked_at_where_the_file_names_some(store: Store, file: Path) -> None:
    create_certificates("certs/nas", ["192.168.0.40"])
    file.write_text(FLEET.replace("labels: {role: store}", "labels: {role: store}, tls-dir: certs/nas"))
    applied(store, "nas")
    theirs = f"tls-dir others -> {file.parent}/certs/nas"
    assert shown(store, "nas")[0] == f"~ nas  change: {theirs}"
    with store.writing("nas") as held:
        held.write_files({path.name: path.read_bytes() for path in Path("certs/nas").iterdir()})
    assert shown(store, "nas")[0].startswith("Plan: ")
    # Broken files of the machine itself are no fault of the fleet's file.
    own = Path(store.directory("nas"), "ca.pem")
    own.unlink()
    own.mkdir()
    assert shown(store)[-2:] == [
        "! nas  its record cannot be read",
        "Plan: 2 to create, 0 to change, 0 to remove, 0 unchanged, 1 unreadable",
    ]


def test_certificates_that_a_new_machine_is_to_have_are_looked_at_before_anything_is_done(
    store: Store, file: Path
) -> None:
    file.write_text(FLEET.replace("labels: {role: store}", "tls-dir: certs/nas"))
    with pytest.raises(WrongFile, match=r"fleet\.yaml:7:3: .*certs/nas"):
        plan(store, "", [], None)


def test_what_a_record_holds_passes_for_no_line_of_the_plan(store: Store) -> None:
    applied(store, "nas")
    with store.writing("nas") as held:
        held.machine.labels = {"x": "\n+ rigel  create\x1b[2J"}
        held.write()
    assert shown(store, "nas")[1] == r"      labels - x=\n+ rigel  create\x1b[2J"


def test_a_record_that_cannot_be_read_is_told_and_the_others_are_planned(store: Store) -> None:
    (Path(store.machines) / "rigel").mkdir(parents=True)
    (Path(store.machines) / "rigel" / "config.json").write_text("{}")
    (Path(store.machines) / "orionbox").mkdir()
    assert shown(store) == [
        "! orionbox  its record cannot be read",
        "! rigel  its record cannot be read",
        "+ nas  create (none, tcp://192.168.0.40:2376)",
        "Plan: 1 to create, 0 to change, 0 to remove, 0 unchanged, 2 unreadable",
    ]
    done = machinectl("plan", "orionbox", "rigel", "--detailed-exitcode", store=store.root)
    assert done.returncode == 1
    assert 'Machine "rigel" belongs to docker-machine' in done.stderr
    assert 'The machine.json of "orionbox" is missing' in done.stderr
    assert "machinectl rm -f orionbox" in done.stderr
    assert machinectl("plan", "nas", "--detailed-exitcode", store=store.root).returncode == 4


def test_what_was_changed_on_a_host_by_hand_is_work(store: Store) -> None:
    applied(store, "nas", "rigel", "orionbox")
    planned = plan(store, "", [], None)
    assert not has_changes(planned, prune=True)
    outcome = Outcome("Configuring the engine", changed=True, details=('+"debug": \x1b[31mtrue',))
    found = FleetPlan(planned.steps, planned.fleet, planned.machines, previews={"rigel": [outcome]})
    assert has_changes(found, prune=False)
    assert list(plan_lines(found, prune=False)) == [
        "! rigel  its host differs:",
        "      Configuring the engine",
        '            +"debug": \\x1b[31mtrue',
        "Plan: 0 to create, 0 to change, 0 to remove, 2 unchanged, 1 changed on the host",
    ]


def test_programs_get_each_machine_of_the_fleet(store: Store) -> None:
    applied(store, "nas")
    done = machinectl("plan", "--json", "nas", "rigel", store=store.root)
    assert (done.returncode, done.stderr) == (0, "")
    rigel, nas = map(json.loads, done.stdout.splitlines())
    assert (rigel["Name"], rigel["Action"], rigel["Address"]) == ("rigel", "create", "192.168.0.30:2222")
    assert (rigel["Result"], nas["Result"], nas["Reason"], nas["Seconds"]) == ("to create", "unchanged", "", 0.0)
    assert (nas["Name"], nas["Action"], nas["Differences"], nas["Host"]) == ("nas", "leave", [], [])
