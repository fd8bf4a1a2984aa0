"""How doctor's findings look: what passed in one line, problems indented, and what to type on a line of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.check import broken, ok, unknown, unseen
from machinectl.doctor.machine_checks import DoctorReport
from machinectl.errors import Hint
from machinectl.verbs.doctor import check_lines, print_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.check import Check

FINE = ok("Record", "whole")
BAD = broken(
    "Configuration",
    'changed by hand since: "tlsverify" is false, and "hosts" is ["fd://"]',
    Hint("Set it up again", "machinectl provision orionbox") | Hint("or forget it", "machinectl rm orionbox"),
)
[NEVER] = unseen(["Engine"], "TCP failed")
ODD = unknown("Memory", "1GiB of 24GiB available", Hint("See what uses it", "machinectl ssh orionbox ps axo pid,rss"))


@pytest.fixture(autouse=True)
def utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([FINE], "✓ orionbox: 1 check passed"),
        ([FINE, FINE], "✓ orionbox: 2 checks passed"),
        ([FINE, ODD], "? orionbox: 1 to look at, 1 check passed"),
        ([FINE, NEVER], "? orionbox: 1 not checked, 1 check passed"),
        ([FINE, ODD, BAD, BAD], "✗ orionbox: 2 broken, 1 to look at, 1 check passed"),
    ],
)
def test_the_first_line_is_the_verdict(
    checks: Sequence[Check], said: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    print_report(DoctorReport("orionbox", tuple(checks)), "orionbox", "machinectl", verbose=False)
    first, *problems = capfdbinary.readouterr().out.decode().splitlines()
    assert first == said
    assert not [line for line in problems if "whole" in line]


def test_what_was_not_looked_at_because_of_another_check_is_only_counted(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    seen = ["  ? Engine  not checked: TCP failed"]
    for checks, lines in (((FINE, NEVER), seen), ((BAD, NEVER), []), ((ODD, NEVER), [])):
        print_report(DoctorReport("orionbox", checks), "orionbox", "machinectl", verbose=False)
        first, *more = capfdbinary.readouterr().out.decode().splitlines()
        assert ", 1 not checked" in first or ": 1 not checked" in first
        assert [line for line in more if "Engine" in line] == lines


def test_what_passed_is_printed_if_asked(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_report(DoctorReport("orionbox", (FINE, ODD)), "orionbox", "machinectl", verbose=True)
    assert capfdbinary.readouterr().out.decode().splitlines() == [
        "? orionbox: 1 to look at, 1 check passed",
        "  ✓ Record  whole",
        "  ? Memory  1GiB of 24GiB available",
        "    See what uses it:",
        "      machinectl ssh orionbox ps axo pid,rss",
    ]


def test_long_text_is_indented_below_itself_and_a_command_is_never_wrapped() -> None:
    assert list(check_lines(BAD, len(BAD.title), 52, "machinectl")) == [
        "  ✗ Configuration  changed by hand since:",
        '                   "tlsverify" is false, and "hosts"',
        '                   is ["fd://"]',
        "    Set it up again:",
        "      machinectl provision orionbox",
        "    Or forget it:",
        "      machinectl rm orionbox",
    ]
