"""Several machines at once, as a person sees them: in the lines of a pipe, and on terminals of all sizes."""

from __future__ import annotations

import io
import re
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pyte
import pytest
import rich.console

from machinectl.cli.output.live_board import LiveBoard
from machinectl.cli.output.terminal import Terminal
from tests.support.puppets import lines_of, on_terminal, piped

if TYPE_CHECKING:
    from tests.support.puppets import OnTerminal, Puppets

TITLE = "Installing the engine from the packages of the distribution, which takes its time"
WIDE = "引擎安装" * 15
ERROR = "The host does not answer, and this is told in so many words that no terminal has them in one line of its own"


def all_begun(machines: Puppets, *names: str) -> None:
    for name in names:
        machines.until_obeyed(name, "begin")


def row(terminal: OnTerminal, name: str) -> str:
    """A machine's line on the board, as it is now."""
    [line] = [line for line in terminal.lines if re.match(rf". {name} ", line)]
    return line


def test_piped_each_line_says_whose_it_is() -> None:
    with piped("web1", "web2") as machines:
        machines.did("web2", "step", "Installing")
        machines.did("web1", "step", "Looking")
        machines.did("web2", "note", "one|two")
        machines.did("web2", "note", '"web2" is running already')
        machines.did("web1", "warn", "careful")
        machines.did("web2", "end")
        machines.tell("web1", "fail", "it broke")
        machines.tell("web2", "end")
        out, err = machines.end()
    assert re.sub(r"\d+\.\d s", "1.0 s", err).splitlines() == [
        "web2: one",
        "web2: two",
        "web2: is running already",
        "web1: Warning: careful",
        "web2: Installing (1.0 s)",
        "web1: Looking (failed after 1.0 s)",
        # The caller's report.
        "Error: it broke",
        "  machinectl status web1",
    ]
    assert out.splitlines() == ["web2 it is", "exit code 0, without rich"]


@pytest.mark.parametrize("title", [TITLE, WIDE], ids=["long", "wide"])
@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_a_machine_is_a_line_that_is_cut_and_never_wrapped(columns: int, title: str) -> None:
    names = ("web1", "web2", "a-machine-with-a-very-long-name.example.com")
    with on_terminal(*names, columns=columns) as terminal:
        all_begun(terminal, *names)
        terminal.did("web1", "step", title)
        terminal.did("web2", "step", "Short")
        terminal.until_text(title[0], " Sh")
        assert len(terminal.lines) == 3
        assert [line[2:6] for line in terminal.lines] == ["a-ma", "web1", "web2"]
        assert all(len(line) <= columns - 2 for line in terminal.lines)
        assert re.match(rf". web1 +\d+ s  {title[:1]}", row(terminal, "web1"))
        assert row(terminal, "web1").endswith(title[-1] if columns == 200 else "…")
        for name in ("web1", "web2", *names):
            terminal.tell(name, "end")
        assert terminal.end() == 0
        assert all(re.search(r"✓ web. +[\d.]+ s$", row(terminal, name)) for name in ("web1", "web2"))


def test_what_a_long_step_prints_is_shown_until_the_step_ends() -> None:
    with on_terminal("web1", "web2", environment={"NO_COLOR": "1"}) as terminal:
        terminal.did("web1", "step", "Installing")
        terminal.did("web1", "progress", "Unpacking \x1b[31mdocker")
        terminal.until_text("Installing: Unpacking")
        terminal.did("web1", "end")
        terminal.did("web1", "step", "Another")
        terminal.until_text("s  Another")
        assert "Unpacking" not in row(terminal, "web1")
        assert b"\x1b[31mdocker" not in terminal.raw


def test_what_is_said_and_what_fails_stands_above_the_board_and_the_results_stay() -> None:
    with on_terminal("web1", "web2", "web3") as terminal:
        all_begun(terminal, "web1", "web2", "web3")
        terminal.did("web2", "note", "hello")
        terminal.did("web1", "warn", "careful")
        terminal.did("web3", "step", "Installing")
        terminal.tell("web2", "end")
        terminal.until_text("web2 it is")
        terminal.tell("web3", "fail", ERROR)
        terminal.until_text("machinectl status web3", "✗ web3")
        assert terminal.lines[:3] == ["web2: hello", "web1: Warning: careful", "web2 it is"]
        assert " ".join(terminal.lines[3:5]) == f"Error: {ERROR}"
        assert terminal.lines[5] == "  machinectl status web3"
        assert [line[2:6] for line in terminal.lines[6:]] == ["web1", "web2", "web3"]
        terminal.tell("web1", "end")
        assert terminal.end() == 0
        assert [re.sub(r"[\d.]+ s", "1 s", line) for line in terminal.lines[6:]] == [
            "web1 it is",
            "✓ web1 1 s",
            "✓ web2 1 s",
            "✗ web3 1 s  Installing",
            "3 machines: 2 done, 1 failed (1 s)",
            "exit code 0, with rich",
        ]
        assert not terminal.screen.cursor.hidden


@pytest.mark.parametrize("rows", [2, 3, 6])
def test_more_machines_than_lines_are_counted_and_the_screen_is_never_overrun(rows: int) -> None:
    names = [f"m{number}" for number in range(1, 31)]
    with on_terminal(*names, rows=rows, limit=10) as terminal:
        all_begun(terminal, *names[:10])
        for name in names[:10]:
            terminal.did(name, "step", "Installing")
        shown = rows - 2
        expected = "30 machines: 10 at work, 20 waiting ("
        terminal.until(lambda: terminal.lines[-1:] > [expected] and len(terminal.lines) == rows - 1)
        assert [line.split()[1] for line in terminal.lines[:shown]] == names[:shown]
        terminal.tell("m1", "fail", "it broke")
        terminal.until_obeyed("m11", "begin")
        terminal.until(lambda: any("1 failed" in line for line in terminal.lines))
        for name in names[1:10]:
            terminal.tell(name, "end")
        for name in names[1:]:
            terminal.tell(name, "end")
        assert terminal.end() == 0
        assert terminal.lines[-1] == "exit code 0, with rich"
        assert re.search(rb"30 machines: 29 done, 1 failed \([\d.]+ s\)\r\n", terminal.raw)


def test_questions_come_one_at_a_time_and_the_board_waits_for_the_answer() -> None:
    with on_terminal("web1", "web2", "web3") as terminal:
        all_begun(terminal, "web1", "web2", "web3")
        terminal.tell("web1", "secret", "Password")
        terminal.until_text("web1: Password:")
        terminal.tell("web2", "confirm", "Sure?")
        terminal.did("web3", "note", "meanwhile")
        terminal.until(lambda: terminal.lines == ["web1: Password:"])
        assert not terminal.echoes()
        terminal.type("geheim\n")
        terminal.until_text("web2: Sure?", "web3: meanwhile")
        assert terminal.echoes()
        assert not any(re.match(r". web3 ", line) for line in terminal.lines)
        terminal.type("y\n")
        terminal.until_text("web1: the answer has 6 letters", "web2: the answer is True", " web3 ")
        assert "geheim" not in "".join(terminal.lines)
        assert [line[2:7] for line in terminal.lines[-3:]] == ["web1 ", "web2 ", "web3 "]


def test_ctrl_c_is_told_and_steps_are_finished_on_the_board() -> None:
    with on_terminal("web1", "web2", "web3", limit=2) as terminal:
        for name in ("web1", "web2"):
            terminal.did(name, "step", "Installing")
        terminal.type("\x03")
        terminal.until_text("Finishing the steps under way")
        # web1 goes on to another step; web2 has done all that it had to do.
        terminal.did("web1", "end")
        terminal.tell("web1", "step", "Another")
        for _ in range(2):
            terminal.tell("web2", "end")
        assert terminal.end() == 130
        assert re.match(r"! web1 +[\d.]+ s  stopped after this step: Installing$", row(terminal, "web1"))
        assert re.match(r"✓ web2 +[\d.]+ s$", row(terminal, "web2"))
        assert re.match(r"  web3 +not begun$", row(terminal, "web3"))
        assert re.match(r"3 machines: 1 done, 1 not finished, 1 not begun \([\d.]+ s\)$", terminal.lines[-2])
        assert "exit code 130, with rich" in terminal.lines
        assert "Another" not in terminal.raw.decode()


def test_a_second_ctrl_c_leaves_the_board_and_the_terminal_in_order() -> None:
    with on_terminal("web1", "web2") as terminal:
        for name in ("web1", "web2"):
            terminal.did(name, "step", "Installing")
        terminal.type("\x03")
        terminal.until_text("Finishing the steps under way")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert not terminal.screen.cursor.hidden
        assert re.match(r"! web1 +[\d.]+ s  abandoned in this step: Installing$", row(terminal, "web1"))


def test_ctrl_c_at_a_question_ends_it_and_what_is_typed_is_seen_again() -> None:
    with on_terminal("web1", "web2") as terminal:
        terminal.did("web2", "step", "Installing")
        terminal.tell("web1", "secret", "Password")
        terminal.until_text("web1: Password:")
        terminal.type("\x03")
        terminal.until_text("Finishing the steps under way", "Installing")
        assert terminal.echoes()
        terminal.tell("web2", "end")
        terminal.tell("web2", "end")
        assert terminal.end() == 130
        assert re.match(r"✓ web2 +[\d.]+ s$", row(terminal, "web2"))
        assert "the answer" not in terminal.raw.decode()
        assert "web1: Password:" in terminal.lines


def test_a_pause_ends_with_ctrl_c() -> None:
    with piped("web1", "web2") as machines:
        for name in ("web1", "web2"):
            machines.tell(name, "pause", "3600")
            machines.until_obeyed(name, "pausing")
        machines.process.send_signal(signal.SIGINT)
        out, err = machines.end()
    assert "exit code 130" in out
    assert err.splitlines()[1:] == ["web1: stopped before its first step", "web2: stopped before its first step"]


def test_piped_after_ctrl_c_a_line_says_what_state_each_unfinished_host_is_in() -> None:
    names = [f"web{number}" for number in range(1, 8)]
    with piped(*names, limit=2) as machines:
        for name in ("web1", "web2"):
            machines.did(name, "step", "Installing")
        machines.process.send_signal(signal.SIGINT)
        assert b"Finishing the steps" in machines.read()
        machines.did("web1", "end")
        machines.tell("web1", "step", "Another")
        for _ in range(2):
            machines.tell("web2", "end")
        _, err = machines.end()
    assert [line for line in err.splitlines() if " s)" not in line] == [
        "web1: stopped after this step: Installing",
        "Not begun: web3, web4, web5 and 2 more",
    ]


def test_a_bug_is_told_below_the_board_when_the_others_have_ended_their_steps() -> None:
    with on_terminal("web1", "web2") as terminal:
        terminal.did("web2", "step", "Installing")
        terminal.tell("web1", "bug", "nonsense")
        terminal.until_text("s  failed")
        assert "bug in machinectl" not in "".join(terminal.lines)
        terminal.tell("web2", "end")
        terminal.tell("web2", "end")
        assert terminal.end() == 3
        results = [index for index, line in enumerate(terminal.lines) if re.match(r"✓ web2 +[\d.]+ s$", line)]
        told = [index for index, line in enumerate(terminal.lines) if "This is a bug in machinectl: Value" in line]
        assert results < told


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"MACHINE_DEBUG": "1"}], ids=str)
def test_there_are_plain_lines_on_a_terminal_that_cannot_be_drawn_on_or_is_full_of_debugging(
    variables: dict[str, str],
) -> None:
    with on_terminal("web1", "web2", environment=variables) as terminal:
        terminal.did("web1", "step", "Installing")
        terminal.did("web1", "end")
        for name in ("web1", "web2"):
            terminal.tell(name, "end")
        assert terminal.end() == 0
        assert "\x1b" not in terminal.raw.decode()
        assert re.match(r"web1: Installing \(\d+\.\d s\)$", terminal.lines[0])
        assert terminal.lines[-1] == "exit code 0, without rich"


@pytest.mark.parametrize(
    ("rows", "total", "left"),
    [(True, True, ["web1", "web2", "2 machines"]), (True, False, ["web1", "web2"]), (False, True, [])],
)
def test_a_board_leaves_only_what_its_verb_does_not_print(rows: bool, total: bool, left: list[str]) -> None:
    drawn = io.StringIO()
    board = LiveBoard(Terminal("machinectl"), "machinectl", ["web1", "web2"])
    board.screen = rich.console.Console(file=drawn, force_terminal=True, width=80, height=24)
    board.leaves_rows, board.leaves_total = rows, total
    with board:
        for name in ("web1", "web2"):
            board.console(name)
            board.done(name, None)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(drawn.getvalue().replace("\n", "\r\n"))
    seen = lines_of(screen)
    assert len(seen) == len(left)
    assert all(piece in line for piece, line in zip(left, seen, strict=True))


def test_a_board_that_ctrl_c_met_between_two_drawings_leaves_its_rows() -> None:
    drawn = io.StringIO()
    board = LiveBoard(Terminal("machinectl"), "machinectl", ["web1"])
    board.screen = rich.console.Console(file=drawn, force_terminal=True, width=80, height=24)
    with suppress(KeyboardInterrupt), board:
        board.console("web1")
        board.hide()
        raise KeyboardInterrupt
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(drawn.getvalue().replace("\n", "\r\n"))
    assert "web1" in lines_of(screen)[0]
