"""The pictures of docs/ show what the program prints: recorded again, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.pictures import IMAGES, record, steady, text_of

if TYPE_CHECKING:
    from tests.lab.lan import Lab


@pytest.mark.timeout(600)
def test_the_pictures_show_what_the_program_prints(lab: Lab) -> None:
    recorded, seen = record(lab)
    shown = {path.stem: text_of(path.read_text()) for path in IMAGES.glob("*.svg")}
    assert shown.keys() == recorded.keys(), "Record them again: make pictures"
    # One moment of several: another run has others, but the same lines. How long a machine waits is chance.
    # Any machine may be at any step.
    lines = [steady([line]) for line in seen]
    for line in shown.pop("apply")[1:]:
        step = steady([line.partition(" ")[2]])
        assert any(shown_line.endswith(step) for shown_line in lines), f"{step} is no step. Record apply.svg again"
    for name, lines in shown.items():
        assert steady(lines) == steady(text_of(recorded[name])), f"Record {name}.svg again: make pictures"
