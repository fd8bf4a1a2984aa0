"""`rm`: what it keeps of a machine whose host stays changed, and that it keeps nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.record import Machine
from machinectl.machines.store.machine_store import write_record
from machinectl.provision.host_changes import CaTrusted, FileCreated, PackageInstalled
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.program import started, typed_at_terminal
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from machinectl.provision.host_changes import Change
    from tests.support.sshd import SSHConfig

CHANGES = (FileCreated("/etc/docker/machinectl/environment"), CaTrusted("0" * 64))


def orion(store: Store, *changes: Change) -> Machine:
    machine = Machine("orion", "none", url="tcp://192.0.2.1:2376", tls=True)
    machine.driver_state = f'{{"URL": "{machine.url}"}}'
    machine.changes = changes
    return added(store, machine, {"ca.pem": b"CA", "ca-key.pem": b"KEY"})


def removed(store: Store) -> str:
    return machinectl("ls", "--removed", "-q", store=store.root).stdout


def test_a_shell_that_points_at_what_is_gone_is_told_what_unsets_it(store: Store) -> None:
    there = {"DOCKER_HOST": "tcp://192.0.2.1:2376", "DOCKER_MACHINE_NAME": "orion"}
    for environment, told in ((there, True), ({"DOCKER_MACHINE_NAME": "orion"}, False), ({}, False)):
        orion(store)
        done = machinectl("rm", "-y", "orion", store=store.root, environment=environment)
        assert done.stdout == "Successfully removed orion\n"
        assert (
            'This shell points at "orion", which is gone\n  Unset it: eval $(machinectl env -u)\n' in done.stderr
        ) is told


def test_what_undoing_takes_is_kept_apart_private_listed_and_forgotten_on_request(store: Store) -> None:
    orion(store, *CHANGES)
    told = machinectl("rm", "-y", "orion", store=store.root)
    assert (told.returncode, told.stdout) == (0, "Successfully removed orion\n")
    assert "stays set up: /etc/docker/machinectl/environment\n" in told.stderr
    assert "machinectl rm --purge orion" in told.stderr
    assert store.names() == []
    assert removed(store) == "orion\n"
    directory = Path(store.root, "removed", "orion")
    assert str(directory) in machinectl("ls", "--removed", store=store.root).stdout
    assert [json.loads(machinectl("ls", "--removed", "--json", store=store.root).stdout)[0]["Name"]] == ["orion"]
    assert {path.name for path in directory.iterdir()} == {"machine.json", "ca.pem", "ca-key.pem"}
    assert os.stat(directory.parent).st_mode & 0o777 == os.stat(directory).st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in directory.iterdir())
    assert "--forget orion" in machinectl("rm", "-y", "orion", store=store.root).stderr
    # The name is free, and what is kept under it is not lost to another host's.
    orion(store, *CHANGES)
    foretold = machinectl("rm", "--dry-run", "orion", store=store.root).stdout
    assert "what undoes the set-up of the host is kept" in foretold
    again = machinectl("rm", "-y", "orion", store=store.root)
    assert "rm --purge orion; forget it: machinectl rm --forget orion; " in again.stderr
    assert removed(store) == "orion\norion-2\n"
    later = machinectl("rm", "--dry-run", "--forget", "orion-2", store=store.root)
    assert (later.returncode, "Planned: Forgetting orion-2" in later.stdout) == (0, True)
    asked = machinectl("rm", "--forget", "orion-2", store=store.root).stderr
    assert "nothing is kept to undo it" in asked
    forgotten = machinectl("rm", "-y", "--forget", "orion", "orion-2", store=store.root)
    # Several are removed at once, and each is told as it ends.
    assert sorted(forgotten.stdout.splitlines()) == ["Successfully removed orion", "Successfully removed orion-2"]
    assert removed(store) == ""
    assert os.listdir(directory.parent) == []


def test_a_record_that_is_kept_leaves_its_name_to_a_new_machine(store: Store) -> None:
    created, url = orion(store, *CHANGES), "tcp://192.0.2.2:2376"
    machinectl("rm", "-y", "orion", store=store.root)
    create = ("create", "-d", "none", "--url", url)
    assert machinectl(*create, "orion-2", store=store.root).returncode == 0
    told = machinectl(*create, "orion", store=store.root).stderr
    assert 'The removed machine "orion" is kept as "orion-3" now\n' in told
    assert removed(store) == "orion-3\n"
    assert machinectl("rename", "orion", "vega", store=store.root).returncode == 0
    # A jump host that gets the name of a removed machine behind it.
    (kept,) = store.removed.readable()
    with store.writing("orion-3"):
        kept.jump = "machine:vega"
        write_record(kept)
    assert machinectl("rename", "vega", "orion-3", store=store.root).returncode == 0
    (kept,) = store.removed.readable()
    assert (kept.name, kept.url, kept.changes) == ("orion-3-2", created.url, created.changes)
    assert kept.jump == "machine:orion-3"
    asked = machinectl("rm", "--forget", kept.name, "orion-2", store=store.root, stdin="n\n").stderr
    assert f"About to remove {kept.name}, orion-2: docker no longer reaches orion-2 from here; " in asked
    asked = machinectl("rm", "--purge", kept.name, store=store.root, stdin="n\n").stderr
    assert f"About to remove {kept.name}: the set-up of {kept.name} is undone; " in asked


def test_what_removes_an_engine_that_was_installed_is_kept_also_where_nothing_else_is_left(store: Store) -> None:
    orion(store, PackageInstalled("docker.io"))
    told = machinectl("rm", "-y", "orion", store=store.root).stderr
    assert 'The engine stays on the host of "orion": machinectl installed docker.io\n' in told
    assert (
        "Remove the engine, too: machinectl rm --purge-engine orion; forget it: machinectl rm --forget orion\n" in told
    )
    assert removed(store) == "orion\n"


def test_nothing_is_kept_of_a_host_that_its_driver_made_or_that_is_to_be_forgotten(store: Store) -> None:
    # Nor of one that is as it was.
    orion(store)
    assert machinectl("rm", "-y", "orion", store=store.root).stderr == ""
    assert (store.names(), removed(store)) == ([], "")
    orion(store, *CHANGES)
    with store.writing("orion") as held:
        held.machine.made = True
        held.write()
    assert machinectl("rm", "-y", "orion", store=store.root).returncode == 0
    orion(store, *CHANGES)
    assert machinectl("rm", "-y", "--forget", "orion", store=store.root).returncode == 0
    assert (store.names(), removed(store)) == ([], "")


def test_a_host_that_could_not_be_put_back_goes_on_being_kept(store: Store) -> None:
    orion(store, *CHANGES)
    failed = machinectl("rm", "-y", "--purge", "orion", store=store.root)
    assert (failed.returncode, store.names()) == (1, ["orion"])
    assert machinectl("rm", "-f", "--purge", "orion", store=store.root).returncode == 0
    assert (store.names(), removed(store)) == ([], "orion\n")
    assert machinectl("rm", "-y", "--purge", "orion", store=store.root).returncode == 1
    assert (store.names(), removed(store)) == ([], "orion\n")


def test_of_a_host_that_may_never_come_back_it_is_said_how_to_forget_it(store: Store, ssh_config: SSHConfig) -> None:
    ssh_config.write("ConnectTimeout 1")
    machine = Machine("orion", "generic", url="tcp://127.0.0.1:2376", tls=True)
    machine.driver_state = '{"IPAddress": "127.0.0.1", "SSHPort": 1, "EnginePort": 2376}'
    machine.changes = CHANGES
    added(store, machine)
    failed = machinectl("rm", "-y", "--purge", "orion", store=store.root)
    assert failed.returncode == 1
    assert "and keep the record to undo its set-up: machinectl rm orion\n" in failed.stderr
    with servers.full() as off:
        options = f"--generic-ip-address 127.0.0.1 --generic-ssh-port {off}".split()
        new = machinectl("create", "--dry-run", "-d", "generic", *options, "new", store=store.root)
        assert "machinectl start" not in new.stderr
        machinectl("set", "--generic-ssh-port", str(off), "orion", store=store.root)
        assert "if it is off: machinectl start orion\n" in machinectl("provision", "orion", store=store.root).stderr
    assert machinectl("rm", "-y", "orion", store=store.root).returncode == 0
    assert removed(store) == "orion\n"
    failed = machinectl("rm", "-y", "--purge", "orion", store=store.root)
    assert "or leave its host as it is, and forget it: machinectl rm --forget orion\n" in failed.stderr
    assert "machinectl rm orion" not in failed.stderr


def test_an_interrupted_purge_leaves_a_removed_machine_removed(store: Store, tmp_path: Path) -> None:
    machine = Machine("orion", "generic", url="tcp://127.0.0.1:1", tls=True)
    machine.changes = CHANGES
    with socket.create_server(("127.0.0.1", 0)) as silent:
        machine.driver_state = json.dumps(
            {"IPAddress": "127.0.0.1", "SSHPort": silent.getsockname()[1], "EnginePort": 1}
        )
        added(store, machine)
        with store.writing("orion") as held:
            held.set_aside()
        with started("rm", "-y", "--purge", "orion", store=store.root, stderr=subprocess.PIPE) as process:
            connection, _ = silent.accept()
            assert store.names() == []
            process.send_signal(signal.SIGINT)
            assert process.stderr
            assert b"Traceback" not in process.stderr.read()
        connection.close()
    assert process.returncode == 130
    assert store.names() == []
    assert [machine.name for machine in store.removed.readable()] == ["orion"]
    assert not (tmp_path / "home" / ".docker").exists()


def test_nobody_is_asked_about_what_is_not_to_be_removed_and_the_hint_for_it_works(store: Store) -> None:
    empty, old = Path(store.root, "machines", "empty"), Path(store.root, "machines", "old")
    for directory in (empty, old):
        directory.mkdir(parents=True, mode=0o700)
    (old / "config.json").write_text("{}")
    for name in ("empty", "old"):
        asked = machinectl("rm", name, store=store.root)
        assert asked.returncode == 1
        assert "Are you sure" not in asked.stderr
    create = ("create", "-d", "none", "--url", "tcp://192.0.2.1:2376")
    # docker-machine's machine stays as it is, and its store gets none of ours.
    assert '"old" already exists' in machinectl(*create, "old", store=store.root).stderr
    assert "import --from-docker-machine" in machinectl(*create, "new", store=store.root).stderr
    assert machinectl("rm", "-f", "old", store=store.root).returncode == 1
    assert [path.name for path in old.iterdir()] == ["config.json"]
    shutil.rmtree(old)
    assert machinectl("rm", "-f", "empty", store=store.root).returncode == 0
    assert machinectl(*create, "empty", store=store.root).returncode == 0


@pytest.mark.parametrize("given", [["m10", "m1", "gone", "m2"], ["m*"]])
def test_in_a_pipe_machines_are_in_the_order_typed_or_else_in_natural_order(store: Store, given: list[str]) -> None:
    for name in ("m1", "m2", "m10"):
        added(store, Machine(name, "none", url="unix:///x.sock"))
    done = machinectl("rm", "-y", *given, store=store.root)
    order = ["m1", "m2", "m10"] if given == ["m*"] else ["m10", "m1", "m2"]
    assert done.stdout.splitlines() == [f"Successfully removed {name}" for name in order]
    assert ('"gone" does not exist' in done.stderr) is (given != ["m*"])
    assert "List the machines: " not in done.stderr


def test_at_a_terminal_each_of_several_is_told_once(store: Store) -> None:
    for name in ("web1", "web2", "web3"):
        added(store, Machine(name, "none", url="unix:///x.sock"))
    planned = typed_at_terminal("rm", "--dry-run", "web1", "web2", store=store.root)
    assert "Planned: Forgetting web1" in planned
    assert "2 machines: 2 done" not in planned
    said = typed_at_terminal("rm", "-y", "web1", "web2", store=store.root)
    assert re.findall(r"✓ (web\d) .*removed", said)[-2:] == ["web1", "web2"]
    assert "Successfully" not in said
    # One alone has no board, and a pipe has docker-machine's lines.
    assert "Successfully removed web3" in typed_at_terminal("rm", "-y", "web3", store=store.root)
