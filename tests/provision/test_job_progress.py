"""A job's progress, as its standard error brings it."""

from __future__ import annotations

from machinectl.provision.job import LONGEST_LINE, ProgressLines


def test_the_end_of_each_progress_line_is_shown_however_it_is_cut() -> None:
    shown: list[str] = []
    lines = ProgressLines(shown.append)
    for piece in (b"progr", b"ess: pull", b"ing\nother\nprogress: 10%\r20%", b"\n"):
        lines.write(piece, True)
    assert shown == ["pulling", "20%"]


def test_of_a_line_without_an_end_only_the_end_is_kept() -> None:
    shown: list[str] = []
    lines = ProgressLines(shown.append)
    for _ in range(100):
        lines.write(bytes(32768), True)
        assert len(lines._begun) <= LONGEST_LINE
    lines.write(b"\nprogress: done\n", True)
    assert shown == ["done"]
