"""The pictures of docs/ show what the program prints: recorded again, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.pictures import IMAGES, record, steady, steps_of, text_of

if TYPE_CHECKING:
    from tests.lab.lan import Lab


@pytest.mark.timeout(600)
@pytest.mark.long
def test_the_pictures_show_what_the_program_prints(lab: Lab) -> None:
    recorded = record(lab)
    shown = {path.stem: text_of(path.read_text()) for path in IMAGES.glob("*.svg")}
    assert shown.keys() == recorded.keys(), "Record them again: make pictures"
    # Its times and turning signs are of one moment.
    assert steps_of(shown.pop("apply")) == steps_of(text_of(recorded["apply"])), "Record apply.svg again: make pictures"
    for name, lines in shown.items():
        assert steady(lines) == steady(text_of(recorded[name])), f"Record {name}.svg again: make pictures"
