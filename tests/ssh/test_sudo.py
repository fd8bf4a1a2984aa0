"""The words of sudo that no lab host has: a stand-in says them. The real sudo is in test_ssh_lab."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from machinectl.ssh import framing
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.ssh_errors import RootRefused
from machinectl.ssh.sudo import Root, become_root, sudoers
from tests.support.quiet import Quiet
from tests.support.sshd import log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from machinectl.ssh.session import SSHSession
    from tests.support.sshd import Sshd

    Stand = Callable[..., SSHSession]

# Takes the password of its caller, `geheim`, as sudo -S does: from standard input, a line, byte by byte.
TAKES_PASSWORD = """
if [ "$1 $2" = "-H -n" ] || [ "$1" = -n ]; then echo "sudo: a password is required" >&2; exit 1; fi
IFS= read -r password
if [ "$password" != geheim ]; then
  echo "Sorry, try again." >&2; echo "sudo: no password was provided" >&2; exit 1
fi
"""
RUNS = """
echo "We trust you have received the usual lecture." >&2
while [ "$1" != -- ]; do shift; done; shift; LAB_ROOT=yes exec "$@"
"""


@pytest.fixture
def stand_in(sshd: Sshd, ssh_config: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Connect as a user who is not root, to a host whose sudo is the script that is given."""
    del ssh_config
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setattr(framing, "SYSTEM_PATH", f"{programs}:{framing.SYSTEM_PATH}")
    sessions: list[SSHSession] = []

    def install(name: str, script: str) -> None:
        (programs / name).write_text(f"#!/bin/sh\n{script}")
        (programs / name).chmod(0o755)

    def connect(sudo: str = "", *variables: str, doas: str = "") -> SSHSession:
        install("id", "echo 1000")
        if doas:
            install("doas", doas)
            # No other sudo is to be found.
            monkeypatch.setattr(framing, "SYSTEM_PATH", str(programs))
            for name in ("sh", "cat"):
                (programs / name).symlink_to(f"/bin/{name}")
        else:
            install("sudo", sudo)
        sshd.configure(f"SetEnv PATH={programs}:{os.environ['PATH']} SHLVL=2 {' '.join(variables)}")
        session = log_in(sshd.endpoint)
        session.settings = dataclasses.replace(session.settings, user="ops")
        sessions.append(session)
        return session

    yield connect
    for session in sessions:
        session.close()


def test_the_line_that_an_error_tells_to_add_is_in_a_file_that_sudo_reads() -> None:
    assert sudoers("ops") == "echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/zz-machinectl-ops"
    assert sudoers("o.ps~") == "echo 'o.ps~ ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/zz-machinectl-o_ps_"


def test_without_a_password_commands_run_through_sudo(stand_in: Stand) -> None:
    root = become_root(stand_in(RUNS), Credentials(), Quiet())
    result = root.run("echo $LAB_ROOT; cat; echo oops >&2", input=b"data")
    assert (result.stdout, result.stderr) == (b"yes\ndata", b"oops\n")


def test_a_password_that_is_given_is_used(stand_in: Stand) -> None:
    root = become_root(stand_in(TAKES_PASSWORD + RUNS), Credentials(sudo_password="geheim"), Quiet())
    for _ in range(3):
        assert root.run("echo $LAB_ROOT; cat", input=b"data").stdout == b"yes\ndata"
    assert "geheim" not in repr(root)


def test_a_password_that_sudo_no_longer_wants_is_not_the_data_of_the_command(stand_in: Stand, tmp_path: Path) -> None:
    asked_before = tmp_path / "asked"
    forgets = f"if ! [ -e {asked_before} ]; then {TAKES_PASSWORD} : > {asked_before}; fi\n"
    root = become_root(stand_in(forgets + RUNS), Credentials(sudo_password="geheim"), Quiet())
    assert root.run("cat", input=b"data").stdout == b"data"


# Reads its password from standard input in a block, as sudo-rs does, and for a while asks its caller no second time.
SUDO_RS = """
given=$(dirname "$0")/given-$PPID
if [ "$1 $2" = "-H -n" ]; then
  [ -e "$given" ] || { echo "sudo: interactive authentication is required" >&2; exit 1; }
else
  block=$(dd bs=65536 count=1 2>/dev/null)
  [ "$(echo "$block" | head -n 1)" = geheim ] || { echo "sudo: Authentication failed, try again." >&2; exit 1; }
  : > "$given"
fi
"""


def test_a_sudo_that_reads_ahead_swallows_nothing_of_the_script(stand_in: Stand) -> None:
    root = become_root(stand_in(SUDO_RS + RUNS), Credentials(sudo_password="geheim"), Quiet())
    for _ in range(3):
        assert root.run("echo $LAB_ROOT; cat", input=b"geheim\ndata").stdout == b"yes\ngeheim\ndata"


def test_a_variable_of_the_user_takes_no_password_along(stand_in: Stand) -> None:
    shows = 'echo "exported: $password" >&2\n'
    session = stand_in(shows + SUDO_RS + RUNS, "password=public")
    root = become_root(session, Credentials(sudo_password="geheim"), Quiet())
    assert root.run("echo ${password-none}").text == "none"


def test_doas_that_needs_no_password_makes_root_where_there_is_no_sudo(stand_in: Stand) -> None:
    root = become_root(stand_in(doas='[ "$1" = -n ] || exit 1\n' + RUNS), Credentials(), Quiet())
    result = root.run("echo $LAB_ROOT; cat; echo oops >&2", input=b"data")
    assert (result.stdout, result.stderr) == (b"yes\ndata", b"oops\n")
    assert isinstance(root, Root)
    assert root.program == "doas"


def test_doas_that_wants_a_password_is_told_what_to_write(stand_in: Stand) -> None:
    session = stand_in(doas="echo 'doas: Authentication required' >&2; exit 1")
    with pytest.raises(RootRefused, match=r"by doas, .* it says: Authentication required") as caught:
        become_root(session, Credentials(sudo_password="geheim"), Quiet())
    assert caught.value.hint == "On the host, as root: echo 'permit nopass ops' >> /etc/doas.conf"


def test_a_password_is_asked_for_until_it_is_right_and_remembered(stand_in: Stand) -> None:
    console, credentials = Quiet("falsch", "geheim"), Credentials()
    root = become_root(stand_in(TAKES_PASSWORD + RUNS), credentials, console)
    assert root.run("echo $LAB_ROOT").text == "yes"
    assert credentials.sudo_password == "geheim"
    assert len(console.asked) == 2
    assert "ops for sudo at 127.0.0.1" in console.asked[0]


@pytest.mark.parametrize(
    ("given", "answers", "cause", "hint"),
    [
        (None, ("a", "b", "c"), "does not take 3 passwords for ops", "sudo -v"),
        ("falsch", ("geheim",), "does not take the password given for ops", "sudo -v"),
        (None, (), "wants the password of ops", "--sudo-password-file"),
    ],
    ids=["asked", "given", "nobody there"],
)
def test_a_wrong_or_missing_password_is_an_error_with_the_line_that_makes_it_needless(
    stand_in: Stand, given: str | None, answers: tuple[str, ...], cause: str, hint: str
) -> None:
    with pytest.raises(RootRefused, match=cause) as caught:
        become_root(stand_in(TAKES_PASSWORD), Credentials(sudo_password=given), Quiet(*answers))
    assert hint in caught.value.hint
    assert f"on the host, as root: {sudoers('ops')}" in caught.value.hint


@pytest.mark.parametrize(
    "says",
    [
        "ops is not in the sudoers file.",
        "ops is not in the sudoers file.\nThis incident has been reported to the administrator.",
        "Sorry, user ops may not run sudo on box.",
        "Sorry, user ops is not allowed to execute '/usr/bin/sh -c :' as root on box.",
        "sudo: I'm sorry ops. I'm afraid I can't do that",
    ],
)
@pytest.mark.parametrize("when", ["at once", "after the password"])
def test_a_user_whom_sudo_does_not_let_is_told_the_line_to_add(stand_in: Stand, says: str, when: str) -> None:
    asks = TAKES_PASSWORD if when == "after the password" else ""
    session = stand_in(f"{asks}cat >&2 <<'END'\n{says}\nEND\nexit 1")
    with pytest.raises(RootRefused, match="ops may not run sudo") as caught:
        become_root(session, Credentials(sudo_password="geheim"), Quiet())
    assert caught.value.hint == f"On the host, as root: {sudoers('ops')}"


@pytest.mark.parametrize("takes", ["", TAKES_PASSWORD], ids=["at once", "after the password"])
@pytest.mark.parametrize(
    "says",
    [
        "sudo: Account or password is expired, reset your password and try again",
        "sudo: sorry, you must have a tty to run sudo",
        "sudo: /etc/sudoers is world writable",
    ],
)
def test_a_sudo_that_no_password_helps_is_told_in_its_words(stand_in: Stand, takes: str, says: str) -> None:
    session = stand_in(f"{takes}echo '{says}' >&2; exit 1")
    with pytest.raises(RootRefused, match=f"sudo at .* fails: {says}"):
        become_root(session, Credentials(sudo_password="geheim"), Quiet())


def test_sudo_that_stops_working_later_is_an_error_in_its_words(stand_in: Stand, tmp_path: Path) -> None:
    marker = tmp_path / "over"
    root = become_root(
        stand_in(f"if [ -e {marker} ]; then echo 'sudo: a password is required' >&2; exit 1; fi\n{RUNS}"),
        Credentials(),
        Quiet(),
    )
    marker.touch()
    with pytest.raises(RootRefused, match="a password is required"):
        root.run("echo never")
