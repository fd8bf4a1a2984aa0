"""What lies in a file's place and is none, or has no end: one line says so, nothing hangs, the others still list."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from machinectl.cli.output.exit_status import report_of_bug
from machinectl.errors import MachineError
from machinectl.files.atomic import StoreError, read_file
from machinectl.files.fileset import read_regular_file
from machinectl.files.user_files import read_secret
from machinectl.hosts.login import pinned_known_hosts
from machinectl.hosts.query_engines import state_of
from machinectl.machines.record import Machine
from machinectl.machines.store.store_directory import sweep
from machinectl.machines.store.store_paths import is_locked
from machinectl.ssh.keys.private_keys import load_key
from machinectl.ssh.ssh_errors import SSHError
from machinectl.state import State
from machinectl.verbs.certs import create_certificates, list_certificates
from tests.support.in_process import machinectl
from tests.support.registered import added
from tests.support.strange_files import STRANGE, a_pipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.machines.store import Store


def a_link_to_what_is_theirs(path: Path) -> None:
    path.with_name("theirs").write_text("theirs")
    path.symlink_to("theirs")


strange = pytest.mark.parametrize("lay", STRANGE, ids=lambda lay: lay.__name__)


def one_line(error: MachineError) -> None:
    assert error.cause.isprintable()
    assert error.hint.isprintable()
    assert error.hint


def instead(path: Path, lay: Callable[[Path], None]) -> Path:
    path.unlink(missing_ok=True)
    lay(path)
    return path


@strange
def test_it_is_not_read(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    with pytest.raises(OSError, match=r"Not a regular file|Is a directory|more than 1 MB|No such device"):
        read_file(str(instead(tmp_path / "file", lay)))


def test_in_place_of_a_record_it_is_a_row_and_the_other_machines_still_list(store: Store, tmp_path: Path) -> None:
    added(store, Machine("orionbox", "none", url="unix:///nowhere.sock"))
    names = [lay.__name__.replace("_", "-") for lay in STRANGE]
    for name, lay in zip(names, STRANGE, strict=True):
        directory = tmp_path / "store/machines" / name
        directory.mkdir()
        lay(directory / "machine.json")
    listed = machinectl("ls", "--json", store=store.root)
    assert listed.returncode == 0, listed.stderr
    rows = {row["Name"]: row for row in json.loads(listed.stdout)}
    assert rows.keys() == {"orionbox", *names}
    assert all("machine.json" in rows[name]["Error"] for name in names)
    for verb in ("env", "inspect", "status", "url"):
        for name in names[:2]:
            answer = machinectl(verb, name, store=store.root)
            assert (answer.returncode, answer.stdout) == (1, "")
            assert len(answer.stderr.splitlines()) == 2
    assert machinectl("rm", "-f", *names, store=store.root).returncode == 0
    assert store.names() == ["orionbox"]


@strange
@pytest.mark.parametrize("file", ["ca.pem", "cert.pem", "key.pem", "server.pem", "ca-key.pem"])
def test_in_place_of_a_certificate_or_key_it_is_one_line(
    store: Store, tmp_path: Path, lay: Callable[[Path], None], file: str
) -> None:
    made = tmp_path / "made"
    create_certificates(str(made), ["127.0.0.1"])
    machine = added(
        store,
        Machine("orionbox", "none", url="tcp://127.0.0.1:1", tls=True),
        {path.name: path.read_bytes() for path in made.iterdir()},
    )
    path = instead(tmp_path / "store/machines/orionbox" / file, lay)
    assert any(str(path) in row.warning or "cannot be" in row.warning for row in list_certificates(store))
    with pytest.raises(MachineError) as raised:
        read_regular_file(str(path))
    one_line(raised.value)
    found = state_of(machine, 5)
    assert found.state in {State.ERROR, State.STOPPED}
    assert found.error.isprintable()


@strange
def test_in_place_of_an_ssh_key_or_a_pin_it_is_one_line(
    store: Store, tmp_path: Path, lay: Callable[[Path], None]
) -> None:
    machine = added(store, Machine("orionbox", "generic", url="tcp://127.0.0.1:1", tls=True))
    lay(tmp_path / "store/machines/orionbox/known_hosts")
    with pytest.raises(MachineError) as raised:
        pinned_known_hosts(machine)
    one_line(raised.value)
    lay(tmp_path / "id_ssh")
    with pytest.raises(SSHError) as raised:
        load_key(str(tmp_path / "id_ssh"))
    one_line(raised.value)


def test_a_secret_may_come_from_a_pipe_and_never_without_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"secret\nmore\n")
    os.close(writing)
    assert read_secret(f"/dev/fd/{reading}", "--sudo-password-file") == "secret"
    os.close(reading)
    for path in ("/dev/zero", str(tmp_path)):
        with pytest.raises(MachineError) as raised:
            read_secret(path, "--sudo-password-file")
        one_line(raised.value)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_one_line_and_what_is_there_still_lists(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    added(store, Machine("orionbox", "none", url="unix:///nowhere.sock"))

    def no_locks(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StoreError, match=os.strerror(code)) as raised, store.writing("orionbox"):
        pass
    one_line(raised.value)
    assert "locks" in raised.value.hint
    with pytest.raises(MachineError, match=os.strerror(code)) as refused:
        create_certificates(str(tmp_path / "certs"), ["orion"])
    one_line(refused.value)
    assert store.names() == ["orionbox"]
    assert not is_locked(store.lock_path("orionbox"))
    sweep(store)
    monkeypatch.undo()
    with store.writing("orionbox") as held:
        assert held.machine.name == "orionbox"


@pytest.mark.parametrize("lay", [a_pipe, a_link_to_what_is_theirs], ids=lambda lay: lay.__name__)
def test_the_traceback_of_a_bug_is_written_to_no_place_that_somebody_laid_there(
    tmp_path: Path, lay: Callable[[Path], None]
) -> None:
    log = Path(platformdirs.user_log_dir("machinectl", appauthor=False), "bug.log")
    assert log.is_relative_to(tmp_path)
    log.parent.mkdir(parents=True)
    lay(log)
    said = report_of_bug(ZeroDivisionError("\ud800"))
    assert f"The traceback is in {log}" in said
    assert log.read_text().startswith("machinectl ")
    assert not log.is_symlink()
    assert not (log.parent / "theirs").exists() or (log.parent / "theirs").read_text() == "theirs"
