from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.files.atomic import StoreError
from machinectl.machines import record
from machinectl.machines.record import SCHEMA, BrokenRecord, Machine, Phase
from machinectl.machines.spec import MachineSpec
from machinectl.machines.store import Store
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.store.store_paths import Lock, NoSuchMachine, default_root, is_locked
from machinectl.provision.host_changes import FileCreated
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator

SIMPLE = {"schema": 1, "driver": "none", "url": "tcp://192.168.0.29:2376", "tls": True}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def made(store: Store, name: str = "orionbox") -> Machine:
    machine = Machine(name, "none", url="tcp://192.168.0.29:2376", tls=True)
    return added(store, machine, {"key.pem": b"secret"})


def put(store: Store, name: str, text: bytes) -> None:
    os.makedirs(store.directory(name))
    Path(store.directory(name), "machine.json").write_bytes(text)


def refused_or_read(text: bytes) -> None:
    """Read a record, or see it refused in one line with what to do."""
    refusal = None
    try:
        record.parse_record("orionbox", text)
    except BrokenRecord as exc:
        refusal = exc
    assert refusal is None or (refusal.hint and "\n" not in refusal.cause)


@given(
    state=st.text(),
    labels=st.dictionaries(st.text(), st.text()),
    unknown=st.dictionaries(st.text(min_size=1).map("x".__add__), VALUES, max_size=3),
)
def test_a_record_comes_back_as_it_was_written_with_the_keys_of_other_versions(
    state: str, labels: dict[str, str], unknown: dict[str, Any]
) -> None:
    machine = Machine("orionbox", "none", url="tcp://a:1", tls=True)
    machine.driver_state, machine.labels, machine.unknown, machine.phase = state, labels, unknown, Phase.PROVISIONING
    again = record.parse_record("orionbox", machine.dump())
    assert again.dump() == machine.dump()
    assert (again.driver_state, again.labels, again.unknown) == (state, labels, unknown)


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_record_or_a_broken_one(text: bytes) -> None:
    refused_or_read(text)


@given(st.lists(st.text(alphabet="abm0123456789.-", min_size=1, max_size=6), max_size=8))
def test_names_sort_as_people_count(names: list[str]) -> None:
    ordered = sorted(names, key=record.natural)
    assert sorted(ordered) == sorted(names)
    assert sorted(["m10", "m2", "m1"], key=record.natural) == ["m1", "m2", "m10"]


@pytest.mark.parametrize(
    "name", ["", "-", "..", ".", "-a", ".a", "a/b", "∞", "é", "x" * 300, "a\n", "a b", "a\0", "a_b", "٣", "\udcff"]
)
def test_a_name_that_could_do_harm_is_refused_everywhere(store: Store, name: str) -> None:
    with pytest.raises(MachineError):
        record.check_name(name)
    with pytest.raises(NoSuchMachine):
        store.read(name)
    with pytest.raises(NoSuchMachine):
        store.check_exists(name)


def test_the_store_is_where_docker_machines_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(tmp_path / "elsewhere"))
    assert Store().root == str(tmp_path / "elsewhere")
    # Its path is exported.
    monkeypatch.chdir(tmp_path)
    assert Store("here").directory("a") == str(tmp_path / "here" / "machines" / "a")


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="platformdirs answers otherwise on macOS, on purpose")
@pytest.mark.parametrize("data_home", [None, "", "/data/home"])
def test_the_default_store_is_where_platformdirs_would_put_it(
    monkeypatch: pytest.MonkeyPatch, data_home: str | None
) -> None:
    if data_home is not None:
        monkeypatch.setenv("XDG_DATA_HOME", data_home)
    assert default_root() == platformdirs.user_data_dir("machinectl", appauthor=False)


def test_what_is_in_the_store_and_above_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made(Store(str(tmp_path / ".local/share/machinectl")))
    finally:
        os.umask(before)
    for root, directories, files in os.walk(tmp_path / ".local"):
        for name in directories:
            assert stat.S_IMODE(os.stat(os.path.join(root, name)).st_mode) == 0o700
        for name in files:
            assert stat.S_IMODE(os.stat(os.path.join(root, name)).st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "is empty"),
        (b'{"schema": 1, "driver": "no', "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "has no schema version"),
        (b'{"schema": true}', "has no schema version"),
        (b'{"schema": 1}', 'has no "driver"'),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (json.dumps({**SIMPLE, "tls": "yes"}).encode(), '"tls" that is not a bool'),
        (json.dumps({**SIMPLE, "phase": "half"}).encode(), "unknown phase"),
        (json.dumps({**SIMPLE, "schema": SCHEMA + 1}).encode(), "newer machinectl"),
    ],
)
def test_a_broken_record_says_what_is_wrong_and_the_machine_is_still_listed(
    store: Store, text: bytes, why: str
) -> None:
    put(store, "broken", text)
    with pytest.raises(BrokenRecord) as raised:
        store.read("broken")
    assert why in raised.value.cause
    assert store.names() == ["broken"]


def test_a_record_that_may_not_be_read_is_not_called_broken(store: Store) -> None:
    need("true", root=True)
    made(store)
    os.seteuid(65534)
    try:
        with pytest.raises(StoreError, match="Permission denied"):
            store.read("orionbox")
        with pytest.raises(StoreError, match="Permission denied"):
            store.names()
    finally:
        os.seteuid(0)


def test_a_machine_of_docker_machine_is_told_apart(store: Store) -> None:
    os.makedirs(store.directory("old"))
    Path(store.directory("old"), "config.json").write_text("{}")
    with pytest.raises(BrokenRecord, match="belongs to docker-machine"):
        store.read("old")
    with pytest.raises(BrokenRecord, match="belongs to docker-machine"), store.writing("old"):
        pass
    assert os.listdir(store.root) == ["machines"]


def test_files_beside_the_machines_are_no_machines(store: Store) -> None:
    made(store)
    Path(store.machines, "notes.txt").write_text("x")
    os.makedirs(os.path.join(store.machines, ".cache"))
    os.symlink("nowhere", os.path.join(store.machines, "link"))
    assert store.names() == ["orionbox"]


def test_a_failed_write_leaves_the_old_record(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made(store)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with store.writing("orionbox") as held:
        held.machine.url = "tcp://other:2376"
        with pytest.raises(StoreError, match="No space left"):
            held.write()
        # What is not on record is not made, and nothing undoes it.
        with pytest.raises(StoreError, match="No space left"):
            held.keep_changes([FileCreated("/etc/x")])
        assert not held.machine.changes
    assert store.read("orionbox").url == "tcp://192.168.0.29:2376"
    assert sorted(os.listdir(store.directory("orionbox"))) == ["key.pem", "machine.json"]


def test_a_machine_is_on_disk_whole_before_it_has_its_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real, synced = os.fsync, set[str]()

    def sync(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        synced.update([os.path.relpath(path, store.staging)] if store.names() == [] else [])
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    added(store, Machine("orionbox", "none"), {"key.pem": b"key", "holders/alice/ca.pem": b"ca"})
    folders = ["orionbox", "orionbox/holders", "orionbox/holders/alice"]
    files = ["orionbox/machine.json", "orionbox/key.pem", "orionbox/holders/alice/ca.pem"]
    assert synced >= {*folders, *files}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    need("mount", "umount", root=True)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_on_a_full_disk_nothing_is_lost_and_nothing_half_made_stays(small_disk: Path) -> None:
    store = Store(str(small_disk / "store"))
    made(store)
    Path(small_disk, "filler").write_bytes(b"x" * (44 * 1024))
    with pytest.raises(StoreError) as raised:
        added(store, Machine("second", "none"), {"ca.pem": b"x" * (64 * 1024)})
    assert "No space left" in raised.value.cause
    assert raised.value.hint.startswith("Make room")
    assert store.names() == ["orionbox"]
    assert os.listdir(store.staging) == []
    assert store.read("orionbox").driver == "none"


def test_a_read_only_store_can_be_read_and_a_write_is_one_clear_error(small_disk: Path) -> None:
    store = Store(str(small_disk / "store"))
    machine = made(store)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert store.read("orionbox").url == machine.url
    assert store.names() == ["orionbox"]
    with pytest.raises(StoreError, match="Read-only file system"):
        made(store, "second")
    with pytest.raises(StoreError, match="Read-only file system"), store.writing("orionbox"):
        pass


def test_two_writers_of_one_machine_come_one_after_the_other(store: Store) -> None:
    told = threading.Event()
    entered = threading.Event()

    def second() -> None:
        with Lock(store.lock_path("orionbox"), told.set):
            entered.set()

    with store.writing("orionbox"):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        assert not entered.is_set()
        assert is_locked(store.lock_path("OrionBox"))
    thread.join(10)
    assert entered.is_set()


def test_what_a_killed_process_left_in_staging_is_swept_but_not_what_somebody_is_making(store: Store) -> None:
    for name in ("left", "busy"):
        os.makedirs(os.path.join(store.staging, name))
    with store.writing("busy"):
        sweep(store)
    assert os.listdir(store.staging) == ["busy"]


def test_of_two_threads_that_want_one_machine_one_is_told(store: Store) -> None:
    made(store)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.writing("orionbox"):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    with pytest.raises(MachineError, match="by this very command"), store.writing("OrionBox"):
        pass
    leave.set()
    thread.join(10)
    with store.writing("orionbox") as held:
        held.write()


def test_who_follows_a_machine_is_told_once_of_what_was_and_what_is(store: Store) -> None:
    told: list[tuple[str, str, str]] = []

    def shown(machine: Machine | None) -> str:
        return f"{machine.name} {machine.url}" if machine else ""

    def follow(_: Store, name: str, before: Machine | None, after: Machine | None) -> None:
        told.append((name, shown(before), shown(after)))

    followed = Store(store.root, [follow])
    made(followed)
    with followed.writing("orionbox") as held:
        held.machine.url = "tcp://a:1"
        held.write()
        held.write_file("key.pem", b"another")
        held.machine.url = "tcp://b:1"
        held.write()
    with followed.writing("orionbox") as held:
        assert held.machine.url == "tcp://b:1"
    with followed.writing("orionbox") as held, followed.writing("crate"):
        held.rename("crate")
    with followed.writing("crate") as held:
        held.write_files({"ca.pem": b"new"})
    with followed.writing("crate") as held:
        held.remove()
    first = "orionbox tcp://192.168.0.29:2376"
    assert told == [
        ("orionbox", "", first),
        ("orionbox", first, "orionbox tcp://b:1"),
        ("orionbox", "orionbox tcp://b:1", "crate tcp://b:1"),
        ("crate", "crate tcp://b:1", "crate tcp://b:1"),
        ("crate", "crate tcp://b:1", ""),
    ]


def test_what_a_machine_shall_be_goes_through_its_record(store: Store) -> None:
    spec = MachineSpec("cloud", {"region": "eu", "cpus": 2, "tag": ("a", "b")}, False, {"rack": "a"}, provision=False)
    machine = Machine("box", "cloud")
    machine.spec = spec
    added(store, machine)
    assert store.read("box").spec == spec
