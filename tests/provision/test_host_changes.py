"""What was done on a host: its form in a record, and that nothing of another version is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.provision.host_changes import (
    KINDS,
    CaTrusted,
    Change,
    ConfigMerged,
    DirectoryCreated,
    FileCreated,
    GroupJoined,
    KeyAuthorized,
    LiveRestoreChanged,
    PackageInstalled,
    PortOpened,
    ServiceEnabled,
    ServiceStarted,
    UnknownChange,
    load_change,
    merge_changes,
    of_kind,
)
from machinectl.provision.steps import distributions

KEY = f"ssh-ed25519 {'A' * 68}"
OWN_FILE = "/etc/docker/machinectl/ca.pem"

# As 0.1 wrote them, and 0.2 those that are new.
RECORDED = [
    ({"kind": "file", "path": "/etc/docker/machinectl/ca.pem"}, FileCreated("/etc/docker/machinectl/ca.pem")),
    ({"kind": "directory", "path": "/etc/docker"}, DirectoryCreated("/etc/docker")),
    ({"kind": "ca", "path": "ab" * 32}, CaTrusted("ab" * 32)),
    ({"kind": "enabled", "path": "docker.service"}, ServiceEnabled("docker.service")),
    ({"kind": "started", "path": "docker.service"}, ServiceStarted("docker.service")),
    ({"kind": "package", "path": "docker.io"}, PackageInstalled("docker.io")),
    (
        {"kind": "package", "path": "docker.io", "along": ["containerd", "runc"]},
        PackageInstalled("docker.io", ("containerd", "runc")),
    ),
    (
        {"kind": "firewall", "path": "ufw:2376", "undo": "ufw delete allow 2376/tcp"},
        PortOpened("ufw", "2376", "ufw delete allow 2376/tcp"),
    ),
    (
        {"kind": "firewall", "path": "firewalld:2376", "undo": "x", "made": "/etc/firewalld/zones/public.xml"},
        PortOpened("firewalld", "2376", "x", "/etc/firewalld/zones/public.xml"),
    ),
    (
        {
            "kind": "config",
            "path": "/etc/docker/daemon.json",
            "before": "{}",
            "mode": "600",
            "ours": {"tlsverify": True},
            "written": "cd" * 32,
        },
        ConfigMerged("/etc/docker/daemon.json", "{}", "600", {"tlsverify": True}, "cd" * 32),
    ),
    (
        {"kind": "key", "path": f"/home/my ops/.ssh/authorized_keys {KEY}", "made": "file"},
        KeyAuthorized("/home/my ops/.ssh/authorized_keys", KEY, "file"),
    ),
    ({"kind": "group", "path": "ops docker"}, GroupJoined("ops", "docker")),
    (
        {"kind": "live-restore", "path": "/etc/docker/daemon.json", "before": None},
        LiveRestoreChanged("/etc/docker/daemon.json", None),
    ),
    (
        {"kind": "live-restore", "path": "/etc/docker/daemon.json", "before": True, "text": '{"live-restore":true}'},
        LiveRestoreChanged("/etc/docker/daemon.json", before=True, text='{"live-restore":true}'),
    ),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_there_is_a_recorded_one_of_each_kind() -> None:
    assert {type(change) for _, change in RECORDED} == set(KINDS.values())


@pytest.mark.parametrize(("text", "change"), RECORDED)
def test_a_change_that_an_earlier_version_recorded_is_understood_and_written_as_it_was(
    text: dict[str, Any], change: Change
) -> None:
    assert load_change(text) == change
    assert change.dump() == text


@pytest.mark.parametrize(
    "change", [change for _, change in RECORDED] + [UnknownChange(4), UnknownChange({"kind": "x"})], ids=repr
)
def test_each_is_told_in_a_line_with_what_undoing_does(change: Change) -> None:
    assert all(text and text.isprintable() and not text[0].isupper() for text in (change.done, change.undoing))


def test_a_change_keeps_the_time_when_it_was_made_first_and_an_earlier_version_reads_it() -> None:
    first, again = "2026-01-02T03:04:05Z", "2026-03-04T05:06:07Z"
    changes = merge_changes((CaTrusted("cd" * 32),), [FileCreated(OWN_FILE), CaTrusted("cd" * 32)], first)
    changes = merge_changes(changes, [FileCreated(OWN_FILE), FileCreated("/b"), UnknownChange({"kind": "x"})], again)
    assert [change.when for change in changes] == ["", first, again, ""]
    assert changes[1].dump() == {"kind": "file", "path": OWN_FILE, "when": first}
    assert load_change(changes[1].dump()) == FileCreated(OWN_FILE)
    assert load_change({"kind": "file", "path": OWN_FILE, "when": "\x1b[2J"}).when == ""


@given(
    st.sampled_from([text for text, _ in RECORDED]),
    st.dictionaries(st.text(min_size=1).map("x".__add__), JSON, max_size=3),
)
def test_what_a_newer_version_keeps_of_a_change_besides_survives(text: dict[str, Any], more: dict[str, Any]) -> None:
    assert load_change({**text, **more}).dump() == {**text, **more}


@given(JSON | st.fixed_dictionaries({"kind": st.sampled_from(sorted(KINDS)) | st.text(), "path": JSON}))
def test_whatever_stands_in_a_record_comes_back_as_it_was(data: Any) -> None:
    assert json.loads(json.dumps(load_change(data).dump())) == json.loads(json.dumps(data))


def test_what_is_not_understood_is_of_no_kind_that_is_undone() -> None:
    changes = [
        load_change({"kind": "teleported", "path": "/"}),
        load_change({"kind": "config", "path": "/x", "ours": 3}),
        load_change(7),
    ]
    assert all(isinstance(change, UnknownChange) for change in changes)
    assert [found for kind in KINDS.values() for found in of_kind(changes, kind)] == []


@pytest.mark.parametrize(
    "hostile",
    [
        {"kind": "started", "path": "docker.service; reboot"},
        {"kind": "started", "path": "--force"},
        {"kind": "started", "path": "ssh.service"},
        {"kind": "enabled", "path": "ssh.service"},
        {"kind": "package", "path": "openssh-server"},
        {"kind": "file", "path": "/etc/docker/daemon.json"},
        {"kind": "file", "path": "/etc/docker/machinectl/../../passwd"},
        {"kind": "file", "path": "/etc/systemd/system/docker.service.d/own.conf"},
        {"kind": "directory", "path": "/home/ops"},
        {"kind": "package", "path": "-o=Dpkg::Pre-Invoke::=reboot"},
        {"kind": "package", "path": "docker.io", "along": ["$(reboot)"]},
        {"kind": "directory", "path": "/etc/docker /home/*"},
        {"kind": "file", "path": "/etc/docker/x\n4755 /etc/y"},
        {"kind": "config", "path": "/etc/docker/daemon.json", "before": "{}", "ours": {}, "mode": "4755 /etc/x\n-"},
        {"kind": "config", "path": "/etc/docker/daemon.json", "before": "\ud800", "ours": {}},
        {"kind": "firewall", "path": "ufw:2376; reboot", "undo": "ufw delete allow 2376/tcp"},
        {"kind": "key", "path": "/etc/passwd x :", "made": "directory"},
        {"kind": "key", "path": f"/etc/passwd {KEY}", "made": "file"},
        {"kind": "key", "path": f"/etc/ssh/authorized_keys {KEY}", "made": "file"},
        {"kind": "key", "path": "/root/.ssh/authorized_keys ssh-ed25519 A", "made": "line"},
        {"kind": "firewall", "path": "firewalld:2376", "undo": "x", "made": "/etc/firewalld/zones/../x.xml"},
        {"kind": "firewall", "path": "firewalld:2376", "undo": "x", "made": "/etc/passwd"},
    ],
)
def test_what_we_would_not_have_written_is_kept_and_nothing_is_done_for_it(hostile: dict[str, Any]) -> None:
    assert load_change(hostile) == UnknownChange(hostile)


def test_the_engine_packages_of_all_distributions_can_be_removed_again() -> None:
    packages = {"docker-ce", *(family.package for family in distributions.ORDER if family.package)}
    assert {type(load_change(PackageInstalled(package).dump())) for package in packages} == {PackageInstalled}


def test_a_change_that_is_made_again_is_recorded_once_and_others_stay_in_their_order() -> None:
    first = (FileCreated("/a"), CaTrusted("1"))
    assert merge_changes(first, [CaTrusted("1"), FileCreated("/b"), CaTrusted("2"), FileCreated("/a")]) == (
        FileCreated("/a"),
        CaTrusted("1"),
        FileCreated("/b"),
        CaTrusted("2"),
    )
