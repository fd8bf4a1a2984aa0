"""How errors look where programs read them: they begin alike, but for those that docker-machine's scripts look for."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import report
from machinectl.cli.parsing.create_forms import no_name
from machinectl.errors import NO_HINT, PLAIN_IN_SHELLS, Hint, MachineError
from machinectl.machines.store.missing_machine import missing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (MachineError("It does not answer"), "Error: It does not answer\n"),
        (no_name([]), "Error: No machine name specified\n"),
        (missing("X", NO_HINT), 'Docker machine "X" does not exist. Use "machinectl ls" to list machines. '),
        (MachineError('Driver "X" is broken'), 'Error: Driver "X" is broken\n'),
        (MachineError("No active host found", for_scripts=True), "No active host found\n"),
        (MachineError("It does not start\njournal: no space"), "Error: It does not start\njournal: no space\n"),
    ],
)
def test_errors_begin_alike_and_docker_machines_lines_stay_its_own(
    capsys: pytest.CaptureFixture[str], error: MachineError, printed: str
) -> None:
    report(error)
    assert capsys.readouterr().err.startswith(printed)


HINT = Hint("Have machinectl do it", "machinectl rm", "a b", "<DIR>") | Hint(
    "ask alice", "machinectl ls", elsewhere=True
)


def test_what_to_do_stands_beneath_and_its_command_names_the_store(capsys: pytest.CaptureFixture[str]) -> None:
    report(MachineError("No", HINT), "machinectl -s /x")
    assert capsys.readouterr().err == (
        "Error: No\n  Have machinectl do it: machinectl -s /x rm 'a b' <DIR>; ask alice: machinectl ls\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        "{0} builder rm machinectl && {0} ls",
        "pipx inject machinectl pyrage",
        "sudo -u ann {0} ls; eval $({0} env x)",
    ],
)
def test_the_store_is_named_where_a_command_begins_and_not_in_its_words(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    report(MachineError("No", Hint("", command.format("machinectl"))), "machinectl -s /x")
    assert capsys.readouterr().err == f"Error: No\n  {command.format('machinectl -s /x')}\n"


def test_a_terminal_shows_each_command_on_its_line_and_breaks_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "32")
    report(MachineError("No", HINT), "machinectl -s /x")
    assert capsys.readouterr().err.splitlines() == [
        *("Error: No", "  Have machinectl do it:", "  machinectl -s /x rm 'a b' <DIR>", "  Ask alice: machinectl ls"),
    ]


def test_a_hint_has_the_path_of_this_program_if_path_leads_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = tmp_path / "our own/machinectl", tmp_path / "systemd/machinectl"
    for program in (ours, theirs):
        program.parent.mkdir()
        program.write_text("")
        program.chmod(0o755)
    monkeypatch.setattr(THIS, "script", str(ours))
    for first, name in ((ours, "machinectl"), (theirs, f"'{ours}'")):
        monkeypatch.setenv("PATH", str(first.parent))
        report(MachineError("No", Hint("See", "machinectl ls")), "machinectl -s /x")
        assert capsys.readouterr().err.endswith(f"See: {name} -s /x ls\n")


def test_of_many_machines_each_error_names_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for cause in ("It does not answer", 'Machine "web1" is incomplete'):
        report(MachineError(cause).named("web1"))
    assert capsys.readouterr().err.splitlines() == [
        'Error: "web1": It does not answer',
        'Error: Machine "web1" is incomplete',
    ]


@pytest.mark.parametrize(("daemon", "end"), [("True", (7, "over\n")), ("False", (2, "goes on\nover\n"))])
def test_the_interpreter_is_not_taken_away_beneath_threads_that_nobody_waits_for(
    daemon: str, end: tuple[int, str]
) -> None:
    code = (
        "import atexit, sys, threading\n"
        "from machinectl.cli.main import leave_threads\n"
        "atexit.register(print, 'over')\n"
        f"threading.Thread(target=threading.Event().wait, args=(0.5,), daemon={daemon}).start()\n"
        "leave_threads(7)\n"
        "print('goes on')\n"
        "sys.exit(2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == end


def test_what_is_plain_in_shells_is_what_shlex_leaves_as_it_is() -> None:
    plain = {character for character in map(chr, range(128)) if shlex.quote(character) == character}
    assert plain == PLAIN_IN_SHELLS
