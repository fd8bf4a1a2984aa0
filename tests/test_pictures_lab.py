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
    board = [line for line in shown.pop("apply") if not line.rstrip().endswith("waiting")]
    assert {steady([line]) for line in board} <= {steady([line]) for line in seen}
    for name, lines in shown.items():
        assert steady(lines) == steady(text_of(recorded[name])), f"Record {name}.svg again: make pictures"
