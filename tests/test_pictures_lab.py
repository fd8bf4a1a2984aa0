"""The pictures of docs/ show what the program prints: recorded again, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.pictures import IMAGES, record, steady, step_of, text_of

if TYPE_CHECKING:
    from tests.lab.lan import Lab


@pytest.mark.timeout(600)
@pytest.mark.long
def test_the_pictures_show_what_the_program_prints(lab: Lab) -> None:
    recorded, seen = record(lab)
    shown = {path.stem: text_of(path.read_text()) for path in IMAGES.glob("*.svg")}
    assert shown.keys() == recorded.keys(), "Record them again: make pictures"
    # One moment of several: another run has others, but the same steps, of any machine.
    steps = {step_of(line) for line in seen}
    for line in shown.pop("apply"):
        assert (step := step_of(line)) in steps or not step, f"{step} is no step. Record apply.svg again"
    for name, lines in shown.items():
        assert steady(lines) == steady(text_of(recorded[name])), f"Record {name}.svg again: make pictures"
