"""`changes`: what a person and a program see of what was done on a host."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from machinectl.machines.record import Machine
from machinectl.provision.host_changes import ConfigMerged, FileCreated, PackageInstalled, PortOpened
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store

WHEN = "2026-01-02T03:04:05Z"


def orion(store: Store) -> Machine:
    machine = Machine("orion", "none", url="tcp://192.0.2.29:2376", tls=True)
    machine.changes = (
        PackageInstalled("docker.io", ("runc",)),
        FileCreated("/etc/docker/machinectl/server.pem", more={"when": WHEN}),
        PortOpened("ufw", "2376", "reboot"),
    )
    return added(store, machine)


def test_changes_are_told_in_their_order_with_what_undoes_them(store: Store) -> None:
    orion(store)
    done = machinectl("changes", "orion", store=store.root)
    assert [re.split(" {3,}", line.strip()) for line in done.stdout.splitlines()] == [
        ["WHEN (UTC)", "DONE", "UNDONE"],
        ["installed the package docker.io, and with it runc", "stays, unless --purge-engine is given"],
        ["2026-01-02 03:04:05", "created the file /etc/docker/machinectl/server.pem", "removed"],
        ["opened port 2376 in ufw", "stays: no machinectl has written that record"],
    ]
    assert done.returncode == 0
    assert done.stderr.endswith("Undo them, and forget the machine: machinectl rm --purge orion\n")


def test_what_a_record_says_draws_no_rows_of_its_own(store: Store) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.29:2376", tls=True)
    forged = "x\n2026-01-01 00:00:00   created the file /etc/innocent   removed"
    machine.changes = (ConfigMerged("/etc/docker/daemon.json", None, "644", {forged: 1, "y" * 9999: 2}, "0" * 64),)
    added(store, machine)
    shown = machinectl("changes", "orion", store=store.root).stdout
    assert len(shown.splitlines()) == 2
    assert max(map(len, shown.splitlines())) < 500


def test_a_file_in_which_no_key_is_ours_is_not_said_to_have_nothing_set(store: Store) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.29:2376", tls=True)
    machine.changes = (ConfigMerged("/etc/docker/daemon.json", "{}", "644", {}, "0" * 64),)
    added(store, machine)
    assert "rewrote /etc/docker/daemon.json" in machinectl("changes", "orion", store=store.root).stdout


def test_a_program_gets_the_same(store: Store) -> None:
    orion(store)
    [_, file, _] = json.loads(machinectl("changes", "--json", "orion", store=store.root).stdout)
    path = "/etc/docker/machinectl/server.pem"
    assert file == {"When": WHEN, "Kind": "file", "About": path, "Done": f"created the file {path}", "Undo": "removed"}


def test_those_of_a_machine_that_was_removed_are_told_too(store: Store) -> None:
    orion(store)
    assert machinectl("rm", "-y", "orion", store=store.root).returncode == 0
    assert "created the file" in machinectl("changes", "orion", store=store.root).stdout


def test_where_nothing_was_changed_that_is_said(store: Store) -> None:
    added(store, Machine("box", "none", url="unix:///x", tls=False))
    done = machinectl("changes", "box", store=store.root)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stderr == 'Nothing was changed on the host of "box"\n'
    assert machinectl("changes", "ghost", store=store.root).returncode == 1
