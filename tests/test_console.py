"""Questions: asked in one way, at a terminal and in a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest

import machinectl
from machinectl.console import Unanswered, ask_until, confirm
from tests.support.quiet import Quiet, Silent

SOURCES = list(Path(machinectl.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize(
    ("answers", "agreed"),
    [
        (["y"], True),
        ([" YES "], True),
        (["n"], False),
        (["No"], False),
        ([""], False),
        (["yikes", "sure", "y"], True),
        (["maybe", ""], False),
    ],
)
def test_at_a_terminal_only_a_yes_or_a_no_is_an_answer(answers: list[str], agreed: bool) -> None:
    console = Quiet(*answers)
    assert confirm(console, "Are you sure?") is agreed
    assert console.asked == ["Are you sure?", *["Type y or n. Are you sure?"] * (len(answers) - 1)]


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y", True), ("Yikes", True), ("n", False), ("sure", False), ("", False)]
)
def test_in_a_pipe_an_answer_is_taken_as_docker_machine_takes_it(answer: str, agreed: bool) -> None:
    assert confirm(Quiet(answer, interactive=False), "Are you sure?") is agreed


def test_the_end_of_input_is_no_at_a_terminal_and_an_error_in_a_pipe() -> None:
    assert confirm(Silent(interactive=True), "Are you sure?") is False
    piped = Silent(interactive=False)
    with pytest.raises(Unanswered) as raised:
        confirm(piped, "Are you sure?", "machinectl rm -y web1")
    assert raised.value.hint == "To do it without being asked: machinectl rm -y web1"
    assert piped.asked == ["Are you sure? (y/n): "]
    assert ask_until(Silent(interactive=True), "Which? ", "Which? ", lambda _: None, no="none") == "none"


def test_no_other_module_asks_in_its_own_way() -> None:
    found = {
        (path.name, text)
        for path in SOURCES
        for text in ("[y/N]", "(y/n)", "getpass.getpass", " input(", ".stdin.buffer.readline")
        if text in path.read_text()
    }
    assert found == {
        ("console.py", "[y/N]"),
        ("console.py", "(y/n)"),
        ("terminal.py", "getpass.getpass"),
        # A request for access, which has many lines.
        ("access_texts.py", ".stdin.buffer.readline"),
        ("terminal.py", ".stdin.buffer.readline"),
    }
