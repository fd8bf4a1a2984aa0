"""What killed pushes left is found; what another push still sends is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.images.unfinished import Unfinished

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@pytest.fixture
def unfinished(tmp_path: Path) -> Unfinished:
    return Unfinished(str(tmp_path), "unix:///run/docker.sock")


def killed(unfinished: Unfinished, image_id: str) -> None:
    """Leave a note as a killed process does."""
    with pytest.raises(ZeroDivisionError), unfinished.note(image_id):
        raise ZeroDivisionError


def test_the_image_of_a_killed_push_is_found_once(unfinished: Unfinished) -> None:
    assert list(unfinished.take_abandoned()) == []
    killed(unfinished, ONE)
    assert list(unfinished.take_abandoned()) == [ONE]
    assert list(unfinished.take_abandoned()) == []


def test_a_push_that_ends_leaves_no_note(unfinished: Unfinished) -> None:
    with unfinished.note(ONE):
        pass
    assert list(unfinished.take_abandoned()) == []


def test_an_image_that_another_push_sends_is_not_abandoned(unfinished: Unfinished) -> None:
    killed(unfinished, ONE)
    killed(unfinished, OTHER)
    with unfinished.note(ONE):
        assert list(unfinished.take_abandoned()) == [OTHER]
        assert list(unfinished.take_abandoned()) == []


def test_a_note_stays_if_its_image_cannot_be_removed_now(unfinished: Unfinished) -> None:
    killed(unfinished, ONE)
    found = unfinished.take_abandoned()
    assert next(found) == ONE
    found.close()
    assert list(unfinished.take_abandoned()) == [ONE]


def test_a_note_that_names_no_image_is_forgotten(unfinished: Unfinished, tmp_path: Path) -> None:
    killed(unfinished, "../../x")
    assert list(unfinished.take_abandoned()) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
