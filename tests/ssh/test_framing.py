from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.ssh import framing
from machinectl.ssh.framing import CollectedOutput
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

MARK = "0123456789abcdef"
LOGIN_SHELLS = ("sh", "bash", "dash", "zsh", "fish", "tcsh", "csh")
# What /bin/sh is somewhere: Debian's, Fedora's, Alpine's, and one more.
POSIX_SHELLS = ("dash", "bash", "busybox", "zsh")
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def run_login_shell(
    shell: str, sent: bytes, *, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [shell, "-c", framing.LOGIN_COMMAND],
        input=sent,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )


def collect(stdout: bytes, stderr: bytes) -> CollectedOutput:
    output = CollectedOutput(MARK)
    output.take(stdout, False)
    output.take(stderr, True)
    output.finish()
    return output


def run(script: str, data: bytes = b"", *, shell: str = "sh", **environment: str) -> CollectedOutput:
    answer = run_login_shell(shell, framing.as_user(script, MARK).encode() + data, environment=environment)
    return collect(answer.stdout, answer.stderr)


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
def test_every_login_shell_runs_a_script_of_several_lines_with_quotes(shell: str) -> None:
    need(shell)
    script = "echo \"it's $((1+1))\"\nprintf '%s\\n' 'back\\\\slash!' >&2\ncat\nexit 7"
    framed = run(script, b"input\n", shell=shell)
    assert framed.started
    assert (framed.stdout, framed.stderr, framed.status) == (b"it's 2\ninput\n", b"back\\\\slash!\n", 7)


@pytest.mark.parametrize("shell", POSIX_SHELLS)
def test_whatever_shell_sh_is_the_input_reaches_the_script_byte_for_byte(shell: str, tmp_path: Path) -> None:
    need(shell)
    (tmp_path / "sh").symlink_to(str(shutil.which(shell)))
    data = bytes(range(256)) * 40
    framed = run("echo first; cat", data, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert framed.stdout == b"first\n" + data
    assert framed.status == 0


@settings(max_examples=25, deadline=None)
@given(text=TEXT)
def test_a_script_may_hold_any_character(text: str) -> None:
    script = f"cat <<'END OF TEXT'\n{text}\nEND OF TEXT"
    framed = run(script)
    assert framed.stdout == f"{text}\n".encode()


@given(out=st.binary(), err=st.binary(), noise=st.binary(), status=st.integers(0, 255))
def test_what_stands_between_the_marks_is_the_output(out: bytes, err: bytes, noise: bytes, status: int) -> None:
    mark = MARK.encode()
    stdout = noise + mark + b"\n" + out + mark + b":%d\n" % status
    stderr = noise + mark + b"\n" + err + mark + b":\n"
    found = collect(stdout, stderr)
    assert (found.started, found.status, found.stdout, found.stderr) == (True, status, out, err)
    assert found.noise == (noise + noise).decode(errors="replace")
    assert found.is_complete
    assert not collect(stdout[:-1], stderr).is_complete


@pytest.mark.parametrize(
    ("digits", "status"),
    [
        ("0", 0),
        ("000", 0),
        ("255", 255),
        ("256", 255),
        ("4294967296", 255),
        ("7" * 5000, None),
        ("-1", None),
        ("", None),
    ],
)
def test_an_exit_status_is_clamped_or_none(digits: str, status: int | None) -> None:
    stdout, stderr = f"{MARK}\n{MARK}:{digits}\n".encode(), f"{MARK}\n{MARK}:\n".encode()
    assert collect(stdout, stderr).status == status
    stream = framing.FramedStream(MARK)
    stream.take(stdout)
    assert (stream.ended, stream.status) == (True, status)


def test_a_status_without_an_end_is_none_and_not_kept() -> None:
    stream = framing.FramedStream(MARK)
    for _ in range(100):
        assert stream.take(f"{MARK}\n{MARK}:".encode() + b"1" * 100) == b""
    assert (stream.ended, stream.status) == (True, None)
    assert stream.rest() == b""


@pytest.mark.parametrize("shell", POSIX_SHELLS)
@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("cat >/dev/null\nexit 3", 3), ("", 0)]
)
def test_a_script_that_is_streamed_has_its_status_whatever_shell_sh_is(
    shell: str, script: str, status: int, tmp_path: Path
) -> None:
    need(shell)
    (tmp_path / "sh").symlink_to(str(shutil.which(shell)))
    first, line = framing.split_streamed(framing.as_user(script, MARK, framing.streamed))
    answer = run_login_shell("sh", first + line + b"data", environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    framed = collect(answer.stdout, answer.stderr)
    assert (framed.status, framed.stdout.strip().isdigit()) == (status, True)


def test_a_streamed_script_starts_only_with_its_last_line() -> None:
    first, _ = framing.split_streamed(framing.as_user("echo begun", MARK, framing.streamed))
    answer = run_login_shell("sh", first)
    assert b"begun" not in answer.stdout
    assert collect(answer.stdout, answer.stderr).status != 0


def test_what_is_sent_for_root_asks_sudo_for_no_password_unless_there_is_one() -> None:
    sent = framing.as_root("id -u", MARK, framing.sudo_command(framing.ROOT_COMMAND))
    before = f"LC_ALL=C; export LC_ALL; PATH={framing.SYSTEM_PATH}; export PATH; "
    assert sent.startswith(f"{before}sudo -H -n -- /bin/sh -c ")
    assert sent.splitlines()[1] == framing.BEGIN
    command = framing.sudo_command(framing.ROOT_COMMAND, password=True)
    with_password = framing.as_root("id -u", MARK, command, "geheim").splitlines()
    assert with_password[0].startswith(f"{before}sudo -H -S -p '' -- /bin/sh -c ")
    assert with_password[1:3] == ["geheim", framing.BEGIN]


@pytest.mark.parametrize("asks", [True, False], ids=["sudo reads the password", "sudo needs none and leaves it"])
def test_a_password_never_becomes_the_data_of_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asks: bool
) -> None:
    monkeypatch.setattr(framing, "SYSTEM_PATH", f"{tmp_path}:{framing.SYSTEM_PATH}")
    fake = tmp_path / "sudo"
    takes = "IFS= read -r password; " if asks else ""
    fake.write_text(f'#!/bin/sh\n{takes}while [ "$1" != -- ]; do shift; done; shift; echo lecture >&2; exec "$@"\n')
    fake.chmod(0o755)
    command = framing.sudo_command(framing.ROOT_COMMAND, password=True)
    sent = framing.as_root("cat; echo end >&2", MARK, command, "geheim").encode() + b"data"
    answer = run_login_shell("sh", sent)
    framed = collect(answer.stdout, answer.stderr)
    assert (framed.stdout, framed.stderr, framed.status) == (b"data", b"end\n", 0)
    assert framed.noise == "lecture\n"
