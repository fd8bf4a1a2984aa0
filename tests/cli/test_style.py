"""Colours, signs and widths, on terminals, in pipes and in locales without ✓."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.output.style import BOLD, FAILED, OK, coloured, columns, mark, shorten
from tests.support.program import open_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

PIPE = io.StringIO()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("COLUMNS", "NO_COLOR", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    return monkeypatch


@contextmanager
def terminal(width: int = 100) -> Iterator[TextIO]:
    ours, theirs = open_terminal(24, width)
    with open(theirs, "w", encoding="utf-8") as stream:
        yield stream
    os.close(ours)


def test_a_terminal_shows_colours_and_signs(environment: pytest.MonkeyPatch) -> None:
    with terminal() as stream:
        assert coloured("text", BOLD, stream) == "\x1b[1mtext\x1b[0m"
        assert mark(OK, stream) == "\x1b[32m✓\x1b[0m"
        environment.setenv("NO_COLOR", "1")
        assert (coloured("text", BOLD, stream), mark(FAILED, stream)) == ("text", "✗")


@pytest.mark.parametrize("variable", ["LC_ALL=C", "LANG=C", "LANG=POSIX", "TERM=dumb"])
def test_signs_are_ascii_where_the_locale_or_the_terminal_lacks_them(
    environment: pytest.MonkeyPatch, variable: str
) -> None:
    environment.setenv("NO_COLOR", "1")
    environment.setenv(*variable.split("="))
    with terminal() as stream:
        assert (mark(OK, stream), mark(FAILED, stream)) == ("v", "x")
        assert shorten("a long line", 8, stream) == "a lon..."


@pytest.mark.parametrize(("variable", "expected"), [("", 100), ("40", 40), ("200", 100), ("wide", 100), ("0", 100)])
def test_columns_can_narrow_a_terminal_but_not_widen_it(
    environment: pytest.MonkeyPatch, variable: str, expected: int
) -> None:
    environment.setenv("COLUMNS", variable)
    with terminal(100) as stream:
        assert columns(stream) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("as it is", 8, "as it is"),
        ("as it was", 8, "as it w…"),
        ("引擎安装", 7, "引擎安…"),
        ("引擎安装", 6, "引擎…"),
        ("text", 1, "…"),
        ("text", 0, ""),
        ("text", -1, ""),
    ],
)
@pytest.mark.usefixtures("environment")
def test_a_line_is_cut_to_columns_of_the_terminal(text: str, width: int, expected: str) -> None:
    assert shorten(text, width, PIPE) == expected
