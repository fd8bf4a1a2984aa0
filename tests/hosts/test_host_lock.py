"""The lock on a host: held by a connection, reported to other computers, and gone with the connection."""

from __future__ import annotations

import fcntl
import re
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.hosts import host_lock
from machinectl.hosts.host_lock import lock_host, user_at_computer
from machinectl.ssh.runner import CommandResult
from tests.support.quiet import Quiet
from tests.support.runner import RecordedHost
from tests.support.sshd import log_in

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.provision.job import Remote
    from tests.support.sshd import SSHConfig, Sshd


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh_config: SSHConfig) -> Path:  # noqa: ARG001
    path = tmp_path / "holder"
    monkeypatch.setattr(host_lock, "LOCK", str(path))
    return path


def from_elsewhere(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """What follows comes from another computer."""
    monkeypatch.setattr(host_lock, "TOKEN", who)
    monkeypatch.setattr(host_lock, "user_at_computer", lambda: who)


def refused(host: Remote, monkeypatch: pytest.MonkeyPatch) -> MachineError:
    """The error of whoever does not wait for the lock, and is told first."""
    monkeypatch.setattr(host_lock, "AT_ONCE", 0)
    monkeypatch.setattr(host_lock, "PATIENCE", 0)
    console = Quiet()
    with pytest.raises(MachineError) as raised:
        lock_host(host, console, "orion", "/bob/orion")
    assert console.notes == [f"{raised.value.cause}; waiting …"]
    return raised.value


def test_a_second_computer_sees_who_holds_the_lock(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    with log_in(sshd.endpoint) as mine, log_in(sshd.endpoint) as same, log_in(sshd.endpoint) as theirs:
        lock_host(mine, Quiet(), "orion", "/alice/orion")
        # The same run, by another connection.
        lock_host(same, Quiet(), "orion", "/alice/orion")
        me = user_at_computer()
        from_elsewhere(monkeypatch, "alice@laptop")
        error = refused(theirs, monkeypatch)
        assert re.match(rf'The host of "orion" is held by {re.escape(me)} since \d{{4}}-', error.cause)
        assert re.search(r"on the host: kill \d+$", error.hint)


def test_the_lock_ends_with_its_connection(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    with log_in(sshd.endpoint) as first:
        lock_host(first, Quiet(), "orion", "/alice/orion")
    from_elsewhere(monkeypatch, "alice@laptop")
    console = Quiet()
    with log_in(sshd.endpoint) as second:
        lock_host(second, console, "orion", "/bob/orion")
        sshd.disconnect()
    from_elsewhere(monkeypatch, "bob@desk")
    with log_in(sshd.endpoint) as third:
        lock_host(third, console, "orion", "/carol/orion")
    assert console.notes == []


def test_nothing_of_a_lock_is_left_on_the_host(sshd: Sshd, lock: Path) -> None:
    with log_in(sshd.endpoint) as session:
        lock_host(session, Quiet(), "orion", "/alice/orion")
        holder = lock.open("rb")
    with holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
    assert not lock.exists()


def test_an_earlier_run_with_a_dead_connection_does_not_lock_out_its_user(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Quiet()
    with log_in(sshd.endpoint) as cut, log_in(sshd.endpoint) as again, log_in(sshd.endpoint) as theirs:
        lock_host(cut, console, "orion", "/alice/orion")
        monkeypatch.setattr(host_lock, "TOKEN", "the next run")
        lock_host(again, console, "orion", "/alice/orion")
        from_elsewhere(monkeypatch, "bob@desk")
        assert console.notes == []
        assert "is held by" in refused(theirs, monkeypatch).cause


def test_foreign_text_in_the_lock_becomes_one_line(sshd: Sshd, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with log_in(sshd.endpoint) as mine, log_in(sshd.endpoint) as theirs:
        lock_host(mine, Quiet(), "orion", "/alice/orion")
        lock.write_text("al\x1b[2Jice\nnot a number\n")
        from_elsewhere(monkeypatch, "bob@desk")
        error = refused(theirs, monkeypatch)
    assert (error.cause, error.hint[-5:]) == ('The host of "orion" is held by al [2Jice', "<PID>")


@pytest.mark.parametrize("process", ["²", "-1", "4711; reboot", "9" * 100_000, "4711\n\x1b[2J"])
def test_an_invalid_pid_is_not_put_into_a_command(process: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a host that lies says so."""
    host = RecordedHost("docker")
    host.run = lambda *_, **__: CommandResult(host_lock.HELD, f"alice\n{process}".encode(), b"")  # type: ignore[method-assign]
    assert refused(host, monkeypatch).hint.endswith("kill <PID>")
