"""How errors look where programs read them: they begin alike, but for those that docker-machine's scripts look for."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.output.exit_status import PLAIN_IN_SHELLS, as_called, report
from machinectl.cli.output.stdout import print_json
from machinectl.cli.parsing.create_forms import no_name
from machinectl.errors import ELSEWHERE, MachineError, elsewhere
from machinectl.machines.store.name_errors import missing
from tests.support.in_process import machinectl

if TYPE_CHECKING:
    from machinectl.machines.store import Store


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (MachineError("It does not answer"), "Error: It does not answer\n"),
        (no_name([]), "Error: No machine name specified\n"),
        (missing("X", ""), 'Docker machine "X" does not exist. Use "machinectl ls" to list machines. '),
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


def test_what_to_do_stands_beneath_and_apart(capsys: pytest.CaptureFixture[str]) -> None:
    report(MachineError("No", "Do this: machinectl ls -q;\nor: machinectl rm b"), "machinectl -s /x")
    assert capsys.readouterr().err == "Error: No\n  Do this: machinectl -s /x ls -q;\n  or: machinectl -s /x rm b\n"


def test_a_hints_command_names_the_store_that_was_named_and_a_sentence_does_not() -> None:
    hint = "Look: machinectl ls; have machinectl do it (machinectl rm)."
    assert as_called(hint, "machinectl -s /x") == (
        "Look: machinectl -s /x ls; have machinectl do it (machinectl -s /x rm)."
    )


def test_a_command_for_another_computer_gets_nothing_of_this_one(capsys: pytest.CaptureFixture[str]) -> None:
    hint = elsewhere("Ask alice: machinectl access end joe web1; machinectl ls")
    for program in ("machinectl -s /x", "machinectl", "docker machine"):
        report(MachineError("It is hers", hint), program)
        assert capsys.readouterr().err == f"Error: It is hers\n  {hint.replace(ELSEWHERE, '')}\n"


def test_json_does_not_mark_a_command_for_another_computer(capfd: pytest.CaptureFixture[str]) -> None:
    print_json({"Hint": elsewhere("Ask alice: machinectl ls")})
    assert json.loads(capfd.readouterr().out) == {"Hint": "Ask alice: machinectl ls"}


def test_of_many_machines_each_error_names_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for cause in ("It does not answer", 'Machine "web1" is incomplete'):
        report(MachineError(cause).named("web1"))
    assert capsys.readouterr().err.splitlines() == [
        'Error: "web1": It does not answer',
        'Error: Machine "web1" is incomplete',
    ]


def test_the_help_of_a_command_line_that_says_nothing_is_no_error(store: Store) -> None:
    assert "Error" not in machinectl("certs", store=store.root).stderr.partition("\n")[0]


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
